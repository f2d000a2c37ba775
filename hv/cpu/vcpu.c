// SPDX-License-Identifier: MIT
/*
 * Exits of a virtualized guest, from the trap frame to the resume. While an
 * exit is handled the frame holds what the guest believes (its selectors, its
 * flags); the conversion from and to what is really loaded stands here and
 * nowhere else.
 */
#include "cpu/vcpu.h"

#include "cpu/apic.h"
#include "cpu/descriptors.h"
#include "cpu/domain_pic.h"
#include "cpu/fast.h"
#include "cpu/mmio.h"
#include "cpu/panic.h"
#include "cpu/percpu.h"
#include "cpu/ports.h"
#include "cpu/remote.h"
#include "cpu/sched.h"
#include "cpu/stop.h"
#include "lib/panic.h"
#include "lib/debug.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mem/layout.h"
#include "mem/pagetable.h"
#include "p2m/p2m.h"
#include "shadow/audit.h"

#define FIRST_EXTERNAL 32
#define FIRST_OF_APIC  16
#define VECTOR_INT80   0x80
#define INT80_LENGTH   2
#define ERROR_IDT      3u /* of #GP: EXT and IDT; INT n sets the latter alone */

struct vcpu *current_vcpu(void)
{
	return this_cpu()->vcpu;
}

static void log_crash(const struct vcpu *v, const char *reason)
{
	const struct trap_frame *f = v->frame;

	log_print("vellum: domain %u crashed: %s\n", v->domain->domid, reason);
	log_print("vellum:   rip %016lx cs %04lx rsp %016lx ss %04lx rflags %08lx cpl %u\n", f->rip,
		  f->cs, f->rsp, f->ss, f->rflags, v->cpl);
	log_print("vellum:   cr0 %08lx cr2 %016lx cr3 %016lx cr4 %08lx\n", v->cr0, v->cr2, v->cr3,
		  v->cr4);
}

/*
 * If it is the only guest, the machine ends with it. Nobody has the console any more when it was
 * the first one, so the reason goes there, too; the others go on, but with nobody who could steer
 * them.
 */
void vcpu_crash(struct vcpu *v, const char *reason)
{
	if (domain_count() > 1) {
		if (domain_owns_machine(v->domain))
			panic_open_console();
		log_crash(v, reason);
		sched_shutdown(v, VL_SHUTDOWN_CRASH);
	}
	v->domain->state = VL_STATE_CRASHED;
	stop_others();
	log_without_lock(); /* one of them may have it */
	panic_open_console();
	log_crash(v, reason);
	halt_forever();
}

static u32 physical_bits(void)
{
	static u32 bits;

	if (bits == 0)
		bits = cpuid(0x80000008, 0).eax & 0xff;
	return bits;
}

const struct paging_mode *vcpu_paging_mode(struct vcpu *v, bool implicit)
{
	return vcpu_paging_mode_smap(v, implicit || !(v->frame->rflags & RFLAGS_AC));
}

void vcpu_update_mode(struct vcpu *v)
{
	struct paging_mode mode = {
		.root.v = v->cr3 & PTE_ADDR,
		.wp = (v->cr0 & CR0_WP) != 0,
		.nx = (v->efer & EFER_NXE) != 0,
		.smep = (v->cr4 & CR4_SMEP) != 0,
		.pge = (v->cr4 & CR4_PGE) != 0,
		.keys = (v->cr4 & CR4_PKE) != 0,
		.physical_bits = physical_bits(),
	};

	paging_mode_prepare(&mode);
	v->mode[false] = mode;
	mode.smap = (v->cr4 & CR4_SMAP) != 0;
	v->mode[true] = mode;
	v->unplain = mode.reserved | (mode.keys ? (u64)15 << PTE_KEY_SHIFT : 0);
}

static volatile u64 *guest_table(void *context, pfn_t frame)
{
	const struct domain *d = context;
	u64 pa = frame.v << PAGE_SHIFT;

	return domain_buffer(d, (pa_t){pa}, PAGE_SIZE);
}

/* The p2m, but for pages that trap: no large page is filled over them. */
static ma_t translate(void *context, pa_t pa, u32 *shift)
{
	struct vcpu *v = context;

	*shift = mmio_limit(v, pa, *shift);
	if (v->domain->layers & VL_LAYER_MEMORY)
		return p2m_translate(&v->domain->p2m, pa, shift);
	return p2m_translate_unmapped(NULL, pa, shift);
}

/* Most tables and pages are where identity says, in the main range. */
void vcpu_init(struct vcpu *v, struct domain *d, u32 index)
{
	v->domain = d;
	v->cpu = index;
	v->info = &d->info[index];
	v->sites = (struct return_sites)NO_SITES;
	v->tables = (struct guest_tables){
		.table = guest_table,
		.context = d,
		.plain = &d->plain,
		.at = DIRECT_BASE,
	};
	v->p2m = (struct shadow_p2m){.translate = translate, .context = v, .plain = &d->plain};
}

enum shadow_view vcpu_view(const struct vcpu *v)
{
	if (v->cpl == 3)
		return SHADOW_USER;
	return (v->cr4 & CR4_SMAP) && !(v->frame->rflags & RFLAGS_AC) ? SHADOW_GUARDED
								      : SHADOW_KERNEL;
}

/* Where `va` is, in the page that it was translated to. */
static pa_t address_in(const struct translation *t, u64 va)
{
	return (pa_t){t->page.v + (va & (level_size(t->level) - 1))};
}

static void page_fault(struct vcpu *v, u64 va)
{
	enum shadow_view view = vcpu_view(v);
	const struct paging_mode *mode = vcpu_paging_mode(v, false);
	u32 access = (u32)v->frame->error & (PF_WRITE | PF_FETCH);
	struct translation t;
	u32 fault;

	if (v->cpl == 3)
		access |= PF_USER;
	fault = vcpu_translate(v, mode, va, access, &t);
	if (fault == 0 && mmio_is_trapped(v, address_in(&t, va))) {
		v->exits[EXIT_EMULATED]++;
		if (mmio_is_apic(address_in(&t, va)))
			access_note_device(v, va, access, &t);
		mmio_access(v, address_in(&t, va));
		return;
	}
	if (fault == 0) {
		v->exits[EXIT_HIDDEN_FAULT]++;
		if (v->cpl == 0 && (v->frame->error & PF_KEY))
			keys_turn_off(v);
		v->debug_pending = false; /* the instruction runs again, and hits again */
		shadow_fill(&v->shadow, view, mode, &v->p2m, va, &t);
		return;
	}
	v->exits[EXIT_GUEST_FAULT]++;
	fast_note_fault(v, va, v->frame->rip, access);
	deliver(v,
		(struct exception){.vector = VECTOR_PF,
				   .has_error = true,
				   .error = fault & ~WALK_FAULT,
				   .cr2 = va},
		EVENT_EXCEPTION);
}

static bool has_error_code(u64 vector)
{
	return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;
}

static void reflect(struct vcpu *v)
{
	u8 vector = (u8)v->frame->vector;

	v->exits[EXIT_REFLECTED]++;
	deliver(v,
		(struct exception){.vector = vector,
				   .has_error = has_error_code(vector),
				   .error = (u32)v->frame->error},
		EVENT_EXCEPTION);
}

static void exception(struct vcpu *v, u64 va)
{
	u64 vector = v->frame->vector;

	if (vector == VECTOR_PF) {
		page_fault(v, va);
	} else if (vector == VECTOR_NMI) {
		stop_if_asked(v->frame, CPU_STOPPED_IN_GUEST);
		/* No other kick is sent meanwhile: an NMI that waits behind this one is a device's.
		 */
		if (remote_kick_is_under_way(&this_cpu()->host->kicked))
			remote_serve(v);
		sched_nmi_arrived();
	} else if (vector == VECTOR_AC && v->cpl == 0) {
		/* Ring 0 is not checked; this only looks like ring 3. PUSHF shows AC until here. */
		v->ac_hidden = true;
		v->exits[EXIT_EMULATED]++;
	} else if (vector == VECTOR_MC) {
		panic_frame(v->frame, "machine check while a guest ran");
	} else if (v->cpl == 0 && (vector == VECTOR_UD || vector == VECTOR_GP ||
				   vector == VECTOR_NP || vector == 12)) {
		if (vector == VECTOR_UD && v->call(v))
			return;
		if (vector == VECTOR_UD && keys_emulate(v)) {
			v->exits[EXIT_EMULATED]++;
		} else if (emulate(v)) {
			v->exits[EXIT_EMULATED]++;
		} else {
			reflect(v);
		}
	} else if (v->cpl == 3 && vector == VECTOR_GP && v->frame->error == 0 &&
		   ports_emulate_user(v)) {
		v->exits[EXIT_EMULATED]++;
	} else if (v->cpl == 3 && vector == VECTOR_GP && (v->frame->error & ERROR_IDT) == 2 &&
		   emulate_user_int(v)) {
		v->exits[EXIT_EMULATED]++;
	} else {
		reflect(v);
	}
}

/*
 * A local APIC may use an exception's vector from 16 on (SDM volume 3, 10.5.2). What it has in
 * service tells; where it is the guest's own, of a machine check MCG_STATUS.
 */
static bool is_apics(struct vcpu *v, u8 vector)
{
	if (vector < FIRST_OF_APIC)
		return false;
	if (v->lapic.access != NULL)
		return apic_arrived(v, vector);
	return vector == VECTOR_MC && !(rdmsr(MSR_MCG_STATUS) & MCG_IN_PROGRESS) &&
	       apic_arrived(v, vector);
}

bool vcpu_note_interrupt(struct vcpu *v, u8 vector)
{
	bool is_exception = vector < FIRST_EXTERNAL;

	/* It may have hit Vellum behind one of these locks. */
	if (vector == VECTOR_NMI)
		return false;
	if ((!is_exception || pic_is_low(v)) && pic_arrived(v, vector))
		return true;
	if (is_exception && is_apics(v, vector))
		return true;
	/* What nobody has in service is a spurious interrupt. */
	if (!is_exception)
		apic_arrived(v, vector);
	return !is_exception;
}

/*
 * INT 0x80, whose gate may be open to ring 3, is no interrupt that waits for IF. Where the local
 * APIC is trapped, what it has in service tells the two apart, else nothing but the code.
 */
static bool is_int80(struct vcpu *v)
{
	static const u8 int80[2] = {0xcd, VECTOR_INT80};
	struct vcpu *owner = sched_owner();
	struct exception fault;
	u8 before[sizeof(int80)];
	u64 base = 0;

	if (v->frame->vector != VECTOR_INT80 || !segments_gate_is_open(VECTOR_INT80))
		return false;
	if (owner->lapic.access != NULL)
		return !apic_arrived(owner, VECTOR_INT80);
	if (v->cpl == 3)
		segments_code_mode((u16)v->frame->cs, &base);
	return guest_read(v, base + v->frame->rip - sizeof(before), before, sizeof(before),
			  v->cpl == 3 ? PF_FETCH | PF_USER : PF_FETCH, &fault) &&
	       memcmp(before, int80, sizeof(before)) == 0;
}

static void dispatch(struct vcpu *v, u64 va)
{
	u64 vector = v->frame->vector;

	if (is_int80(v)) {
		v->exits[EXIT_REFLECTED]++;
		v->frame->rip -= INT80_LENGTH;
		deliver_software(v, VECTOR_INT80, INT80_LENGTH);
	} else if (vector < EXIT_VECTOR_SYSCALL && sched_note_interrupt((u8)vector)) {
		v->exits[EXIT_INTERRUPT]++;
	} else if (vector < FIRST_EXTERNAL) {
		exception(v, va);
	} else {
		if (vector == EXIT_VECTOR_SYSCALL && fast_call(v))
			return;
		v->exits[EXIT_SYSCALL]++;
		if (vector == EXIT_VECTOR_SYSENTER)
			emulate_sysenter(v);
		else
			emulate_syscall(v, vector == EXIT_VECTOR_SYSCALL ? v->lstar : v->cstar);
	}
}

static void to_guest_view(struct vcpu *v, struct trap_frame *f)
{
	const struct vl_vcpu_info *info = v->info->at;

	v->frame = f;
	v->exit_cpl = v->cpl;
	if (v->nt_guard) {
		f->rflags &= ~RFLAGS_NT;
		f->rflags |= v->nt ? RFLAGS_NT : 0;
	}
	if (info != NULL && v->cpl == 0)
		v->iflag = (info->flags & RFLAGS_IF) != 0;
	/* With `iopl3` the guest kernel's real IF is its own. */
	if (!v->iopl3 || v->cpl == 3) {
		f->rflags &= ~RFLAGS_IF;
		f->rflags |= v->iflag ? RFLAGS_IF : 0;
	}
	f->rflags = (f->rflags & ~RFLAGS_IOPL) | (u64)v->iopl << 12;
	if (v->cpl == 0) {
		f->cs = v->cs;
		f->ss = v->ss;
		f->rflags |= v->ac_hidden ? RFLAGS_AC : 0;
	}
}

/* What the guest kernel reads instead of trapping. */
static void publish(struct vcpu *v)
{
	struct vl_vcpu_info *info = v->info->at;

	if (info == NULL)
		return;
	/* Clear while a user runs: a fast SYSCALL then need not clear it. */
	info->flags = v->iflag && v->cpl == 0 ? RFLAGS_IF : 0;
	info->pending = vcpu_interrupt_waits(v);
	info->cr2 = v->cr2;
}

void vcpu_to_real_view(struct vcpu *v, struct trap_frame *f)
{
	v->iflag = (f->rflags & RFLAGS_IF) != 0;
	v->iopl = (u8)(f->rflags >> 12 & 3);
	publish(v);
	fast_arm(v);
	f->rflags &= ~RFLAGS_IOPL;
	if (v->iopl3 && v->cpl == 0)
		f->rflags |= RFLAGS_IOPL;
	else
		f->rflags |= RFLAGS_IF;
	if (v->cpl == 0) {
		v->cs = (u16)f->cs;
		v->ss = (u16)f->ss;
		f->cs = REAL_GUEST_CS;
		f->ss = REAL_GUEST_SS;
		v->ac_hidden = v->ac_hidden && (f->rflags & RFLAGS_AC);
		if (v->ac_hidden)
			f->rflags &= ~RFLAGS_AC;
	}
	if (v->cpl == 3 && v->keys_off)
		keys_turn_on(v);
	/* With NT, any IRET of the guest's is #GP, and comes here. */
	v->nt_guard = v->cpl == 0 && v->gs_user;
	v->nt = (f->rflags & RFLAGS_NT) != 0;
	if (v->nt_guard)
		f->rflags |= RFLAGS_NT;
}

void vcpu_load_root(struct vcpu *v)
{
	u64 root;

	if (v->stale)
		vcpu_drop_stale(v);
	root = shadow_top(&v->shadow, vcpu_view(v)).v;
	if (read_cr3() != root)
		write_cr3(root);
}

/*
 * The guest sent itself where no processor goes, by a gate or a far return whose RIP is not
 * canonical: the frame that could not be resumed is what RSP points to, and gets the fault.
 */
static bool resume_failed(struct vcpu *v, struct trap_frame *frame)
{
	const u64 *unresumed = (const u64 *)frame->rsp;
	u8 vector = (u8)frame->vector;

	memcpy(&frame->rip, unresumed, 5 * sizeof(u64));
	to_guest_view(v, frame);
	deliver_fault(v, vector, 0);
	vcpu_to_real_view(v, frame);
	vcpu_load_root(v);
	frame->vector = 0;
	return true;
}

bool vcpu_return_failed(struct vcpu *v, struct trap_frame *frame)
{
	const struct trap_frame *before = &v->before_return;

	if (!v->returning)
		return resume_failed(v, frame);
	v->returning = false;
	/* The general registers are the guest's already: all were restored before the IRETQ. */
	frame->rip = before->rip;
	frame->cs = before->cs;
	frame->rflags = before->rflags;
	frame->rsp = before->rsp;
	frame->ss = before->ss;
	v->frame = frame;
	segments_set_cpl(v, 0);
	deliver_fault(v, (u8)frame->vector, (u32)frame->error);
	vcpu_load_root(v);
	vcpu_to_real_view(v, frame);
	frame->vector = 0;
	return true;
}

/*
 * Devirtualized: the frame is for ring 0. NMIs were noted, with the guest's GDT and TR loaded and
 * Vellum's IDT, and are blocked since the first; the guest's handler comes back to here.
 */
static void leave(struct cpu *cpu)
{
	bool nmi;

	descriptors_leave(&cpu->guest_idt);
	cpu->in_hypercall = false;
	nmi = cpu->nmi_pending;
	cpu->nmi_pending = false;
	if (nmi)
		__asm__ volatile("int $2" : : : "memory");
}

void vcpu_exit(struct trap_frame *frame)
{
	u64 va = read_cr2();
	struct vcpu *v = current_vcpu();

	fast_sync(v, frame);
	to_guest_view(v, frame);
	v->returning = false;
	if (v->gates_unread)
		segments_mirror_gates(v);
	audit_some(&v->shadow, 1);
	dispatch(v, va);
	/* Devirtualized: any CPU may be tidying up the vcpu by now. */
	if (this_cpu()->vcpu == NULL) {
		frame->vector = 0;
		leave(this_cpu());
		return;
	}
	if (v->debug_pending) {
		v->debug_pending = v->step_pending = false;
		deliver(v, (struct exception){.vector = VECTOR_DB}, EVENT_EXCEPTION);
	}
	if (remote_waits(&v->remote)) /* an NMI may be among it */
		remote_serve(v);
	if (this_cpu()->host->look)
		sched_exit(v);
	deliver_pending(v);
	if (v->cpl == 3 && !(v->domain->features & VL_FEATURE_DESCRIPTORS))
		segments_refresh(v);
	if (v->cpl == 3 && this_cpu()->fast.prefill) {
		this_cpu()->fast.prefill = false;
		fast_prefill(v, frame->rip);
	}
	lock_check_none_held();
	vcpu_load_root(v);
	vcpu_to_real_view(v, frame);
	if (is_debug_build())
		assert(!v->stale);
	vcpu_resume16(v, frame);
}
