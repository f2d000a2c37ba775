// SPDX-License-Identifier: MIT
/*
 * Portions of memory that come and go on all CPUs at a time, with pages that
 * move on a debug build, while each CPU writes to all of them.
 */
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/smp.h"
#include "mini/tap.h"
#include "mini/tests/moving.h"
#include "mini/tests/random.h"

#define PAGES  24u
#define ROUNDS 100u

/* In each page a word for each CPU. */
static volatile u64 words[PAGES][PAGE_SIZE / sizeof(u64)] __attribute__((aligned(4096)));

static void one_change(u64 *state)
{
	u64 page = random_below(state, PAGES), count = 1 + random_below(state, PAGES - page);
	u64 what = random_below(state, 8), at = ptr_to_pa(words[page]).v;
	s64 answer;

	if (what < 2)
		answer = vl_call_portion_add(hypercall_page, at, count * PAGE_SIZE);
	else if (what < 4)
		answer = vl_call_portion_remove(hypercall_page, at, count * PAGE_SIZE);
	else
		answer = move(at >> PAGE_SHIFT, what < 7);
	CHECK(answer >= 0 || (what < 2 && answer == -VL_EEXIST) ||
		      (what >= 2 && what < 4 && answer == -VL_ENOENT) ||
		      (what >= 4 && answer == -VL_EOPNOTSUPP),
	      "CPU %u: change %lu answered %ld", smp_index(), what, answer);
}

static void change_and_write(void *arg)
{
	u64 state = 0x706f72 + smp_index();
	u32 own = smp_index();

	(void)arg;
	for (u64 i = 1; i <= ROUNDS; i++) {
		one_change(&state);
		for (u32 page = 0; page < PAGES; page++) {
			CHECK(words[page][own] == i - 1, "CPU %u: page %u has %lu, not %lu", own,
			      page, words[page][own], i - 1);
			words[page][own] = i;
		}
	}
}

TEST_ON_REQUEST(smp_memory_portions, "U7 M7 M4")
{
	s64 answer;

	smp_start();
	for (u32 page = 0; page < PAGES; page++)
		for (u32 cpu = 0; cpu < smp_count(); cpu++)
			words[page][cpu] = 0;
	answer = smp_change_all(true);
	CHECK(answer == 0, "virtualize answered %ld", answer);
	answer = vl_call_portion_remove(hypercall_page, 0, VL_PORTION_REST);
	CHECK(answer == 0, "portion_remove answered %ld", answer);
	smp_run_all(change_and_write, NULL);
	answer = vl_call_portion_remove(hypercall_page, 0, VL_PORTION_REST);
	CHECK(answer == 0 || answer == -VL_ENOENT, "portion_remove answered %ld", answer);
	read_info();
	CHECK((counters.layers & VL_LAYER_MEMORY) == 0 && counters.p2m_moved == 0,
	      "layers %#x, %lu pages are away", counters.layers, counters.p2m_moved);
	answer = smp_change_all(false);
	CHECK(answer == 0, "devirtualize answered %ld", answer);
	for (u32 page = 0; page < PAGES; page++)
		for (u32 cpu = 0; cpu < smp_count(); cpu++)
			CHECK(words[page][cpu] == ROUNDS, "page %u of CPU %u has %lu", page, cpu,
			      words[page][cpu]);
}
