// SPDX-License-Identifier: MIT
/*
 * The platform of a later domain, behind its lock. Its vcpus come here at each
 * exit, so the usual answer, that nothing waits, is found without the lock.
 *
 * Others come here for the console and with events. They find the platform
 * behind the domain's `lock`, or with an event that its end would have to wait
 * for. Whoever changes something for a vcpu other than itself wakes that, which
 * sets its own timer when it looks. A vcpu finds its siblings as long as it is in
 * an exit: none of them is given back before all are left (D4).
 */
#include "cpu/domain_platform.h"

#include "cpu/apic.h"
#include "cpu/block.h"
#include "cpu/domain_io.h"
#include "cpu/ports.h"
#include "cpu/remote.h"
#include "cpu/sched.h"
#include "mem/frames.h"
#include "mem/layout.h"
#include "public/errno.h"

#define MSR_APIC_BASE      0x1bu
#define MSR_TSC_DEADLINE   0x6e0u
#define APIC_BASE_BOOT_CPU ((u64)1 << 8)
#define APIC_BASE_ENABLED  ((u64)1 << 11)

_Static_assert(VL_MAX_CPUS <= PLATFORM_CPUS, "each vcpu has a local APIC");

static u64 frames_of(u32 nr_cpus)
{
	return (platform_size(nr_cpus) + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

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

/* What has come up for vcpus; of which of them that is an NMI. */
struct news {
	u32 changed, nmis;
};

static struct news take_news(struct platform *p)
{
	struct news n = {.changed = p->changed};

	for (u32 left = n.changed; left != 0; left &= left - 1) {
		struct platform_cpu *c = &p->cpu[__builtin_ctz(left)];

		n.nmis |= c->nmi ? left & -left : 0;
		c->nmi = false;
	}
	p->changed = 0;
	return n;
}

/* One that has not begun has none of this. */
static void tell(const struct domain *d, struct news n)
{
	for (; n.changed != 0; n.changed &= n.changed - 1) {
		u32 i = (u32)__builtin_ctz(n.changed);
		struct vcpu *v = remote_vcpu(d, i);

		if (v == NULL)
			continue;
		if (n.nmis >> i & 1)
			remote_post_nmi(&v->remote);
		sched_wake(v);
	}
}

/* After an access of the vcpu's own. */
static void unlock(struct vcpu *v, struct platform *p)
{
	bool reset = p->reset, news = heard(p);
	u64 deadline = p->cpu[v->cpu].deadline;
	u32 own = (u32)1 << v->cpu;
	struct news n = take_news(p);

	v->nmi_pending |= (n.nmis & own) != 0;
	p->reset = false;
	lock_release(&v->domain->irq_lock);
	n.changed &= ~own;
	if (n.changed != 0)
		tell(v->domain, n);
	if (deadline != v->timer) {
		v->timer = deadline;
		sched_timer(v, deadline);
	}
	if (news)
		events_notify(domain_first());
	if (reset)
		sched_shutdown(v, VL_SHUTDOWN_REBOOT);
}

void domain_platform_unlock(struct vcpu *v)
{
	if (has_platform(v))
		unlock(v, v->domain->platform);
	else
		lock_release(&v->domain->irq_lock);
}

/* What another CPU has just changed is found with its wake. */
static bool is_quiet(const struct vcpu *v)
{
	const struct platform_cpu *c = &v->domain->platform->cpu[v->cpu];
	u64 deadline = __atomic_load_n(&c->deadline, __ATOMIC_RELAXED);

	return !__atomic_load_n(&c->waits, __ATOMIC_RELAXED) && deadline == v->timer &&
	       rdtsc() < deadline;
}

void domain_platform_work(struct vcpu *v)
{
	if (v->cpu != 0 || !domain_io_waits(v->domain))
		return;
	lock(v);
	if (domain_io_waits(v->domain))
		domain_io_work(v);
	domain_platform_unlock(v);
}

bool domain_platform_waits(struct vcpu *v)
{
	struct platform *p;
	bool waits;

	if (is_quiet(v))
		return false;
	p = lock(v);
	platform_advance(p, v->cpu, rdtsc());
	waits = p->cpu[v->cpu].waits;
	unlock(v, p);
	return waits;
}

int domain_platform_take(struct vcpu *v)
{
	struct platform *p = lock(v);
	int vector = platform_take(p, v->cpu, rdtsc());

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
	u32 value = platform_apic_read(p, v->cpu, offset, rdtsc());

	unlock(v, p);
	return value;
}

void domain_platform_apic_write(struct vcpu *v, u32 offset, u32 value)
{
	struct platform *p = lock(v);

	platform_apic_write(p, v->cpu, offset, value, rdtsc());
	unlock(v, p);
}

static u64 apic_base(const struct vcpu *v)
{
	return APIC_PAGE | APIC_BASE_ENABLED | (v->cpu == 0 ? APIC_BASE_BOOT_CPU : 0);
}

static bool has_deadline(const struct vcpu *v)
{
	return v->domain->platform->cpu[v->cpu].lapic.kind.has_deadline;
}

/* In xAPIC mode, and it stays there: no MSR but these two. */
bool domain_platform_apic_read_msr(struct vcpu *v, u32 msr, u64 *value)
{
	struct platform *p;

	if (msr == MSR_APIC_BASE) {
		*value = apic_base(v);
		return true;
	}
	if (msr != MSR_TSC_DEADLINE || !has_deadline(v))
		return false;
	p = lock(v);
	*value = platform_read_deadline(p, v->cpu, rdtsc());
	unlock(v, p);
	return true;
}

bool domain_platform_apic_write_msr(struct vcpu *v, u32 msr, u64 value)
{
	struct platform *p;

	if (msr == MSR_APIC_BASE)
		return value == apic_base(v);
	if (msr != MSR_TSC_DEADLINE || !has_deadline(v))
		return false;
	p = lock(v);
	platform_write_deadline(p, v->cpu, value, rdtsc());
	unlock(v, p);
	return true;
}

/* --- of others --- */

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

void domain_platform_let_go(struct domain *d)
{
	struct news news = {0};

	if (d->platform != NULL)
		news = take_news(d->platform);
	lock_release(&d->irq_lock);
	tell(d, news);
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
	domain_platform_let_go(d);
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
	lock_take(&d->irq_lock);
	platform_raise(d->platform, cpu, vector, rdtsc());
	domain_platform_let_go(d);
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

	if (!frame_alloc_run(frames_of(d->nr_vcpus), &mfn))
		return -VL_ENOMEM;
	p = direct(mfn_to_ma(mfn));
	domain_clocks_start(p, d->nr_vcpus);
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
	u64 count = p != NULL ? frames_of(p->nr_cpus) : 0;

	for (u64 i = 0; i < count; i++)
		frame_free((mfn_t){ma_to_mfn((ma_t){(u64)p - DIRECT_BASE}).v + i});
}

void domain_platform_destroy(struct domain *d)
{
	events_end(d);
	domain_io_destroy(d);
	free_platform(take_platform(d));
}

/* Until the local APIC has begun nothing comes from the 8259s. */
void domain_platform_give(struct vcpu *v)
{
	struct platform *p;
	bool once;

	domain_io_destroy(v->domain);
	p = take_platform(v->domain);
	once = platform_give_devices(p, &machine_ports, rdtsc);

	v->nmi_pending |= p->cpu[0].nmi;
	ports_begin(v, &p->pic, (u32)p->late);
	if (once)
		platform_give_tick(p, &machine_ports, rdtsc);
	platform_advance(p, 0, rdtsc()); /* its local APIC's timer */
	apic_begin(v, &p->cpu[0].lapic);
	free_platform(p);
}
