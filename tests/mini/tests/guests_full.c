// SPDX-License-Identifier: MIT
/*
 * Other domains when Vellum's partition is full, or full of what one of them
 * needed.
 */
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/tap.h"
#include "mini/tests/domains.h"
#include "mini/tests/later.h"
#include "mini/timer.h"
#include "mini/virtual.h"

#define MOST        400u /* domains */
#define REGION      512u /* page frames that a table of the p2m has */
#define REGIONS     64u
#define PAGE        (2 * LATER_PAGES) /* of guests_frame[], the first that is given to eat memory */
#define TOUCHED     512u              /* shadow tables that LATER_TOUCHES needs, and more */
#define LEAST       2u                /* calls that it takes more than, to free them */
#define PATIENCE_MS 10000u

static u64 domid[MOST];

static void name_it(char *name, u32 n)
{
	for (u32 i = 0; i < 3; i++, n /= 10)
		name[i] = (char)('0' + n % 10);
	name[3] = 0;
}

static u32 make_all(void)
{
	char name[4];
	s64 answer;
	u32 n;

	for (n = 0; n < MOST; n++) {
		name_it(name, n);
		guest_want(name, 1);
		answer = guest_create();
		if (answer == -VL_ENOMEM)
			return n;
		CHECK(answer > 0, "create answered %ld", answer);
		domid[n] = (u64)answer;
	}
	test_fail("%u domains and no end of memory", n);
}

/* A table of the p2m each, until there is none. */
static u32 eat(u64 eater, u64 pfn)
{
	for (u32 i = 0; i < REGIONS; i++) {
		s64 answer;

		guests_list_frames(PAGE + i, 1);
		answer = guest_give(eater, pfn + i * REGION, 1);
		if (answer == -VL_ENOMEM)
			return i;
		CHECK(answer == 0, "give answered %ld", answer);
	}
	test_fail("memory for %u tables", REGIONS);
}

static void await_end(u64 id)
{
	u64 end = rdtsc() + PATIENCE_MS * tsc_per_ms();

	while (later_state(id) != VL_STATE_SHUTDOWN) {
		CHECK(rdtsc() < end, "domain %lu is in state %u", id, guest_info.state);
		vl_call_yield(hypercall_page);
	}
}

/* A vcpu that could be started can run, whatever others have taken since. */
TEST_ON_REQUEST(guests_partition_full, "U3 I4")
{
	u64 runner, eater, pfn, free;
	u32 n, eaten;

	guests_go_in();
	guests_take_frames(PAGE + REGIONS);
	guests_warm_up();
	free = guests_partition_free();
	runner = later_make(LATER_ENDS, 0, VL_WEIGHT_USUAL);
	eater = guest_make("eater", REGIONS * REGION);
	pfn = guests_first_pfn();
	n = make_all();
	eaten = eat(eater, pfn);
	print("# %u domains and %u tables fill the partition\n", n, eaten);
	CHECK(vl_call_domain_unpause(hypercall_page, runner) == 0, "unpause failed");
	await_end(runner);
	for (u32 i = 0; i < n; i++)
		guest_destroy(domid[i]);
	guest_destroy(eater);
	guest_destroy(runner);
	/* Structures of domains are kept, and counted as free; nothing else stays. */
	CHECK(guests_partition_free() == free, "%lu bytes free, there were %lu",
	      guests_partition_free(), free);
	guests_free_frames(PAGE + REGIONS);
	CHECK(devirtualize() == 0, "devirtualize failed");
}

/* Its pages are few, what Vellum needed for it is not: that goes in pieces, too. */
TEST_ON_REQUEST(guests_shadow_in_pieces, "I4 I9")
{
	u64 id, end = 0;
	u32 calls = 0;
	s64 left;

	guests_go_in();
	guests_take_frames(LATER_PAGES);
	id = later_begin(LATER_TOUCHES, 0, VL_WEIGHT_USUAL);
	end = rdtsc() + PATIENCE_MS * tsc_per_ms();
	do {
		vl_call_yield(hypercall_page);
		CHECK(vl_call_domain_counters(hypercall_page, id, ptr_to_pa(&guests_counters).v,
					      sizeof(guests_counters)) > 0,
		      "no counters");
		CHECK(rdtsc() < end, "it has %lu tables", guests_counters.shadow_tables);
	} while (guests_counters.shadow_tables < TOUCHED);
	do {
		left = guest_destroy_some(id);
		CHECK(left >= 0, "destroy answered %ld", left);
		calls++;
	} while (left > 0);
	CHECK(calls > LEAST, "%lu tables were freed by %u calls", guests_counters.shadow_tables,
	      calls);
	guest_check_gone(id);
	guests_free_frames(LATER_PAGES);
	CHECK(devirtualize() == 0, "devirtualize failed");
}
