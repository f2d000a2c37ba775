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
#include "cpu/domain_pic.h"
#include "cpu/fast.h"

#include "cpu/domain_pic.h"
#include "cpu/mmio.h"
#include "cpu/percpu.h"
#include "mem/layout.h"
#include "mem/pagetable.h"
#include "shadow/audit.h"
#include "shadow/tables.h"

/* What the processor pushed, above the registers that fast.S saved. */
struct fault_frame {
	u64 error, rip, cs, rflags, rsp, ss;
};

#define GATE_OPEN   0x8e /* present, DPL 0, 64-bit interrupt gate */
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
	       va - d->aliased.start >= range_size(d->aliased);
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

/* NULL: the cache does not know the region. */
static inline ALWAYS_INLINE struct psc *psc_find(struct vcpu *v, enum shadow_view view, u64 va)
{
	struct psc *p = psc_of(v, view, va);

	return p->key == psc_key(view, va) && p->generation == v->shadow.generation ? p : NULL;
}

/* Serve the access from the cache: 0: done; the guest's fault; or UNKNOWN. */
static inline ALWAYS_INLINE u32 psc_fill(struct vcpu *v, struct psc *p, enum shadow_view view,
					 u64 va, u32 access)
{
	bool smep = (v->cr4 & CR4_SMEP) != 0;
	u32 i = level_index(va, 1), fault;
	u64 pte = p->guest[i], all, any;

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

	if (view != SHADOW_USER && access_is_device(v, va, access))
		return UNKNOWN;
	/* A shared frame may have to be left, and then translations are dropped at an exit's end.
	 */
	if (v->domain->p2m.shared != 0)
		return UNKNOWN;
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
	struct psc *p = psc_find(v, view, va);
	u32 fault = p != NULL ? psc_fill(v, p, view, va, access) : UNKNOWN;

	return fault != UNKNOWN ? fault : walk_and_fill(v, view, va, access);
}

/* The same for a user. Most often the page is not there: that takes no more than a look. */
static inline ALWAYS_INLINE u32 fill_for_user(struct vcpu *v, u64 va, u32 access)
{
	struct psc *p = psc_find(v, SHADOW_USER, va);

	if (p != NULL && !(p->guest[level_index(va, 1)] & PTE_P) && !absent_again(p, va))
		return WALK_FAULT | access;
	return fast_fill(v, SHADOW_USER, va, access);
}

/* As a read, which sets no D bit: a write then is granted if the guest's kernel has set it. */
void fast_prefill(struct vcpu *v, u64 rip)
{
	u64 va = v->prefill.va;
	u32 access = PF_USER | (v->prefill.access & PF_FETCH);
	struct psc *p = psc_find(v, SHADOW_USER, va);

	if (rip == v->prefill.rip &&
	    (p == NULL || psc_fill(v, p, SHADOW_USER, va, access) == UNKNOWN))
		walk_and_fill(v, SHADOW_USER, va, access);
}

/* Gate and RSP0, if they are plain and at hand. */
static __attribute__((noinline)) bool find_gate(struct vcpu *v, struct fault_entry *e)
{
	const volatile u64 *there = (const volatile u64 *)access_cached(
		v, v->idt.base + VECTOR_PF * sizeof(struct gate), sizeof(struct gate), 0);
	const u8 *rsp0 = access_cached(v, v->tr.base + offsetof(struct tss, rsp), sizeof(u64), 0);
	struct gate gate;

	e->changes = NO_CHANGES;
	if (there == NULL || rsp0 == NULL || v->idt.limit < VECTOR_PF * sizeof(gate) + 15 ||
	    v->tr.limit < offsetof(struct tss, rsp) + 7)
		return false;
	/* Read once: another CPU of the guest may write to it. */
	e->words[0] = there[0];
	e->words[1] = there[1];
	__builtin_memcpy(&gate, e->words, sizeof(gate));
	if (gate.type != GATE_OPEN || (gate.ist & 7) != 0 || v->gate_cs == 0 ||
	    gate.selector != v->gate_cs)
		return false;
	*e = (struct fault_entry){
		.changes = v->cache.changes,
		.gate = there,
		.rsp0 = (const volatile u64 *)rsp0,
		.rip = gate.offset_low | (u64)gate.offset_middle << 16 |
		       (u64)gate.offset_high << 32,
		.cs = gate.selector,
	};
	__builtin_memcpy(e->words, &gate, sizeof(gate));
	return is_canonical(e->rip);
}

static inline ALWAYS_INLINE bool knows_gate(const struct vcpu *v, const struct fault_entry *e)
{
	return e->changes == v->cache.changes && e->gate[0] == e->words[0] &&
	       e->gate[1] == e->words[1] && e->cs == v->gate_cs;
}

static void show_kernel(struct cpu *cpu)
{
	u8 *tables = (u8 *)tables_of(cpu)->gdt;

	tables[REAL_ACCESS_OFFSET(REAL_GUEST_CS)] = ACCESS_CODE;
	tables[REAL_ACCESS_OFFSET(REAL_GUEST_SS)] = ACCESS_DATA;
	tables[REAL_ACCESS_OFFSET(FAST_USER_CS)] = 0;
	tables[REAL_ACCESS_OFFSET(FAST_USER_CS32)] = 0;
}

/* What deliver() does for a #PF of a user, in the state in which the paths are armed. */
static bool deliver_fast(struct vcpu *v, struct cpu *cpu, struct fault_frame *f, u64 va, u32 error)
{
	struct fast *fast = &cpu->fast;
	struct fault_entry *e = &v->fault_entry;
	u64 rsp, *stack;

	if (fast->crossing.slow || (f->rflags & RFLAGS_AC) ||
	    (!knows_gate(v, e) && !find_gate(v, e)))
		return false;
	rsp = (*e->rsp0 & ~(u64)15) - sizeof(*f);
	stack = (u64 *)access_cached(v, rsp, sizeof(*f), PF_WRITE);
	if (stack == NULL)
		return false;
	stack[0] = error;
	__builtin_memcpy(&stack[1], &f->rip, sizeof(*f) - sizeof(f->error));
	v->exits[EXIT_GUEST_FAULT]++;
	if (v->shadow.options & VL_SHADOW_PREFILL)
		note_prefill(v, fast, va, f->rip, error);
	v->cr2 = va;
	v->info->at->cr2 = va;
	v->cpl = 0;
	v->cs = v->gate_cs;
	v->ss = 0;
	v->gs_user = v->nt_guard = true;
	v->nt = false;
	fast->crossing = (struct crossing){.cpl = 0};
	show_kernel(cpu);
	write_cr3(fast->top[1]);
	f->rip = e->rip;
	f->rsp = rsp;
	f->cs = REAL_GUEST_CS;
	f->ss = REAL_GUEST_SS;
	f->rflags = (f->rflags & ~(RFLAGS_TF | RFLAGS_RF | RFLAGS_VM)) | RFLAGS_NT | RFLAGS_IF;
	return true;
}

/* The registers that fast.S pushes; NULL: it does not. */
static u64 *saved_register(struct fault_frame *f, u32 reg)
{
	static const u8 places[16] = {1, 2, 3, 0, 0, 0, 4, 5, 6, 7, 8, 9};

	return places[reg] != 0 ? (u64 *)f - places[reg] : NULL;
}

/* A move between a register and a device's. Not while an interrupt waits for the guest, which this
 * may let in. */
static __attribute__((noinline)) bool fast_device(struct vcpu *v, struct fault_frame *f, u64 va,
						  u32 access)
{
	const u8 *code = access_cached_code(v, f->rip, PLAIN_MOVE_CODE);
	struct plain_move move;
	u64 *reg;

	if (!access_is_device(v, va, access) || code == NULL || (f->rflags & RFLAGS_TF) ||
	    v->lapic.tickets != 0 || !pic_is_idle(v) || !decode_plain_move(code, &move))
		return false;
	reg = saved_register(f, move.reg);
	if (reg == NULL || move.store != ((access & PF_WRITE) != 0) ||
	    !mmio_move(v, va % PAGE_SIZE, &move, reg))
		return false;
	v->exits[EXIT_EMULATED]++;
	f->rip += move.length;
	f->rflags &= ~RFLAGS_RF;
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
	/* Before a search that cannot find it. */
	if (!user && (v->cache.device ^ va) < PAGE_SIZE)
		return fast_device(v, f, va, access);
	fault = user ? fill_for_user(v, va, access) : fast_fill(v, view, va, access);
	if (fault == 0) {
		v->exits[EXIT_HIDDEN_FAULT]++;
		return true;
	}
	if (!user && fault == UNKNOWN)
		return fast_device(v, f, va, access);
	return user && fault != UNKNOWN && deliver_fast(v, cpu, f, va, fault & ~WALK_FAULT);
}
