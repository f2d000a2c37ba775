// SPDX-License-Identifier: MIT
/*
 * The first guest makes another one and ends for good, by handing the machine
 * over: what comes then is the other's (role=heir), down to the end of the
 * emulator. The words of its command line behind role=heir are in heir=, with
 * '+' for blanks.
 */
#include "mini/cmdline.h"
#include "mini/cpu.h"
#include "mini/console.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/other.h"
#include "mini/tap.h"
#include "public/errno.h"

#define LIMIT 4000u /* ms */

static void heirs_words(char *words, size_t size)
{
	static const char role[] = "role=heir seed=5eed ";
	size_t at = 0;

	for (; role[at] != 0; at++)
		words[at] = role[at];
	words[at] = 0;
	if (!cmdline_get("heir", words + at, size - at))
		return;
	for (; words[at] != 0; at++)
		if (words[at] == '+')
			words[at] = ' ';
}

static s64 hand_over(u64 domid)
{
	s64 answer;

	do
		answer = vl_call_hand_over(hypercall_page, domid);
	while (answer == -VL_EAGAIN);
	return answer;
}

TEST_ON_REQUEST(hand_over, "M19")
{
	struct other *g = other(0);
	char words[256];
	s64 answer;

	heirs_words(words, sizeof(words));
	other_scatter(rdtsc() | 1);
	other_start(g, "heir", words);
	other_await_text(g, "the heir waits", LIMIT);
	answer = hand_over(g->domid);
	test_fail("hand_over answered %ld", answer);
}
