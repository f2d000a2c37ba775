// SPDX-License-Identifier: MIT
/*
 * Steering of a traced child. Owns the rule that no process id gets into a line: stops are told by
 * signal, siginfo code and registers only.
 */
#include "probe.h"
#include "tracee.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

long tracee_call(long request, pid_t pid, unsigned long addr, void *data)
{
	return RAW4(SYS_ptrace, request, pid, addr, data);
}

pid_t tracee_start(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		alarm(20);
		tracee_call(PTRACE_TRACEME, 0, 0, NULL);
		RAW3(SYS_tgkill, RAW0(SYS_getpid), RAW0(SYS_gettid), SIGSTOP);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	tracee_call(PTRACE_SETOPTIONS, pid, 0, (void *)(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD));
	return pid;
}

void tracee_registers(pid_t pid, struct user_regs_struct *regs)
{
	memset(regs, 0, sizeof(*regs));
	tracee_call(PTRACE_GETREGS, pid, 0, regs);
}

long tracee_aim(pid_t pid)
{
	struct user_regs_struct regs;

	tracee_registers(pid, &regs);
	regs.rip = CODE_AT;
	regs.rsp = regs.rbp = STACK_TOP;
	regs.rax = regs.rcx = regs.rdx = 0;
	regs.rbx = regs.rsi = DATA_AT;
	regs.rdi = DATA_AT + 0x800;
	regs.r8 = regs.r9 = regs.r10 = regs.r11 = regs.r12 = regs.r13 = regs.r14 = regs.r15 = 0;
	regs.eflags = FL_IF | 2;
	regs.orig_rax = (unsigned long long)-1;
	return tracee_call(PTRACE_SETREGS, pid, 0, &regs);
}

static void stop_text(pid_t pid, int status, char buf[160])
{
	struct user_regs_struct r;
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	tracee_call(PTRACE_GETSIGINFO, pid, 0, &info);
	tracee_registers(pid, &r);
	snprintf(buf, 160, "%s%s code=%d ip=%llx cs=%llx ss=%llx sp=%llx fl=%llx",
		 signal_text(WSTOPSIG(status) & 0x7f), WSTOPSIG(status) & 0x80 ? "+80" : "",
		 info.si_code > 0 ? info.si_code : 0, r.rip, r.cs, r.ss, r.rsp, r.eflags);
}

int tracee_go(pid_t pid, long request, char buf[160])
{
	int status = 0;
	long rc = tracee_call(request, pid, 0, NULL);
	char text[24];

	if (rc < 0) {
		snprintf(buf, 160, "ptrace %s", rc_text(rc, text));
		return -1;
	}
	waitpid(pid, &status, __WALL);
	if (WIFSTOPPED(status))
		stop_text(pid, status, buf);
	else if (WIFSIGNALED(status))
		snprintf(buf, 160, "died of %s", signal_text(WTERMSIG(status)));
	else
		snprintf(buf, 160, "exit %d", WEXITSTATUS(status));
	return status;
}

void tracee_end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status))
		;
}

long tracee_peek_dr(pid_t pid, unsigned n, unsigned long *value)
{
	*value = 0;
	return tracee_call(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg) + 8 * n, value);
}

long tracee_poke_dr(pid_t pid, unsigned n, unsigned long value)
{
	return tracee_call(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg) + 8 * n,
			   (void *)value);
}
