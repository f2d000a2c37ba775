/* SPDX-License-Identifier: MIT */
/*
 * How a row of the benchmark is measured: the time stamp counter is read around each repetition,
 * after a warm-up. Under QEMU's -icount one tick is one instruction, so two runs of the same kernel
 * can be compared to a few instructions. Least and median are printed, because a timer interrupt
 * may fall into any repetition.
 *
 * Output, one line a row:  bench NAME min N median N reps N
 * and, in a virtualized guest that was asked to count, what Vellum did in these repetitions:
 *                          counters NAME reps N KEY=N ...
 */
#ifndef BENCH_GUEST_MEASURE_H
#define BENCH_GUEST_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#define PAGE     4096
#define MAX_REPS 400
#define WARM_UP  20

/** One repetition; `arg` is the row's own state. */
typedef void unit_fn(void *arg);

/** One repetition that says itself how long what it measures took, in its row's own unit. */
typedef uint64_t timed_fn(void *arg);

/** End the program with errno's sentence: a row that cannot be measured is an error. */
void die(const char *what) __attribute__((noreturn));

/** Is the row to be measured? For those whose preparation is long; measure() asks by itself. */
int wanted(const char *name);

/** Measure and print a row: WARM_UP repetitions, then `reps` (at most MAX_REPS). */
void measure(const char *name, unit_fn *unit, void *arg, int reps);

/** The same with a warm-up of its own length, for rows of many milliseconds. */
void measure_long(const char *name, unit_fn *unit, void *arg, int warm_up, int reps);

/** The same for a unit that returns its time. */
void measure_timed(const char *name, timed_fn *unit, void *arg, int reps);

/** From now on print what Vellum's counters say of each row, where there is a Vellum to ask. */
void measure_counters(void);

/** Anonymous memory without huge pages, not touched yet. */
char *fresh_area(size_t pages);

/** Run a program to its end with its output thrown away; anything but success ends the benchmark.
 */
void run_program(const char *path, char *const argv[]);

#endif
