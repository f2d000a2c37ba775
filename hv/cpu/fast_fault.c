// SPDX-License-Identifier: MIT
/*
 * Page faults of a guest in the common state (fast.c), without a trap frame.
 * Most are either the shadow's own, to be filled, or a user's first touch of a
 * page, for its kernel: both are served here, and whatever is not plain goes
 * the long way through vcpu_exit() with nothing changed.
 *
 * Where the tables are that a 2 MiB region needs is kept in a paging-structure
 * cache (struct psc), with the rules of a processor's.
 */
#include "cpu/fast.h"

#include "cpu/percpu.h"
#include "mem/layout.h"
#include "mem/pagetable.h"
#include "shadow/audit.h"
#include "shadow/tables.h"

/* What the processor pushed, above the registers that fast.S saved. */
struct fault_frame {
	u64 error, rip, cs, rflags, rsp, ss;
};

#define GATE_OPEN   ((u64)0x8e00 << 32) /* present, DPL 0, 64-bit interrupt gate, no IST */
#define GATE_ALL    ((u64)0xff07 << 32)
#define ACCESS_CODE 0xfb
#define ACCESS_DATA 0xf3

#define NO_PAGE (~(u64)0)
#define UNKNOWN ((u32)1 << 30) /* of psc_fill(): the long way has to find out */

static u64 psc_key(enum shadow_view view, u64 va)
{
	return va >> 21 << 2 | view;
}

static struct psc *psc_of(struct vcpu *v, enum shadow_view view, u64 va)
{
	return &v->psc[psc_key(view, va) % NR_PSC];
}

static void psc_enter(struct vcpu *v, enum shadow_view view, u64 va, const struct translation *t)
{
	struct psc *p = psc_of(v, view, va);

	if (t->guest_level != 1 || v->shadow.last.level != 1 ||
	    !(v->shadow.options & VL_SHADOW_WALK_CACHE))
		return;
	/* Error codes have no fetch bit then: see error_code() in walk.c. */
	if (!(v->efer & EFER_NXE) && !(v->cr4 & CR4_SMEP))
		return;
	*p = (struct psc){.key = psc_key(view, va),
			  .generation = v->shadow.generation,
			  .guest = t->table,
			  .shadow = v->shadow.last.table,
			  .all = t->upper_all,
			  .any = t->upper_any,
			  .absent = NO_PAGE,
			  .common = v->shadow.last.common};
}

/* 0, or why the access faults, or UNKNOWN. As allowed() in walk.c, for what is plain. */
static inline __attribute__((always_inline)) u32 judge(u64 all, u64 any, enum shadow_view view,
						       u32 access, bool smep)
{
	bool user = (all & PTE_U) != 0;
	bool ok;

	if (access & PF_USER)
		ok = user && (!(access & PF_WRITE) || (all & PTE_W)) &&
		     (!(access & PF_FETCH) || !(any & PTE_NX));
	else if (view == SHADOW_GUARDED && user)
		return UNKNOWN;
	else if (access & PF_FETCH)
		ok = !(any & PTE_NX) && !(user && smep);
	else
		ok = !(access & PF_WRITE) || (all & PTE_W);
	return ok ? 0 : WALK_FAULT | PF_PRESENT | access;
}

/* If the leaf alone would grant it, the entries above it may, too, by now. */
static __attribute__((noinline)) bool leaf_denies(u64 pte, enum shadow_view view, u32 access,
						  bool smep)
{
	return judge(pte, pte, view, access, smep) != 0;
}

/* The frame's machine address, if it is plainly RAM where it says; 0: the long way. */
static bool is_plain_frame(const struct vcpu *v, u64 pa, enum shadow_view view, u64 va)
{
	const struct domain *d = v->domain;

	if (!range_pair_has(&d->plain, pa))
		return false;
	if (view == SHADOW_USER)
		return true;
	return round_down(va, PAGE_SIZE) != v->info->va &&
	       (!d->has_alias || !range_contains(d->aliased, (struct range){va, va + 1}));
}

static u64 leaf_of(u64 pte, u64 all, u64 any, bool common, bool smep)
{
	u64 leaf = (pte & (PTE_ADDR | PTE_PWT | PTE_PCD | PTE_PS)) | PTE_P | PTE_U | PTE_A;

	if ((all & PTE_W) && (pte & PTE_D))
		leaf |= PTE_W | PTE_D;
	if ((any & PTE_NX) || (!common && smep && (all & PTE_U)))
		leaf |= PTE_NX;
	return leaf;
}

/*
 * A page fault drops what a processor has cached for its address (SDM volume 3, 4.10.4.1), so what
 * the cache says of a page that is not there counts once: the next time the tables are walked.
 */
static bool absent_again(struct psc *p, u64 va)
{
	u64 page = va >> PAGE_SHIFT;

	if (p->absent == page)
		return true;
	p->absent = page;
	return false;
}

/* Serve the access from the cache: 0: done; the guest's fault; or UNKNOWN. */
static inline ALWAYS_INLINE u32 psc_fill(struct vcpu *v, enum shadow_view view, u64 va, u32 access)
{
	struct psc *p = psc_of(v, view, va);
	bool smep = (v->cr4 & CR4_SMEP) != 0;
	u32 i = level_index(va, 1), fault;
	u64 pte, all, any;

	if (p->key != psc_key(view, va) || p->generation != v->shadow.generation)
		return UNKNOWN;
	pte = p->guest[i];
	if (!(pte & PTE_P))
		return absent_again(p, va) ? UNKNOWN : WALK_FAULT | access;
	all = p->all & pte;
	any = p->any | pte;
	/* Keys, WP off and other trees are rare. */
	if ((pte & v->unplain) || !(v->cr0 & CR0_WP) ||
	    p->common != (view == SHADOW_USER || (view == SHADOW_KERNEL && (all & PTE_U))) ||
	    !is_plain_frame(v, pte & PTE_ADDR, view, va))
		return UNKNOWN;
	fault = judge(all, any, view, access, smep);
	if (fault != 0)
		return leaf_denies(pte, view, access, smep) ? fault : UNKNOWN;
	if (!(pte & PTE_A) || ((access & PF_WRITE) && !(pte & PTE_D))) {
		u64 used = pte | PTE_A | (access & PF_WRITE ? PTE_D : 0);

		/* Another CPU of the guest may have changed it since. */
		if (!__atomic_compare_exchange_n(&p->guest[i], &pte, used, false, __ATOMIC_SEQ_CST,
						 __ATOMIC_SEQ_CST))
			return UNKNOWN;
		pte = used;
	}
	if (is_upper_half(va) && !(pte & PTE_G))
		v->shadow.upper_local = true;
	table_set(&p->shadow[i], leaf_of(pte, all, any, p->common, smep));
	audit_note(&v->shadow, &v->mode[false],
		   &(struct audit_claim){.entry = &p->shadow[i],
					 .level = 1,
					 .view = view,
					 .common = p->common,
					 .va = va,
					 .rights = (all & (PTE_W | PTE_U)) | (any & PTE_NX) |
						   (v->mode[false].pge ? pte & PTE_G : 0),
					 .frame = pte & PTE_ADDR});
	v->shadow.fills++;
	return 0;
}

/* Apart, so that what the cache serves has few registers to save. */
static __attribute__((noinline)) u32 walk_and_fill(struct vcpu *v, enum shadow_view view, u64 va,
						   u32 access)
{
	const struct paging_mode *mode;
	struct translation t;
	u32 fault;

	mode = vcpu_paging_mode_smap(v, view == SHADOW_GUARDED);
	fault = vcpu_translate(v, mode, va, access, &t);
	if (fault != 0)
		return fault;
	/* What is not plain memory may trap (cpu/mmio.c). */
	if (!range_pair_contains(&v->domain->main_ram, t.page.v, level_size(t.level)))
		return UNKNOWN;
	shadow_fill(&v->shadow, view, mode, &v->p2m, va, &t);
	psc_enter(v, view, va, &t);
	return 0;
}

u32 fast_fill(struct vcpu *v, enum shadow_view view, u64 va, u32 access)
{
	u32 fault = psc_fill(v, view, va, access);

	return fault != UNKNOWN ? fault : walk_and_fill(v, view, va, access);
}

/* Where the user's page fault takes the guest: gate and stack, if they are plain and at hand. */
static bool find_entry(struct vcpu *v, u64 *rip, u64 *rsp, u64 **stack)
{
	const volatile u64 *there = (const volatile u64 *)access_cached(
		v, v->idt.base + VECTOR_PF * sizeof(struct gate), sizeof(struct gate), 0);
	const u8 *rsp0 = access_cached(v, v->tr.base + offsetof(struct tss, rsp), sizeof(*rsp), 0);
	struct {
		u64 low, high;
	} gate;

	if (there == NULL || rsp0 == NULL || v->idt.limit < VECTOR_PF * sizeof(struct gate) + 15 ||
	    v->tr.limit < offsetof(struct tss, rsp) + 7)
		return false;
	/* Read once: another CPU of the guest may write to it. */
	gate.low = there[0];
	gate.high = there[1];
	if ((gate.low & GATE_ALL) != GATE_OPEN || v->gate_cs == 0 ||
	    (gate.low >> 16 & 0xffff) != v->gate_cs)
		return false;
	*rip = (gate.low & 0xffff) | (gate.low >> 32 & 0xffff0000) | gate.high << 32;
	__builtin_memcpy(rsp, rsp0, sizeof(*rsp));
	*rsp = (*rsp & ~(u64)15) - sizeof(struct fault_frame);
	*stack = (u64 *)access_cached(v, *rsp, sizeof(struct fault_frame), PF_WRITE);
	return *stack != NULL && is_canonical(*rip);
}

static void show_kernel(void)
{
	u8 *tables = (u8 *)this_tables()->gdt;

	tables[REAL_ACCESS_OFFSET(REAL_GUEST_CS)] = ACCESS_CODE;
	tables[REAL_ACCESS_OFFSET(REAL_GUEST_SS)] = ACCESS_DATA;
	tables[REAL_ACCESS_OFFSET(FAST_USER_CS)] = 0;
	tables[REAL_ACCESS_OFFSET(FAST_USER_CS32)] = 0;
}

/* What deliver() does for a #PF of a user, in the state in which the paths are armed. */
static bool deliver_fast(struct vcpu *v, struct fast *fast, struct fault_frame *f, u64 va,
			 u32 error)
{
	u64 rip, rsp, *stack;

	if (fast->crossing.slow || (f->rflags & RFLAGS_AC) || !find_entry(v, &rip, &rsp, &stack))
		return false;
	f->error = error;
	__builtin_memcpy(stack, f, sizeof(*f));
	v->exits[EXIT_GUEST_FAULT]++;
	fast_note_fault(v, va, f->rip, (u32)error);
	v->cr2 = va;
	v->info->at->cr2 = va;
	v->cpl = 0;
	v->cs = v->gate_cs;
	v->ss = 0;
	v->gs_user = v->nt_guard = true;
	v->nt = false;
	fast->crossing = (struct crossing){.cpl = 0};
	show_kernel();
	write_cr3(fast->top[1]);
	f->rip = rip;
	f->rsp = rsp;
	f->cs = REAL_GUEST_CS;
	f->ss = REAL_GUEST_SS;
	f->rflags = (f->rflags & ~(RFLAGS_TF | RFLAGS_RF | RFLAGS_VM)) | RFLAGS_NT | RFLAGS_IF;
	return true;
}

/* From fast.S: true if the frame is to be resumed, false if nothing was done. */
bool fast_fault(struct fault_frame *f);
bool fast_fault(struct fault_frame *f)
{
	struct cpu *cpu = this_cpu();
	struct vcpu *v = cpu->vcpu;
	u64 va = read_cr2();
	bool user = cpu->fast.crossing.cpl == 3;
	u32 access = ((u32)f->error & (PF_WRITE | PF_FETCH)) | (user ? PF_USER : 0), fault;
	enum shadow_view view = SHADOW_USER;

	if ((f->error & ~(u64)(PF_PRESENT | PF_WRITE | PF_USER | PF_FETCH)) != 0)
		return false;
	/* It may have 16 bits: only vcpu_resume16() returns to such a stack. */
	if (user && f->ss != FAST_USER_SS)
		return false;
	if (!user)
		view = (v->cr4 & CR4_SMAP) && !(f->rflags & RFLAGS_AC) ? SHADOW_GUARDED
								       : SHADOW_KERNEL;
	/* The long way loads the root of another view. */
	if (view == SHADOW_KERNEL && (v->cr4 & CR4_SMAP))
		return false;
	fault = fast_fill(v, view, va, access);
	if (fault == 0) {
		v->exits[EXIT_HIDDEN_FAULT]++;
		return true;
	}
	return user && fault != UNKNOWN && deliver_fast(v, &cpu->fast, f, va, fault & ~WALK_FAULT);
}
