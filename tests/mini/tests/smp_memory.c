// SPDX-License-Identifier: MIT
/*
 * Translations with several CPUs on one space: a right that was taken away, and
 * flushed on each CPU, is used by none; and A and D bits are never lost.
 */
#include "lib/string.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/smp.h"
#include "mini/tap.h"
#include "mini/tests/random.h"
#include "mini/traps.h"
#include "mini/virtual.h"

#define PAGES  64u
#define ROUNDS 300u
#define BASE   0x0000200000000000ul
#define CYCLES 10u

static struct space space;
static pa_t frames[PAGES];

static u64 va_of(u32 page)
{
	return BASE + (u64)page * PAGE_SIZE;
}

static u64 *entry_of(u32 page)
{
	int level;

	return space_entry(&space, (va_t){va_of(page)}, &level);
}

static void load_space(void *arg)
{
	space_load(arg);
}

/* What was asked of all CPUs: look at one page. */
struct look {
	u32 page;
	bool write;
	bool expect; /* that it can be reached */
	u64 value;   /* that is read there */
};

static void touch(void *arg)
{
	const struct look *l = arg;
	volatile u64 *word = (volatile u64 *)va_of(l->page) + smp_index();

	if (l->write)
		*word = l->value;
	else
		CHECK(*word == l->value, "CPU %u reads %#lx in page %u, not %#lx", smp_index(),
		      *word, l->page, l->value);
}

static void look(void *arg)
{
	const struct look *l = arg;
	struct trap_info info;
	bool caught = trap_catch(touch, arg, &info);

	if (caught && info.vector >= NR_VECTORS)
		trap_throw(info.vector);
	CHECK(caught != l->expect, "CPU %u %s page %u, which is %s", smp_index(),
	      caught ? "cannot reach" : "reaches", l->page, l->expect ? "there" : "not");
}

static void flush(void *arg)
{
	invlpg(va_of((u32)(u64)arg));
}

static void flush_all(u32 page)
{
	smp_run_all(flush, (void *)(u64)page);
}

static void set_words(u32 page, u64 value)
{
	u64 *words = pa_to_ptr(frames[page]);

	for (u32 i = 0; i < SMP_MAX_CPUS; i++)
		words[i] = value;
}

/* Take something away, flush everywhere, look everywhere; give it back. */
static void revoke(u32 page, u64 bit)
{
	u64 *entry = entry_of(page), before = *entry;
	struct look l = {.page = page, .write = bit == PTE_W, .value = page};

	__atomic_fetch_and(entry, ~bit, __ATOMIC_SEQ_CST);
	flush_all(page);
	smp_run_all(look, &l);
	*entry = before;
	flush_all(page);
	l.expect = true;
	smp_run_all(look, &l);
}

/* Another frame: nobody sees the old one any more. */
static void exchange(u32 page, u32 other)
{
	struct look l = {.page = page, .expect = true, .value = other};
	pa_t frame = frames[page];

	frames[page] = frames[other];
	frames[other] = frame;
	set_words(page, other);
	*entry_of(page) = frames[page].v | PTE_P | PTE_W;
	*entry_of(other) = frames[other].v | PTE_P | PTE_W;
	flush_all(page);
	flush_all(other);
	smp_run_all(look, &l);
	l = (struct look){.page = other, .write = true, .expect = true, .value = other};
	smp_run_all(look, &l);
	CHECK(*entry_of(other) & PTE_D, "page %u was written to and has no D bit", other);
	set_words(page, page);
	set_words(other, other);
}

static void make_pages(void)
{
	CHECK(space_create(&space) == 0, "no frames");
	for (u32 i = 0; i < PAGES; i++) {
		frames[i] = frame_alloc_zeroed();
		CHECK(frames[i].v != 0 &&
			      space_map(&space, (va_t){va_of(i)}, frames[i], PAGE_SIZE, PTE_W) == 0,
		      "no frames");
		set_words(i, i);
	}
}

static void free_pages(void)
{
	smp_run_all(load_space, &kernel_space);
	for (u32 i = 0; i < PAGES; i++)
		frame_free(frames[i]);
	space_destroy(&space);
}

/* Each round is some meetings of all CPUs. */
static void storm(u64 *state)
{
	struct smp_rounds r = {.rounds = ROUNDS, .least = 8, .ms = 1000};

	while (smp_next_round(&r)) {
		u32 page = (u32)random_below(state, PAGES);
		u32 what = (u32)random_below(state, 3);

		if (what == 2)
			exchange(page, (u32)(page + 1 + random_below(state, PAGES - 1)) % PAGES);
		else
			revoke(page, what == 1 ? PTE_W : PTE_P);
	}
}

/* Every CPU writes to every page at its own pace, while one clears A and D bits behind them: what
 * was written must be dirty, in the end. */
static void write_pages(void *arg)
{
	u64 state = 77 + smp_index();

	(void)arg;
	for (u32 i = 0; i < 20 * PAGES; i++) {
		u32 page = (u32)random_below(&state, PAGES);

		if (smp_index() == 0) {
			__atomic_fetch_and(entry_of(page), ~(PTE_A | PTE_D), __ATOMIC_SEQ_CST);
			invlpg(va_of(page));
			continue;
		}
		((volatile u64 *)va_of(page))[smp_index()] = page;
		invlpg(va_of(page));
	}
}

static void write_each(void *arg)
{
	(void)arg;
	for (u32 page = 0; page < PAGES; page++) {
		invlpg(va_of(page));
		((volatile u64 *)va_of(page))[smp_index()] = page;
	}
}

static void dirty_race(void)
{
	smp_run_all(write_pages, NULL);
	smp_run_all(write_each, NULL);
	for (u32 page = 0; page < PAGES; page++)
		CHECK((*entry_of(page) & (PTE_A | PTE_D)) == (PTE_A | PTE_D),
		      "page %u was written to: %#lx", page, *entry_of(page));
}

static void change(bool in)
{
	s64 answer = smp_change_all(in);

	CHECK(answer == 0, "the transition answered %ld", answer);
}

TEST_ON_REQUEST(smp_memory, "U7 M5 M6")
{
	u64 state = 0x736d70;

	smp_start();
	make_pages();
	smp_run_all(load_space, &space);
	for (u32 i = 0; i < CYCLES; i++) {
		storm(&state);
		dirty_race();
		change(true);
		storm(&state);
		dirty_race();
		change(false);
	}
	free_pages();
}
