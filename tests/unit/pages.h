/* SPDX-License-Identifier: MIT */
/*
 * An allocator of pages that counts: for what takes its tables by struct
 * p2m_memory, with as much memory as a test wants it to find.
 */
#ifndef VELLUM_TESTS_UNIT_PAGES_H
#define VELLUM_TESTS_UNIT_PAGES_H

#include "p2m/p2m.h"

extern const struct p2m_memory pages;

/** How many it would still give; how many are out. */
extern u64 pages_left, pages_used;

/** From here on: so many, and none is out. */
void pages_begin(u64 left);

#endif
