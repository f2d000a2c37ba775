// SPDX-License-Identifier: MIT
/*
 * The local APIC as a kernel sees it, with messages to oneself, its timer, and
 * the RTC through the IOAPIC as a level-triggered source. Each test gives the
 * end of interrupt itself; the later ones change the mode while something is
 * requested, in service, or counting.
 */
#include "lib/string.h"
#include "mini/apic.h"
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/rtc.h"
#include "mini/tap.h"
#include "mini/timer.h"
#include "mini/tests/expect.h"
#include "mini/traps.h"
#include "mini/virtual.h"

#define LOW      0x51
#define MIDDLE   0x62
#define HIGH     0x73
#define ROUNDS   40
#define MS_LIMIT 20000u

#define IOAPIC      0xfec00000u
#define IOAPIC_DATA 4 /* in words */
#define RTE(line)   (0x10 + 2 * (line))
#define RTE_LEVEL   0x8000u
#define RTE_REMOTE  0x4000u
#define RTE_MASKED  0x10000u

static volatile u32 *ioapic;
static volatile u32 order[8];
static volatile u32 taken;

static u32 ioapic_read(u32 reg)
{
	ioapic[0] = reg;
	return ioapic[IOAPIC_DATA];
}

static void ioapic_write(u32 reg, u32 value)
{
	ioapic[0] = reg;
	ioapic[IOAPIC_DATA] = value;
}

static void note(const struct trap_frame *frame)
{
	if (taken < ARRAY_SIZE(order))
		order[taken] = (u32)frame->vector;
	taken++;
}

static void end(const struct trap_frame *frame)
{
	note(frame);
	apic_write(APIC_EOI, 0);
}

/* Of the RTC: its line goes down before the end. */
static void serve_rtc(const struct trap_frame *frame)
{
	rtc_set_periodic(false);
	end(frame);
}

static void let_in(void)
{
	asm volatile("sti; nop; nop; cli" ::: "memory");
}

static void send_self(u32 vector)
{
	apic_write(APIC_ICR, APIC_ICR_SELF | vector);
}

static bool has(u32 set, u32 vector)
{
	return (apic_read(set + vector / 32 * 16) >> vector % 32 & 1) != 0;
}

static bool is_empty(u32 set)
{
	u32 all = 0;

	for (u32 i = 0; i < 8; i++)
		all |= apic_read(set + i * 16);
	return all == 0;
}

static void set_up(trap_handler low, trap_handler middle, trap_handler high)
{
	if (!apic_enable())
		test_skip("no local APIC");
	if (ioapic == NULL)
		ioapic = mmio_map((pa_t){IOAPIC}, PAGE_SIZE);
	taken = 0;
	trap_set_handler(LOW, low);
	trap_set_handler(MIDDLE, middle);
	trap_set_handler(HIGH, high);
}

/* The RTC's line, level-triggered, to vector HIGH of CPU 0; masked first. */
static void route_rtc(bool on)
{
	ioapic_write(RTE(LINE_RTC), RTE_MASKED);
	ioapic_write(RTE(LINE_RTC) + 1, 0);
	if (on)
		ioapic_write(RTE(LINE_RTC), RTE_LEVEL | HIGH);
}

static void wait_taken(u32 want)
{
	u64 limit = rdtsc() + tsc_per_ms() * MS_LIMIT;

	while (taken < want) {
		CHECK(rdtsc() < limit, "%u interrupts, wanted %u", taken, want);
		let_in();
	}
}

static void go(bool in)
{
	s64 answer = in ? virtualize(0) : devirtualize();

	CHECK(answer == 0 && is_virtualized() == in, "transition answered %ld", answer);
}

static void start_outside(void)
{
	if (is_virtualized())
		go(false);
}

TEST(lapic_order, "I3")
{
	set_up(end, end, end);
	send_self(LOW);
	send_self(HIGH);
	send_self(MIDDLE);
	CHECK(has(APIC_IRR, LOW) && has(APIC_IRR, MIDDLE) && has(APIC_IRR, HIGH), "not requested");
	CHECK(is_empty(APIC_ISR) && apic_read(APIC_PPR) == 0, "in service with interrupts off");
	apic_write(APIC_TPR, MIDDLE & 0xf0);
	let_in();
	CHECK(taken == 1 && order[0] == HIGH, "%u taken above the task's priority", taken);
	CHECK(apic_read(APIC_TPR) == (MIDDLE & 0xf0), "TPR %x", apic_read(APIC_TPR));
	CHECK(apic_read(APIC_PPR) == (MIDDLE & 0xf0), "PPR %x", apic_read(APIC_PPR));
	apic_write(APIC_TPR, 0);
	let_in();
	let_in();
	CHECK(taken == 3 && order[1] == MIDDLE && order[2] == LOW, "%u taken", taken);
	CHECK(is_empty(APIC_ISR) && is_empty(APIC_IRR), "something is left");
}

/* An APIC may use the vectors of exceptions from 16 on; of those without error codes a kernel can
 * tell. */
TEST(lapic_exception_vectors, "I3 I4")
{
	static const u8 vectors[] = {16, TRAP_MC, 19, 20, 22, 31};

	set_up(end, end, end);
	for (u32 i = 0; i < ARRAY_SIZE(vectors); i++) {
		trap_set_handler(vectors[i], end);
		taken = 0;
		send_self(vectors[i]);
		CHECK(taken == 0, "vector %u with interrupts off", vectors[i]);
		let_in();
		trap_set_handler(vectors[i], NULL);
		CHECK(taken == 1 && order[0] == vectors[i], "vector %u: %u taken", vectors[i],
		      taken);
	}
	CHECK(is_empty(APIC_ISR) && is_empty(APIC_IRR), "something is left");
}

TEST(lapic_cr8, "I3")
{
	u64 cr8;

	set_up(end, end, end);
	asm volatile("mov %0, %%cr8" ::"r"((u64)6) : "memory");
	CHECK(apic_read(APIC_TPR) == 0x60, "TPR %x after CR8 = 6", apic_read(APIC_TPR));
	send_self(MIDDLE);
	let_in();
	CHECK(taken == 0, "taken although CR8 holds it back");
	apic_write(APIC_TPR, 0x35);
	asm volatile("mov %%cr8, %0" : "=r"(cr8));
	CHECK(cr8 == 3, "CR8 is %lu after TPR = 35", cr8);
	let_in();
	CHECK(taken == 1, "%u taken", taken);
	apic_write(APIC_TPR, 0);
}

TEST(lapic_nested, "I3")
{
	set_up(end, note, end);
	send_self(MIDDLE);
	let_in();
	CHECK(has(APIC_ISR, MIDDLE) && apic_read(APIC_PPR) == (MIDDLE & 0xf0), "not in service");
	send_self(LOW);
	let_in();
	CHECK(taken == 1, "a lower one interrupts");
	send_self(HIGH);
	let_in();
	CHECK(taken == 2 && order[1] == HIGH, "a higher one does not interrupt");
	CHECK(has(APIC_ISR, MIDDLE) && !has(APIC_ISR, HIGH), "the wrong one was ended");
	apic_write(APIC_EOI, 0);
	let_in();
	CHECK(taken == 3 && order[2] == LOW, "%u taken", taken);
	CHECK(is_empty(APIC_ISR) && is_empty(APIC_IRR), "something is left");
}

/* A level-triggered line above goes up while a lower vector is served, which then ends: its EOI
 * must not end the other, whose device nobody has served yet. */
TEST(lapic_level_above, "I3 I8")
{
	set_up(note, end, serve_rtc);
	send_self(LOW);
	let_in();
	route_rtc(true);
	rtc_set_periodic(true);
	delay_ms(3);
	apic_write(APIC_EOI, 0);
	CHECK(!has(APIC_ISR, LOW), "still in service after its end");
	wait_taken(2);
	CHECK(order[1] == HIGH, "vector %x", order[1]);
	let_in();
	CHECK(taken == 2, "%u taken, for one level", taken);
	CHECK(is_empty(APIC_ISR) && is_empty(APIC_IRR), "something is left");
	CHECK(!(ioapic_read(RTE(LINE_RTC)) & RTE_REMOTE), "the line is still in service");
	trap_set_handler(LOW, end);
	send_self(LOW);
	wait_taken(3);
	route_rtc(false);
}

TEST(lapic_one_shot, "I3 I8")
{
	u32 count, last = ~(u32)0;
	u64 limit = rdtsc() + tsc_per_ms() * MS_LIMIT;

	set_up(end, end, end);
	count = apic_measure() / 2;
	apic_write(APIC_LVT_TIMER, LOW);
	apic_write(APIC_INITIAL, count);
	while (last != 0) {
		u32 now = apic_read(APIC_CURRENT);

		CHECK(now <= last && now <= count, "%u counts after %u", now, last);
		CHECK(rdtsc() < limit, "the timer stands at %u", now);
		last = now;
	}
	wait_taken(1);
	CHECK(apic_read(APIC_INITIAL) == count, "initial count %u", apic_read(APIC_INITIAL));
	delay_ms(10);
	let_in();
	CHECK(taken == 1, "%u ticks of a one-shot timer", taken);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
}

/* --- transitions --- */

TEST(lapic_transition_requested, "I3 I8 M1")
{
	set_up(end, end, end);
	start_outside();
	for (u32 i = 0; i < ROUNDS; i++) {
		send_self(LOW);
		go(true);
		CHECK(has(APIC_IRR, LOW) && taken == i, "round %u: request lost or taken", i);
		let_in();
		CHECK(taken == i + 1, "round %u: %u taken", i, taken);
		go(false);
		CHECK(is_empty(APIC_ISR) && is_empty(APIC_IRR), "round %u: something is left", i);
	}
}

/* What Vellum has acknowledged and the guest has not is no reason to stay: the guest finds it
 * requested, as it would on the bare machine. */
TEST(lapic_transition_given_back, "I1 I3 M1 M9")
{
	s64 answer;

	set_up(end, end, end);
	start_outside();
	for (u32 i = 0; i < ROUNDS; i++) {
		taken = 0;
		go(true);
		send_self(LOW);
		send_self(MIDDLE);
		answer = vl_call_devirtualize(hypercall_page, VL_LAYER_ALL, 0);
		CHECK(answer == 0 && !is_virtualized(), "round %u: %ld", i, answer);
		CHECK(has(APIC_IRR, LOW) && has(APIC_IRR, MIDDLE) && is_empty(APIC_ISR),
		      "round %u: a request is lost, or in service", i);
		let_in();
		CHECK(taken == 2 && order[0] == MIDDLE && order[1] == LOW,
		      "round %u: %u taken, the first %#x", i, taken, order[0]);
		CHECK(is_empty(APIC_ISR) && is_empty(APIC_IRR), "round %u: something is left", i);
	}
}

static void toggle_in_service(const struct trap_frame *frame)
{
	note(frame);
	go(!is_virtualized());
	CHECK(has(APIC_ISR, LOW), "not in service after a transition");
	apic_write(APIC_EOI, 0);
}

TEST(lapic_transition_in_service, "I3 I8 M1")
{
	set_up(toggle_in_service, end, end);
	start_outside();
	for (u32 i = 1; i <= ROUNDS; i++) {
		send_self(LOW);
		let_in();
		CHECK(taken == i && is_virtualized() == i % 2, "round %u: %u taken", i, taken);
		CHECK(is_empty(APIC_ISR) && is_empty(APIC_IRR), "round %u: something is left", i);
	}
}

/* The line goes up around the transition: before it, after it, in between. */
TEST(lapic_transition_level, "I3 I8 M1 M2")
{
	set_up(end, end, serve_rtc);
	start_outside();
	route_rtc(true);
	for (u32 i = 1; i <= ROUNDS; i++) {
		rtc_set_periodic(true);
		if (i % 3 == 0)
			delay_ms(2);
		go(!is_virtualized());
		wait_taken(i);
		CHECK(taken == i, "round %u: %u taken", i, taken);
		CHECK(!(ioapic_read(RTE(LINE_RTC)) & RTE_REMOTE), "round %u: not ended", i);
	}
	route_rtc(false);
	CHECK(is_empty(APIC_ISR) && is_empty(APIC_IRR), "something is left");
}

TEST(lapic_transition_counting, "I3 I8 M1")
{
	u32 ms, before, after;

	set_up(end, end, end);
	start_outside();
	ms = apic_measure() / 10;
	apic_write(APIC_LVT_TIMER, LOW);
	for (u32 i = 1; i <= ROUNDS; i++) {
		apic_write(APIC_INITIAL, 5 * ms);
		before = apic_read(APIC_CURRENT);
		go(!is_virtualized());
		after = apic_read(APIC_CURRENT);
		CHECK(after < before || before == 0, "round %u: %u counts after %u", i, after,
		      before);
		wait_taken(i);
		let_in();
		CHECK(taken == i, "round %u: %u ticks", i, taken);
	}
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
}

/* No tick is lost or made up: against the TSC, with a periodic timer. */
TEST(lapic_transition_periodic, "I3 I8 M1")
{
	u64 start, ms;
	u32 count;

	set_up(end, end, end);
	start_outside();
	count = apic_measure() / 5;
	apic_write(APIC_LVT_TIMER, APIC_LVT_PERIODIC | LOW);
	start = rdtsc();
	apic_write(APIC_INITIAL, count);
	for (u32 i = 1; i <= ROUNDS; i++) {
		wait_taken(i);
		go(!is_virtualized());
	}
	ms = (rdtsc() - start) / tsc_per_ms();
	CHECK(ms >= 2 * (ROUNDS - 2), "%u ticks of 2 ms in %lu ms", ROUNDS, ms);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	let_in();
	start_outside();
}

/* The last number behind `own timer: ` in some lines of the log. */
static u64 parse_ticks(const char *text, size_t n, u64 ticks)
{
	static const char key[] = "own timer: ";
	const size_t length = sizeof(key) - 1;

	for (size_t i = 0; i + length < n; i++) {
		if (strncmp(text + i, key, length) != 0)
			continue;
		ticks = 0;
		for (i += length; i < n && text[i] >= '0' && text[i] <= '9'; i++)
			ticks = ticks * 10 + (u64)(text[i] - '0');
	}
	return ticks;
}

/* With `own_timer` on the command line Vellum was started with own_timer=: it logs how often that
 * has interrupted when a guest leaves. */
static u64 own_ticks(void)
{
	static struct {
		struct vl_console_read head;
		char text[2048];
	} log __attribute__((aligned(4096)));
	u64 ticks = 0;
	s64 n;

	log.head.pos = 0;
	do {
		n = vl_call_console_read(hypercall_page, ptr_to_pa(&log).v, sizeof(log));
		CHECK(n >= 0, "console_read answered %ld", n);
		ticks = parse_ticks(log.text, (size_t)n, ticks);
		log.head.pos += (u64)n;
	} while (n > 0);
	return ticks;
}

/* What an interrupt costs from request to end: instructions under -icount. */
TEST(lapic_cost, "I3")
{
	u64 start, spent;

	set_up(end, end, end);
	let_in();
	interrupts_on();
	start = rdtsc();
	for (u32 i = 0; i < 1000; i++)
		send_self(LOW);
	spent = rdtsc() - start;
	interrupts_off();
	CHECK(taken == 1000, "%u taken", taken);
	print("# an interrupt to oneself: %lu TSC ticks\n", spent / 1000);
}

/* What the word on the command line has switched to. */
TEST(lapic_x2apic, "I3")
{
	char value[2];

	if (!cmdline_get("x2apic", value, sizeof(value)))
		test_skip("not asked for");
	set_up(end, end, end);
	CHECK(read_msr(MSR_APIC_BASE) & 0x400, "the processor has no x2APIC mode");
	CHECK(apic_read(APIC_SVR) == (u32)read_msr(0x80f), "SVR by MSR differs");
}

static void move_base(void *to)
{
	write_msr(MSR_APIC_BASE, (read_msr(MSR_APIC_BASE) & 0xfff) | (u64)to);
}

/* The registers would be found instead of memory, also where others have theirs. */
TEST(lapic_not_over_memory, "I4")
{
	set_up(end, end, end);
	if (!is_virtualized())
		go(true);
	expect_trap(move_base, (void *)(ptr_to_pa((void *)&taken).v & PAGE_MASK), 13, 0);
	go(false);
}

TEST(lapic_own_timer, "I8")
{
	char value[2];
	u64 before, after;

	if (!cmdline_get("own_timer", value, sizeof(value)))
		test_skip("Vellum has no timer of its own on");
	set_up(end, end, end);
	if (!is_virtualized())
		go(true);
	go(false);
	before = own_ticks();
	go(true);
	delay_ms(50);
	go(false);
	after = own_ticks();
	CHECK(after > before, "%lu ticks before and %lu after 50 ms", before, after);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
}
