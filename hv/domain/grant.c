// SPDX-License-Identifier: MIT
/*
 * Offers and what is mapped of them, a page each of a domain's, made when it is
 * needed first. Owns invariant M14: a frame that a domain has mapped of another
 * is one that this has and offered to it, as long as it is mapped.
 */
#include "domain/grant.h"

#include "domain/share.h"
#include "lib/panic.h"
#include "public/errno.h"

struct grant {
	u64 pfn;
	u32 to;
	bool used, read_only;
	u32 maps; /* times that it is mapped */
};

struct grant_table {
	struct grant grant[VL_MAX_GRANTS];
};
_Static_assert(sizeof(struct grant_table) <= PAGE_SIZE, "a page");

struct mapped {
	u64 pfn;
	u32 owner, ref;
	bool used;
};

struct map_table {
	struct mapped map[VL_MAX_GRANTS];
};
_Static_assert(sizeof(struct map_table) <= PAGE_SIZE, "a page");

/* Tables are pages like those of the p2m. */
static void *make_table(const struct domain *d)
{
	return d->p2m.memory->alloc(d->p2m.memory->context);
}

static void free_table(const struct domain *d, void *table)
{
	if (table != NULL)
		d->p2m.memory->free(d->p2m.memory->context, table);
}

/* One without an entry goes again: nobody keeps what he does not use. */
static void free_empty_tables(struct domain *d)
{
	bool grants = false, maps = false;

	for (u32 i = 0; d->grants != NULL && i < VL_MAX_GRANTS; i++)
		grants |= d->grants->grant[i].used;
	for (u32 i = 0; d->maps != NULL && i < VL_MAX_GRANTS; i++)
		maps |= d->maps->map[i].used;
	if (!grants) {
		free_table(d, d->grants);
		d->grants = NULL;
	}
	if (!maps) {
		free_table(d, d->maps);
		d->maps = NULL;
	}
}

static bool is_own_ram(const struct domain *d, u64 pfn)
{
	return pfn >> P2M_PFN_BITS == 0 &&
	       memmap_is_ram(&d->memory,
			     (struct range){pfn << PAGE_SHIFT, (pfn + 1) << PAGE_SHIFT});
}

static struct grant *find_grant(const struct domain *d, u64 ref)
{
	struct grant *g = d->grants != NULL && ref < VL_MAX_GRANTS ? &d->grants->grant[ref] : NULL;

	return g != NULL && g->used ? g : NULL;
}

static struct mapped *find_map(const struct domain *d, u64 pfn)
{
	for (u32 i = 0; d->maps != NULL && i < VL_MAX_GRANTS; i++)
		if (d->maps->map[i].used && d->maps->map[i].pfn == pfn)
			return &d->maps->map[i];
	return NULL;
}

static struct mapped *vacant_map(const struct domain *d)
{
	for (u32 i = 0; d->maps != NULL && i < VL_MAX_GRANTS; i++)
		if (!d->maps->map[i].used)
			return &d->maps->map[i];
	return NULL;
}

/* --- offering --- */

s64 grant_offer(struct domain *d, u32 to, u64 pfn, bool read_only)
{
	u32 ref = 0;

	if (!is_own_ram(d, pfn) || p2m_lookup(&d->p2m, (pfn_t){pfn}).v == P2M_NOTHING)
		return -VL_EFAULT;
	if (d->grants == NULL)
		d->grants = make_table(d);
	if (d->grants == NULL)
		return -VL_ENOMEM;
	while (ref < VL_MAX_GRANTS && d->grants->grant[ref].used)
		ref++;
	if (ref == VL_MAX_GRANTS)
		return -VL_ENOSPC;
	d->grants->grant[ref] =
		(struct grant){.pfn = pfn, .to = to, .used = true, .read_only = read_only};
	return ref;
}

s64 grant_revoke(struct domain *d, u64 ref)
{
	struct grant *g = find_grant(d, ref);

	if (g == NULL)
		return -VL_ENOENT;
	if (g->maps != 0)
		return -VL_EBUSY;
	*g = (struct grant){0};
	free_empty_tables(d);
	return 0;
}

bool grant_is_in_use(const struct domain *owner, u64 pfn)
{
	for (u32 i = 0; owner->grants != NULL && i < VL_MAX_GRANTS; i++)
		if (owner->grants->grant[i].maps != 0 && owner->grants->grant[i].pfn == pfn)
			return true;
	return false;
}

/* --- mapping --- */

s64 grant_can_map(const struct domain *d, const struct domain *owner, u64 ref, u64 pfn)
{
	const struct grant *g = find_grant(owner, ref);
	mfn_t mfn;

	if (g == NULL || g->to != d->domid)
		return -VL_ENOENT;
	if (pfn >> P2M_PFN_BITS != 0 || is_own_ram(d, pfn) ||
	    p2m_is_partition((pa_t){pfn << PAGE_SHIFT}))
		return -VL_EINVAL;
	mfn = p2m_lookup(&owner->p2m, (pfn_t){g->pfn});
	if (mfn.v == P2M_NOTHING)
		return -VL_EFAULT;
	if (!owner->p2m.own && mfn.v != g->pfn)
		return -VL_EBUSY;
	if (p2m_is_foreign(&d->p2m, (pfn_t){pfn}))
		return -VL_EEXIST;
	return d->maps != NULL && vacant_map(d) == NULL ? -VL_ENOSPC : 0;
}

s64 grant_map(struct domain *d, struct domain *owner, u64 ref, u64 pfn)
{
	struct grant *g = find_grant(owner, ref);
	s64 err;

	if (d->maps == NULL)
		d->maps = make_table(d);
	if (d->maps == NULL)
		return -VL_ENOMEM;
	share_break(owner, g->pfn); /* from here on it is pinned */
	err = p2m_map_foreign(&d->p2m, (pfn_t){pfn}, p2m_lookup(&owner->p2m, (pfn_t){g->pfn}),
			      g->read_only);
	if (err < 0) {
		free_empty_tables(d);
		return err;
	}
	g->maps++;
	*vacant_map(d) =
		(struct mapped){.pfn = pfn, .owner = owner->domid, .ref = (u32)ref, .used = true};
	return 0;
}

bool grant_is_mapped(const struct domain *d, u64 pfn)
{
	return find_map(d, pfn) != NULL;
}

static void unmap(struct domain *d, struct mapped *m)
{
	const struct domain *owner = domain_find(m->owner, NULL);
	struct grant *g = owner != NULL ? find_grant(owner, m->ref) : NULL;

	assert(g != NULL && g->maps > 0);
	g->maps--;
	p2m_clear(&d->p2m, (pfn_t){m->pfn});
	*m = (struct mapped){0};
}

void grant_unmap(struct domain *d, u64 pfn)
{
	unmap(d, find_map(d, pfn));
	free_empty_tables(d);
}

/* --- the end --- */

bool grant_uses(const struct domain *d, u32 owner)
{
	for (u32 i = 0; d->maps != NULL && i < VL_MAX_GRANTS; i++)
		if (d->maps->map[i].used && d->maps->map[i].owner == owner)
			return true;
	return false;
}

static void unmap_all_of(struct domain *d, u32 owner, bool of_anybody)
{
	for (u32 i = 0; d->maps != NULL && i < VL_MAX_GRANTS; i++)
		if (d->maps->map[i].used && (of_anybody || d->maps->map[i].owner == owner))
			unmap(d, &d->maps->map[i]);
}

/* Its id may be another's some time. */
static void forget_offers_to(struct domain *d, u32 to)
{
	for (u32 i = 0; d->grants != NULL && i < VL_MAX_GRANTS; i++)
		if (d->grants->grant[i].used && d->grants->grant[i].to == to)
			d->grants->grant[i] = (struct grant){0};
}

static void forget_offers(struct domain *d)
{
	for (u32 i = 0; d->grants != NULL && i < VL_MAX_GRANTS; i++) {
		assert(d->grants->grant[i].maps == 0);
		d->grants->grant[i] = (struct grant){0};
	}
}

void grant_end(struct domain *d)
{
	unmap_all_of(d, 0, true);
	for (struct domain *other = domain_next(0); other != NULL;
	     other = domain_next(other->domid + 1)) {
		unmap_all_of(other, d->domid, false);
		forget_offers_to(other, d->domid);
		free_empty_tables(other);
	}
	forget_offers(d);
	free_empty_tables(d);
}
