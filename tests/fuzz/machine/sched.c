// SPDX-License-Identifier: MIT
/*
 * The scheduler of a machine made of memory: later domains have vcpus, which
 * never run.
 */
#include "tests/fuzz/machine/machine.h"

#include <stdlib.h>

#include "tests/fuzz/damage.h"

#include "cpu/apic.h"
#include "cpu/block.h"
#include "cpu/sched.h"
#include "cpu/sched_host.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

/* Of all of them; nothing of it is looked at but whether it was started. */
static struct cpu_block *nobody;

bool sched_is_shared(const struct cpu *host)
{
	return host != boot_cpu.cpu.host;
}

int vcpu_create(struct domain *d, u32 index)
{
	if (nobody == NULL)
		nobody = calloc(1, sizeof(*nobody));
	must(nobody != NULL);
	d->block[index] = nobody;
	return 0;
}

u64 vcpu_destroy(struct domain *d, u32 index, u64 tables)
{
	(void)tables;
	d->block[index] = NULL;
	return 0;
}

struct cpu_block *vcpu_block(const struct domain *d, u32 index)
{
	return d->block[index];
}

s64 call_vcpu_start(struct domain *d, u64 domid, u64 vcpu, pa_t start, u64 start_size)
{
	(void)d, (void)domid, (void)vcpu, (void)start, (void)start_size;
	if (nobody != NULL)
		nobody->sched.started = true;
	return -VL_ENOENT;
}

void sched_start(struct domain *d)
{
	(void)d;
}

void sched_stop(struct domain *d)
{
	(void)d;
}

void sched_stop_all(struct domain *d)
{
	(void)d;
}

void sched_wake(struct vcpu *v)
{
	(void)v;
}

void sched_timer(struct vcpu *v, u64 tsc)
{
	(void)v, (void)tsc;
}

void sched_shutdown(struct vcpu *v, u32 reason)
{
	(void)v, (void)reason;
	abort();
}

void sched_yield(void)
{
}

/* No timer is Vellum's: pages are never shared. */
bool apic_can_own_timer(const struct vcpu *v)
{
	(void)v;
	return false;
}

void sched_tell(struct cpu *host)
{
	(void)host;
	abort();
}

void sched_set_background(u64 tsc, void (*work)(void))
{
	(void)tsc, (void)work;
	abort();
}

void sched_set_weight(struct domain *d, u32 weight)
{
	d->weight = weight;
}

void sched_info(const struct domain *d, struct vl_sched_info *out)
{
	*out = (struct vl_sched_info){.weight = d->weight};
}

bool sched_vcpu_status(const struct domain *d, u64 index, struct vl_vcpu_status *out)
{
	*out = (struct vl_vcpu_status){0};
	return index == 0 && d != NULL;
}
