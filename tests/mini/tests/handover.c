// SPDX-License-Identifier: MIT
/*
 * The first guest makes another one and ends for good, by handing the machine
 * over: what comes then is the other's (role=heir), down to the end of the
 * emulator. The words of its command line behind role=heir are in heir=, with
 * '+' for blanks; how its memory comes home is in how=, how many pages it has in
 * pages=, and with near=1 they are in each other's places. With share=1 most of its
 * pages share a frame by then.
 */
#include "mini/cmdline.h"
#include "mini/cpu.h"
#include "mini/console.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/other.h"
#include "mini/tap.h"
#include "mini/timer.h"
#include "public/errno.h"

#define LIMIT 4000u /* ms */
#define RATE  200000u
#define FEW   300u /* pages that share, at least */

static struct vl_share_info info __attribute__((aligned(128)));

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
	u64 how = VL_REMAP_USUAL;
	s64 answer;

	cmdline_get_hex("how", &how);
	do
		answer = vl_call_hand_over(hypercall_page, domid, how);
	while (answer == -VL_EAGAIN);
	return answer;
}

static s64 share(u64 how, u64 rate)
{
	return vl_call_share(hypercall_page, how, rate, ptr_to_pa(&info).v, sizeof(info));
}

static void share_pages(void)
{
	u64 deadline = rdtsc() + LIMIT * tsc_per_ms();
	s64 answer = share(VL_SHARE_ON, RATE);

	CHECK(answer == 0, "share answered %ld", answer);
	while (share(VL_SHARE_KEEP, 0) == 0 && (info.passes < 2 || info.pages < FEW)) {
		CHECK(rdtsc() < deadline, "%lu pages share, after %lu passes", info.pages,
		      info.passes);
		timer_start_once(2000);
		interrupts_on_and_halt();
		interrupts_off();
	}
	print("# share: the heir has %lu pages in %lu frames\n", info.pages, info.frames);
}

TEST_ON_REQUEST(hand_over, "M19")
{
	struct other *g = other(0);
	char words[256];
	u64 pages;
	s64 answer;

	other_scatter(rdtsc() | 1, cmdline_get("near", words, sizeof(words)));
	heirs_words(words, sizeof(words));
	if (cmdline_get_hex("pages", &pages))
		other_size(pages);
	other_start(g, "heir", words);
	other_await_text(g, "the heir waits", LIMIT);
	if (cmdline_get("share", words, sizeof(words)))
		share_pages();
	answer = hand_over(g->domid);
	test_fail("hand_over answered %ld", answer);
}
