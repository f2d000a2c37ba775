// SPDX-License-Identifier: MIT
/*
 * The platform of a later domain, behind its lock. Its vcpu comes here at each
 * exit, so the usual answer, that nothing waits, is found without the lock.
 *
 * Others come here for the console and with events. They find the platform
 * behind the domain's `lock`, or with an event that its end would have to wait
 * for; then they wake the vcpu, which sets its own timer when it looks.
 */
#include "cpu/domain_platform.h"

#include "cpu/apic.h"
#include "cpu/block.h"
#include "cpu/ports.h"
#include "cpu/sched.h"
#include "mem/frames.h"
#include "mem/layout.h"
#include "public/errno.h"

#define MSR_APIC_BASE      0x1bu
#define MSR_TSC_DEADLINE   0x6e0u
#define APIC_BASE_BOOT_CPU ((u64)1 << 8)
#define APIC_BASE_ENABLED  ((u64)1 << 11)

#define FRAMES ((sizeof(struct platform) + PAGE_SIZE - 1) >> PAGE_SHIFT)

static struct platform *lock(const struct vcpu *v)
{
	lock_take(&v->domain->irq_lock);
	return v->domain->platform;
}

/* Somebody has read to the end of its console, and there is more now. */
static bool heard(struct platform *p)
{
	bool news = p->watched && p->out.end != p->read_to;

	p->watched = p->watched && !news;
	return news;
}

/* After an access of the vcpu's own. */
static void unlock(struct vcpu *v, struct platform *p)
{
	bool reset = p->reset, news = heard(p);
	u64 deadline = p->deadline;

	v->nmi_pending |= p->nmi;
	p->nmi = p->reset = false;
	lock_release(&v->domain->irq_lock);
	if (deadline != v->timer) {
		v->timer = deadline;
		sched_timer(v, deadline);
	}
	if (news)
		events_notify(domain_first());
	if (reset)
		sched_shutdown(v, VL_SHUTDOWN_REBOOT);
}

/* What another CPU has just changed is found with its wake. */
static bool is_quiet(const struct vcpu *v)
{
	const struct platform *p = v->domain->platform;
	u64 deadline = __atomic_load_n(&p->deadline, __ATOMIC_RELAXED);

	return !__atomic_load_n(&p->waits, __ATOMIC_RELAXED) && deadline == v->timer &&
	       rdtsc() < deadline;
}

bool domain_platform_waits(struct vcpu *v)
{
	struct platform *p;
	bool waits;

	if (is_quiet(v))
		return false;
	p = lock(v);
	platform_advance(p, rdtsc());
	waits = p->waits;
	unlock(v, p);
	return waits;
}

int domain_platform_take(struct vcpu *v)
{
	struct platform *p = lock(v);
	int vector = platform_take(p, rdtsc());

	unlock(v, p);
	return vector;
}

u32 domain_platform_in(struct vcpu *v, u16 port, u8 size)
{
	struct platform *p = lock(v);
	u32 value = platform_in(p, port, size, rdtsc());

	unlock(v, p);
	return value;
}

void domain_platform_out(struct vcpu *v, u16 port, u8 size, u32 value)
{
	struct platform *p = lock(v);

	platform_out(p, port, size, value, rdtsc());
	unlock(v, p);
}

u32 domain_platform_apic_read(struct vcpu *v, u32 offset)
{
	struct platform *p = lock(v);
	u32 value = platform_apic_read(p, offset, rdtsc());

	unlock(v, p);
	return value;
}

void domain_platform_apic_write(struct vcpu *v, u32 offset, u32 value)
{
	struct platform *p = lock(v);

	platform_apic_write(p, offset, value, rdtsc());
	unlock(v, p);
}

/* In xAPIC mode, and it stays there: no MSR but these two. */
bool domain_platform_apic_read_msr(struct vcpu *v, u32 msr, u64 *value)
{
	struct platform *p;

	if (msr == MSR_APIC_BASE) {
		*value = APIC_PAGE | APIC_BASE_ENABLED | APIC_BASE_BOOT_CPU;
		return true;
	}
	if (msr != MSR_TSC_DEADLINE || !v->domain->platform->lapic.kind.has_deadline)
		return false;
	p = lock(v);
	*value = platform_read_deadline(p, rdtsc());
	unlock(v, p);
	return true;
}

bool domain_platform_apic_write_msr(struct vcpu *v, u32 msr, u64 value)
{
	struct platform *p;

	if (msr == MSR_APIC_BASE)
		return value == (APIC_PAGE | APIC_BASE_ENABLED | APIC_BASE_BOOT_CPU);
	if (msr != MSR_TSC_DEADLINE || !v->domain->platform->lapic.kind.has_deadline)
		return false;
	p = lock(v);
	platform_write_deadline(p, value, rdtsc());
	unlock(v, p);
	return true;
}

/* --- of others --- */

static void wake(struct domain *d)
{
	struct cpu_block *b = vcpu_block(d, 0);

	if (b != NULL)
		sched_wake(&b->vcpu);
}

/* The platform, locked; NULL: there is none, and nothing is. */
static struct platform *lock_other(struct domain *d)
{
	lock_take(&d->lock);
	if (d->platform == NULL) {
		lock_release(&d->lock);
		return NULL;
	}
	lock_take(&d->irq_lock);
	return d->platform;
}

static void unlock_other(struct domain *d)
{
	lock_release(&d->irq_lock);
	lock_release(&d->lock);
}

s64 domain_platform_read_console(struct domain *d, u64 *pos, u64 *end, void *to, size_t size)
{
	struct platform *p = lock_other(d);
	s64 n = -VL_EINVAL;

	if (p == NULL)
		return -VL_EOPNOTSUPP;
	*end = p->out.end;
	if (*pos <= *end) {
		n = (s64)ring_read(&p->out, pos, to, size);
		p->watched = *pos + (u64)n == *end;
		p->read_to = *end;
	}
	unlock_other(d);
	return n;
}

s64 domain_platform_type(struct domain *d, const void *text, size_t size)
{
	struct platform *p = lock_other(d);
	s64 n;

	if (p == NULL)
		return -VL_EOPNOTSUPP;
	n = (s64)platform_type(p, text, size, rdtsc());
	lock_release(&d->irq_lock);
	wake(d);
	lock_release(&d->lock);
	return n;
}

s64 domain_platform_print(struct domain *d, const void *text, size_t size)
{
	struct platform *p = lock_other(d);
	bool news;

	if (p == NULL)
		return -VL_EOPNOTSUPP;
	platform_print(p, text, size);
	news = heard(p);
	unlock_other(d);
	if (news)
		events_notify(domain_first());
	return (s64)size;
}

s64 domain_platform_get(struct domain *d, void *text, size_t size)
{
	struct platform *p = lock_other(d);
	s64 n;

	if (p == NULL)
		return -VL_EOPNOTSUPP;
	n = (s64)platform_get(p, text, size);
	unlock_other(d);
	return n;
}

/* Of a later domain; events_end() waits for it. */
static void upcall(struct domain *d, u32 cpu, u8 vector)
{
	(void)cpu;
	lock_take(&d->irq_lock);
	platform_raise(d->platform, vector, rdtsc());
	lock_release(&d->irq_lock);
	wake(d);
}

void first_domain_upcall(struct domain *d, u32 cpu, u8 vector)
{
	const struct cpu *to = cpu_by_index(cpu);

	if (to != NULL && d->mode == VL_MODE_VIRTUALIZED)
		apic_send_vector(sched_owner(), to->apic_id, vector);
}

/* --- its beginning and end --- */

int domain_platform_create(struct domain *d)
{
	struct platform *p;
	mfn_t mfn;

	if (!frame_alloc_run(FRAMES, &mfn))
		return -VL_ENOMEM;
	p = direct(mfn_to_ma(mfn));
	domain_clocks_start(p);
	d->irq_lock = (struct lock)LOCK_INIT(LOCK_IRQ);
	lock_take(&d->lock);
	d->platform = p;
	lock_release(&d->lock);
	events_begin(d, upcall);
	return 0;
}

static struct platform *take_platform(struct domain *d)
{
	struct platform *p;

	lock_take(&d->lock);
	p = d->platform;
	d->platform = NULL;
	lock_release(&d->lock);
	return p;
}

static void free_platform(struct platform *p)
{
	for (u64 i = 0; p != NULL && i < FRAMES; i++)
		frame_free((mfn_t){ma_to_mfn((ma_t){(u64)p - DIRECT_BASE}).v + i});
}

void domain_platform_destroy(struct domain *d)
{
	events_end(d);
	free_platform(take_platform(d));
}

/* Until the local APIC has begun nothing comes from the 8259s. */
void domain_platform_give(struct vcpu *v)
{
	struct platform *p = take_platform(v->domain);
	bool once = platform_give_devices(p, &machine_ports, rdtsc);

	v->nmi_pending |= p->nmi;
	ports_begin(v, &p->pic, (u32)p->late);
	if (once)
		platform_give_tick(p, &machine_ports, rdtsc);
	platform_advance(p, rdtsc()); /* its local APIC's timer */
	apic_begin(v, &p->lapic);
	free_platform(p);
}
