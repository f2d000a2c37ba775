// SPDX-License-Identifier: MIT
/*
 * Calls on who runs: pause, weight, shutdown. What the first guest asks of a
 * domain it may ask on several CPUs at a time, so a state changes by
 * compare-and-exchange, and whether the vcpus run follows the state that is
 * there afterwards.
 */
#include "cpu/sched.h"

#include "cpu/block.h"
#include "cpu/remote.h"
#include "cpu/sched_host.h"
#include "domain/events.h"
#include "hypercall/buffer.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

static bool change_state(struct domain *d, u32 from, u32 to)
{
	return __atomic_compare_exchange_n(&d->state, &from, to, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

static u32 state_of(const struct domain *d)
{
	return __atomic_load_n(&d->state, __ATOMIC_SEQ_CST);
}

/* A later domain; or the error. */
static s64 find_later(struct domain *caller, u64 domid, struct domain **found)
{
	*found = domain_find(domid, caller);
	if (*found == NULL)
		return -VL_ENOENT;
	return domain_owns_machine(*found) ? -VL_EPERM : 0;
}

/* The same, for what takes its time: it does not end meanwhile. */
static s64 use_later(struct domain *caller, u64 domid, struct domain **found)
{
	s64 err = find_later(caller, domid, found);

	if (err < 0)
		return err;
	*found = domain_use(domid);
	return *found != NULL ? 0 : -VL_EBUSY;
}

static s64 pause(struct domain *found)
{
	if (!change_state(found, VL_STATE_RUNNING, VL_STATE_PAUSED) &&
	    state_of(found) != VL_STATE_PAUSED)
		return -VL_EBUSY;
	sched_stop(found);
	if (state_of(found) == VL_STATE_RUNNING)
		sched_start(found); /* unpaused meanwhile */
	if (state_of(found) != VL_STATE_RUNNING)
		sched_stop(found); /* and it has ended before that */
	return 0;
}

s64 call_domain_pause(struct domain *d, u64 domid)
{
	struct domain *found;
	s64 err = use_later(d, domid, &found);

	if (err < 0)
		return err;
	err = pause(found);
	domain_unuse(found);
	if (err == 0)
		events_notify(d);
	return err;
}

static s64 unpause(struct domain *found)
{
	if (vcpu_block(found, 0) == NULL || !vcpu_block(found, 0)->sched.started)
		return -VL_EINVAL;
	if (!change_state(found, VL_STATE_PAUSED, VL_STATE_RUNNING) &&
	    state_of(found) != VL_STATE_RUNNING)
		return -VL_EBUSY;
	sched_start(found);
	if (state_of(found) != VL_STATE_RUNNING)
		sched_stop(found); /* or has come to its end */
	return 0;
}

s64 call_domain_unpause(struct domain *d, u64 domid)
{
	struct domain *found;
	s64 err = use_later(d, domid, &found);

	if (err < 0)
		return err;
	err = unpause(found);
	domain_unuse(found);
	if (err == 0)
		events_notify(d);
	return err;
}

/* What looks at vcpus and is done at once is done alone, as they end; also by a CPU that is in
 * passthrough still, while the others are virtualized. */
static struct domain *begin(struct domain *caller, u64 domid)
{
	remote_begin_alone(current_vcpu());
	return domain_find(domid, caller);
}

static void end(void)
{
	remote_end_alone(current_vcpu());
}

s64 call_domain_weight(struct domain *d, u64 domid, u64 weight)
{
	struct domain *found = begin(d, domid);
	s64 answer = -VL_ENOENT;

	if (found != NULL && weight > VL_WEIGHT_MAX)
		answer = -VL_EINVAL;
	if (found != NULL && weight > 0 && weight <= VL_WEIGHT_MAX)
		sched_set_weight(found, (u32)weight);
	if (found != NULL && weight <= VL_WEIGHT_MAX)
		answer = found->weight;
	end();
	return answer;
}

s64 call_shutdown(struct domain *d, u64 reason)
{
	if (reason == VL_SHUTDOWN_NONE || reason >= VL_SHUTDOWN_LIMIT)
		return -VL_EINVAL;
	if (domain_owns_machine(d))
		return -VL_EPERM;
	domain_has_ended(d, (u32)reason);
	/* With the end of this exit; another vcpu may be about to do the same, so nobody waits. */
	sched_stop_all(d);
	return 0;
}

s64 call_domain_shutdown(struct domain *d, u64 domid, u64 reason)
{
	struct domain *found;
	s64 err = find_later(d, domid, &found);

	if (err < 0)
		return err;
	if (reason != VL_SHUTDOWN_POWEROFF && reason != VL_SHUTDOWN_REBOOT)
		return -VL_EINVAL;
	if (state_of(found) > VL_STATE_PAUSED)
		return -VL_EBUSY;
	events_ask(found, (u32)reason);
	return 0;
}

s64 call_yield(struct domain *d)
{
	(void)d;
	sched_yield();
	return 0;
}

s64 call_domain_sched_info(struct domain *d, u64 domid, pa_t info, u64 info_size)
{
	struct domain *found = begin(d, domid);
	struct vl_sched_info out;

	if (found != NULL)
		sched_info(found, &out);
	end();
	if (found == NULL)
		return -VL_ENOENT;
	return buffer_answer(d, info, info_size, &out, sizeof(out));
}

s64 call_vcpu_status(struct domain *d, u64 domid, u64 vcpu, pa_t status, u64 status_size)
{
	struct domain *found = begin(d, domid);
	struct vl_vcpu_status out;
	bool known = found != NULL && sched_vcpu_status(found, vcpu, &out);

	end();
	return known ? buffer_answer(d, status, status_size, &out, sizeof(out)) : -VL_ENOENT;
}
