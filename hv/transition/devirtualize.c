// SPDX-License-Identifier: MIT
/*
 * Devirtualize: the reverse of virtualize.c. The guest's own root, tables,
 * registers and ring come back in a fixed order; the shadow was a cache and is
 * thrown away later, a few tables with each hypercall.
 *
 *  1. together: all CPUs that run virtualized have come
 *  2. prepare: the guest has to take what waits for it; nobody is in the middle of a device's
 *              access; Vellum's timer stops; pages that are away are copied home, where nobody
 *              reads them yet
 *  3. agree:   each CPU is ready, or all undo what they have done
 *  4. commit:  the point of no return; nothing fails from here on
 *
 * CPUs that are parked (offline) do not come: they stay where they are, without a vcpu.
 *
 * A guest that has got the machine (handover.c) comes home first, with calls that say that there
 * are more to make (home.c).
 */
#include "cpu/block.h"
#include "cpu/devices.h"
#include "cpu/pci_owner.h"
#include "cpu/remote.h"
#include "cpu/sched.h"
#include "domain/domain.h"
#include "mem/frames.h"
#include "mem/own_tables.h"
#include "mem/pagetable.h"
#include "p2m/memory.h"
#include "p2m/mover.h"
#include "public/calls.h"
#include "public/errno.h"
#include "shadow/audit.h"
#include "transition/home.h"
#include "transition/interrupts.h"
#include "transition/own_image.h"
#include "transition/parked.h"
#include "transition/steps.h"
#include "transition/tidy.h"
#include "transition/together.h"
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
	/* What the others stand on: they have pages of this one's, and run where it would be bare.
	 * That of I/O is the first guest's own affair. */
	if ((layers & VL_LAYER_ALL) && domain_count() > 1)
		return -VL_EBUSY;
	/* It would find its functions again, with Vellum's driver at work, and its virtio devices
	 * no more. */
	if ((layers & VL_LAYER_ALL) && (pci_owner_has_any() || d->nr_devices != 0))
		return -VL_EBUSY;
	if ((layers & VL_LAYER_CPU) && layers != d->layers)
		return -VL_EBUSY;
	if ((layers & VL_LAYER_INTERRUPTS) && (d->layers & ~layers & VL_LAYER_IO))
		return -VL_EBUSY;
	/* Its timer makes pages move while the guest runs. */
	if ((layers & VL_LAYER_INTERRUPTS) && !(layers & VL_LAYER_MEMORY) && home_is_ahead(d))
		return -VL_EBUSY;
	return 0;
}

static s64 check(const struct domain *d, struct vcpu *v, u64 layers)
{
	s64 err = check_layers(d, layers);

	if (err < 0 || !(layers & VL_LAYER_CPU))
		return err;
	if (interrupts_layer_waits(v) || v->nmi_pending)
		return -VL_EAGAIN;
	if (domain_buffer(d, (pa_t){v->cr3 & PTE_ADDR}, PAGE_SIZE) == NULL)
		return -VL_EFAULT;
	return segments_can_leave(v) ? 0 : -VL_EFAULT;
}

static s64 make_devices(struct vcpu *v)
{
	(void)v;
	return devices_can_leave() ? 0 : -VL_EAGAIN;
}

static s64 make_quiet(struct vcpu *v)
{
	return interrupts_layer_prepare_leave(v) ? 0 : -VL_EAGAIN;
}

/* Once: all CPUs are in Vellum, so that nobody writes to the pages. */
static s64 make_copies(struct vcpu *v)
{
	if (together_is_first())
		p2m_copy_home(&v->domain->p2m, (struct range){0, PORTIONS_END});
	return 0;
}

static const struct {
	u32 layer;
	struct transition_step step;
} all_steps[] = {
	{VL_LAYER_IO, {make_devices, NULL}},
	{VL_LAYER_INTERRUPTS, {make_quiet, interrupts_layer_stay}},
	{VL_LAYER_MEMORY, {make_copies, NULL}},
};

/* Those that these layers need; how many. */
static u32 choose_steps(u64 layers, struct transition_step *step)
{
	u32 count = 0;

	for (u32 i = 0; i < ARRAY_SIZE(all_steps); i++)
		if (layers & all_steps[i].layer)
			step[count++] = all_steps[i].step;
	return count;
}

static s64 prepare(struct domain *d, struct vcpu *v, u64 layers)
{
	struct transition_step step[ARRAY_SIZE(all_steps)];
	bool first = together_is_first();
	s64 err = check(d, v, layers);

	if (err == 0 && first)
		err = parked_hold(together_count());
	if (err < 0)
		return err;
	err = transition_prepare(v, step, choose_steps(layers, step));
	if (err < 0 && first)
		parked_let_go();
	return err;
}

static void undo(struct vcpu *v, u64 layers)
{
	struct transition_step step[ARRAY_SIZE(all_steps)];

	transition_undo(v, step, choose_steps(layers, step));
	if (together_is_first())
		parked_let_go();
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

	own_slots_enter((ma_t){v->cr3 & PTE_ADDR});
	write_cr3(v->cr3 & PTE_ADDR);
	write_cr2(v->cr2);
	write_cr0(v->cr0);
	write_cr4(v->cr4 ^ CR4_PGE);
	write_cr3(v->cr3);
	write_cr4(v->cr4);
	wrmsr(MSR_EFER, v->efer);
	/* NMIs are noted for vcpu_exit() from here on, and with those that came since check(). */
	cpu->in_hypercall = true;
	cpu->nmi_pending = v->nmi_pending;
	cpu->guest_idt = v->idt;
	segments_load_guest(v);
	restore_data_segments(v);
	f->cs = f->cs & ~3u;
	remote_leave(v);
	cpu->vcpu = NULL;
}

/* What is the domain's; by one CPU, while the others wait. */
static void leave_domain(struct domain *d, u64 layers)
{
	if (layers & VL_LAYER_IO)
		devices_leave();
	if (layers & VL_LAYER_MEMORY)
		leave_memory(d);
	d->layers &= ~(u32)layers;
	if (!(layers & VL_LAYER_CPU)) {
		parked_let_go();
		return;
	}
	for (u32 i = 0; i < cpu_count(); i++) {
		const struct vcpu *v = cpu_by_index(i)->vcpu;

		if (v == NULL || cpu_by_index(i)->run != CPU_RUNS)
			continue;
		vcpu_count(v, &d->counters);
		vcpu_report(v);
	}
	parked_leave(d);
	d->mode = VL_MODE_PASSTHROUGH;
	d->counters.devirtualized++;
	own_image_forget();
}

/* What is the CPU's. The shadow waits for transition_tidy(): a full load's takes longer to free
 * than the rest of the transition. */
static void leave(struct vcpu *v, u64 layers)
{
	if (layers & VL_LAYER_IO)
		devices_trap(false);
	if (layers & VL_LAYER_INTERRUPTS) {
		interrupts_layer_leave(v);
		sched_timer_gone();
	}
	if (!(layers & VL_LAYER_CPU)) {
		vcpu_flush(v); /* the p2m, and pages of devices that trap no longer */
		return;
	}
	leave_cpu(v, this_cpu());
	if (v->stack16.v != 0)
		frame_free(ma_to_mfn(v->stack16));
	v->stack16.v = 0;
	transition_give(this_block());
}

/* All are ready: the point of no return. */
static void commit(struct domain *d, struct vcpu *v, u64 layers)
{
	if (layers & VL_LAYER_CPU)
		audit_some(&v->shadow, AUDIT_EVERY);
	together_wait(); /* nobody asks for the layers any more, nor anything of this vcpu */
	if (layers & VL_LAYER_CPU)
		remote_settle(v);
	if (together_is_first())
		leave_domain(d, layers);
	together_wait();
	leave(v, layers);
}

static bool comes_home(const struct domain *d, u64 layers)
{
	return home_is_ahead(d) && (layers & VL_LAYER_MEMORY) && check_layers(d, layers) == 0;
}

s64 call_devirtualize(struct domain *d, u64 layers, u64 cpus)
{
	struct vcpu *v = current_vcpu();
	u64 start = rdtsc(), meant = layers_meant(d, layers);
	s64 err, mine;

	if (v == NULL || cpus > cpu_count())
		return -VL_EINVAL;
	if (comes_home(d, meant))
		return home_come(v);
	err = together_begin(VL_CALL_DEVIRTUALIZE, layers, cpus);
	if (err < 0)
		return err;
	meant = layers_meant(d, layers);
	mine = prepare(d, v, meant);
	err = together_agree(mine);
	if (err == 0)
		commit(d, v, meant);
	else if (mine == 0)
		undo(v, meant);
	if (err == 0 && together_is_first())
		d->counters.devirtualize_cycles = rdtsc() - start;
	together_end();
	return err;
}
