// SPDX-License-Identifier: MIT
/*
 * Calls that make later domains, hand them memory, and end them. Each excludes
 * the others on all CPUs (remote_begin_alone()), and while a p2m changes, the
 * vcpus of both domains that it concerns stand still. What takes long is done a
 * piece at a call.
 */
#include "cpu/domain_io.h"
#include "cpu/domain_platform.h"
#include "cpu/remote.h"
#include "cpu/sched.h"
#include "domain/grant.h"
#include "domain/owner.h"
#include "domain/share_home.h"
#include "hypercall/buffer.h"
#include "hypercall/failing.h"
#include "hypercall/live_remap.h"
#include "hypercall/share.h"
#include "lib/string.h"
#include "mem/frames.h"
#include "public/errno.h"
#include "shadow/tables.h"
#include "hypercall_handlers.h"

/* Pages that one call clears and brings home. */
#define PAGES_A_CALL ((u64)128)

/* Shadow tables that one call frees, some 40,000 instructions. */
#define TABLES_A_CALL ((u64)256)

/* --- create --- */

static s64 check_wanted(const struct domain *first, const struct vl_domain_create *w)
{
	struct range ram = {w->memory_start, w->memory_start + w->memory_size};

	if (!domain_name_is_good(w->name) || w->flags != 0 || w->weight < 1 ||
	    w->weight > VL_WEIGHT_MAX || w->nr_vcpus < 1 || w->nr_vcpus > VL_MAX_CPUS)
		return -VL_EINVAL;
	if (((w->memory_start | w->memory_size) & ~PAGE_MASK) != 0 || w->memory_size == 0 ||
	    ram.end < ram.start)
		return -VL_EINVAL;
	if (!memmap_is_ram(&first->memory, ram))
		return -VL_ERANGE;
	return 0;
}

/* Of the machine, which others are to share from here on, the first guest has nothing bare, and
 * gives any of its memory; which is where it says, unless it has just got the machine. */
static bool can_have_others(const struct domain *first, const struct vcpu *v)
{
	return v != NULL && (first->layers & VL_LAYER_ALL) == VL_LAYER_ALL && !first->p2m.own &&
	       portions_are_all(&first->p2m.portions) && !v->iopl3 && v->lapic.access != NULL;
}

/* Up to so many shadow tables, of one vcpu if there is a bound; 0: there is no vcpu any more. */
static u64 destroy_vcpus(struct domain *d, u64 tables)
{
	u64 left = 0;

	while (left == 0 && d->nr_vcpus > 0) {
		left = vcpu_destroy(d, d->nr_vcpus - 1, tables);
		d->nr_vcpus -= left == 0;
		if (tables != NO_BUDGET)
			break;
	}
	return left > 0 ? left : d->nr_vcpus;
}

static int create_vcpus(struct domain *d, u32 count)
{
	int err = 0;

	for (d->nr_vcpus = 0; err == 0 && d->nr_vcpus < count; d->nr_vcpus += err == 0)
		err = vcpu_create(d, d->nr_vcpus);
	return err;
}

static s64 create(const struct vl_domain_create *wanted)
{
	struct domain *made;
	s64 err = domain_new(wanted, &made);

	if (err < 0)
		return err;
	err = domain_platform_create(made);
	if (err == 0 && !share_begin_for(made))
		err = -VL_ENOMEM;
	if (err == 0)
		err = create_vcpus(made, wanted->nr_vcpus);
	if (err == 0)
		err = domain_enter(made);
	if (err == 0)
		return made->domid;
	domain_platform_destroy(made);
	destroy_vcpus(made, NO_BUDGET);
	domain_delete(made);
	return err;
}

s64 call_domain_create(struct domain *d, pa_t wanted, u64 wanted_size)
{
	struct vcpu *v = current_vcpu();
	struct vl_domain_create copy;
	s64 answer = buffer_read(d, wanted, wanted_size, &copy, sizeof(copy));

	if (answer == 0)
		answer = check_wanted(d, &copy);
	if (answer < 0)
		return answer;
	remote_begin_alone(v);
	/* Another CPU may be taking portions of memory off. */
	if (!can_have_others(d, v)) {
		remote_end_alone(v);
		return -VL_EOPNOTSUPP;
	}
	begin_failing();
	answer = create(&copy);
	end_failing();
	remote_end_alone(v);
	if (answer > 0)
		events_notify(d);
	return answer;
}

/* --- memory --- */

static void stop(struct vcpu *v, const struct domain *other)
{
	remote_stop_domain(v, domain_first());
	remote_stop_domain(v, other);
}

/* The domains whose frames may have changed places with those of `d`; not the first guest, nor d.
 */
static void for_those_mixed(struct vcpu *v, const struct domain *d,
			    void (*what)(struct vcpu *v, const struct domain *d))
{
	for (struct domain *other = domain_next(0); share_home_is_known(d) && other != NULL;
	     other = domain_next(other->domid + 1))
		if (other != d && share_home_is_known(other))
			what(v, other);
}

static void go_on(struct vcpu *v, const struct domain *other)
{
	owner_audit(domain_first());
	vcpu_flush(v);
	remote_start_domain(v, domain_first());
	remote_start_domain(v, other);
}

/* Alone: a later domain with this id that is there and not about to end, or NULL. */
static struct domain *find_later(u64 domid, struct domain *self)
{
	struct domain *found = domain_find(domid, self);

	return found != domain_first() ? found : NULL;
}

/* What the caller's page says, as it is at one moment; under remote_begin_alone(). */
static u64 given_list[VL_MEMORY_GIVE_PAGES];

static s64 give(struct vcpu *v, u64 domid, u64 pfn, u64 count)
{
	struct domain *to = find_later(domid, v->domain);
	s64 err;

	if (to == NULL || to->state == VL_STATE_DYING)
		return -VL_ENOENT;
	if (live_remap_is_on())
		return -VL_EBUSY;
	stop(v, to);
	begin_failing();
	err = owner_give(v->domain, to, pfn, given_list, count);
	end_failing();
	go_on(v, to);
	return err;
}

s64 call_memory_give(struct domain *d, u64 domid, u64 pfn, pa_t list, u64 list_size)
{
	struct vcpu *v = current_vcpu();
	const void *buffer;
	s64 err = -VL_EFAULT;

	if (v == NULL)
		return -VL_ENOENT;
	if (list_size == 0 || list_size % sizeof(u64) != 0)
		return -VL_EINVAL;
	/* While it waits to be alone, another CPU may give away the page of the list. */
	remote_begin_alone(v);
	buffer = domain_buffer(d, list, list_size);
	if (buffer != NULL) {
		memcpy(given_list, buffer, list_size);
		err = give(v, domid, pfn, list_size / sizeof(u64));
	}
	remote_end_alone(v);
	return err;
}

/* Alone. */
static s64 take(struct vcpu *v, struct domain *from, u64 pfn, u64 count)
{
	u64 now = min_u64(count, PAGES_A_CALL);
	s64 err;

	if ((from != v->domain && from->state == VL_STATE_RUNNING) || live_remap_is_on())
		return -VL_EBUSY;
	if (share_end_for(from) != 0)
		return (s64)count;
	if (pfn >> P2M_PFN_BITS != 0 || count >> P2M_PFN_BITS != 0)
		return -VL_EFAULT;
	/* To stop them has a cost that is not the caller's. */
	err = owner_can_take(from, pfn, now);
	if (err < 0)
		return err;
	stop(v, from);
	for_those_mixed(v, from, remote_stop_domain);
	err = owner_can_take(from, pfn, now);
	if (err == 0)
		owner_take(domain_first(), from, pfn, now);
	go_on(v, from);
	for_those_mixed(v, from, remote_start_domain);
	return err < 0 ? err : (s64)(count - now);
}

s64 call_memory_take(struct domain *d, u64 domid, u64 pfn, u64 count)
{
	struct vcpu *v = current_vcpu();
	struct domain *from;
	s64 answer = -VL_ENOENT;

	if (d != domain_first() && domid != VL_DOMID_SELF && domid != d->domid)
		return -VL_EPERM;
	if (count == 0)
		return -VL_EINVAL;
	if (v == NULL)
		return -VL_ENOENT;
	remote_begin_alone(v);
	from = find_later(domid, d);
	if (from != NULL)
		answer = take(v, from, pfn, count);
	remote_end_alone(v);
	/* Those that take it from others know. */
	if (answer >= 0 && d != domain_first())
		events_notify(domain_first());
	return answer;
}

/* --- destroy --- */

/* What it shares with others ends first, for which those that have a page of its stand still. */
static void end_sharing(struct vcpu *v, struct domain *d)
{
	for (struct domain *other = domain_next(0); other != NULL;
	     other = domain_next(other->domid + 1))
		if (other != d && !domain_owns_machine(other) && grant_uses(other, d->domid))
			remote_stop_domain(v, other);
	grant_end(d);
}

static void go_on_sharing(struct vcpu *v, const struct domain *d)
{
	for (struct domain *other = domain_next(0); other != NULL;
	     other = domain_next(other->domid + 1))
		if (other != d && !domain_owns_machine(other))
			remote_start_domain(v, other);
}

/* Alone; what other CPUs do to its vcpus has to be over. */
static s64 destroy(struct vcpu *v, struct domain *d)
{
	u64 left = d->p2m.frames, tables, devices, shared;

	if (!__atomic_load_n(&d->at_rest, __ATOMIC_SEQ_CST) ||
	    __atomic_load_n(&d->users, __ATOMIC_SEQ_CST) != 0)
		return left != 0 ? (s64)left : 1;
	devices = domain_io_end(d);
	if (devices != 0)
		return (s64)(left + devices);
	domain_platform_destroy(d); /* which others could wake a vcpu by */
	tables = destroy_vcpus(d, TABLES_A_CALL);
	if (tables != 0)
		return (s64)(left + tables);
	shared = share_end_for(d);
	if (shared != 0)
		return (s64)(left + shared);
	live_remap_end(v);
	stop(v, d);
	end_sharing(v, d);
	go_on_sharing(v, d);
	for_those_mixed(v, d, remote_stop_domain);
	owner_take_any(domain_first(), d, PAGES_A_CALL);
	go_on(v, d);
	for_those_mixed(v, d, remote_start_domain);
	if (d->p2m.frames != 0)
		return (s64)d->p2m.frames;
	domain_delete(d);
	return 0;
}

/* From here on nobody starts it any more. Whether the caller is the first who ends it. */
static bool begin_end(struct vcpu *v, u64 domid, struct domain **found)
{
	u32 before = VL_STATE_DYING;

	remote_begin_alone(v);
	*found = find_later(domid, v->domain);
	if (*found != NULL)
		before = __atomic_exchange_n(&(*found)->state, VL_STATE_DYING, __ATOMIC_SEQ_CST);
	remote_end_alone(v);
	return before != VL_STATE_DYING;
}

s64 call_domain_destroy(struct domain *d, u64 domid)
{
	struct vcpu *v = current_vcpu();
	struct domain *found;
	s64 answer = -VL_ENOENT;

	if (v == NULL)
		return -VL_ENOENT;
	if (begin_end(v, domid, &found)) {
		/* Not alone: one of its vcpus may be waiting for that. */
		sched_stop(found);
		__atomic_store_n(&found->at_rest, true, __ATOMIC_SEQ_CST);
	}
	remote_begin_alone(v);
	found = find_later(domid, d);
	if (found != NULL)
		answer = destroy(v, found);
	remote_end_alone(v);
	if (answer == 0)
		events_notify(d);
	return answer;
}
