// SPDX-License-Identifier: MIT
/*
 * What a tracer sees: steps, registers written with values that the CPU or the kernel must refuse,
 * and the registers at system call stops.
 */
#include "probe.h"
#include "stepcode.h"
#include "tracee.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define STEPS_MAX 60

static void step_piece_by_ptrace(const struct step_piece *piece, long request, const char *how)
{
	char line[3000] = "";
	size_t used = 0;
	size_t end = code_hex(piece->hex);
	pid_t pid;

	data_clear();
	pid = tracee_start();
	tracee_aim(pid);
	for (int i = 0; i < STEPS_MAX; i++) {
		struct user_regs_struct r;
		char text[160];
		int status = tracee_go(pid, request, text);

		if (!WIFSTOPPED(status) || status < 0) {
			used += (size_t)snprintf(line + used, sizeof(line) - used, " %s", text);
			break;
		}
		tracee_registers(pid, &r);
		used += (size_t)snprintf(line + used, sizeof(line) - used, " %llx:%llx%s",
					 r.rip - CODE_AT, r.eflags,
					 WSTOPSIG(status) == SIGTRAP ? "" : text);
		if (used > sizeof(line) - 200 || r.rip == CODE_AT + end + 1 ||
		    WSTOPSIG(status) != SIGTRAP)
			break;
	}
	out("%s %s:%s", how, piece->name, line);
	tracee_end(pid);
}

void subject_ptstep(void)
{
	for (size_t i = 0; i < step_piece_count; i++) {
		if (step_pieces[i].needs_far_stack && far_stack_unsafe()) {
			out("%s: not run, TCG takes the user stack as supervisor's under SMAP",
			    step_pieces[i].name);
			continue;
		}
		step_piece_by_ptrace(&step_pieces[i], PTRACE_SINGLESTEP, "step");
	}
	for (size_t i = 0; i < step_piece_count; i++)
		if (!step_pieces[i].needs_far_stack)
			step_piece_by_ptrace(&step_pieces[i], PTRACE_SINGLEBLOCK, "block");
	for (size_t i = 0; i < 8; i++)
		step_piece_by_ptrace(&step_pieces[i], PTRACE_SYSEMU_SINGLESTEP, "sysemu step");
}

/* Sets one register of a fresh tracee, tells what ptrace said, then lets it run. */
static void poke_and_run(const char *name, size_t offset, unsigned long value)
{
	pid_t pid = tracee_start();
	unsigned long back = 0;
	char text[160], rc_name[24];
	long rc;

	tracee_aim(pid);
	rc = tracee_call(PTRACE_POKEUSER, pid, offset, (void *)value);
	tracee_call(PTRACE_PEEKUSER, pid, offset, &back);
	tracee_go(pid, PTRACE_CONT, text);
	out("%s=%lx: %s, reads %lx, runs: %s", name, value, rc_text(rc, rc_name),
	    strstr(name, "base") && rc ? 0 : back, text);
	tracee_end(pid);
}

static void poke_selectors(void)
{
	static const struct {
		const char *name;
		size_t offset;
	} regs[] = {
		{"cs", offsetof(struct user_regs_struct, cs)},
		{"ss", offsetof(struct user_regs_struct, ss)},
		{"ds", offsetof(struct user_regs_struct, ds)},
		{"es", offsetof(struct user_regs_struct, es)},
		{"fs", offsetof(struct user_regs_struct, fs)},
		{"gs", offsetof(struct user_regs_struct, gs)},
	};
	static const unsigned long values[] = {
		0,    1,    3,    7,    0x08, 0x0b, 0x10, 0x13,  0x18,   0x1b,   0x20,
		0x23, 0x2b, 0x2f, 0x33, 0x38, 0x3b, 0x43, 0x4b,  0x53,   0x63,   0x7b,
		0x83, 0x8b, 0xe0, 0xe3, 0xeb, 0xf3, 0xfb, 0x103, 0x7fff, 0x10033};

	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++)
			poke_and_run(regs[i].name, regs[i].offset, values[k]);
}

static const unsigned long odd_addrs[] = {0,
					  SPARE_AT,
					  0x7fffffffefff,
					  0x7ffffffff000,
					  0x7fffffffffff,
					  0x800000000000,
					  0x8000000000000000,
					  0xffff800000000000,
					  0xffffffffff600000};

/* MXCSR bits that do not exist must be refused by the kernel: its own FXRSTOR would fault. */
static void poke_mxcsr(void)
{
	for (unsigned bit = 0; bit < 32; bit++) {
		struct user_fpregs_struct fp;
		pid_t pid = tracee_start();
		char text[24];
		long rc;

		memset(&fp, 0, sizeof(fp));
		tracee_call(PTRACE_GETFPREGS, pid, 0, &fp);
		fp.mxcsr ^= 1u << bit;
		rc = tracee_call(PTRACE_SETFPREGS, pid, 0, &fp);
		tracee_call(PTRACE_GETFPREGS, pid, 0, &fp);
		out("mxcsr bit %u: %s, reads %x mask %x", bit, rc_text(rc, text), fp.mxcsr,
		    fp.mxcr_mask);
		tracee_end(pid);
	}
}

/* PTRACE_SETREGS stops at the first register that it refuses: which ones did it take before? */
static void set_all(const char *name, size_t offset, unsigned long value)
{
	struct user_regs_struct regs;
	pid_t pid = tracee_start();
	char text[160], rc_name[24];
	long rc;

	tracee_aim(pid);
	tracee_registers(pid, &regs);
	memcpy((uint8_t *)&regs + offset, &value, sizeof(value));
	regs.r15 = regs.rdx = 0x77;
	rc = tracee_call(PTRACE_SETREGS, pid, 0, &regs);
	tracee_registers(pid, &regs);
	tracee_go(pid, PTRACE_CONT, text);
	out("setregs %s=%lx: %s r15=%llx dx=%llx, runs: %s", name, value, rc_text(rc, rc_name),
	    regs.r15, regs.rdx, text);
	tracee_end(pid);
}

static void set_regs(void)
{
	static const unsigned long selectors[] = {0, 0x10, 0x13, 0x1b, 0x33, 0x23, 0x10033};

	for (size_t i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++) {
		set_all("cs", offsetof(struct user_regs_struct, cs), selectors[i]);
		set_all("ss", offsetof(struct user_regs_struct, ss), selectors[i]);
		set_all("ds", offsetof(struct user_regs_struct, ds), selectors[i]);
	}
	for (size_t i = 0; i < sizeof(odd_addrs) / sizeof(odd_addrs[0]); i++) {
		set_all("rip", offsetof(struct user_regs_struct, rip), odd_addrs[i]);
		set_all("rsp", offsetof(struct user_regs_struct, rsp), odd_addrs[i]);
	}
	set_all("flags", offsetof(struct user_regs_struct, eflags), ~0ul);
	set_all("flags", offsetof(struct user_regs_struct, eflags), 0);
}

void subject_ptregs(void)
{
	code_hex("90 9c 58 0f 05");
	poke_selectors();
	set_regs();
	poke_mxcsr();
	for (unsigned bit = 0; bit < 64; bit++)
		poke_and_run("flags", offsetof(struct user_regs_struct, eflags),
			     (FL_IF | 2) ^ (1ul << bit));
	for (size_t i = 0; i < sizeof(odd_addrs) / sizeof(odd_addrs[0]); i++) {
		poke_and_run("rip", offsetof(struct user_regs_struct, rip), odd_addrs[i]);
		poke_and_run("rsp", offsetof(struct user_regs_struct, rsp), odd_addrs[i]);
		poke_and_run("fs_base", offsetof(struct user_regs_struct, fs_base), odd_addrs[i]);
		poke_and_run("gs_base", offsetof(struct user_regs_struct, gs_base), odd_addrs[i]);
	}
}

static void print_stop(pid_t pid, const char *what, const char *stop)
{
	struct user_regs_struct r;

	tracee_registers(pid, &r);
	out("%s: %s ax=%llx orig=%lld cx=%llx r11=%llx di=%llx", what, stop, r.rax,
	    (long long)r.orig_rax, r.rcx, r.r11, r.rdi);
}

static void syscall_stops(const char *name, const char *hex, long request, long change_to)
{
	pid_t pid;
	char text[160];

	code_hex(hex);
	data_clear();
	pid = tracee_start();
	tracee_aim(pid);
	for (int i = 0; i < 8; i++) {
		int status = tracee_go(pid, request, text);

		if (status < 0 || !WIFSTOPPED(status)) {
			out("%s: %s", name, text);
			break;
		}
		print_stop(pid, name, text);
		if (!(WSTOPSIG(status) & 0x80))
			break;
		if (change_to && i == 0)
			tracee_call(PTRACE_POKEUSER, pid,
				    offsetof(struct user_regs_struct, orig_rax), (void *)change_to);
	}
	tracee_end(pid);
}

/* A syscall stop where the tracer changes what the return path checks: RIP, CS, flags, RCX. */
static void change_at_stop(const char *name, size_t offset, unsigned long value)
{
	pid_t pid;
	char text[160], rc_name[24];
	long rc;

	code_hex("b8 ff 0f 00 00 0f 05 90 cc");
	pid = tracee_start();
	tracee_aim(pid);
	tracee_go(pid, PTRACE_SYSCALL, text);
	tracee_go(pid, PTRACE_SYSCALL, text);
	rc = tracee_call(PTRACE_POKEUSER, pid, offset, (void *)value);
	tracee_go(pid, PTRACE_CONT, text);
	out("at exit %s=%lx: %s", name, value, rc_text(rc, rc_name));
	print_stop(pid, "then", text);
	tracee_end(pid);
}

void subject_ptsyscall(void)
{
	static const size_t rip = offsetof(struct user_regs_struct, rip);
	static const size_t cs = offsetof(struct user_regs_struct, cs);
	static const size_t ss = offsetof(struct user_regs_struct, ss);
	static const size_t flags = offsetof(struct user_regs_struct, eflags);
	static const size_t cx = offsetof(struct user_regs_struct, rcx);
	static const size_t r11 = offsetof(struct user_regs_struct, r11);

	syscall_stops("syscall", "b8 ff 0f 00 00 0f 05 b8 66 00 00 00 0f 05 cc", PTRACE_SYSCALL, 0);
	syscall_stops("changed", "b8 ff 0f 00 00 0f 05 cc", PTRACE_SYSCALL, SYS_getuid);
	syscall_stops("skipped", "b8 ff 0f 00 00 0f 05 cc", PTRACE_SYSCALL, -1);
	syscall_stops("sysemu", "b8 ff 0f 00 00 0f 05 cc", PTRACE_SYSEMU, 0);
	syscall_stops("int80", "b8 ff 0f 00 00 cd 80 b8 c7 00 00 00 cd 80 31 c0 cc", PTRACE_SYSCALL,
		      0);
	syscall_stops("exit", "b8 e7 00 00 00 bf 05 00 00 00 0f 05 cc", PTRACE_SYSCALL, 0);
	change_at_stop("rip", rip, CODE_AT + 8);
	change_at_stop("rip", rip, 0x800000000000);
	change_at_stop("rip", rip, 0x7ffffffff000);
	change_at_stop("rip", rip, 0xffff800000000000);
	change_at_stop("cs", cs, 0x23);
	change_at_stop("cs", cs, 0x13);
	change_at_stop("ss", ss, 0x23);
	change_at_stop("ss", ss, 0x1b);
	change_at_stop("rcx", cx, 0x1234);
	change_at_stop("r11", r11, 0x246);
	for (unsigned bit = 0; bit < 22; bit++)
		change_at_stop("flags", flags, (FL_IF | 2) ^ (1ul << bit));
}
