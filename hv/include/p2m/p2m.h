/* SPDX-License-Identifier: MIT */
/*
 * The physical-to-machine map of one domain: a radix tree whose entries may be
 * large. The first guest's is made as the identity (M3 of the ledger) at a cost
 * that does not depend on the size of memory, because an empty entry means
 * identity there. A later domain's begins with nothing: it has the frames that
 * were given to it, which are the first guest's, whose p2m says to whom.
 */
#ifndef VELLUM_P2M_P2M_H
#define VELLUM_P2M_P2M_H

#include "lib/types.h"
#include "p2m/portions.h"

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
	bool own;     /* of a later domain: an empty entry is nothing */
	ma_t nothing; /* a frame that stands where there is nothing; `own`: no other p2m's */
	u64 tables;   /* pages in use */
	u64 frames;   /* page frames that have an entry with a frame; `own`: all that it has */
	u64 moved;    /* those of them whose machine frame has another number */
	u64 given;    /* page frames that a later domain has; never `own` */
	u64 foreign;  /* page frames of other domains that are mapped here; in none of the above */
	u64 foreign_read_only;    /* those of them that may not be written to */
	u64 shared;               /* of `frames`, those that have them with others: p2m_share() */
	struct portions portions; /* where it has entries, or could; `own`: everywhere */
	u64 root[P2M_ROOT_ENTRIES];
};

/** Who has a page frame of the first guest's. */
struct p2m_owner {
	u32 domid;
	u64 pfn; /* there */
};

/** What p2m_lookup() and p2m_run() say where there is nothing. */
#define P2M_NOTHING ((u64)1 << 52)

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

/** Make an identity p2m, of everything. Needs no memory. */
void p2m_init(struct p2m *p, const struct p2m_memory *memory);

/** Make one of a later domain, without any frame: where it has none, it finds `nothing`. */
void p2m_init_own(struct p2m *p, const struct p2m_memory *memory, ma_t nothing);

/** Give all tables back. It is what it was made as then. */
void p2m_destroy(struct p2m *p);

/** The same for up to so many tables. True: that were all; false: it is no p2m any more, call
 * again. */
bool p2m_destroy_some(struct p2m *p, u64 tables);

/**
 * Map the block of 2^shift bytes (shift 12, 21 or 30) that starts at `pfn` to the machine frames
 * from `mfn` on. Both are multiples of the block's size. What a larger entry maps beside the block
 * stays mapped so. Tables that are not needed any more are given back. The caller flushes the
 * shadow. Fails, with nothing changed, with
 *  -VL_EINVAL: misaligned, beyond P2M_PFN_BITS, another shift, or `pfn` is in the partition;
 *  -VL_EOPNOTSUPP: some of it is in no portion;
 *  -VL_ENOMEM: no page for a table.
 * Machine frames of the partition are the caller's to give: it has taken them out of the allocator.
 */
int p2m_set(struct p2m *p, pfn_t pfn, mfn_t mfn, u32 shift);

/**
 * The first guest gives a page away: it finds nothing there. It must be at home. Fails, with
 * nothing changed, with -VL_ENOMEM (no page for a table) or -VL_EOPNOTSUPP. The caller flushes the
 * shadow.
 */
int p2m_give(struct p2m *p, pfn_t pfn, struct p2m_owner to);

/** The owner of a page that was given away is another one, or it is another one of its pages. */
void p2m_give_again(struct p2m *p, pfn_t pfn, struct p2m_owner to);

/** Whether a page was given away, and to whom. */
bool p2m_is_given(const struct p2m *p, pfn_t pfn, struct p2m_owner *to);

/**
 * Another domain's frame is found at `pfn`, where there is no RAM, for reading or for both. As
 * p2m_set(); what was there before comes back by p2m_clear().
 */
int p2m_map_foreign(struct p2m *p, pfn_t pfn, mfn_t mfn, bool read_only);

/** Whether such a one is there; and that for reading alone. */
bool p2m_is_foreign(const struct p2m *p, pfn_t pfn);
bool p2m_is_read_only(const struct p2m *p, pfn_t pfn);

/**
 * A later domain's page, whose entry is of 4 KiB, is one of several that have this frame: it is not
 * to be written to. p2m_set() gives it one of its own again, also without fail.
 */
void p2m_share(struct p2m *p, pfn_t pfn, mfn_t mfn);
bool p2m_is_shared(const struct p2m *p, pfn_t pfn);

/** Empty the entry of one page frame, which is not part of a larger one: it is at home, or of a
 * later domain gone. Needs no memory. */
void p2m_clear(struct p2m *p, pfn_t pfn);

/** See struct shadow_p2m; `context` is a struct p2m. */
ma_t p2m_translate(void *context, pa_t pa, u32 *shift);

/** The same without a p2m, for a domain whose memory is not virtualized: its own frames. */
ma_t p2m_translate_unmapped(void *context, pa_t pa, u32 *shift);

/** Whether this page is in the partition, where no p2m has an entry. */
bool p2m_is_partition(pa_t pa);

/** Whether this frame is one that stands for nothing. */
bool p2m_is_nothing(const struct p2m *p, ma_t ma);

/** The machine frame of one page frame; P2M_NOTHING: it has none. The partition's count as
 * identity. */
mfn_t p2m_lookup(const struct p2m *p, pfn_t pfn);

/**
 * The longest run of page frames from `pfn` on, ending before `end`, with one distance to their
 * machine frames, or without any (`mfn` is P2M_NOTHING). Looks at no more than *steps entries and
 * counts them off: a run may end early there. The partition's frames count as identity. `pfn` <
 * `end` <= 2^P2M_PFN_BITS, *steps > 0.
 */
struct p2m_range p2m_run(const struct p2m *p, u64 pfn, u64 end, u32 *steps);

/**
 * Find the first page frame at or above *pfn that is not at home (pfn == mfn), of a later domain
 * the first that it has. False: none. Costs a step for each entry of each table there is, nothing
 * for what has none. The second finds those that were given away, which the first does not.
 */
bool p2m_next_moved(const struct p2m *p, u64 *pfn);
bool p2m_next_given(const struct p2m *p, u64 *pfn);

/** A page and where it is. */
struct p2m_page {
	u64 pfn, mfn;
};

/** Where p2m_list_away() ends. */
#define P2M_END (~(u64)0)

/**
 * List the pages from *pfn on that have a frame of their own with another number, upwards, `most`
 * of them; returns how many. *pfn is where to go on: P2M_END if there are no more, another one if
 * the list is full or *steps entries were looked at, which may be a few more. Costs a step for each
 * entry of tables that have such a page, nothing for others.
 */
u32 p2m_list_away(const struct p2m *p, u64 *pfn, u32 *steps, struct p2m_page *list, u32 most);

/** How many page frames in a row from `pfn` on were given away; or fewer, but one if that one was.
 */
u64 p2m_given_row(const struct p2m *p, pfn_t pfn);

/** Tables that the last of a row of accesses went through. Zeroed: none. Good as long as nobody
 * else changes the p2m. */
struct p2m_near {
	u64 *leaf, *middle;
	u64 leaf_tag, middle_tag;
};

/** p2m_lookup() for many that are near each other. */
mfn_t p2m_lookup_near(const struct p2m *p, struct p2m_near *near, pfn_t pfn);

/** p2m_set() for one page that has a frame of its own: in a fraction of the time, and if it has an
 * entry of 4 KiB in an `own` p2m, without fail. */
int p2m_repoint(struct p2m *p, struct p2m_near *near, pfn_t pfn, mfn_t mfn);

#endif
