/* SPDX-License-Identifier: MIT */
/*
 * What tests of moved pages and failing transitions share: calls of debug
 * builds, with their answers checked.
 */
#ifndef MINI_TESTS_MOVING_H
#define MINI_TESTS_MOVING_H

#include "lib/types.h"
#include "public/hypercall.h"

/** What Vellum said last, by read_info() or what below calls it. */
extern struct vl_hv_info info;
extern struct vl_domain_counters counters;

void read_info(void);
bool is_debug_build(void);

/** Bytes. */
u64 partition_free(void);

/** Into virtualized mode with all layers, anew if it is on; and out. */
void go_in(void);
void go_out(void);

u64 pfn_of(const void *p);

/** Fill words at random, size in bytes; and a checksum of them. */
void fill_words(u64 *words, size_t size, u64 seed);
u64 sum_words(const u64 *words, size_t size);

/** Move a page away or home; the last two want it to be possible. */
s64 move(u64 pfn, bool away);
void move_away(u64 pfn);
void move_home(u64 pfn);

/** Let the steps of a transition each fail once: nothing has changed then; then it succeeds, with
 * 0. Returns how many there are. */
u64 fail_each(s64 (*transition)(u64), u64 argument);

#endif
