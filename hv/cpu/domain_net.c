// SPDX-License-Identifier: MIT
/*
 * The network devices of domains at the switch, which has a lock of its own.
 *
 * A frame goes from the sender's memory into the queue of each port that gets it, in an exit of the
 * sender; from there into the receiver's memory, in an exit of that one's first vcpu, which is
 * woken for it. A port ends, behind the switch's lock, before the vcpu does that it wakes.
 */
#include "cpu/domain_io.h"
#include "cpu/domain_platform.h"
#include "cpu/io_device.h"
#include "cpu/remote.h"
#include "cpu/sched.h"
#include "cpu/uplink.h"

#define AGE_SECONDS 300u

_Static_assert(SWITCH_PORTS == VL_MAX_PORTS && MAC_SIZE == sizeof(((struct vl_device *)0)->mac),
	       "ABI");
_Static_assert(SWITCH_NAME_SIZE == sizeof(((struct vl_device *)0)->bridge), "ABI");

static struct lock switch_lock = LOCK_INIT(LOCK_SWITCH);
static struct net_switch network; /* under it */

/* A device of another domain, or another device, has something in its queue. */
static void announce(const struct io_device *from, const struct io_device *to)
{
	struct vcpu *v = remote_vcpu(to->domain, 0);

	__atomic_or_fetch(&to->domain->devices_wait, 1u << to->index, __ATOMIC_SEQ_CST);
	if (v != NULL && (from == NULL || to->domain != from->domain || v != current_vcpu()))
		sched_wake(v);
}

/* Under the lock; from no device: from the uplink. */
static u32 send_to_ports(const struct io_device *from, u32 port, const struct frame_source *f)
{
	u32 got, count = 0;

	network.age = (u64)domain_clocks_tsc_khz() * 1000 * AGE_SECONDS;
	got = switch_send(&network, port, f, rdtsc());
	for (; got != 0; got &= got - 1, count++) {
		const struct io_device *to = network.port[__builtin_ctz(got)].owner;

		if (to != NULL)
			announce(from, to);
		else
			uplink_transmit(&network);
	}
	return count;
}

struct net_switch *domain_io_switch(void)
{
	lock_take(&switch_lock);
	return &network;
}

void domain_io_switch_done(void)
{
	lock_release(&switch_lock);
}

void domain_io_send(u32 port, const struct frame_source *f)
{
	send_to_ports(NULL, port, f);
}

static u32 send_frame(void *context, const struct frame_source *f)
{
	const struct io_device *d = context;
	u32 count;

	lock_take(&switch_lock);
	count = send_to_ports(d, d->port, f);
	lock_release(&switch_lock);
	return count;
}

/* Without the lock: nobody else takes something out of this queue. */
static const struct frame *peek_frame(void *context)
{
	const struct io_device *d = context;

	return switch_peek(d->queue);
}

static void frame_done(void *context)
{
	const struct io_device *d = context;

	lock_take(&switch_lock);
	switch_done(&network, d->port);
	lock_release(&switch_lock);
}

static u32 take_frame(void *context, u8 *frame)
{
	const struct io_device *d = context;
	u32 size;

	lock_take(&switch_lock);
	size = switch_take(&network, d->port, frame);
	lock_release(&switch_lock);
	return size;
}

struct net_link io_device_link(struct io_device *d)
{
	return (struct net_link){send_frame, peek_frame, frame_done, take_frame, d};
}

void io_device_unplug(struct io_device *d)
{
	if (d->queue == NULL)
		return;
	lock_take(&switch_lock);
	switch_detach(&network, d->port);
	lock_release(&switch_lock);
}

int io_device_plug(struct io_device *d, const struct vl_device *w)
{
	const struct switch_wish wish = {w->mac, w->bridge, (w->flags & VL_DEVICE_ANY_MAC) != 0, d,
					 d->queue};
	int port;

	lock_take(&switch_lock);
	port = switch_attach(&network, &wish);
	lock_release(&switch_lock);
	d->port = (u32)port;
	return port < 0 ? port : 0;
}
