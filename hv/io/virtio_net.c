// SPDX-License-Identifier: MIT
/*
 * The virtio network device, see io/virtio_net.h.
 */
#include "io/virtio_net.h"

#include "lib/string.h"

#define BYTES_A_UNIT  16384u
#define NR_BUFFERS_AT 10u /* in the header, behind what `struct offload` is */

void virtio_net_init(struct virtio_net *n, const u8 *mac)
{
	memset(n, 0, sizeof(*n));
	n->mmio.id = VIRTIO_ID_NET;
	n->mmio.nr_queues = 2;
	n->mmio.features = VIRTIO_F_VERSION | VIRTIO_NET_F_MAC | VIRTIO_NET_F_CSUM |
			   VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_GUEST_TSO4 |
			   VIRTIO_NET_F_HOST_TSO4;
	n->mmio.config_size = 6;
	memcpy(n->mmio.config, mac, n->mmio.config_size);
	virtio_mmio_reset(&n->mmio);
}

static bool has(const struct virtio_net *n, u64 features)
{
	return (n->mmio.driver_features & features) == features;
}

static bool has_more(const struct virtio_net *n, const struct guest_memory *m, u32 queue)
{
	return virtio_mmio_runs(&n->mmio, queue) && virtqueue_has_more(&n->mmio.queue[queue], m);
}

/* In what a plain frame of one part costs, some 2,000 instructions; as measured. */
static u32 cost(const struct virtqueue_chain *c, u32 ports, bool made)
{
	return 1 + c->nr_parts / 8 + (c->readable + c->writable) / BYTES_A_UNIT + ports / 5 + made;
}

/* What costs more than is left waits for the next round, which begins with it if it is its turn. */
static bool waits(u32 left, u32 units)
{
	return units > left && left < VIRTIO_NET_ROUND;
}

static void spend(u32 *left, u32 units)
{
	*left -= units < *left ? units : *left;
}

/* --- to the link --- */

struct chain_source {
	const struct virtqueue_chain *chain;
	const struct guest_memory *m;
};

static bool copy_chain(void *context, u8 *to, u32 size)
{
	const struct chain_source *c = context;

	return virtqueue_read(c->chain, c->m, VIRTIO_NET_HEADER, to, size);
}

/* Only of a driver that has said that it fills it in, the header tells something. *ports: how many
 * got the frame. */
static bool send_one(const struct virtio_net *n, const struct net_link *link,
		     struct chain_source *c, u32 *ports)
{
	struct frame_source f = {
		.size = c->chain->readable - VIRTIO_NET_HEADER, .copy = copy_chain, .context = c};

	if (c->chain->readable < VIRTIO_NET_HEADER + FRAME_HEADER ||
	    f.size > (has(n, VIRTIO_NET_F_HOST_TSO4) ? FRAME_LONGEST : FRAME_MOST) ||
	    !virtqueue_read(c->chain, c->m, VIRTIO_NET_HEADER, f.head, sizeof(f.head)))
		return false;
	if (has(n, VIRTIO_NET_F_CSUM) &&
	    !virtqueue_read(c->chain, c->m, 0, &f.offload, sizeof(f.offload)))
		return false;
	if (f.offload.kind != 0 && !has(n, VIRTIO_NET_F_HOST_TSO4))
		return false;
	*ports = link->send(link->context, &f);
	return true;
}

/* A chain that is no frame is given back, as a cable would: its sender notices nothing. */
static void transmit(struct virtio_net *n, const struct guest_memory *m,
		     const struct net_link *link, u32 *left)
{
	struct virtqueue_chain c;
	struct chain_source source = {&c, m};

	while (*left > 0 && virtio_mmio_take(&n->mmio, m, VIRTIO_NET_TRANSMIT, VIRTQUEUE_ALL, &c)) {
		u32 ports = 0;

		if (waits(*left, cost(&c, 0, false))) {
			virtqueue_untake(&n->mmio.queue[VIRTIO_NET_TRANSMIT]);
			return;
		}
		if (!send_one(n, link, &source, &ports))
			n->refused++;
		n->owed += virtio_mmio_give(&n->mmio, m, VIRTIO_NET_TRANSMIT, c.head, 0);
		spend(left, cost(&c, ports, false));
	}
}

/* --- from the link --- */

static bool takes(const struct virtio_net *n, const struct offload *o)
{
	u64 needed = (o->flags != 0 ? VIRTIO_NET_F_GUEST_CSUM : 0) |
		     (o->kind != 0 ? VIRTIO_NET_F_GUEST_TSO4 : 0);

	return has(n, needed);
}

static void give(struct virtio_net *n, const struct guest_memory *m,
		 const struct virtqueue_chain *c, const struct offload *o, const u8 *bytes,
		 u32 size)
{
	u8 header[VIRTIO_NET_HEADER] = {[NR_BUFFERS_AT] = 1};

	memcpy(header, o, sizeof(*o));
	virtqueue_write(c, m, 0, header, sizeof(header));
	virtqueue_write(c, m, sizeof(header), bytes, size);
	if (virtio_mmio_give(&n->mmio, m, VIRTIO_NET_RECEIVE, c->head, VIRTIO_NET_HEADER + size))
		virtio_mmio_interrupt(&n->mmio);
}

/* Each buffer has room for any frame that the driver takes (section 5.1.6.3.1): one that has not
 * breaks the rules. Of its chain no more is looked at than is needed. False: there was none, or no
 * good one. */
static bool receive_one(struct virtio_net *n, const struct guest_memory *m,
			const struct net_link *link, const struct frame *f, u32 *left)
{
	static const struct offload nothing;
	bool whole = takes(n, &f->offload);
	u32 size = whole ? f->size : FRAME_MOST;
	u32 room = VIRTIO_NET_HEADER + (size > FRAME_MOST ? size : FRAME_MOST);
	struct virtqueue_chain c;

	if (waits(*left, 1 + size / BYTES_A_UNIT) ||
	    !virtio_mmio_take(&n->mmio, m, VIRTIO_NET_RECEIVE, room, &c))
		return false;
	if (c.writable < room) {
		virtio_mmio_break(&n->mmio);
		return false;
	}
	if (whole) {
		give(n, m, &c, &f->offload, f->bytes, size);
		link->done(link->context);
	} else {
		size = link->take(link->context, n->piece);
		give(n, m, &c, &nothing, n->piece, size);
	}
	spend(left, cost(&c, 0, !whole));
	return true;
}

static void receive(struct virtio_net *n, const struct guest_memory *m, const struct net_link *link,
		    u32 *left)
{
	const struct frame *f;

	while (*left > 0 && (f = link->peek(link->context)) != NULL)
		if (!receive_one(n, m, link, f, left))
			return;
}

void virtio_net_say(struct virtio_net *n)
{
	if (n->owed != 0 && virtio_mmio_runs(&n->mmio, VIRTIO_NET_TRANSMIT))
		virtio_mmio_interrupt(&n->mmio);
	n->owed = 0;
}

/* An interrupt that is there already tells of all that was done before it is acknowledged. */
static void say_if_due(struct virtio_net *n, bool may_owe)
{
	if (!may_owe || n->owed >= VIRTIO_NET_OWED || virtio_mmio_line(&n->mmio))
		virtio_net_say(n);
}

/* A driver tells of new buffers as long as something waits for them. */
static bool waits_for_buffers(struct virtio_net *n, const struct guest_memory *m,
			      const struct net_link *link)
{
	bool waits = link->peek(link->context) != NULL;

	if (virtio_mmio_runs(&n->mmio, VIRTIO_NET_RECEIVE))
		virtqueue_set_quiet(&n->mmio.queue[VIRTIO_NET_RECEIVE], m, !waits);
	return waits;
}

bool virtio_net_serve(struct virtio_net *n, const struct guest_memory *m,
		      const struct net_link *link, bool may_owe)
{
	u32 left = VIRTIO_NET_ROUND;

	if (n->receives_next)
		receive(n, m, link, &left);
	transmit(n, m, link, &left);
	if (!n->receives_next)
		receive(n, m, link, &left);
	n->receives_next = !n->receives_next;
	say_if_due(n, may_owe);
	if (waits_for_buffers(n, m, link) && has_more(n, m, VIRTIO_NET_RECEIVE))
		return true;
	return has_more(n, m, VIRTIO_NET_TRANSMIT);
}
