/* SPDX-License-Identifier: MIT */
/*
 * A guest that looks at its memory without an end: a page of code
 * (remapped_code.S), which gives each word of its other pages a value that only
 * this word has, and a new one each round. So a page that is lost, stale or in
 * another's place crashes it.
 */
#ifndef MINI_TESTS_REMAPPED_H
#define MINI_TESTS_REMAPPED_H

/* Its pages, from its first address on. */
#define REMAPPED_CODE  0
#define REMAPPED_GDT   1
#define REMAPPED_STACK 2
#define REMAPPED_ROOT  3
#define REMAPPED_PDPT  4
#define REMAPPED_PD    5
#define REMAPPED_WORDS 6 /* from here on */

#define REMAPPED_STEP 64 /* bytes from one word that it looks at to the next */

#endif
