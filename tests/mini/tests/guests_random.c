// SPDX-License-Identifier: MIT
/*
 * Other domains at random, against a model with a line for each page; and what
 * they do when memory runs out, in debug builds.
 */
#include "lib/string.h"
#include "mini/console.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/tap.h"
#include "mini/tests/domains.h"
#include "mini/tests/random.h"
#include "mini/virtual.h"

#define DOMAINS 3u
#define ROUNDS  400u
#define PIECE   16u /* pages of one gift */

static struct {
	u64 domid;            /* 0: there is none */
	u32 of[GUESTS_PAGES]; /* by its page frame: the number of the frame that it has, plus 1; 0:
				 none */
} model[DOMAINS];
static u8 content[GUESTS_PAGES]; /* ONES: given away */

static u32 random_free_run(u64 *state, u32 d, u32 *at)
{
	u32 run = 1 + (u32)random_below(state, PIECE);

	*at = (u32)random_below(state, GUESTS_PAGES - run);
	for (u32 i = 0; i < run; i++)
		if (model[d].of[*at + i] != 0)
			return 0;
	return run;
}

static void random_give(u64 *state, u32 d)
{
	u32 at, run = random_free_run(state, d, &at), from = (u32)random_below(state, GUESTS_PAGES),
		n = 0;

	for (u32 i = 0; i < GUESTS_PAGES && n < run; i++)
		if (content[(from + i) % GUESTS_PAGES] != ONES) {
			model[d].of[at + n] = (from + i) % GUESTS_PAGES + 1;
			guests_list.pfn[n++] =
				guests_frame[(from + i) % GUESTS_PAGES].v >> PAGE_SHIFT;
		}
	if (n == 0)
		return;
	CHECK(guest_give(model[d].domid, guests_first_pfn() + at, n) == 0, "give failed");
	for (u32 i = 0; i < n; i++)
		content[model[d].of[at + i] - 1] = ONES;
}

static void random_take(u64 *state, u32 d)
{
	u32 at = (u32)random_below(state, GUESTS_PAGES), n = 0;

	while (n < 5 && at + n < GUESTS_PAGES && model[d].of[at + n] != 0)
		n++;
	if (n == 0)
		return;
	CHECK(guest_take(model[d].domid, guests_first_pfn() + at, n) == 0, "take failed");
	for (u32 i = 0; i < n; i++) {
		content[model[d].of[at + i] - 1] = 0;
		model[d].of[at + i] = 0;
	}
}

static void random_end(u32 d)
{
	guest_destroy(model[d].domid);
	for (u32 i = 0; i < GUESTS_PAGES; i++)
		if (model[d].of[i] != 0)
			content[model[d].of[i] - 1] = 0;
	memset(&model[d], 0, sizeof(model[d]));
}

static void random_step(u64 *state)
{
	u32 d = (u32)random_below(state, DOMAINS), i = (u32)random_below(state, GUESTS_PAGES);
	const char name[2] = {(char)('a' + d), 0};

	if (model[d].domid == 0)
		model[d].domid = guest_make(name, GUESTS_PAGES);
	else if (random_below(state, 30) == 0)
		random_end(d);
	else if (random_below(state, 3) == 0)
		random_take(state, d);
	else
		random_give(state, d);
	if (content[i] != ONES) {
		content[i] = (u8)random_below(state, ONES);
		guests_fill(i, content[i]);
	}
}

TEST(guests_random, "I4 I9 M3")
{
	u64 state = 2026, free, ram;

	guests_go_in();
	guests_warm_up();
	ram = guests_own_memory();
	free = guests_partition_free();
	guests_take_frames(GUESTS_PAGES);
	memset(model, 0, sizeof(model));
	for (u32 i = 0; i < GUESTS_PAGES; i++)
		guests_fill(i, content[i] = (u8)i % ONES);
	for (u32 round = 0; round < ROUNDS; round++) {
		random_step(&state);
		for (u32 i = 0; i < 8; i++) {
			u32 k = (u32)random_below(&state, GUESTS_PAGES);

			guests_check_page(k, content[k]);
		}
	}
	for (u32 d = 0; d < DOMAINS; d++)
		if (model[d].domid != 0)
			random_end(d);
	for (u32 i = 0; i < GUESTS_PAGES; i++)
		guests_check_page(i, content[i]);
	CHECK(guests_own_memory() == ram, "%lu bytes of %lu", guests_own_memory(), ram);
	CHECK(guests_partition_free() == free, "%lu bytes free, there were %lu",
	      guests_partition_free(), free);
	guests_free_frames(GUESTS_PAGES);
	CHECK(devirtualize() == 0, "devirtualize failed");
	for (u32 i = 0; i < GUESTS_PAGES; i++)
		guests_check_page(i, content[i]);
}

/* --- without memory: debug builds --- */

/* With so many others, none is kept that could be used again. */
#define OTHERS 6u
static const char *const names[OTHERS] = {"a", "b", "c", "d", "e", "f"};

TEST(guests_create_failpoints, "U3")
{
	u64 free, step = 0, other[OTHERS];
	s64 answer;

	if (vl_call_set_failpoint(hypercall_page, 0) == -VL_EOPNOTSUPP)
		test_skip("a release build");
	guests_go_in();
	for (u32 i = 0; i < OTHERS; i++)
		other[i] = guest_make(names[i], 1);
	guest_want("failing", 16);
	guest_wanted.nr_vcpus = 3;
	free = guests_partition_free();
	do {
		CHECK(++step < 100, "failpoints without end");
		CHECK(vl_call_set_failpoint(hypercall_page, step) == 0, "set_failpoint");
		answer = guest_create();
		if (answer > 0)
			break;
		CHECK(answer == -VL_ENOMEM, "failpoint %lu answered %ld", step, answer);
		CHECK(guests_hv.nr_domains == OTHERS + 1, "%u domains", guests_hv.nr_domains);
		CHECK(guests_partition_free() == free,
		      "failpoint %lu: %lu bytes free, there were %lu", step,
		      guests_partition_free(), free);
	} while (answer < 0);
	CHECK(step > 2, "only %lu steps", step);
	guest_destroy((u64)answer);
	for (u32 i = 0; i < OTHERS; i++)
		guest_destroy(other[i]);
	guest_check_gone(start_info->domid + 1);
	print("# %lu allocations\n", step - 1);
}

TEST(guests_give_failpoints, "U3 I9")
{
	u64 free, domid, step = 0;
	s64 answer;

	if (vl_call_set_failpoint(hypercall_page, 0) == -VL_EOPNOTSUPP)
		test_skip("a release build");
	guests_go_in();
	guests_take_frames(8);
	for (u32 i = 0; i < 8; i++)
		guests_fill(i, 3);
	domid = guest_make("failing", 16);
	free = guests_partition_free();
	guests_list_frames(0, 8);
	do {
		CHECK(++step < 100, "failpoints without end");
		CHECK(vl_call_set_failpoint(hypercall_page, step) == 0, "set_failpoint");
		answer = guest_give(domid, guests_first_pfn(), 8);
		if (answer == 0)
			break;
		CHECK(answer == -VL_ENOMEM, "failpoint %lu answered %ld", step, answer);
		CHECK(guests_partition_free() == free,
		      "failpoint %lu: %lu bytes free, there were %lu", step,
		      guests_partition_free(), free);
		for (u32 i = 0; i < 8; i++)
			guests_check_page(i, 3);
	} while (answer < 0);
	CHECK(step > 4, "only %lu steps", step);
	guest_destroy(domid);
	guests_free_frames(8);
	print("# %lu allocations\n", step - 1);
}

/* A page that is away from home is nobody else's to have. */
TEST(guests_and_moved_pages, "M4 I9")
{
	u64 domid, pfn = guests_first_pfn();

	guests_go_in();
	guests_take_frames(2);
	guests_fill(0, 1);
	guests_fill(1, 2);
	domid = guest_make("moved", 16);
	guests_list_frames(0, 2);
	if (vl_call_test_move_page(hypercall_page, guests_list.pfn[0], 1) == -VL_EOPNOTSUPP) {
		guest_destroy(domid);
		guests_free_frames(2);
		test_skip("a release build");
	}
	CHECK(guest_give(domid, pfn, 2) == -VL_EBUSY, "a page that is away was given");
	guests_check_page(0, 1);
	guests_check_page(1, 2);
	guests_list_frames(1, 1);
	CHECK(guest_give(domid, pfn, 1) == 0, "give failed");
	CHECK(vl_call_test_move_page(hypercall_page, guests_list.pfn[0], 1) == -VL_EFAULT,
	      "a page that was given away was moved");
	CHECK(vl_call_test_move_page(hypercall_page, guests_frame[0].v >> PAGE_SHIFT, 0) >= 0,
	      "home");
	guests_check_page(0, 1);
	guests_check_page(1, ONES);
	guest_destroy(domid);
	guests_check_page(1, 0);
	guests_free_frames(2);
}
