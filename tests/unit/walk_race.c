// SPDX-License-Identifier: MIT
/*
 * The walk while other CPUs of the guest change the tables: threads walk, one
 * clears and sets entries as a kernel does, by exchange. What was cleared stays
 * clear, and of each page that a write was granted to, whoever took it out sees
 * the D bit, or nobody may write to it any more. shows: M5 I1
 */
#include "tests/unit/check.h"

#include <pthread.h>
#include <sched.h>

#include "mem/pagetable.h"
#include "shadow/walk.h"

#define WALKERS 3u
#define PAGES   4u
#define ROUNDS  2000000u
#define VA      0x0000123456780000ull /* of the first page; all have one table */

/* Each time a page is mapped it is to another frame, so that answers can be told apart. */
#define FIRST_FRAME 16u
#define FRAMES      (FIRST_FRAME + ROUNDS)

static u64 memory[8][512];
static u8 granted[FRAMES];             /* a walk said that it may be written */
static u8 dirty[FRAMES];               /* and this is what its owner saw */
static u32 done, lost, walks[2], seen; /* frames that were granted */

static volatile u64 *table(void *context, pfn_t frame)
{
	(void)context;
	return frame.v < ARRAY_SIZE(memory) ? memory[frame.v] : NULL;
}

static const struct range_pair nowhere;
static const struct guest_tables tables = {.table = table, .plain = &nowhere};

static u64 *entry(u32 level, u64 va)
{
	return &memory[5 - level][level_index(va, level)];
}

static u64 va_of(u32 page)
{
	return VA + page * PAGE_SIZE;
}

static void grant(u64 frame)
{
	if (__atomic_exchange_n(&granted[frame], 1, __ATOMIC_SEQ_CST) == 0)
		__atomic_add_fetch(&seen, 1, __ATOMIC_RELAXED);
}

static void *walk_all_the_time(void *argument)
{
	struct rng rng = {.state = 99 + *(u32 *)argument};
	struct paging_mode mode = {
		.root = {1 << PAGE_SHIFT}, .physical_bits = 46, .wp = true, .nx = true};

	paging_mode_prepare(&mode);
	while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
		u32 access = rng_below(&rng, 2) ? PF_WRITE : 0;
		struct translation t;
		u32 fault = walk(&mode, &tables, va_of(rng_below(&rng, PAGES)), access, &t);

		__atomic_add_fetch(&walks[fault == 0], 1, __ATOMIC_RELAXED);
		if (fault == 0 && access == PF_WRITE)
			grant(t.page.v >> PAGE_SHIFT);
		if (rng_below(&rng, 64) == 0)
			sched_yield();
	}
	return NULL;
}

static u64 exchange(u64 *where, u64 value)
{
	return __atomic_exchange_n(where, value, __ATOMIC_SEQ_CST);
}

/* What the walkers set in it before was theirs to set; nothing comes later. */
static void check_clear(u64 *where)
{
	for (u32 i = 0; i < 8; i++)
		if (__atomic_load_n(where, __ATOMIC_SEQ_CST) != 0)
			lost++;
}

static void change(u32 frame, struct rng *rng)
{
	u64 *leaf = entry(1, va_of(frame % PAGES)), *upper = entry(2, VA), old;

	old = exchange(leaf, 0);
	if (old != 0)
		dirty[(old & PTE_ADDR) >> PAGE_SHIFT] = (old & PTE_D) != 0;
	check_clear(leaf);
	/* The table above goes and comes back, too, sometimes without its A bit. */
	if (rng_below(rng, 4) == 0) {
		old = exchange(upper, 0);
		check_clear(upper);
		exchange(upper, old & ~(rng_below(rng, 2) ? PTE_A : 0));
	}
	exchange(leaf, (u64)frame << PAGE_SHIFT | PTE_P | PTE_W | PTE_U);
}

static u32 total_walks(void)
{
	return __atomic_load_n(&walks[false], __ATOMIC_RELAXED) +
	       __atomic_load_n(&walks[true], __ATOMIC_RELAXED);
}

/* That they raced, however the host let the threads take turns. */
static bool saw_enough(u32 wanted)
{
	return __atomic_load_n(&walks[true], __ATOMIC_RELAXED) >= wanted &&
	       __atomic_load_n(&walks[false], __ATOMIC_RELAXED) > 100 &&
	       __atomic_load_n(&seen, __ATOMIC_RELAXED) > 100;
}

static void cleared_entries_stay_clear(void **state)
{
	u32 wanted = random_cases(2000000), number[WALKERS];
	pthread_t thread[WALKERS];
	struct rng rng = {.state = 4711};

	(void)state;
	for (u32 level = 4; level > 1; level--)
		*entry(level, VA) = (u64)(6 - level) << PAGE_SHIFT | PTE_P | PTE_W | PTE_U;
	for (u32 i = 0; i < WALKERS; i++) {
		number[i] = i;
		assert_int_equal(pthread_create(&thread[i], NULL, walk_all_the_time, &number[i]),
				 0);
	}
	for (u32 i = 0; i < ROUNDS; i++) {
		change(FIRST_FRAME + i, &rng);
		if (saw_enough(wanted))
			break;
		/* They keep up, whatever else the host does. */
		if (i % 64 == 0)
			sched_yield();
		while (total_walks() < i / 4)
			sched_yield();
	}
	__atomic_store_n(&done, 1, __ATOMIC_RELEASE);
	for (u32 i = 0; i < WALKERS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	for (u32 i = 0; i < PAGES; i++) {
		u64 old = exchange(entry(1, va_of(i)), 0);

		if (old != 0)
			dirty[(old & PTE_ADDR) >> PAGE_SHIFT] = (old & PTE_D) != 0;
	}
	assert_int_equal(lost, 0);
	for (u32 i = 0; i < FRAMES; i++)
		if (granted[i] && !dirty[i])
			stop_test("frame %u was granted for writing without its D bit", i);
	assert_true(seen > 100 && walks[false] > 100 && walks[true] > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cleared_entries_stay_clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
