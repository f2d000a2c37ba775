// SPDX-License-Identifier: MIT
/*
 * The layer of I/O comes and goes: what PIT and clock show goes on as if it
 * had not, and each of their interrupts comes once.
 */
#include "mini/tests/io.h"

#include "lib/string.h"
#include "mini/cmdline.h"
#include "mini/hypercall.h"
#include "mini/irq.h"
#include "mini/memory.h"
#include "mini/rtc.h"
#include "mini/tap.h"
#include "mini/timer.h"
#include "mini/virtual.h"
#include "mini/tests/random.h"

#define BASIC       (VL_LAYER_CPU | VL_LAYER_INTERRUPTS)
#define HZ          1000u
#define PERIOD      (PIT_HZ / HZ)
#define SWITCHES    1000u
#define MS_LIMIT    5000u
#define RTC_HZ      256u /* debug builds may take a millisecond for a switch */
#define RTC_SLOW    0x28
#define GATE_2      0x01
#define READ_STATUS 0xe0
#define BIT(n)      ((u8)(1u << (n)))
#define MANY_STEPS  20u

static struct vl_domain_counters counters __attribute__((aligned(256)));

const struct vl_domain_counters *io_counters(void)
{
	s64 answer = vl_call_domain_counters(hypercall_page, VL_DOMID_SELF, ptr_to_pa(&counters).v,
					     sizeof(counters));

	CHECK(answer == sizeof(counters), "domain_counters answered %ld", answer);
	return &counters;
}

bool io_is_on(void)
{
	return (io_counters()->layers & VL_LAYER_IO) != 0;
}

void io_set(bool on)
{
	s64 answer = on ? virtualize_layers(VL_LAYER_IO) : devirtualize_layers(VL_LAYER_IO);

	CHECK(answer == 0, "layer of I/O %s: %ld", on ? "on" : "off", answer);
}

void io_begin(void)
{
	s64 answer = is_virtualized() ? devirtualize() : 0;

	if (answer == 0)
		answer = virtualize_layers(VL_LAYER_ALL);
	CHECK(answer == 0, "virtualize answered %ld", answer);
}

void io_end(void)
{
	CHECK(devirtualize() == 0 && !is_virtualized(), "still virtualized");
}

u16 io_pit_count(u32 counter)
{
	u16 low;

	out8(PIT_CONTROL, (u8)(counter << 6));
	low = in8((u16)(PIT_COUNTER + counter));
	return (u16)(low | in8((u16)(PIT_COUNTER + counter)) << 8);
}

static void pit_program(u32 counter, u8 mode, u16 count)
{
	out8(PIT_CONTROL, (u8)(counter << 6 | 0x30 | (u32)mode << 1));
	out8((u16)(PIT_COUNTER + counter), (u8)count);
	out8((u16)(PIT_COUNTER + counter), (u8)(count >> 8));
}

static u8 pit_status(u32 counter)
{
	out8(PIT_CONTROL, (u8)(READ_STATUS | 2u << counter));
	return in8((u16)(PIT_COUNTER + counter));
}

static u64 clock_passed;
static u16 clock_last;

/* Counter 2 goes down from 65536 and begins anew. */
void io_clock_start(void)
{
	out8(PIT_GATE, (in8(PIT_GATE) & 0xfc) | GATE_2);
	pit_program(2, 2, 0);
	while (io_pit_count(2) == 0) /* until it is loaded */
		;
	clock_last = io_pit_count(2);
	clock_passed = 0;
}

u64 io_clock(void)
{
	u16 now = io_pit_count(2);

	clock_passed += (u16)(clock_last - now);
	clock_last = now;
	return clock_passed;
}

/* --- which layers fit --- */

static void refuses(s64 (*call)(u64), u64 layers, s64 want)
{
	u32 before = io_counters()->layers;
	s64 answer = call(layers);

	CHECK(answer == want, "layers %#lx on %#x: %ld, not %ld", layers, before, answer, want);
	CHECK(io_counters()->layers == before, "layers are %#x, were %#x", counters.layers, before);
}

TEST(io_layer, "I10 I8")
{
	u64 before;

	if (is_virtualized())
		io_end();
	refuses(virtualize_layers, VL_LAYER_IO, -VL_EINVAL);
	refuses(virtualize_layers, VL_LAYER_CPU | VL_LAYER_IO, -VL_EINVAL);
	refuses(virtualize_layers, VL_LAYER_ALL | VL_LAYER_IO | VL_DEBUG_IOPL3, -VL_EOPNOTSUPP);
	CHECK(virtualize_layers(VL_LAYER_CPU) == 0, "virtualize");
	refuses(virtualize_layers, VL_LAYER_IO, -VL_EINVAL);
	refuses(devirtualize_layers, VL_LAYER_IO, -VL_EINVAL);
	CHECK(virtualize_layers(VL_LAYER_INTERRUPTS | VL_LAYER_IO) == 0, "both at once");
	refuses(virtualize_layers, VL_LAYER_IO, -VL_EBUSY);
	refuses(devirtualize_layers, VL_LAYER_INTERRUPTS, -VL_EBUSY);
	refuses(devirtualize_layers, BASIC, -VL_EBUSY);
	CHECK(virtualize_layers(VL_LAYER_MEMORY) == 0, "memory behind I/O");
	CHECK(devirtualize_layers(VL_LAYER_IO | VL_LAYER_MEMORY) == 0, "two off");
	CHECK(io_counters()->layers == BASIC, "layers are %#x", counters.layers);
	before = counters.io_accesses;
	in8(PIT_GATE);
	CHECK(io_counters()->io_accesses == before, "accesses are counted without the layer");
	io_set(true);
	in8(PIT_GATE);
	CHECK(io_counters()->io_accesses == before + 1, "%lu accesses",
	      counters.io_accesses - before);
	io_end();
	CHECK(virtualize_layers(VL_LAYER_ALL | VL_LAYER_IO) == 0, "all at once");
	CHECK(io_is_on(), "layers are %#x", counters.layers);
	io_end();
}

/* --- registers --- */

#define NR_SHOWN 160

/* The clock's registers that stand still, the interrupt enables, the memory; of the PIT modes and
 * the gate. */
static u32 show(u8 *shown)
{
	u32 n = 0;

	for (u8 reg = 0; reg < 128; reg++)
		if (reg > RTC_C || (reg < 6 && reg % 2 != 0) || reg == RTC_B)
			shown[n++] = rtc_read(reg);
	shown[n++] = rtc_read(RTC_A) & 0x7f;
	for (u32 i = 0; i < 3; i++)
		shown[n++] = pit_status(i) & 0x3f;
	shown[n++] = in8(PIT_GATE) & 0x0f;
	for (u16 reg = 1; reg < 8; reg++) /* of the serial port */
		if (reg != 5)
			shown[n++] = in8((u16)(0x3f8 + reg));
	return n;
}

static void same(const u8 *a, const u8 *b, u32 n, const char *when)
{
	for (u32 i = 0; i < n; i++)
		CHECK(a[i] == b[i], "value %u was %#x, is %#x %s", i, a[i], b[i], when);
}

TEST(io_registers, "I8 I10")
{
	static u8 before[NR_SHOWN], during[NR_SHOWN], after[NR_SHOWN];
	u32 n;

	io_begin();
	pit_program(0, 3, 0);
	n = show(before);
	io_set(true);
	show(during);
	same(before, during, n, "with the layer");
	io_set(false);
	show(after);
	same(before, after, n, "behind the layer");
	io_end();
	show(after);
	same(before, after, n, "in passthrough");
	timer_stop();
}

/* What was written before the layer, with it and behind it is read in each other. */
TEST(io_registers_written, "I8 I10")
{
	u8 alarm = rtc_read(1);

	io_begin();
	for (u32 i = 0; i < 6; i++) {
		rtc_write(1, (u8)(0x10 + i));
		out8(0x3ff, (u8)(0xa0 + i));
		pit_program(2, (u8)(i % 4), (u16)(1000 + i));
		io_set(i % 2 == 0);
		CHECK(rtc_read(1) == 0x10 + i, "the alarm is %#x, not %#x", rtc_read(1), 0x10 + i);
		CHECK(in8(0x3ff) == 0xa0 + i, "the scratch register is %#x", in8(0x3ff));
		CHECK((pit_status(2) & 0x3f) == (0x30 | i % 4 << 1), "counter 2 is %#x",
		      pit_status(2));
	}
	rtc_write(1, alarm);
	io_end();
}

/* The clock's index, which nobody can read, is in the hardware and in the model in turn. */
TEST(io_rtc_index, "I8 I10")
{
	u8 b, d;

	io_begin();
	b = rtc_read(RTC_B);
	d = rtc_read(0x0d);
	for (u32 i = 0; i < 8; i++) {
		out8(RTC_INDEX, i % 2 == 0 ? RTC_B : 0x0d);
		io_set(i % 2 == 0);
		CHECK(in8(RTC_DATA) == (i % 2 == 0 ? b : d), "another register at switch %u", i);
		CHECK(in8(RTC_DATA) == (i % 2 == 0 ? b : d), "the index is lost after a read");
		if (i % 2 == 0) {
			out8(RTC_INDEX, 0x0d);
			CHECK(in8(RTC_DATA) == d, "the index does not change");
			out8(RTC_INDEX, RTC_B);
		}
	}
	io_set(true);
	io_set(false);
	CHECK(in8(RTC_DATA) == d, "the index is lost over both switches");
	io_end();
}

/* --- counting --- */

/* Of counter 0 against the clock: where the least time is between the two, as an emulator that has
 * its host's time may not run between them. */
static u32 pit_phase(void)
{
	u64 least = ~(u64)0;
	u32 phase = 0;

	for (u32 i = 0; i < 4; i++) {
		u64 begin = rdtsc();
		u32 count = io_pit_count(0);
		u32 sum = (u32)((count + io_clock()) % 50000);
		u64 took = rdtsc() - begin;

		if (took < least)
			phase = sum;
		least = min_u64(least, took);
	}
	return phase;
}

/* Counter 0 shows the same phase of one clock, whoever serves the ports. */
TEST(io_pit_phase, "I8")
{
	u32 first = 0;

	io_begin();
	pit_program(0, 2, 50000);
	io_clock_start();
	for (u32 i = 0; i < 200; i++) {
		u32 sum = pit_phase(); /* but for the time between, constant */
		u32 drift = (sum + 50000 - first) % 50000, most = i % 2 == 0 ? 40 : 600;

		first = i == 0 ? sum : first;
		CHECK(i == 0 || drift < most || drift > 50000 - most,
		      "phase was %u, is %u at switch %u", first, sum, i);
		io_set(i % 2 == 0);
	}
	io_end();
	timer_stop();
}

/* Latches: a latched count stays until it is read, byte by byte, whatever Vellum does between, and
 * the layer waits for who is in the middle of it. */
TEST(io_pit_latch, "I8 I10")
{
	u16 first, second;
	u8 status, low;

	io_begin();
	pit_program(0, 2, 60000);
	io_set(true);
	out8(PIT_CONTROL, 0x00);
	first = io_pit_count(1);
	low = in8(PIT_COUNTER);
	CHECK(vl_call_devirtualize(hypercall_page, VL_LAYER_IO, 1) == -VL_EAGAIN,
	      "left half a count");
	second = (u16)(low | in8(PIT_COUNTER) << 8);
	first = io_pit_count(0);
	CHECK((u16)(second - first) < 2000, "latched %u, then %u", second, first);
	/* both halves without a latch */
	low = in8(PIT_COUNTER);
	io_set(false);
	second = (u16)(low | in8(PIT_COUNTER) << 8);
	CHECK((u16)(first - second) < 2000, "counted from %u to %u", first, second);
	first = io_pit_count(0); /* those bytes may be of counts that are 255 from each other */
	CHECK((u16)(second + 255 - first) < 2000, "the bytes are out of step: %u, then %u", second,
	      first);
	/* status and count in one, taken back by the hardware */
	io_set(true);
	out8(PIT_CONTROL, 0xc2);
	io_set(false);
	status = in8(PIT_COUNTER);
	second = in8(PIT_COUNTER);
	second |= (u16)(in8(PIT_COUNTER) << 8);
	CHECK((status & 0x3f) == 0x34, "status %#x", status);
	CHECK((u16)(first - second) < 2000, "counted from %u to %u", first, second);
	first = io_pit_count(0);
	CHECK((u16)(second - first) < 2000, "one byte too many: %u, then %u", second, first);
	io_end();
	timer_stop();
}

/* A count whose bytes are written on both sides of a switch. */
TEST(io_pit_half_written, "I8 I10")
{
	io_begin();
	for (u32 i = 0; i < 4; i++) {
		out8(PIT_CONTROL, 0xb4); /* counter 2, mode 2 */
		out8(PIT_GATE, (in8(PIT_GATE) & 0xfc) | GATE_2);
		out8(PIT_COUNTER + 2, 0x40);
		io_set(i % 2 == 0);
		out8(PIT_COUNTER + 2, 0x9c); /* 40000 */
		while (io_pit_count(2) > 40000)
			;
		for (u32 k = 0; k < 100; k++)
			CHECK(io_pit_count(2) <= 40000, "a count of %u", io_pit_count(2));
	}
	io_end();
}

/* --- interrupts --- */

static void wait_for_tick(void)
{
	u64 limit = rdtsc() + tsc_per_ms() * MS_LIMIT, seen = timer_ticks();

	while (timer_ticks() == seen) {
		CHECK(rdtsc() < limit, "no tick in %u ms", MS_LIMIT);
		interrupts_on_and_halt();
		interrupts_off();
	}
}

/* A thousand switches, and ticks are neither lost nor doubled: counted by the clock that they are
 * made of. */
TEST(io_ticks, "I8 I3 I10")
{
	u64 ticks, expected;
	u64 random = 77;
	char word[2];

	io_begin();
	io_clock_start();
	timer_start(HZ);
	io_clock_start();
	for (u32 i = 0; i < SWITCHES; i++) {
		io_set(i % 2 == 0);
		if (random_below(&random, 8) == 0)
			wait_for_tick();
		interrupts_on();
		for (u64 n = random_below(&random, 400); n > 0; n--)
			asm volatile("pause");
		interrupts_off();
		io_clock();
	}
	wait_for_tick();
	ticks = timer_ticks();
	expected = io_clock() / PERIOD;
	CHECK(ticks <= expected + 1, "%lu ticks, %lu expected", ticks, expected);
	/* An emulator that has its host's time loses ticks while it does not run. */
	if (!cmdline_get("hosttime", word, sizeof(word)))
		CHECK(ticks >= expected, "%lu ticks, %lu expected", ticks, expected);
	CHECK(ticks > 100, "only %lu ticks", ticks);
	io_end();
	timer_stop();
}

/* One shot, begun on one side and over on the other, and one that waits masked meanwhile. */
TEST(io_one_shot, "I8 I3")
{
	io_begin();
	for (u32 i = 0; i < 8; i++) {
		u64 limit = rdtsc() + tsc_per_ms() * MS_LIMIT;

		timer_start_once(i < 4 ? 300 : 50);
		if (i >= 4) /* requested, and held back */
			while (!irq_is_pending(IRQ_TIMER))
				CHECK(rdtsc() < limit, "no request");
		io_set(i % 2 == 0);
		CHECK(timer_ticks() == 0, "it came early");
		wait_for_tick();
		interrupts_on();
		delay_ms(2);
		interrupts_off();
		CHECK(timer_ticks() == 1, "shot %u came %lu times", i, timer_ticks());
	}
	io_end();
	timer_stop();
}

static volatile u64 rtc_ticks, rtc_bad;

static void on_rtc(const struct trap_frame *frame)
{
	(void)frame;
	rtc_ticks++;
	rtc_bad += (rtc_read(RTC_C) & 0xc0) != 0xc0;
}

/* The same for the clock's periodic interrupt, whose flag stands in a register that reading clears.
 */
TEST(io_rtc_ticks, "I8 I3 I10")
{
	u64 random = 99, ticks, expected;
	char word[2];

	io_begin();
	rtc_ticks = rtc_bad = 0;
	irq_set_handler(LINE_RTC, on_rtc);
	irq_set_handler(2, on_rtc); /* unmasks the cascade */
	rtc_set_periodic(true);
	rtc_write(RTC_A, RTC_SLOW);
	while (rtc_ticks < 2) {
		interrupts_on_and_halt();
		interrupts_off();
	}
	rtc_ticks = 0;
	io_clock_start();
	for (u32 i = 0; i < SWITCHES; i++) {
		io_set(i % 2 == 0);
		interrupts_on();
		for (u64 n = random_below(&random, 400); n > 0; n--)
			asm volatile("pause");
		/* Not halted: QEMU's clock misses each second tick of one that counts instructions.
		 * No pause either, which leaves QEMU's loop: it was two thirds of a run of all
		 * tests. */
		for (u64 until = rtc_ticks + (random_below(&random, 8) == 0); rtc_ticks < until;)
			;
		interrupts_off();
		io_clock();
	}
	ticks = rtc_ticks;
	expected = io_clock() * RTC_HZ / PIT_HZ;
	CHECK(rtc_bad == 0, "%lu interrupts without their flag", rtc_bad);
	CHECK(ticks <= expected + 1, "%lu, %lu expected", ticks, expected);
	if (!cmdline_get("hosttime", word, sizeof(word))) /* as above */
		CHECK(ticks + 1 >= expected, "%lu, %lu expected", ticks, expected);
	CHECK(ticks > 50, "only %lu", ticks);
	rtc_set_periodic(false);
	irq_set_handler(LINE_RTC, NULL);
	io_end();
	irq_init();
	timer_stop();
}

/* The seconds go on. */
TEST(io_rtc_time, "I8")
{
	u64 limit = rdtsc() + tsc_per_ms() * MS_LIMIT;
	u8 second, first = rtc_read(0);
	u32 changes = 0;

	io_begin();
	for (u32 i = 0; changes < 2; i++) {
		io_set(i % 2 == 0);
		CHECK(rdtsc() < limit, "the clock stands still");
		while (rtc_read(RTC_A) & 0x80)
			;
		second = rtc_read(0);
		if (second != first)
			CHECK(second == (first % 16 == 9 ? first + 7 : first + 1) || second == 0,
			      "second %#x follows %#x", second, first);
		changes += second != first;
		first = second;
		delay_ms(5);
	}
	io_end();
}

/* --- failures --- */

static s64 fail_each(s64 (*call)(u64), u64 layers)
{
	s64 step;

	for (step = 1; vl_call_set_failpoint(hypercall_page, (u64)step) == 0; step++) {
		s64 answer = call(layers);

		CHECK(step < (s64)MANY_STEPS, "failpoints without end");
		if (answer == 0)
			return step - 1;
		CHECK(answer == -VL_EIO, "failpoint %ld answered %ld", step, answer);
		wait_for_tick();
	}
	return -1;
}

/* Each step fails once, with ticks before and behind it; and the way in and out as a whole. */
TEST(io_failpoints, "I8 I10 M1")
{
	s64 in, out;

	if (vl_call_set_failpoint(hypercall_page, 0) != 0)
		test_skip("a release build has no failpoints");
	io_begin();
	timer_start(HZ);
	in = fail_each(virtualize_layers, VL_LAYER_IO);
	CHECK(in >= 2 && io_is_on(), "%ld steps in", in);
	out = fail_each(devirtualize_layers, VL_LAYER_IO);
	CHECK(out >= 2 && !io_is_on(), "%ld steps out", out);
	io_end();
	CHECK(fail_each(virtualize_layers, VL_LAYER_ALL | VL_LAYER_IO) > in, "few steps for all");
	CHECK(io_is_on(), "layers are %#x", counters.layers);
	CHECK(fail_each(devirtualize_layers, VL_LAYER_ALL) > out, "few steps for all off");
	CHECK(!is_virtualized(), "still virtualized");
	timer_stop();
}
