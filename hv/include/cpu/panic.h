/* SPDX-License-Identifier: MIT */
/*
 * The panic screen, see lib/panic.h for when.
 */
#ifndef VELLUM_CPU_PANIC_H
#define VELLUM_CPU_PANIC_H

#include "cpu/trap.h"
#include "lib/log.h"
#include "lib/panic.h"

/** Which sinks a panic writes to, also when a guest owns the hardware; NULL for none. */
void panic_set_sinks(const struct log_sink *first, const struct log_sink *second);

/** Echo the log to those sinks from now on: a guest that cannot go on is reported there too. */
void panic_open_console(void);

/** As panic(), with the registers of `frame`, the exception that was too much. */
void panic_frame(const struct trap_frame *frame, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

#endif
