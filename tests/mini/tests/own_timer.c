// SPDX-License-Identifier: MIT
/*
 * Vellum's own timer across devirtualizations that fail: it has to be off when
 * the guest gets the hardware back, and must go on when it does not. With
 * `own_timer` on the command line Vellum was started with own_timer=.
 */
#include "mini/apic.h"
#include "mini/cmdline.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/segments.h"
#include "mini/tap.h"
#include "mini/timer.h"
#include "mini/virtual.h"

#define WANT       5 /* interrupts, of which there are thousands in a second */
#define MS_LIMIT   5000u
#define MANY_STEPS 100

static struct vl_domain_counters counters __attribute__((aligned(256)));

_Static_assert(sizeof(counters) <= 256, "in one page");

static u64 interrupts(void)
{
	s64 answer = vl_call_domain_counters(hypercall_page, VL_DOMID_SELF, ptr_to_pa(&counters).v,
					     sizeof(counters));

	CHECK(answer == sizeof(counters), "domain_counters answered %ld", answer);
	return counters.exits_interrupt;
}

/* Nothing else interrupts here. */
static void check_timer(const char *when, u64 which)
{
	u64 limit = rdtsc() + tsc_per_ms() * MS_LIMIT, first = interrupts();

	while (interrupts() < first + WANT)
		CHECK(rdtsc() < limit, "%s %lu: Vellum's timer stands still", when, which);
}

static s64 devirtualize_without(u16 selector)
{
	u16 limit;
	u64 *gdt = segments_gdt(&limit);
	u64 before = gdt[selector / 8];
	s64 answer;

	gdt[selector / 8] = 0;
	answer = vl_call_devirtualize(hypercall_page, VL_LAYER_ALL, 0);
	gdt[selector / 8] = before;
	return answer;
}

/* Each step of taking these layers off fails once; a release build has no failpoints. */
static void fail_each(u64 layers)
{
	for (u64 step = 1; vl_call_set_failpoint(hypercall_page, step) == 0; step++) {
		s64 answer = devirtualize_layers(layers);

		CHECK(step < MANY_STEPS, "failpoints without end");
		if (answer == 0)
			break;
		CHECK(answer == -VL_EIO, "failpoint %lu answered %ld", step, answer);
		check_timer("behind failpoint", step);
	}
}

TEST(own_timer_after_failure, "I8 I10")
{
	char value[2];
	s64 answer;

	if (!cmdline_get("own_timer", value, sizeof(value)))
		test_skip("Vellum has no timer of its own on");
	if (!apic_enable())
		test_skip("no local APIC");
	if (!is_virtualized())
		CHECK(virtualize(0) == 0, "virtualize failed");
	check_timer("virtualized", 0);
	answer = devirtualize_without(KERNEL_CS);
	CHECK(answer == -VL_EFAULT, "without a code segment it answered %ld", answer);
	check_timer("without segment", KERNEL_CS);
	fail_each(VL_LAYER_INTERRUPTS);
	if (interrupts(), !(counters.layers & VL_LAYER_INTERRUPTS))
		CHECK(virtualize_layers(VL_LAYER_INTERRUPTS) == 0, "the layer came not back");
	check_timer("with the layer again", 0);
	fail_each(VL_LAYER_ALL);
	if (is_virtualized())
		CHECK(devirtualize() == 0, "devirtualize failed");
}
