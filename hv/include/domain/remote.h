/* SPDX-License-Identifier: MIT */
/*
 * What one CPU asks of another's vcpu: to drop translations, or to hold still
 * while the domain's memory is rearranged. A request is posted to the vcpu,
 * which serves it where it has nothing of the guest in hand: at the end of an
 * exit, after it loaded another address space, after a HLT, and while it waits
 * itself. Whoever posts waits only for those that may use a stale translation.
 *
 * Both sides of a race are ordered by a full barrier: the poster posts, then
 * looks at what the vcpu has loaded and whether it is halted; the vcpu says
 * what it loads, or that it wakes, then looks for requests. One of them sees
 * the other.
 */
#ifndef VELLUM_DOMAIN_REMOTE_H
#define VELLUM_DOMAIN_REMOTE_H

#include "lib/lock.h"
#include "lib/types.h"

enum remote_what {
	REMOTE_NOTHING,
	REMOTE_PAGES, /* of one address space */
	REMOTE_SPACE, /* all of it that is not global */
	REMOTE_LOCAL, /* of all address spaces */
	REMOTE_ALL,   /* and global ones */
	NR_REMOTE_WHATS,
};

struct remote_flush {
	enum remote_what what;
	u64 space; /* PAGES, SPACE: address of the top-level table; 0: whatever is loaded */
	u64 va;    /* PAGES: of the first */
	u64 pages;
};

/** Of one vcpu; others write to it. */
struct remote {
	struct lock lock;            /* LOCK_REQUEST, for these three: */
	struct remote_flush request; /* what was posted since it was last served, as one */
	u64 posted;                  /* how many were */
	u64 served;                  /* how many of those are; only grows, the vcpu's own */
	u32 waits;                   /* 1: there is something to serve */
	u32 halted;                  /* 1: in HLT; it serves before it goes on */
	u32 nmi;                     /* 1: the guest sends it an NMI */
	u32 hold;                    /* 1: it is to hold still, */
	u32 held;                    /* 1: and does */
	u64 loaded;                  /* the address space that it runs on */
	u32 *kicked;                 /* of its CPU: 1: an NMI is on its way there */
};

void remote_init(struct remote *r, u64 loaded, u32 *kicked);

/** Two requests as one that covers both. */
struct remote_flush remote_merge(struct remote_flush a, struct remote_flush b);

/* --- on another CPU --- */

/**
 * Post. Returns a ticket that remote_is_served() takes; 0 if there is nothing to wait for, because
 * the vcpu is halted or has loaded another address space.
 */
u64 remote_post(struct remote *r, const struct remote_flush *f);

/** Whether it is in HLT, or stopped otherwise. */
static inline bool remote_is_halted(const struct remote *r)
{
	return __atomic_load_n(&r->halted, __ATOMIC_ACQUIRE) != 0;
}

/** Whether it was served, or need not be any more before it goes on. */
bool remote_is_served(const struct remote *r, u64 ticket);

/** Whether the caller is to send it an NMI now: not while one is on its way. */
bool remote_kick(struct remote *r);

/** The guest sends it an NMI; whether it has taken that. */
void remote_post_nmi(struct remote *r);
bool remote_nmi_is_taken(const struct remote *r);

/** Ask it to hold still, see whether it does (it is halted, or stands), let it go on. It flushes
 * all before it does. One holder at a time. */
void remote_hold(struct remote *r);
bool remote_is_held(const struct remote *r);
void remote_let_go(struct remote *r);

/* --- on its own CPU --- */

/** Whether there is something to serve. */
static inline bool remote_waits(const struct remote *r)
{
	return __atomic_load_n(&r->waits, __ATOMIC_ACQUIRE) != 0;
}

/** Take what there is to flush, which may be REMOTE_NOTHING; the ticket goes to remote_done(). */
u64 remote_take(struct remote *r, struct remote_flush *f);

/** It is flushed. */
void remote_done(struct remote *r, u64 ticket);

/** Whether there is an NMI, which is taken. */
bool remote_take_nmi(struct remote *r);

/** Hold still as long as somebody wants it. True if anybody did: all may have changed. */
bool remote_stand_still(struct remote *r);

/** An NMI came to a CPU: whether it was a kick. With the second, the next one may be sent. Requests
 * that are posted after the vcpu has looked for them and before that get no NMI: it looks again
 * then. */
bool remote_kick_is_under_way(const u32 *kicked);
bool remote_kick_arrived(u32 *kicked);

/** Another address space is about to be used: requests that wait come before that. */
static inline void remote_load(struct remote *r, u64 space)
{
	__atomic_store_n(&r->loaded, space, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/** Around HLT, which must not be for long if remote_waits(). After remote_wake(), requests come
 * before all else. */
void remote_halt(struct remote *r);
void remote_wake(struct remote *r);

#endif
