// SPDX-License-Identifier: MIT
/*
 * Calls by which a guest says how its memory is to look while it is
 * virtualized.
 */
#include "cpu/fast.h"
#include "cpu/remote.h"
#include "cpu/vcpu.h"
#include "domain/domain.h"
#include "mem/layout.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

#define UPPER_HALF 0xffff800000000000ull

static bool good_alias_va(u64 va, u64 size)
{
	struct range own = {IMAGE_BASE, OWN_END};

	return va >= UPPER_HALF && va + size > va &&
	       !range_overlaps((struct range){va, va + size}, own);
}

static void note_aliases(struct domain *d)
{
	d->aliased = (struct range){~(u64)0, 0};
	for (u32 i = 0; i < VL_MAX_ALIASES; i++) {
		const struct alias *a = &d->alias[i];

		if (a->size == 0)
			continue;
		d->aliased.start = min_u64(d->aliased.start, a->va);
		d->aliased.end = max_u64(d->aliased.end, a->va + a->size);
	}
	if (d->aliased.start > d->aliased.end)
		d->aliased = (struct range){0};
}

s64 call_set_alias(struct domain *d, u64 index, u64 va, u64 pa, u64 size)
{
	/* In passthrough nobody uses them. */
	struct vcpu *v = d->mode == VL_MODE_VIRTUALIZED ? current_vcpu() : NULL;

	if (index >= VL_MAX_ALIASES || ((va | pa | size) & (PAGE_SIZE - 1)) != 0)
		return -VL_EINVAL;
	if (size != 0 && !good_alias_va(va, size))
		return -VL_EINVAL;
	if (size != 0 &&
	    (pa + size < pa || !memmap_is_ram(&d->memory, (struct range){pa, pa + size})))
		return -VL_EFAULT;
	if (d->mode == VL_MODE_VIRTUALIZED && v == NULL)
		return -VL_EBUSY;
	if (v != NULL)
		remote_stop_others(v);
	d->alias[index] = (struct alias){.va = va, .size = size, .pa = {pa}};
	note_aliases(d);
	if (v != NULL)
		remote_start_others(v);
	return 0;
}

s64 call_set_vcpu_info(struct domain *d, u64 pa, u64 va)
{
	struct vcpu *v = current_vcpu();
	struct info_place *own = v != NULL ? v->info : &d->info[this_cpu()->index];
	struct vl_vcpu_info *info = NULL;

	if (pa % sizeof(*info) != 0 || va % PAGE_SIZE != 0 || (pa == 0 && va != 0))
		return -VL_EINVAL;
	if (va != 0 && !good_alias_va(va, PAGE_SIZE))
		return -VL_EINVAL;
	if (pa != 0)
		info = domain_buffer(d, (pa_t){pa}, sizeof(*info));
	if (pa != 0 && info == NULL)
		return -VL_EFAULT;
	own->pa = (pa_t){pa};
	own->va = va;
	own->at = info;
	if (v != NULL) {
		vcpu_flush(v); /* what is at the old va and at the new one */
		fast_update(v);
	}
	return 0;
}

static u32 running_vcpus(const struct domain *d)
{
	u32 n = 0;

	for (u32 i = 0; i < VL_MAX_CPUS; i++)
		n += remote_vcpu(d, i) != NULL;
	return n;
}

s64 call_set_features(struct domain *d, u64 features, u64 call_site)
{
	struct vcpu *v = current_vcpu();

	if (d->mode == VL_MODE_VIRTUALIZED && (v == NULL || running_vcpus(d) > 1))
		return -VL_EBUSY;
	if ((features & ~(u64)VL_FEATURE_ALL) != 0 ||
	    (call_site != 0 && !good_alias_va(call_site, 1)))
		return -VL_EINVAL;
	d->features = features;
	d->call_site = call_site;
	if (v != NULL) {
		segments_mirror(v); /* what it hides goes by them */
		fast_update(v);
	}
	return 0;
}

s64 call_mmu_load(struct domain *d, u64 pgd, u64 asid, u64 flags)
{
	struct vcpu *v = current_vcpu();

	(void)d;
	return v != NULL ? vcpu_mmu_load(v, pgd, asid, flags) : -VL_EPERM;
}

s64 call_mmu_flush(struct domain *d, u64 what, u64 va)
{
	struct vcpu *v = current_vcpu();

	(void)d;
	return v != NULL ? vcpu_mmu_flush(v, what, va) : -VL_EPERM;
}

s64 call_mmu_flush_remote(struct domain *d, u64 cpus, u64 space, u64 va)
{
	struct vcpu *v = current_vcpu();

	(void)d;
	return v != NULL ? vcpu_mmu_flush_remote(v, cpus, space, va) : -VL_EPERM;
}

s64 call_descriptors(struct domain *d)
{
	struct vcpu *v = current_vcpu();

	(void)d;
	return v != NULL ? vcpu_descriptors(v) : -VL_EPERM;
}
