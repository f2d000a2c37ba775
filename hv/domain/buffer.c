// SPDX-License-Identifier: MIT
/*
 * A domain's RAM, as Vellum reads and writes it. Owns invariant D1: what is
 * returned is the domain's own RAM, never Vellum's or another domain's.
 *
 * Walks of a later domain's tables and its devices come here several times an exit.
 */
#include "domain/domain.h"

#include "domain/share.h"
#include "mem/layout.h"
#include "p2m/p2m.h"

static __attribute__((noinline)) void *find_buffer(const struct domain *d, pa_t pa, u64 size)
{
	mfn_t mfn = {pa.v >> PAGE_SHIFT};

	if (!memmap_is_ram(&d->memory, (struct range){pa.v, pa.v + size}))
		return NULL;
	/* The caller may write. For the domain it is the same page as before. */
	if (d->p2m.shared != 0)
		share_break((struct domain *)(uintptr_t)d, mfn.v);
	if (d->layers & VL_LAYER_MEMORY)
		mfn = p2m_lookup(&d->p2m, pa_to_pfn(pa));
	if (mfn.v == P2M_NOTHING)
		return NULL;
	return (u8 *)direct(mfn_to_ma(mfn)) + pa.v % PAGE_SIZE;
}

/* What is plain saves no registers for the rest. */
void *domain_buffer(const struct domain *d, pa_t pa, u64 size)
{
	if (size == 0 || size > PAGE_SIZE || pa.v % PAGE_SIZE + size > PAGE_SIZE)
		return NULL;
	if (range_pair_has(&d->plain, pa.v))
		return direct((ma_t){pa.v});
	return find_buffer(d, pa, size);
}

void *domain_page(const struct domain *d, pfn_t pfn, struct domain_near *near)
{
	u64 pa = pfn.v << PAGE_SHIFT;
	mfn_t mfn;

	if (d->p2m.shared != 0 || !(d->layers & VL_LAYER_MEMORY))
		return domain_buffer(d, (pa_t){pa}, PAGE_SIZE);
	if (!range_contains(near->ram, (struct range){pa, pa + PAGE_SIZE})) {
		near->ram = memmap_ram_at(&d->memory, pa);
		if (!range_contains(near->ram, (struct range){pa, pa + PAGE_SIZE}))
			return NULL;
	}
	mfn = p2m_lookup_near(&d->p2m, &near->p2m, pfn);
	return mfn.v != P2M_NOTHING ? direct(mfn_to_ma(mfn)) : NULL;
}
