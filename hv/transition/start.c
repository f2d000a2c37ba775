// SPDX-License-Identifier: MIT
/*
 * A vcpu of a later domain is started (transition/fresh.h): by the first guest,
 * before the domain runs, or by another vcpu of the domain.
 */
#include "cpu/block.h"
#include "cpu/remote.h"
#include "cpu/sched.h"
#include "domain/domain.h"
#include "hypercall/buffer.h"
#include "public/errno.h"
#include "transition/fresh.h"
#include "hypercall_handlers.h"

/* The first guest has it paused; a domain that starts its own may just be paused, too. */
static bool may_start(const struct domain *found, const struct domain *by)
{
	u32 state = __atomic_load_n(&found->state, __ATOMIC_SEQ_CST);

	return state == VL_STATE_PAUSED || (found == by && state == VL_STATE_RUNNING);
}

static s64 start(struct domain *found, const struct domain *by, u32 index,
		 const struct vl_vcpu_start *s)
{
	struct cpu_block *b = vcpu_block(found, index);
	s64 err;

	if (b == NULL)
		return -VL_ENOENT;
	if (!may_start(found, by) || b->sched.started)
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

	/* A later domain is not told which others there are. */
	if (!domain_owns_machine(d) && found != d)
		return -VL_EPERM;
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
	answer = found != NULL ? start(found, d, (u32)vcpu, &copy) : -VL_ENOENT;
	remote_end_alone(v);
	return answer;
}
