/* SPDX-License-Identifier: MIT */
/*
 * "Did you mean": how far two words are apart.
 */
#ifndef DOM_TOOLS_LIB_SPELL_H
#define DOM_TOOLS_LIB_SPELL_H

#include <stddef.h>

/** Farther apart than this is a guess. */
#define SPELL_NEAR 2

/** Levenshtein distance: slips of a finger between the two. Words above 32 bytes are far apart. */
size_t spell_distance(const char *a, const char *b);

#endif
