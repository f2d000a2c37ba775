/* SPDX-License-Identifier: MIT */
/*
 * Which pages use a machine frame, found in one of three ways with the same
 * answers (M15 to M17 of the ledger): by a back map, by a count of users, or by
 * searching the p2ms. Only users that are away from home are kept, since of a
 * frame's own page the p2m tells at once. So a back map or a count is empty as
 * long as nothing has moved, and takes time and memory for what has.
 *
 *            memory a moved page    users of a frame     how many they are
 *   backmap  8 bytes; shared 16     as many steps        the same
 *            more for each user
 *   refcount 8 bytes                one search           one step
 *   search   none                   one search           one search
 *
 * A search is a step for each entry of each p2m; the tables that the first two
 * share come besides, a page for every 512 frames in a row, and a few above.
 */
#ifndef VELLUM_P2M_OWNERS_H
#define VELLUM_P2M_OWNERS_H

#include "p2m/p2m.h"

enum owners_kind {
	OWNERS_BACKMAP,
	OWNERS_REFCOUNT,
	OWNERS_SEARCH,
	OWNERS_KINDS,
};

/** One p2m whose pages are looked for. */
struct owners_space {
	u32 domid;
	struct p2m *p2m;
};

struct owners_node;

/** A tree of numbers by frame. */
struct frame_numbers {
	u64 *root;      /* NULL: empty */
	u32 level;      /* of the root; the leaves are of level 1 */
	u64 **near;     /* the table of level 2 that was used last */
	u64 near_first; /* the number of its first leaf; NUMBERS_NOT_NEAR */
	u64 pages;      /* that it has; and those of the nodes below */
};

struct owners {
	enum owners_kind kind;
	const struct p2m_memory *memory;
	const struct owners_space *space; /* by ascending domid */
	u32 nr_spaces;
	u64 looked; /* at so many entries: by searches, since somebody set it to 0 */
	struct frame_numbers numbers; /* BACKMAP: a user, or a list of them; REFCOUNT: how many */
	u32 nr_free;
	struct owners_node *free;  /* BACKMAP: nodes of lists, so many, */
	struct owners_node *pages; /* and the pages that they are in */
};

/** Begin, with nothing kept: owners_add() tells of each page that is away. `space` stays. */
void owners_init(struct owners *o, enum owners_kind kind, const struct p2m_memory *memory,
		 const struct owners_space *space, u32 nr_spaces);

/** Give up to `budget` pages back. True: all are; false: call this again, and nothing else. */
#define OWNERS_ALL (~(u64)0)
bool owners_end(struct owners *o, u64 budget);

/** A page that is away uses this frame now, or no more; the p2m says so, too, when somebody next
 * asks. -VL_ENOMEM: not kept. Going never fails. */
int owners_add(struct owners *o, mfn_t mfn, struct p2m_owner user);
void owners_remove(struct owners *o, mfn_t mfn, struct p2m_owner user);

/** After this owners_add() needs no memory for a first user of this frame, nor for any other as
 * long as the users come from another one. */
int owners_reserve(struct owners *o, mfn_t mfn);

/** How many pages use a frame, at home or away; `most` if there are more. */
u64 owners_count(struct owners *o, mfn_t mfn, u64 most);

/** The two parts of that: pages that are away; and pages at home, but of the space `except`. */
u64 owners_count_away(struct owners *o, mfn_t mfn, u64 most);
u64 owners_count_home(struct owners *o, mfn_t mfn, u32 except, u64 most);

/** The first user at or behind *user, by domid, then page frame; false: none. */
bool owners_next(struct owners *o, mfn_t mfn, struct p2m_owner *user);

#endif
