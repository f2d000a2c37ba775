// SPDX-License-Identifier: MIT
/*
 * What fast.S works on: when its paths may serve, and how struct vcpu and
 * struct fast are kept in step. The paths are armed at the end of an exit and
 * only for the common state, in which they do exactly what the emulation does:
 *
 *   - the guest tells of changes to its GDT (VL_FEATURE_DESCRIPTORS), its ring-3
 *     code segments are the two that SYSRET knows, and it has no LDT;
 *   - it keeps its interrupt flag in struct vl_vcpu_info;
 *   - its SYSCALL handler begins with SWAPGS, and SYSCALL clears all flags;
 *   - RFLAGS.IOPL is 0, no NMI is being handled, the kernel is not single-stepped and has NT clear;
 *   - the kernel did not come here with a user's GS base: while they are armed the real NT alone
 *     tells of that, and a kernel that recovers from a fault on its way out loads flags by POPF.
 */
#include "cpu/fast.h"

#include "cpu/domain_pic.h"
#include "cpu/percpu.h"
#include "cpu/remote.h"
#include "lib/string.h"
#include "domain/switches.h"
#include "public/errno.h"

#define SWAPGS_SIZE 3

extern const char fast_guest_access[], fast_guest_access_end[], leave_fault[]; /* fast.S */
extern const char fast_guest_access2[], fast_guest_access2_end[];

static struct fast *this_fast(void)
{
	return &this_cpu()->fast;
}

void fast_sync(struct vcpu *v, const struct trap_frame *real)
{
	struct crossing *c = &this_fast()->crossing;

	/* Fast paths return to ring 3 with these only. */
	if (c->cpl == 3 && v->cpl == 0) {
		v->iflag = true;
		v->ac_hidden = false;
	}
	if (c->by_syscall) {
		v->cs = (v->star >> 32) & 0xfffc;
		v->ss = (u16)(v->cs + 8);
		v->ac_hidden = false;
		c->by_syscall = false;
	}
	if (c->by_iret) {
		v->ss = (u16)this_fast()->kernel_ss;
		v->ac_hidden = false;
		c->by_iret = false;
	}
	v->cpl = c->cpl;
	/* The guest's own NT is clear while they are armed, the real one is the guard of S7. */
	if (v->armed) {
		v->gs_user = v->cpl == 0 && (real->rflags & RFLAGS_NT) != 0;
		v->nt_guard = v->gs_user;
		v->nt = false;
	}
}

static void set_sites(struct fast *f, const struct return_sites *sites)
{
	f->sysret_site = sites->sysret;
	f->iret_site = sites->iret;
	f->kernel_iret_site = sites->kernel_iret;
	for (u32 i = 0; i < NR_PLAIN_SITES; i++)
		f->swapgs_site[i] = sites->plain[i];
}

static const struct return_sites no_sites = NO_SITES;

void fast_note_site(struct vcpu *v, u32 path, u64 rip)
{
	struct return_sites *s = &v->sites;

	if (!(switches.fast & path) || !is_upper_half(rip))
		return;
	if (path == VL_FAST_SYSRET)
		s->sysret = rip;
	else if (path == VL_FAST_IRET)
		s->iret = rip;
	else if (path == VL_FAST_KERNEL_IRET)
		s->kernel_iret = rip;
	else
		s->plain[s->next_plain++ % NR_PLAIN_SITES] = rip;
}

void fast_arm(struct vcpu *v)
{
	struct fast *f = this_fast();
	bool common;

	if (v->handler_unread && v->cpl == 3) {
		fast_update(v);
		if (v->stale) /* a table that was walked shared its frame */
			vcpu_drop_stale(v);
	}
	common = v->fast && v->iopl == 0 && !v->nmi_blocked && !v->nmi_pending && !v->ac_hidden &&
		 !v->keys_off && !(v->cpl == 0 && v->gs_user && v->exit_cpl == 0) &&
		 (v->cpl == 3 || !(v->frame->rflags & (RFLAGS_TF | RFLAGS_NT)));

	v->armed = common;
	f->faults = common && (switches.fast & VL_FAST_FAULTS) && !pic_is_low(v);
	f->crossing.cpl = v->cpl;
	f->crossing.slow = !common || !v->iflag;
	/* What the handler is has to be known before a user is reached without an exit. */
	set_sites(f, common && !v->handler_unread ? &v->sites : &no_sites);
}

void fast_disarm(struct cpu *cpu)
{
	struct fast *f = &cpu->fast;

	f->crossing.slow = true;
	f->faults = false;
	set_sites(f, &no_sites);
}

void fast_roots(struct vcpu *v)
{
	struct fast *f = this_fast();
	bool guarded = (v->cr4 & CR4_SMAP) != 0;

	f->info = (volatile u64 *)(u64)v->info->at;
	f->top[0] = shadow_top(&v->shadow, SHADOW_USER).v;
	f->top[1] = shadow_top(&v->shadow, guarded ? SHADOW_GUARDED : SHADOW_KERNEL).v;
}

void fast_note_fault(struct vcpu *v, u64 va, u64 rip, u32 access)
{
	if ((v->shadow.options & VL_SHADOW_PREFILL) && (access & PF_USER))
		note_prefill(v, this_fast(), va, rip, access);
}

static bool begins_with_swapgs(struct vcpu *v, u64 va)
{
	static const u8 swapgs[SWAPGS_SIZE] = {0x0f, 0x01, 0xf8};
	struct exception fault;
	u8 bytes[SWAPGS_SIZE];

	return guest_read(v, va, bytes, sizeof(bytes), PF_FETCH, &fault) &&
	       memcmp(bytes, swapgs, sizeof(bytes)) == 0;
}

static bool is_common(const struct vcpu *v)
{
	const struct domain *d = v->domain;

	return (d->features & VL_FEATURE_DESCRIPTORS) && v->info->at != NULL && !v->iopl3 &&
	       segments_are_plain() && v->sfmask == REAL_SFMASK && (v->efer & EFER_SCE) &&
	       (v->star >> 48) == FAST_USER_CS32;
}

static void update(struct vcpu *v)
{
	struct fast *f = this_fast();
	const struct domain *d = v->domain;

	f->call_site = switches.fast & VL_FAST_CALLS ? d->call_site : 0;
	f->kernel_cs = (v->star >> 32) & 0xfffc;
	f->entry.rip = v->lstar + SWAPGS_SIZE;
	f->entry.cs = REAL_GUEST_CS;
	f->entry.ss = REAL_GUEST_SS;
	f->entry.rflags = RFLAGS_FIXED | RFLAGS_IF;
	fast_roots(v);
}

void fast_update(struct vcpu *v)
{
	/* In the upper half no instruction ends beyond what is canonical. */
	v->fast = is_common(v) && is_upper_half(v->lstar) && begins_with_swapgs(v, v->lstar);
	v->handler_unread = false;
	update(v);
}

void fast_init(struct vcpu *v)
{
	v->sites = no_sites;
	v->fault_entry.changes = NO_CHANGES;
}

/*
 * The handler is read later, to keep it out of the transition: before the guest reaches a user. The
 * first time it does not get there without an exit, since no site is known yet that fast.S serves.
 */
void fast_begin(struct vcpu *v)
{
	enum shadow_view view = vcpu_view(v);

	v->fast = v->handler_unread = is_common(v);
	update(v);
	(void)fast_fill(v, view, v->frame->rip, PF_FETCH);
	(void)fast_fill(v, view, v->frame->rsp, PF_WRITE);
}

bool fast_fixup(u64 *rip)
{
	if (!(*rip >= (u64)fast_guest_access && *rip <= (u64)fast_guest_access_end) &&
	    !(*rip >= (u64)fast_guest_access2 && *rip <= (u64)fast_guest_access2_end))
		return false;
	*rip = (u64)leave_fault;
	return true;
}

/* --- hypercalls that the guest kernel makes by SYSCALL: no frame, no exit --- */

/* The fast paths leave the vcpu behind; its CPL and flags are what these calls look at. The latter
 * are where an exit's frame has them. */
static struct vcpu *caller(void)
{
	struct cpu *cpu = this_cpu();
	struct vcpu *v = cpu->vcpu;

	v->cpl = 0;
	v->frame = (struct trap_frame *)((u64)cpu + STACK_SIZE) - 1;
	return v;
}

static s64 fast_mmu_load(u64 pgd, u64 asid, u64 flags)
{
	return vcpu_mmu_load(caller(), pgd, asid, flags);
}

static s64 fast_mmu_flush(u64 what, u64 va, u64 unused)
{
	(void)unused;
	return vcpu_mmu_flush(caller(), what, va);
}

static s64 fast_descriptors(u64 unused1, u64 unused2, u64 unused3)
{
	struct vcpu *v = caller();
	s64 answer = vcpu_descriptors(v);

	(void)unused1;
	(void)unused2;
	(void)unused3;
	if (v->stale) /* the same; and this is no exit, which would see to it */
		vcpu_drop_stale(v);
	return answer;
}

static s64 fast_mmu_flush_remote(u64 cpus, u64 space, u64 va)
{
	return vcpu_mmu_flush_remote(caller(), cpus, space, va);
}

/* The numbers between those that are served. */
static s64 no_fast_call(u64 unused1, u64 unused2, u64 unused3)
{
	(void)unused1;
	(void)unused2;
	(void)unused3;
	return -VL_ENOSYS;
}

typedef s64 fast_call_fn(u64 a1, u64 a2, u64 a3);
extern fast_call_fn *const fast_calls[NR_FAST_CALLS];
fast_call_fn *const fast_calls[NR_FAST_CALLS] = {
	[VL_CALL_MMU_LOAD - FAST_CALLS_FIRST] = fast_mmu_load,
	[VL_CALL_MMU_FLUSH - FAST_CALLS_FIRST] = fast_mmu_flush,
	[VL_CALL_DESCRIPTORS - FAST_CALLS_FIRST] = fast_descriptors,
	[VL_CALL_DESCRIPTORS - FAST_CALLS_FIRST + 1 ... NR_FAST_CALLS - 2] = no_fast_call,
	[VL_CALL_MMU_FLUSH_REMOTE - FAST_CALLS_FIRST] = fast_mmu_flush_remote,
};

bool fast_call(struct vcpu *v)
{
	struct trap_frame *f = v->frame;
	u64 index = f->rax - FAST_CALLS_FIRST;

	if (v->cpl != 0 || v->domain->call_site == 0 || f->rip != v->domain->call_site)
		return false;
	f->rax = (u64)(index < NR_FAST_CALLS ? fast_calls[index](f->rdi, f->rsi, f->rdx)
					     : -VL_ENOSYS);
	return true;
}
