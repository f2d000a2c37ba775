/* SPDX-License-Identifier: MIT */
/*
 * The devices of the layer of I/O, and the layer coming and going under them.
 */
#ifndef MINI_TESTS_IO_H
#define MINI_TESTS_IO_H

#include "mini/cpu.h"
#include "public/hypercall.h"

#define PIT_HZ      1193182u
#define PIT_COUNTER 0x40 /* of counter 0 */
#define PIT_CONTROL 0x43
#define PIT_GATE    0x61

/* The first serial port: its registers, from its first port on. */
#define UART    0x3f8
#define IER     1
#define IIR     2
#define FCR     2
#define LCR     3
#define MCR     4
#define LSR     5
#define MSR     6
#define SCRATCH 7

#define LCR_DIVISOR 0x80
#define MCR_LOOP    0x10

/** All layers but this one, which comes and goes above them. */
void io_begin(void);
void io_end(void);

/** Put it on or take it off. */
void io_set(bool on);

/** Whether it is on. */
bool io_is_on(void);

/** domain_counters. */
const struct vl_domain_counters *io_counters(void);

/** The bytes of a PIT counter with both, latched. */
u16 io_pit_count(u32 counter);

/** Counter 2 as a clock that nothing disturbs: start it; ticks since, to be asked every 50 ms. */
void io_clock_start(void);
u64 io_clock(void);

#endif
