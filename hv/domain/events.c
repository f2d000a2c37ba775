// SPDX-License-Identifier: MIT
/*
 * Event channels. Every change of a channel changes both of its ends under the
 * one lock, so they always agree: a port that is bound names one that is bound
 * to it. The work of each call is bounded by the number of ports of one domain.
 */
#include "domain/events.h"

#include "domain/domain.h"
#include "lib/lock.h"
#include "lib/string.h"
#include "public/errno.h"

#define FIRST_VECTOR 32

static struct lock lock = LOCK_INIT(LOCK_EVENT);

static void raise(struct domain *d, u32 port)
{
	struct events *e = &d->events;
	u64 bit = (u64)1 << port % 64;
	u64 was;

	if (e->at == NULL) {
		e->early[port / 64] |= bit;
		return;
	}
	was = __atomic_fetch_or(&e->at->pending[port / 64], bit, __ATOMIC_SEQ_CST);
	if (!((was | __atomic_load_n(&e->at->mask[port / 64], __ATOMIC_SEQ_CST)) & bit) &&
	    e->vector != 0)
		e->upcall(d, e->cpu, e->vector);
}

static bool is_bound(const struct event_port *p)
{
	return p->state == EVENT_BOUND;
}

/* The other end hears of it, and can only be closed. */
static void break_off(struct event_port *p)
{
	struct domain *peer = p->peer;

	if (is_bound(p)) {
		peer->events.port[p->port].state = EVENT_BROKEN;
		raise(peer, p->port);
	}
	*p = (struct event_port){0};
}

void events_begin(struct domain *d, void (*upcall)(struct domain *d, u32 cpu, u8 vector))
{
	lock_take(&lock);
	memset(&d->events, 0, sizeof(d->events));
	d->events.upcall = upcall;
	d->events.live = true;
	lock_release(&lock);
}

/* A port that waits for the domain waits on: no other domain is at that address before another one
 * begins there, which may not bind it (events_bind() compares the ids). */
void events_end(struct domain *d)
{
	lock_take(&lock);
	for (u32 i = 0; i < NR_EVENT_PORTS; i++)
		if (d->events.port[i].state != EVENT_FREE)
			break_off(&d->events.port[i]);
	d->events.live = false;
	d->events.at = NULL;
	lock_release(&lock);
}

void events_raise_by(struct domain *d, void (*upcall)(struct domain *d, u32 cpu, u8 vector))
{
	lock_take(&lock);
	d->events.upcall = upcall;
	lock_release(&lock);
}

static s64 setup(struct events *e, struct domain *d, pa_t page, u64 vector, u32 cpu)
{
	struct vl_event_page *at = NULL;

	if (page.v != 0) {
		at = domain_buffer(d, page, sizeof(*at));
		if (at == NULL)
			return -VL_EFAULT;
	}
	e->page = page;
	e->at = at;
	e->vector = (u8)vector;
	e->cpu = cpu;
	if (at == NULL)
		return 0;
	for (u32 i = 0; i < NR_EVENT_PORTS; i++)
		if (e->early[i / 64] >> i % 64 & 1)
			raise(d, i);
	memset(e->early, 0, sizeof(e->early));
	return 0;
}

s64 events_setup(struct domain *d, pa_t page, u64 vector, u32 cpu)
{
	s64 answer;

	if (page.v % sizeof(struct vl_event_page) != 0 ||
	    (vector != 0 && (vector < FIRST_VECTOR || vector > 255)))
		return -VL_EINVAL;
	lock_take(&lock);
	answer = d->events.live ? setup(&d->events, d, page, vector, cpu) : -VL_EOPNOTSUPP;
	lock_release(&lock);
	return answer;
}

/* Port 0 is Vellum's own. */
static u32 free_port(const struct domain *d)
{
	u32 i = VL_EVENT_VELLUM + 1;

	while (i < NR_EVENT_PORTS && d->events.port[i].state != EVENT_FREE)
		i++;
	return i;
}

static s64 open(struct domain *d, struct domain *peer)
{
	u32 port = free_port(d);

	if (!d->events.live || !peer->events.live)
		return -VL_EOPNOTSUPP;
	if (port == NR_EVENT_PORTS)
		return -VL_ENOSPC;
	d->events.port[port] =
		(struct event_port){.peer = peer, .domid = peer->domid, .state = EVENT_UNBOUND};
	return port;
}

s64 events_open(struct domain *d, struct domain *peer)
{
	s64 answer;

	lock_take(&lock);
	answer = open(d, peer);
	lock_release(&lock);
	return answer;
}

static s64 bind(struct domain *d, struct domain *peer, u32 remote)
{
	struct event_port *there = &peer->events.port[remote];
	u32 port = free_port(d);

	if (!d->events.live || !peer->events.live)
		return -VL_EOPNOTSUPP;
	if (there->state != EVENT_UNBOUND || there->peer != d || there->domid != d->domid)
		return -VL_ENOENT;
	/* Both ends may be one domain's: the free port is another than the unbound one. */
	if (port == NR_EVENT_PORTS)
		return -VL_ENOSPC;
	d->events.port[port] = (struct event_port){
		.peer = peer, .domid = peer->domid, .port = (u16)remote, .state = EVENT_BOUND};
	there->port = (u16)port;
	there->state = EVENT_BOUND;
	raise(peer, remote);
	return port;
}

s64 events_bind(struct domain *d, struct domain *peer, u64 port)
{
	s64 answer;

	if (port >= NR_EVENT_PORTS)
		return -VL_ENOENT;
	lock_take(&lock);
	answer = bind(d, peer, (u32)port);
	lock_release(&lock);
	return answer;
}

s64 events_send(struct domain *d, u64 port)
{
	const struct event_port *p;
	s64 answer = -VL_ENOENT;

	if (port >= NR_EVENT_PORTS)
		return -VL_ENOENT;
	lock_take(&lock);
	p = &d->events.port[port];
	if (is_bound(p)) {
		raise(p->peer, p->port);
		answer = 0;
	}
	lock_release(&lock);
	return answer;
}

s64 events_close(struct domain *d, u64 port)
{
	s64 answer = -VL_ENOENT;

	if (port >= NR_EVENT_PORTS)
		return -VL_ENOENT;
	lock_take(&lock);
	if (d->events.port[port].state != EVENT_FREE) {
		break_off(&d->events.port[port]);
		answer = 0;
	}
	lock_release(&lock);
	return answer;
}

void events_notify(struct domain *d)
{
	lock_take(&lock);
	if (d->events.live)
		raise(d, VL_EVENT_VELLUM);
	lock_release(&lock);
}

void events_ask(struct domain *d, u32 reason)
{
	lock_take(&lock);
	if (reason != VL_ASKED_FOR_ONE_VCPU || d->events.asked == VL_SHUTDOWN_NONE)
		d->events.asked = reason;
	if (d->events.live)
		raise(d, VL_EVENT_VELLUM);
	lock_release(&lock);
}

u32 events_asked(struct domain *d)
{
	u32 reason;

	lock_take(&lock);
	reason = d->events.asked;
	d->events.asked = VL_SHUTDOWN_NONE;
	lock_release(&lock);
	return reason;
}

void events_find_page(struct domain *d)
{
	lock_take(&lock);
	if (d->events.at != NULL)
		d->events.at = domain_buffer(d, d->events.page, sizeof(*d->events.at));
	lock_release(&lock);
}

bool events_use(const struct domain *d, pfn_t pfn)
{
	bool it;

	lock_take(&lock);
	it = d->events.at != NULL && pa_to_pfn(d->events.page).v == pfn.v;
	lock_release(&lock);
	return it;
}
