/* SPDX-License-Identifier: MIT */
/*
 * Verifiers of a placement that share no code with the planner: one by
 * following where each file is after each move (any size of machine), one by
 * doing the moves on a model of memory (small machines).
 */
#ifndef VELLUM_TESTS_UNIT_MOVES_H
#define VELLUM_TESTS_UNIT_MOVES_H

#include "domain/placement.h"

/** The model of memory: bytes [MODEL_START, MODEL_END), in units of MODEL_UNIT. */
#define MODEL_START 0xf0000u
#define MODEL_UNIT  512u
#define MODEL_UNITS 1024u
#define MODEL_END   (MODEL_START + MODEL_UNITS * MODEL_UNIT)

/** NULL if the answer keeps every promise of placement.h, else which one it breaks. */
const char *moves_check(const struct placement_request *req, const struct placement *p);

/** The same, by moving the contents of a model. All ranges are multiples of MODEL_UNIT inside it.
 */
const char *moves_simulate(const struct placement_request *req, const struct placement *p);

#endif
