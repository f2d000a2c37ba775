/* SPDX-License-Identifier: MIT */
/*
 * Event channels: one bit from one domain to another. A channel has two ends,
 * each a port of its domain; an event that is sent at the one end is a pending
 * bit at the other, in a page of that domain's own (struct vl_event_page), and
 * an interrupt if it was not pending before and is not masked.
 *
 * One lock (LOCK_EVENT) orders all of it, and a domain answers to nobody before
 * events_begin() and after events_end(). Interrupts are raised with the lock
 * held, so the receiver cannot end meanwhile.
 */
#ifndef VELLUM_DOMAIN_EVENTS_H
#define VELLUM_DOMAIN_EVENTS_H

#include "lib/types.h"
#include "public/hypercall.h"

struct domain;

#define NR_EVENT_PORTS VL_EVENT_PORTS

enum event_state {
	EVENT_FREE,
	EVENT_UNBOUND, /* for `peer` to bind */
	EVENT_BOUND,   /* to `port` of `peer` */
	EVENT_BROKEN,  /* the other end has gone */
};

struct event_port {
	struct domain *peer;
	u32 domid; /* the peer's: its memory may be another domain's by now */
	u16 port;
	u8 state; /* enum event_state */
};

struct events {
	bool live;
	/* Raise the interrupt, in the local APIC of CPU `cpu` of the domain. Of a higher floor. */
	void (*upcall)(struct domain *d, u32 cpu, u8 vector);
	pa_t page;                      /* of the domain; valid if `at` is */
	struct vl_event_page *at;       /* NULL: it has none yet */
	u64 early[NR_EVENT_PORTS / 64]; /* what came before it had */
	u8 vector;                      /* 0: no interrupt */
	u32 asked;                      /* VL_SHUTDOWN_* */
	u32 cpu;
	struct event_port port[NR_EVENT_PORTS];
};

/** The domain has events from here on, and none from there on: who is bound to it gets an event,
 * and finds the channel broken. */
void events_begin(struct domain *d, void (*upcall)(struct domain *d, u32 cpu, u8 vector));
void events_end(struct domain *d);

/** The same, but its interrupts are raised in another way from here on. */
void events_raise_by(struct domain *d, void (*upcall)(struct domain *d, u32 cpu, u8 vector));

/** The calls; `cpu` is the caller's number in its domain. See hv/hypercall/hypercalls.def. */
s64 events_setup(struct domain *d, pa_t page, u64 vector, u32 cpu);
s64 events_open(struct domain *d, struct domain *peer);
s64 events_bind(struct domain *d, struct domain *peer, u64 port);
s64 events_send(struct domain *d, u64 port);
s64 events_close(struct domain *d, u64 port);

/** Vellum itself has something for the domain: an event at port VL_EVENT_VELLUM. */
void events_notify(struct domain *d);

/** Somebody wants something of the domain, VL_SHUTDOWN_* or VL_ASKED_*, of which the last one
 * counts, and VL_ASKED_FOR_ONE_VCPU least; and: what it was asked since it was told last,
 * VL_SHUTDOWN_NONE: nothing. */
void events_ask(struct domain *d, u32 reason);
u32 events_asked(struct domain *d);

/** The domain's p2m has changed. */
void events_find_page(struct domain *d);

/** Whether its page of events is this one: it must neither be given away nor move. */
bool events_use(const struct domain *d, pfn_t pfn);

#endif
