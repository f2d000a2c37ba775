// SPDX-License-Identifier: MIT
/*
 * What system calls leave in registers and flags, and single edges of the entry and return paths:
 * odd flags at entry, RCX and R11, a SYSCALL whose return address is the end of user space.
 */
#include "probe.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATTERN(n) ((greg_t)(0x1111111111111111ul * (n)))

static void all_registers(const char *name, const struct event *ev)
{
	const greg_t *g = ev->g;

	out("%s: ax=%lx bx=%lx cx=%lx dx=%lx si=%lx di=%lx bp=%lx r8=%lx r9=%lx r10=%lx r11=%lx "
	    "r12=%lx r13=%lx r14=%lx r15=%lx",
	    name, (uint64_t)g[REG_RAX], (uint64_t)g[REG_RBX], (uint64_t)g[REG_RCX],
	    (uint64_t)g[REG_RDX], (uint64_t)g[REG_RSI], (uint64_t)g[REG_RDI], (uint64_t)g[REG_RBP],
	    (uint64_t)g[REG_R8], (uint64_t)g[REG_R9], (uint64_t)g[REG_R10], (uint64_t)g[REG_R11],
	    (uint64_t)g[REG_R12], (uint64_t)g[REG_R13], (uint64_t)g[REG_R14], (uint64_t)g[REG_R15]);
}

static void fill_registers(struct shot *s)
{
	static const int regs[] = {REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14,
				   REG_R15, REG_RDI, REG_RSI, REG_RBP, REG_RBX, REG_RDX, REG_RCX};

	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		s->g[regs[i]] = PATTERN(i + 1);
}

static void registers_across(const char *name, const char *hex, long nr, unsigned cs)
{
	struct event ev;
	struct shot s;
	char text[200];
	size_t end = code_hex(hex);

	data_clear();
	shot_init(&s);
	fill_registers(&s);
	shot_cs_ss(&s, cs, USER_DS);
	s.g[REG_RAX] = nr;
	shot_run(&s, &ev);
	out("%s %ld: %s", name, nr, event_text(&ev, end, text));
	all_registers(name, &ev);
}

/* "syscall" in the last two bytes of user space: the return address is just beyond it. */
static void end_of_user_space(void)
{
	static const unsigned long last = 0x7ffffffff000;
	struct event ev;
	struct shot s;
	char text[200];
	void *page = (void *)(last - 4096);

	if (mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) < 0) {
		out("end of user space: stack is elsewhere");
		return;
	}
	memcpy((void *)(last - 2), "\x0f\x05", 2);
	shot_init(&s);
	s.g[REG_RAX] = 0xfff;
	s.g[REG_RIP] = (greg_t)(last - 2);
	shot_run(&s, &ev);
	out("end of user space: %s", event_text(&ev, 0, text));
	all_registers("end of user space", &ev);
	memcpy((void *)(last - 2), "\x0f\x0b", 2);
	shot_run(&s, &ev);
	out("ud2 there: %s", event_text(&ev, 0, text));
}

void subject_sysregs(void)
{
	static const long numbers[] = {0xfff, -1, 0x40000027, 102 /* getuid */, 334, 512};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		registers_across("syscall", "0f 05", numbers[i], USER_CS);
	registers_across("int80 in 64", "cd 80", 0xfff, USER_CS);
	registers_across("int80 getuid in 64", "cd 80", 199, USER_CS);
	registers_across("int80 in 32", "cd 80", 199, USER32_CS);
	registers_across("int80 -1", "cd 80", -1, USER32_CS);
	registers_across("int80 high rax", "cd 80", (long)0x1234567800000fff, USER_CS);
	registers_across("ud2", "0f 0b", 1, USER_CS);
	registers_across("page fault", "8b 04 25 00 00 00 00", 1, USER_CS);
	registers_across("cpuid", "0f a2", 0x80000000, USER_CS);
	end_of_user_space();
}

static void call_with_flags(const char *name, const char *hex, uint64_t flags, unsigned cs)
{
	struct event ev;
	struct shot s;
	char text[200], what[64];
	size_t end = code_hex(hex);

	shot_init(&s);
	shot_cs_ss(&s, cs, USER_DS);
	s.g[REG_EFL] = (greg_t)flags;
	s.g[REG_RAX] = 0xfff;
	shot_run(&s, &ev);
	snprintf(what, sizeof(what), "%s %d flags %lx", name, cs == USER_CS ? 64 : 32, flags);
	out("%s: %s ax=%lx bx=%lx cx=%lx r11=%lx", what, event_text(&ev, end, text),
	    (uint64_t)ev.g[REG_RAX], (uint64_t)ev.g[REG_RBX], (uint64_t)ev.g[REG_RCX],
	    (uint64_t)ev.g[REG_R11]);
}

void subject_sysflags(void)
{
	static const uint64_t combos[] = {
		FL_DF | FL_AC | FL_NT, FL_TF | FL_NT,         FL_TF | FL_DF, FL_TF | FL_AC,
		FL_RF | FL_TF,         FL_ID | FL_AC | FL_CF, 0xcd5 | FL_DF};

	/* pushf; pop rbx after the call shows the flags that user code continues with. */
	for (unsigned bit = 0; bit < 22; bit++) {
		call_with_flags("syscall", "0f 05 9c 5b", FL_IF | 2 | 1ul << bit, USER_CS);
		call_with_flags("int80", "cd 80 9c 5b", FL_IF | 2 | 1ul << bit, USER_CS);
		call_with_flags("int80", "cd 80 9c 5b", FL_IF | 2 | 1ul << bit, USER32_CS);
	}
	for (size_t i = 0; i < sizeof(combos) / sizeof(combos[0]); i++) {
		call_with_flags("syscall", "0f 05 9c 5b", FL_IF | 2 | combos[i], USER_CS);
		call_with_flags("int80", "cd 80 9c 5b", FL_IF | 2 | combos[i], USER32_CS);
		call_with_flags("fault", "31 db 8b 03", FL_IF | 2 | combos[i], USER_CS);
	}
}
