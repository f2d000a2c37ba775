/* SPDX-License-Identifier: MIT */
/*
 * A small machine for the remapper, and a naive model of it: who uses which
 * frame is an array, what is in a frame is a number. The unit tests and the
 * fuzzer share it.
 */
#ifndef VELLUM_TESTS_UNIT_REMAP_WORLD_H
#define VELLUM_TESTS_UNIT_REMAP_WORLD_H

#include "p2m/remap.h"

#define WORLD_SPACES 3u
#define WORLD_PAGES  24u /* of a domain at most; also frames that are places */
#define WORLD_FRAMES 32u
#define WORLD_SPARES 40u
#define WORLD_NONE   ((u8)0xff)

/** What to do. All but `frame` are small numbers. */
struct world_case {
	u32 nr_spaces, of;
	u32 pages; /* page numbers [0, pages) exist in each domain */
	u8 frame[WORLD_SPACES][WORLD_PAGES];
	u32 stride;    /* distance of frames: how many tables there are */
	bool identity; /* `of` is the first guest: its p2m is not `own`. One space, and its pages
			  are away in frames that are no places */
	enum remap_mode mode;
	u32 spares;      /* that can be had */
	u32 slice;       /* pages a step */
	u32 abort_after; /* steps; 0: never */
	u32 fail_at;     /* allocation of memory that fails, from 1; 0: none */
	u32 taken;       /* bit by frame: somebody unknown is there */
};

struct world_result {
	s64 answer; /* 0: at home; of the step that failed; 1: aborted */
	struct remap_counts counts;
	u64 hash; /* of all that was done, in order */
	u32 steps;
	u32 most_spares; /* in use at a time */
	u32 spares_left; /* in use at the end */
	u64 memory;      /* pages that owners had at most */
};

/** Do it with one kind of owners. NULL, or what was wrong. */
const char *world_run(const struct world_case *c, enum owners_kind kind, struct world_result *r);

/** With each kind, which must do the same. `r` is of the last. Memory does not fail. */
const char *world_run_all(const struct world_case *c, struct world_result *r);

/** By the naive way, of one domain: how many pages are away, in how many cycles, of how many pages
 * all together. */
struct world_shape {
	u64 away, cycles, in_cycles;
};
struct world_shape world_shape(const struct world_case *c);

#endif
