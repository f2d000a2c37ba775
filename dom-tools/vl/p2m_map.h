/* SPDX-License-Identifier: MIT */
/*
 * A p2m as a picture of characters, each of which stands for so many page frames.
 */
#ifndef DOM_TOOLS_VL_P2M_MAP_H
#define DOM_TOOLS_VL_P2M_MAP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "public/hypercall.h"

/** Ranges in ascending order; zeroed: none. */
struct p2m_map {
	struct vl_p2m_range *range;
	size_t count, room;
};

/** Add one behind the others, joined with the last if it goes on there. 0, or -ENOMEM. */
int p2m_map_add(struct p2m_map *m, const struct vl_p2m_range *r);

/** Draw them, with a line of explanation. Without any: nothing. */
void p2m_map_print(FILE *to, const struct p2m_map *m);

void p2m_map_free(struct p2m_map *m);

#endif
