// SPDX-License-Identifier: MIT
/*
 * Devirtualize: the reverse of virtualize.c. The guest's own root, tables,
 * registers and ring come back in a fixed order; the shadow was a cache and is
 * thrown away later, a few tables with each hypercall.
 *
 *  1. check: the guest has to take what waits for it
 *  2. steps: Vellum's timer stops; pages that are away are copied home, where nobody reads them yet
 *  3. leave: the point of no return; nothing fails from here on
 */
#include "cpu/percpu.h"
#include "cpu/vcpu.h"
#include "domain/domain.h"
#include "mem/frames.h"
#include "mem/layout.h"
#include "mem/own_tables.h"
#include "mem/pagetable.h"
#include "p2m/mover.h"
#include "public/errno.h"
#include "shadow/audit.h"
#include "transition/interrupts.h"
#include "transition/own_image.h"
#include "transition/steps.h"
#include "hypercall_handlers.h"

/* VL_LAYER_ALL is whatever there is. */
static u64 layers_meant(const struct domain *d, u64 layers)
{
	return layers == VL_LAYER_ALL ? d->layers : layers;
}

static s64 check_layers(const struct domain *d, u64 layers)
{
	if (layers == 0 || (layers & ~(u64)d->layers) != 0)
		return -VL_EINVAL;
	if ((layers & VL_LAYER_CPU) && layers != d->layers)
		return -VL_EBUSY;
	return 0;
}

static s64 check(const struct domain *d, struct vcpu *v, u64 layers)
{
	s64 err = check_layers(d, layers);

	if (err < 0 || !(layers & VL_LAYER_CPU))
		return err;
	if (vcpu_interrupt_waits(v) || v->nmi_pending)
		return -VL_EAGAIN;
	if (domain_buffer(d, (pa_t){v->cr3 & PTE_ADDR}, PAGE_SIZE) == NULL)
		return -VL_EFAULT;
	return segments_can_leave(v) ? 0 : -VL_EFAULT;
}

static s64 make_quiet(struct vcpu *v)
{
	return interrupts_layer_prepare_leave(v) ? 0 : -VL_EAGAIN;
}

static s64 make_copies(struct vcpu *v)
{
	p2m_copy_home(&v->domain->p2m);
	return 0;
}

static const struct transition_step all_steps[] = {
	{make_quiet, interrupts_layer_stay}, /* VL_LAYER_INTERRUPTS */
	{make_copies, NULL},                 /* VL_LAYER_MEMORY */
};

static s64 prepare(struct vcpu *v, u64 layers)
{
	u32 first = layers & VL_LAYER_INTERRUPTS ? 0 : 1;
	u32 end = layers & VL_LAYER_MEMORY ? 2 : 1;

	return transition_prepare(v, all_steps + first, end - first);
}

static void leave_memory(struct domain *d)
{
	p2m_leave(&d->p2m);
	d->layers &= ~VL_LAYER_MEMORY;
	domain_p2m_changed(d);
}

/* Ring 3 cannot hold ring-0 selectors: what became null gets its old value, the rest is kept. */
static void restore_data_segments(const struct vcpu *v)
{
	u16 ds, es;

	__asm__ volatile("mov %%ds, %0" : "=r"(ds));
	__asm__ volatile("mov %%es, %0" : "=r"(es));
	if (ds == 0)
		__asm__ volatile("movl %0, %%ds" : : "r"((u32)v->data[0]) : "memory");
	if (es == 0)
		__asm__ volatile("movl %0, %%es" : : "r"((u32)v->data[1]) : "memory");
}

/*
 * Order: Vellum's entries go into the guest's root, which is at home by now, so that the next
 * instruction after the CR3 load is mapped; CR3 with PCID 0 before CR4, which then may turn PCIDs
 * on, then CR3 with its PCID; the change of CR4.PGE drops what was cached meanwhile, in every PCID;
 * TR from Vellum's GDT before the guest's GDT is loaded (segments_load_guest()).
 */
static void leave_cpu(struct vcpu *v, struct cpu *cpu)
{
	struct trap_frame *f = v->frame;
	u64 *root = direct((ma_t){v->cr3 & PTE_ADDR});

	own_slots(root + VL_FIRST_SLOT);
	write_cr3(v->cr3 & PTE_ADDR);
	write_cr2(v->cr2);
	write_cr0(v->cr0);
	write_cr4(v->cr4 ^ CR4_PGE);
	write_cr3(v->cr3);
	write_cr4(v->cr4);
	wrmsr(MSR_EFER, v->efer);
	segments_load_guest(v);
	restore_data_segments(v);
	f->cs = f->cs & ~3u;
	cpu->vcpu = NULL;
	v->leaving = true;
	v->domain->layers = 0;
	v->domain->mode = VL_MODE_PASSTHROUGH;
	v->domain->counters.devirtualized++;
}

/* What the switch back no longer needs. The shadow waits for transition_tidy(): a full load's takes
 * longer to free than the rest of the transition. */
static void free_cpu(struct vcpu *v)
{
	vcpu_count(v, &v->domain->counters);
	if (v->stack16.v != 0)
		frame_free(ma_to_mfn(v->stack16));
	own_image_forget();
}

static void leave(struct vcpu *v, u64 layers)
{
	if (layers & VL_LAYER_MEMORY)
		leave_memory(v->domain);
	if (layers & VL_LAYER_INTERRUPTS) {
		interrupts_layer_leave(v);
		v->domain->layers &= ~VL_LAYER_INTERRUPTS;
	}
	if (layers & VL_LAYER_CPU) {
		leave_cpu(v, this_cpu());
		free_cpu(v);
	} else {
		vcpu_flush(v); /* the p2m, and pages of devices that trap no longer */
	}
}

s64 call_devirtualize(struct domain *d, u64 layers, u64 cpus)
{
	struct vcpu *v = current_vcpu();
	u64 start = rdtsc();
	u64 meant = layers_meant(d, layers);
	s64 err = cpus > 1 ? -VL_EINVAL : check(d, v, meant);

	if (err == 0)
		err = prepare(v, meant);
	if (err < 0)
		return err;
	if (meant & VL_LAYER_CPU)
		audit_some(AUDIT_EVERY);
	leave(v, meant);
	d->counters.devirtualize_cycles = rdtsc() - start;
	return 0;
}
