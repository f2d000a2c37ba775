// SPDX-License-Identifier: MIT
/*
 * The other CPUs. Each has a stack, a GDT and TSS, and shares all else; a
 * mailbox says what it is to run. Which CPU runs something is told by its stack:
 * GS belongs to the tests.
 */
#include "mini/smp.h"

#include "lib/print.h"
#include "lib/string.h"
#include "mini/apic.h"
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/layout.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/role.h"
#include "mini/segments.h"
#include "mini/tap.h"
#include "mini/timer.h"
#include "mini/traps.h"
#include "mini/virtual.h"

#define ICR_INIT       0x4500u
#define ICR_STARTUP    0x4600u
#define ICR_ALL_OTHERS 0xc0000u
#define ARRIVAL_MS     10000
#define AP_IST_SIZE    2048
#define START_TRIES    20
#define START_MS       500

struct ap {
	void (*volatile fn)(void *);
	void *volatile arg;
	volatile bool ready, failed;
	u32 apic_id;
	s64 first_answer;
	void *catcher;
	u64 gdt[SEGMENTS_NR_GDT];
	char tss[SEGMENTS_TSS_SIZE];
	char ist_stack[SEGMENTS_NR_IST][AP_IST_SIZE] __attribute__((aligned(16)));
	struct vl_vcpu_info info __attribute__((aligned(64)));
};

/* [0] is the CPU that was there first. */
static struct ap aps[SMP_MAX_CPUS];
static u32 count = 1;
static u64 cr4;

extern const char ap_trampoline[], ap_trampoline_end[], ap_enter[];
extern char boot_root[];
char ap_stacks[SMP_MAX_CPUS][AP_STACK_SIZE] __attribute__((aligned(16)));
extern volatile u32 ap_arrived;
volatile u32 ap_arrived = 1;
void ap_main(u32 number);

/* ap_stacks[i] grows down from the begin of ap_stacks[i + 1]'s: number 1 is in [0]. The stacks for
 * NMIs and the like are in aps[]. */
static u32 index_of(u64 on_stack)
{
	u64 offset = on_stack - (u64)ap_stacks, own = on_stack - (u64)aps;

	if (own < sizeof(aps))
		return (u32)(own / sizeof(aps[0]));
	return offset < sizeof(ap_stacks) ? (u32)(offset / AP_STACK_SIZE) + 1 : 0;
}

u32 smp_index(void)
{
	return index_of((u64)__builtin_frame_address(0));
}

void **smp_catcher(const void *on_stack)
{
	return &aps[index_of((u64)on_stack)].catcher;
}

void smp_delay(u32 ms)
{
	u64 end = rdtsc() + ms * tsc_per_ms();

	while (rdtsc() < end)
		smp_relax();
}

u32 smp_count(void)
{
	return count;
}

s64 smp_first_answer(u32 cpu)
{
	return aps[cpu].first_answer;
}

volatile struct vl_vcpu_info *smp_vcpu_info(u32 cpu)
{
	return &aps[cpu].info;
}

void smp_load_gdt(u16 limit)
{
	struct ap *ap = &aps[smp_index()];
	struct table_register gdtr = {limit != 0 ? limit : (u16)(sizeof(ap->gdt) - 1),
				      (u64)ap->gdt};

	asm volatile("lgdt %0" ::"m"(gdtr) : "memory");
}

/* --- on the CPU itself --- */

static void run_mail(struct ap *ap)
{
	struct trap_info info;

	if (trap_catch(ap->fn, ap->arg, &info))
		ap->failed = true;
	if (ap->failed && info.vector < NR_VECTORS)
		print("# CPU %u: %s at %#lx, cr2 %#lx\n", smp_index(), trap_name(info.vector),
		      info.rip, info.cr2);
	ap->fn = NULL;
}

void ap_main(u32 number)
{
	struct ap *ap = &aps[number];

	segments_init_ap(ap->gdt, ap->tss, ap->ist_stack[0], AP_IST_SIZE);
	traps_load();
	write_cr4(cr4);
	apic_enable_too();
	/* CPUID tells of the CPU that a vcpu happens to be on. */
	ap->apic_id = is_later_guest() ? number : cpuid(1).ebx >> 24;
	ap->first_answer = vl_call_version(hypercall_page);
	ap->ready = true;
	for (;;) {
		while (ap->fn == NULL)
			smp_relax();
		run_mail(ap);
	}
}

/* --- from the others --- */

static void send(u32 cpu, u32 what)
{
	apic_send(cpu != 0 ? aps[cpu].apic_id : 0, cpu != 0 ? what : what | ICR_ALL_OTHERS);
}

static void start_up(u32 cpu)
{
	send(cpu, ICR_INIT);
	smp_delay(10);
	send(cpu, ICR_STARTUP | AP_TRAMPOLINE / PAGE_SIZE);
}

static void make_known(u32 cpu)
{
	s64 answer;

	while (!aps[cpu].ready)
		smp_relax();
	answer = vl_call_add_cpu(hypercall_page, aps[cpu].apic_id);
	CHECK(answer == 0, "add_cpu(%u) answered %ld", aps[cpu].apic_id, answer);
}

static void tell_info(void *arg)
{
	s64 answer = vl_call_set_vcpu_info(hypercall_page, ptr_to_pa(&aps[smp_index()].info).v, 0);

	(void)arg;
	CHECK(answer == 0, "set_vcpu_info answered %ld", answer);
}

/* low=1: that page is nobody's, though our memory map does not have it (an heir's). */
static u8 *trampoline_page(void)
{
	char one[2];

	if (memory_is_ram(AP_TRAMPOLINE, PAGE_SIZE))
		return pa_to_ptr((pa_t){AP_TRAMPOLINE});
	CHECK(cmdline_get("low", one, sizeof(one)), "no memory below 1 MiB");
	return (u8 *)(uintptr_t)mmio_map((pa_t){AP_TRAMPOLINE}, PAGE_SIZE);
}

static void start_by_sipi(u32 wanted)
{
	u8 *page = trampoline_page();

	memcpy(page, ap_trampoline, (size_t)(ap_trampoline_end - ap_trampoline));
	*(u64 *)(page + AP_ROOT_OFFSET) = ptr_to_pa(boot_root).v;
	*(u64 *)(page + AP_EFER_OFFSET) = read_msr(MSR_EFER) & ~(u64)EFER_LMA;
	start_up(0);
	for (u32 ms = 0; ap_arrived < wanted && ms < ARRIVAL_MS; ms++)
		smp_delay(1);
	CHECK(ap_arrived == wanted, "%u CPUs have come", ap_arrived);
	for (u32 cpu = 1; cpu < wanted; cpu++)
		make_known(cpu);
}

s64 smp_start_vcpu(u64 domid, u32 vcpu)
{
	static struct vl_vcpu_start start __attribute__((aligned(64)));
	u16 limit;
	u64 gdt = (u64)segments_gdt(&limit);

	start = (struct vl_vcpu_start){.rip = (u64)ap_enter,
				       .rdi = vcpu,
				       .cr3 = kernel_space.root.v,
				       .gdt_base = gdt,
				       .gdt_limit = limit};
	return vl_call_vcpu_start(hypercall_page, domid, vcpu, ptr_to_pa(&start).v, sizeof(start));
}

static void start_by_call(u32 wanted)
{
	for (u32 cpu = 1; cpu < wanted; cpu++) {
		s64 answer = smp_start_vcpu(VL_DOMID_SELF, cpu);

		CHECK(answer == 0, "vcpu_start(%u) answered %ld", cpu, answer);
	}
	for (u32 cpu = 1; cpu < wanted; cpu++)
		while (!aps[cpu].ready)
			smp_relax();
}

u32 smp_start(void)
{
	return smp_start_so_many("cpus");
}

u32 smp_start_so_many(const char *word)
{
	u64 wanted;

	if (count > 1)
		return count;
	CHECK(cmdline_get_hex(word, &wanted) && wanted > 0 && wanted <= SMP_MAX_CPUS,
	      "the command line does not say how many CPUs there are");
	if (wanted == 1)
		return 1;
	CHECK(apic_enable(), "no local APIC");
	cr4 = read_cr4();
	if (is_later_guest())
		start_by_call((u32)wanted);
	else
		start_by_sipi((u32)wanted);
	count = (u32)wanted;
	for (u32 cpu = 1; cpu < count; cpu++)
		smp_run(cpu, tell_info, NULL);
	return count;
}

static void halt_for_good(void *arg)
{
	*(volatile bool *)arg = true;
	for (;;)
		asm volatile("cli; hlt" ::: "memory");
}

void smp_put_offline(u32 cpu)
{
	volatile bool halts = false;

	smp_begin(cpu, halt_for_good, (void *)(uintptr_t)&halts);
	while (!halts)
		smp_relax();
}

void smp_leave(void)
{
	for (u32 cpu = 1; cpu < count; cpu++) {
		smp_put_offline(cpu);
		aps[cpu].ready = false;
		aps[cpu].fn = NULL;
	}
	count = ap_arrived = 1;
}

void smp_init(u32 cpu)
{
	send(cpu, ICR_INIT);
}

void smp_restart(u32 cpu)
{
	aps[cpu].ready = false;
	aps[cpu].fn = NULL;
	ap_arrived = cpu; /* the number that it takes */
	/* Vellum refuses INIT to a CPU that has not come to its HLT yet. */
	for (u32 tries = 0; tries < START_TRIES && !aps[cpu].ready; tries++) {
		start_up(cpu);
		for (u32 ms = 0; ms < START_MS && !aps[cpu].ready; ms++)
			smp_delay(1);
	}
	CHECK(aps[cpu].ready, "CPU %u does not come back", cpu);
	ap_arrived = count;
}

void smp_begin(u32 cpu, void (*fn)(void *), void *arg)
{
	aps[cpu].failed = false;
	aps[cpu].arg = arg;
	asm volatile("" ::: "memory");
	aps[cpu].fn = fn;
}

void smp_wait(u32 cpu)
{
	while (aps[cpu].fn != NULL)
		smp_relax();
	if (aps[cpu].failed)
		test_fail_as_said(); /* on CPU `cpu` */
}

void smp_run(u32 cpu, void (*fn)(void *), void *arg)
{
	smp_begin(cpu, fn, arg);
	smp_wait(cpu);
}

void smp_run_first(u32 how_many, void (*fn)(void *), void *arg)
{
	for (u32 cpu = 1; cpu < how_many; cpu++)
		smp_begin(cpu, fn, arg);
	fn(arg);
	for (u32 cpu = 1; cpu < how_many; cpu++)
		smp_wait(cpu);
}

void smp_run_all(void (*fn)(void *), void *arg)
{
	smp_run_first(count, fn, arg);
}

bool smp_next_round(struct smp_rounds *r)
{
	if (r->done == 0)
		r->start = rdtsc();
	if (r->done >= r->rounds ||
	    (r->done >= r->least && rdtsc() - r->start > r->ms * tsc_per_ms())) {
		if (r->done < r->rounds && smp_index() == 0) /* the console is for one */
			print("# %lu rounds of %lu, for time\n", r->done, r->rounds);
		return false;
	}
	r->done++;
	return true;
}

static void let_interrupts_in(void *arg)
{
	(void)arg;
	interrupts_on();
	/* The processor takes none right after STI; QEMU's none behind a PAUSE that follows it. */
	asm volatile("nop; nop");
	interrupts_off();
}

void smp_let_interrupts_in(u32 how_many)
{
	smp_run_first(how_many, let_interrupts_in, NULL);
}

#define VECTOR_ROUSE 0x59
#define SVR_ON       0x1ffu

static volatile bool resting;

static void note_rouse(const struct trap_frame *frame)
{
	(void)frame;
	apic_write(APIC_EOI, 0);
}

static void rest(void *arg)
{
	(void)arg;
	apic_write(APIC_SVR, SVR_ON);
	while (resting) {
		interrupts_on_and_halt();
		interrupts_off();
	}
}

void smp_rest_others(void)
{
	trap_set_handler(VECTOR_ROUSE, note_rouse);
	resting = true;
	for (u32 cpu = 1; cpu < count; cpu++)
		smp_begin(cpu, rest, NULL);
}

void smp_rouse_others(void)
{
	resting = false;
	for (u32 cpu = 1; cpu < count; cpu++) {
		apic_send(aps[cpu].apic_id, VECTOR_ROUSE);
		smp_wait(cpu);
	}
}

struct change {
	bool in;
	s64 answer[SMP_MAX_CPUS];
};

static void change_one(void *arg)
{
	struct change *c = arg;

	c->answer[smp_index()] = c->in ? vl_call_virtualize(hypercall_page, VL_LAYER_ALL, count)
				       : vl_call_devirtualize(hypercall_page, VL_LAYER_ALL, count);
}

s64 smp_change_all(bool in)
{
	struct change c = {.in = in};

	for (u32 tries = 0; tries < SMP_TRIES; tries++) {
		s64 left = in ? verify_image() : 0;

		if (left < 0)
			return left;
		smp_run_all(change_one, &c);
		if (c.answer[0] == -VL_EAGAIN)
			smp_let_interrupts_in(count);
		else if (c.answer[0] != -VL_ETIMEDOUT)
			break;
	}
	return c.answer[0];
}
