/* SPDX-License-Identifier: MIT */
/*
 * Physical frames: which of them are free, one bit each.
 */
#ifndef MINI_FRAMES_H
#define MINI_FRAMES_H

#include "lib/types.h"

#define LARGE_SIZE (2 * MIB)

/** Build the bitmap from the memory map. Free are all whole frames of RAM from 1 MiB up, without
 * the kernel image, the reserved range and the initrd. Panics if the RAM cannot hold the bitmap. */
void frames_init(void);

/** Take one frame, or 512 that are contiguous and aligned to 2 MiB. The lowest free ones, contents
 * undefined. Returns address 0 when there are none. */
pa_t frame_alloc(void);
pa_t frame_alloc_large(void);

/** Take `count` frames in a row that lie at or above `from` and end below `end`, contents
 * undefined; 0 when there are none. frame_free() gives each back. */
pa_t frame_alloc_row(u64 count, pa_t from, pa_t end);

/** Take one frame and fill it with zeros; 0 when there are none. */
pa_t frame_alloc_zeroed(void);

/** Give back what the functions above returned; panics on a frame that is free already. */
void frame_free(pa_t frame);
void frame_free_large(pa_t first);

/** How many 4 KiB frames are free. */
u64 frames_free(void);

/** The lowest free frame at or above `from`; 0 when there is none. It stays free: for tests that
 * look at all of them. */
pa_t frame_next_free(pa_t from);

#endif
