// SPDX-License-Identifier: MIT
/*
 * What the guest's local APIC sends. A vcpu is its CPU's as long as that is
 * virtualized, so most messages go through the hardware as they are: the real
 * interrupt arrives in the Vellum of the receiver, which notes it for its vcpu.
 *
 * Two do not. An NMI to a virtualized CPU is a request (domain/remote.h), since
 * in the hardware it might merge with one of Vellum's own and be lost. And INIT
 * ends a CPU wherever it is: it goes through to a CPU that is not virtualized,
 * and to one that the guest has parked, whose vcpu is over with that; to any
 * other it is refused, since a guest that wants that CPU back has it already.
 */
#include "cpu/ipi.h"

#include "cpu/apic.h"
#include "cpu/remote.h"
#include "lib/log.h"

#define BROADCAST   0xffu
#define BROADCAST32 0xffffffffu

/* A message: `v` sends it. */
struct message {
	struct vcpu *v;
	u64 icr;
	u32 destination;
	u32 shorthand;
	bool logical, x2apic;
};

static struct message message_of(struct vcpu *v, u64 icr)
{
	bool x2apic = apic_is_x2apic(v);

	return (struct message){.v = v,
				.icr = icr,
				.destination = (u32)(icr >> (x2apic ? 32 : 56)),
				.shorthand = LAPIC_ICR_SHORTHAND(icr),
				.logical = (icr & LAPIC_ICR_LOGICAL) != 0,
				.x2apic = x2apic};
}

/* Cluster and place in it, SDM volume 3, 11.12.10.2. */
static bool is_logical_x2apic(u32 id, u32 destination)
{
	return destination == BROADCAST32 ||
	       (destination >> 16 == id >> 4 && (destination >> (id & 15) & 1) != 0);
}

/* `other` is a vcpu that runs, this one or another. */
static bool is_for(const struct message *m, const struct vcpu *other)
{
	if (m->shorthand != 0)
		return (other == m->v) ? m->shorthand != LAPIC_TO_OTHERS
				       : m->shorthand != LAPIC_TO_SELF;
	if (!m->x2apic)
		return lapic_hardware_is_destination(&other->lapic, (u8)other->apic_id,
						     (u8)m->destination, m->logical);
	if (m->logical)
		return is_logical_x2apic(other->apic_id, m->destination);
	return m->destination == other->apic_id || m->destination == BROADCAST32;
}

/* To those that are virtualized. If none of the receivers is, the hardware has it: a CPU that comes
 * up; what goes to all is for those that run the guest's kernel. */
static void send_nmi(const struct message *m)
{
	bool found = m->shorthand != 0;

	for (u32 i = 0; i < VL_MAX_CPUS; i++) {
		struct vcpu *other = remote_vcpu(m->v->domain, i);

		if (other == NULL || !is_for(m, other))
			continue;
		found = true;
		remote_send_nmi(m->v, other);
	}
	if (found)
		lapic_hardware_sent(&m->v->lapic, m->icr);
	else
		lapic_hardware_send(&m->v->lapic, m->icr);
}

/* A vcpu that is there to be INITed must be parked. True if all are, and they are no more then. */
static bool give_up(const struct message *m)
{
	for (u32 i = 0; i < VL_MAX_CPUS; i++) {
		const struct vcpu *other = remote_vcpu(m->v->domain, i);

		if (other != NULL && is_for(m, other) && !remote_is_parked(other))
			return false;
	}
	for (u32 i = 0; i < VL_MAX_CPUS; i++) {
		struct vcpu *other = remote_vcpu(m->v->domain, i);

		if (other != NULL && is_for(m, other) &&
		    !remote_give_up(m->v->domain, i, CPU_PARKED))
			return false;
	}
	return true;
}

void ipi_send(struct vcpu *v, u64 icr)
{
	struct message m = message_of(v, icr);
	enum lapic_delivery mode = LAPIC_MODE((u32)icr);

	if (mode == LAPIC_NMI) {
		send_nmi(&m);
		return;
	}
	if (mode == LAPIC_INIT && (icr & LAPIC_ICR_ASSERT) && !give_up(&m)) {
		log_print("vellum: INIT to a CPU that the guest runs on is refused\n");
		lapic_hardware_sent(&v->lapic, icr);
		return;
	}
	lapic_hardware_send(&v->lapic, icr);
}
