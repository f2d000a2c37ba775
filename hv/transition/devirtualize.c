// SPDX-License-Identifier: MIT
/*
 * Devirtualize: the reverse of virtualize.c. The guest's own root, tables,
 * registers and ring come back in a fixed order; the shadow was a cache and is
 * thrown away after the switch.
 */
#include "cpu/apic.h"
#include "cpu/percpu.h"
#include "cpu/vcpu.h"
#include "domain/domain.h"
#include "mem/frames.h"
#include "mem/layout.h"
#include "mem/own_tables.h"
#include "mem/pagetable.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

static s64 check(struct vcpu *v, u64 layers)
{
	if (layers != VL_LAYER_ALL || v == NULL)
		return -VL_EINVAL;
	if (vcpu_interrupt_waits(v) || v->nmi_pending || !pic_hardware_can_leave(&v->pic) ||
	    !apic_can_leave(v))
		return -VL_EAGAIN;
	return 0;
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
 * Order: Vellum's entries go into the guest's root, by its machine address, so that the next
 * instruction after the CR3 load is mapped; CR3 with PCID 0 before CR4, which then may turn PCIDs
 * on, then CR3 with its PCID; the change of CR4.PGE drops what was cached meanwhile, in every PCID;
 * TR from Vellum's GDT before the guest's GDT is loaded (segments_load_guest()).
 */
static void switch_back(struct vcpu *v, struct cpu *cpu)
{
	struct trap_frame *f = v->frame;
	struct shadow_p2m p2m = vcpu_p2m(v);
	u32 shift = PAGE_SHIFT;
	u64 *root = direct(p2m.translate(p2m.context, (pa_t){v->cr3 & PTE_ADDR}, &shift));

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
	pic_hardware_leave(&v->pic);
	apic_leave(v);
	cpu->vcpu = NULL;
	v->leaving = true;
	v->domain->mode = VL_MODE_PASSTHROUGH;
}

s64 call_devirtualize(struct domain *d, u64 layers)
{
	struct vcpu *v = current_vcpu();
	s64 err = check(v, layers);

	(void)d;
	if (err < 0)
		return err;
	switch_back(v, this_cpu());
	if (v->stack16.v != 0)
		frame_free(ma_to_mfn(v->stack16));
	segments_destroy();
	shadow_destroy(&v->shadow);
	p2m_destroy(&v->p2m);
	return 0;
}
