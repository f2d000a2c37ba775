/* SPDX-License-Identifier: MIT */
/*
 * Ring 3: run user code until it traps. A test sets registers, calls, and
 * looks at how it ended. There are no processes.
 */
#ifndef MINI_USER_H
#define MINI_USER_H

#include "lib/types.h"
#include "mini/traps.h"

/** How user_run() gets to ring 3. SYSRET takes RIP and RFLAGS only, from RCX and R11. */
enum user_way { USER_IRET, USER_SYSRET };

/** Program the SYSCALL registers. */
void user_init(void);

/** Registers for a start at `rip` with stack `rsp`: interrupts on, all others zero. */
struct trap_frame user_frame(va_t rip, va_t rsp);

/**
 * Run at ring 3 in the current space from *regs on, until it raises an exception, calls gate
 * VECTOR_GATE or does SYSCALL (vector VECTOR_SYSCALL). *regs are then its registers, with
 * vector and error code; the answer repeats them with CR2. Interrupts are handled meanwhile and
 * do not end it. Not to be called from a handler. Interrupts are off on return.
 */
struct trap_info user_run(struct trap_frame *regs, enum user_way way);

/** From trap_dispatch(): end the running user_run(). */
void user_leave(const struct trap_frame *frame, const struct trap_info *info)
	__attribute__((noreturn));

#endif
