// SPDX-License-Identifier: MIT
/*
 * Calls by which domains share pages. One CPU at a time makes any of these, or
 * those of guests.c, so that neither domains nor their pages go meanwhile.
 */
#include "cpu/remote.h"
#include "domain/grant.h"
#include "hypercall/live_remap.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

/* Only a domain that there are others beside has anybody to share with. */
static bool begin(struct vcpu *v)
{
	if (v == NULL || !(v->domain->layers & VL_LAYER_MEMORY))
		return false;
	remote_begin_alone(v);
	return true;
}

static struct domain *find_other(const struct domain *d, u64 domid)
{
	struct domain *other = domain_find(domid, NULL);

	return other != d && (other == NULL || other->state != VL_STATE_DYING) ? other : NULL;
}

s64 call_grant_offer(struct domain *d, u64 domid, u64 pfn, u64 flags)
{
	struct vcpu *v = current_vcpu();
	s64 answer = -VL_ENOENT;

	if ((flags & ~(u64)VL_GRANT_READ_ONLY) != 0)
		return -VL_EINVAL;
	if (!begin(v))
		return -VL_ENOENT;
	if (find_other(d, domid) != NULL)
		answer = grant_offer(d, (u32)domid, pfn, (flags & VL_GRANT_READ_ONLY) != 0);
	remote_end_alone(v);
	return answer;
}

/* Its own view of memory changes, and nobody else's. */
static void stop(struct vcpu *v)
{
	remote_stop_domain(v, v->domain);
}

static void go_on(struct vcpu *v)
{
	vcpu_flush(v);
	remote_start_domain(v, v->domain);
}

static s64 map(struct vcpu *v, struct domain *owner, u64 ref, u64 pfn)
{
	s64 err = grant_can_map(v->domain, owner, ref, pfn);

	if (err == 0 && live_remap_is_on())
		err = -VL_EBUSY;
	if (err < 0)
		return err;
	stop(v);
	err = grant_map(v->domain, owner, ref, pfn);
	go_on(v);
	return err;
}

s64 call_grant_map(struct domain *d, u64 domid, u64 ref, u64 pfn)
{
	struct vcpu *v = current_vcpu();
	struct domain *owner;
	s64 answer;

	if (!begin(v))
		return -VL_ENOENT;
	owner = find_other(d, domid);
	answer = owner != NULL ? map(v, owner, ref, pfn) : -VL_ENOENT;
	remote_end_alone(v);
	return answer;
}

s64 call_grant_unmap(struct domain *d, u64 pfn)
{
	struct vcpu *v = current_vcpu();
	s64 answer = -VL_ENOENT;

	if (!begin(v))
		return -VL_ENOENT;
	if (grant_is_mapped(d, pfn)) {
		stop(v);
		grant_unmap(d, pfn);
		go_on(v);
		answer = 0;
	}
	remote_end_alone(v);
	return answer;
}

s64 call_grant_revoke(struct domain *d, u64 ref)
{
	struct vcpu *v = current_vcpu();
	s64 answer;

	if (!begin(v))
		return -VL_ENOENT;
	answer = grant_revoke(d, ref);
	remote_end_alone(v);
	return answer;
}
