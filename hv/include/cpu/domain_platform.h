/* SPDX-License-Identifier: MIT */
/*
 * The platform of a later domain (irq/platform.h) as its vcpus and the calls of
 * others reach it: behind the domain's irq_lock, with the scheduler told when
 * there is something to look at. A domain without a platform owns the machine.
 */
#ifndef VELLUM_CPU_DOMAIN_PLATFORM_H
#define VELLUM_CPU_DOMAIN_PLATFORM_H

#include "cpu/vcpu.h"
#include "irq/platform.h"

/** What later domains' clocks are: measured once, at boot, while the machine is Vellum's. Takes 20
 * ms. */
void domain_clocks_init(void);

/** Ticks of the TSC in a millisecond, as measured then. */
u32 domain_clocks_tsc_khz(void);

/** And of their local APICs' timers, undivided: the machine's rate, if it is known. */
u32 domain_clocks_lapic_khz(void);

/** platform_init() with them. */
void domain_clocks_start(struct platform *p, u32 nr_cpus);

/** The domain has devices and events from here on, for nr_vcpus vcpus, none of which runs yet;
 * -VL_ENOMEM: the partition has no room. */
int domain_platform_create(struct domain *d);

/** It has none any more, and no event reaches it: after sched_stop(), before vcpu_destroy(). True
 * if there were none, too. */
void domain_platform_destroy(struct domain *d);

/**
 * The domain of this CPU's vcpu, its only one, gets the machine's own devices, which are silent,
 * and they go on where its platform stood: it has none any more. Its events go on.
 */
void domain_platform_give(struct vcpu *v);

/** Whether the vcpu's domain has devices of models alone. */
static inline bool has_platform(const struct vcpu *v)
{
	return v->domain->platform != NULL;
}

/* --- the vcpu's own; has_platform() --- */

/** What its devices have to do, a bounded part of it. Its pages may get other frames by that
 * (share.h), so not behind vcpu_load_root(). */
void domain_platform_work(struct vcpu *v);

/** Whether it would take an interrupt with its IF set. Sets its timer. */
bool domain_platform_waits(struct vcpu *v);

/** It takes one: the vector; negative: none. */
int domain_platform_take(struct vcpu *v);

/** A port, of 1, 2 or 4 bytes. What resets the domain does not return. */
u32 domain_platform_in(struct vcpu *v, u16 port, u8 size);
void domain_platform_out(struct vcpu *v, u16 port, u8 size, u32 value);

/** Its local APIC: the page's registers, CR8, and MSRs (false: #GP). */
u32 domain_platform_apic_read(struct vcpu *v, u32 offset);
void domain_platform_apic_write(struct vcpu *v, u32 offset, u32 value);
bool domain_platform_apic_read_msr(struct vcpu *v, u32 msr, u64 *value);
bool domain_platform_apic_write_msr(struct vcpu *v, u32 msr, u64 value);

/** After the vcpu's own access to what is behind irq_lock and beside the platform: gives the lock
 * back, and tells whom the platform has news for. */
void domain_platform_unlock(struct vcpu *v);

/** After anybody else's, who keeps the domain's `lock`, or that of events. */
void domain_platform_let_go(struct domain *d);

/* --- of any domain; -VL_EOPNOTSUPP: it has no platform --- */

/** What it printed from *pos on, see ring_read(); *end is behind the newest byte. -VL_EINVAL: *pos
 * is beyond that. When all was read, the first domain gets an event with the next byte. */
s64 domain_platform_read_console(struct domain *d, u64 *pos, u64 *end, void *to, size_t size);

/** Type: returns how many bytes there was room for. */
s64 domain_platform_type(struct domain *d, const void *text, size_t size);

/** Its own console by calls. */
s64 domain_platform_print(struct domain *d, const void *text, size_t size);
s64 domain_platform_get(struct domain *d, void *text, size_t size);

/** An event's interrupt in the first domain: a real one, of that CPU. */
void first_domain_upcall(struct domain *d, u32 cpu, u8 vector);

#endif
