// SPDX-License-Identifier: MIT
/*
 * The ring-3 side of the hypercall page: VMCALL, which is #UD without VT-x and
 * which the decoder need not know.
 */
#include "hypercall/guest_call.h"

#include "hypercall/hypercall.h"
#include "lib/string.h"
#include "shadow/walk.h"

bool guest_call(struct vcpu *v)
{
	static const u8 vmcall[3] = {0x0f, 0x01, 0xc1};
	struct exception fault;
	u8 bytes[sizeof(vmcall)];

	if (!guest_read(v, v->frame->rip, bytes, sizeof(bytes), PF_FETCH, &fault) ||
	    memcmp(bytes, vmcall, sizeof(bytes)) != 0)
		return false;
	v->frame->rip += sizeof(vmcall);
	v->frame->rax = (u64)hypercall_dispatch(v->domain, v->frame);
	return true;
}
