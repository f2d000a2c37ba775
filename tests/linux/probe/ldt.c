// SPDX-License-Identifier: MIT
/*
 * Local descriptor tables and the code that needs them: 16-bit segments and stacks (with the high
 * half of ESP that IRET to a 16-bit stack does not load), 32-bit code inside a 64-bit process.
 */
#include "probe.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void read_back(const char *when)
{
	uint64_t table[32];
	char text[24];
	long rc;

	memset(table, 0, sizeof(table));
	rc = RAW3(SYS_modify_ldt, 0, table, sizeof(table));
	out("%s: read %s %ld bytes", when, rc_text(rc, text), rc < 0 ? 0 : rc);
	for (unsigned i = 0; i < 32 && rc > 0; i++)
		if (table[i])
			out("%s: %u = %016lx", when, i, table[i]);
}

static void every_flag_set(void)
{
	for (uint32_t flags = 0; flags < 0x100; flags++) {
		uint64_t table[1] = {0};
		uint32_t lar = 0;
		char old_form[24], new_form[24];
		long rc_old = ldt_set(1, 0, DATA_AT, 0x12345, flags);
		long rc_new = ldt_set(0x11, 0, DATA_AT, 0x12345, flags);

		RAW3(SYS_modify_ldt, 0, table, sizeof(table));
		__asm__ volatile("lar %1, %0" : "+r"(lar) : "r"(7u) : "cc");
		out("flags %02x: old %s new %s entry %016lx lar %x", flags,
		    rc_text(rc_old, old_form), rc_text(rc_new, new_form), table[0], lar);
	}
}

static void data_access(unsigned n, uint32_t offset)
{
	struct event ev;
	struct shot s;
	char shortly[2][48];
	static const char *const forms[] = {"8e e0 64 8b 03", "8e e0 64 89 03"};

	for (int i = 0; i < 2; i++) {
		size_t end = code_hex(forms[i]);

		shot_init(&s);
		shot_cs_ss(&s, USER32_CS, USER_DS);
		s.g[REG_RAX] = (greg_t)LDT_SEL(n);
		s.g[REG_RBX] = (greg_t)offset;
		shot_run(&s, &ev);
		event_short(&ev, end, shortly[i]);
	}
	out("data %u at %x: read %s write %s", n, offset, shortly[0], shortly[1]);
}

static void inheritance(void)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		read_back("forked");
		ldt_set(0x11, LDT_CODE32, 0, 0, UD_READONLY | UD_NOT_PRESENT);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	read_back("after the child's change");
}

void subject_ldt(void)
{
	static const uint32_t offsets[] = {0,          0xffc,      0xffd,   0x1000,    0xfffc,
					   0x1fffffff, 0x20000000, DATA_AT, 0xfffffffc};
	char text[24];
	long rc;

	read_back("empty");
	rc = ldt_set(0x11, 0, 0, 0, UD_32BIT);
	if (rc < 0) {
		out("modify_ldt: %s", rc_text(rc, text));
		return;
	}
	out("entry 8191: %s", rc_text(ldt_set(0x11, 8191, DATA_AT, 1, UD_32BIT), text));
	out("entry 8192: %s", rc_text(ldt_set(0x11, 8192, DATA_AT, 1, UD_32BIT), text));
	every_flag_set();
	out("standard: %s", rc_text(ldt_standard(), text));
	read_back("standard");
	for (unsigned n = 0; n < LDT_ENTRIES; n++)
		for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
			data_access(n, offsets[i]);
	inheritance();
}

static void run_with(const char *name, const char *hex, unsigned cs, unsigned ss, uint64_t ip,
		     uint64_t sp)
{
	struct event ev;
	struct shot s;

	data_clear();
	code_hex(hex);
	shot_init(&s);
	shot_cs_ss(&s, cs, ss);
	s.g[REG_RIP] = (greg_t)ip;
	s.g[REG_RSP] = (greg_t)sp;
	s.g[REG_RBX] = 0x10;
	s.g[REG_RAX] = 0xfff;
	shot_run(&s, &ev);
	hide_sysenter_flags(hex, &ev);
	out("%s: %s c%d #%ld/%lx cs=%x ss=%x ip=%lx sp=%x fl=%lx ax=%x cx=%x dx=%x", name,
	    signal_text(ev.signo), ev.code, (long)ev.g[REG_TRAPNO], (uint64_t)ev.g[REG_ERR],
	    greg_cs(ev.g), greg_ss(ev.g), (uint64_t)ev.g[REG_RIP], (uint32_t)ev.g[REG_RSP],
	    (uint64_t)ev.g[REG_EFL], (uint32_t)ev.g[REG_RAX], (uint32_t)ev.g[REG_RCX],
	    (uint32_t)ev.g[REG_RDX]);
	if ((uint64_t)ev.g[REG_RSP] >> 32)
		out_hw("%s: sp %lx", name, (uint64_t)ev.g[REG_RSP]);
}

static bool have_ldt(void)
{
	char text[24];
	long rc = ldt_standard();

	out("ldt %s", rc_text(rc, text));
	return rc == 0;
}

void subject_code16(void)
{
	static const char *const forms[][2] = {
		{"moves", "b8 34 12 89 c1 89 c2"},
		{"push pop", "68 78 56 59 54 5a"},
		{"call ret", "e8 01 00 f4 59"},
		{"pushf", "9c 59"},
		{"popf", "68 02 32 9d 9c 59"},
		{"32-bit operand", "66 b8 78 56 34 12 66 50 66 59"},
		{"int80", "b8 ff 0f cd 80 89 c1"},
		{"int 21", "cd 21"},
		{"syscall", "b8 ff 0f 0f 05 89 c1"},
		{"sysenter", "0f 34"},
		{"hlt", "f4"},
		{"ud2", "0f 0b"},
		{"mov sp", "8b 4e 00"},
		{"sgdt", "0f 01 e0"},
		{"ljmp 33", "66 ea 00 01 00 10 33 00"},
		{"ljmp 23", "66 ea 00 01 00 10 23 00"},
		{"wrap", "e9 f0 ff"},
		{"into", "b8 ff 7f 83 c0 01 ce"},
		{"div", "31 c9 f7 f1"},
		{"cpuid", "66 31 c0 0f a2"},
	};

	if (!have_ldt())
		return;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		run_with(forms[i][0], forms[i][1], LDT_SEL(LDT_CODE16), LDT_SEL(LDT_DATA16), 0,
			 0x8000);
		run_with(forms[i][0], forms[i][1], LDT_SEL(LDT_CODE16), USER_DS, 0, STACK_TOP);
	}
	if (far_stack_unsafe()) {
		out("iret, lret: not run, TCG takes the user stack as supervisor's under SMAP");
		return;
	}
	run_with("iret 16", "9c 68 0f 00 0e 68 10 00 cf cc cc cc cc cc cc cc 90 90",
		 LDT_SEL(LDT_CODE16), LDT_SEL(LDT_DATA16), 0, 0x8000);
	run_with("iret to 17 selector", "9c 68 17 00 68 10 00 cf cc cc cc cc cc cc cc cc 90 90",
		 LDT_SEL(LDT_CODE16), LDT_SEL(LDT_DATA16), 0, 0x8000);
	run_with("lret 32", "66 68 23 00 00 00 66 68 00 01 00 10 66 cb", LDT_SEL(LDT_CODE16),
		 LDT_SEL(LDT_DATA16), 0, 0x8000);
	run_with("lret 64", "66 68 33 00 00 00 66 68 00 01 00 10 66 cb", LDT_SEL(LDT_CODE16),
		 LDT_SEL(LDT_DATA16), 0, 0x8000);
}

/* ESP's high half on a 16-bit stack, seen by 32-bit code before and after kernel entries. */
void subject_espfix(void)
{
	static const uint32_t sps[] = {0x8000,     0x12348000, 0xdead8000,
				       0xffff8000, 0x80008000, 0x20008000};
	static const char *const forms[][2] = {
		{"at once", "89 e1"},
		{"int80", "cd 80 89 e1"},
		{"twice", "cd 80 89 e2 cd 80 89 e1"},
		{"cpuid first", "0f a2 89 e1"},
		{"push", "50 89 e1"},
		{"pop high", "81 cc 00 00 34 12 cd 80 89 e1"},
		{"fault", "89 e1 f4"},
		{"fault on stack", "89 e1 8b 04 24 bc 00 00 ff ff 89 e2 50"},
	};

	if (!have_ldt())
		return;
	for (size_t i = 0; i < sizeof(sps) / sizeof(sps[0]); i++) {
		for (size_t k = 0; k < sizeof(forms) / sizeof(forms[0]); k++) {
			char name[64];

			snprintf(name, sizeof(name), "sp %x %s", sps[i], forms[k][0]);
			run_with(name, forms[k][1], USER32_CS, LDT_SEL(LDT_DATA16), CODE_AT,
				 sps[i]);
			run_with(name, forms[k][1], LDT_SEL(LDT_CODE32), LDT_SEL(LDT_STACK16_DOWN),
				 CODE_AT, sps[i]);
		}
		run_with("64-bit code", "cd 80 89 e1", USER_CS, LDT_SEL(LDT_DATA16), CODE_AT,
			 sps[i]);
	}
}

void subject_code32(void)
{
	static const char *const forms[][2] = {
		{"moves", "b8 78 56 34 12 50 59"},
		{"inc dec", "40 48 41 89 c2"},
		{"int80 nosys", "b8 ff 0f 00 00 cd 80 89 c1"},
		{"int80 getuid", "b8 c7 00 00 00 cd 80 89 c1"},
		{"int80 bad pointer",
		 "b8 04 00 00 00 b9 00 00 00 f0 bb 01 00 00 00 ba 01 00 00 00 cd 80 89 c1"},
		{"syscall", "b8 c7 00 00 00 0f 05 89 c1"},
		{"sysenter", "b8 c7 00 00 00 89 e5 0f 34 89 c1"},
		{"sysenter bad ebp", "b8 c7 00 00 00 bd 00 00 00 f0 0f 34 89 c1"},
		{"pushf", "9c 59"},
		{"ljmp back", "ea 00 01 00 10 33 00"},
		{"lds null", "31 c0 8e d8 8b 03"},
		{"ds null write", "31 c0 8e d8 89 03"},
		{"es null movs", "31 c0 8e c0 a4"},
		{"gs null read", "31 c0 8e e8 65 8b 03"},
		{"cs write", "2e 89 03"},
		{"stack beyond", "bc fc ff ff ff 50 8b 4c 24 08"},
		{"high address", "bb 00 f0 ff ff 8b 03"},
		{"vm86 popf", "68 02 02 02 00 9d 9c 59"},
		{"cpuid", "31 c0 0f a2"},
	};

	out("int 0x80 is a gate of this kernel: %d", kernel_has_int80());
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		run_with(forms[i][0], forms[i][1], USER32_CS, USER_DS, CODE_AT, STACK_TOP);
	if (!have_ldt())
		return;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		run_with(forms[i][0], forms[i][1], LDT_SEL(LDT_CODE32), LDT_SEL(LDT_DATA32),
			 CODE_AT, STACK_TOP);
}
