// SPDX-License-Identifier: MIT
/*
 * Runs a program one of whose requests to the kernel fails, to see what it makes of that:
 *
 *     failing N PROGRAM ARGUMENT...
 *
 * The Nth of its ioctl() calls, and of its write() calls to anything but its standard output and
 * error, is not made and answers EIO. The status is the program's; NOT_SO_MANY if it has fewer.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_SO_MANY 99

static void die(const char *what)
{
	perror(what);
	exit(98);
}

static int counts(const struct user_regs_struct *r)
{
	return r->orig_rax == SYS_ioctl || (r->orig_rax == SYS_write && r->rdi > 2);
}

/* At its next stop: 0 if it has ended, with its status. */
static int wait_for(pid_t child, int *status)
{
	if (waitpid(child, status, 0) != child)
		die("waitpid");
	return WIFSTOPPED(*status);
}

/* From one stop to the next; a signal is handed on, but that of execve(). */
static int go_on(pid_t child, int *status)
{
	int is_signal = !(WSTOPSIG(*status) & 0x80) && WSTOPSIG(*status) != SIGTRAP;

	if (ptrace(PTRACE_SYSCALL, child, NULL, is_signal ? (long)WSTOPSIG(*status) : 0) != 0)
		die("PTRACE_SYSCALL");
	return wait_for(child, status);
}

static int is_call(int status)
{
	return WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80);
}

static void set(pid_t child, struct user_regs_struct *r)
{
	if (ptrace(PTRACE_SETREGS, child, NULL, r) != 0)
		die("PTRACE_SETREGS");
}

/* At an entry: the call is none, and what it answers at its exit is an error. */
static void fail_call(pid_t child, struct user_regs_struct *r, int *status)
{
	r->orig_rax = (unsigned long long)-1;
	set(child, r);
	if (!go_on(child, status))
		return;
	r->rax = (unsigned long long)-EIO;
	set(child, r);
}

static int watch(pid_t child, long left)
{
	struct user_regs_struct r;
	int status = SIGSTOP << 8 | 0x7f, entry = 0;

	if (!wait_for(child, &status) ||
	    ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) != 0)
		die("not traced");
	status = 0x80 << 8 | 0x7f; /* nothing to hand on */
	while (go_on(child, &status)) {
		if (!is_call(status))
			continue;
		entry = !entry;
		if (!entry || left == 0)
			continue;
		if (ptrace(PTRACE_GETREGS, child, NULL, &r) != 0)
			die("PTRACE_GETREGS");
		if (counts(&r) && --left == 0) {
			fprintf(stderr, "failing: %s %#llx\n",
				r.orig_rax == SYS_ioctl ? "ioctl" : "write", r.rsi);
			fail_call(child, &r, &status);
			entry = 0;
		}
	}
	if (left != 0)
		return NOT_SO_MANY;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 97;
}

int main(int argc, char **argv)
{
	pid_t child;

	if (argc < 3) {
		fputs("usage: failing N PROGRAM ARGUMENT...\n", stderr);
		return 98;
	}
	child = fork();
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		execvp(argv[2], argv + 2);
		die(argv[2]);
	}
	return watch(child, atol(argv[1]));
}
