// SPDX-License-Identifier: MIT
/*
 * The real-time clock. Updates are made up for when somebody looks, in a time
 * that does not depend on how many there were: the first by the registers as
 * the guest may have left them, the others by arithmetic on what is a proper
 * time of day then, and on a date as soon as it is one.
 */
#include "irq/rtc.h"

#include "lib/string.h"

#define UPDATE_TICKS  8 /* 244 us in which the calendar must not be read */
#define RATE          0x0f
#define DIVIDER       0x70
#define DIVIDER_RUN   0x20 /* for a crystal of 32768 Hz */
#define ANY           0xc0 /* an alarm that does not care */
#define INTERRUPTS    0x70
#define AFTERNOON     0x80
#define INDEX         0x7f
#define SECONDS_A_DAY 86400u
#define CYCLE_YEARS   400u /* after which leap years and weekdays repeat */
#define CYCLE_DAYS    146097u
#define ALL_YEARS     10000u

static u64 ticks_at(const struct rtc *r, u64 now)
{
	return clock_ticks(&r->clock, now);
}

static u8 encode(const struct rtc *r, u32 value)
{
	return (u8)(r->reg[RTC_B] & RTC_B_BINARY ? value : (value / 10 << 4) + value % 10);
}

static u32 decode_value(const struct rtc *r, u8 code)
{
	return r->reg[RTC_B] & RTC_B_BINARY ? code : (code >> 4) * 10u + (code & 15u);
}

static u8 encode_hour(const struct rtc *r, u32 hour)
{
	if (r->reg[RTC_B] & RTC_B_24H)
		return encode(r, hour);
	return (u8)(encode(r, hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? AFTERNOON : 0));
}

static u32 decode_hour(const struct rtc *r, u8 code)
{
	if (r->reg[RTC_B] & RTC_B_24H)
		return decode_value(r, code);
	return decode_value(r, code & (u8)~AFTERNOON) % 12 + (code & AFTERNOON ? 12 : 0);
}

static u32 year_of(const struct rtc *r)
{
	return decode_value(r, r->reg[RTC_CENTURY]) * 100 + decode_value(r, r->reg[RTC_YEAR]);
}

static u32 days_in(u32 month, u32 year)
{
	static const u8 days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[(month + 11) % 12];
}

static void set_year(struct rtc *r, u32 year)
{
	r->reg[RTC_YEAR] = encode(r, year % 100);
	r->reg[RTC_CENTURY] = encode(r, year / 100 % 100);
}

static void next_day(struct rtc *r)
{
	u32 day = decode_value(r, r->reg[RTC_DAY]) + 1;
	u32 month = decode_value(r, r->reg[RTC_MONTH]);
	u32 year = year_of(r);

	r->reg[RTC_WEEKDAY] = encode(r, decode_value(r, r->reg[RTC_WEEKDAY]) % 7 + 1);
	if (day > days_in(month, year)) {
		day = 1;
		month++;
	}
	if (month > 12) {
		month = 1;
		set_year(r, year + 1);
	}
	r->reg[RTC_DAY] = encode(r, day);
	r->reg[RTC_MONTH] = encode(r, month);
}

/* --- dates --- */

struct date {
	u64 year;
	u32 month, day;
};

/* Years from 1 March on have the leap day last: one formula for months, one for years. */
static u64 day_number(struct date d)
{
	u64 year = d.year - (d.month <= 2);

	return year * 365 + year / 4 - year / 100 + year / 400 +
	       (153 * ((d.month + 9) % 12) + 2) / 5 + d.day - 1;
}

static struct date date_of(u64 number)
{
	u64 in_cycle = number % CYCLE_DAYS;
	u64 year = (in_cycle - in_cycle / 1460 + in_cycle / 36524 - in_cycle / 146096) / 365;
	u32 in_year = (u32)(in_cycle - (year * 365 + year / 4 - year / 100));
	u32 month = (5 * in_year + 2) / 153; /* 0: March */

	return (struct date){
		.year = number / CYCLE_DAYS * CYCLE_YEARS + year + (month >= 10),
		.month = month < 10 ? month + 3 : month - 9,
		.day = in_year - (153 * month + 2) / 5 + 1,
	};
}

static bool is_date(const struct rtc *r)
{
	u32 day = decode_value(r, r->reg[RTC_DAY]), month = decode_value(r, r->reg[RTC_MONTH]);

	return month >= 1 && month <= 12 && day >= 1 && day <= days_in(month, year_of(r));
}

/* What is no date becomes one by the end of its month. */
static void add_days(struct rtc *r, u64 days)
{
	struct date d;

	for (; days > 0 && !is_date(r); days--)
		next_day(r);
	if (days == 0)
		return;
	d = date_of(days + day_number((struct date){
				   .year = year_of(r) + ALL_YEARS,
				   .month = decode_value(r, r->reg[RTC_MONTH]),
				   .day = decode_value(r, r->reg[RTC_DAY]),
			   }));
	r->reg[RTC_WEEKDAY] =
		encode(r, (u32)((decode_value(r, r->reg[RTC_WEEKDAY]) + days - 1) % 7) + 1);
	if (d.year != year_of(r) + ALL_YEARS)
		set_year(r, (u32)(d.year % ALL_YEARS));
	r->reg[RTC_MONTH] = encode(r, d.month);
	r->reg[RTC_DAY] = encode(r, d.day);
}

/* --- the time of day --- */

static void next_second(struct rtc *r)
{
	u32 second = decode_value(r, r->reg[RTC_SECONDS]) + 1;
	u32 minute = decode_value(r, r->reg[RTC_MINUTES]) + (second >= 60);
	u32 hour = decode_hour(r, r->reg[RTC_HOURS]) + (minute >= 60);

	r->reg[RTC_SECONDS] = encode(r, second % 60);
	r->reg[RTC_MINUTES] = encode(r, minute % 60);
	r->reg[RTC_HOURS] = encode_hour(r, hour % 24);
	if (hour >= 24)
		next_day(r);
}

/* In seconds; proper after the first next_second(). */
static u32 time_of_day(const struct rtc *r)
{
	return (decode_hour(r, r->reg[RTC_HOURS]) * 60 + decode_value(r, r->reg[RTC_MINUTES])) *
		       60 +
	       decode_value(r, r->reg[RTC_SECONDS]);
}

static void set_time_of_day(struct rtc *r, u32 time)
{
	r->reg[RTC_SECONDS] = encode(r, time % 60);
	r->reg[RTC_MINUTES] = encode(r, time / 60 % 60);
	r->reg[RTC_HOURS] = encode_hour(r, time / 3600);
}

static bool matches(u8 alarm, u8 code)
{
	return (alarm & ANY) == ANY || alarm == code;
}

static bool is_ever(const struct rtc *r, u8 alarm)
{
	u32 value = decode_value(r, alarm);

	return (alarm & ANY) == ANY || (value < 60 && encode(r, value) == alarm);
}

/* Seconds by which to go on from this time of day, at which the alarm is not; 0: it is. */
static u32 alarm_step(const struct rtc *r, u32 time)
{
	if (!matches(r->reg[RTC_HOURS_ALARM], encode_hour(r, time / 3600)))
		return 3600 - time % 3600;
	if (!matches(r->reg[RTC_MINUTES_ALARM], encode(r, time / 60 % 60)))
		return 60 - time % 60;
	return matches(r->reg[RTC_SECONDS_ALARM], encode(r, time % 60)) ? 0 : 1;
}

/* In the `seconds` from this time of day on: a few hundred steps, as each finds the next minute
 * that has the alarm, or there is none in the day. */
static bool has_alarm(const struct rtc *r, u32 time, u64 seconds)
{
	u64 last = min_u64(seconds, SECONDS_A_DAY);
	u32 step;

	if (!is_ever(r, r->reg[RTC_SECONDS_ALARM]) || !is_ever(r, r->reg[RTC_MINUTES_ALARM]))
		return false;
	for (u64 passed = 0; passed < last; passed += step) {
		step = alarm_step(r, (u32)((time + passed) % SECONDS_A_DAY));
		if (step == 0)
			return true;
	}
	return false;
}

static void note(struct rtc *r, u8 what)
{
	r->reg[RTC_C] |= what;
	if (r->reg[RTC_C] & r->reg[RTC_B] & INTERRUPTS)
		r->reg[RTC_C] |= RTC_C_REQUEST;
}

static void run_updates(struct rtc *r, u64 tick)
{
	u64 seconds;
	u32 time;

	if (tick < r->update)
		return;
	if ((r->reg[RTC_B] & RTC_B_SET) || (r->reg[RTC_A] & DIVIDER) != DIVIDER_RUN) {
		r->update += (tick - r->update) / RTC_HZ * RTC_HZ + RTC_HZ;
		return;
	}
	seconds = (tick - r->update) / RTC_HZ;
	next_second(r);
	time = time_of_day(r);
	note(r, RTC_B_UPDATE | (has_alarm(r, time, seconds + 1) ? RTC_B_ALARM : 0));
	set_time_of_day(r, (u32)((time + seconds) % SECONDS_A_DAY));
	add_days(r, (time + seconds) / SECONDS_A_DAY);
	r->update += (seconds + 1) * RTC_HZ;
}

/* Ticks between two periodic interrupts; 0: none. */
static u64 period(const struct rtc *r)
{
	u32 rate = r->reg[RTC_A] & RATE;

	if (rate == 0 || (r->reg[RTC_A] & DIVIDER) != DIVIDER_RUN)
		return 0;
	return (u64)1 << (rate <= 2 ? rate + 6 : rate - 1);
}

static void advance(struct rtc *r, u64 tick)
{
	u64 each = period(r);

	if (tick < r->periodic)
		return;
	if (each != 0 && tick / each != r->periodic / each)
		note(r, RTC_B_PERIODIC);
	r->periodic = tick;
	run_updates(r, tick);
}

void rtc_reset(struct rtc *r, struct clock clock, u64 seconds, u64 now)
{
	u64 days = seconds / SECONDS_A_DAY;
	u32 second = (u32)(seconds % SECONDS_A_DAY);

	memset(r, 0, sizeof(*r));
	r->clock = clock;
	r->periodic = ticks_at(r, now);
	r->update = r->periodic + RTC_HZ;
	r->reg[RTC_A] = DIVIDER_RUN | 6;
	r->reg[RTC_B] = RTC_B_BINARY | RTC_B_24H;
	r->reg[RTC_D] = RTC_D_VALID;
	r->reg[RTC_SECONDS] = (u8)(second % 60);
	r->reg[RTC_MINUTES] = (u8)(second / 60 % 60);
	r->reg[RTC_HOURS] = (u8)(second / 3600);
	r->reg[RTC_WEEKDAY] = 5; /* 1970 began on a Thursday */
	r->reg[RTC_DAY] = 1;
	r->reg[RTC_MONTH] = 1;
	set_year(r, 1970);
	add_days(r, days);
}

/* A machine need not keep the century where PCs do. */
u64 rtc_seconds(struct rtc *r, u64 now)
{
	const struct date epoch = {.year = 1970, .month = 1, .day = 1};
	struct date d;

	advance(r, ticks_at(r, now));
	d = (struct date){.year = year_of(r),
			  .month = decode_value(r, r->reg[RTC_MONTH]),
			  .day = decode_value(r, r->reg[RTC_DAY])};
	if (d.year / 100 < 19 || d.year / 100 > 21)
		d.year = d.year % 100 + 2000;
	if (!is_date(r) || d.year < epoch.year)
		return 0;
	return (day_number(d) - day_number(epoch)) * SECONDS_A_DAY + time_of_day(r) % SECONDS_A_DAY;
}

static bool is_read_only(u8 reg)
{
	return reg == RTC_C || reg == RTC_D;
}

static void write_b(struct rtc *r, u8 value)
{
	if (value & RTC_B_SET)
		value &= (u8)~RTC_B_UPDATE; /* so says the data sheet */
	r->reg[RTC_B] = value;
	r->reg[RTC_C] &= (u8)~RTC_C_REQUEST;
	note(r, 0);
}

static void write_a(struct rtc *r, u8 value, u64 tick)
{
	bool started = (value & DIVIDER) == DIVIDER_RUN && (r->reg[RTC_A] & DIVIDER) != DIVIDER_RUN;

	r->reg[RTC_A] = value & (u8)~RTC_A_UPDATING;
	if (started) /* the first update comes half a second later */
		r->update = tick + RTC_HZ / 2;
}

void rtc_write(struct rtc *r, u16 port, u8 value, u64 now)
{
	u64 tick = ticks_at(r, now);

	advance(r, tick);
	if (port == RTC_INDEX)
		r->index = value & INDEX;
	else if (port != RTC_DATA || is_read_only(r->index))
		return;
	else if (r->index == RTC_A)
		write_a(r, value, tick);
	else if (r->index == RTC_B)
		write_b(r, value);
	else
		r->reg[r->index] = value;
}

static u8 read_a(const struct rtc *r, u64 tick)
{
	bool runs = !(r->reg[RTC_B] & RTC_B_SET) && (r->reg[RTC_A] & DIVIDER) == DIVIDER_RUN;
	bool updating = runs && r->update - tick <= UPDATE_TICKS;

	return (u8)(r->reg[RTC_A] | (updating ? RTC_A_UPDATING : 0));
}

u8 rtc_read(struct rtc *r, u16 port, u64 now)
{
	u64 tick = ticks_at(r, now);
	u8 value;

	advance(r, tick);
	if (port != RTC_DATA)
		return 0xff; /* the index cannot be read */
	if (r->index == RTC_A)
		return read_a(r, tick);
	value = r->reg[r->index];
	if (r->index == RTC_C)
		r->reg[RTC_C] = 0;
	return value;
}

bool rtc_line(struct rtc *r, u64 now)
{
	advance(r, ticks_at(r, now));
	return (r->reg[RTC_C] & RTC_C_REQUEST) != 0;
}

u64 rtc_deadline(struct rtc *r, u64 now)
{
	u64 tick = ticks_at(r, now), next = CLOCK_NEVER, each = period(r);
	u8 wanted = r->reg[RTC_B] & INTERRUPTS;

	advance(r, tick);
	if (r->reg[RTC_C] & RTC_C_REQUEST)
		return CLOCK_NEVER; /* high until C is read */
	if ((wanted & (RTC_B_UPDATE | RTC_B_ALARM)) && !(r->reg[RTC_B] & RTC_B_SET))
		next = r->update;
	if ((wanted & RTC_B_PERIODIC) && each != 0)
		next = min_u64(next, (tick / each + 1) * each);
	return next != CLOCK_NEVER ? clock_tsc(&r->clock, next) : CLOCK_NEVER;
}

/* --- the hardware --- */

static u8 get(const struct port_access *h, u8 reg)
{
	h->out(h->context, RTC_INDEX, reg);
	return h->in(h->context, RTC_DATA);
}

static void put(const struct port_access *h, u8 reg, u8 value)
{
	h->out(h->context, RTC_INDEX, reg);
	h->out(h->context, RTC_DATA, value);
}

void rtc_capture(struct rtc *r, const struct port_access *h, u8 request, u64 now)
{
	struct clock clock = r->clock;

	memset(r, 0, sizeof(*r));
	r->clock = clock;
	r->periodic = ticks_at(r, now);
	r->update = r->periodic + RTC_HZ;
	for (u8 reg = 0; reg < NR_RTC_REGISTERS; reg++)
		if (reg != RTC_C)
			r->reg[reg] = get(h, reg);
	if (r->reg[RTC_A] & RTC_A_UPDATING)
		r->update = r->periodic + UPDATE_TICKS;
	r->reg[RTC_A] &= (u8)~RTC_A_UPDATING;
	r->reg[RTC_C] = request;
}

/* The calendar is set with updates held, as software does. */
static void restore(struct rtc *r, const struct port_access *h, u64 now, u8 end)
{
	advance(r, ticks_at(r, now));
	put(h, RTC_B, r->reg[RTC_B] | RTC_B_SET);
	for (u8 reg = 0; reg < end; reg++)
		if (reg != RTC_A && reg != RTC_B && !is_read_only(reg))
			put(h, reg, r->reg[reg]);
	put(h, RTC_A, r->reg[RTC_A]);
	put(h, RTC_B, r->reg[RTC_B]);
}

void rtc_restore(struct rtc *r, const struct port_access *h, u64 now)
{
	restore(r, h, now, NR_RTC_REGISTERS);
	h->out(h->context, RTC_INDEX, r->index);
}

void rtc_restore_registers(struct rtc *r, const struct port_access *h, u64 now)
{
	restore(r, h, now, RTC_D + 1);
	get(h, RTC_C);
	h->out(h->context, RTC_INDEX, r->index);
}
