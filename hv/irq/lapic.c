// SPDX-License-Identifier: MIT
/*
 * The local APIC: registers, acceptance and priority. An interrupt is a bit
 * that moves from IRR to ISR to nothing; who moves it when is all there is.
 */
#include "irq/lapic.h"

#include "lib/string.h"

#define FIRST_LEGAL_VECTOR 16
#define CLASS              0xf0u
#define VECTOR             0xffu

#define ERROR_SEND_VECTOR    ((u32)1 << 5)
#define ERROR_RECEIVE_VECTOR ((u32)1 << 6)
#define ERROR_ADDRESS        ((u32)1 << 7)

#define ICR_WRITABLE     0x000ccfffu
#define ICR_LOGICAL      0x800u
#define ICR_SHORTHAND(i) ((i) >> 18 & 3u)
#define SHORTHAND_NONE   0u
#define SHORTHAND_SELF   1u
#define SHORTHAND_ALL    2u

#define LVT_LEVEL     0x8000u
#define BROADCAST     0xff
#define FLAT          0xfu
#define SVR_BITS      0x3ffu
#define SVR_NO_EOI_OK ((u32)1 << 24) /* in the version register */

/* Which bits of the entries software may write; bit 18 of the timer's is the deadline mode's. */
static const u32 lvt_bits[NR_LVTS] = {
	[LVT_CMCI] = 0x107ff,  [LVT_TIMER] = 0x700ff, [LVT_THERMAL] = 0x107ff, [LVT_PERF] = 0x107ff,
	[LVT_LINT0] = 0x1a7ff, [LVT_LINT1] = 0x1a7ff, [LVT_ERROR] = 0x100ff,
};

static bool is_enabled(const struct lapic *l)
{
	return (l->svr & LAPIC_ENABLED) != 0;
}

void lapic_reset(struct lapic *l, const struct lapic_kind *kind, u8 id, struct clock bus)
{
	memset(l, 0, sizeof(*l));
	l->kind = *kind;
	l->timer.clock = bus;
	l->id = (u32)id << 24;
	l->dfr = ~(u32)0;
	l->svr = VECTOR;
	for (u32 i = 0; i < NR_LVTS; i++)
		l->lvt[i] = LAPIC_MASKED;
}

u32 lapic_ppr(const struct lapic *l)
{
	int serviced = lapic_highest(l->isr);
	u32 class = serviced < 0 ? 0 : (u32)serviced & CLASS;

	return (l->tpr & CLASS) >= class ? l->tpr : class;
}

int lapic_request(const struct lapic *l)
{
	int vector = lapic_highest(l->irr);

	if (vector < 0 || ((u32)vector & CLASS) <= (lapic_ppr(l) & CLASS))
		return LAPIC_NO_VECTOR;
	return vector;
}

u8 lapic_acknowledge(struct lapic *l)
{
	int vector = lapic_request(l);

	if (vector < 0)
		return (u8)(l->svr & VECTOR);
	lapic_clear(l->irr, (u8)vector);
	lapic_set(l->isr, (u8)vector);
	return (u8)vector;
}

static void fire(struct lapic *l, enum lapic_lvt which);

/* An error is reported once until software reads what there was. */
static void note_error(struct lapic *l, u32 error)
{
	bool is_new = (l->errors & error) == 0;

	l->errors |= error;
	if (is_new)
		fire(l, LVT_ERROR);
}

static void accept(struct lapic *l, u8 vector, bool level)
{
	if (vector < FIRST_LEGAL_VECTOR) {
		note_error(l, ERROR_RECEIVE_VECTOR);
		return;
	}
	lapic_set(l->irr, vector);
	if (level)
		lapic_set(l->tmr, vector);
	else
		lapic_clear(l->tmr, vector);
}

bool lapic_deliver(struct lapic *l, enum lapic_delivery mode, u8 vector, bool level)
{
	switch (mode) {
	case LAPIC_FIXED:
	case LAPIC_LOWEST:
		if (is_enabled(l))
			accept(l, vector, level);
		return true;
	case LAPIC_NMI:
		l->nmi = true;
		return true;
	case LAPIC_EXTINT: /* the CPU asks the 8259s, which only their wire says */
		return true;
	default:
		return false;
	}
}

/* An entry of the local vector table does what it is for, unless masked. */
static void fire(struct lapic *l, enum lapic_lvt which)
{
	u32 lvt = l->lvt[which];
	bool is_fixed = which == LVT_TIMER || which == LVT_ERROR || LAPIC_MODE(lvt) == LAPIC_FIXED;

	if (lvt & LAPIC_MASKED)
		return;
	if (is_fixed)
		lapic_deliver(l, LAPIC_FIXED, (u8)lvt, (lvt & LAPIC_REMOTE_IRR) != 0);
	else if (LAPIC_MODE(lvt) == LAPIC_NMI)
		l->nmi = true;
}

static bool is_level(u32 lvt)
{
	return (lvt & LVT_LEVEL) != 0 && LAPIC_MODE(lvt) == LAPIC_FIXED;
}

/* A level-triggered pin has its interrupt out until its EOI: remote IRR. */
static void check_level(struct lapic *l, u32 pin)
{
	u32 *lvt = &l->lvt[LVT_LINT0 + pin];

	if (l->lint[pin] && is_level(*lvt) && !(*lvt & (LAPIC_REMOTE_IRR | LAPIC_MASKED))) {
		*lvt |= LAPIC_REMOTE_IRR;
		fire(l, LVT_LINT0 + pin);
	}
}

void lapic_set_lint(struct lapic *l, u32 pin, bool active)
{
	bool rises = active && !l->lint[pin];

	l->lint[pin] = active;
	if (is_level(l->lvt[LVT_LINT0 + pin]))
		check_level(l, pin);
	else if (rises)
		fire(l, LVT_LINT0 + pin);
}

bool lapic_passes_extint(const struct lapic *l)
{
	u32 lvt = l->lvt[LVT_LINT0];

	return l->lint[0] && !(lvt & LAPIC_MASKED) && LAPIC_MODE(lvt) == LAPIC_EXTINT;
}

void lapic_advance(struct lapic *l, u64 now)
{
	if (lapic_timer_expired(&l->timer, now))
		fire(l, LVT_TIMER);
}

u64 lapic_deadline(const struct lapic *l)
{
	if (l->lvt[LVT_TIMER] & LAPIC_MASKED)
		return CLOCK_NEVER;
	return lapic_timer_next(&l->timer);
}

bool lapic_is_destination(const struct lapic *l, u8 destination, bool logical)
{
	u8 own = (u8)(l->ldr >> 24);

	if (!logical)
		return destination == BROADCAST || destination == l->id >> 24;
	if (l->dfr >> 28 == FLAT)
		return (own & destination) != 0;
	return destination == BROADCAST ||
	       (own >> 4 == destination >> 4 && (own & destination & 15));
}

/* Which entry of the local vector table a register is; NR_LVTS: none. */
static u32 lvt_of(const struct lapic *l, u32 offset)
{
	if (offset == LAPIC_CMCI)
		return (l->kind.version >> 16 & 0xff) >= NR_LVTS - 1 ? LVT_CMCI : NR_LVTS;
	if (offset >= LAPIC_LVT_TIMER && offset <= LAPIC_ERROR)
		return LVT_TIMER + (offset - LAPIC_LVT_TIMER) / 16;
	return NR_LVTS;
}

static u32 read_set(const struct lapic *l, u32 offset)
{
	u32 word = offset / 16 % LAPIC_WORDS;

	if (offset < LAPIC_TMR)
		return l->isr[word];
	return offset < LAPIC_IRR ? l->tmr[word] : l->irr[word];
}

static u32 read_single(struct lapic *l, u32 offset, u64 now)
{
	switch (offset) {
	case LAPIC_ID:
		return l->id;
	case LAPIC_VERSION:
		return l->kind.version;
	case LAPIC_TPR:
		return l->tpr;
	case LAPIC_PPR:
		return lapic_ppr(l);
	case LAPIC_LDR:
		return l->ldr;
	case LAPIC_DFR:
		return l->dfr;
	case LAPIC_SVR:
		return l->svr;
	case LAPIC_ESR:
		return l->esr;
	case LAPIC_ICR:
		return l->icr;
	case LAPIC_ICR_HIGH:
		return l->icr_high;
	case LAPIC_INITIAL:
		return l->timer.mode == LAPIC_TIMER_DEADLINE ? 0 : l->timer.initial;
	case LAPIC_CURRENT:
		return lapic_timer_count(&l->timer, now);
	case LAPIC_DIVIDE:
		return l->timer.divide;
	case LAPIC_APR:
	case LAPIC_EOI:
		return 0;
	default:
		note_error(l, ERROR_ADDRESS);
		return 0;
	}
}

u32 lapic_read(struct lapic *l, u32 offset, u64 now)
{
	u32 lvt = lvt_of(l, offset);

	lapic_advance(l, now);
	if (lvt < NR_LVTS)
		return l->lvt[lvt];
	if (offset >= LAPIC_ISR && offset < LAPIC_ESR)
		return read_set(l, offset);
	return read_single(l, offset, now);
}

/* Remote IRR of the local pins falls with the EOI of their vector, and a pin that is still active
 * asks again. */
static void end_local(struct lapic *l, u8 vector)
{
	for (u32 pin = 0; pin < 2; pin++) {
		u32 *lvt = &l->lvt[LVT_LINT0 + pin];

		if ((*lvt & LAPIC_REMOTE_IRR) && (*lvt & VECTOR) == vector)
			*lvt &= ~LAPIC_REMOTE_IRR;
		check_level(l, pin);
	}
}

static void write_eoi(struct lapic *l, struct lapic_effect *effect)
{
	int vector = lapic_highest(l->isr);

	if (vector < 0)
		return;
	lapic_clear(l->isr, (u8)vector);
	if (!lapic_has(l->tmr, (u8)vector))
		return;
	end_local(l, (u8)vector);
	if (!(l->svr & LAPIC_NO_EOI))
		effect->eoi = vector;
}

static void write_lvt(struct lapic *l, enum lapic_lvt which, u32 value, u64 now)
{
	u32 bits = lvt_bits[which];

	if (which == LVT_TIMER && !l->kind.has_deadline)
		bits &= ~((u32)LAPIC_TIMER_DEADLINE << LAPIC_TIMER_SHIFT);
	if (!is_enabled(l))
		value |= LAPIC_MASKED;
	l->lvt[which] = (value & bits) | (l->lvt[which] & LAPIC_REMOTE_IRR);
	if (which == LVT_TIMER)
		lapic_timer_set_mode(&l->timer, (u8)(l->lvt[which] >> LAPIC_TIMER_SHIFT & 3), now);
	if (which == LVT_LINT0 || which == LVT_LINT1)
		check_level(l, which - LVT_LINT0);
}

static void write_svr(struct lapic *l, u32 value)
{
	u32 bits = SVR_BITS | (l->kind.version & SVR_NO_EOI_OK ? LAPIC_NO_EOI : 0);

	l->svr = value & bits;
	if (is_enabled(l))
		return;
	for (u32 i = 0; i < NR_LVTS; i++)
		l->lvt[i] |= LAPIC_MASKED;
}

static bool is_for_self(const struct lapic *l)
{
	u8 destination = (u8)(l->icr_high >> 24);

	switch (ICR_SHORTHAND(l->icr)) {
	case SHORTHAND_NONE:
		return lapic_is_destination(l, destination, (l->icr & ICR_LOGICAL) != 0);
	case SHORTHAND_SELF:
	case SHORTHAND_ALL:
		return true;
	default:
		return false;
	}
}

static void write_icr(struct lapic *l, u32 value, struct lapic_effect *effect)
{
	enum lapic_delivery mode = LAPIC_MODE(value);
	bool is_fixed = mode == LAPIC_FIXED || mode == LAPIC_LOWEST;

	l->icr = value & ICR_WRITABLE;
	if (is_fixed && (u8)value < FIRST_LEGAL_VECTOR) {
		note_error(l, ERROR_SEND_VECTOR);
		return;
	}
	effect->others = ICR_SHORTHAND(value) != SHORTHAND_SELF;
	effect->icr = (u64)l->icr_high << 32 | l->icr;
	/* A level de-assert is INIT's, which no self-addressed message may be; nor SIPI, nor SMI */
	if (is_for_self(l) && (is_fixed || (mode == LAPIC_NMI && ICR_SHORTHAND(value) == 0)))
		lapic_deliver(l, mode, (u8)value, false);
}

static void write_esr(struct lapic *l)
{
	l->esr = l->errors;
	l->errors = 0;
}

/* Registers that ignore what is written to them. */
static bool is_read_only(u32 offset)
{
	return offset == LAPIC_VERSION || offset == LAPIC_APR || offset == LAPIC_PPR ||
	       offset == LAPIC_CURRENT || (offset >= LAPIC_ISR && offset < LAPIC_ESR);
}

static void write_single(struct lapic *l, u32 offset, u32 value, u64 now,
			 struct lapic_effect *effect)
{
	switch (offset) {
	case LAPIC_ID:
		l->id = value & 0xff000000;
		break;
	case LAPIC_TPR:
		l->tpr = value & 0xff;
		break;
	case LAPIC_EOI:
		write_eoi(l, effect);
		break;
	case LAPIC_LDR:
		l->ldr = value & 0xff000000;
		break;
	case LAPIC_DFR:
		l->dfr = value | 0x0fffffff;
		break;
	case LAPIC_SVR:
		write_svr(l, value);
		break;
	case LAPIC_ESR:
		write_esr(l);
		break;
	case LAPIC_ICR:
		write_icr(l, value, effect);
		break;
	case LAPIC_ICR_HIGH:
		l->icr_high = value & 0xff000000;
		break;
	case LAPIC_INITIAL:
		lapic_timer_set_initial(&l->timer, value, now);
		break;
	case LAPIC_DIVIDE:
		lapic_timer_set_divide(&l->timer, (u8)value, now);
		break;
	default:
		if (!is_read_only(offset))
			note_error(l, ERROR_ADDRESS);
		break;
	}
}

void lapic_write(struct lapic *l, u32 offset, u32 value, u64 now, struct lapic_effect *effect)
{
	u32 lvt = lvt_of(l, offset);

	*effect = (struct lapic_effect){.eoi = LAPIC_NO_VECTOR};
	lapic_advance(l, now);
	if (lvt < NR_LVTS)
		write_lvt(l, lvt, value, now);
	else
		write_single(l, offset, value, now, effect);
	lapic_advance(l, now);
}

u64 lapic_read_deadline(struct lapic *l, u64 now)
{
	lapic_advance(l, now);
	return l->timer.deadline;
}

void lapic_write_deadline(struct lapic *l, u64 deadline, u64 now)
{
	lapic_advance(l, now);
	lapic_timer_set_deadline(&l->timer, deadline);
	lapic_advance(l, now);
}
