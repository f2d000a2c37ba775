// SPDX-License-Identifier: MIT
/*
 * The local APIC as a CPU reaches it, by its page or by MSRs, between the
 * guest's accesses and irq/lapic_hardware.c. Owns invariant I2: while it is
 * trapped, the guest reaches no register of it but through here.
 */
#include "cpu/apic.h"

#include "cpu/domain_platform.h"
#include "cpu/ipi.h"
#include "cpu/sched.h"
#include "lib/log.h"
#include "mem/own_tables.h"
#include "mem/pagetable.h"

/* SDM volume 4: the legacy mode may be locked out. */
#define CPUID7_ARCH_CAPABILITIES (1u << 29)
#define MSR_ARCH_CAPABILITIES    0x10au
#define CAPABILITY_XAPIC_DISABLE ((u64)1 << 21)
#define MSR_XAPIC_DISABLE_STATUS 0xbdu
#define XAPIC_DISABLED           1u

#define MSR_APIC_BASE    0x1bu
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC       0x800u
#define MSR_X2APIC_END   0x900u
#define MSR_X2APIC_ICR   0x830u

#define BASE_ENABLED ((u64)1 << 11)
#define BASE_X2APIC  ((u64)1 << 10)

#define CPUID1_DEADLINE ((u32)1 << 24)

#define MEASURE_COUNTS 0x80000u       /* 0.5 to 5 ms */
#define MEASURE_LIMIT  ((u64)1 << 30) /* TSC ticks, after which the timer is said to stand still */
#define MEASUREMENTS   32u            /* at most */
#define GOOD_ENOUGH    1000u          /* of a measurement, its error */

static struct {
	bool trapped;
	u64 own_period;
	struct clock bus;
} apic; /* written at boot only */

static u32 page_read(void *context, u32 offset)
{
	(void)context;
	return own_lapic()[offset / 4];
}

static void page_write(void *context, u32 offset, u32 value)
{
	(void)context;
	own_lapic()[offset / 4] = value;
}

static u32 msr_of_read(void *context, u32 offset)
{
	(void)context;
	return (u32)rdmsr(MSR_X2APIC + offset / 16);
}

static void msr_of_write(void *context, u32 offset, u32 value)
{
	(void)context;
	wrmsr(MSR_X2APIC + offset / 16, value);
}

static u64 msr_icr_read(void *context)
{
	(void)context;
	return rdmsr(MSR_X2APIC_ICR);
}

/* x2APIC writes order nothing: what the receiver is to see has to be stored before. */
static void msr_icr_write(void *context, u64 icr)
{
	(void)context;
	__asm__ volatile("mfence; lfence" : : : "memory");
	wrmsr(MSR_X2APIC_ICR, icr);
}

static u64 deadline_read(void *context)
{
	(void)context;
	return rdmsr(MSR_TSC_DEADLINE);
}

/* The SDM wants a fence between the LVT entry in memory and this. */
static void deadline_write(void *context, u64 tsc)
{
	(void)context;
	__asm__ volatile("mfence" : : : "memory");
	wrmsr(MSR_TSC_DEADLINE, tsc);
}

static struct lapic_access by_page = {.read = page_read, .write = page_write};
static struct lapic_access by_msr = {.read = msr_of_read,
				     .write = msr_of_write,
				     .read_icr = msr_icr_read,
				     .write_icr = msr_icr_write};

/* The access that the base register's state asks for; NULL: off, or where Vellum has no map. */
static const struct lapic_access *access_of(u64 base)
{
	if (!(base & BASE_ENABLED))
		return NULL;
	if (base & BASE_X2APIC)
		return &by_msr;
	return (base & PTE_ADDR) == APIC_PAGE ? &by_page : NULL;
}

/* Ticks of the timer and of the TSC, and by how much the latter may be wrong: on a machine that is
 * one of several on another, time passes between any two instructions. */
struct measurement {
	u64 ticks, tsc, error;
};

static struct measurement measure(const struct lapic_access *a)
{
	u64 begin = rdtsc(), start, before, end;
	u32 count;

	a->write(NULL, LAPIC_INITIAL, ~(u32)0);
	start = rdtsc();
	do {
		before = rdtsc();
		count = a->read(NULL, LAPIC_CURRENT);
		end = rdtsc();
	} while (~count < MEASURE_COUNTS && end - start < MEASURE_LIMIT);
	return (struct measurement){.ticks = ~count,
				    .tsc = (before + end) / 2 - (begin + start) / 2,
				    .error = (start - begin + end - before) / 2};
}

/* The best of some, see domain_clocks.c. The timer runs masked, in the mode that firmware leaves:
 * nothing of it shows afterwards. */
static struct clock measure_well(const struct lapic_access *a)
{
	u32 lvt = a->read(NULL, LAPIC_LVT_TIMER), divide = a->read(NULL, LAPIC_DIVIDE);
	struct measurement best = {.error = ~(u64)0}, m;

	a->write(NULL, LAPIC_LVT_TIMER, lvt | LAPIC_MASKED);
	a->write(NULL, LAPIC_DIVIDE, 0xb);
	for (u32 i = 0; i < MEASUREMENTS && best.error > best.tsc / GOOD_ENOUGH; i++) {
		m = measure(a);
		if (m.error < best.error)
			best = m;
	}
	a->write(NULL, LAPIC_INITIAL, 0);
	a->write(NULL, LAPIC_DIVIDE, divide);
	a->write(NULL, LAPIC_LVT_TIMER, lvt);
	return clock_of(best.ticks, best.tsc);
}

void apic_init(bool trapped, u64 own_period)
{
	const struct lapic_access *a = access_of(rdmsr(MSR_APIC_BASE));

	if (cpuid(1, 0).ecx & CPUID1_DEADLINE) {
		by_page.read_deadline = by_msr.read_deadline = deadline_read;
		by_page.write_deadline = by_msr.write_deadline = deadline_write;
	}
	apic.trapped = trapped;
	apic.own_period = own_period;
	if (!trapped)
		return;
	if (a != NULL)
		apic.bus = measure_well(a);
	log_print("vellum: local APIC trapped, its timer makes %lu ticks in 2^32 of the TSC\n",
		  apic.bus.rate);
}

static void start_own_period(struct vcpu *v)
{
	if (apic.own_period != 0)
		apic_set_own_timer(v, rdtsc() + apic.own_period);
}

void apic_enter(struct vcpu *v)
{
	const struct lapic_access *a = access_of(rdmsr(MSR_APIC_BASE));

	if (!apic.trapped || v->iopl3 || a == NULL)
		return;
	lapic_hardware_enter(&v->lapic, a, apic.bus);
	start_own_period(v);
}

bool apic_prepare_leave(struct vcpu *v)
{
	apic_set_own_timer(v, CLOCK_NEVER);
	lapic_hardware_send_back(&v->lapic);
	if (lapic_hardware_can_leave(&v->lapic))
		return true;
	apic_stay(v);
	return false;
}

void apic_stay(struct vcpu *v)
{
	if (!sched_tick()) /* which sets it anew */
		start_own_period(v);
}

void apic_leave(struct vcpu *v)
{
	if (v->lapic.access != NULL && apic.own_period != 0)
		log_print("vellum: own timer: %lu ticks\n", v->own_ticks);
	lapic_hardware_leave(&v->lapic);
}

struct clock apic_bus_clock(void)
{
	return apic.bus;
}

/* --- the machine changes hands --- */

/* How often something may come that has come before the devices were silent: each vector twice. */
#define MOST_ARRIVALS (2 * NR_LAPIC_VECTORS)

static void let_interrupts_in(void)
{
	__asm__ volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
}

void apic_silence(struct vcpu *v)
{
	const struct lapic_access *a = v->lapic.access;
	u64 base = rdmsr(MSR_APIC_BASE);

	apic_set_own_timer(v, CLOCK_NEVER);
	for (u32 i = 0; i < MOST_ARRIVALS && !lapic_hardware_silence(a); i++)
		let_interrupts_in();
	lapic_hardware_leave(&v->lapic);
	if (!(base & BASE_X2APIC))
		return;
	/* From there to xAPIC mode there is a way through "off" alone. */
	wrmsr(MSR_APIC_BASE, base & ~(BASE_X2APIC | BASE_ENABLED));
	wrmsr(MSR_APIC_BASE, base & ~BASE_X2APIC);
	lapic_hardware_silence(&by_page);
}

/* In ascending order each has a higher class than the one before, so it interrupts that. */
static void send_serviced(struct lapic_hardware *h, const struct lapic *model)
{
	for (u32 vector = 0; vector < NR_LAPIC_VECTORS; vector++) {
		if (!lapic_has(model->isr, (u8)vector))
			continue;
		lapic_hardware_send_self(h, (u8)vector);
		for (u32 i = 0; i < MOST_ARRIVALS && !lapic_has(h->held, (u8)vector); i++)
			let_interrupts_in();
		lapic_hardware_take(h);
	}
}

void apic_begin(struct vcpu *v, struct lapic *model)
{
	struct lapic_hardware *h = &v->lapic;

	lapic_hardware_enter(h, &by_page, apic.bus);
	send_serviced(h, model);
	lapic_hardware_begin(h, model, rdtsc());
	for (u32 vector = 0; vector < NR_LAPIC_VECTORS; vector++)
		if (lapic_has(model->irr, (u8)vector))
			lapic_hardware_send_self(h, (u8)vector);
	start_own_period(v);
}

bool apic_set_own_timer(struct vcpu *v, u64 deadline)
{
	return lapic_hardware_set_timer(&v->lapic, deadline, rdtsc());
}

bool apic_arrived(struct vcpu *v, u8 vector)
{
	enum lapic_arrival what;

	if (v->lapic.access == NULL) {
		v->pending[vector / 64] |= (u64)1 << (vector % 64);
		return true;
	}
	what = lapic_hardware_arrived(&v->lapic, vector, rdtsc());
	if (what == LAPIC_OWN_TIMER) {
		v->own_ticks++;
		if (!sched_tick())
			start_own_period(v);
	}
	return what != LAPIC_NOTHING;
}

bool apic_can_own_timer(const struct vcpu *v)
{
	return v->lapic.access != NULL && v->lapic.timer.clock.rate != 0;
}

void apic_end_own_timer(struct vcpu *v)
{
	apic_set_own_timer(v, CLOCK_NEVER);
	start_own_period(v);
}

bool apic_delays_own_timer(const struct vcpu *v)
{
	return lapic_highest(v->lapic.held) >= (LAPIC_OWN_VECTOR & 0xf0);
}

static int highest_pending(const struct vcpu *v)
{
	for (int i = 3; i >= 0; i--)
		if (v->pending[i] != 0)
			return i * 64 + 63 - __builtin_clzll(v->pending[i]);
	return -1;
}

int apic_request(const struct vcpu *v)
{
	return v->lapic.access != NULL ? lapic_hardware_request(&v->lapic) : highest_pending(v);
}

int apic_take(struct vcpu *v)
{
	int vector;

	if (v->lapic.access != NULL)
		return lapic_hardware_take(&v->lapic);
	vector = highest_pending(v);
	if (vector >= 0)
		v->pending[vector / 64] &= ~((u64)1 << (vector % 64));
	return vector;
}

u64 apic_read_cr8(const struct vcpu *v)
{
	u64 value;

	if (has_platform(v))
		return v->domain->platform->cpu[v->cpu].lapic.tpr >> 4;
	if (v->lapic.access != NULL)
		return v->lapic.tpr >> 4;
	__asm__ volatile("mov %%cr8, %0" : "=r"(value));
	return value;
}

void apic_write_cr8(struct vcpu *v, u64 value)
{
	if (has_platform(v))
		domain_platform_apic_write(v, LAPIC_TPR, (u32)(value & 15) << 4);
	else if (v->lapic.access != NULL)
		lapic_hardware_write(&v->lapic, LAPIC_TPR, (u32)(value & 15) << 4, rdtsc());
	else
		__asm__ volatile("mov %0, %%cr8" : : "r"(value & 15) : "memory");
}

/* --- Vellum's own messages --- */

#define HOW_AND_WHAT 0xfffu /* vector, delivery mode, kind of destination */

static void wait_idle(const struct lapic_access *a)
{
	while (a->read(NULL, LAPIC_ICR) & LAPIC_ICR_BUSY)
		cpu_relax();
}

/*
 * In xAPIC mode the guest may be between its two writes: the upper half is put back. What the lower
 * one reads as is kept by the model, if there is one.
 */
static void send(u32 apic_id, u32 command)
{
	const struct lapic_access *a = access_of(rdmsr(MSR_APIC_BASE));
	u32 high;

	if (a == NULL)
		return;
	if (a == &by_msr) {
		msr_icr_write(NULL, (u64)apic_id << 32 | command);
		return;
	}
	wait_idle(a);
	high = a->read(NULL, LAPIC_ICR_HIGH);
	a->write(NULL, LAPIC_ICR_HIGH, apic_id << 24);
	a->write(NULL, LAPIC_ICR, command);
	wait_idle(a);
	a->write(NULL, LAPIC_ICR_HIGH, high);
}

void apic_send(u32 apic_id, enum lapic_delivery what)
{
	send(apic_id, (u32)what << 8 | LAPIC_ICR_ASSERT);
}

void apic_init_others(void)
{
	send(0, (u32)LAPIC_INIT << 8 | LAPIC_ICR_ASSERT | LAPIC_ICR_OTHERS);
}

/* A CPU in passthrough has no model. */
static void keep_icr(struct vcpu *v)
{
	if (v != NULL)
		lapic_hardware_keep_icr(&v->lapic);
}

void apic_send_nmi(struct vcpu *v, u32 apic_id)
{
	keep_icr(v);
	apic_send(apic_id, LAPIC_NMI);
}

void apic_send_like(struct vcpu *v, u32 destination, u32 entry)
{
	keep_icr(v);
	send(destination, (entry & HOW_AND_WHAT) | LAPIC_ICR_ASSERT);
}

/* --- MSRs --- */

bool apic_has_msr(u32 msr)
{
	return msr == MSR_APIC_BASE || msr == MSR_TSC_DEADLINE ||
	       (msr >= MSR_X2APIC && msr < MSR_X2APIC_END);
}

static u32 offset_of(u32 msr)
{
	return (msr - MSR_X2APIC) * 16;
}

/* Whether the real register is the guest's, with the processor's own checks. */
static bool is_direct(const struct vcpu *v, u32 msr)
{
	u32 offset = offset_of(msr);

	if (v->lapic.access == NULL || msr == MSR_APIC_BASE)
		return true;
	if (msr == MSR_TSC_DEADLINE)
		return !v->lapic.shared;
	if (v->lapic.access != &by_msr)
		return true; /* faults, as it should */
	if (offset == LAPIC_TPR || offset == LAPIC_PPR || offset == LAPIC_EOI ||
	    offset == LAPIC_ICR)
		return false;
	return (offset < LAPIC_ISR || offset >= LAPIC_ESR) && !v->lapic.shared && !v->lapic.stray;
}

bool apic_read_msr(struct vcpu *v, u32 msr, u64 *value)
{
	if (has_platform(v))
		return domain_platform_apic_read_msr(v, msr, value);
	if (is_direct(v, msr))
		return rdmsr_safe(msr, value);
	if (msr == MSR_TSC_DEADLINE)
		*value = lapic_hardware_read_deadline(&v->lapic);
	else if (!rdmsr_safe(msr, value)) /* EOI, and what the processor does not have */
		return false;
	else if (msr != MSR_X2APIC_ICR)
		*value = lapic_hardware_read(&v->lapic, offset_of(msr), rdtsc());
	else if (v->lapic.icr_kept)
		*value = v->lapic.icr;
	return true;
}

/* The APIC is switched on or off, or to x2APIC: it is given back and captured anew. Not while an
 * interrupt is on its way, for which the SDM has no rule either. */
static bool write_base(struct vcpu *v, u64 value)
{
	if (sched_is_shared(this_cpu()->host))
		return false; /* it has Vellum's timer */
	/* Elsewhere it would hide what is there from this CPU: memory of others, of Vellum. */
	if ((value ^ rdmsr(MSR_APIC_BASE)) & PTE_ADDR)
		return false;
	if (v->lapic.access != NULL && !apic_prepare_leave(v))
		return false;
	apic_leave(v);
	if (!wrmsr_safe(MSR_APIC_BASE, value)) {
		apic_enter(v);
		return false;
	}
	apic_enter(v);
	vcpu_flush(v);
	return true;
}

/* Bits of the kept registers that are reserved; the processor judges the others. */
static u64 reserved_bits(u32 offset)
{
	switch (offset) {
	case LAPIC_EOI:
		return ~(u64)0;
	case LAPIC_TPR:
		return ~(u64)0xff;
	case LAPIC_SVR:
		return ~(u64)0x13ff;
	case LAPIC_LVT_TIMER:
		return ~(u64)0x710ff;
	case LAPIC_INITIAL:
		return ~(u64)0xffffffff;
	case LAPIC_DIVIDE:
		return ~(u64)0xb;
	case LAPIC_ICR:
		return 0xfff32000;
	default:
		return 0;
	}
}

static bool write_x2apic(struct vcpu *v, u32 msr, u64 value)
{
	u32 offset = offset_of(msr);

	if (offset == LAPIC_PPR || (offset >= LAPIC_ISR && offset < LAPIC_ESR))
		return false;
	if (reserved_bits(offset) == 0)
		return wrmsr_safe(msr, value);
	if (value & reserved_bits(offset))
		return false;
	if (msr == MSR_X2APIC_ICR) {
		ipi_send(v, value);
		return true;
	}
	lapic_hardware_write(&v->lapic, offset, (u32)value, rdtsc());
	return true;
}

bool apic_write_msr(struct vcpu *v, u32 msr, u64 value)
{
	if (has_platform(v))
		return domain_platform_apic_write_msr(v, msr, value);
	if (msr == MSR_APIC_BASE)
		return value == rdmsr(msr) || write_base(v, value);
	if (is_direct(v, msr)) {
		if (!wrmsr_safe(msr, value))
			return false;
		if (v->lapic.access == &by_msr && offset_of(msr) == LAPIC_SVR)
			v->lapic.svr = (u32)value;
		return true;
	}
	if (msr != MSR_TSC_DEADLINE)
		return write_x2apic(v, msr, value);
	lapic_hardware_write_deadline(&v->lapic, value, rdtsc());
	return true;
}

/* --- the page --- */

bool apic_is_x2apic(const struct vcpu *v)
{
	return v->lapic.access == &by_msr;
}

bool apic_traps_page(const struct vcpu *v)
{
	return has_platform(v) || v->lapic.access == &by_page;
}

u32 apic_mmio_read(struct vcpu *v, u32 offset)
{
	if (has_platform(v))
		return domain_platform_apic_read(v, offset & ~15u);
	return lapic_hardware_read(&v->lapic, offset & ~15u, rdtsc());
}

void apic_mmio_write(struct vcpu *v, u32 offset, u32 value)
{
	if (has_platform(v))
		domain_platform_apic_write(v, offset & ~15u, value);
	else if (offset == LAPIC_EOI)
		lapic_hardware_eoi(&v->lapic);
	else if (offset == LAPIC_ICR)
		ipi_send(v, (u64)by_page.read(NULL, LAPIC_ICR_HIGH) << 32 | value);
	else
		lapic_hardware_write(&v->lapic, offset & ~15u, value, rdtsc());
}

bool apic_is_x2apic_for_good(void)
{
	u64 capabilities, status;

	if (!(cpuid(7, 0).edx & CPUID7_ARCH_CAPABILITIES) ||
	    !rdmsr_safe(MSR_ARCH_CAPABILITIES, &capabilities) ||
	    !(capabilities & CAPABILITY_XAPIC_DISABLE))
		return false;
	return rdmsr_safe(MSR_XAPIC_DISABLE_STATUS, &status) && (status & XAPIC_DISABLED);
}
