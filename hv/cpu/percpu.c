// SPDX-License-Identifier: MIT
/*
 * The CPUs: which there are, what belongs to each, and the ring of recent events
 * in each. In passthrough a CPU is the guest's, and Vellum knows those that the
 * guest has told of.
 */
#include "cpu/block.h"

#include "cpu/descriptors.h"
#include "cpu/segments.h"
#include "lib/string.h"
#include "mem/frames.h"
#include "mem/own_tables.h"
#include "public/errno.h"

union cpu_stack boot_cpu __attribute__((aligned(STACK_SIZE)));

static struct cpu *cpus[VL_MAX_CPUS];
static u32 nr_cpus;

/* By initial APIC id, where a hypercall in passthrough finds its stack; 0: not known. */
extern u64 cpu_stack_tops[NR_APIC_IDS + 1];
u64 cpu_stack_tops[NR_APIC_IDS + 1];

struct cpu *cpu_by_index(u32 index)
{
	return index < nr_cpus ? cpus[index] : NULL;
}

u32 cpu_count(void)
{
	return nr_cpus;
}

u32 own_apic_id(void)
{
	return cpuid(1, 0).ebx >> 24;
}

static bool alloc_block(struct cpu_block **out, u64 *image_slot)
{
	u64 frames = round_up(sizeof(struct cpu_block), PAGE_SIZE) >> PAGE_SHIFT;
	mfn_t mfn;

	if (!frame_alloc_aligned(frames, STACK_SIZE >> PAGE_SHIFT, &mfn))
		return false;
	*out = direct(mfn_to_ma(mfn));
	memset(*out, 0, sizeof(**out));
	if (own_window(mfn_to_ma(mfn), frames << PAGE_SHIFT, image_slot))
		return true;
	while (frames-- > 0)
		frame_free((mfn_t){mfn.v + frames});
	return false;
}

s64 cpu_add(u32 apic_id)
{
	struct cpu_block *b;
	struct cpu *cpu;
	u64 image_slot;

	if (cpu_stack_tops[apic_id] != 0)
		return 0;
	if (nr_cpus == VL_MAX_CPUS)
		return -VL_ENOSPC;
	if (!alloc_block(&b, &image_slot))
		return -VL_ENOMEM;
	cpu = &b->stack.cpu;
	cpu->index = nr_cpus;
	cpu->apic_id = apic_id;
	cpu->image_slot = image_slot;
	cpu->stack_top = (u64)cpu + STACK_SIZE;
	descriptors_fill(cpu);
	segments_init(b);
	cpus[nr_cpus++] = cpu;
	cpu_stack_tops[apic_id] = cpu->stack_top;
	return 0;
}

void event_note(enum event_kind kind, u64 a, u64 b)
{
	struct cpu *cpu = this_cpu();
	struct event *event = &cpu->event[cpu->next_event++ % NR_EVENTS];

	*event = (struct event){.tsc = rdtsc(), .kind = kind, .a = a, .b = b};
}
