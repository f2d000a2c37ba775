/* SPDX-License-Identifier: MIT */
/*
 * What is in machine frames, for sharing (domain/share.h): apart, so that tests
 * of that have contents of their own.
 */
#ifndef VELLUM_DOMAIN_CONTENTS_H
#define VELLUM_DOMAIN_CONTENTS_H

#include "lib/types.h"

void contents_copy(mfn_t to, mfn_t from);
bool contents_equal(mfn_t a, mfn_t b);

/** Whether they are zeros; else a number that is the same for the same contents. */
bool contents_zero(mfn_t mfn, u64 *hash);

#endif
