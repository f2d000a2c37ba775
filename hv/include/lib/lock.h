/* SPDX-License-Identifier: MIT */
/*
 * Spinlocks with ranks. A CPU takes them in ascending rank and never two of
 * one rank, so that no two CPUs can wait for each other; debug builds check
 * that at each step, measure how long each rank was held at most, and wait a
 * random time before and behind each lock (option delays=), so that races which
 * need bad luck get it. docs/invariants.md says what each lock guards.
 *
 * Interrupts are off in all of Vellum, and an NMI takes no lock: whoever holds
 * one is never interrupted by someone who wants it.
 */
#ifndef VELLUM_LIB_LOCK_H
#define VELLUM_LIB_LOCK_H

#include "lib/debug.h"
#include "lib/types.h"

/** What a lock may be taken behind: those of lower rank. */
enum lock_rank {
	LOCK_CPUS,       /* adding a CPU */
	LOCK_TRANSITION, /* a meeting; who may touch what a vcpu that does not run has left */
	LOCK_DOMAINS,    /* the list of domains, ids and names in it */
	LOCK_DOMAIN,     /* a domain's name, p2m, aliases, promises */
	LOCK_EVENT,      /* the event channels of all domains */
	LOCK_REQUEST,    /* what is asked of a vcpu */
	LOCK_FRAMES,     /* the partition's frames */
	LOCK_IRQ,        /* a domain's 8259s and IOAPIC */
	LOCK_SWITCH,     /* the ports of all domains' network devices */
	LOCK_DISK,       /* the machine's disks that are Vellum's */
	LOCK_SCHED,      /* who runs on a CPU */
	LOCK_LOG,
	NR_LOCK_RANKS,
};

/** First come, first served. Zero but for the rank is free. */
struct lock {
	u16 next;    /* ticket of the next one who comes */
	u16 serving; /* of the one who holds it; equal to `next`: nobody */
	u32 rank;
};

#define LOCK_INIT(rank_)                                                                           \
	{                                                                                          \
		.rank = (rank_)                                                                    \
	}

/** Wait until it is the caller's. Not for NMI handlers; interrupts must be off. */
void lock_take(struct lock *l);

/** Take it if nobody has it and nobody waits. */
bool lock_try(struct lock *l);

/** Give it back. */
void lock_release(struct lock *l);

/** Whether somebody has it. */
bool lock_is_held(const struct lock *l);

/* --- debug builds --- */

/** What one CPU holds; the CPU's own. */
struct lock_watch {
	const struct lock *held[NR_LOCK_RANKS];
	const void *by[NR_LOCK_RANKS]; /* the code that took it */
	u64 since[NR_LOCK_RANKS];      /* TSC */
	u64 random;                    /* state of the delays' generator */
};

/** The running CPU's; defined where CPUs are known (hv/cpu/lock_watch.c), or by a test. */
struct lock_watch *lock_watch(void);

void lock_debug_none_held(void);
void lock_debug_delay(void);

/** Panics if this CPU holds a lock: before it goes back to a guest, or halts. */
static inline void lock_check_none_held(void)
{
	if (is_debug_build())
		lock_debug_none_held();
}

/** A place where CPUs race: wait for a random time, up to the one of lock_set_delays(). */
static inline void lock_delay(void)
{
	if (is_debug_build())
		lock_debug_delay();
}

/** Longest random wait, TSC ticks; 0: none. With a seed, each CPU's waits are the same in each run;
 * 0: never. The holds are measured anew from here on: before the guest is entered, lines of the log
 * wait for a serial port. */
void lock_set_delays(u64 ticks, u64 seed);

/** The longest time that a lock of this rank was held since the last call, TSC ticks, as far as it
 * was a debug build. */
u64 lock_longest(enum lock_rank rank);

const char *lock_rank_name(enum lock_rank rank);

void lock_debug_report(void);

/** Debug builds: write the longest holds since lock_set_delays(), and the code that began them, to
 * the log. On request (set_failpoint): lines after each transition drive others out. No lock is
 * held. */
static inline void lock_report(void)
{
	if (is_debug_build())
		lock_debug_report();
}

#endif
