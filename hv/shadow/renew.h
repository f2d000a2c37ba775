/* SPDX-License-Identifier: MIT */
/*
 * What hv/shadow/shadow.c and renew.c share.
 */
#ifndef VELLUM_SHADOW_RENEW_H
#define VELLUM_SHADOW_RENEW_H

#include "mem/pagetable.h"
#include "shadow/shadow.h"

/** An entry for a table: it grants everything. */
#define UPPER (PTE_P | PTE_W | PTE_U | PTE_A)

/** Give a new root Vellum's own slots. */
void shadow_add_own_slots(const struct shadow *s, ma_t root);

/** shadow_bury(), counting down. */
bool shadow_bury_within(struct shadow *s, u64 *budget);

#endif
