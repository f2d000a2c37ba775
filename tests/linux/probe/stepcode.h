/* SPDX-License-Identifier: MIT */
/*
 * The code that single stepping walks through, by the trap flag and by ptrace alike: one piece for
 * each way in which a step can go wrong under a hypervisor (kernel entries, flags on the stack,
 * stack segment shadows, string instructions, returns, mode changes, faults).
 */
#ifndef STEPCODE_H
#define STEPCODE_H

#include <stddef.h>

struct step_piece {
	const char *name;
	const char *hex;
	int needs_far_stack; /* uses lret or iret: see far_stack_unsafe() */
};

/* Pieces; each runs from CODE_AT and ends in the int3 behind it. */
extern const struct step_piece step_pieces[];
extern const size_t step_piece_count;

#endif
