// SPDX-License-Identifier: MIT
/*
 * The call about the uplink of the switch.
 */
#include "cpu/uplink.h"

#include "cpu/remote.h"
#include "hypercall/buffer.h"
#include "lib/string.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

static s64 perform(const struct vcpu *v, u32 function, u64 how, struct vl_uplink *io)
{
	s64 err = 0;

	if (how == VL_UPLINK_ON)
		err = uplink_on(v, function, io->bridge);
	if (err == 0)
		err = uplink_tell(function, io);
	if (err == 0 && how == VL_UPLINK_OFF)
		uplink_off();
	return err;
}

s64 call_uplink(struct domain *d, u64 function, u64 how, pa_t uplink, u64 uplink_size)
{
	struct vcpu *v = current_vcpu();
	struct vl_uplink copy;
	u8 *buffer;
	s64 err;

	if (how > VL_UPLINK_OFF)
		return -VL_EINVAL;
	if (v == NULL || function >= VL_PCI_NONE)
		return -VL_ENOENT;
	remote_stop_others(v);
	err = buffer_find(d, uplink, uplink_size, sizeof(copy), &buffer);
	if (err == 0) {
		memcpy(&copy, buffer, sizeof(copy));
		err = perform(v, (u32)function, how, &copy);
	}
	if (err == 0)
		memcpy(buffer, &copy, sizeof(copy));
	remote_start_others(v);
	return err;
}
