// SPDX-License-Identifier: MIT
/*
 * Interrupts and page faults of the guest around many hypercalls: nothing is
 * lost, nothing arrives inside Vellum, what was pending comes right after.
 */
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/hypercall.h"
#include "mini/image.h"
#include "mini/irq.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/tap.h"
#include "mini/tests/expect.h"
#include "mini/timer.h"
#include "mini/virtual.h"

#define TEST_VA  0x0000000040000000ul
#define HZ       2000u
#define TICKS    400u
#define MS_LIMIT 20000u /* 100 times as long as they should take */

static u8 page[PAGE_SIZE] __attribute__((aligned(4096)));

static bool is_own_text(u64 rip)
{
	return rip >= (u64)image_start && rip < (u64)text_end;
}

TEST(interrupts_during_hypercalls, "I1 I3")
{
	u64 limit = rdtsc() + tsc_per_ms() * MS_LIMIT;
	u64 calls = 0, seen = 0;

	timer_start(HZ);
	interrupts_on();
	while (seen < TICKS) {
		s64 r = vl_call_hv_info(hypercall_page, ptr_to_pa(page).v, sizeof(page));

		CHECK(r == sizeof(struct vl_hv_info), "call %lu: %ld", calls, r);
		CHECK(rdtsc() < limit, "%lu ticks in %u ms and %lu calls", seen, MS_LIMIT, calls);
		calls++;
		if (timer_ticks() == seen)
			continue;
		seen = timer_ticks();
		CHECK(is_own_text(timer_last_rip()), "a tick interrupted %#lx", timer_last_rip());
	}
	interrupts_off();
	timer_stop();
}

/* With interrupts off over the call, a tick that falls due stays pending, and comes at `sti`. */
TEST(interrupts_pending_over_hypercall, "I1 I3")
{
	for (int i = 0; i < 20; i++) {
		u64 limit = rdtsc() + tsc_per_ms() * 1000;

		timer_start_once(200);
		while (!irq_is_pending(IRQ_TIMER)) {
			CHECK(rdtsc() < limit, "no tick became pending");
			vl_call_version(hypercall_page);
			CHECK(!interrupts_are_on(), "interrupts are on after a call");
		}
		vl_call_hv_info(hypercall_page, ptr_to_pa(page).v, sizeof(page));
		CHECK(timer_ticks() == 0, "the tick came in with interrupts off");
		CHECK(irq_is_pending(IRQ_TIMER), "the call lost the pending tick");
		asm volatile("sti; nop; cli" ::: "memory");
		CHECK(timer_ticks() == 1, "%lu ticks after sti", timer_ticks());
		timer_stop();
	}
}

/* Interrupts are on before, and one falls due within the call: it comes before the next
 * instructions of the caller. The call is made by a loop that turns them on just for it. */
TEST(interrupts_right_after_hypercall, "I1 I3")
{
	for (int i = 0; i < 20; i++) {
		u64 limit = rdtsc() + tsc_per_ms() * 1000;

		timer_start_once(200);
		while (!irq_is_pending(IRQ_TIMER))
			CHECK(rdtsc() < limit, "no tick became pending");
		/* `sti` holds interrupts off for one more instruction: the call itself. */
		asm volatile("xor %%edi, %%edi\n\t"
			     "sti\n\t"
			     "call hypercall_page\n\t"
			     "cli" ::
				     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
				       "memory", "cc");
		CHECK(timer_ticks() == 1, "%lu ticks after the call", timer_ticks());
		CHECK(is_own_text(timer_last_rip()), "the tick interrupted %#lx", timer_last_rip());
		timer_stop();
	}
}

TEST(page_faults_between_hypercalls, "I1 I3 M1")
{
	struct space space;
	pa_t frame = frame_alloc_zeroed();

	CHECK(frame.v != 0 && space_create(&space) == 0, "no frames");
	space_load(&space);
	timer_start(HZ);
	interrupts_on();
	for (u64 i = 0; i < 1000; i++) {
		expect_write_fault((va_t){TEST_VA}, PF_W);
		CHECK(vl_call_version(hypercall_page) >= 0, "version failed");
		CHECK(space_map(&space, (va_t){TEST_VA}, frame, PAGE_SIZE, PTE_W) == 0, "map");
		*(volatile u64 *)TEST_VA = i;
		CHECK(vl_call_version(hypercall_page) >= 0, "version failed");
		CHECK(*(volatile u64 *)pa_to_ptr(frame) == i, "round %lu: the store was lost", i);
		CHECK(space_unmap(&space, (va_t){TEST_VA}) == 0, "unmap");
	}
	interrupts_off();
	timer_stop();
	space_load(&kernel_space);
	space_destroy(&space);
	frame_free(frame);
}
