// SPDX-License-Identifier: MIT
/*
 * Hardware breakpoints and watchpoints set through ptrace, the DR6 that comes back, and the shadow
 * of MOV SS in which a data breakpoint stays pending until after the next instruction, even when
 * that enters the kernel.
 */
#include "probe.h"
#include "tracee.h"

#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

struct watch {
	unsigned long addr;
	unsigned type; /* 0 execute, 1 write, 3 read or write */
	unsigned len;  /* encoded: 0 1 byte, 1 2, 3 4, 2 8 */
};

static unsigned long dr7_of(const struct watch *w, unsigned count)
{
	unsigned long dr7 = 0;

	for (unsigned i = 0; i < count; i++) {
		dr7 |= 1ul << (2 * i);
		dr7 |= (unsigned long)(w[i].type | w[i].len << 2) << (16 + 4 * i);
	}
	return dr7;
}

static long set_watches(pid_t pid, const struct watch *w, unsigned count)
{
	long rc = 0;

	for (unsigned i = 0; i < count && !rc; i++)
		rc = tracee_poke_dr(pid, i, w[i].addr);
	return rc ? rc : tracee_poke_dr(pid, 7, dr7_of(w, count));
}

static void report_stop(pid_t pid, const char *name, const char *text)
{
	unsigned long dr6, dr7;
	struct user_regs_struct r;

	tracee_registers(pid, &r);
	tracee_peek_dr(pid, 6, &dr6);
	tracee_peek_dr(pid, 7, &dr7);
	out("%s: %s dr6=%lx dr7=%lx cx=%llx", name, text, dr6, dr7, r.rcx);
}

/* Runs hex with the watches set and reports each stop until the final int3. */
static void watched(const char *name, const char *hex, const struct watch *w, unsigned count)
{
	size_t end = code_hex(hex);
	char text[160], rc_name[24];
	pid_t pid;
	long rc;

	data_clear();
	pid = tracee_start();
	tracee_aim(pid);
	rc = set_watches(pid, w, count);
	if (rc)
		out("%s: set %s", name, rc_text(rc, rc_name));
	for (int i = 0; i < 12; i++) {
		struct user_regs_struct r;
		int status = tracee_go(pid, PTRACE_CONT, text);

		if (status < 0 || !WIFSTOPPED(status)) {
			out("%s: %s", name, text);
			break;
		}
		report_stop(pid, name, text);
		tracee_poke_dr(pid, 6, 0);
		tracee_registers(pid, &r);
		if (r.rip == CODE_AT + end + 1 || WSTOPSIG(status) != SIGTRAP)
			break;
	}
	tracee_end(pid);
}

static void watch_lengths(void)
{
	for (unsigned type = 0; type < 4; type++) {
		for (unsigned len = 0; len < 4; len++) {
			for (unsigned off = 0; off < 9; off++) {
				struct watch w = {DATA_AT + 0x100 + off, type, len};
				unsigned long back;
				pid_t pid;
				char text[24];
				long rc;

				if (type != 1 && off > 2)
					continue;
				pid = tracee_start();
				rc = set_watches(pid, &w, 1);
				tracee_peek_dr(pid, 7, &back);
				out("set type %u len %u off %u: %s dr7=%lx", type, len, off,
				    rc_text(rc, text), back);
				tracee_end(pid);
			}
		}
	}
}

static void bad_addresses(void)
{
	static const unsigned long addrs[] = {0xffffffff81000000, 0xffff800000000000,
					      0x800000000000,     0x7ffffffff000,
					      0x7fffffffefff,     0xffffffffff600000};

	for (size_t i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++) {
		struct watch w = {addrs[i], 1, 0};
		pid_t pid = tracee_start();
		char text[24];

		out("set at %lx: %s", addrs[i], rc_text(set_watches(pid, &w, 1), text));
		tracee_end(pid);
	}
}

void subject_debugregs(void)
{
	static const struct watch exec2 = {CODE_AT + 2, 0, 0};
	static const struct watch data1 = {DATA_AT, 1, 0};
	static const struct watch data4 = {DATA_AT, 1, 3};
	static const struct watch data8 = {DATA_AT, 1, 2};
	static const struct watch rw4 = {DATA_AT, 3, 3};
	static const struct watch stack8 = {STACK_TOP - 8, 1, 2};
	static const struct watch dest = {DATA_AT + 0x801, 1, 0};
	static const struct watch four[] = {
		{CODE_AT + 1, 0, 0}, {DATA_AT, 1, 3}, {DATA_AT + 8, 3, 2}, {CODE_AT + 4, 0, 0}};
	static const struct watch overlap[] = {
		{DATA_AT, 1, 3}, {DATA_AT + 1, 3, 0}, {DATA_AT, 1, 2}};
	static const struct watch on_step[] = {{CODE_AT + 3, 0, 0}, {STACK_TOP - 8, 3, 2}};

	watch_lengths();
	bad_addresses();
	watched("execute", "90 90 90 90", &exec2, 1);
	watched("execute syscall", "31 c0 0f 05 90", &exec2, 1);
	watched("execute int3", "90 90 cc 90", &exec2, 1);
	watched("execute loop", "b1 03 90 fe c9 75 fb 90", &exec2, 1);
	watched("write byte", "88 03 90", &data1, 1);
	watched("write beside", "88 43 01 90", &data1, 1);
	watched("read at write watch", "8a 03 90", &data1, 1);
	watched("read at rw watch", "8a 03 90", &rw4, 1);
	watched("write overlapping", "48 89 43 fc 90", &data4, 1);
	watched("write 8", "48 89 03 90", &data8, 1);
	watched("rmw", "f0 ff 03 90", &rw4, 1);
	watched("push", "50 90 58", &stack8, 1);
	watched("call", "e8 00 00 00 00 90", &stack8, 1);
	watched("rep movsb", "b9 05 00 00 00 f3 a4 90", &dest, 1);
	watched("rep stosq", "b9 05 00 00 00 f3 48 ab 90", &dest, 1);
	watched("four", "90 90 89 03 90 8b 43 08 90", four, 4);
	watched("overlap", "89 03 90", overlap, 3);
	watched("stack and code", "50 90 58 90", on_step, 2);
	/* The kernel itself writes to the watched word: getcpu-like calls copy out to rbx. */
	watched("kernel write", "b8 3f 00 00 00 48 89 df 0f 05 90", &data8, 1);
	watched("kernel write int80", "b8 7a 00 00 00 cd 80 90", &data8, 1);
	watched("kernel read", "b8 01 00 00 00 bf ff ff ff 7f 48 89 de ba 08 00 00 00 0f 05 90",
		&rw4, 1);
	watched("icebp", "90 f1 90", &exec2, 1);
}

void subject_movss(void)
{
	static const struct watch stack = {STACK_TOP, 3, 3};
	static const struct watch data = {DATA_AT, 3, 3};
	static const char *const after[][2] = {
		{"nop", "90 90"},
		{"int3", "cc 90"},
		{"icebp", "f1 90"},
		{"int80", "cd 80 90"},
		{"syscall", "0f 05 90"},
		{"int 4", "cd 04 90"},
		{"int 1", "cd 01 90"},
		{"cli", "fa 90"},
		{"ud2", "0f 0b 90"},
		{"pushf", "9c 58 90"},
		{"mov ss", "8e d0 90"},
		{"read", "8b 4b 10 90"},
		{"page fault", "8b 0c 25 00 00 00 00 90"},
		{"iretq", "48 cf 90"},
	};

	for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++) {
		char hex[128], name[64];

		if (!strcmp(after[i][0], "iretq") && far_stack_unsafe())
			continue;
		/* mov [rbx], ss without the watch hitting twice is not possible: two stops. */
		snprintf(hex, sizeof(hex), "8c d0 89 03 b8 ff 0f 00 00 8e 13 %s", after[i][1]);
		snprintf(name, sizeof(name), "mov ss, [watched]; %s", after[i][0]);
		watched(name, hex, &data, 1);
	}
	watched("pop ss style lss", "c7 43 00 00 40 00 20 c7 43 04 2b 00 00 00 0f b2 23 cc 90",
		&data, 1);
	watched("stack read", "58 90", &stack, 1);
}
