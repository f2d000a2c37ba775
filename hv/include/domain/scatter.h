/* SPDX-License-Identifier: MIT */
/*
 * Putting a domain's pages anywhere, for tests of remapping. Debug builds.
 */
#ifndef VELLUM_DOMAIN_SCATTER_H
#define VELLUM_DOMAIN_SCATTER_H

#include "domain/domain.h"

/**
 * Permute so many of a hundred pages of a later domain at random, then move `beside` pages to
 * frames of the partition. What is in them goes with them. The vcpus of all domains stand still, as
 * for owner_give(). Returns how many pages are away from home then; -VL_ENOMEM: the partition had
 * not enough frames, fewer are beside.
 */
s64 domain_scatter(struct domain *d, u64 seed, u64 percent, u64 beside);

#endif
