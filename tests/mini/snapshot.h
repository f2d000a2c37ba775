/* SPDX-License-Identifier: MIT */
/*
 * The CPU's system registers at one moment, to see whether something that
 * should leave them alone did.
 */
#ifndef MINI_SNAPSHOT_H
#define MINI_SNAPSHOT_H

#include "lib/types.h"

#define NR_SNAPSHOT 36

struct snapshot {
	u64 value[NR_SNAPSHOT];
};

/** Read them all. */
void snapshot_take(struct snapshot *s);

/** Name of the first register in which the two differ; NULL if none. */
const char *snapshot_difference(const struct snapshot *a, const struct snapshot *b);

/** Take the registers whose names begin with `name` over: a difference there is none. */
void snapshot_copy(struct snapshot *to, const struct snapshot *from, const char *name);

#endif
