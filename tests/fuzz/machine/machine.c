// SPDX-License-Identifier: MIT
/*
 * What the hypercalls of a fuzzer find below and beside them. The parts of
 * Vellum that are no functions of memory alone (CPU, transitions, image) are
 * replaced here; all others are the real ones.
 */
#include "tests/fuzz/machine/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/damage.h"

#include "cpu/apic.h"
#include "cpu/block.h"
#include "cpu/descriptors.h"
#include "cpu/domain_platform.h"
#include "cpu/fast.h"
#include "cpu/ports.h"
#include "cpu/remote.h"
#include "cpu/sched.h"
#include "hypercall/hypercall.h"
#include "lib/panic.h"
#include "mem/frames.h"
#include "mem/machine.h"
#include "mem/own_tables.h"
#include "mem/pagetable.h"
#include "p2m/memory.h"
#include "p2m/mover.h"
#include "public/errno.h"
#include "shadow/audit.h"
#include "shadow/tables.h"
#include "transition/home.h"
#include "transition/tidy.h"
#include "hypercall_handlers.h"

u8 machine[MACHINE_SIZE] __attribute__((aligned(2 * MIB)));
union cpu_stack boot_cpu;

static struct vcpu vcpu, later_vcpu; /* the second of whichever later domain calls */
static struct vcpu *current;
static struct table_pool pool = TABLE_POOL_EMPTY;
static struct lapic_access lapic;
static u64 cr3, free_at_start;

/* --- memory --- */

void *direct(ma_t ma)
{
	must(ma.v < MACHINE_SIZE);
	return machine + ma.v;
}

static void add(struct memmap *map, struct range r)
{
	map->range[map->count++] = (struct vl_memory_range){
		.start = r.start, .size = range_size(r), .type = VL_MEMORY_RAM};
}

u8 *machine_page(const struct domain *d, u64 pa)
{
	mfn_t mfn = {pa >> PAGE_SHIFT};

	if (d->layers & VL_LAYER_MEMORY)
		mfn = p2m_lookup(&d->p2m, (pfn_t){pa >> PAGE_SHIFT});
	return mfn.v != P2M_NOTHING ? direct(mfn_to_ma(mfn)) : NULL;
}

u64 machine_free(void)
{
	return (frames_free_count() + pool.spare + domain_frames_spare()) << PAGE_SHIFT;
}

void machine_boot(void)
{
	struct failure f;

	boot_cpu.cpu.host = &boot_cpu.cpu;
	frames_init(PARTITION);
	must(tables_init(&f) == 0);
	p2m_memory_init();
	domain_init();
	add(machine_map(), FIRST_RAM);
	add(machine_map(), FIRST_MORE);
	add(machine_map(), OTHER_RAM);
	add(machine_map(), PARTITION);
	free_at_start = machine_free();
}

void machine_start(void)
{
	struct domain *first = domain_first();

	must(domain_count() == 1);
	memset(first, 0, sizeof(*first));
	domain_init();
	add(&first->memory, FIRST_RAM);
	add(&first->memory, FIRST_MORE);
	first->main_ram = (struct range_pair){.at = {FIRST_RAM}};
	domain_p2m_changed(first);
	events_begin(first, first_domain_upcall);
}

void machine_stop(void)
{
	machine_devirtualize();
	must(machine_free() == free_at_start);
}

/* --- the two modes --- */

static void begin_vcpu(struct vcpu *v, struct domain *d, u64 root)
{
	struct failure f;

	memset(v, 0, sizeof(*v));
	v->domain = d;
	v->info = &d->info[0];
	v->cr3 = root;
	v->lapic.access = &lapic;
	pool.limit = tables_share(2);
	must(shadow_init(&v->shadow,
			 &(struct shadow_config){.options = VL_SHADOW_ALL, .pool = &pool},
			 &f) == 0);
	shadow_begin(&v->shadow, v->cr3, 0);
	remote_enter(v);
	current = v;
	write_cr3(shadow_top(&v->shadow, vcpu_view(v)).v);
}

void machine_virtualize(u32 layers)
{
	struct domain *d = domain_first();

	if (d->mode == VL_MODE_VIRTUALIZED)
		return;
	if (layers & VL_LAYER_MEMORY)
		p2m_init(&d->p2m, &p2m_frames);
	d->layers = layers;
	d->mode = VL_MODE_VIRTUALIZED;
	begin_vcpu(&vcpu, d, FIRST_RAM.start);
}

/* The first guest's vcpu sleeps meanwhile. */
s64 machine_call(struct domain *d, const struct trap_frame *frame)
{
	u64 first_cr3 = cr3;
	s64 answer;

	if (d == domain_first())
		return hypercall_dispatch(d, frame);
	remote_halt(&vcpu.remote);
	begin_vcpu(&later_vcpu, d, d->main_ram.at[0].start);
	answer = hypercall_dispatch(d, frame);
	remote_leave(&later_vcpu);
	current = &vcpu;
	write_cr3(first_cr3);
	must(shadow_destroy(&later_vcpu.shadow, NO_BUDGET));
	remote_wake(&vcpu.remote);
	if (remote_waits(&vcpu.remote))
		remote_serve(&vcpu);
	return answer;
}

static void destroy_others(void)
{
	const struct domain *d;

	while ((d = domain_next(1)) != NULL)
		must(call_domain_destroy(domain_first(), d->domid) >= 0);
}

void machine_devirtualize(void)
{
	struct domain *d = domain_first();

	if (d->mode != VL_MODE_VIRTUALIZED)
		return;
	destroy_others();
	if (d->layers & VL_LAYER_MEMORY) {
		p2m_copy_home(&d->p2m, (struct range){0, PORTIONS_END});
		p2m_leave(&d->p2m);
	}
	d->layers = 0;
	d->mode = VL_MODE_PASSTHROUGH;
	remote_leave(&vcpu);
	domain_p2m_changed(d);
	must(shadow_destroy(&vcpu.shadow, NO_BUDGET));
}

void machine_touch(u64 va, pa_t page, bool user, bool global)
{
	struct domain *d = domain_first();
	struct shadow_p2m p2m = {.translate = d->layers & VL_LAYER_MEMORY ? p2m_translate
									  : p2m_translate_unmapped,
				 .context = &d->p2m,
				 .plain = &d->plain};
	struct paging_mode mode = {.wp = true, .pge = true};
	struct translation t = {.page = page, .level = 1};

	t.rights = PTE_W | PTE_D | (user ? PTE_U : 0) | (global ? PTE_G : 0);
	if (d->mode == VL_MODE_VIRTUALIZED && is_canonical(va) && !is_own_va(va))
		shadow_fill(&vcpu.shadow, user ? SHADOW_USER : SHADOW_KERNEL, &mode, &p2m, va, &t);
}

/* --- the CPU --- */

struct vcpu *current_vcpu(void)
{
	return domain_first()->mode == VL_MODE_VIRTUALIZED ? current : NULL;
}

u32 cpu_count(void)
{
	return 1;
}

struct cpu *cpu_by_index(u32 index)
{
	must(index == 0);
	return &boot_cpu.cpu;
}

u64 cpus_hypercalls(void)
{
	return boot_cpu.cpu.hypercalls;
}

void vcpus_count(const struct domain *d, struct vl_domain_counters *to)
{
	if (remote_vcpu(d, 0) != NULL)
		vcpu_count(remote_vcpu(d, 0), to);
}

/* The one CPU has its vcpu and pool here, not in a block. */
u64 shadow_tables_used(const struct domain *d)
{
	(void)d;
	return pool.used;
}

u64 shadow_tables_spare(void)
{
	return pool.spare;
}

u64 read_cr3(void)
{
	return cr3;
}

/* A root that the processor may walk: a frame of the partition. */
void write_cr3(u64 value)
{
	must(value % PAGE_SIZE == 0 &&
	     range_contains(PARTITION, (struct range){value, value + PAGE_SIZE}));
	cr3 = value;
}

void invlpg(u64 va)
{
	(void)va;
}

enum shadow_view vcpu_view(const struct vcpu *v)
{
	return v->cpl == 3 ? SHADOW_USER : SHADOW_KERNEL;
}

void vcpu_update_mode(struct vcpu *v)
{
	(void)v;
}

void vcpu_crash(struct vcpu *v, const char *reason)
{
	(void)v, (void)reason;
	abort();
}

void access_forget(struct vcpu *v, u64 va)
{
	(void)v, (void)va;
}

void access_forget_all(struct vcpu *v)
{
	(void)v;
}

bool segments_mirror(struct vcpu *v)
{
	return v != NULL;
}

void fast_roots(struct vcpu *v)
{
	(void)v;
}

void fast_disarm(struct cpu *cpu)
{
	(void)cpu;
}

void fast_update(struct vcpu *v)
{
	(void)v;
}

void event_note(enum event_kind kind, u64 a, u64 b)
{
	(void)kind, (void)a, (void)b;
}

u32 cpu_page_levels(void)
{
	return 2;
}

/* --- the local APIC, and other domains' clocks --- */

void apic_send_like(struct vcpu *v, u32 destination, u32 entry)
{
	(void)v;
	must(destination == 0 && entry >= 32 && entry <= 0xff);
}

void domain_clocks_start(struct platform *p, u32 nr_cpus)
{
	const struct platform_kind kind = {
		.pit = clock_of(1, 1000), .rtc = clock_of(1, 30000), .bus = clock_of(1, 16)};

	platform_init(p, &kind, nr_cpus, 0, 0);
}

u32 domain_clocks_tsc_khz(void)
{
	return 1000000;
}

u32 domain_clocks_lapic_khz(void)
{
	return 62500;
}

/* --- Vellum's image, and calls that are not fuzzed here --- */

const char hypercall_page[1], hypercall_page_end[1], hypercall_entry[1];

u64 own_text_size(void)
{
	return PAGE_SIZE;
}

u32 own_slots(u64 slot[VL_MAX_SLOTS])
{
	slot[0] = 0;
	return 1;
}

const u64 *own_slots_in_use(u32 *used)
{
	static const u64 slot[1];

	*used = 1;
	return slot;
}

void descriptors_enter(struct cpu *cpu, u16 cs, struct table_register *guest_idt)
{
	(void)cpu, (void)cs, (void)guest_idt;
}

void descriptors_leave(const struct table_register *guest_idt)
{
	(void)guest_idt;
}

void transition_tidy(u64 tables)
{
	tables_give_back(&pool, tables);
}

s64 call_virtualize(struct domain *d, u64 layers, u64 cpus)
{
	(void)d, (void)layers, (void)cpus;
	return -VL_ENOSYS;
}

s64 call_devirtualize(struct domain *d, u64 layers, u64 cpus)
{
	(void)d, (void)layers, (void)cpus;
	return -VL_ENOSYS;
}

/* Nobody is given the machine. */
const struct port_access machine_ports;

void ports_begin(struct vcpu *v, const struct pic *model, u32 owed)
{
	(void)v, (void)model, (void)owed;
	abort();
}

void apic_begin(struct vcpu *v, struct lapic *model)
{
	(void)v, (void)model;
	abort();
}

s64 call_home(struct domain *d, u64 how, pa_t info, u64 info_size)
{
	(void)d, (void)how, (void)info, (void)info_size;
	return -VL_ENOSYS;
}

s64 call_hand_over(struct domain *d, u64 domid, u64 how)
{
	(void)d, (void)domid, (void)how;
	return -VL_ENOSYS;
}

/* The one CPU; what belongs to another is never given back. */
s64 call_add_cpu(struct domain *d, u64 apic_id)
{
	(void)d;
	if (apic_id >= NR_APIC_IDS)
		return -VL_EINVAL;
	return apic_id == 0 ? 0 : -VL_ENOSPC;
}

s64 call_verify_image(struct domain *d)
{
	(void)d;
	return -VL_ENOSYS;
}

bool home_is_ahead(const struct domain *d)
{
	(void)d;
	return false;
}

s64 call_test_spoil_shadow(struct domain *d, u64 va, u64 how)
{
	(void)d, (void)va, (void)how;
	return -VL_ENOSYS;
}

/* The audit reads the guest's tables again, and here there are none. */
void audit_debug_note(const struct shadow *s, const struct paging_mode *mode,
		      const struct audit_claim *claim)
{
	(void)s, (void)mode, (void)claim;
}

void audit_debug_leaf(const struct shadow *s, enum shadow_view view, const struct paging_mode *mode,
		      const struct shadow_p2m *p2m, u64 va, const struct translation *t)
{
	(void)s, (void)view, (void)mode, (void)p2m, (void)va, (void)t;
}

void audit_debug_forget(const u64 *entry)
{
	(void)entry;
}

void audit_debug_forget_table(const u64 *table)
{
	(void)table;
}

void audit_debug_flush(const struct shadow *s, u32 scope, u32 tag)
{
	(void)s, (void)scope, (void)tag;
}

void audit_debug_gone(const struct shadow *s, u64 va)
{
	(void)s, (void)va;
}

void audit_debug_begin(void)
{
}

/* No function is ever there to be taken, so there are no ports or registers of one. */
u32 ports_machine_in(u16 port, u8 size)
{
	(void)port, (void)size;
	abort();
}

void ports_machine_out(u16 port, u8 size, u32 value)
{
	(void)port, (void)size, (void)value;
	abort();
}

/* A pin that is masked and one that is not, as it comes. */
volatile u32 *own_ioapic(void)
{
	static volatile u32 page[1024];

	return page;
}

volatile u32 *own_device(struct range ma)
{
	(void)ma;
	abort();
}

/* There is nobody to kick. */
void apic_send_nmi(struct vcpu *v, u32 apic_id)
{
	(void)v, (void)apic_id;
	abort();
}

void panic(const char *fmt, ...)
{
	fprintf(stderr, "panic: %s\n", fmt);
	abort();
}
