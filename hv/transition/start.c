// SPDX-License-Identifier: MIT
/*
 * The first guest starts a vcpu of a later domain (transition/fresh.h).
 */
#include "cpu/block.h"
#include "cpu/remote.h"
#include "cpu/sched.h"
#include "domain/domain.h"
#include "hypercall/buffer.h"
#include "public/errno.h"
#include "transition/fresh.h"
#include "hypercall_handlers.h"

static s64 start(struct domain *found, u32 index, const struct vl_vcpu_start *s)
{
	struct cpu_block *b = vcpu_block(found, index);
	s64 err;

	if (b == NULL)
		return -VL_ENOENT;
	if (found->state != VL_STATE_PAUSED || b->sched.started)
		return -VL_EBUSY;
	err = vcpu_prepare_fresh(b, found, index, s);
	if (err == 0)
		vcpu_started(b, vcpu_begin_fresh);
	return err;
}

s64 call_vcpu_start(struct domain *d, u64 domid, u64 vcpu, pa_t start_pa, u64 start_size)
{
	struct domain *found = domain_find(domid, d);
	struct vcpu *v = current_vcpu();
	struct vl_vcpu_start copy;
	s64 answer;

	if (found == NULL || v == NULL)
		return -VL_ENOENT;
	if (domain_owns_machine(found))
		return -VL_EPERM;
	answer = buffer_read(d, start_pa, start_size, &copy, sizeof(copy));
	if (answer < 0)
		return answer;
	if (vcpu >= VL_MAX_CPUS)
		return -VL_ENOENT;
	/* Neither the domain nor its memory goes meanwhile. */
	remote_begin_alone(v);
	found = domain_find(domid, d);
	answer = found != NULL ? start(found, (u32)vcpu, &copy) : -VL_ENOENT;
	remote_end_alone(v);
	return answer;
}
