// SPDX-License-Identifier: MIT
/*
 * Interrupts reach the guest's own handlers at the rate that was asked for.
 */
#include "mini/timer.h"

#include "mini/cpu.h"
#include "mini/irq.h"
#include "mini/tap.h"

#define HZ         200u
#define TICKS      40u
#define MS_TOO_FEW (TICKS * 1000 / HZ / 3)
#define MS_LIMIT   10000u /* emulators on a busy host lose ticks, but not all of them */

/* Halt until `count` ticks have come; how many milliseconds that took. */
static u64 wait_for_ticks(u64 count)
{
	u64 start = rdtsc(), limit = start + tsc_per_ms() * MS_LIMIT;

	while (timer_ticks() < count) {
		CHECK(rdtsc() < limit, "%lu of %lu ticks in %u ms", timer_ticks(), count, MS_LIMIT);
		interrupts_on_and_halt();
		interrupts_off();
	}
	return (rdtsc() - start) / tsc_per_ms();
}

TEST(timer_ticks, "I3 I8")
{
	u64 ms;

	tsc_per_ms();
	timer_start(HZ);
	ms = wait_for_ticks(TICKS);
	timer_stop();
	CHECK(ms >= MS_TOO_FEW, "%u ticks at %u Hz took %lu ms", TICKS, HZ, ms);
}

TEST(timer_masked, "I3 I8")
{
	u64 limit = rdtsc() + tsc_per_ms() * MS_LIMIT;

	timer_start_once(1000);
	while (!irq_is_pending(IRQ_TIMER))
		CHECK(rdtsc() < limit, "no tick is pending after %u ms", MS_LIMIT);
	CHECK(timer_ticks() == 0, "%lu ticks with interrupts off", timer_ticks());
	interrupts_on();
	asm volatile("nop");
	interrupts_off();
	CHECK(timer_ticks() == 1, "the pending tick did not come");
	timer_stop();
}

TEST(timer_once, "I3 I8")
{
	timer_start_once(2000);
	wait_for_ticks(1);
	interrupts_on();
	delay_ms(20);
	interrupts_off();
	timer_stop();
	CHECK(timer_ticks() == 1, "%lu ticks", timer_ticks());
}

TEST(timer_apic, "I3 I8")
{
	u64 ms;

	if (!apic_timer_start(HZ))
		test_skip("no local APIC");
	ms = wait_for_ticks(TICKS);
	apic_timer_stop();
	CHECK(ms >= MS_TOO_FEW, "%u ticks at %u Hz took %lu ms", TICKS, HZ, ms);
}
