// SPDX-License-Identifier: MIT
/*
 * The real-time clock's model: the calendar against the host's, in all four
 * formats, its three interrupts, setting, capture and restore.
 */
#include "tests/unit/check.h"

#include <time.h>

#include "irq/rtc.h"

#define SECOND ((u64)RTC_HZ) /* the TSC of these tests runs at that rate */

static struct rtc clock_at(u64 seconds)
{
	struct rtc r;

	rtc_reset(&r, clock_of(1, 1), seconds, 0);
	return r;
}

static u8 get(struct rtc *r, u8 reg, u64 now)
{
	rtc_write(r, RTC_INDEX, reg | 0x80, now);
	return rtc_read(r, RTC_DATA, now);
}

static void put(struct rtc *r, u8 reg, u8 value, u64 now)
{
	rtc_write(r, RTC_INDEX, reg, now);
	rtc_write(r, RTC_DATA, value, now);
}

static void check_calendar(struct rtc *r, u64 seconds, u64 now)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	gmtime_r(&t, &tm);
	assert_int_equal(get(r, RTC_SECONDS, now), tm.tm_sec);
	assert_int_equal(get(r, RTC_MINUTES, now), tm.tm_min);
	assert_int_equal(get(r, RTC_HOURS, now), tm.tm_hour);
	assert_int_equal(get(r, RTC_WEEKDAY, now), tm.tm_wday + 1);
	assert_int_equal(get(r, RTC_DAY, now), tm.tm_mday);
	assert_int_equal(get(r, RTC_MONTH, now), tm.tm_mon + 1);
	assert_int_equal(get(r, RTC_YEAR, now), tm.tm_year % 100);
	assert_int_equal(get(r, RTC_CENTURY, now), 19 + tm.tm_year / 100);
}

static void test_calendar(void **state)
{
	struct rng rng = {9};

	(void)state;
	for (u32 i = random_cases(300); i > 0; i--) {
		u64 start = rng_next(&rng) % 4102444800u, passed = rng_next(&rng) % 100000000;
		struct rtc r = clock_at(start);

		check_calendar(&r, start, 0);
		check_calendar(&r, start, SECOND - 1);
		check_calendar(&r, start + 1, SECOND);
		check_calendar(&r, start + 2 + passed, SECOND * (2 + passed));
	}
}

static void test_formats(void **state)
{
	struct rtc r = clock_at(86399); /* 23:59:59 */

	(void)state;
	put(&r, RTC_B, RTC_B_SET, 0); /* BCD, 12 hours */
	put(&r, RTC_SECONDS, 0x58, 0);
	put(&r, RTC_MINUTES, 0x59, 0);
	put(&r, RTC_HOURS, 0x91, 0); /* 11 in the evening */
	put(&r, RTC_DAY, 0x31, 0);
	put(&r, RTC_MONTH, 0x12, 0);
	put(&r, RTC_YEAR, 0x99, 0);
	put(&r, RTC_CENTURY, 0x19, 0);
	assert_int_equal(get(&r, RTC_SECONDS, 5 * SECOND), 0x58); /* held */
	put(&r, RTC_B, 0, 5 * SECOND);
	assert_int_equal(get(&r, RTC_SECONDS, 6 * SECOND), 0x59);
	assert_int_equal(get(&r, RTC_SECONDS, 7 * SECOND), 0x00);
	assert_int_equal(get(&r, RTC_HOURS, 7 * SECOND), 0x12);
	assert_int_equal(get(&r, RTC_DAY, 7 * SECOND), 0x01);
	assert_int_equal(get(&r, RTC_MONTH, 7 * SECOND), 0x01);
	assert_int_equal(get(&r, RTC_YEAR, 7 * SECOND), 0x00);
	assert_int_equal(get(&r, RTC_CENTURY, 7 * SECOND), 0x20);
	assert_int_equal(get(&r, RTC_HOURS, (7 + 3600) * SECOND), 0x01);
	assert_int_equal(get(&r, RTC_HOURS, (7 + 13 * 3600) * SECOND), 0x81);
}

static void test_update_flag(void **state)
{
	struct rtc r = clock_at(0);

	(void)state;
	assert_int_equal(get(&r, RTC_A, SECOND - 9), 0x26);
	assert_int_equal(get(&r, RTC_A, SECOND - 8), 0xa6);
	assert_int_equal(get(&r, RTC_A, SECOND), 0x26);
	assert_int_equal(get(&r, RTC_D, 0), RTC_D_VALID);
	put(&r, RTC_D, 0, SECOND);
	assert_int_equal(get(&r, RTC_D, SECOND), RTC_D_VALID);
}

static void test_periodic(void **state)
{
	struct rtc r = clock_at(0);
	u64 at = 100, count = 0;

	(void)state;
	get(&r, RTC_C, 100); /* periods that were over before it is switched on */
	put(&r, RTC_B, RTC_B_PERIODIC | RTC_B_24H, 100);
	while ((at = rtc_deadline(&r, at)) < SECOND) {
		assert_false(rtc_line(&r, at - 1));
		assert_true(rtc_line(&r, at));
		assert_true(rtc_deadline(&r, at) == CLOCK_NEVER);
		assert_int_equal(get(&r, RTC_C, at), RTC_C_REQUEST | RTC_B_PERIODIC);
		assert_false(rtc_line(&r, at));
		count++;
	}
	assert_int_equal(count, 1020); /* 1024 Hz, from tick 100 on */
	put(&r, RTC_A, 0x2f, at);      /* 2 Hz */
	get(&r, RTC_C, at);
	assert_int_equal(rtc_deadline(&r, at), at + SECOND / 2);
	put(&r, RTC_A, 0x21, at); /* 256 Hz */
	assert_int_equal(rtc_deadline(&r, at), at + 128);
	put(&r, RTC_A, 0x20, at);
	assert_true(rtc_deadline(&r, at) == CLOCK_NEVER);
}

static void test_alarm_and_update(void **state)
{
	struct rtc r = clock_at(3600);
	u64 at = 0;

	(void)state;
	put(&r, RTC_SECONDS_ALARM, 30, 0);
	put(&r, RTC_MINUTES_ALARM, 0xff, 0);
	put(&r, RTC_HOURS_ALARM, 0xc0, 0);
	put(&r, RTC_B, RTC_B_ALARM | RTC_B_BINARY | RTC_B_24H, 0);
	while (!rtc_line(&r, at))
		at = rtc_deadline(&r, at);
	assert_int_equal(at, 30 * SECOND);
	assert_int_equal(get(&r, RTC_C, at),
			 RTC_C_REQUEST | RTC_B_PERIODIC | RTC_B_ALARM | RTC_B_UPDATE);
	assert_true(rtc_line(&r, 100 * SECOND)); /* nobody looked: it was at 90 */
	get(&r, RTC_C, 100 * SECOND);
	/* far away, at a time of day that has been */
	put(&r, RTC_MINUTES_ALARM, 5, 100 * SECOND);
	put(&r, RTC_HOURS_ALARM, 0, 100 * SECOND);
	assert_false(rtc_line(&r, (u64)60000 * SECOND));
	assert_true(rtc_line(&r, (u64)86400 * 40 * SECOND));
	put(&r, RTC_B, RTC_B_UPDATE | RTC_B_24H, (u64)86400 * 41 * SECOND);
	get(&r, RTC_C, (u64)86400 * 41 * SECOND);
	assert_int_equal(rtc_deadline(&r, (u64)86400 * 41 * SECOND),
			 ((u64)86400 * 41 + 1) * SECOND);
}

/* A request that was collected without its interrupt being on comes when it is switched on. */
static void test_enable_late(void **state)
{
	struct rtc r = clock_at(0);

	(void)state;
	assert_false(rtc_line(&r, 3 * SECOND));
	put(&r, RTC_B, RTC_B_UPDATE | RTC_B_24H, 3 * SECOND);
	assert_true(rtc_line(&r, 3 * SECOND));
	put(&r, RTC_B, RTC_B_24H, 3 * SECOND);
	assert_false(rtc_line(&r, 3 * SECOND));
}

struct real {
	struct rtc rtc;
	u64 now;
};

static u8 real_in(void *context, u16 port)
{
	struct real *r = context;

	return rtc_read(&r->rtc, port, r->now);
}

static void real_out(void *context, u16 port, u8 value)
{
	struct real *r = context;

	rtc_write(&r->rtc, port, value, r->now);
}

static void test_capture_restore(void **state)
{
	struct real real = {.rtc = clock_at(1000000000)};
	const struct port_access h = {real_in, real_out, &real};
	struct rtc r = {.clock = clock_of(1, 1)};

	(void)state;
	put(&real.rtc, 0x60, 0x5a, 0);
	real.now = 10 * SECOND;
	rtc_line(&real.rtc, real.now);
	rtc_capture(&r, &h, 0, real.now);
	assert_int_equal(real.rtc.reg[RTC_C] & RTC_B_UPDATE, RTC_B_UPDATE); /* not read */
	check_calendar(&r, 1000000010, 10 * SECOND);
	check_calendar(&r, 1000000015, 15 * SECOND);
	assert_int_equal(get(&r, 0x60, 15 * SECOND), 0x5a);
	put(&r, 0x60, 0xa5, 15 * SECOND);
	real.rtc = clock_at(0);
	real.now = 20 * SECOND;
	rtc_restore(&r, &h, 20 * SECOND);
	check_calendar(&real.rtc, 1000000020, 20 * SECOND);
	check_calendar(&real.rtc, 1000000021, 21 * SECOND);
	assert_int_equal(get(&real.rtc, 0x60, 21 * SECOND), 0xa5);
}

/* Any contents, most of it sense: the guest may write what it likes. */
static struct rtc random_clock(struct rng *rng)
{
	struct rtc r = clock_at(rng_next(rng) % 4102444800u);

	r.reg[RTC_B] = (u8)(rng_next(rng) & (RTC_B_BINARY | RTC_B_24H));
	for (u8 reg = RTC_SECONDS; reg <= RTC_YEAR; reg++)
		if (rng_next(rng) % 8 == 0)
			r.reg[reg] = (u8)rng_next(rng);
	for (u8 reg = RTC_SECONDS_ALARM; reg <= RTC_HOURS_ALARM; reg += 2) {
		const u8 choice[] = {0xff, 0x05, 0x11, 0x81, (u8)rng_next(rng), r.reg[reg - 1]};

		r.reg[reg] = choice[rng_next(rng) % ARRAY_SIZE(choice)];
	}
	return r;
}

/* Who looks every few seconds sees what one sees who looks at the end. */
static void test_looking_once(void **state)
{
	struct rng rng = {23};

	(void)state;
	for (u32 i = random_cases(400); i > 0; i--) {
		struct rtc often = random_clock(&rng), once = often;
		u64 step = rng_next(&rng) % 2 ? 1 : rng_next(&rng) % 100000 + 1, at = 0;

		for (u64 looks = rng_next(&rng) % 20000 + 1; looks > 0; looks--)
			rtc_line(&often, at += step * SECOND);
		rtc_line(&once, at);
		assert_memory_equal(often.reg, once.reg, sizeof(often.reg));
		assert_int_equal(often.update, once.update);
	}
}

/* The calendar comes round after 10,000 years, alarms included. That takes for ever a day at a
 * time. */
static void test_long_sleep(void **state)
{
	const u64 round = (u64)25 * 146097 * 86400;
	struct rng rng = {24};

	(void)state;
	for (u32 i = random_cases(1000); i > 0; i--) {
		u64 rounds = rng_next(&rng) % 800 + 1, more = rng_next(&rng) % 100000000;
		struct rtc r = clock_at(1000000000);

		check_calendar(&r, 1000000000 + more, (rounds * round + more) * SECOND);
		assert_int_equal(r.reg[RTC_C] & RTC_B_ALARM, RTC_B_ALARM); /* at midnight */
	}
}

/* The second of an alarm that is far in the day, and none when it can never be. */
static void test_alarm_exactly(void **state)
{
	struct rtc r = clock_at(0);

	(void)state;
	put(&r, RTC_SECONDS_ALARM, 59, 0);
	put(&r, RTC_MINUTES_ALARM, 0, 0);
	put(&r, RTC_HOURS_ALARM, 23, 0);
	assert_int_equal(get(&r, RTC_C, (23 * 3600 + 58) * SECOND) & RTC_B_ALARM, 0);
	assert_int_equal(get(&r, RTC_C, (23 * 3600 + 59) * SECOND) & RTC_B_ALARM, RTC_B_ALARM);
	assert_int_equal(get(&r, RTC_C, (86400 + 23 * 3600 + 58) * SECOND) & RTC_B_ALARM, 0);
	assert_int_equal(get(&r, RTC_C, (86400 + 23 * 3600 + 99) * SECOND) & RTC_B_ALARM,
			 RTC_B_ALARM);
	put(&r, RTC_SECONDS_ALARM, 60, (u64)3 * 86400 * SECOND);
	put(&r, RTC_HOURS_ALARM, 0xff, (u64)3 * 86400 * SECOND);
	get(&r, RTC_C, (u64)3 * 86400 * SECOND);
	assert_int_equal(get(&r, RTC_C, (u64)30 * 86400 * SECOND) & RTC_B_ALARM, 0);
}

/* The clock as seconds, in each format, and where a machine has no century. */
static void test_seconds(void **state)
{
	struct rng rng = {77};

	(void)state;
	for (u32 i = random_cases(500); i > 0; i--) {
		u64 start = rng_next(&rng) % 4102444800u, passed = rng_next(&rng) % 100000000;
		struct rtc r = clock_at(start);

		if (i % 2) { /* as the registers of BCD and 12 hours have it */
			u64 in_day = start % 86400, hour = in_day / 3600;
			u64 shown = hour % 12 == 0 ? 12 : hour % 12;

			for (u8 reg = RTC_WEEKDAY; reg <= RTC_YEAR; reg++)
				r.reg[reg] = (u8)(r.reg[reg] / 10 << 4 | r.reg[reg] % 10);
			r.reg[RTC_SECONDS] = (u8)(in_day % 60 / 10 << 4 | in_day % 10);
			r.reg[RTC_MINUTES] = (u8)(in_day / 60 % 60 / 10 << 4 | in_day / 60 % 10);
			r.reg[RTC_HOURS] =
				(u8)(shown / 10 << 4 | shown % 10 | (hour >= 12 ? 0x80 : 0));
			r.reg[RTC_CENTURY] = r.reg[RTC_CENTURY] == 19 ? 0x19 : 0x20;
			r.reg[RTC_B] = 0;
		}
		assert_int_equal(rtc_seconds(&r, 0), start);
		assert_int_equal(rtc_seconds(&r, passed * SECOND), start + passed);
		if (start >= 946684800 && start + passed < 4102444800) {
			r.reg[RTC_CENTURY] = 0;
			assert_int_equal(rtc_seconds(&r, passed * SECOND), start + passed);
		}
	}
	for (u32 i = 0; i < 10000; i++) {
		struct rtc r = clock_at(0);

		for (u8 reg = 0; reg < NR_RTC_REGISTERS; reg++)
			r.reg[reg] = (u8)rng_next(&rng);
		assert_true(rtc_seconds(&r, i) < 5000000000u);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calendar),        cmocka_unit_test(test_formats),
		cmocka_unit_test(test_update_flag),     cmocka_unit_test(test_periodic),
		cmocka_unit_test(test_enable_late),     cmocka_unit_test(test_alarm_and_update),
		cmocka_unit_test(test_capture_restore), cmocka_unit_test(test_looking_once),
		cmocka_unit_test(test_seconds),         cmocka_unit_test(test_long_sleep),
		cmocka_unit_test(test_alarm_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
