// SPDX-License-Identifier: MIT
/*
 * Virtualize, from top to bottom: the guest called from ring 0, on its own
 * tables; it goes on at ring 3, on shadow tables, and nothing else that it can
 * see has changed.
 *
 *  1. together: all CPUs that are to be virtualized have come
 *  2. prepare: what this version cannot do is refused; the processor's state, shadow tables,
 *              mirrored descriptors
 *  3. agree:   each CPU is ready, or all undo what they have done
 *  4. commit:  the point of no return; nothing fails from here on
 *
 * The layers of memory, interrupts and I/O come with the CPU's, or are added
 * to it later by the same call; then the guest is at ring 3 already.
 */
#include "cpu/block.h"
#include "cpu/devices.h"
#include "cpu/pci_owner.h"
#include "cpu/fast.h"
#include "cpu/remote.h"
#include "mem/own_tables.h"
#include "mem/pagetable.h"
#include "p2m/memory.h"
#include "public/calls.h"
#include "public/errno.h"
#include "transition/enter.h"
#include "transition/interrupts.h"
#include "transition/own_image.h"
#include "transition/steps.h"
#include "transition/tidy.h"
#include "transition/together.h"
#include "hypercall_handlers.h"

#define EVERY_LAYER (VL_LAYER_ALL | VL_LAYER_IO)

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

static u64 running_vcpus(void)
{
	u64 n = 0;

	for (u32 i = 0; i < cpu_count(); i++)
		n += cpu_by_index(i)->vcpu != NULL;
	return n;
}

/* A CPU that came up while its domain is virtualized. The image serves the others already. */
static s64 check_join(const struct domain *d)
{
	if (together_count() != 1)
		return -VL_EINVAL;
	if (d->layers & VL_LAYER_MEMORY && d->p2m.moved != 0)
		return -VL_EBUSY;
	return read_cr4() & CR4_LA57 ? -VL_EOPNOTSUPP : 0;
}

static s64 check_io(const struct domain *d, u64 layers)
{
	if (!(layers & VL_LAYER_IO))
		return 0;
	if (!((layers | d->layers) & VL_LAYER_INTERRUPTS))
		return -VL_EINVAL;
	return layers & VL_DEBUG_IOPL3 ? -VL_EOPNOTSUPP : 0;
}

static s64 check_first(const struct domain *d, u64 layers)
{
	s64 err = check_io(d, layers);

	return err < 0 ? err : check_processor();
}

static s64 check(const struct domain *d, u64 layers)
{
	const struct vcpu *v = current_vcpu();
	u64 wanted = layers & EVERY_LAYER;

	if ((layers & ~(u64)(EVERY_LAYER | VL_DEBUG_IOPL3)) != 0 || wanted == 0)
		return -VL_EINVAL;
	if (v == NULL && (wanted & VL_LAYER_CPU))
		return d->mode == VL_MODE_VIRTUALIZED ? check_join(d) : check_first(d, layers);
	if ((wanted & d->layers) != 0)
		return -VL_EBUSY;
	if (check_io(d, layers) < 0)
		return check_io(d, layers);
	if (v == NULL || wanted != layers || running_vcpus() != together_count())
		return -VL_EINVAL;
	if (!(wanted & VL_LAYER_INTERRUPTS))
		return 0;
	if (v->iopl3)
		return -VL_EOPNOTSUPP;
	return interrupts_layer_can_enter(v) ? 0 : -VL_EAGAIN;
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

	if (!shadow_exists(&v->shadow) && transition_make_shadow(this_block(), &f) < 0)
		return -f.err;
	v->shadow.audited = v->shadow.audited && cpu_count() == 1;
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

/* Once: all CPUs are in Vellum, so that nobody uses the devices. */
static s64 make_devices(struct vcpu *v)
{
	(void)v;
	if (together_is_first())
		devices_capture();
	return 0;
}

static void undo_devices(struct vcpu *v)
{
	(void)v;
	if (together_is_first())
		devices_leave();
}

static const struct transition_step all_steps[] = {
	{make_capture, NULL}, /* VL_LAYER_CPU */
	{make_shadow, undo_shadow},
	{make_mirror, NULL},
	{make_devices, undo_devices}, /* VL_LAYER_IO */
};

/* Those that these layers need: one that joins has the domain's, and the devices are captured. */
static const struct transition_step *steps(const struct domain *d, u64 layers, u32 *count)
{
	bool joins = (layers & VL_LAYER_CPU) && d->mode == VL_MODE_VIRTUALIZED;
	u32 first = layers & VL_LAYER_CPU ? 0 : 3;

	*count = ((layers & VL_LAYER_IO) && !joins ? 4 : 3) - first;
	return all_steps + first;
}

/* SMAP is off: the guest kernel's own pages are user pages to the processor now. */
void transition_enter_cpu(struct vcpu *v)
{
	/* Without it a machine check shuts the machine down: not for a later guest to choose. */
	u64 machine = domain_owns_machine(v->domain) ? 0 : read_cr4() & CR4_MCE;

	this_cpu()->vcpu = v;
	segments_load_real(v); /* what the guest's root maps is found by an NMI up to here alone */
	remote_enter(v);       /* before anything of the guest's tables is in the shadow */
	write_cr4((v->cr4 & ~(CR4_SMAP | CR4_PGE | CR4_PCIDE | CR4_PVI)) | CR4_PAE | machine);
	write_cr0(v->cr0 | CR0_WP);
	wrmsr(MSR_EFER, v->efer | (cpu_has_nx() ? EFER_NXE : 0));
	write_cr3(shadow_top(&v->shadow, vcpu_view(v)).v);
	fast_begin(v);
}

void transition_enter_done(struct vcpu *v)
{
	if (remote_waits(&v->remote))
		remote_serve(v);
	vcpu_to_real_view(v, v->frame);
	v->frame->vector = 0;
}

static void enter_cpu(struct vcpu *v)
{
	v->frame->rax = 0;
	transition_enter_cpu(v);
	own_slots_leave((ma_t){v->mode[0].root.v}); /* the hypercall page came in, to get here */
	transition_enter_done(v);
}

/* By one CPU, while the others wait. */
void transition_enter_domain(struct domain *d, u64 layers)
{
	if (layers & VL_LAYER_MEMORY)
		p2m_init(&d->p2m, &p2m_frames);
	d->layers |= (u32)layers & EVERY_LAYER;
	if (layers & VL_LAYER_CPU) {
		d->mode = VL_MODE_VIRTUALIZED;
		d->counters.virtualized++;
		own_image_forget();
	}
}

/* What is the CPU's: the layers that stand on the CPU's own have no order between them. */
static void enter(struct vcpu *v, u64 layers)
{
	if (layers & VL_LAYER_INTERRUPTS)
		interrupts_layer_enter(v);
	if (layers & VL_LAYER_IO)
		devices_trap(true);
	pci_owner_join();
	if (layers & VL_LAYER_CPU)
		enter_cpu(v);
	else
		vcpu_flush(v); /* the p2m, and pages of devices that trap now */
}

static s64 prepare(struct domain *d, struct cpu_block *b, u64 layers)
{
	s64 err = check(d, layers);
	const struct transition_step *step;
	u32 count;

	if (err < 0)
		return err;
	step = steps(d, layers, &count);
	if (!(layers & VL_LAYER_CPU))
		return transition_prepare(&b->vcpu, step, count);
	transition_take(b);
	b->vcpu.iopl3 = (layers & VL_DEBUG_IOPL3) != 0;
	err = transition_prepare(&b->vcpu, step, count);
	if (err < 0)
		transition_give(b);
	return err;
}

static void undo(struct domain *d, struct cpu_block *b, u64 layers)
{
	u32 count;
	const struct transition_step *step = steps(d, layers, &count);

	transition_undo(&b->vcpu, step, count);
	if (layers & VL_LAYER_CPU)
		transition_give(b);
}

/* All are ready: the point of no return. */
static void commit(struct domain *d, struct vcpu *v, u64 layers)
{
	bool joins = (layers & VL_LAYER_CPU) && d->mode == VL_MODE_VIRTUALIZED;

	if (layers & VL_DEBUG_IOPL3)
		layers &= ~(u64)VL_LAYER_INTERRUPTS; /* they stay the guest's */
	if (joins)
		layers = d->layers;
	together_wait(); /* nobody asks for the mode any more */
	if (together_is_first() && !joins)
		transition_enter_domain(d, layers);
	together_wait();
	enter(v, layers);
}

s64 call_virtualize(struct domain *d, u64 layers, u64 cpus)
{
	struct cpu_block *own = this_block();
	u64 start = rdtsc();
	s64 err, mine;
	bool joins;

	if (cpus > cpu_count())
		return -VL_EINVAL;
	err = together_begin(VL_CALL_VIRTUALIZE, layers, cpus);
	if (err < 0)
		return err;
	/* One alone, or nobody does: it would wait for the other here. */
	joins = current_vcpu() == NULL && d->mode == VL_MODE_VIRTUALIZED && together_count() == 1;
	if (joins)
		remote_begin_alone(NULL);
	mine = prepare(d, own, layers);
	err = together_agree(mine);
	if (err == 0)
		commit(d, &own->vcpu, layers);
	else if (mine == 0)
		undo(d, own, layers);
	if (joins)
		remote_end_alone(NULL);
	if (err == 0 && together_is_first())
		d->counters.virtualize_cycles = rdtsc() - start;
	together_end();
	return err;
}
