// SPDX-License-Identifier: MIT
/*
 * What a guest does to its translations: CR3 loads, INVLPG, INVPCID and the
 * hypercalls that stand for them. Each does to the shadow what the processor
 * does to its TLB (SDM volume 3, 4.10.4), or more.
 *
 * Tags of the shadow are PCIDs and asids of VL_CALL_MMU_LOAD, which are the same
 * to a kernel that uses both.
 */
#include "cpu/fast.h"

#include "cpu/remote.h"
#include "mem/layout.h"
#include "mem/pagetable.h"
#include "public/errno.h"

#define CR3_NOFLUSH ((u64)1 << 63)
#define PCID_MASK   0xfffu

/* Of those that the last time left. */
#define TABLES_BURIED 96u

void vcpu_reload_root(struct vcpu *v)
{
	fast_roots(v);
	write_cr3(shadow_top(&v->shadow, vcpu_view(v)).v);
}

static void flush(struct vcpu *v, void (*drop)(struct shadow *s))
{
	v->monitor.line = NULL; /* its frame may be another's */
	vcpu_update_mode(v);
	drop(&v->shadow);
	access_forget_all(v);
	vcpu_reload_root(v);
}

void vcpu_flush(struct vcpu *v)
{
	flush(v, shadow_flush);
}

void vcpu_renew(struct vcpu *v)
{
	flush(v, shadow_renew);
}

void vcpu_pages_changed(const struct domain *d)
{
	for (u32 i = 0; i < VL_MAX_CPUS; i++) {
		struct vcpu *v = remote_vcpu(d, i);

		if (v == NULL)
			continue;
		access_forget_all(v);
		v->stale = true;
	}
}

RARELY_USED void vcpu_drop_stale(struct vcpu *v)
{
	v->stale = false;
	shadow_bury(&v->shadow, TABLES_BURIED);
	vcpu_renew(v);
}

bool vcpu_load_cr3(struct vcpu *v, u64 value)
{
	bool pcids = (v->cr4 & CR4_PCIDE) != 0;
	bool flush = !pcids || !(value & CR3_NOFLUSH);

	/* A CR3 that the processor refuses would fault in Vellum when it devirtualizes. */
	if ((value & (pcids ? ~CR3_NOFLUSH : ~(u64)0)) >> v->mode[false].physical_bits != 0)
		return false;
	vcpu_set_cr3(v, value & ~CR3_NOFLUSH);
	access_forget_local(v);
	if (!pcids)
		shadow_flush_local(&v->shadow);
	shadow_load(&v->shadow, value & PTE_ADDR, pcids ? value & PCID_MASK : 0, flush);
	vcpu_reload_root(v);
	remote_load(&v->remote, value & PTE_ADDR); /* requests are served when the exit ends */
	return true;
}

void vcpu_invalidate(struct vcpu *v, u64 va)
{
	access_forget(v, va);
	if (shadow_invalidate(&v->shadow, va))
		write_cr3(read_cr3());
	else
		invlpg(va);
}

bool vcpu_invpcid(struct vcpu *v, u64 type, u64 pcid, u64 va)
{
	if (type > 3 || (type < 2 && pcid > PCID_MASK) ||
	    (type < 2 && pcid != 0 && !(v->cr4 & CR4_PCIDE)) || (type == 0 && !is_canonical(va)))
		return false;
	access_forget_local(v);
	if (type == 0 && pcid == v->shadow.now->tag) {
		vcpu_invalidate(v, va);
	} else if (type < 2) {
		shadow_flush_tag(&v->shadow, (u32)pcid);
		vcpu_reload_root(v);
	} else if (type == 2) {
		vcpu_flush(v);
	} else {
		shadow_flush_local(&v->shadow);
		vcpu_reload_root(v);
	}
	return true;
}

s64 vcpu_mmu_load(struct vcpu *v, u64 pgd, u64 asid, u64 flags)
{
	if ((pgd & ~PTE_ADDR) != 0 || asid > VL_MAX_ASID || (flags & ~(u64)VL_MMU_FLUSH) != 0)
		return -VL_EINVAL;
	v->exits[EXIT_HYPERCALL]++;
	vcpu_set_cr3(v, pgd | (v->cr4 & CR4_PCIDE ? asid : 0));
	access_forget_local(v);
	shadow_load(&v->shadow, pgd, (u32)asid, flags != 0);
	vcpu_reload_root(v);
	remote_load(&v->remote, pgd);
	if (remote_waits(&v->remote))
		remote_serve(v);
	return 0;
}

s64 vcpu_mmu_flush(struct vcpu *v, u64 what, u64 va)
{
	v->exits[EXIT_HYPERCALL]++;
	if (what == VL_MMU_FLUSH_PAGE) {
		vcpu_invalidate(v, va);
	} else if (what == VL_MMU_FLUSH_ASID) {
		access_forget_local(v);
		shadow_load(&v->shadow, v->shadow.now->pgd, v->shadow.now->tag, true);
		vcpu_reload_root(v);
	} else if (what == VL_MMU_FLUSH_ALL) {
		vcpu_flush(v);
	} else {
		return -VL_EINVAL;
	}
	return 0;
}

s64 vcpu_descriptors(struct vcpu *v)
{
	v->exits[EXIT_HYPERCALL]++;
	if (!segments_mirror(v))
		vcpu_crash(v, "its GDT is larger than Vellum can mirror, or not mapped");
	fast_update(v);
	if (!v->fast) /* and no exit may come before the next return to a user */
		fast_disarm(this_cpu());
	return 0;
}
