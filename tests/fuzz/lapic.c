// SPDX-License-Identifier: MIT
/*
 * Fuzzer of the local APIC's registers. First the model and an I/O APIC that
 * sends to it, with any values anywhere; then the same through
 * lapic_hardware.c, with Vellum's timer on and off and a model as the
 * hardware: what is in service there is what Vellum believes, and when the
 * guest has ended everything, nothing is left.
 */
#include "tests/fuzz/damage.h"

#include <string.h>

#include "irq/ioapic.h"
#include "irq/lapic_hardware.h"

struct machine {
	struct lapic apic;
	struct ioapic io;
	u64 now;
};

static void carry(struct machine *m)
{
	struct ioapic_message message;

	while (ioapic_next_message(&m->io, &message))
		if (lapic_is_destination(&m->apic, message.destination, message.logical))
			lapic_deliver(&m->apic, message.mode, message.vector, message.level);
}

static void apic_write(struct machine *m, u32 offset, u32 value)
{
	struct lapic_effect e;

	lapic_write(&m->apic, offset, value, m->now, &e);
	if (e.eoi >= 0)
		ioapic_end(&m->io, (u8)e.eoi);
	carry(m);
}

static void start(struct machine *m, u8 options)
{
	const struct lapic_kind kind = {.version = options & 1 ? 0x01060015 : 0x50014,
					.has_deadline = (options & 2) != 0};

	lapic_reset(&m->apic, &kind, 0, clock_of((options & 4) ? 3 : 1, (options & 8) ? 2 : 1));
	ioapic_reset(&m->io, options & 16 ? 0x20 : 0x11);
	m->now = 0;
}

/* Input is read as steps of six bytes: what, where, a word. */
#define STEP 6

static u32 word_of(const u8 *data)
{
	u32 word;

	memcpy(&word, data, sizeof(word));
	return word;
}

static void outside_event(struct machine *m, u8 what, u8 where, u32 word)
{
	if (what < 170) {
		ioapic_write(&m->io, IOAPIC_SELECT, where % 64);
		ioapic_write(&m->io, IOAPIC_WINDOW, word);
	} else if (what < 190) {
		ioapic_set_pin(&m->io, where % 32, word & 1);
	} else {
		m->now += word % 100000;
		lapic_advance(&m->apic, m->now);
	}
	carry(m);
}

static void check_sets(const struct lapic *l)
{
	for (int i = 0; i < 16; i++) {
		must(!lapic_has(l->irr, (u8)i));
		must(!lapic_has(l->isr, (u8)i));
	}
	must((lapic_ppr(l) & 0xf0) >= (l->tpr & 0xf0));
	must(lapic_request(l) < 0 || (lapic_request(l) & 0xf0) > (int)(lapic_ppr(l) & 0xf0));
}

static void fuzz_model(const u8 *data, size_t size, u8 options)
{
	struct machine m;

	start(&m, options);
	for (; size >= STEP; data += STEP, size -= STEP) {
		u8 what = data[0], where = data[1];

		if (what < 100)
			apic_write(&m, where % 64 * 16u, word_of(data + 2));
		else if (what < 130)
			lapic_read(&m.apic, where % 64 * 16u, m.now);
		else if (what < 200)
			outside_event(&m, what, where, word_of(data + 2));
		else if (what < 210)
			lapic_write_deadline(&m.apic, m.now + where, m.now);
		else if (what < 220)
			lapic_set_lint(&m.apic, where & 1, word_of(data + 2) & 1);
		else
			lapic_acknowledge(&m.apic);
		must(lapic_deadline(&m.apic) > m.now);
		check_sets(&m.apic);
	}
}

static u32 real_read(void *context, u32 offset)
{
	struct machine *m = context;

	return lapic_read(&m->apic, offset, m->now);
}

static void real_write(void *context, u32 offset, u32 value)
{
	apic_write(context, offset, value);
}

static u64 real_read_deadline(void *context)
{
	struct machine *m = context;

	return lapic_read_deadline(&m->apic, m->now);
}

static void real_write_deadline(void *context, u64 deadline)
{
	struct machine *m = context;

	lapic_write_deadline(&m->apic, deadline, m->now);
}

/* Level-triggered lines that nobody serves come again and again: a few rounds are enough. */
static void run(struct machine *m, struct lapic_hardware *h)
{
	for (int i = 0; i < 32 && lapic_request(&m->apic) >= 0; i++)
		lapic_hardware_arrived(h, lapic_acknowledge(&m->apic), m->now);
}

static void check_step(const struct machine *m, const struct lapic_hardware *h)
{
	for (u32 i = 0; i < LAPIC_WORDS; i++) {
		must(h->held[i] == m->apic.isr[i]);
		must((h->taken[i] & ~h->held[i]) == 0);
		must((h->ended[i] & ~h->held[i]) == 0);
		must((h->ended[i] & h->taken[i]) == 0);
	}
}

static void guest_step(struct machine *m, struct lapic_hardware *h, u8 what, u8 where, u32 word)
{
	if (what < 100)
		lapic_hardware_write(h, where % 64 * 16u, word, m->now);
	else if (what < 130)
		lapic_hardware_read(h, where % 64 * 16u, m->now);
	else if (what < 200)
		outside_event(m, what, where, word);
	else if (what < 215)
		lapic_hardware_set_timer(h, where & 1 ? m->now + word % 5000 : CLOCK_NEVER, m->now);
	else if (what < 230)
		lapic_hardware_eoi(h);
	else if (what < 235)
		lapic_hardware_send_back(h);
	else
		lapic_hardware_take(h);
	run(m, h);
}

/* The guest masks everything, takes and ends what there is: the hardware is at rest, and works. */
static void check_alive(struct machine *m, struct lapic_hardware *h)
{
	lapic_hardware_set_timer(h, CLOCK_NEVER, m->now);
	ioapic_reset(&m->io, 0x20);
	lapic_hardware_write(h, LAPIC_LVT_TIMER, LAPIC_MASKED, m->now);
	lapic_hardware_write(h, LAPIC_LINT0, LAPIC_MASKED, m->now);
	lapic_hardware_write(h, LAPIC_LINT1, LAPIC_MASKED, m->now);
	lapic_hardware_write(h, LAPIC_ERROR, LAPIC_MASKED, m->now);
	lapic_hardware_write(h, LAPIC_TPR, 0, m->now);
	lapic_hardware_write(h, LAPIC_SVR, LAPIC_ENABLED | 0xff, m->now);
	for (int i = 0; i < 600; i++) {
		run(m, h);
		lapic_hardware_eoi(h);
		lapic_hardware_take(h);
	}
	must(lapic_highest(m->apic.isr) < 0);
	must(lapic_highest(m->apic.irr) < 0);
	must(lapic_hardware_can_leave(h));
	lapic_hardware_write(h, LAPIC_ICR, 0x40000 | 0x55, m->now);
	run(m, h);
	must(lapic_hardware_take(h) == 0x55);
	lapic_hardware_leave(h);
}

static void fuzz_hardware(const u8 *data, size_t size, u8 options)
{
	struct machine m;
	struct lapic_hardware h;
	struct lapic_access access = {.read = real_read, .write = real_write, .context = &m};

	start(&m, options);
	if (options & 2) {
		access.read_deadline = real_read_deadline;
		access.write_deadline = real_write_deadline;
	}
	lapic_hardware_enter(&h, &access, m.apic.timer.clock);
	for (; size >= STEP; data += STEP, size -= STEP) {
		guest_step(&m, &h, data[0], data[1], word_of(data + 2));
		check_step(&m, &h);
	}
	check_alive(&m, &h);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	if (size == 0)
		return 0;
	fuzz_model(data + 1, size - 1, data[0]);
	fuzz_hardware(data + 1, size - 1, data[0]);
	return 0;
}
