// SPDX-License-Identifier: MIT
/*
 * Hypercall dispatch. The table comes from hypercalls.def. Nothing here trusts
 * the caller: the number is bounded, and each handler checks its arguments.
 */
#include "hypercall/hypercall.h"

#include "cpu/descriptors.h"
#include "cpu/percpu.h"
#include "domain/domain.h"
#include "lib/string.h"
#include "mem/own_tables.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

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

extern const char hypercall_page[VL_HYPERCALL_PAGE_SIZE];
extern const char hypercall_entry[];

static s64 dispatch(struct domain *d, u64 nr, const u64 *arg)
{
	const struct call *call = &calls[nr < HYPERCALL_LIMIT ? nr : 0];

	if (nr >= HYPERCALL_LIMIT || call->handler == NULL)
		return -VL_ENOSYS;
	if (call->who == WHO_FIRST && d != domain_first())
		return -VL_EPERM;
	return call->handler(d, arg);
}

struct hypercall_result hypercall_enter(u64 nr, const u64 arg[5], u64 guest_cs)
{
	struct cpu *cpu = this_cpu();
	struct domain *d = domain_first(); /* only it can be in passthrough */
	struct table_register guest_idt;
	struct hypercall_result result;

	cpu->in_hypercall = true;
	descriptors_enter(cpu, (u16)guest_cs, &guest_idt);
	cpu->hypercalls++;
	d->hypercalls++;
	result.value = dispatch(d, nr, arg);
	event_note(EVENT_HYPERCALL, nr, (u64)result.value);
	descriptors_leave(&guest_idt);
	cpu->in_hypercall = false;
	result.nmi = cpu->nmi_pending;
	cpu->nmi_pending = false;
	return result;
}

void hypercall_page_fill(void *page)
{
	struct vl_hypercall_data *data = (void *)((u8 *)page + VL_HYPERCALL_DATA_OFFSET);

	memcpy(page, hypercall_page, VL_HYPERCALL_PAGE_SIZE);
	data->direct_map = 0;
	data->entry = (u64)hypercall_entry;
	data->nr_slots = own_slots(data->slot);
}
