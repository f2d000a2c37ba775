// SPDX-License-Identifier: MIT
/*
 * The I/O APIC's model: registers, edges, levels with remote IRR, messages to
 * a model of the local APIC, capture and restore.
 */
#include "tests/unit/check.h"

#include "irq/ioapic.h"
#include "irq/lapic.h"

static void put(struct ioapic *a, u32 reg, u32 value)
{
	ioapic_write(a, IOAPIC_SELECT, reg);
	ioapic_write(a, IOAPIC_WINDOW, value);
}

static u32 get(struct ioapic *a, u32 reg)
{
	ioapic_write(a, IOAPIC_SELECT, reg);
	return ioapic_read(a, IOAPIC_WINDOW);
}

static bool sends(struct ioapic *a, u8 vector)
{
	struct ioapic_message m;

	if (!ioapic_next_message(a, &m))
		return false;
	assert_int_equal(m.vector, vector);
	return true;
}

static struct ioapic ready(void)
{
	struct ioapic a;

	ioapic_reset(&a, 0x20);
	return a;
}

static void test_registers(void **state)
{
	struct ioapic a = ready();

	(void)state;
	assert_int_equal(get(&a, IOAPIC_VERSION), 0x00170020);
	put(&a, IOAPIC_ID, 0xffffffff);
	assert_int_equal(get(&a, IOAPIC_ID), 0x0f000000);
	assert_int_equal(get(&a, IOAPIC_ARBITRATION), 0x0f000000);
	for (u32 pin = 0; pin < NR_IOAPIC_PINS; pin++) {
		assert_int_equal(get(&a, IOAPIC_ENTRY(pin)), IOAPIC_MASKED);
		put(&a, IOAPIC_ENTRY(pin), 0xffffffff);
		put(&a, IOAPIC_ENTRY(pin) + 1, 0xffffffff);
		assert_int_equal(get(&a, IOAPIC_ENTRY(pin)), 0x1afff);
		assert_int_equal(get(&a, IOAPIC_ENTRY(pin) + 1), 0xff000000);
	}
	assert_int_equal(get(&a, IOAPIC_ENTRY(NR_IOAPIC_PINS)), 0);
	assert_int_equal(ioapic_read(&a, 0x20), 0);
	assert_int_equal(ioapic_read(&a, IOAPIC_SELECT), IOAPIC_ENTRY(NR_IOAPIC_PINS));
}

static void test_edge(void **state)
{
	struct ioapic a = ready();

	(void)state;
	ioapic_set_pin(&a, 4, true);
	assert_false(sends(&a, 0));
	put(&a, IOAPIC_ENTRY(4), 0x34); /* the edge came while it was masked */
	assert_false(sends(&a, 0));
	ioapic_set_pin(&a, 4, false);
	ioapic_set_pin(&a, 4, true);
	ioapic_set_pin(&a, 4, false);
	ioapic_set_pin(&a, 4, true);
	assert_true(sends(&a, 0x34)); /* two that were not seen in between are one */
	assert_false(sends(&a, 0));
	put(&a, IOAPIC_ENTRY(5), IOAPIC_LOW_ACTIVE | 0x35);
	ioapic_set_pin(&a, 5, true);
	assert_false(sends(&a, 0));
	ioapic_set_pin(&a, 5, false);
	assert_true(sends(&a, 0x35));
	ioapic_set_pin(&a, 200, true); /* none */
	assert_false(sends(&a, 0));
}

static void test_level(void **state)
{
	struct ioapic a = ready();

	(void)state;
	put(&a, IOAPIC_ENTRY(10), IOAPIC_LEVEL | 0x41);
	ioapic_set_pin(&a, 10, true);
	assert_true(sends(&a, 0x41));
	assert_int_equal(get(&a, IOAPIC_ENTRY(10)), IOAPIC_LEVEL | IOAPIC_REMOTE_IRR | 0x41);
	ioapic_set_pin(&a, 10, false);
	ioapic_set_pin(&a, 10, true);
	assert_false(sends(&a, 0)); /* until the end of the first */
	ioapic_end(&a, 0x42);
	assert_false(sends(&a, 0));
	ioapic_end(&a, 0x41);
	assert_true(sends(&a, 0x41));
	ioapic_set_pin(&a, 10, false);
	ioapic_write(&a, IOAPIC_EOI, 0x41);
	assert_int_equal(get(&a, IOAPIC_ENTRY(10)), IOAPIC_LEVEL | 0x41);
	assert_false(sends(&a, 0));
	/* masked: waits, and comes when unmasked */
	put(&a, IOAPIC_ENTRY(10), IOAPIC_MASKED | IOAPIC_LEVEL | 0x41);
	ioapic_set_pin(&a, 10, true);
	assert_false(sends(&a, 0));
	put(&a, IOAPIC_ENTRY(10), IOAPIC_LEVEL | 0x41);
	assert_true(sends(&a, 0x41));
	/* to edge and back clears remote IRR */
	put(&a, IOAPIC_ENTRY(10), IOAPIC_MASKED | 0x41);
	put(&a, IOAPIC_ENTRY(10), IOAPIC_LEVEL | 0x41);
	assert_true(sends(&a, 0x41));
}

static void test_old_one_has_no_eoi(void **state)
{
	struct ioapic a;

	(void)state;
	ioapic_reset(&a, 0x11);
	put(&a, IOAPIC_ENTRY(1), IOAPIC_LEVEL | 0x41);
	ioapic_set_pin(&a, 1, true);
	assert_true(sends(&a, 0x41));
	ioapic_write(&a, IOAPIC_EOI, 0x41);
	assert_false(sends(&a, 0));
}

/* Together with a local APIC, as an owner connects them. */
static void carry(struct ioapic *a, struct lapic *l)
{
	struct ioapic_message m;

	while (ioapic_next_message(a, &m))
		if (lapic_is_destination(l, m.destination, m.logical))
			assert_true(lapic_deliver(l, m.mode, m.vector, m.level));
}

static void end(struct ioapic *a, struct lapic *l)
{
	struct lapic_effect e;

	lapic_write(l, LAPIC_EOI, 0, 0, &e);
	if (e.eoi >= 0)
		ioapic_end(a, (u8)e.eoi);
	carry(a, l);
}

static void test_with_lapic(void **state)
{
	const struct lapic_kind kind = {.version = 0x50014};
	struct ioapic a = ready();
	struct lapic_effect e;
	struct lapic l;

	(void)state;
	lapic_reset(&l, &kind, 2, clock_of(1, 1));
	lapic_write(&l, LAPIC_SVR, LAPIC_ENABLED | 0xff, 0, &e);
	put(&a, IOAPIC_ENTRY(3) + 1, 0x02000000);
	put(&a, IOAPIC_ENTRY(3), IOAPIC_LEVEL | 0x51);
	put(&a, IOAPIC_ENTRY(4) + 1, 0x01000000); /* another CPU's */
	put(&a, IOAPIC_ENTRY(4), 0x61);
	ioapic_set_pin(&a, 3, true);
	ioapic_set_pin(&a, 4, true);
	carry(&a, &l);
	assert_int_equal(lapic_acknowledge(&l), 0x51);
	end(&a, &l);
	assert_int_equal(lapic_acknowledge(&l), 0x51); /* still high */
	ioapic_set_pin(&a, 3, false);
	end(&a, &l);
	assert_int_equal(lapic_request(&l), LAPIC_NO_VECTOR);
}

static u32 real_read(void *context, u32 offset)
{
	return ioapic_read(context, offset);
}

static void real_write(void *context, u32 offset, u32 value)
{
	ioapic_write(context, offset, value);
}

static void test_capture_restore(void **state)
{
	struct ioapic real = ready(), a, other;
	const struct ioapic_access h = {real_read, real_write, &real};
	const struct ioapic_access to = {real_read, real_write, &other};

	(void)state;
	put(&real, IOAPIC_ID, 0x03000000);
	put(&real, IOAPIC_ENTRY(7), IOAPIC_LEVEL | IOAPIC_LOW_ACTIVE | 0x71);
	put(&real, IOAPIC_ENTRY(7) + 1, 0x05000000);
	put(&real, IOAPIC_ENTRY(8), 0x72);
	ioapic_set_pin(&real, 7, true);
	ioapic_set_pin(&real, 7, false);
	assert_true(sends(&real, 0x71));
	ioapic_write(&real, IOAPIC_SELECT, 0x17);
	ioapic_capture(&a, &h);
	assert_memory_equal(a.entry, real.entry, sizeof(a.entry));
	assert_int_equal(a.id, 3);
	assert_int_equal(a.select, 0x17);
	assert_int_equal(real.select, 0x17);
	ioapic_reset(&other, 0x20);
	assert_false(ioapic_restore(&a, &to));
	assert_int_equal(other.entry[8], IOAPIC_MASKED);
	assert_false(sends(&a, 0)); /* in service: the captured pin is active */
	ioapic_end(&a, 0x71);
	assert_true(sends(&a, 0x71));
	ioapic_set_pin(&a, 7, true);
	ioapic_end(&a, 0x71);
	assert_true(ioapic_restore(&a, &to));
	assert_memory_equal(other.entry, a.entry, sizeof(a.entry));
	assert_int_equal(other.select, 0x17);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers),  cmocka_unit_test(test_edge),
		cmocka_unit_test(test_level),      cmocka_unit_test(test_old_one_has_no_eoi),
		cmocka_unit_test(test_with_lapic), cmocka_unit_test(test_capture_restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
