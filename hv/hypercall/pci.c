// SPDX-License-Identifier: MIT
/*
 * Calls on PCI functions that Vellum takes from the first guest.
 */
#include "cpu/pci_owner.h"
#include "cpu/remote.h"
#include "hypercall/buffer.h"
#include "lib/string.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

static void tell(struct vl_pci_taken *out)
{
	const struct pci_set *set = pci_owner_set();

	*out = (struct vl_pci_taken){.count = set->count};
	for (u32 i = 0; i < set->count; i++) {
		const struct pci_function *f = &set->function[i];

		out->function[i] = (struct vl_pci_function){
			.function = f->function, .kind = f->kind, .id = f->id, .flags = f->flags};
	}
}

/* In passthrough there are none. */
static s64 take(struct domain *d, const struct vcpu *v, u64 function)
{
	if (function == VL_PCI_NONE)
		return 0;
	if (v == NULL || v->iopl3 || (d->layers & VL_LAYER_ALL) != VL_LAYER_ALL)
		return -VL_EOPNOTSUPP;
	return pci_owner_take((u32)function);
}

/* The guest's other vcpus stand still. */
static s64 take_and_tell(struct domain *d, const struct vcpu *v, u64 function, pa_t taken,
			 u64 taken_size)
{
	struct vl_pci_taken out;
	u8 *buffer;
	s64 err = buffer_find(d, taken, taken_size, sizeof(out), &buffer);

	if (err == 0)
		err = take(d, v, function);
	if (err < 0)
		return err;
	tell(&out);
	memcpy(buffer, &out, sizeof(out));
	return 0;
}

s64 call_pci_take(struct domain *d, u64 function, pa_t taken, u64 taken_size)
{
	struct vcpu *v = current_vcpu();
	s64 err;

	if (function > VL_PCI_NONE)
		return -VL_EINVAL;
	if (v == NULL)
		return take_and_tell(d, v, function, taken, taken_size);
	remote_stop_others(v);
	err = take_and_tell(d, v, function, taken, taken_size);
	remote_start_others(v);
	return err;
}

s64 call_pci_return(struct domain *d, u64 function)
{
	struct vcpu *v = current_vcpu();
	s64 err;

	(void)d;
	if (v == NULL || function >= VL_PCI_NONE)
		return -VL_ENOENT;
	remote_stop_others(v);
	err = pci_owner_return((u32)function);
	remote_start_others(v);
	return err;
}
