/* SPDX-License-Identifier: MIT */
/*
 * The log: a ring of text that `vl dmesg` reads, echoed to the machine's
 * console as long as Vellum owns that.
 */
#ifndef VELLUM_LIB_LOG_H
#define VELLUM_LIB_LOG_H

#include "lib/types.h"

#define LOG_SIZE (32 * KIB) /* a power of two; the newest text is kept */

/** A place that shows characters; `put` must not call the log. */
struct log_sink {
	void (*put)(char c);
};

/** Up to two sinks; NULL ends the echo to them (a guest owns the hardware now). */
void log_set_sinks(const struct log_sink *first, const struct log_sink *second);

/** This CPU is about to end the machine: from now on nobody waits for another's text. */
void log_without_lock(void);

/** Append text: vl_snprintf's conversions. A line is cut at 255 bytes. */
void log_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** Position after the newest byte, counted from boot. */
u64 log_end(void);

/** Position of the oldest byte that is still kept. */
u64 log_start(void);

/**
 * Copy text from position *pos on (moved up to log_start() if it is gone), at most `size` bytes.
 * Returns the bytes copied; *pos is the position of the first. *pos must not be beyond log_end().
 */
size_t log_read(u64 *pos, char *buf, size_t size);

#endif
