// SPDX-License-Identifier: MIT
/*
 * Ticket locks: fair, so that the longest wait is the number of CPUs times the
 * longest hold. What only debug builds do stands below, and uses nothing but
 * the running CPU's struct lock_watch and one maximum a rank.
 */
#include "lib/lock.h"

#include "lib/log.h"
#include "lib/panic.h"
#include "lib/x86.h"

/* A lock that is not free after so many TSC ticks never will be: 10 to 40 s, delays included. */
#define STUCK ((u64)1 << 35)

static struct {
	u64 ticks;      /* changed by compare-and-exchange */
	const void *by; /* the code that took the lock; of two who give back at once, either's */
} longest[NR_LOCK_RANKS];
static u64 delays, delays_seed; /* set at boot */

const char *lock_rank_name(enum lock_rank rank)
{
	static const char *const names[NR_LOCK_RANKS] = {
		[LOCK_CPUS] = "cpus",       [LOCK_TRANSITION] = "transition",
		[LOCK_DOMAINS] = "domains", [LOCK_DOMAIN] = "domain",
		[LOCK_EVENT] = "event",     [LOCK_REQUEST] = "request",
		[LOCK_FRAMES] = "frames",   [LOCK_IRQ] = "irq",
		[LOCK_SWITCH] = "switch",   [LOCK_DISK] = "disk",
		[LOCK_SCHED] = "sched",     [LOCK_LOG] = "log",
	};

	return names[rank];
}

/* --- debug builds --- */

static void check_order(const struct lock *l)
{
	const struct lock_watch *w = lock_watch();

	assert(l->rank < NR_LOCK_RANKS);
	for (u32 rank = l->rank; rank < NR_LOCK_RANKS; rank++)
		if (w->held[rank] != NULL)
			panic("lock order: %s is taken while %s is held", lock_rank_name(l->rank),
			      lock_rank_name(rank));
}

static void note_taken(const struct lock *l, const void *by)
{
	struct lock_watch *w = lock_watch();

	w->held[l->rank] = l;
	w->by[l->rank] = by;
	w->since[l->rank] = rdtsc();
}

static void note_longest(enum lock_rank rank, u64 held, const void *by)
{
	u64 *max = &longest[rank].ticks, before = __atomic_load_n(max, __ATOMIC_RELAXED);

	while (held > before)
		if (__atomic_compare_exchange_n(max, &before, held, true, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED)) {
			__atomic_store_n(&longest[rank].by, by, __ATOMIC_RELAXED);
			return;
		}
}

static void note_released(const struct lock *l)
{
	struct lock_watch *w = lock_watch();
	u64 held = rdtsc() - w->since[l->rank];

	if (w->held[l->rank] != l)
		panic("lock %s is released by a CPU that does not hold it",
		      lock_rank_name(l->rank));
	w->held[l->rank] = NULL;
	note_longest(l->rank, held, w->by[l->rank]);
}

void lock_debug_none_held(void)
{
	const struct lock_watch *w = lock_watch();

	for (u32 rank = 0; rank < NR_LOCK_RANKS; rank++)
		if (w->held[rank] != NULL)
			panic("lock %s is still held", lock_rank_name(rank));
}

u64 lock_longest(enum lock_rank rank)
{
	return __atomic_exchange_n(&longest[rank].ticks, 0, __ATOMIC_RELAXED);
}

void lock_set_delays(u64 ticks, u64 seed)
{
	delays = ticks;
	delays_seed = seed;
	for (u32 rank = 0; is_debug_build() && rank < NR_LOCK_RANKS; rank++)
		lock_longest(rank);
}

/* A CPU's own, from the seed and where its state is. */
static u64 first_random(const struct lock_watch *w, u64 now)
{
	return (delays_seed != 0 ? (delays_seed ^ (u64)w) * 0x9e3779b97f4a7c15ull : now) | 1;
}

/* xorshift64; half of the waits are none at all, so that all orders come up. */
void lock_debug_delay(void)
{
	struct lock_watch *w = lock_watch();
	u64 start = rdtsc(), r = w->random != 0 ? w->random : first_random(w, start);

	if (delays == 0)
		return;
	r ^= r << 13;
	r ^= r >> 7;
	r ^= r << 17;
	w->random = r;
	if (r & 1)
		return;
	while (rdtsc() - start < (r >> 16) % delays)
		cpu_relax();
}

/* One line a rank: the tests read them. */
void lock_debug_report(void)
{
	for (u32 rank = 0; rank < NR_LOCK_RANKS; rank++)
		log_print("vellum: longest hold of %s: %lu ticks, taken at %#lx\n",
			  lock_rank_name(rank), longest[rank].ticks, (u64)longest[rank].by);
}

/* --- the lock --- */

static u16 serving(const struct lock *l)
{
	return __atomic_load_n(&l->serving, __ATOMIC_ACQUIRE);
}

/* Only debug builds look at the clock: a release build that is stuck is stuck. */
static void wait_for(const struct lock *l, u16 ticket)
{
	u64 start = is_debug_build() ? rdtsc() : 0;

	while (serving(l) != ticket) {
		cpu_relax();
		if (is_debug_build() && rdtsc() - start > STUCK)
			panic("lock %s is never free: it serves %u, this is %u, %u is next",
			      lock_rank_name(l->rank), serving(l), ticket,
			      __atomic_load_n(&l->next, __ATOMIC_RELAXED));
	}
}

void lock_take(struct lock *l)
{
	if (is_debug_build())
		check_order(l);
	lock_delay();
	wait_for(l, __atomic_fetch_add(&l->next, 1, __ATOMIC_ACQUIRE));
	if (is_debug_build())
		note_taken(l, __builtin_return_address(0));
}

bool lock_try(struct lock *l)
{
	u16 ticket = serving(l);

	if (is_debug_build())
		check_order(l);
	lock_delay();
	if (!__atomic_compare_exchange_n(&l->next, &ticket, (u16)(ticket + 1), false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	if (is_debug_build())
		note_taken(l, __builtin_return_address(0));
	return true;
}

void lock_release(struct lock *l)
{
	if (is_debug_build())
		note_released(l);
	__atomic_store_n(&l->serving, (u16)(l->serving + 1), __ATOMIC_RELEASE);
	lock_delay();
}

bool lock_is_held(const struct lock *l)
{
	return serving(l) != __atomic_load_n(&l->next, __ATOMIC_RELAXED);
}
