/* SPDX-License-Identifier: MIT */
/*
 * The portions of a domain's memory that are virtualized: a set of page frames,
 * as few ranges. What is in none of them has no p2m.
 */
#ifndef VELLUM_P2M_PORTIONS_H
#define VELLUM_P2M_PORTIONS_H

#include "lib/types.h"
#include "public/hypercall.h"

/** Page frames, ascending; no two of them overlap or touch, and none is empty. */
struct portions {
	u32 count;
	struct range at[VL_MAX_PORTIONS];
};

/** Page frames have numbers below this. */
#define PORTIONS_END ((u64)1 << 40)

/** None, or one of everything. */
void portions_set_none(struct portions *p);
void portions_set_all(struct portions *p);
bool portions_are_all(const struct portions *p);

/** Whether all of the frames, which are not none, are in a portion. */
bool portions_have(const struct portions *p, struct range frames);

/** The first portion that ends behind `frame`, from there on; empty: there is none. */
struct range portions_next(const struct portions *p, u64 frame);

/**
 * Add frames, or take them off; none is not given, nor one from PORTIONS_END on. Fails, with
 * nothing changed, with
 *  -VL_EEXIST: all of them are in already; -VL_ENOENT: none of them is in;
 *  -VL_ENOSPC: there would be too many portions.
 */
int portions_add(struct portions *p, struct range frames);
int portions_remove(struct portions *p, struct range frames);

/** The two largest ranges of `within`, bytes, that no portion has a page of. */
struct range_pair portions_outside(const struct portions *p, const struct range_pair *within);

#endif
