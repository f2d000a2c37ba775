// SPDX-License-Identifier: MIT
/*
 * Calls on event channels.
 */
#include "domain/events.h"

#include "cpu/percpu.h"
#include "cpu/vcpu.h"
#include "domain/domain.h"
#include "public/errno.h"
#include "hypercall_handlers.h"

s64 call_event_setup(struct domain *d, u64 page, u64 vector)
{
	const struct vcpu *v = current_vcpu();

	return events_setup(d, (pa_t){page}, vector, v != NULL ? v->cpu : this_cpu()->index);
}

s64 call_event_open(struct domain *d, u64 domid)
{
	struct domain *peer = domain_find(domid, d);

	return peer != NULL ? events_open(d, peer) : -VL_ENOENT;
}

s64 call_event_bind(struct domain *d, u64 domid, u64 remote)
{
	struct domain *peer = domain_find(domid, d);

	return peer != NULL ? events_bind(d, peer, remote) : -VL_ENOENT;
}

s64 call_event_send(struct domain *d, u64 port)
{
	return events_send(d, port);
}

s64 call_event_close(struct domain *d, u64 port)
{
	return events_close(d, port);
}

s64 call_control_read(struct domain *d)
{
	return events_asked(d);
}
