/* SPDX-License-Identifier: MIT */
/*
 * The frame allocator over Vellum's partition. All of Vellum's own memory
 * comes from there (I6), so that no frame a guest sees is ever Vellum's.
 */
#ifndef VELLUM_MEM_FRAMES_H
#define VELLUM_MEM_FRAMES_H

#include "lib/types.h"

/**
 * Take the partition [start, end), page aligned, not empty. Its first frames hold the allocator's
 * own bitmap; one bit a frame.
 */
void frames_init(struct range partition);

/** The partition, as given to frames_init(). */
struct range frames_partition(void);

/** One frame, zeroed; false when the partition is used up. The same with whatever is in it. */
bool frame_alloc(mfn_t *out);
bool frame_alloc_any(mfn_t *out);

/** `count` frames in a row, the first a multiple of `align`, not zeroed; false when there is no
 * such run. */
bool frame_alloc_aligned(u64 count, u64 align, mfn_t *out);
bool frame_alloc_run(u64 count, mfn_t *out);

/** Give a frame back. It must be allocated: giving it back twice is a bug and panics. */
void frame_free(mfn_t mfn);

/**
 * Debug builds: of the allocations that this CPU makes from now on, the one of this number, counted
 * from 1, fails as if the partition were used up. 0: none does any more.
 */
void frames_fail_at(u64 number);

/** Frames that are free. */
u64 frames_free_count(void);

#endif
