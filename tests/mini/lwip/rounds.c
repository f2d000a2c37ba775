// SPDX-License-Identifier: MIT
#include "mini/lwip/rounds.h"

#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/exit.h"
#include "mini/lwip/dual.h"
#include "mini/lwip/services.h"
#include "mini/lwip/stack.h"
#include "mini/virtual.h"

#define STAY 20u /* ms */

static u64 wanted, stay = STAY, more, since, longest;
static u32 done, blocks; /* of the stream, at the last turn */

void rounds_start(void)
{
	char word[2];

	cmdline_get_hex("rounds", &wanted);
	cmdline_get_hex("stay", &stay);
	more = cmdline_get("io", word, sizeof(word)) ? VL_LAYER_IO : 0;
}

static void switch_mode(void)
{
	bool was = is_virtualized();
	s64 answer = was ? devirtualize() : virtualize(more);

	if (answer != 0 || is_virtualized() == was)
		panic("%svirtualize answered %ld", was ? "de" : "", answer);
	done += was;
}

/* The four states of a round follow each other; without `dual` there are two. */
static void turn(void)
{
	static bool has_lent;
	u64 begin = rdtsc(), took;

	if (dual_polls()) {
		dual_return();
	} else if (dual_is_wanted() && is_virtualized() && !has_lent) {
		dual_take();
		has_lent = true;
	} else {
		switch_mode();
		has_lent = false;
	}
	took = rdtsc() - begin;
	longest = took > longest ? took : longest;
}

bool rounds_step(void)
{
	bool under_way = stream_state.begun > stream_state.ended;

	if (done == wanted || !under_way || stack_ms() < since + stay ||
	    stream_state.blocks_in == blocks)
		return false;
	turn();
	since = stack_ms();
	blocks = stream_state.blocks_in;
	if (done == wanted)
		print("rounds: %u\n", done);
	return true;
}

u32 rounds_done(void)
{
	return done;
}

u64 rounds_longest(void)
{
	return longest;
}

u64 rounds_us(u64 ticks)
{
	return ticks * 1000 / stack_khz();
}
