// SPDX-License-Identifier: MIT
/*
 * Other domains with several CPUs: while one gives pages away and has them back,
 * the others look at them all the time, each by its own translations. None
 * reads what was there once the page is given, nor ones once it is back.
 */
#include "mini/cmdline.h"
#include "mini/memory.h"
#include "mini/smp.h"
#include "mini/tap.h"
#include "mini/tests/domains.h"
#include "mini/tests/random.h"
#include "mini/virtual.h"

#define PAGES  24u
#define ROUNDS 60u
#define RUNS   4u /* of all rounds, at most */
#define MOVING 1u /* in `state`: it is being changed, anything may be read */

/* Of each page: what every word of it is, shifted by 8, and MOVING; and how many looked at it. */
static u64 state_of[PAGES];
static u64 looks;
static bool over;

static u64 now(u32 i)
{
	return __atomic_load_n(&state_of[i], __ATOMIC_SEQ_CST);
}

static void become(u32 i, u64 state)
{
	__atomic_store_n(&state_of[i], state, __ATOMIC_SEQ_CST);
}

/* In order: no store of this CPU's to the page is behind the state that it stands for. */
static void look(u64 *random)
{
	u32 i = (u32)random_below(random, PAGES);
	u64 before = now(i), word;

	word = __atomic_load_n((u64 *)guests_page(i) + random_below(random, PAGE_SIZE / 8),
			       __ATOMIC_SEQ_CST);
	if ((before & MOVING) || now(i) != before)
		return;
	CHECK(word == (before >> 8) * 0x0101010101010101ull,
	      "CPU %u reads %#lx in page %u, not %#lx", smp_index(), word, i, before >> 8);
	__atomic_fetch_add(&looks, 1, __ATOMIC_RELAXED);
}

static void look_on(void *arg)
{
	u64 random = 99 + smp_index();

	(void)arg;
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
		look(&random);
}

static void all_become(u64 state)
{
	for (u32 i = 0; i < PAGES; i++)
		become(i, state);
}

/* Their own content, ones, zeros; each for a while. */
static void one_round(u32 round)
{
	u8 content = (u8)(round % ONES);
	u64 domid, left;

	all_become(MOVING);
	for (u32 i = 0; i < PAGES; i++)
		guests_fill(i, content);
	all_become((u64)content << 8);
	domid = guest_make("looked at", PAGES);
	guests_list_frames(0, PAGES);
	all_become(MOVING);
	CHECK(guest_give(domid, guests_first_pfn(), PAGES) == 0, "give failed");
	all_become((u64)ONES << 8);
	for (u32 i = 0; i < 200; i++)
		smp_relax();
	all_become(MOVING);
	left = PAGES / 3;
	CHECK(guest_take(domid, guests_first_pfn(), left) == 0, "take failed");
	for (u32 i = 0; i < PAGES; i++)
		become(i, i < left ? 0 : (u64)ONES << 8);
	for (u32 i = 0; i < 200; i++)
		smp_relax();
	all_become(MOVING);
	guest_destroy(domid);
	all_become(0);
}

static void rounds_looked_at(u64 rounds)
{
	over = false;
	for (u32 i = 1; i < smp_count(); i++)
		smp_begin(i, look_on, NULL);
	for (u32 i = 0; i < rounds; i++)
		one_round(i);
	__atomic_store_n(&over, true, __ATOMIC_RELEASE);
	for (u32 i = 1; i < smp_count(); i++)
		smp_wait(i);
}

/* A CPU's shadow gets tables for what the CPU looks at for the first time; what is lost is lost
 * each time. */
static void until_nothing_is_taken(u64 rounds)
{
	for (u32 runs = 1;; runs++) {
		u64 free = guests_partition_free();

		rounds_looked_at(rounds);
		if (guests_partition_free() == free)
			return;
		CHECK(runs < RUNS, "%lu bytes free, there were %lu", guests_partition_free(), free);
	}
}

TEST_ON_REQUEST(smp_guests, "U7 I4 I9")
{
	u64 rounds = ROUNDS;

	if (is_virtualized())
		CHECK(devirtualize() == 0, "devirtualize failed");
	smp_start();
	CHECK(smp_change_all(true) == 0, "no transition");
	cmdline_get_hex("rounds", &rounds);
	guests_take_frames(PAGES);
	all_become(MOVING);
	looks = 0;
	guests_warm_up();
	until_nothing_is_taken(rounds);
	CHECK(looks > rounds, "the others looked %lu times", looks);
	guests_free_frames(PAGES);
	CHECK(smp_change_all(false) == 0, "no transition");
	CHECK(!is_virtualized(), "not devirtualized");
}
