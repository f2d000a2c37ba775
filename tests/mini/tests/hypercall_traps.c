// SPDX-License-Identifier: MIT
/*
 * Traps that come while a hypercall runs and are the guest's own: single
 * steps, and NMIs. Only somebody outside can send NMIs at the right moment
 * (tests/emu/panic.py), who says so by the word `nmi` on the command line: the
 * guest makes its calls and reports how many NMIs came with each.
 */
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/tap.h"
#include "mini/traps.h"
#include "mini/tests/hypercall_probe.h"
#include "mini/virtual.h"

#define CALLS    12
#define CANARY   0xc0ffee0000000000ull
#define IN_PAGE  ((u64)VL_HYPERCALL_DATA_OFFSET)
#define SLOT     ((u64)1 << 39)
#define SLOTS_VA 0xffff800000000000ull /* of slot VL_FIRST_SLOT */
#define DR6_NONE 0xffff0ff0

static u8 page[PAGE_SIZE] __attribute__((aligned(4096)));
static volatile u32 nmis;
static volatile u32 steps, steps_in_page, foreign_steps;

static void count_nmi(const struct trap_frame *frame)
{
	(void)frame;
	nmis++;
}

static void count_step(const struct trap_frame *frame)
{
	steps++;
	if (frame->rip - (u64)hypercall_page < IN_PAGE)
		steps_in_page++;
	if (frame->rip - SLOTS_VA < VL_MAX_SLOTS * SLOT)
		foreign_steps++;
}

static void check_call(u64 flags)
{
	struct hypercall_probe p = {
		.arg = {VL_CALL_HV_INFO, ptr_to_pa(page).v, sizeof(page), 3, 4, 5},
		.rflags = RFLAGS_FIXED | flags,
	};

	for (u64 i = 0; i < ARRAY_SIZE(p.kept); i++)
		p.kept[i] = CANARY + i;
	hypercall_probe(&p);
	CHECK(p.result == sizeof(struct vl_hv_info), "the result is %ld", (s64)p.result);
	CHECK((p.rflags & flags) == flags, "RFLAGS %#lx, %#lx before", p.rflags, flags);
	for (u64 i = 0; i < ARRAY_SIZE(p.kept) - 1; i++)
		CHECK(p.kept[i] == CANARY + i, "callee-saved register %lu is %#lx", i, p.kept[i]);
}

TEST(nmi_during_hypercall, "I1 I3")
{
	char word[2];

	if (!cmdline_get("nmi", word, sizeof(word)))
		test_skip("nobody sends NMIs (no `nmi` on the command line)");
	trap_set_handler(TRAP_NMI, count_nmi);
	for (u32 i = 0; i < CALLS; i++) {
		u32 before = nmis;

		check_call(0);
		print("# call %u: %u NMIs\n", i, nmis - before);
	}
	trap_set_handler(TRAP_NMI, NULL);
}

/* One NMI comes with each, sooner or later. */
TEST_ON_REQUEST(nmi_during_transition, "I1 I3 M9")
{
	u64 count;

	if (!cmdline_get_hex("nmis", &count))
		test_skip("nobody sends NMIs (no `nmis=` on the command line)");
	trap_set_handler(TRAP_NMI, count_nmi);
	for (u64 i = 0; i < count; i++) {
		CHECK(virtualize(0) == 0, "into transition %lu", i);
		interrupts_off(); /* an exit: what waits is delivered */
		CHECK(devirtualize() == 0, "out of transition %lu", i);
		CHECK(nmis == i + 1, "%u NMIs came after number %lu", nmis, i);
	}
	trap_set_handler(TRAP_NMI, NULL);
}

/* A debugger steps over a call: the steps inside are Vellum's to suppress, not to die of. */
TEST(hypercall_single_step, "I1 I3")
{
	trap_set_handler(TRAP_DB, count_step);
	steps = steps_in_page = foreign_steps = 0;
	check_call(RFLAGS_TF);
	trap_set_handler(TRAP_DB, NULL);
	write_dr6(DR6_NONE);
	CHECK(steps > 0 && steps_in_page > 0, "%u steps, %u in the page", steps, steps_in_page);
	CHECK(foreign_steps == 0, "%u steps in Vellum", foreign_steps);
}
