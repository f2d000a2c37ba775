/* SPDX-License-Identifier: MIT */
/* The groups of rows; each measures and prints its own in a fixed order. */
#ifndef BENCH_GUEST_ROWS_H
#define BENCH_GUEST_ROWS_H

/** The 13 rows of the tests. */
void basic_rows(void);

/** Further rows of one thing each: context switches, shell, memory, timers. */
void micro_rows(void);

/** Rows of real work: HTTP, a compiler, an archive. Needs the bench's own RAM disk. */
void macro_rows(void);

/** Requests to the disk that the variable BENCH_DISK names. */
void io_rows(void);

#endif
