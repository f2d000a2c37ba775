// SPDX-License-Identifier: MIT
/*
 * The 8259s as a kernel sees them, with two real sources: the PIT on line 0
 * and the RTC on line 8. Each test gives the end-of-interrupt commands itself,
 * so that it can look while something is in service, and one goes through
 * transitions then.
 */
#include "mini/cpu.h"
#include "mini/irq.h"
#include "mini/rtc.h"
#include "mini/tap.h"
#include "mini/timer.h"
#include "mini/virtual.h"

#define MASTER     0x20
#define SLAVE      0xa0
#define DATA       1
#define ELCR       0x4d0
#define EOI        0x20
#define READ_IRR   0x0a
#define READ_ISR   0x0b
#define CASCADE    (1 << 2)
#define PIT        (1 << 0)
#define RTC        (1 << 0) /* of the slave */
#define MS_LIMIT   20000u
#define LOW_VECTOR 0x08

static volatile u32 order[8];
static volatile u32 taken;

static void note(const struct trap_frame *frame)
{
	if (taken < ARRAY_SIZE(order))
		order[taken] = (u32)(frame->vector - VECTOR_IRQ);
	taken++;
}

static u8 chip_read(u16 chip, u8 which)
{
	out8(chip, which);
	return in8(chip);
}

static void let_in(void)
{
	asm volatile("sti; nop; nop; cli" ::: "memory");
}

static void set_up(void)
{
	irq_init();
	taken = 0;
	trap_set_handler(VECTOR_IRQ + IRQ_TIMER, note);
	trap_set_handler(VECTOR_IRQ + LINE_RTC, note);
}

static void clean_up(void)
{
	rtc_set_periodic(false);
	irq_init();
	timer_stop();
}

/* One shot of the PIT, requested and held back by IF or the mask. */
static void request_pit(void)
{
	u64 limit = rdtsc() + tsc_per_ms() * MS_LIMIT;

	out8(0x43, 0x30);
	out8(0x40, 200);
	out8(0x40, 0);
	while (!(chip_read(MASTER, READ_IRR) & PIT))
		CHECK(rdtsc() < limit, "the PIT requests nothing");
}

static void request_rtc(void)
{
	u64 limit = rdtsc() + tsc_per_ms() * MS_LIMIT;

	rtc_set_periodic(true);
	while (!(chip_read(SLAVE, READ_IRR) & RTC))
		CHECK(rdtsc() < limit, "the RTC requests nothing");
}

static void unmask(u8 master, u8 slave)
{
	out8(MASTER + DATA, (u8)~master);
	out8(SLAVE + DATA, (u8)~slave);
}

TEST(pic_registers, "I3 I8")
{
	u8 elcr[2] = {in8(ELCR), in8(ELCR + 1)};

	set_up();
	out8(MASTER + DATA, 0x5a);
	out8(SLAVE + DATA, 0xa5);
	CHECK(in8(MASTER + DATA) == 0x5a && in8(SLAVE + DATA) == 0xa5, "masks %x %x",
	      in8(MASTER + DATA), in8(SLAVE + DATA));
	out8(ELCR + 1, elcr[1] ^ 0x02);
	CHECK(in8(ELCR) == elcr[0] && in8(ELCR + 1) == (elcr[1] ^ 0x02), "ELCR %x %x", in8(ELCR),
	      in8(ELCR + 1));
	out8(ELCR + 1, elcr[1]);
	clean_up();
}

/* A request waits for its mask, whether it came before or after. */
TEST(pic_masked, "I3 I8")
{
	set_up();
	request_pit();
	let_in();
	CHECK(taken == 0, "a masked line came through");
	unmask(PIT, 0);
	CHECK(chip_read(MASTER, READ_IRR) & PIT, "unmasking lost the request");
	unmask(0, 0);
	let_in();
	CHECK(taken == 0, "a line masked again came through");
	CHECK(chip_read(MASTER, READ_IRR) & PIT, "masking lost the request");
	CHECK(chip_read(MASTER, READ_ISR) == 0, "in service: %x", in8(MASTER));
	unmask(PIT, 0);
	let_in();
	CHECK(taken == 1 && order[0] == IRQ_TIMER, "%u taken", taken);
	CHECK(chip_read(MASTER, READ_ISR) == PIT, "in service: %x", in8(MASTER));
	out8(MASTER, EOI);
	CHECK(chip_read(MASTER, READ_ISR) == 0, "in service after the EOI: %x", in8(MASTER));
	clean_up();
}

/* Both wait (the PIT first: Bochs's 8259 sticks to the line that raised its pin): the PIT is first,
 * and until its EOI the RTC waits although it is requested. */
TEST(pic_priorities, "I3 I8")
{
	set_up();
	unmask(PIT | CASCADE, RTC);
	request_pit();
	request_rtc();
	CHECK((chip_read(MASTER, READ_IRR) & (PIT | CASCADE)) == (PIT | CASCADE), "requested: %x",
	      in8(MASTER));
	let_in();
	let_in();
	CHECK(taken == 1 && order[0] == IRQ_TIMER, "%u taken, first %u", taken, order[0]);
	CHECK(chip_read(MASTER, READ_ISR) == PIT, "in service: %x", in8(MASTER));
	CHECK(chip_read(SLAVE, READ_IRR) & RTC, "the RTC's request is gone");
	out8(MASTER, EOI);
	let_in();
	CHECK(taken == 2 && order[1] == LINE_RTC, "%u taken, second %u", taken, order[1]);
	CHECK(chip_read(MASTER, READ_ISR) == CASCADE, "in service: %x", in8(MASTER));
	CHECK(chip_read(SLAVE, READ_ISR) == RTC, "the slave's in service: %x", in8(SLAVE));
	request_pit();
	let_in();
	CHECK(taken == 3 && order[2] == IRQ_TIMER, "the PIT did not interrupt the RTC");
	out8(MASTER, EOI);
	out8(MASTER, EOI);
	out8(SLAVE, EOI);
	CHECK((chip_read(MASTER, READ_ISR) | chip_read(SLAVE, READ_ISR)) == 0, "in service");
	clean_up();
}

static void let_in_caught(void *arg)
{
	(void)arg;
	let_in();
}

static void toggle(void)
{
	s64 answer = is_virtualized() ? devirtualize() : virtualize(0);

	CHECK(answer == 0, "the transition answered %ld", answer);
}

/* In service, masked and requested: transitions change none of it. */
TEST(pic_transitions, "I3 I8 M2")
{
	set_up();
	unmask(PIT, 0);
	request_pit();
	let_in();
	CHECK(taken == 1, "%u taken", taken);
	request_pit();
	for (int i = 0; i < 4; i++) {
		CHECK(chip_read(MASTER, READ_ISR) == PIT, "%d: in service: %x", i, in8(MASTER));
		toggle();
		CHECK(in8(MASTER) == PIT, "%d: it no longer shows ISR, but %x", i, in8(MASTER));
		CHECK(chip_read(MASTER, READ_ISR) == PIT, "%d: in service after: %x", i,
		      in8(MASTER));
		CHECK(chip_read(MASTER, READ_IRR) & PIT, "%d: the request is lost", i);
		CHECK(in8(MASTER + DATA) == (u8)~PIT && in8(SLAVE + DATA) == 0xff, "%d: masks", i);
		let_in();
		CHECK(taken == 1, "%d: it came although one is in service", i);
		out8(MASTER, READ_ISR);
	}
	out8(MASTER, EOI);
	let_in();
	CHECK(taken == 2, "it did not come after the EOI");
	out8(MASTER, EOI);
	clean_up();
}

/* As a BIOS leaves it: a vector that is an exception's. Vellum cannot read it from the hardware. */
TEST(pic_low_vectors, "I3 I8")
{
	struct trap_info info;

	if (is_virtualized())
		toggle();
	for (int i = 0; i < 3; i++) {
		set_up();
		out8(MASTER, 0x11);
		out8(MASTER + DATA, LOW_VECTOR);
		out8(MASTER + DATA, CASCADE);
		out8(MASTER + DATA, 0x01);
		unmask(PIT, 0);
		if (i < 2)
			toggle();
		request_pit();
		CHECK(trap_catch(let_in_caught, NULL, &info), "%d: it did not come", i);
		CHECK(info.vector == LOW_VECTOR, "%d: vector %lu came", i, info.vector);
		CHECK(chip_read(MASTER, READ_ISR) == PIT, "%d: in service: %x", i, in8(MASTER));
		out8(MASTER, EOI);
	}
	clean_up();
}
