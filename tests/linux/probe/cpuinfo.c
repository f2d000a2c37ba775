// SPDX-License-Identifier: MIT
/*
 * CPUID and what else identifies the CPU to a process. CPUID does not trap, so a hypervisor without
 * hardware help shows the machine's own; a difference means that some control register which CPUID
 * reflects (OSXSAVE, OSPKE, XCR0) is not the guest's.
 */
#include "probe.h"

#include <cpuid.h>
#include <stdio.h>
#include <string.h>
#include <elf.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <asm/prctl.h>

static void leaf(unsigned number, unsigned sub)
{
	unsigned a, b, c, d;

	__cpuid_count(number, sub, a, b, c, d);
	if (!(a | b | c | d))
		return;
	/* The APIC id is the processor the probe happens to run on. */
	if (number == 1)
		b &= 0x00ffffffu;
	if (number == 0xb || number == 0x1f)
		d = 0;
	if (number == 0x8000001e)
		a = 0;
	out("cpuid %x.%x: %08x %08x %08x %08x", number, sub, a, b, c, d);
}

static unsigned sub_leaves(unsigned number)
{
	switch (number) {
	case 4:
	case 0x8000001d:
		return 5;
	case 7:
		return 3;
	case 0xb:
	case 0x1f:
		return 4;
	case 0xd:
		return 20;
	default:
		return 1;
	}
}

static void leaves(unsigned from)
{
	unsigned max, b, c, d;

	__cpuid(from, max, b, c, d);
	if (max < from || max > from + 0x40)
		max = from;
	for (unsigned number = from; number <= max; number++)
		for (unsigned sub = 0; sub < sub_leaves(number); sub++)
			leaf(number, sub);
}

static void auxiliary(void)
{
	static const struct {
		const char *name;
		unsigned long type;
	} types[] = {
		{"HWCAP", AT_HWCAP},   {"HWCAP2", AT_HWCAP2}, {"MINSIGSTKSZ", AT_MINSIGSTKSZ},
		{"PAGESZ", AT_PAGESZ}, {"CLKTCK", AT_CLKTCK},
	};
	const char *platform = (const char *)getauxval(AT_PLATFORM);

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		out("AT_%s %lx", types[i].name, getauxval(types[i].type));
	out("AT_PLATFORM %s", platform ? platform : "none");
}

static void cpuinfo_file(void)
{
	static char text[16384];
	FILE *f = fopen("/proc/cpuinfo", "r");

	if (!f)
		return;
	while (fgets(text, sizeof(text), f)) {
		text[strcspn(text, "\n")] = 0;
		/* The clock is measured at boot, and the rest follows from it. */
		if (strncmp(text, "cpu MHz", 7) && strncmp(text, "bogomips", 8) && text[0])
			out("%s", text);
		if (!text[0])
			break;
	}
	fclose(f);
}

void subject_cpuid(void)
{
	unsigned long value = 0;
	char text[24];
	long rc;

	leaves(0);
	leaves(0x40000000);
	leaves(0x80000000);
	auxiliary();
	cpuinfo_file();
	rc = raw(SYS_arch_prctl, ARCH_GET_CPUID, 0, 0, 0, 0, 0);
	out("ARCH_GET_CPUID %s", rc_text(rc, text));
	rc = raw(SYS_arch_prctl, 0x1022 /* ARCH_GET_XCOMP_PERM */, (long)&value, 0, 0, 0, 0);
	out("ARCH_GET_XCOMP_PERM %s %lx", rc_text(rc, text), value);
	try_hex("xgetbv 0", "31 c9 0f 01 d0", NULL);
	try_hex("xgetbv 2", "b9 02 00 00 00 0f 01 d0", NULL);
	try_hex("xgetbv -1", "b9 ff ff ff ff 0f 01 d0", NULL);
}

static uint64_t tsc(void)
{
	uint32_t a, d;

	__asm__ volatile("rdtsc" : "=a"(a), "=d"(d));
	return (uint64_t)d << 32 | a;
}

static void monotonic(void)
{
	uint64_t last = tsc();
	bool ok = true;

	for (int i = 0; i < 20000; i++) {
		uint64_t now = tsc();

		ok = ok && now >= last;
		last = now;
		if (i % 100 == 0)
			RAW0(SYS_getppid);
	}
	out("tsc monotonic: %d", ok);
}

static void cpu_number(void)
{
	unsigned cpu = 99, node = 99;
	uint64_t limit = 0;
	uint8_t ok;
	char text[24];

	out("getcpu %s", rc_text(RAW3(SYS_getcpu, &cpu, &node, 0), text));
	out("cpu %u node %u", cpu, node);
	__asm__("lsl %2, %0\n\tsete %1" : "+r"(limit), "=qm"(ok) : "r"(0x7bul) : "cc");
	out("lsl 7b: %d %lx", ok, limit);
	try_hex("rdpid", "f3 0f c7 f8", NULL);
	try_hex("rdtscp aux", "0f 01 f9 89 c8 31 d2", NULL);
}

void subject_time(void)
{
	char text[24];

	monotonic();
	cpu_number();
	try_hex("rdpmc 0", "31 c9 0f 33 31 c0 31 d2", NULL);
	try_hex("rdpmc fixed", "b9 00 00 00 40 0f 33 31 c0 31 d2", NULL);
	out("PR_SET_TSC off: %s", rc_text(RAW2(SYS_prctl, PR_SET_TSC, PR_TSC_SIGSEGV), text));
	try_hex("rdtsc off", "0f 31", NULL);
	try_hex("rdtscp off", "0f 01 f9", NULL);
	out("PR_SET_TSC on: %s", rc_text(RAW2(SYS_prctl, PR_SET_TSC, PR_TSC_ENABLE), text));
	try_hex("rdtsc on", "0f 31 31 c0 31 d2", NULL);
	out("faulting cpuid: %s",
	    rc_text(raw(SYS_arch_prctl, ARCH_SET_CPUID, 0, 0, 0, 0, 0), text));
	try_hex("cpuid", "b8 00 00 00 80 0f a2 31 d2", NULL);
	raw(SYS_arch_prctl, ARCH_SET_CPUID, 1, 0, 0, 0, 0);
}
