// SPDX-License-Identifier: MIT
/*
 * Virtualize, from top to bottom: the guest called from ring 0, on its own
 * tables; it goes on at ring 3, on shadow tables, and nothing else that it can
 * see has changed.
 *
 *  1. check:   what this version cannot do is refused
 *  2. steps:   the processor's state, shadow tables, mirrored descriptors
 *  3. enter:   the point of no return; nothing fails from here on
 *
 * The layers of memory and interrupts come with the CPU's, or are added to it
 * later by the same call; then the guest is at ring 3 already.
 */
#include "cpu/block.h"
#include "cpu/fast.h"
#include "cpu/vcpu.h"
#include "domain/domain.h"
#include "hypercall/guest_call.h"
#include "lib/string.h"
#include "domain/switches.h"
#include "mem/frames.h"
#include "mem/own_tables.h"
#include "mem/pagetable.h"
#include "p2m/memory.h"
#include "public/errno.h"
#include "shadow/tables.h"
#include "transition/interrupts.h"
#include "transition/own_image.h"
#include "transition/steps.h"
#include "transition/tidy.h"
#include "hypercall_handlers.h"

static void capture_msrs(struct vcpu *v)
{
	v->efer = rdmsr(MSR_EFER);
	v->star = rdmsr(MSR_STAR);
	v->lstar = rdmsr(MSR_LSTAR);
	v->cstar = rdmsr(MSR_CSTAR);
	v->sfmask = rdmsr(MSR_SFMASK);
	v->sysenter_cs = rdmsr(MSR_SYSENTER_CS);
	v->sysenter_esp = rdmsr(MSR_SYSENTER_ESP);
	v->sysenter_eip = rdmsr(MSR_SYSENTER_EIP);
}

static void capture(struct vcpu *v, struct cpu *cpu)
{
	v->frame = cpu->frame;
	v->cpl = 0;
	v->cr0 = read_cr0();
	v->cr2 = read_cr2();
	v->cr3 = read_cr3();
	v->cr4 = read_cr4();
	v->idt = cpu->guest_idt;
	__asm__ volatile("sgdt %0" : "=m"(v->gdt) : : "memory");
	__asm__ volatile("sldt %0" : "=m"(v->ldt.selector) : : "memory");
	__asm__ volatile("str %0" : "=m"(v->tr.selector) : : "memory");
	__asm__ volatile("mov %%ds, %0" : "=r"(v->data[0]));
	__asm__ volatile("mov %%es, %0" : "=r"(v->data[1]));
	capture_msrs(v);
	vcpu_update_mode(v);
}

/* Vellum's own tables have four levels. */
static s64 check_processor(void)
{
	if (read_cr4() & CR4_LA57)
		return -VL_EOPNOTSUPP;
	return own_image_is_verified() ? 0 : -VL_EUCLEAN;
}

static s64 check(const struct domain *d, u64 layers)
{
	u64 wanted = layers & VL_LAYER_ALL;

	if ((layers & ~(u64)(VL_LAYER_ALL | VL_DEBUG_IOPL3)) != 0 || wanted == 0)
		return -VL_EINVAL;
	if ((wanted & d->layers) != 0)
		return -VL_EBUSY;
	if (wanted & VL_LAYER_CPU)
		return check_processor();
	if (!(d->layers & VL_LAYER_CPU) || wanted != layers)
		return -VL_EINVAL;
	if (!(wanted & VL_LAYER_INTERRUPTS))
		return 0;
	if (current_vcpu()->iopl3)
		return -VL_EOPNOTSUPP;
	return interrupts_layer_can_enter(current_vcpu()) ? 0 : -VL_EAGAIN;
}

/* Its root is RAM, or nothing could be done for it. */
static s64 make_capture(struct vcpu *v)
{
	capture(v, this_cpu());
	return domain_buffer(v->domain, v->mode[0].root, PAGE_SIZE) != NULL ? 0 : -VL_EFAULT;
}

static s64 make_shadow(struct vcpu *v)
{
	struct failure f;

	if (!shadow_exists(&v->shadow) &&
	    shadow_init(&v->shadow, switches.shadow, this_cpu()->image_slot, &f) < 0)
		return -f.err;
	shadow_begin(&v->shadow, v->mode[0].root.v, v->cr4 & CR4_PCIDE ? v->cr3 & 0xfff : 0);
	return 0;
}

static void undo_shadow(struct vcpu *v)
{
	shadow_destroy(&v->shadow, NO_BUDGET);
}

static s64 make_mirror(struct vcpu *v)
{
	return segments_capture(v) ? 0 : -VL_EOPNOTSUPP;
}

static const struct transition_step cpu_steps[] = {
	{make_capture, NULL},
	{make_shadow, undo_shadow},
	{make_mirror, NULL},
};

/* The hypercall page has put them there, to get here. */
static void remove_own_slots(const struct vcpu *v)
{
	u64 *root = direct((ma_t){v->mode[0].root.v});
	u32 n;

	own_slots_in_use(&n);
	for (u32 i = 0; i < n; i++)
		root[VL_FIRST_SLOT + i] = 0;
}

/* SMAP is off: the guest kernel's own pages are user pages to the processor now. */
static void enter_cpu(struct vcpu *v, struct cpu *cpu)
{
	cpu->vcpu = v;
	v->domain->mode = VL_MODE_VIRTUALIZED;
	v->domain->counters.virtualized++;
	v->frame->rax = 0;
	write_cr4((v->cr4 & ~(CR4_SMAP | CR4_PGE | CR4_PCIDE | CR4_PVI)) | CR4_PAE);
	write_cr0(v->cr0 | CR0_WP);
	wrmsr(MSR_EFER, v->efer | (cpu_has_nx() ? EFER_NXE : 0));
	write_cr3(shadow_top(&v->shadow, vcpu_view(v)).v);
	remove_own_slots(v);
	segments_load_real(v);
	fast_begin(v);
	vcpu_to_real_view(v, v->frame);
	v->frame->vector = 0;
	own_image_forget();
}

/* The layers that stand on the CPU's; no order between them, none can fail. */
static void enter_others(struct vcpu *v, u64 layers)
{
	if (layers & VL_LAYER_MEMORY)
		p2m_init(&v->domain->p2m, &p2m_frames);
	if (layers & VL_LAYER_INTERRUPTS)
		interrupts_layer_enter(v);
	v->domain->layers |= (u32)layers;
}

/* Nothing of an earlier time is left, if need be by more calls; then what the next one needs in any
 * case is made, without which it makes that itself. */
static bool is_tidy;

static bool tidy_vcpu(struct vcpu *v, u64 tables)
{
	if (!is_tidy && !shadow_destroy(&v->shadow, tables))
		return false;
	if (is_tidy)
		return true;
	memset(v, 0, sizeof(*v));
	vcpu_init(v, domain_first());
	fast_init(v);
	v->call = guest_call;
	is_tidy = true;
	return true;
}

static s64 begin_cpu(struct vcpu *v, u64 layers)
{
	tidy_vcpu(v, NO_BUDGET); /* what transition_tidy() has left */
	is_tidy = false;
	v->iopl3 = (layers & VL_DEBUG_IOPL3) != 0;
	return transition_prepare(v, cpu_steps, ARRAY_SIZE(cpu_steps));
}

/* The call that will virtualize comes from much the same place. */
static void prepare_shadow(struct shadow *s, const struct trap_frame *frame)
{
	struct failure f;

	if (shadow_init(s, switches.shadow, this_cpu()->image_slot, &f) < 0)
		return;
	shadow_reserve(s, frame->rip);
	shadow_reserve(s, frame->rsp);
}

void transition_tidy(u64 tables)
{
	static u64 renewed; /* after so many devirtualizations */
	u64 times = domain_first()->counters.devirtualized;
	struct vcpu *v = &this_block()->vcpu;

	if (renewed != times)
		p2m_memory_renew();
	renewed = times;
	if (current_vcpu() != NULL || !tidy_vcpu(v, tables))
		return;
	if (!shadow_exists(&v->shadow))
		prepare_shadow(&v->shadow, this_cpu()->frame);
	if (tables_spare() > TABLES_KEPT)
		tables_give_back(tables);
}

s64 call_virtualize(struct domain *d, u64 layers, u64 cpus)
{
	struct vcpu *v = &this_block()->vcpu;
	u64 start = rdtsc();
	s64 err = cpus > 1 ? -VL_EINVAL : check(d, layers);

	if (err < 0)
		return err;
	err = layers & VL_LAYER_CPU ? begin_cpu(v, layers) : transition_prepare(v, NULL, 0);
	if (err < 0)
		return err;
	if (v->iopl3)
		layers &= ~(u64)VL_LAYER_INTERRUPTS; /* they stay the guest's */
	enter_others(v, layers & VL_LAYER_ALL);
	if (layers & VL_LAYER_CPU)
		enter_cpu(v, this_cpu());
	else
		vcpu_flush(v); /* the p2m, and pages of devices that trap now */
	d->counters.virtualize_cycles = rdtsc() - start;
	return 0;
}
