// SPDX-License-Identifier: MIT
/*
 * The 8254. A counting element is never stepped: it is an initial count and
 * the tick at which it had that, from which count, output and the next edge
 * follow. A count takes effect on the tick after it was written.
 */
#include "irq/pit.h"

#include "lib/string.h"

#define READ_BACK      3 /* counter number of the read-back command */
#define BACK_NO_COUNT  0x20
#define BACK_NO_STATUS 0x10
#define STATUS_OUTPUT  0x80
#define STATUS_NULL    0x40
#define CONTROL_BITS   0x3f
#define GATE_2         0x01
#define GATE_SPEAKER   0x02
#define GATE_REFRESH   0x10
#define GATE_OUTPUT    0x20
#define REFRESH_TICKS  18 /* 15 us */
#define READ_BACK_ALL  0xce
#define LOW_BYTE       1u
#define HIGH_BYTE      2u

static u64 ticks_at(const struct pit *p, u64 now)
{
	return clock_ticks(&p->clock, now);
}

static bool is_periodic(const struct pit_counter *c)
{
	return c->mode == 2 || c->mode == 3;
}

static bool waits_for_gate(const struct pit_counter *c)
{
	return c->mode == 1 || c->mode == 5;
}

/* Ticks that the element has counted; the tick that loads it is not one. */
static u64 elapsed(const struct pit_counter *c, u64 tick)
{
	if (!c->running)
		return c->stopped;
	return (tick - c->start) >> 63 == 0 ? tick - c->start : 0;
}

static u32 high_half(u32 count)
{
	return (count + 1) / 2;
}

static bool has_reached(u64 tick, u64 when)
{
	return (tick - when) >> 63 == 0;
}

static void take_over(struct pit_counter *c, u64 tick)
{
	if (!c->has_next || !has_reached(tick, c->switch_at))
		return;
	c->has_next = false;
	c->count = c->next;
	c->start = c->next_start;
}

/* A new count of a periodic counter takes over where the old period ends, or its half in mode 3. */
static void replace_count(struct pit_counter *c, u32 count, u64 tick)
{
	u64 ticks = elapsed(c, tick), within = ticks % c->count;
	bool first_half = c->mode == 3 && within < high_half(c->count);

	c->has_next = true;
	c->next = count;
	c->switch_at = c->start + ticks - within + (first_half ? high_half(c->count) : c->count);
	c->next_start = c->switch_at - (first_half ? high_half(count) : 0);
}

static bool output_at(const struct pit_counter *c, u64 tick)
{
	u64 ticks = elapsed(c, tick);

	if (!c->loaded || (waits_for_gate(c) && !c->running))
		return c->mode != 0;
	switch (c->mode) {
	case 0:
	case 1:
		return ticks >= c->count;
	case 2:
		return !c->running || ticks % c->count != c->count - 1;
	case 3:
		return !c->running || ticks % c->count < high_half(c->count);
	default:
		return ticks != c->count;
	}
}

static u32 modulus(const struct pit_counter *c)
{
	return c->bcd ? 10000 : 65536;
}

static u16 to_code(const struct pit_counter *c, u32 value)
{
	u32 code = 0;

	value %= modulus(c);
	if (!c->bcd)
		return (u16)value;
	for (u32 shift = 0; shift < 16; shift += 4, value /= 10)
		code |= value % 10 << shift;
	return (u16)code;
}

static u32 from_code(const struct pit_counter *c, u16 code)
{
	u32 value = 0;

	if (!c->bcd)
		return code != 0 ? code : modulus(c);
	for (u32 shift = 16; shift > 0; shift -= 4)
		value = value * 10 + (code >> (shift - 4) & 15);
	return value != 0 ? value : modulus(c);
}

/* Mode 3 counts by two in each half, from the even number below the count. */
static u32 square_wave_count(const struct pit_counter *c, u64 ticks)
{
	u32 within = (u32)(ticks % c->count), half = high_half(c->count);

	if (within >= half)
		within -= half;
	return (u32)((c->count & ~1u) - min_u64(2 * within, c->count & ~1u));
}

static u32 value_at(const struct pit_counter *c, u64 tick)
{
	u64 ticks = elapsed(c, tick);
	u32 m = modulus(c);

	if (!c->loaded)
		return 0;
	if (c->mode == 3)
		return square_wave_count(c, ticks);
	if (c->mode == 2)
		return c->count - (u32)(ticks % c->count);
	return (c->count + m - (u32)(ticks % m)) % m;
}

static void start(struct pit_counter *c, u64 tick)
{
	c->start = tick + 1;
	c->running = true;
	c->stopped = 0;
	c->has_next = false;
}

static void load(struct pit_counter *c, u16 code, u64 tick)
{
	u32 count = from_code(c, code);

	if (is_periodic(c) && count < 2) /* 1 is illegal there */
		count = 2;
	if (is_periodic(c) && c->running) {
		replace_count(c, count, tick);
		return;
	}
	c->count = count;
	c->loaded = true;
	if (waits_for_gate(c))
		return;
	start(c, tick);
	c->running = c->gate;
}

static void set_gate(struct pit_counter *c, bool gate, u64 tick)
{
	bool rises = gate && !c->gate;
	bool falls = !gate && c->gate;

	c->gate = gate;
	if (!c->loaded || (!rises && !falls))
		return;
	if (rises && (waits_for_gate(c) || is_periodic(c))) {
		c->count = c->has_next ? c->next : c->count;
		start(c, tick);
	} else if (rises) { /* modes 0 and 4 go on */
		c->start = tick - c->stopped;
		c->running = true;
	} else if (!waits_for_gate(c)) {
		c->stopped = elapsed(c, tick);
		c->running = false;
	}
}

static void latch_count(struct pit_counter *c, u64 tick)
{
	if (c->latched != 0)
		return;
	c->latch = to_code(c, value_at(c, tick));
	c->latched = c->access;
	c->read_high = false;
}

static void latch_status(struct pit_counter *c, u64 tick)
{
	if (c->has_status)
		return;
	c->has_status = true;
	c->status = (u8)((output_at(c, tick) ? STATUS_OUTPUT : 0) |
			 (!c->loaded || c->has_next ? STATUS_NULL : 0) | c->access << 4 |
			 c->mode << 1 | c->bcd);
}

static void read_back(struct pit *p, u8 value, u64 tick)
{
	for (u32 i = 0; i < NR_PIT_COUNTERS; i++) {
		if (!(value & 2u << i))
			continue;
		if (!(value & BACK_NO_COUNT))
			latch_count(&p->counter[i], tick);
		if (!(value & BACK_NO_STATUS))
			latch_status(&p->counter[i], tick);
	}
}

static void set_mode(struct pit_counter *c, u8 value)
{
	bool gate = c->gate;

	memset(c, 0, sizeof(*c));
	c->gate = gate;
	c->access = value >> 4 & 3;
	c->mode = value >> 1 & 7;
	if (c->mode > 5)
		c->mode -= 4;
	c->bcd = value & 1;
	c->count = modulus(c);
}

static void write_control(struct pit *p, u8 value, u64 tick)
{
	u32 number = value >> 6;

	if (number == READ_BACK)
		read_back(p, value, tick);
	else if ((value & 0x30) == 0)
		latch_count(&p->counter[number], tick);
	else
		set_mode(&p->counter[number], value);
}

static void write_count(struct pit_counter *c, u8 value, u64 tick)
{
	if (c->access == LOW_BYTE) {
		load(c, value, tick);
	} else if (c->access == HIGH_BYTE) {
		load(c, (u16)(value << 8), tick);
	} else if (!c->write_high) {
		c->low = value;
		c->write_high = true;
		if (c->mode == 0) { /* the first byte stops it, and its output is low */
			c->loaded = false;
			c->running = false;
			c->stopped = 0;
		}
	} else {
		c->write_high = false;
		load(c, (u16)(value << 8 | c->low), tick);
	}
}

static u8 read_latched(struct pit_counter *c)
{
	if (c->latched & LOW_BYTE) {
		c->latched &= (u8)~LOW_BYTE;
		return (u8)c->latch;
	}
	c->latched = 0;
	return (u8)(c->latch >> 8);
}

static u8 read_count(struct pit_counter *c, u64 tick)
{
	u16 code = to_code(c, value_at(c, tick));
	bool high = c->access == HIGH_BYTE || c->read_high;

	if (c->has_status) {
		c->has_status = false;
		return c->status;
	}
	if (c->latched != 0)
		return read_latched(c);
	if (c->access == (LOW_BYTE | HIGH_BYTE))
		c->read_high = !c->read_high;
	return (u8)(high ? code >> 8 : code);
}

static u8 read_gate(struct pit *p, u64 tick)
{
	const struct pit_counter *c = &p->counter[2];

	return (u8)((c->gate ? GATE_2 : 0) | p->speaker |
		    (tick / REFRESH_TICKS % 2 != 0 ? GATE_REFRESH : 0) |
		    (output_at(c, tick) ? GATE_OUTPUT : 0));
}

/* Rising edges in ticks (from, to], in which the count does not change. */
static u64 edges(const struct pit_counter *c, u64 from, u64 to)
{
	u64 a = elapsed(c, from), b = elapsed(c, to);
	u64 rise = c->mode == 0 || c->mode == 1 ? c->count : (u64)c->count + 1;

	if (!c->loaded || !c->running)
		return 0;
	if (is_periodic(c))
		return b / c->count - a / c->count;
	return a < rise && b >= rise;
}

static void advance(struct pit *p, u64 tick)
{
	struct pit_counter *c = &p->counter[0];

	if (c->has_next && has_reached(tick, c->switch_at)) {
		p->due += edges(c, p->seen, c->switch_at);
		p->seen = c->switch_at;
	}
	for (u32 i = 0; i < NR_PIT_COUNTERS; i++)
		take_over(&p->counter[i], tick);
	p->due += edges(c, p->seen, tick);
	p->seen = tick;
}

void pit_reset(struct pit *p, struct clock clock, u64 now)
{
	memset(p, 0, sizeof(*p));
	p->clock = clock;
	p->seen = ticks_at(p, now);
	for (u32 i = 0; i < NR_PIT_COUNTERS; i++) {
		p->counter[i].gate = i != 2;
		set_mode(&p->counter[i], 0x36);
	}
	load(&p->counter[0], 0, p->seen);
}

u64 pit_ticks(struct pit *p, u64 now)
{
	u64 due;

	advance(p, ticks_at(p, now));
	due = p->due;
	p->due = 0;
	return due;
}

u64 pit_deadline(struct pit *p, u64 now)
{
	const struct pit_counter *c = &p->counter[0];
	u64 tick = ticks_at(p, now), ticks;
	u64 rise = c->mode == 0 || c->mode == 1 ? c->count : (u64)c->count + 1;

	advance(p, tick);
	if (p->due != 0)
		return now;
	if (!c->loaded || !c->running)
		return CLOCK_NEVER;
	ticks = elapsed(c, tick);
	if (is_periodic(c) && c->has_next && c->next_start != c->switch_at)
		return clock_tsc(&p->clock, c->next_start + c->next);
	if (is_periodic(c))
		rise = ticks - ticks % c->count + c->count;
	else if (ticks >= rise)
		return CLOCK_NEVER;
	return clock_tsc(&p->clock, c->start + rise);
}

bool pit_output(struct pit *p, u32 counter, u64 now)
{
	advance(p, ticks_at(p, now));
	return output_at(&p->counter[counter], ticks_at(p, now));
}

void pit_write(struct pit *p, u16 port, u8 value, u64 now)
{
	u64 tick = ticks_at(p, now);
	bool was_high;

	advance(p, tick);
	was_high = output_at(&p->counter[0], tick);
	if (port == PIT_CONTROL) {
		write_control(p, value, tick);
	} else if (port == PIT_GATE) {
		p->speaker = value & GATE_SPEAKER;
		set_gate(&p->counter[2], value & GATE_2, tick);
	} else if (port >= PIT_COUNTER && port < PIT_CONTROL) {
		write_count(&p->counter[port - PIT_COUNTER], value, tick);
	}
	p->due += !was_high && output_at(&p->counter[0], tick);
}

u8 pit_read(struct pit *p, u16 port, u64 now)
{
	u64 tick = ticks_at(p, now);

	advance(p, tick);
	if (port == PIT_GATE)
		return read_gate(p, tick);
	if (port >= PIT_COUNTER && port < PIT_CONTROL)
		return read_count(&p->counter[port - PIT_COUNTER], tick);
	return 0xff;
}

/* --- the hardware --- */

static u8 in(const struct port_access *h, u16 port)
{
	return h->in(h->context, port);
}

static void out(const struct port_access *h, u16 port, u8 value)
{
	h->out(h->context, port, value);
}

static u16 read_real_count(const struct port_access *h, u16 port, u8 access)
{
	u16 low = access & LOW_BYTE ? in(h, port) : 0;

	return (u16)(low | (access & HIGH_BYTE ? in(h, port) << 8 : 0));
}

/* A one-shot counter goes on from what is left, which counts down to its edge as the whole would;
 * one that is over is far behind it. */
static void capture_counter(struct pit_counter *c, u8 status, u16 code, u32 reload, u64 tick)
{
	u32 value = from_code(c, code);

	c->loaded = !(status & STATUS_NULL);
	if (!c->loaded)
		return;
	c->running = c->gate || waits_for_gate(c);
	c->count = is_periodic(c) && reload != 0 ? reload : is_periodic(c) ? modulus(c) : value;
	c->start = tick;
	if (c->mode == 3) {
		c->start -= (c->count - min_u64(value, c->count)) / 2;
		if (!(status & STATUS_OUTPUT))
			c->start -= high_half(c->count);
	} else if (c->mode == 2) {
		c->start -= c->count - min_u64(value, c->count);
	} else if ((status & STATUS_OUTPUT) && c->mode < 2) {
		c->count = 1; /* long over: the count goes on below zero */
		c->start -= 1 + modulus(c) - value % modulus(c);
	}
	c->stopped = tick - c->start;
}

void pit_capture(struct pit *p, const struct port_access *h, u32 reload, u64 now)
{
	struct clock clock = p->clock;
	u8 gate = in(h, PIT_GATE);

	memset(p, 0, sizeof(*p));
	p->clock = clock;
	p->seen = ticks_at(p, now);
	p->speaker = gate & GATE_SPEAKER;
	out(h, PIT_CONTROL, READ_BACK_ALL);
	for (u16 i = 0; i < NR_PIT_COUNTERS; i++) {
		u8 status = in(h, PIT_COUNTER + i);
		struct pit_counter *c = &p->counter[i];

		c->gate = i != 2 || (gate & GATE_2);
		set_mode(c, status & CONTROL_BITS);
		capture_counter(c, status, read_real_count(h, PIT_COUNTER + i, c->access),
				i == 0 ? reload : 0, p->seen);
	}
}

static void restore_counter(const struct pit_counter *c, u32 i, const struct port_access *h,
			    u64 tick)
{
	u16 port = (u16)(PIT_COUNTER + i), code;
	u64 left = c->count - min_u64(elapsed(c, tick), c->count);

	out(h, PIT_CONTROL, (u8)(i << 6 | (u32)c->access << 4 | (u32)c->mode << 1 | c->bcd));
	if (!c->loaded)
		return;
	/* An edge that is over must not come again: in mode 0 at once is as soon as can be. */
	code = to_code(c, is_periodic(c) ? c->count : (u32)max_u64(left, 1));
	if (c->access & LOW_BYTE)
		out(h, port, (u8)code);
	if (c->access & HIGH_BYTE)
		out(h, port, (u8)(code >> 8));
}

void pit_restore(struct pit *p, const struct port_access *h, u64 now)
{
	u64 tick = ticks_at(p, now);

	advance(p, tick);
	for (u32 i = 0; i < NR_PIT_COUNTERS; i++)
		restore_counter(&p->counter[i], i, h, tick);
	out(h, PIT_GATE, (u8)((p->counter[2].gate ? GATE_2 : 0) | p->speaker));
}

/* In modes 0 and 4 it counts without a trigger. */
bool pit_is_counting_once(struct pit *p, u64 now)
{
	struct pit_counter *c = &p->counter[0];
	u64 tick = ticks_at(p, now);

	advance(p, tick);
	return c->loaded && !is_periodic(c) && elapsed(c, tick) < c->count;
}

bool pit_is_periodic(const struct pit *p)
{
	return p->counter[0].loaded && is_periodic(&p->counter[0]);
}

void pit_restore_first(struct pit *p, const struct port_access *h, u64 now)
{
	u64 tick = ticks_at(p, now);

	advance(p, tick);
	restore_counter(&p->counter[0], 0, h, tick);
}
