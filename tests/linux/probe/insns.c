// SPDX-License-Identifier: MIT
/*
 * One instruction at a time: privileged ones, invalid encodings, and those that user code may run
 * but whose result depends on control registers. Each line is the signal with all that the kernel
 * hands over (siginfo, trap number, error code, CR2, flags), or the flags after it ran.
 */
#include "probe.h"

#include <stdio.h>
#include <string.h>

struct insn {
	const char *name;
	const char *hex;
};

static void run_table(const struct insn *table, size_t count, uint64_t cx)
{
	for (size_t i = 0; i < count; i++) {
		struct shot s;

		data_clear();
		shot_init(&s);
		s.g[REG_RCX] = (greg_t)cx;
		try_hex(table[i].name, table[i].hex, &s);
	}
}

static const struct insn privileged[] = {
	{"hlt", "f4"},
	{"cli", "fa"},
	{"sti", "fb"},
	{"in al, 80", "e4 80"},
	{"in eax, 80", "e5 80"},
	{"in al, dx", "ec"},
	{"in eax, dx", "ed"},
	{"out 80, al", "e6 80"},
	{"out dx, al", "ee"},
	{"out dx, eax", "ef"},
	{"insb", "6c"},
	{"insl", "6d"},
	{"outsb", "6e"},
	{"outsl", "6f"},
	{"rep insb", "f3 6c"},
	{"rep outsb", "f3 6e"},
	{"lgdt", "0f 01 13"},
	{"lidt", "0f 01 1b"},
	{"lldt", "0f 00 d0"},
	{"ltr", "0f 00 d8"},
	{"lmsw", "0f 01 f0"},
	{"clts", "0f 06"},
	{"mov rax, cr0", "0f 20 c0"},
	{"mov rax, cr2", "0f 20 d0"},
	{"mov rax, cr3", "0f 20 d8"},
	{"mov rax, cr4", "0f 20 e0"},
	{"mov rax, cr8", "44 0f 20 c0"},
	{"mov rax, cr1", "0f 20 c8"},
	{"mov rax, cr15", "44 0f 20 f8"},
	{"mov cr0, rax", "0f 22 c0"},
	{"mov cr2, rax", "0f 22 d0"},
	{"mov cr3, rax", "0f 22 d8"},
	{"mov cr4, rax", "0f 22 e0"},
	{"mov cr8, rax", "44 0f 22 c0"},
	{"mov rax, dr0", "0f 21 c0"},
	{"mov rax, dr4", "0f 21 e0"},
	{"mov rax, dr6", "0f 21 f0"},
	{"mov rax, dr7", "0f 21 f8"},
	{"mov dr0, rax", "0f 23 c0"},
	{"mov dr6, rax", "0f 23 f0"},
	{"mov dr7, rax", "0f 23 f8"},
	{"rdmsr", "0f 32"},
	{"wrmsr", "0f 30"},
	{"invlpg", "0f 01 3b"},
	{"invlpg null", "0f 01 3c 25 00 00 00 00"},
	{"invd", "0f 08"},
	{"wbinvd", "0f 09"},
	{"wbnoinvd", "f3 0f 09"},
	{"swapgs", "0f 01 f8"},
	{"sysretl", "0f 07"},
	{"sysretq", "48 0f 07"},
	{"sysexit", "0f 35"},
	{"sysexitq", "48 0f 35"},
	{"xsetbv", "0f 01 d1"},
	{"monitor", "0f 01 c8"},
	{"mwait", "0f 01 c9"},
	{"monitorx", "0f 01 fa"},
	{"mwaitx", "0f 01 fb"},
	{"clac", "0f 01 ca"},
	{"stac", "0f 01 cb"},
	{"invpcid", "66 0f 38 82 03"},
	{"xsaves", "48 0f c7 2b"},
	{"xrstors", "48 0f c7 1b"},
	{"rsm", "0f aa"},
	{"getsec", "0f 37"},
	{"encls", "0f 01 cf"},
	{"pconfig", "0f 01 c5"},
};

void subject_privileged(void)
{
	run_table(privileged, sizeof(privileged) / sizeof(privileged[0]), 0x10);
	out("again with ecx of a missing MSR");
	run_table(&privileged[41], 2, 0x7fffffff);
	out("again with ecx 0");
	run_table(&privileged[51], 7, 0);
}

static const struct insn invalid[] = {
	{"ud0", "0f ff c0"},
	{"ud1", "0f b9 c0"},
	{"ud2", "0f 0b"},
	{"push es", "06"},
	{"push cs", "0e"},
	{"pop ds", "1f"},
	{"daa", "27"},
	{"das", "2f"},
	{"aaa", "37"},
	{"aas", "3f"},
	{"pusha", "60"},
	{"popa", "61"},
	{"arpl/movsxd", "63 c0"},
	{"82 group", "82 c0 01"},
	{"lcall imm", "9a 00 00 00 00 33 00"},
	{"ljmp imm", "ea 00 00 00 00 33 00"},
	{"into", "ce"},
	{"aam", "d4 0a"},
	{"aad", "d5 0a"},
	{"salc", "d6"},
	{"vex lds without vex", "c5 0b"},
	{"lock add reg", "f0 01 c0"},
	{"lock nop", "f0 90"},
	{"lock mov", "f0 89 03"},
	{"mov cs, ax", "8e c8"},
	{"mov sr6, ax", "8e f0"},
	{"mov rax, sr7", "8c f8"},
	{"lea reg", "8d c0"},
	{"ljmp reg", "ff e8"},
	{"ff /7", "ff f8"},
	{"fe /2", "fe d0"},
	{"0f 04", "0f 04"},
	{"0f 0a", "0f 0a"},
	{"0f 24", "0f 24 c0"},
	{"0f a6", "0f a6 c0"},
	{"15 prefixes", "66 66 66 66 66 66 66 66 66 66 66 66 66 66 90"},
	{"16 bytes", "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90"},
	{"vmcall", "0f 01 c1"},
	{"vmmcall", "0f 01 d9"},
	{"vmlaunch", "0f 01 c2"},
	{"vmresume", "0f 01 c3"},
	{"vmxoff", "0f 01 c4"},
	{"vmfunc", "0f 01 d4"},
	{"vmread", "0f 78 c0"},
	{"vmwrite", "0f 79 c0"},
	{"vmxon", "f3 0f c7 33"},
	{"vmptrld", "0f c7 33"},
	{"invept", "66 0f 38 80 03"},
	{"invvpid", "66 0f 38 81 03"},
	{"vmrun", "0f 01 d8"},
	{"vmload", "0f 01 da"},
	{"vmsave", "0f 01 db"},
	{"stgi", "0f 01 dc"},
	{"clgi", "0f 01 dd"},
	{"skinit", "0f 01 de"},
	{"invlpga", "0f 01 df"},
	{"rdpru", "0f 01 fd"},
	{"mcommit", "f3 0f 01 fa"},
	{"enclu", "0f 01 d7"},
	{"serialize", "0f 01 e8"},
	{"setssbsy", "f3 0f 01 e8"},
	{"lkgs", "f2 0f 00 f0"},
	{"wrss", "0f 38 f6 03"},
	{"umonitor", "f3 0f ae f0"},
	{"umwait", "f2 0f ae f0"},
	{"tpause", "66 0f ae f0"},
	{"hreset", "f3 0f 3a f0 c0 00"},
	{"erets", "f2 0f 01 ca"},
	{"eretu", "f3 0f 01 ca"},
};

void subject_invalid(void)
{
	run_table(invalid, sizeof(invalid) / sizeof(invalid[0]), 0);
}

static const struct insn unprivileged[] = {
	{"icebp", "f1"},
	{"int3", "cc"},
	{"nop", "90"},
	{"rdpmc", "0f 33"},
	{"xgetbv", "0f 01 d0"},
	{"rdpkru", "0f 01 ee"},
	{"wrpkru", "0f 01 ef"},
	{"rdfsbase", "f3 48 0f ae c0"},
	{"rdgsbase", "f3 48 0f ae c8"},
	{"wrfsbase", "f3 48 0f ae d0"},
	{"wrgsbase", "f3 48 0f ae d8"},
	{"clflush", "0f ae 3b"},
	{"clflushopt", "66 0f ae 3b"},
	{"clwb", "66 0f ae 33"},
	{"clzero", "48 89 d8 0f 01 fc"},
	{"prefetchw", "0f 0d 0b"},
	{"pause", "f3 90"},
	{"mfence", "0f ae f0"},
	{"endbr64", "f3 0f 1e fa"},
	{"rdsspq", "f3 48 0f 1e c8"},
	{"movbe", "0f 38 f0 03"},
	{"popcnt", "f3 0f b8 c0"},
	{"xbegin", "c7 f8 00 00 00 00"},
	{"xtest", "0f 01 d6"},
	{"sahf", "9e"},
	{"lahf", "9f"},
	{"pushf", "9c 58"},
	{"popf all", "48 c7 c0 ff fe fb 7f 50 9d 9c 58 6a 02 9d"},
	{"popf none", "6a 00 9d 9c 58"},
	{"popfw all", "66 68 ff fe 66 9d 9c 58 6a 02 9d"},
	{"popf iopl", "68 02 32 00 00 9d 9c 58"},
	{"popf if off", "6a 02 9d 9c 58"},
	{"popf vip vif", "68 02 02 18 00 9d 9c 58"},
	{"popf vm", "68 02 02 02 00 9d 9c 58"},
	{"popf rf", "68 02 02 01 00 9d 9c 58"},
	{"popf nt", "68 02 42 00 00 9d 9c 58 6a 02 9d"},
	{"syscall nosys", "b8 ff 0f 00 00 0f 05"},
	{"syscall -1", "48 c7 c0 ff ff ff ff 0f 05"},
	{"syscall x32", "b8 27 00 00 40 0f 05"},
	{"int80 nosys", "b8 ff 0f 00 00 cd 80"},
	{"sysenter", "b8 ff 0f 00 00 0f 34"},
	{"enter", "c8 10 00 01"},
	{"bndmk", "f3 0f 1b 03"},
	{"fwait", "9b"},
	{"fxsave odd", "0f ae 43 04"},
	{"fxsave", "0f ae 03"},
	{"xsave odd", "b8 07 00 00 00 0f ae 63 08"},
	{"xrstor bad", "b8 07 00 00 00 0f ae 6b 40"},
	{"ldmxcsr bad", "c7 03 00 00 01 00 0f ae 13"},
	{"ldmxcsr", "c7 03 80 1f 00 00 0f ae 13"},
	{"cmpxchg16b odd", "48 0f c7 4b 08"},
	{"cmpxchg16b", "48 0f c7 0b"},
	{"movaps odd", "0f 28 43 08"},
	{"movntdqa odd", "66 0f 38 2a 43 08"},
	{"lddqu", "f2 0f f0 43 08"},
	{"vzeroupper", "c5 f8 77"},
	{"emms", "0f 77"},
	{"femms", "0f 0e"},
};

void subject_unprivileged(void)
{
	run_table(unprivileged, sizeof(unprivileged) / sizeof(unprivileged[0]), 0);
	out("with a non-canonical base");
	for (size_t i = 9; i < 11; i++) {
		struct shot s;

		shot_init(&s);
		s.g[REG_RAX] = (greg_t)0x800000000000;
		try_hex(unprivileged[i].name, unprivileged[i].hex, &s);
		s.g[REG_RAX] = (greg_t)0xffff800000000000;
		try_hex(unprivileged[i].name, unprivileged[i].hex, &s);
	}
}

static void int_n(unsigned n, unsigned cs, const char *mode)
{
	struct event ev;
	struct shot s;
	char hex[16];
	char text[200];
	size_t end;

	shot_init(&s);
	shot_cs_ss(&s, cs, USER_DS);
	s.g[REG_RAX] = 0xfff;
	snprintf(hex, sizeof(hex), "cd %02x", n);
	end = code_hex(hex);
	shot_run(&s, &ev);
	out("%s int %02x: %s ax=%lx", mode, n, event_text(&ev, end, text), (uint64_t)ev.g[REG_RAX]);
}

void subject_intn(void)
{
	for (unsigned n = 0; n < 256; n++)
		int_n(n, USER_CS, "64");
	for (unsigned n = 0; n < 256; n++)
		int_n(n, USER32_CS, "32");
}
