// SPDX-License-Identifier: MIT
/*
 * The steps of a transition and their failpoints.
 */
#include "transition/steps.h"

#include "lib/debug.h"
#include "lib/failpoint.h"
#include "lib/lock.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

static bool failpoint_hit(u32 step)
{
	return is_debug_build() && failpoint_get() == (u64)step + 1;
}

void transition_undo(struct vcpu *v, const struct transition_step *step, u32 count)
{
	while (count-- > 0)
		if (step[count].undo != NULL)
			step[count].undo(v);
}

s64 transition_prepare(struct vcpu *v, const struct transition_step *step, u32 count)
{
	s64 err = 0;
	u32 made;

	for (made = 0; made < count; made++) {
		err = failpoint_hit(made) ? -VL_EIO : step[made].make(v);
		if (err != 0)
			break;
	}
	if (err == 0 && failpoint_hit(made))
		err = -VL_EIO;
	if (err != 0)
		transition_undo(v, step, made);
	if (is_debug_build() &&
	    err != -VL_EAGAIN) /* the guest will call again, and means the same transition */
		failpoint_set(0);
	return err;
}

s64 call_set_failpoint(struct domain *d, u64 step)
{
	(void)d;
	if (!is_debug_build())
		return -VL_EOPNOTSUPP;
	failpoint_set(step);
	if (step == 0) /* what a test asks for at its end */
		lock_report();
	return 0;
}
