// SPDX-License-Identifier: MIT
/*
 * A guest on 8259s of its own beside the same guest virtualized, with the same
 * interrupts and the same random program: each register that it reads and each
 * interrupt that it takes must be equal, whatever its IF holds back meanwhile,
 * and at each devirtualization the hardware must be what the bare one is.
 */
#include "tests/unit/check.h"

#include "irq/pic_hardware.h"

struct world {
	struct pic bare;     /* the machine without Vellum */
	struct pic hardware; /* the machine under Vellum */
	struct pic_hardware p;
	bool iflag;
	u32 interrupts, leaves, refusals;
};

static u8 hardware_in(void *context, u16 port)
{
	return pic_read(context, port);
}

static void hardware_out(void *context, u16 port, u8 value)
{
	pic_write(context, port, value);
}

static void write_both(struct world *w, u16 port, u8 value)
{
	pic_write(&w->bare, port, value);
	if (w->p.ports != NULL)
		pic_hardware_write(&w->p, port, value);
	else
		pic_write(&w->hardware, port, value);
}

/* Vectors at random; both chips, as one without the other loses the edge between them. */
static void init(struct world *w, struct rng *r)
{
	static const u8 cascade[] = {1 << PIC_CASCADE, PIC_CASCADE};

	for (u32 n = 0; n < 2; n++) {
		u16 port = n ? PIC_SLAVE : PIC_MASTER;

		write_both(w, port, 0x11);
		write_both(w, port + 1, (u8)(0x20 + rng_below(r, 27) * 8));
		write_both(w, port + 1, cascade[n]);
		write_both(w, port + 1, 0x01);
	}
}

static void set_line(struct world *w, u8 line, bool high)
{
	pic_set_line(&w->bare, line, high);
	pic_set_line(&w->hardware, line, high);
}

/* The CPU takes what the hardware requests: it runs at ring 3 with interrupts on. */
static void run_hardware(struct world *w)
{
	while (pic_output(&w->hardware)) {
		assert_true(pic_hardware_arrived(&w->p, pic_acknowledge(&w->hardware)));
		if (!w->iflag)
			pic_hardware_hold(&w->p);
	}
}

/* And the guest what its IF lets in. */
static void run(struct world *w)
{
	int vector;

	run_hardware(w);
	if (!w->iflag) {
		assert_true(pic_hardware_waits(&w->p) || !pic_output(&w->bare));
		return;
	}
	while ((vector = pic_hardware_take(&w->p)) < 0 && pic_output(&w->hardware))
		run_hardware(w);
	if (!pic_output(&w->bare)) {
		assert_int_equal(vector, -1);
		return;
	}
	assert_int_equal(vector, pic_acknowledge(&w->bare));
	w->iflag = false;
	w->interrupts++;
}

static u8 read_both(struct world *w, u16 port)
{
	u8 bare = pic_read(&w->bare, port);

	assert_int_equal(pic_hardware_read(&w->p, port), bare);
	return bare;
}

static void assert_given_back(struct world *w)
{
	for (u32 n = 0; n < 2; n++) {
		const struct pic_chip *bare = &w->bare.chip[n], *c = &w->hardware.chip[n];

		assert_int_equal(c->isr, bare->isr);
		assert_int_equal(c->imr, bare->imr);
		assert_int_equal(c->elcr, bare->elcr);
		assert_int_equal(pic_irr(c), pic_irr(bare));
		assert_int_equal(c->lowest, bare->lowest);
		assert_int_equal(c->read_isr, bare->read_isr);
		assert_int_equal(c->special_mask, bare->special_mask);
		assert_int_equal(c->poll, bare->poll);
		assert_int_equal(c->vector, bare->vector);
	}
	assert_int_equal(pic_output(&w->hardware), pic_output(&w->bare));
}

static struct port_access ports(struct world *w)
{
	return (struct port_access){
		.in = hardware_in, .out = hardware_out, .context = &w->hardware};
}

/* What cannot be read from an 8259 is captured as it is after initialisation. */
static bool is_capturable(const struct world *w)
{
	for (u32 n = 0; n < 2; n++) {
		const struct pic_chip *c = &w->bare.chip[n];

		if (c->lowest != 7 || c->special_mask || c->poll || c->fully_nested ||
		    (c->read_isr && c->isr == pic_irr(c)))
			return false;
	}
	return true;
}

static void transition(struct world *w, const struct port_access *access)
{
	struct pic_hardware before = w->p;
	struct pic hardware = w->hardware;

	if (!pic_hardware_can_leave(&w->p)) {
		w->refusals++;
		return;
	}
	pic_hardware_leave(&w->p);
	assert_given_back(w);
	w->leaves++;
	if (is_capturable(w)) {
		pic_hardware_enter(&w->p, access);
	} else {
		w->p = before;
		w->hardware = hardware;
	}
}

static void command(struct world *w, struct rng *r)
{
	static const u8 commands[] = {0x20, 0x20, 0x20, 0x60, 0x60, 0xa0, 0xe0, 0xc0,
				      0x40, 0x0a, 0x0b, 0x0a, 0x0b, 0x68, 0x48, 0x48};
	u32 n = rng_below(r, 2);
	u8 value = commands[rng_below(r, sizeof(commands))];

	value |= (u8)((value & 0x18) == 0 ? rng_below(r, 8) : 0);
	write_both(w, n ? PIC_SLAVE : PIC_MASTER, value);
}

/* A line of edges falls only when nothing of it waits: what the CPU has acknowledged stays, while a
 * bare 8259 would forget it. */
static void line_event(struct world *w, struct rng *r)
{
	u8 line = (u8)rng_below(r, NR_PIC_LINES), bit = (u8)(1 << line % 8);
	const struct pic_chip *c = &w->bare.chip[line / 8];
	bool high = rng_below(r, 2);

	if (high || (c->elcr & bit) || !(pic_irr(c) & bit))
		set_line(w, line, high);
}

/* By hand, as a guest without interrupts would. */
static void poll(struct world *w)
{
	write_both(w, PIC_MASTER, PIC_OCW3_POLL);
	if (read_both(w, PIC_MASTER) != (PIC_POLL_REQUEST | PIC_CASCADE))
		return;
	write_both(w, PIC_SLAVE, PIC_OCW3_POLL);
	read_both(w, PIC_SLAVE);
}

static void random_step(struct world *w, struct rng *r, const struct port_access *access)
{
	u32 n = rng_below(r, 2), what = rng_below(r, 64);
	u16 port = n ? PIC_SLAVE : PIC_MASTER;

	if (what < 20)
		line_event(w, r);
	else if (what < 32)
		command(w, r);
	else if (what < 44)
		read_both(w, port + (what & 1));
	else if (what < 48)
		write_both(w, port + 1, (u8)(rng_next(r) & rng_next(r)));
	else if (what < 58)
		w->iflag = rng_below(r, 2);
	else if (what < 61)
		transition(w, access);
	else if (what < 62)
		poll(w);
	else if (what == 62 && rng_below(r, 16) == 0)
		init(w, r);
	run(w);
}

static void start(struct world *w, struct rng *r)
{
	*w = (struct world){0};
	pic_reset(&w->bare);
	pic_reset(&w->hardware);
	init(w, r);
	write_both(w, PIC_ELCR, (u8)rng_next(r));
	write_both(w, PIC_ELCR + 1, (u8)rng_next(r));
}

static void test_random_programs(void **state)
{
	struct rng r = {0x8259a};
	u32 cases = random_cases(20000);
	static struct world w;
	const struct port_access access = ports(&w);
	u32 interrupts = 0, leaves = 0, refusals = 0;

	(void)state;
	for (u32 i = 0; i < cases; i++) {
		start(&w, &r);
		pic_hardware_enter(&w.p, &access);
		for (u32 step = 0; step < 400; step++)
			random_step(&w, &r, &access);
		interrupts += w.interrupts;
		leaves += w.leaves;
		refusals += w.refusals;
	}
	assert_true(interrupts > cases * 10 && leaves > cases && refusals > cases / 10);
}

/* A virtualized guest that has initialised its chips and unmasked everything. */
static void enter(struct world *w, const struct port_access *access)
{
	struct rng r = {1};

	*w = (struct world){0};
	pic_reset(&w->bare);
	pic_reset(&w->hardware);
	init(w, &r);
	pic_hardware_enter(&w->p, access);
}

static u8 guest_reads(struct world *w, u16 port, u8 which)
{
	pic_hardware_write(&w->p, port, which);
	return pic_hardware_read(&w->p, port);
}

static int arrive(struct world *w)
{
	u8 vector = pic_acknowledge(&w->hardware);

	return pic_hardware_arrived(&w->p, vector) ? vector : -1;
}

static void test_held_back(void **state)
{
	static struct world w;
	const struct port_access access = ports(&w);
	int vector;

	(void)state;
	enter(&w, &access);
	set_line(&w, 4, true);
	vector = arrive(&w);
	assert_true(vector > 0 && pic_hardware_waits(&w.p));
	assert_int_equal(guest_reads(&w, PIC_MASTER, PIC_OCW3_READ_IRR), 0x10);
	assert_int_equal(guest_reads(&w, PIC_MASTER, PIC_OCW3_READ_ISR), 0);
	assert_false(pic_hardware_can_leave(&w.p));
	assert_int_equal(pic_hardware_take(&w.p), vector);
	assert_int_equal(guest_reads(&w, PIC_MASTER, PIC_OCW3_READ_ISR), 0x10);
	assert_true(pic_hardware_can_leave(&w.p)); /* in service in both */
	pic_hardware_leave(&w.p);
	assert_int_equal(pic_read(&w.hardware, PIC_MASTER), 0x10);
}

/* Masked while it waits: the hardware lets lower ones through, and is not given back. */
static void test_masked_while_it_waits(void **state)
{
	static struct world w;
	const struct port_access access = ports(&w);
	int first;

	(void)state;
	enter(&w, &access);
	set_line(&w, 1, true);
	first = arrive(&w);
	pic_hardware_write(&w.p, PIC_MASTER + 1, 0x02);
	assert_int_equal(w.hardware.chip[0].isr, 0);
	assert_false(pic_hardware_waits(&w.p));
	assert_false(pic_hardware_can_leave(&w.p));
	pic_hardware_write(&w.p, PIC_MASTER + 1, 0xff);
	pic_hardware_write(&w.p, PIC_SLAVE + 1, 0xff);
	assert_true(pic_hardware_can_leave(&w.p)); /* nobody is going to take it */
	pic_hardware_write(&w.p, PIC_SLAVE + 1, 0);
	pic_hardware_write(&w.p, PIC_MASTER + 1, 0x02);
	assert_false(pic_hardware_can_leave(&w.p));
	set_line(&w, 6, true);
	assert_int_equal(arrive(&w), first + 5);
	assert_int_equal(pic_hardware_take(&w.p), first + 5);
	pic_hardware_write(&w.p, PIC_MASTER, PIC_OCW2_EOI);
	pic_hardware_write(&w.p, PIC_MASTER + 1, 0);
	assert_int_equal(pic_hardware_take(&w.p), first);
	assert_false(pic_hardware_can_leave(&w.p)); /* in service in the model alone */
	pic_hardware_write(&w.p, PIC_MASTER, PIC_OCW2_EOI);
	assert_true(pic_hardware_can_leave(&w.p));
}

static void test_level_that_falls(void **state)
{
	static struct world w;
	const struct port_access access = ports(&w);

	(void)state;
	enter(&w, &access);
	pic_hardware_write(&w.p, PIC_ELCR + 1, 0x08);
	set_line(&w, 11, true);
	assert_true(arrive(&w) > 0 && pic_hardware_waits(&w.p));
	set_line(&w, 11, false);
	assert_int_equal(pic_hardware_take(&w.p), -1);
	assert_int_equal(w.hardware.chip[0].isr | w.hardware.chip[1].isr, 0);
	assert_true(pic_hardware_can_leave(&w.p));
}

/* Nothing in service tells that the interrupt came from here: the caller delivers the vector. */
static void test_spurious(void **state)
{
	static struct world w;
	const struct port_access access = ports(&w);

	(void)state;
	enter(&w, &access);
	assert_int_equal(arrive(&w), -1);
	w.hardware.chip[0].line |= 4;
	w.hardware.chip[0].edge |= 4;
	assert_int_equal(arrive(&w), -1);
	assert_int_equal(w.hardware.chip[0].isr, 0);    /* and ended */
	assert_false(pic_hardware_arrived(&w.p, 0xec)); /* the APIC's */
}

static void test_low_vectors(void **state)
{
	static struct world w;
	const struct port_access access = ports(&w);

	(void)state;
	enter(&w, &access);
	assert_true(pic_hardware_is_low(&w.p)); /* who knows */
	set_line(&w, 0, true);
	arrive(&w);
	set_line(&w, 8, true);
	pic_hardware_take(&w.p);
	pic_hardware_write(&w.p, PIC_MASTER, PIC_OCW2_EOI);
	arrive(&w);
	assert_false(pic_hardware_is_low(&w.p));
	pic_hardware_write(&w.p, PIC_MASTER, 0x11);
	pic_hardware_write(&w.p, PIC_MASTER + 1, 0x08);
	pic_hardware_write(&w.p, PIC_MASTER + 1, 0x04);
	pic_hardware_write(&w.p, PIC_MASTER + 1, 0x01);
	assert_true(pic_hardware_is_low(&w.p));
	assert_false(pic_hardware_arrived(&w.p, 8)); /* a double fault */
	set_line(&w, 3, true);
	assert_int_equal(arrive(&w), 0x0b);
	assert_int_equal(pic_hardware_take(&w.p), 0x0b);
	pic_hardware_write(&w.p, PIC_MASTER + 1, 0xff);
	pic_hardware_write(&w.p, PIC_SLAVE + 1, 0xff);
	assert_false(pic_hardware_is_low(&w.p));
}

/* A machine without the edge/level registers, and a guest that asks for levels by ICW1. */
static u8 in_without_elcr(void *context, u16 port)
{
	return port >= PIC_ELCR ? 0xff : pic_read(context, port);
}

static void test_edges_only(void **state)
{
	static struct world w;
	struct port_access access = ports(&w);

	(void)state;
	access.in = in_without_elcr;
	enter(&w, &access);
	pic_hardware_write(&w.p, PIC_MASTER, 0x19);
	pic_hardware_write(&w.p, PIC_MASTER + 1, 0x30);
	pic_hardware_write(&w.p, PIC_MASTER + 1, 0x04);
	pic_hardware_write(&w.p, PIC_MASTER + 1, 0x01);
	w.hardware.chip[0].level = false;
	set_line(&w, 3, true);
	assert_int_equal(arrive(&w), 0x33);
	assert_int_equal(pic_hardware_take(&w.p), 0x33);
	pic_hardware_write(&w.p, PIC_MASTER, PIC_OCW2_EOI);
	assert_int_equal(pic_hardware_take(&w.p), -1);
}

/* With iopl3 the hardware is the guest's. */
static void test_not_entered(void **state)
{
	struct pic_hardware p = {0};

	(void)state;
	assert_false(pic_hardware_arrived(&p, 0x30));
	assert_false(pic_hardware_waits(&p));
	assert_false(pic_hardware_is_low(&p));
	assert_int_equal(pic_hardware_take(&p), -1);
	assert_true(pic_hardware_can_leave(&p));
	pic_hardware_hold(&p);
	pic_hardware_leave(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held_back),
		cmocka_unit_test(test_masked_while_it_waits),
		cmocka_unit_test(test_level_that_falls),
		cmocka_unit_test(test_spurious),
		cmocka_unit_test(test_low_vectors),
		cmocka_unit_test(test_edges_only),
		cmocka_unit_test(test_not_entered),
		cmocka_unit_test(test_random_programs),
	};

	return cmocka_run_group_tests_name("pic_hardware", tests, NULL, NULL);
}
