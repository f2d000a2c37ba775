// SPDX-License-Identifier: MIT
/*
 * Making the shadow wrong on purpose: shows that the audit of debug builds
 * (shadow/audit.h) can fail. Nothing else may ever do such a thing, so it does
 * not stand in hv/shadow/.
 */
#include "cpu/vcpu.h"
#include "lib/debug.h"
#include "mem/layout.h"
#include "mem/pagetable.h"
#include "public/errno.h"
#include "shadow/tables.h"
#include "hypercall_handlers.h"

/* The entry of 4 KiB for va in a root; NULL if there is none. */
static u64 *leaf_at(u64 *table, u64 va)
{
	for (u32 level = 4; level > 1; level--) {
		u64 entry = table[level_index(va, level)];

		if (!entry_is_table(entry, level))
			return NULL;
		table = table_below(entry);
	}
	table += level_index(va, 1);
	return *table & PTE_P ? table : NULL;
}

/* A page of the guest kernel's goes where its users find it. */
static s64 show_to_users(struct vcpu *v, u64 va)
{
	const struct paging_mode *mode = vcpu_paging_mode_smap(v, false);
	struct translation t;

	if (vcpu_translate(v, mode, va, 0, &t) != 0)
		return -VL_ENOENT;
	shadow_fill(&v->shadow, SHADOW_USER, mode, &v->p2m, va, &t);
	return 0;
}

static s64 spoil(struct vcpu *v, u64 va, u64 how)
{
	u64 *leaf;

	if (how > VL_SPOIL_USER)
		return -VL_EINVAL;
	if (!is_canonical(va) || is_own_va(va))
		return -VL_ENOENT;
	if (how == VL_SPOIL_USER)
		return show_to_users(v, va);
	leaf = leaf_at(direct(shadow_top(&v->shadow, vcpu_view(v))), va);
	if (leaf == NULL)
		return -VL_ENOENT;
	*leaf = how == VL_SPOIL_FRAME ? *leaf ^ PAGE_SIZE : *leaf | PTE_W;
	return 0;
}

s64 call_test_spoil_shadow(struct domain *d, u64 va, u64 how)
{
	(void)d;
	if (!is_debug_build())
		return -VL_EOPNOTSUPP;
	return current_vcpu() != NULL ? spoil(current_vcpu(), va, how) : -VL_EPERM;
}
