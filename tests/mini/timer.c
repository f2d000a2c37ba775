// SPDX-License-Identifier: MIT
/*
 * The PIT: channel 0 for ticks by interrupt, channel 2 for measuring the TSC,
 * which needs no interrupt.
 */
#include "mini/timer.h"

#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/irq.h"
#include "mini/memory.h"
#include "mini/ticks.h"

#define PIT_HZ         1193182u
#define PIT_CHANNEL0   0x40
#define PIT_CHANNEL2   0x42
#define PIT_MODE       0x43
#define MODE_PERIODIC0 0x34 /* channel 0, both bytes, mode 2 */
#define MODE_ONCE0     0x30 /* channel 0, both bytes, mode 0 */
#define MODE_ONCE2     0xb0 /* channel 2, both bytes, mode 0 */
#define GATE_PORT      0x61
#define GATE_ON        0x01
#define GATE_SPEAKER   0x02
#define GATE_OUT       0x20 /* channel 2 has counted down */
#define MEASURE_MS     4u   /* what two accesses that trap take is a percent of it in Bochs */
#define MEASURE_TIMES  25

static volatile u64 ticks;
static volatile u64 last_rip;

u64 timer_ticks(void)
{
	return ticks;
}

u64 timer_last_rip(void)
{
	return last_rip;
}

void ticks_reset(void)
{
	ticks = 0;
	last_rip = 0;
}

void ticks_count(const struct trap_frame *frame)
{
	ticks++;
	last_rip = frame->rip;
}

static void set_counter(u16 channel, u8 mode, u32 count)
{
	out8(PIT_MODE, mode);
	out8(channel, (u8)count);
	out8(channel, (u8)(count >> 8));
}

void timer_start(u32 hz)
{
	timer_stop();
	ticks_reset();
	set_counter(PIT_CHANNEL0, MODE_PERIODIC0, PIT_HZ / hz);
	irq_set_handler(IRQ_TIMER, ticks_count);
}

void timer_start_once(u32 us)
{
	timer_stop();
	ticks_reset();
	set_counter(PIT_CHANNEL0, MODE_ONCE0, (u32)((u64)PIT_HZ * us / 1000000) + 1);
	irq_set_handler(IRQ_TIMER, ticks_count);
}

void timer_stop(void)
{
	irq_set_handler(IRQ_TIMER, NULL);
	/* Mode 0 without a count: the channel stays quiet. */
	out8(PIT_MODE, MODE_ONCE0);
	irq_drain(IRQ_TIMER);
}

static u64 measure(void)
{
	u64 start;
	u8 gate = in8(GATE_PORT) & (u8) ~(GATE_ON | GATE_SPEAKER);

	out8(GATE_PORT, gate);
	set_counter(PIT_CHANNEL2, MODE_ONCE2, PIT_HZ / 1000 * MEASURE_MS);
	start = rdtsc();
	out8(GATE_PORT, gate | GATE_ON);
	while (!(in8(GATE_PORT) & GATE_OUT))
		;
	return (rdtsc() - start) / MEASURE_MS;
}

u64 tsc_per_ms(void)
{
	static u64 least = ~(u64)0;
	static int measured;

	/* An emulator may be held up in a measurement, which makes it too long: try often. */
	for (; measured < MEASURE_TIMES; measured++)
		least = min_u64(least, measure());
	return least;
}

u64 tsc_per_ms_told(void)
{
	static struct vl_hv_info info __attribute__((aligned(256)));

	if (info.tsc_khz == 0)
		vl_call_hv_info(hypercall_page, ptr_to_pa(&info).v, sizeof(info));
	return info.tsc_khz;
}

void delay_ms(u32 ms)
{
	u64 end = rdtsc() + tsc_per_ms() * ms;

	while (rdtsc() < end)
		;
}
