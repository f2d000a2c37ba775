// SPDX-License-Identifier: MIT
/*
 * The first guest makes another one and ends for good, by handing the machine
 * over: what comes then is the other's (role=heir), down to the end of the
 * emulator. The words of its command line behind role=heir are in heir=, with
 * '+' for blanks; how its memory comes home is in how=, how many pages it has in
 * pages=, and with near=1 they are in each other's places, with pairs=1 each two in each other's.
 * With share=1 most of its pages share a frame by then. With cpus= there are others, which are
 * offline by then: since before anything was virtualized with native=1; the heir runs on the last
 * of them with there=1. With uplink=1 a network card is Vellum's. With vcpus= the heir has several,
 * which it leaves when it is asked to.
 */
#include "mini/cmdline.h"
#include "mini/cpu.h"
#include "mini/console.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/other.h"
#include "mini/pci.h"
#include "mini/smp.h"
#include "mini/tap.h"
#include "mini/tests/domains.h"
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
	while (answer = vl_call_hand_over(hypercall_page, domid, how), answer == -VL_EAGAIN)
		other_pass_time();
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

/* --- other CPUs --- */

static void put_others_offline(void)
{
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_put_offline(cpu);
}

static void begin_with_others(void)
{
	char one[2];

	if (!cmdline_get("cpus", one, sizeof(one)))
		return;
	smp_start();
	if (cmdline_get("native", one, sizeof(one)))
		put_others_offline();
	else
		CHECK(smp_change_all(true) == 0, "not virtualized");
}

/* Each guest goes to a CPU that has none yet. */
static void start_heir(struct other *g, const char *words)
{
	static const char *const names[] = {"in the way", "too"};
	char one[2];
	u64 in_the_way[ARRAY_SIZE(names)];
	u32 count = cmdline_get("there", one, sizeof(one)) ? smp_count() - 1 : 0;

	for (u32 i = 0; i < count; i++)
		in_the_way[i] = guest_make(names[i], 1);
	other_start(g, "heir", words);
	other_await_text(g, "the heir waits", LIMIT);
	for (u32 i = 0; i < count; i++)
		guest_destroy(in_the_way[i]);
}

/* Not while they are online. */
static void end_with_others(const struct other *g)
{
	char one[2];
	s64 answer;

	if (smp_count() == 1 || cmdline_get("native", one, sizeof(one)))
		return;
	answer = vl_call_hand_over(hypercall_page, g->domid, VL_REMAP_USUAL);
	CHECK(answer == -VL_EAGAIN, "hand_over with CPUs online answered %ld", answer);
	put_others_offline();
}

/* The machine changes hands while Vellum has a device, and uses it. */
static void give_card_away(void)
{
	static struct vl_pci_taken taken __attribute__((aligned(256)));
	static struct vl_uplink uplink __attribute__((aligned(128))) = {.bridge = "net0"};
	u32 function = pci_find_card();
	s64 answer;

	pci_write(function, PCI_COMMAND, PCI_DECODES);
	answer = vl_call_pci_take(hypercall_page, function, ptr_to_pa(&taken).v, sizeof(taken));
	CHECK(answer == 0, "pci_take answered %ld", answer);
	answer = vl_call_uplink(hypercall_page, function, VL_UPLINK_ON, ptr_to_pa(&uplink).v,
				sizeof(uplink));
	CHECK(answer == 0, "uplink answered %ld", answer);
}

TEST_ON_REQUEST(hand_over, "M19 U7")
{
	struct other *g = other(0);
	char words[256];
	u64 pages, vcpus = 1, seed = rdtsc() | 1;
	s64 answer;

	begin_with_others();
	print("# scattered by %lx\n", seed);
	other_scatter(seed, cmdline_get("near", words, sizeof(words))    ? OTHER_NEAR
			    : cmdline_get("pairs", words, sizeof(words)) ? OTHER_PAIRS
									 : OTHER_ANYWHERE);
	heirs_words(words, sizeof(words));
	if (cmdline_get_hex("pages", &pages))
		other_size(pages);
	if (cmdline_get_hex("vcpus", &vcpus))
		other_vcpus((u32)vcpus);
	start_heir(g, words);
	if (cmdline_get("share", words, sizeof(words)))
		share_pages();
	if (cmdline_get("uplink", words, sizeof(words)))
		give_card_away();
	end_with_others(g);
	answer = vcpus > 1 ? vl_call_hand_over(hypercall_page, g->domid, 0) : -VL_EAGAIN;
	CHECK(answer == -VL_EAGAIN, "hand_over to several vcpus answered %ld", answer);
	answer = hand_over(g->domid);
	test_fail("hand_over answered %ld", answer);
}
