/* SPDX-License-Identifier: MIT */
/*
 * The physical-to-machine map of one domain: a radix tree whose entries may be
 * large. It is made as the identity (M3 of the ledger) at a cost that does not
 * depend on the size of memory, because an empty entry means identity.
 */
#ifndef VELLUM_P2M_P2M_H
#define VELLUM_P2M_P2M_H

#include "lib/types.h"

/** The root's entries; each covers 2^48 bytes, all together what x86-64 can address. */
#define P2M_ROOT_ENTRIES 16

/** Frame numbers have this many bits. */
#define P2M_PFN_BITS 40

/** Where tables come from; the tests have another allocator than the hypervisor. */
struct p2m_memory {
	/* One zeroed page, page aligned; NULL when there is none. */
	void *(*alloc)(void *context);
	void (*free)(void *context, void *page);
	void *context;
};

struct p2m {
	const struct p2m_memory *memory;
	u64 tables; /* pages in use */
	u64 moved;  /* page frames whose machine frame has another number */
	u64 root[P2M_ROOT_ENTRIES];
};

/** Page frames [pfn, pfn + count) are machine frames from mfn on. */
struct p2m_range {
	u64 pfn;
	u64 mfn;
	u64 count;
};

/**
 * Once at boot: no p2m gives out `partition` by identity, and at its addresses a guest finds
 * `nothing`, a frame of ones.
 */
void p2m_set_machine(struct range partition, ma_t nothing);

/** Make an identity p2m. Needs no memory. */
void p2m_init(struct p2m *p, const struct p2m_memory *memory);

/** Give all tables back. It is the identity then. */
void p2m_destroy(struct p2m *p);

/**
 * Map the block of 2^shift bytes (shift 12, 21 or 30) that starts at `pfn` to the machine frames
 * from `mfn` on. Both are multiples of the block's size. What a larger entry maps beside the block
 * stays mapped so. The caller flushes the shadow. Fails, with nothing changed, with
 *  -VL_EINVAL: misaligned, beyond P2M_PFN_BITS, another shift, or `pfn` is in the partition;
 *  -VL_ENOMEM: no page for a table.
 * Machine frames of the partition are the caller's to give: it has taken them out of the allocator.
 */
int p2m_set(struct p2m *p, pfn_t pfn, mfn_t mfn, u32 shift);

/** See struct shadow_p2m; `context` is a struct p2m. */
ma_t p2m_translate(void *context, pa_t pa, u32 *shift);

/** The same without a p2m, for a domain whose memory is not virtualized: its own frames. */
ma_t p2m_translate_unmapped(void *context, pa_t pa, u32 *shift);

/** The machine frame of one page frame. */
mfn_t p2m_lookup(const struct p2m *p, pfn_t pfn);

/**
 * The longest run of page frames from `pfn` on, ending before `end`, with one distance to their
 * machine frames. Looks at no more than *steps entries and counts them off: a run may end early
 * there. The partition's frames count as identity. `pfn` < `end` <= 2^P2M_PFN_BITS, *steps > 0.
 */
struct p2m_range p2m_run(const struct p2m *p, u64 pfn, u64 end, u32 *steps);

/**
 * Find the first page frame at or above *pfn that is not at home (pfn == mfn). False: none. Costs
 * a step for each entry of each table there is, nothing for what has none.
 */
bool p2m_next_moved(const struct p2m *p, u64 *pfn);

#endif
