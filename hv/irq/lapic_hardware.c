// SPDX-License-Identifier: MIT
/*
 * The real local APIC under a virtualized guest that owns it. Owns invariants
 * I1 (an EOI reaches the hardware exactly once for each acknowledge, after the
 * guest's own, and ends that vector), I3 and I4.
 *
 * Ring 3 runs with the real IF set, so the CPU acknowledges what the guest's
 * own IF may still hold back. What it acknowledged and the guest has not is a
 * ticket: in service in the hardware, requested for the guest. The hardware's
 * EOI ends the highest vector in service, which may be a ticket while the
 * guest ends a lower one that it has really served. Passing that EOI on would
 * end a level-triggered line before its device was served: the line asks
 * again, is acknowledged twice and ended once, and the lower vector stays in
 * service for ever. So it waits until the ticket is ended. Nobody notices: the
 * ticket is what the guest takes next anyhow, and all that the unended vector
 * holds back meanwhile is lower than it.
 *
 * Everything that a guest can see is in the hardware at all times, down to the
 * ticks of a shared timer, which are sent as interrupts to oneself: so the way
 * back has nothing to write, and a line in flight stays where it is.
 */
#include "irq/lapic_hardware.h"

#define CLASS           0xf0u
#define ICR_SELF        0x40000u
#define DIVIDE_BY_1     0x0bu
#define TIMER_MODE(lvt) ((u8)((lvt) >> LAPIC_TIMER_SHIFT & 3))
#define TPR_BELOW_OWN   0xefu
#define LVT_DEADLINE    ((u32)LAPIC_TIMER_DEADLINE << LAPIC_TIMER_SHIFT)
#define MAX_COUNT       0xffffffffu

_Static_assert((LAPIC_OWN_VECTOR & CLASS) > TPR_BELOW_OWN - 0xf, "the guest's TPR never holds it");

static u32 get(const struct lapic_hardware *h, u32 offset)
{
	return h->access->read(h->access->context, offset);
}

static void put(const struct lapic_hardware *h, u32 offset, u32 value)
{
	h->access->write(h->access->context, offset, value);
}

static bool has_bit(const struct lapic_hardware *h, u32 set, u8 vector)
{
	return (get(h, set + vector / 32 * 16) >> vector % 32 & 1) != 0;
}

/* What is in service: no class above the processor's priority, which saves most of the reads. */
static void capture_isr(struct lapic_hardware *h)
{
	u32 highest = (get(h, LAPIC_PPR) & CLASS) / 32;

	__builtin_memset(h->held, 0, sizeof(h->held));
	__builtin_memset(h->taken, 0, sizeof(h->taken));
	__builtin_memset(h->ended, 0, sizeof(h->ended));
	for (u32 i = 0; i <= highest; i++)
		h->taken[i] = h->held[i] = get(h, LAPIC_ISR + i * 16);
}

/* On the path of a transition: no more than has to be set. */
void lapic_hardware_enter(struct lapic_hardware *h, const struct lapic_access *access,
			  struct clock bus)
{
	h->access = access;
	h->shared = h->stray = h->late = false;
	h->timer.clock = bus;
	h->lost = 0;
	h->tickets = 0;
	h->own_deadline = CLOCK_NEVER;
	h->tpr = get(h, LAPIC_TPR) & 0xff;
	h->svr = get(h, LAPIC_SVR);
	h->ldr = get(h, LAPIC_LDR);
	/* x2APIC has none (SDM volume 3, table 10-6). */
	h->dfr = access->read_icr != NULL ? ~(u32)0 : get(h, LAPIC_DFR);
	h->icr_kept = false;
	capture_isr(h);
}

bool lapic_hardware_can_leave(const struct lapic_hardware *h)
{
	u32 differs = 0;

	for (u32 i = 0; i < LAPIC_WORDS; i++)
		differs |= h->held[i] ^ h->taken[i];
	return h->access == NULL || (!h->shared && !h->stray && differs == 0);
}

/* Acknowledged by the CPU, not by the guest. */
static u32 tickets(const struct lapic_hardware *h, u32 word)
{
	return h->held[word] & ~h->taken[word] & ~h->ended[word];
}

static u32 priority(const struct lapic_hardware *h)
{
	int serviced = lapic_highest(h->taken);
	u32 class = serviced < 0 ? 0 : (u32)serviced & CLASS;

	return (h->tpr & CLASS) >= class ? h->tpr : class;
}

static u64 ticket_pair(const struct lapic_hardware *h, u32 i)
{
	return lapic_pair(h->held, i) & ~lapic_pair(h->taken, i) & ~lapic_pair(h->ended, i);
}

static NEVER_INLINE int best_ticket(const struct lapic_hardware *h)
{
	int vector = LAPIC_NO_VECTOR;

	for (u32 i = LAPIC_WORDS; i > 0 && vector < 0; i -= 2)
		if (ticket_pair(h, i - 2) != 0)
			vector = lapic_top(ticket_pair(h, i - 2), i - 2);
	return ((u32)vector & CLASS) > (priority(h) & CLASS) ? vector : LAPIC_NO_VECTOR;
}

/* Asked at each exit: mostly there is none. */
int lapic_hardware_request(const struct lapic_hardware *h)
{
	return h->access != NULL && h->tickets != 0 ? best_ticket(h) : LAPIC_NO_VECTOR;
}

int lapic_hardware_take(struct lapic_hardware *h)
{
	int vector = lapic_hardware_request(h);

	if (vector >= 0) {
		lapic_set(h->taken, (u8)vector);
		h->tickets--;
	}
	return vector;
}

void lapic_hardware_end(struct lapic_hardware *h, u8 vector)
{
	put(h, LAPIC_EOI, 0);
	lapic_clear(h->held, vector);
	lapic_clear(h->ended, vector);
}

void lapic_hardware_eoi(struct lapic_hardware *h)
{
	int vector = lapic_highest(h->taken);

	if (vector < 0)
		return;
	lapic_clear(h->taken, (u8)vector);
	lapic_set(h->ended, (u8)vector);
	for (vector = lapic_highest(h->held); vector >= 0 && lapic_has(h->ended, (u8)vector);
	     vector = lapic_highest(h->held))
		lapic_hardware_end(h, (u8)vector);
}

/* --- messages --- */

static u64 hardware_icr(const struct lapic_hardware *h)
{
	if (h->access->read_icr != NULL)
		return h->access->read_icr(h->access->context);
	return (u64)get(h, LAPIC_ICR_HIGH) << 32 | get(h, LAPIC_ICR);
}

RARELY_USED void lapic_hardware_keep_icr(struct lapic_hardware *h)
{
	if (h->access == NULL || h->icr_kept)
		return;
	h->icr = hardware_icr(h) & ~(u64)LAPIC_ICR_BUSY;
	h->icr_kept = true;
}

void lapic_hardware_sent(struct lapic_hardware *h, u64 icr)
{
	lapic_hardware_keep_icr(h);
	h->icr = icr & ~(u64)LAPIC_ICR_BUSY;
}

void lapic_hardware_send(struct lapic_hardware *h, u64 icr)
{
	if (h->icr_kept)
		h->icr = icr & ~(u64)LAPIC_ICR_BUSY;
	if (h->access->write_icr != NULL)
		h->access->write_icr(h->access->context, icr);
	else
		put(h, LAPIC_ICR, (u32)icr);
}

static u32 read_icr(const struct lapic_hardware *h)
{
	u32 now = get(h, LAPIC_ICR);

	return h->icr_kept ? (u32)h->icr | (now & LAPIC_ICR_BUSY) : now;
}

bool lapic_hardware_is_destination(const struct lapic_hardware *h, u8 id, u8 destination,
				   bool logical)
{
	/* Of a model these are all that the question is about. */
	struct lapic l = {.id = (u32)id << 24, .ldr = h->ldr, .dfr = h->dfr};

	return lapic_is_destination(&l, destination, logical);
}

/* --- the timer --- */

static void send_self(const struct lapic_hardware *h, u8 vector)
{
	put(h, LAPIC_ICR, ICR_SELF | vector);
}

/* The guest's timer has run out: what its LVT entry says, by a message to oneself. */
static void tick(const struct lapic_hardware *h)
{
	if (!(h->lvt_timer & LAPIC_MASKED))
		send_self(h, (u8)h->lvt_timer);
}

static void load(const struct lapic_hardware *h, u64 next, u64 now)
{
	u64 ticks = 0;

	if (h->access->write_deadline != NULL) {
		h->access->write_deadline(h->access->context, next != CLOCK_NEVER ? next : 0);
		return;
	}
	if (next != CLOCK_NEVER)
		ticks = next <= now ? 1 : clock_ticks(&h->timer.clock, next - now) + 1;
	put(h, LAPIC_INITIAL, (u32)min_u64(ticks, MAX_COUNT));
}

/* The real timer for the earlier one of the two, or for none. It may have run out for what it was
 * loaded with before, and not have interrupted yet. */
static void arm(struct lapic_hardware *h, u64 now)
{
	u64 next = h->lvt_timer & LAPIC_MASKED ? CLOCK_NEVER : lapic_timer_next(&h->timer);

	next = min_u64(next, h->own_deadline);
	load(h, next, now);
	h->armed = next;
	h->late = has_bit(h, LAPIC_IRR, LAPIC_OWN_VECTOR);
}

static void advance(struct lapic_hardware *h, u64 now)
{
	if (lapic_timer_expired(&h->timer, now))
		tick(h);
}

/*
 * The counter ran out and no interrupt of it is requested or in service. Either it came in between,
 * or it was taken long ago and the guest has not programmed the timer since: not to be told apart
 * after QEMU's fashion, where the count is 0 for up to milliseconds before the request. A tick too
 * many is what every guest must bear; one too few stopped Linux in one of eight runs of 20 rounds.
 */
static bool is_owed(const struct lapic_hardware *h, u32 before, u32 count)
{
	u8 vector = (u8)h->lvt_timer;

	if (has_bit(h, LAPIC_IRR, vector) || has_bit(h, LAPIC_ISR, vector))
		return false;
	if (h->timer.mode == LAPIC_TIMER_PERIODIC)
		return count > before;
	return h->timer.initial != 0 && count == 0;
}

/*
 * Take the timer's state out of the hardware. The entry is masked first, so that nothing happens
 * between reading and stopping; what had happened just before is a request then, or owed.
 */
static void capture_timer(struct lapic_hardware *h, u64 now)
{
	struct lapic_timer *t = &h->timer;
	u32 before = get(h, LAPIC_CURRENT), count;
	u64 deadline = 0;

	h->lvt_timer = get(h, LAPIC_LVT_TIMER) & ~(u32)0x1000;
	t->mode = TIMER_MODE(h->lvt_timer);
	t->divide = (u8)get(h, LAPIC_DIVIDE);
	t->initial = t->mode != LAPIC_TIMER_DEADLINE ? get(h, LAPIC_INITIAL) : 0;
	if (t->mode == LAPIC_TIMER_DEADLINE && h->access->read_deadline != NULL)
		deadline = h->access->read_deadline(h->access->context);
	put(h, LAPIC_LVT_TIMER, h->lvt_timer | LAPIC_MASKED);
	count = get(h, LAPIC_CURRENT);
	t->deadline = deadline > now ? deadline : 0;
	lapic_timer_set_count(t, count, now);
	if (is_owed(h, before, count))
		tick(h);
}

/* From here on the real timer is Vellum's, one-shot, on a vector that the guest's TPR never holds
 * back. */
static void share(struct lapic_hardware *h, u64 now)
{
	if (!h->stray)
		h->svr = get(h, LAPIC_SVR);
	lapic_hardware_keep_icr(h);
	capture_timer(h, now);
	h->shared = true;
	put(h, LAPIC_SVR, h->svr | LAPIC_ENABLED);
	put(h, LAPIC_TPR, (u32)min_u64(h->tpr, TPR_BELOW_OWN));
	put(h, LAPIC_DIVIDE, DIVIDE_BY_1);
	put(h, LAPIC_LVT_TIMER,
	    LAPIC_OWN_VECTOR | (h->access->write_deadline != NULL ? LVT_DEADLINE : 0));
}

/* A counter starts from its initial count only, so a periodic one loses the part of the period that
 * is over: those parts are added up, and a whole one is a tick. */
static void restore_count(struct lapic_hardware *h, u64 now)
{
	u32 count = lapic_timer_count(&h->timer, now), initial = h->timer.initial;

	if (h->timer.mode == LAPIC_TIMER_PERIODIC && count != 0) {
		h->lost += initial - count;
		if (h->lost >= initial) {
			h->lost -= initial;
			tick(h);
		}
		count = initial;
	}
	put(h, LAPIC_INITIAL, count);
}

/* What could hold Vellum's interrupt back is the guest's again. */
static void restore_priority(const struct lapic_hardware *h)
{
	put(h, LAPIC_TPR, h->tpr);
	put(h, LAPIC_SVR, h->svr);
}

/* And back: the guest's programming in the real registers. What the timer has requested by now will
 * still arrive. */
static void unshare(struct lapic_hardware *h, u64 now)
{
	put(h, LAPIC_LVT_TIMER, LAPIC_OWN_VECTOR | LAPIC_MASKED);
	put(h, LAPIC_INITIAL, 0);
	h->stray = has_bit(h, LAPIC_IRR, LAPIC_OWN_VECTOR);
	advance(h, now);
	h->shared = false;
	put(h, LAPIC_DIVIDE, h->timer.divide);
	put(h, LAPIC_LVT_TIMER, h->lvt_timer);
	if (h->timer.mode != LAPIC_TIMER_DEADLINE)
		restore_count(h, now);
	else if (h->access->write_deadline != NULL && h->timer.deadline != 0)
		h->access->write_deadline(h->access->context, h->timer.deadline);
	if (!h->stray)
		restore_priority(h);
}

RARELY_USED bool lapic_hardware_set_timer(struct lapic_hardware *h, u64 deadline, u64 now)
{
	if (h->access == NULL || h->timer.clock.rate == 0)
		return false;
	h->own_deadline = deadline;
	if (deadline == CLOCK_NEVER) {
		if (h->shared)
			unshare(h, now);
		return true;
	}
	if (!h->shared)
		share(h, now);
	advance(h, now);
	arm(h, now);
	return true;
}

/* As if it had been shared with Vellum and no longer is. */
void lapic_hardware_begin(struct lapic_hardware *h, struct lapic *model, u64 now)
{
	struct clock bus = h->timer.clock;
	u32 count;

	lapic_advance(model, now);
	count = lapic_timer_count(&model->timer, now);
	lapic_hardware_copy(h, model);
	h->timer = model->timer;
	h->timer.clock = bus;
	if (h->timer.mode != LAPIC_TIMER_DEADLINE)
		lapic_timer_set_count(&h->timer, count, now);
	h->tpr = model->tpr;
	h->svr = model->svr;
	h->lvt_timer = model->lvt[LVT_TIMER];
	h->shared = true;
	unshare(h, now);
}

void lapic_hardware_send_self(struct lapic_hardware *h, u8 vector)
{
	lapic_hardware_keep_icr(h);
	send_self(h, vector);
}

/* Not every processor clears the deadline when it is over. */
static bool has_run_out(const struct lapic_hardware *h, u64 now)
{
	if (h->armed == CLOCK_NEVER)
		return false;
	return h->access->read_deadline != NULL ? h->armed <= now : get(h, LAPIC_CURRENT) == 0;
}

/* The guest may use the vector, too: then the timer is still counting. */
static bool is_own(const struct lapic_hardware *h, u8 vector, u64 now)
{
	return h->shared && vector == LAPIC_OWN_VECTOR && (h->late || has_run_out(h, now));
}

static enum lapic_arrival own_arrived(struct lapic_hardware *h, u64 now)
{
	bool due = h->own_deadline <= now;

	put(h, LAPIC_EOI, 0);
	if (due)
		h->own_deadline = CLOCK_NEVER;
	advance(h, now);
	arm(h, now);
	return due ? LAPIC_OWN_TIMER : LAPIC_INTERRUPT;
}

/* INT n of a vector that is in service says nothing new. */
static void hold(struct lapic_hardware *h, u8 vector)
{
	h->tickets += !lapic_has(h->held, vector);
	lapic_set(h->held, vector);
}

enum lapic_arrival lapic_hardware_arrived(struct lapic_hardware *h, u8 vector, u64 now)
{
	bool is_stray = h->stray && vector == LAPIC_OWN_VECTOR;

	if (h->access == NULL || !has_bit(h, LAPIC_ISR, vector))
		return LAPIC_NOTHING;
	if (is_own(h, vector, now))
		return own_arrived(h, now);
	if (is_stray) {
		h->stray = false;
		restore_priority(h);
	}
	if (is_stray || !(h->svr & LAPIC_ENABLED)) /* or the guest's APIC does not take part */
		put(h, LAPIC_EOI, 0);
	else
		hold(h, vector);
	return LAPIC_INTERRUPT;
}

void lapic_hardware_leave(struct lapic_hardware *h)
{
	h->access = NULL;
}

/* --- the guest's registers --- */

static u32 read_set(const struct lapic_hardware *h, u32 offset)
{
	u32 word = offset / 16 % LAPIC_WORDS;
	u32 value;

	if (offset < LAPIC_TMR)
		return h->taken[word];
	value = get(h, offset);
	if (offset < LAPIC_IRR)
		return value;
	if (h->shared && word == LAPIC_OWN_VECTOR / 32)
		value &= ~((u32)1 << LAPIC_OWN_VECTOR % 32);
	return value | tickets(h, word);
}

static u32 read_shared(const struct lapic_hardware *h, u32 offset, u64 now)
{
	switch (offset) {
	case LAPIC_SVR:
		return h->svr;
	case LAPIC_LVT_TIMER:
		return h->lvt_timer;
	case LAPIC_INITIAL:
		return h->timer.mode == LAPIC_TIMER_DEADLINE ? 0 : h->timer.initial;
	case LAPIC_CURRENT:
		return lapic_timer_count(&h->timer, now);
	case LAPIC_DIVIDE:
		return h->timer.divide;
	default:
		return get(h, offset);
	}
}

u32 lapic_hardware_read(const struct lapic_hardware *h, u32 offset, u64 now)
{
	if (offset >= LAPIC_ISR && offset < LAPIC_ESR)
		return read_set(h, offset);
	switch (offset) {
	case LAPIC_TPR:
		return h->tpr;
	case LAPIC_PPR:
		return priority(h);
	case LAPIC_EOI:
		return 0;
	case LAPIC_ICR:
		return read_icr(h);
	case LAPIC_SVR:
		return h->shared || h->stray ? h->svr : get(h, offset);
	default:
		return h->shared ? read_shared(h, offset, now) : get(h, offset);
	}
}

static void write_tpr(struct lapic_hardware *h, u32 value)
{
	h->tpr = value & 0xff;
	put(h, LAPIC_TPR, h->shared || h->stray ? (u32)min_u64(h->tpr, TPR_BELOW_OWN) : h->tpr);
}

static void write_lvt_timer(struct lapic_hardware *h, u32 value, u64 now)
{
	u32 bits = h->access->write_deadline != NULL ? 0x700ff : 0x300ff;

	h->lvt_timer = (value & bits) | (h->svr & LAPIC_ENABLED ? 0 : LAPIC_MASKED);
	lapic_timer_set_mode(&h->timer, TIMER_MODE(h->lvt_timer), now);
}

/* Switching the APIC off masks its local entries. The real one stays on for Vellum's timer. */
static void write_svr(struct lapic_hardware *h, u32 value)
{
	h->svr = value;
	put(h, LAPIC_SVR, value | LAPIC_ENABLED);
	if (value & LAPIC_ENABLED)
		return;
	h->lvt_timer |= LAPIC_MASKED;
	for (u32 offset = LAPIC_THERMAL; offset <= LAPIC_ERROR; offset += 16)
		put(h, offset, get(h, offset) | LAPIC_MASKED);
}

static bool is_local_entry(u32 offset)
{
	return offset == LAPIC_CMCI || (offset >= LAPIC_THERMAL && offset <= LAPIC_ERROR);
}

static void set_initial(struct lapic_hardware *h, u32 value, u64 now)
{
	h->lost = 0;
	lapic_timer_set_initial(&h->timer, value, now);
}

static void write_shared(struct lapic_hardware *h, u32 offset, u32 value, u64 now)
{
	advance(h, now);
	if (offset == LAPIC_SVR)
		write_svr(h, value);
	else if (offset == LAPIC_LVT_TIMER)
		write_lvt_timer(h, value, now);
	else if (offset == LAPIC_INITIAL)
		set_initial(h, value, now);
	else if (offset == LAPIC_DIVIDE)
		lapic_timer_set_divide(&h->timer, (u8)value, now);
	else if (is_local_entry(offset) && !(h->svr & LAPIC_ENABLED))
		put(h, offset, value | LAPIC_MASKED);
	else
		put(h, offset, value);
	arm(h, now);
}

void lapic_hardware_write(struct lapic_hardware *h, u32 offset, u32 value, u64 now)
{
	if (offset == LAPIC_EOI) {
		lapic_hardware_eoi(h);
	} else if (offset == LAPIC_TPR) {
		write_tpr(h, value);
	} else if (offset == LAPIC_ICR) {
		lapic_hardware_send(h, (u64)get(h, LAPIC_ICR_HIGH) << 32 | value);
	} else if (h->shared) {
		write_shared(h, offset, value, now);
	} else if (offset == LAPIC_SVR && h->stray) {
		h->svr = value; /* until that has come */
	} else {
		put(h, offset, value);
		if (offset == LAPIC_SVR)
			h->svr = value;
	}
	if (offset == LAPIC_LDR)
		h->ldr = value & 0xff000000;
	if (offset == LAPIC_DFR)
		h->dfr = value | 0x0fffffff;
}

u64 lapic_hardware_read_deadline(const struct lapic_hardware *h)
{
	return h->shared ? h->timer.deadline : h->access->read_deadline(h->access->context);
}

void lapic_hardware_write_deadline(struct lapic_hardware *h, u64 deadline, u64 now)
{
	if (!h->shared) {
		h->access->write_deadline(h->access->context, deadline);
		return;
	}
	advance(h, now);
	lapic_timer_set_deadline(&h->timer, deadline);
	arm(h, now);
}
