// SPDX-License-Identifier: MIT
/*
 * Hypercall dispatch. The table comes from hypercalls.def. Nothing here trusts
 * the caller: the number is bounded, and each handler checks its arguments.
 */
#include "hypercall/hypercall.h"

#include "cpu/descriptors.h"
#include "cpu/percpu.h"
#include "cpu/vcpu.h"
#include "domain/domain.h"
#include "lib/string.h"
#include "mem/own_tables.h"
#include "public/errno.h"
#include "transition/tidy.h"
#include "hypercall_handlers.h"

/* Shadow tables that a call in passthrough frees: about 150 instructions each. */
#define TIDY_TABLES 16

enum who {
	WHO_ANY,
	WHO_FIRST,
};

struct call {
	s64 (*handler)(struct domain *d, const u64 *arg);
	enum who who;
};

#define HYPERCALL(number, name, nr_args, allowed)                                                  \
	[number] = {.handler = shim_##name, .who = (allowed)},
static const struct call calls[HYPERCALL_LIMIT] = {
#include "hypercall_table.inc"
};
#undef HYPERCALL

#define BREAKPOINT 0xcc /* where no code is */

extern const char hypercall_page[], hypercall_page_end[];
extern const char hypercall_entry[];

s64 hypercall_dispatch(struct domain *d, const struct trap_frame *frame)
{
	const u64 arg[5] = {frame->rsi, frame->rdx, frame->rcx, frame->r8, frame->r9};
	u64 nr = frame->rdi;
	const struct call *call = &calls[nr < HYPERCALL_LIMIT ? nr : 0];
	s64 result;

	this_cpu()->host->hypercalls++;
	if (current_vcpu() == NULL)
		transition_tidy(TIDY_TABLES);
	__atomic_fetch_add(&d->hypercalls, 1, __ATOMIC_RELAXED);
	if (nr >= HYPERCALL_LIMIT || call->handler == NULL)
		result = -VL_ENOSYS;
	else if (call->who == WHO_FIRST && d != domain_first())
		result = -VL_EPERM;
	else
		result = call->handler(d, arg);
	event_note(EVENT_HYPERCALL, nr, (u64)result);
	return result;
}

enum hypercall_way hypercall_enter(struct trap_frame *frame)
{
	struct cpu *cpu = this_cpu();
	struct table_register guest_idt;
	bool nmi;

	cpu->in_hypercall = true;
	descriptors_enter(cpu, (u16)frame->cs, &guest_idt);
	cpu->frame = frame;
	cpu->guest_idt = guest_idt;
	frame->rax = (u64)hypercall_dispatch(domain_first(), frame);
	if (cpu->vcpu != NULL) {
		cpu->in_hypercall = false;
		cpu->vcpu->nmi_pending |= cpu->nmi_pending;
		cpu->nmi_pending = false;
		return HYPERCALL_VIRTUALIZED;
	}
	/* Noted up to here: an NMI may come as long as Vellum's IDT is loaded. */
	descriptors_leave(&guest_idt);
	cpu->in_hypercall = false;
	nmi = cpu->nmi_pending;
	cpu->nmi_pending = false;
	return nmi ? HYPERCALL_NMI : HYPERCALL_PASSTHROUGH;
}

void hypercall_page_fill(void *page)
{
	struct vl_hypercall_data *data = (void *)((u8 *)page + VL_HYPERCALL_DATA_OFFSET);

	memset(page, BREAKPOINT, VL_HYPERCALL_DATA_OFFSET);
	memcpy(page, hypercall_page, (size_t)(hypercall_page_end - hypercall_page));
	memset(data, 0, VL_HYPERCALL_PAGE_SIZE - VL_HYPERCALL_DATA_OFFSET);
	data->entry = (u64)hypercall_entry;
	data->nr_slots = own_slots(data->slot);
}
