// SPDX-License-Identifier: MIT
/*
 * FS and GS: bases by arch_prctl and by the FSGSBASE instructions, with null and other selectors,
 * kept across context switches and signals; thread-local storage descriptors in the GDT. The kernel
 * swaps both with SWAPGS and MSRs, which a hypervisor must follow exactly.
 */
#include "probe.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <asm/prctl.h>
#include <unistd.h>

static const uint64_t base_values[] = {
	0,
	1,
	DATA_AT,
	0x7fffffffefff,
	0x7ffffffff000,
	0x7fffffffffff,
	0x800000000000,
	0x8000000000000000,
	0xfffffffffff,
	0xffff800000000000,
	0xffffffff81000000,
};

static void by_arch_prctl(const char *name, int set, int get)
{
	unsigned long saved = 0;

	raw(SYS_arch_prctl, ARCH_GET_FS, (long)&saved, 0, 0, 0, 0);
	for (size_t i = 0; i < sizeof(base_values) / sizeof(base_values[0]); i++) {
		unsigned long back = 0;
		char text[24];
		long rc = raw(SYS_arch_prctl, set, (long)base_values[i], 0, 0, 0, 0);

		raw(SYS_arch_prctl, get, (long)&back, 0, 0, 0, 0);
		raw(SYS_arch_prctl, ARCH_SET_FS, (long)saved, 0, 0, 0, 0);
		if (set == ARCH_SET_FS && rc < 0)
			back = 0; /* then it is the address of the C library's block */
		out("%s %lx: %s reads %lx", name, base_values[i], rc_text(rc, text), back);
	}
	raw(SYS_arch_prctl, ARCH_SET_GS, 0, 0, 0, 0, 0);
}

static void by_instruction(void)
{
	static const struct {
		const char *name, *hex;
	} forms[] = {
		{"wrfsbase", "f3 48 0f ae d0 f3 48 0f ae c2 90"},
		{"wrgsbase", "f3 48 0f ae d8 f3 48 0f ae ca 90"},
		{"wrfsbase32", "f3 0f ae d0 f3 0f ae c2 90"},
		{"wrgsbase32", "f3 0f ae d8 f3 48 0f ae ca 90"},
	};

	for (size_t f = 0; f < 4; f++) {
		for (size_t i = 0; i < sizeof(base_values) / sizeof(base_values[0]); i++) {
			struct event ev;
			struct shot s;
			char text[200];
			size_t end = code_hex(forms[f].hex);

			shot_init(&s);
			s.g[REG_RAX] = (greg_t)base_values[i];
			shot_run(&s, &ev);
			out("%s %lx: %s reads %lx", forms[f].name, base_values[i],
			    event_text(&ev, end, text), (uint64_t)ev.g[REG_RDX]);
		}
	}
}

/*
 * Processors clear a null selector of 1 to 3 in GS when an IRET goes from ring 0 to 3 (QEMU does
 * not): then it is lost with each interrupt, and each fault that a hypervisor handles, and what is
 * left of it tells nothing.
 */
static bool iret_clears_null(void)
{
	volatile char *fresh =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned gs = 3;

	if (fresh == MAP_FAILED)
		return false;
	__asm__ volatile("mov %0, %%gs\n\t"
			 "movb $1, (%1)\n\t" /* a page fault, which the kernel ends by IRET */
			 "mov %%gs, %0\n\t"
			 "mov %2, %%gs"
			 : "+&r"(gs)
			 : "r"(fresh), "r"(0)
			 : "memory");
	munmap((void *)fresh, 4096);
	return gs == 0;
}

static uint64_t selector_left(uint64_t sel, bool null_is_lost)
{
	return sel < 4 && null_is_lost ? 0 : sel;
}

/*
 * Code that loads FS and GS, sets their bases, makes a system call that switches to another process
 * and back (r12 counts rounds of sched_yield with a busy partner), and reads them again.
 */
static void across_switch(unsigned sel, uint64_t base, bool set_base, bool null_is_lost)
{
	struct event ev;
	struct shot s;
	char text[48];
	size_t end = code_hex("8e e0 8e e8");

	if (set_base)
		end = code_at(end, "f3 48 0f ae d3 f3 48 0f ae db");
	end = code_at(end, "b8 18 00 00 00 0f 05 41 ff cc 75 f4");
	end = code_at(end, "8c e1 8c ea 90");
	if (cpu_has_fsgsbase())
		end = code_at(end, "f3 49 0f ae c0 f3 49 0f ae c9");
	shot_init(&s);
	s.g[REG_RAX] = (greg_t)sel;
	s.g[REG_RBX] = (greg_t)base;
	s.g[REG_R12] = 20;
	shot_run(&s, &ev);
	out("switch sel %x base %lx%s: %s fs=%lx gs=%lx bases %lx %lx", sel, base,
	    set_base ? " set" : "", event_short(&ev, end, text),
	    selector_left((uint64_t)ev.g[REG_RCX], null_is_lost),
	    selector_left((uint64_t)ev.g[REG_RDX], null_is_lost), (uint64_t)ev.g[REG_R8],
	    (uint64_t)ev.g[REG_R9]);
}

static void all_switches(void)
{
	static const unsigned sels[] = {
		0, 1, 2, 3, 0x2b, 0x23, 0x33, 0x63, 0x6b, LDT_SEL(1), LDT_SEL(LDT_DATA_LIMITED)};
	bool lost = iret_clears_null();

	for (size_t i = 0; i < sizeof(sels) / sizeof(sels[0]); i++) {
		across_switch(sels[i], 0, false, lost);
		if (!cpu_has_fsgsbase())
			continue;
		across_switch(sels[i], 0, true, lost);
		across_switch(sels[i], DATA_AT, true, lost);
		across_switch(sels[i], 0xffffffff81000000, true, lost);
	}
}

void subject_bases(void)
{
	struct user_desc_word tls = {12, DATA_AT, 0xfffff, UD_32BIT | UD_PAGES | UD_USEABLE};
	char text[24];
	pid_t partner;

	out("fsgsbase for user code: %d", cpu_has_fsgsbase());
	by_arch_prctl("ARCH_SET_FS", ARCH_SET_FS, ARCH_GET_FS);
	by_arch_prctl("ARCH_SET_GS", ARCH_SET_GS, ARCH_GET_GS);
	by_instruction();
	out("tls %s", rc_text(RAW1(SYS_set_thread_area, &tls), text));
	out("ldt %s", rc_text(ldt_standard(), text));
	partner = fork();
	if (!partner) {
		alarm(60);
		for (;;)
			RAW0(SYS_sched_yield);
	}
	all_switches();
	kill(partner, SIGKILL);
	waitpid(partner, NULL, 0);
}

static void tls_read(unsigned sel, unsigned offset)
{
	struct event ev;
	struct shot s;
	char text[200];
	size_t end = code_hex("8e e0 64 8b 03 64 89 43 04");

	data_clear();
	*(uint32_t *)DATA_AT = 0x600df00d;
	shot_init(&s);
	shot_cs_ss(&s, USER32_CS, USER_DS);
	s.g[REG_RAX] = (greg_t)sel;
	s.g[REG_RBX] = (greg_t)offset;
	shot_run(&s, &ev);
	out("fs %x:%x: %s ax=%lx", sel, offset, event_text(&ev, end, text),
	    (uint64_t)ev.g[REG_RAX]);
}

void subject_tls(void)
{
	static const uint32_t flag_sets[] = {
		UD_32BIT | UD_PAGES | UD_USEABLE,
		UD_32BIT | UD_USEABLE,
		UD_32BIT | UD_READONLY | UD_USEABLE,
		UD_32BIT | UD_EXPAND_DOWN | UD_USEABLE,
		UD_32BIT | UD_NOT_PRESENT | UD_USEABLE,
		UD_32BIT | UD_CODE | UD_PAGES,
		UD_DATA,
		UD_32BIT | UD_LONG | UD_USEABLE,
		UD_READONLY | UD_NOT_PRESENT,
	};

	for (uint32_t entry = 11; entry < 17; entry++) {
		struct user_desc_word d = {entry, DATA_AT, 0xffff, UD_32BIT | UD_USEABLE};
		char set[24], get[24];
		long rc = RAW1(SYS_set_thread_area, &d);
		long back;

		memset(&d, 0, sizeof(d));
		d.entry = entry;
		back = RAW1(SYS_get_thread_area, &d);
		out("entry %u: set %s get %s base %x limit %x flags %x", entry, rc_text(rc, set),
		    rc_text(back, get), d.base, d.limit, d.flags);
	}
	for (size_t i = 0; i < sizeof(flag_sets) / sizeof(flag_sets[0]); i++) {
		struct user_desc_word d = {13, DATA_AT, 0xff, flag_sets[i]};
		char text[24];
		long rc = RAW1(SYS_set_thread_area, &d);

		out("flags %x: %s", flag_sets[i], rc_text(rc, text));
		tls_read(0x6b, 0);
		tls_read(0x6b, 0x100);
		tls_read(0x6a, 0);
	}
}
