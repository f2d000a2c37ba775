/* SPDX-License-Identifier: MIT */
/*
 * Remapping: moving the pages of a domain, wherever they are, to the machine
 * frames of their own numbers, so that its p2m becomes the identity (M11, M12,
 * M14 of the ledger). The planner decides what to move next from the p2m and the
 * owners of frames alone, and stores no list: so it takes time for what is moved,
 * can stop between any two pages, and goes on from what it finds. docs/remap.md
 * tells the algorithm.
 *
 * A page that is at home is never touched. A free place is filled, and then the
 * frame that became free, if it is the place of another page, and so on. What is
 * left are places that somebody has: one such page is moved to a spare frame,
 * and the chain that begins with its place ends with itself. Or (REMAP_DIRECT)
 * the two pages are exchanged. A frame that several pages share is copied for
 * each. At most one spare frame is in use at a time.
 *
 * Nothing here knows of hardware or of domains: domain/remap.h does.
 */
#ifndef VELLUM_P2M_REMAP_H
#define VELLUM_P2M_REMAP_H

#include "p2m/owners.h"

enum remap_mode {
	REMAP_AUTO,     /* through a spare frame if there is one, else by exchange */
	REMAP_INDIRECT, /* through a spare frame; -VL_ENOMEM without one */
	REMAP_DIRECT,   /* by exchange; no spare frame, but where an exchange would search long */
};

/** OWNERS_REFCOUNT has to search for whose page is exchanged with; with more pages than these away
 * a spare frame is used, if there is one. */
#define REMAP_SEARCHED 6144u

/** What is at the place of a page, besides pages of the domains that are known. */
enum remap_place {
	REMAP_OPEN,   /* nobody else */
	REMAP_TAKEN,  /* somebody whose page stays there: -VL_EBUSY */
	REMAP_NO_RAM, /* Vellum, or nothing: cannot be (M10 of the ledger), and panics */
};

/** What a remap has done to it; all but `place` always. */
struct remap_ops {
	/* Contents: chain[0] becomes what chain[1] is, then that what chain[2] is, so many; each
	 * becomes what the other is. */
	void (*copy)(void *context, const ma_t *chain, u32 count);
	void (*exchange)(void *context, mfn_t a, mfn_t b);
	/* A spare frame; false: there is none. And: nobody uses this frame any more, spare or not.
	 */
	bool (*spare)(void *context, mfn_t *mfn);
	void (*vacated)(void *context, mfn_t mfn);
	/* NULL: all places are open. May change `open` of the task that the remap goes by. */
	enum remap_place (*place)(void *context, mfn_t mfn);
	/* NULL: nobody wants to know. A page has changed its frame, by the last copies or
	 * exchange; cannot fail. */
	void (*moved)(void *context, struct p2m_owner page, mfn_t from, mfn_t to);
};

/** What is to be done. */
struct remap_task {
	const struct remap_ops *ops;
	void *context;
	const struct owners_space *space; /* by ascending domid: the domains that are known; all but
					     `of` have `own` p2ms */
	u32 nr_spaces;
	u32 of;            /* index: whose pages are to be at home. Others' make room */
	struct range open; /* bytes: places that are open without a question */
	enum remap_mode mode;
	enum owners_kind owners;
	const struct p2m_memory *memory; /* for `owners` */
};

enum remap_phase {
	REMAP_COLLECT, /* owners are told of what is away */
	REMAP_FILL,    /* free places */
	REMAP_BREAK,   /* places that somebody has */
	REMAP_END,     /* all are at home; the owners' memory is given back */
	REMAP_DONE,
};

struct remap_counts {
	u64 copied;    /* pages to their places */
	u64 evacuated; /* pages into or out of a spare frame for others */
	u64 exchanged; /* pairs of pages */
};

struct remap {
	struct remap_task task;
	struct owners owners;
	enum remap_phase phase;
	u32 collecting; /* COLLECT: the space */
	bool shared;    /* some frame may have several users, or one that only a search finds */
	u64 cursor;     /* page frame to look at next */
	struct p2m_near near; /* of the domain's p2m */
	u64 hole;             /* frame that the last move left free; REMAP_NONE */
	u64 spare;            /* frame in use as such; REMAP_NONE */
	struct remap_counts counts;
};

#define REMAP_NONE (~(u64)0)

/** Begin. Moves nothing, allocates nothing. From here to its end nobody else changes any of the
 * p2ms, and what is in `task` stays. */
void remap_begin(struct remap *r, const struct remap_task *task);

/**
 * Go on: move at most `pages` pages (> 0), and look at a number of entries that is bounded by it
 * (but for what a search for owners takes). Returns how many of the domain's pages are still away:
 * 0 is the end, and all memory and the spare frame are given back. While others than 0 are
 * returned, each page of each domain is where its p2m says; one may be in a spare frame. Errors,
 * after which remap_abort() follows, and what was moved stays moved:
 *  -VL_ENOMEM: no spare frame, or no page for owners or a table;
 *  -VL_EBUSY: a place is taken.
 */
s64 remap_step(struct remap *r, u64 pages);

/** Stop, after any remap_step() that has not returned 0, or before the first: what is in the spare
 * frame moves into the frame that is free for it, at most one page; all memory is given back. */
void remap_abort(struct remap *r);

#endif
