// SPDX-License-Identifier: MIT
/*
 * The heir while its memory comes home live (mini/live.h). Words of its command
 * line: live=1; bound=HEX, the ticks of the TSC for which it may stand still at
 * most; fail=1, each step and allocation of a piece fails once (debug builds);
 * stop=1, it has the moves stopped half-way, and goes on in another mode.
 */
#include "mini/live.h"

#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/exit.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/timer.h"
#include "mini/virtual.h"
#include "public/errno.h"

#define STEP         64u /* bytes from one word that is looked at to the next */
#define FACTOR       0x9e3779b97f4a7c15ul
#define LOOK_EVERY   64u  /* pages, between two questions whether it is over */
#define SPARE        256u /* pages that are left to others */
#define LAST_FAILURE 12u
#define STEPS        3u /* of a piece, which are the first to fail */
#define NO_FAILURES  (~(u64)0)
#define STILL        4096u /* pages that are changed while nothing moves */

static struct vl_home_info home __attribute__((aligned(256)));
static struct {
	u8 *at;
	u64 pages;
	u64 next;    /* page */
	u64 round;   /* that its words are of, below `next` one more */
	u64 changed; /* pages */
	u64 last, longest;
	u64 fails; /* the failpoint */
	u64 pieces;
} area;

static s64 ask(u64 how)
{
	s64 answer = vl_call_home(hypercall_page, how, ptr_to_pa(&home).v, sizeof(home));

	if (answer < 0)
		panic("home answered %ld", answer);
	return answer;
}

static u64 word(const u64 *at, u64 round)
{
	return ((u64)at + round) * FACTOR;
}

static void let_interrupts_in(void)
{
	interrupts_on();
	interrupts_off();
}

static void take_area(void)
{
	area.pages = frames_free() - SPARE;
	do
		area.at = pa_to_ptr(frame_alloc_row(--area.pages, (pa_t){0}, (pa_t){4 * GIB}));
	while (ptr_to_pa(area.at).v == 0);
	for (u64 i = 0; i < area.pages; i++) {
		u64 *p = (u64 *)(area.at + i * PAGE_SIZE);

		for (u64 k = 0; k < PAGE_SIZE / sizeof(u64); k += STEP / sizeof(u64))
			p[k] = word(&p[k], 0);
		let_interrupts_in();
	}
}

static void note_time(void)
{
	u64 now = rdtsc();

	area.longest = max_u64(area.longest, now - area.last);
	area.last = now;
}

static void change_page(void)
{
	u64 *p = (u64 *)(area.at + area.next * PAGE_SIZE), *end = p + PAGE_SIZE / sizeof(u64);

	for (; p < end; p += STEP / sizeof(u64)) {
		if (*(volatile u64 *)p != word(p, area.round))
			panic("%p has %#lx in round %lu", (void *)p, *p, area.round);
		*p = word(p, area.round + 1);
	}
	area.changed++;
	if (++area.next == area.pages) {
		area.next = 0;
		area.round++;
	}
	note_time();
	let_interrupts_in();
}

static void change_pages(u64 count)
{
	for (u64 i = 0; i < count; i++)
		change_page();
}

/* Owners are collected anew, which needs memory. */
static void change_owners(void)
{
	u64 owners = home.how & VL_REMAP_OWNERS;

	if (owners != VL_REMAP_SEARCH)
		ask(home.how ^ VL_REMAP_BACKMAP ^ VL_REMAP_REFCOUNT);
}

/* The next one, once a piece was made since the last was set. */
static void set_failure(void)
{
	if (area.fails >= LAST_FAILURE || home.pieces == area.pieces)
		return;
	area.pieces = home.pieces;
	if (vl_call_set_failpoint(hypercall_page, area.fails++) != 0)
		panic("no failpoints");
	if (area.fails > STEPS + 1)
		change_owners();
}

/* Half-way; nothing moves then until it is told to, by exchange if it was not so far, else not. */
static void stop_and_go(void)
{
	u64 how = home.how, left;

	left = (u64)ask((how & ~(u64)VL_REMAP_LIVE) | VL_HOME_STOP);
	change_pages(STILL);
	if ((u64)ask(VL_HOME_KEEP) != left)
		panic("%lu pages were away when it stopped, %lu are", left, home.left);
	print("# live: stopped with %lu of %lu pages away\n", left, home.pages);
	how = (how & VL_REMAP_MODE) == VL_REMAP_DIRECT
		      ? how - VL_REMAP_DIRECT + VL_REMAP_INDIRECT
		      : (how & ~(u64)VL_REMAP_MODE) | VL_REMAP_DIRECT;
	ask(how);
	area.last = rdtsc();
}

static void tell(void)
{
	u64 bound = 0;

	print("# live: of %lu pages %lu copied, %lu moved aside, %lu exchanged, in %lu pieces, "
	      "%lu failed\n",
	      home.pages, home.copied, home.evacuated, home.exchanged, home.pieces, home.failures);
	print("# live: %lu ticks, %lu of them in pieces, at most %lu in one\n",
	      home.now - home.begun, home.total, home.longest);
	print("# live: meanwhile %lu of %lu pages were changed, in %lu rounds, and none for %lu "
	      "ticks at most\n",
	      area.changed, area.pages, area.round, area.longest);
	if (cmdline_get_hex("bound", &bound) && area.longest > bound)
		panic("it stood still for %lu ticks", area.longest);
	if (home.phase != VL_HOME_DONE || home.left != 0)
		panic("phase %u, %lu pages are left", home.phase, home.left);
	if (area.fails != NO_FAILURES && home.failures < STEPS)
		panic("%lu failures of %lu", home.failures, area.fails);
	if (area.changed < home.pieces)
		panic("it hardly ran");
}

/* All once more: as it was left. */
static void check_all(void)
{
	u64 end = area.round + (area.next != 0), begin = rdtsc();

	while (area.round < end || area.next != 0)
		change_page();
	change_pages(area.pages);
	print("# live: %lu ticks a page when nothing moves\n", (rdtsc() - begin) / area.pages);
}

void live_begin(void)
{
	take_area();
}

/* Vellum's timer, by which it moves pages, stands on them. */
static void keep_interrupts(void)
{
	s64 answer = vl_call_devirtualize(hypercall_page, VL_LAYER_INTERRUPTS, 0);

	if (answer != -VL_EBUSY)
		panic("to devirtualize interrupts got %ld", answer);
}

void live_home(void)
{
	char one[2];
	bool stops = cmdline_get("stop", one, sizeof(one)), asked = false;

	area.fails = cmdline_get("fail", one, sizeof(one)) ? 1 : NO_FAILURES;
	if (ask(VL_HOME_KEEP) != 0)
		keep_interrupts();
	area.last = rdtsc();
	while (!asked) {
		change_pages(LOOK_EVERY);
		asked = vl_call_control_read(hypercall_page) == VL_ASKED_TO_TAKE;
		if (ask(VL_HOME_KEEP) == 0)
			continue;
		set_failure();
		if (stops && home.left < home.pages / 2) {
			stop_and_go();
			stops = false;
		}
	}
	ask(VL_HOME_KEEP);
	vl_call_set_failpoint(hypercall_page, 0);
}

void live_check(void)
{
	tell();
	check_all();
}
