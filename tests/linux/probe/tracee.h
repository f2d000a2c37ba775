/* SPDX-License-Identifier: MIT */
/*
 * A stopped child that the ptrace subjects steer: it runs code at CODE_AT under its tracer's
 * control. The tracer writes code into its own copy before the fork.
 */
#ifndef TRACEE_H
#define TRACEE_H

#include <sys/types.h>
#include <sys/user.h>

/* Forks a child that stops itself; returns its pid. The child never returns from here. */
pid_t tracee_start(void);
/* Registers of s as far as ptrace knows them, selectors included. */
void tracee_registers(pid_t pid, struct user_regs_struct *regs);
/* Points a stopped tracee at CODE_AT with harmless registers; returns ptrace's result. */
long tracee_aim(pid_t pid);
/* Continues by request (PTRACE_CONT, ...) and waits; text of the stop into buf. */
int tracee_go(pid_t pid, long request, char buf[160]);
void tracee_end(pid_t pid);
/* Raw PEEKUSER of a debug register; errno as negative value. */
long tracee_peek_dr(pid_t pid, unsigned n, unsigned long *value);
long tracee_poke_dr(pid_t pid, unsigned n, unsigned long value);
/* ptrace by raw system call: 0 or negative errno. */
long tracee_call(long request, pid_t pid, unsigned long addr, void *data);

#endif
