// SPDX-License-Identifier: MIT
/*
 * Virtualize, from top to bottom: the guest called from ring 0, on its own
 * tables; it goes on at ring 3, on shadow tables, and nothing else that it can
 * see has changed.
 *
 *  1. check:   what this version cannot do is refused
 *  2. capture: the processor's state, read only
 *  3. prepare: p2m, shadow tables, mirrored descriptors
 *  4. switch:  the point of no return; nothing fails from here on
 */
#include "cpu/apic.h"
#include "cpu/percpu.h"
#include "cpu/ports.h"
#include "cpu/vcpu.h"
#include "domain/domain.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mem/frames.h"
#include "mem/own_tables.h"
#include "mem/pagetable.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

static struct vcpu the_vcpu;

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
	v->kernel_gs_base = rdmsr(MSR_KERNEL_GS_BASE);
}

static bool capture_system_segment(struct vcpu *v, u16 selector, struct system_segment *s)
{
	struct exception fault;
	u64 d[2];

	*s = (struct system_segment){.selector = selector};
	if ((selector & ~3) == 0)
		return true;
	if ((selector | 7u) + 8 > v->gdt.limit ||
	    !guest_read(v, v->gdt.base + (selector & ~7u), d, sizeof(d), 0, &fault))
		return false;
	s->base = (d[0] >> 16 & 0xffffff) | (d[0] >> 56) << 24 | d[1] << 32;
	s->limit = (u32)((d[0] & 0xffff) | (d[0] >> 48 & 0xf) << 16);
	return true;
}

static bool capture(struct vcpu *v, struct cpu *cpu, u64 layers)
{
	u16 ldt, tr;

	v->frame = cpu->frame;
	v->domain = domain_first();
	v->cpl = 0;
	v->iopl3 = (layers & VL_DEBUG_IOPL3) != 0;
	v->cr0 = read_cr0();
	v->cr2 = read_cr2();
	v->cr3 = read_cr3();
	v->cr4 = read_cr4();
	v->idt = cpu->guest_idt;
	__asm__ volatile("sgdt %0" : "=m"(v->gdt) : : "memory");
	__asm__ volatile("sldt %0" : "=m"(ldt) : : "memory");
	__asm__ volatile("str %0" : "=m"(tr) : : "memory");
	__asm__ volatile("mov %%ds, %0" : "=r"(v->data[0]));
	__asm__ volatile("mov %%es, %0" : "=r"(v->data[1]));
	capture_msrs(v);
	return capture_system_segment(v, ldt, &v->ldt) && capture_system_segment(v, tr, &v->tr);
}

static s64 check(u64 layers)
{
	u64 cr4 = read_cr4();

	if ((layers & ~(u64)VL_DEBUG_IOPL3) != VL_LAYER_ALL)
		return -VL_EINVAL;
	if (current_vcpu() != NULL)
		return -VL_EBUSY;
	if (cr4 & (CR4_LA57 | CR4_PCIDE))
		return -VL_EOPNOTSUPP;
	return 0;
}

static s64 prepare(struct vcpu *v)
{
	struct failure f;

	if (p2m_init(&v->p2m, &f) < 0)
		return -f.err;
	if (shadow_init(&v->shadow, frames_free_count(), &f) < 0) {
		p2m_destroy(&v->p2m);
		return -f.err;
	}
	if (segments_init(&f) < 0) {
		shadow_destroy(&v->shadow);
		p2m_destroy(&v->p2m);
		return -f.err;
	}
	if (!segments_mirror(v)) {
		segments_destroy();
		shadow_destroy(&v->shadow);
		p2m_destroy(&v->p2m);
		return -VL_EOPNOTSUPP;
	}
	return 0;
}

/* SMAP is off: the guest kernel's own pages are user pages to the processor now. */
static void switch_over(struct vcpu *v, struct cpu *cpu)
{
	cpu->vcpu = v;
	ports_enter(v);
	apic_enter(v);
	v->domain->mode = VL_MODE_VIRTUALIZED;
	v->frame->rax = 0;
	write_cr4((v->cr4 & ~(CR4_SMAP | CR4_PGE | CR4_PCIDE)) | CR4_PAE);
	write_cr0(v->cr0 | CR0_WP);
	wrmsr(MSR_EFER, v->efer | EFER_SCE | (cpu_has_nx() ? EFER_NXE : 0));
	write_cr3(v->shadow.root[SHADOW_KERNEL].v);
	segments_load_real(v);
	vcpu_to_real_view(v, v->frame);
	v->frame->vector = 0;
}

s64 call_virtualize(struct domain *d, u64 layers)
{
	struct vcpu *v = &the_vcpu;
	s64 err = check(layers);

	(void)d;
	if (err < 0)
		return err;
	memset(v, 0, sizeof(*v));
	if (!capture(v, this_cpu(), layers))
		return -VL_EOPNOTSUPP;
	err = prepare(v);
	if (err < 0)
		return err;
	switch_over(v, this_cpu());
	return 0;
}
