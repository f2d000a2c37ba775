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
	struct trap_frame *frame = v->frame;
	struct exception fault;
	u8 bytes[sizeof(vmcall)];

	if (!guest_read(v, frame->rip, bytes, sizeof(bytes), PF_FETCH, &fault) ||
	    memcmp(bytes, vmcall, sizeof(bytes)) != 0)
		return false;
	frame->rip += sizeof(vmcall);
	v->exits[EXIT_HYPERCALL]++;
	frame->rax = (u64)hypercall_dispatch(v->domain, frame);
	return true;
}
