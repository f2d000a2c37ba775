// SPDX-License-Identifier: MIT
/* Messages between processors: which of them reach this one, and what it sends itself. */
#include "lapic_world.h"

#define TO_OTHER 0x02000000u
#define NMI      0x4400u
#define FIXED    0x4051u

/* What Vellum sends between the guest's messages, and within one, the guest does not see. */
static void test_own_messages(void **state)
{
	struct world w;

	(void)state;
	start(&w, false);
	enter(&w);
	lapic_hardware_write(&w.h, LAPIC_ICR_HIGH, TO_OTHER, 0);
	lapic_hardware_write(&w.h, LAPIC_ICR, FIXED, 0);
	assert_int_equal(lapic_hardware_read(&w.h, LAPIC_ICR, 0), FIXED);
	lapic_hardware_keep_icr(&w.h);
	real_write(&w.real, LAPIC_ICR, NMI);
	assert_int_equal(real_read(&w.real, LAPIC_ICR), NMI);
	assert_int_equal(lapic_hardware_read(&w.h, LAPIC_ICR, 0), FIXED);
	lapic_hardware_write(&w.h, LAPIC_ICR, FIXED + 1, 0);
	assert_int_equal(real_read(&w.real, LAPIC_ICR), FIXED + 1);
	real_write(&w.real, LAPIC_ICR, NMI);
	assert_int_equal(lapic_hardware_read(&w.h, LAPIC_ICR, 0), FIXED + 1);
	/* What Vellum does for the guest never reaches the hardware. */
	lapic_hardware_sent(&w.h, (u64)TO_OTHER << 32 | 0x4500);
	assert_int_equal(lapic_hardware_read(&w.h, LAPIC_ICR, 0), 0x4500);
	assert_int_equal(real_read(&w.real, LAPIC_ICR), NMI);
	/* And a new time begins with the hardware's. */
	lapic_hardware_leave(&w.h);
	enter(&w);
	assert_int_equal(lapic_hardware_read(&w.h, LAPIC_ICR, 0), NMI);
}

static void test_destinations(void **state)
{
	struct world w;

	(void)state;
	start(&w, false);
	enter(&w);
	assert_true(lapic_hardware_is_destination(&w.h, 3, 3, false));
	assert_true(lapic_hardware_is_destination(&w.h, 3, 0xff, false));
	assert_false(lapic_hardware_is_destination(&w.h, 3, 2, false));
	lapic_hardware_write(&w.h, LAPIC_LDR, 0x04ffffff, 0);
	assert_true(lapic_hardware_is_destination(&w.h, 3, 0x0c, true));
	assert_true(lapic_hardware_is_destination(&w.h, 3, 0xff, true));
	assert_false(lapic_hardware_is_destination(&w.h, 3, 0x03, true));
	/* Clusters: 2, and the first of it. */
	lapic_hardware_write(&w.h, LAPIC_DFR, 0, 0);
	lapic_hardware_write(&w.h, LAPIC_LDR, 0x21000000, 0);
	assert_true(lapic_hardware_is_destination(&w.h, 3, 0x23, true));
	assert_true(lapic_hardware_is_destination(&w.h, 3, 0xff, true));
	assert_false(lapic_hardware_is_destination(&w.h, 3, 0x13, true));
	assert_false(lapic_hardware_is_destination(&w.h, 3, 0x22, true));
	/* They are the hardware's, and captured with it. */
	lapic_hardware_leave(&w.h);
	enter(&w);
	assert_true(lapic_hardware_is_destination(&w.h, 3, 0x21, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_messages),
		cmocka_unit_test(test_destinations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
