// SPDX-License-Identifier: MIT
/*
 * The virtio network device, see io/virtio_net.h.
 */
#include "io/virtio_net.h"

#include "lib/string.h"

#define NR_BUFFERS_AT 10u /* in the header; the rest of it tells of offloads */

void virtio_net_init(struct virtio_net *n, const u8 *mac)
{
	memset(n, 0, sizeof(*n));
	n->mmio.id = VIRTIO_ID_NET;
	n->mmio.nr_queues = 2;
	n->mmio.features = VIRTIO_F_VERSION | VIRTIO_NET_F_MAC;
	n->mmio.config_size = 6;
	memcpy(n->mmio.config, mac, n->mmio.config_size);
	virtio_mmio_reset(&n->mmio);
}

static bool has_more(const struct virtio_net *n, const struct guest_memory *m, u32 queue)
{
	return virtio_mmio_runs(&n->mmio, queue) && virtqueue_has_more(&n->mmio.queue[queue], m);
}

/* A chain that is no frame is given back, as a cable would: its sender notices nothing. */
bool virtio_net_transmit(struct virtio_net *n, const struct guest_memory *m,
			 const struct net_link *link, u32 most)
{
	struct virtqueue_chain c;

	for (; most > 0 && virtio_mmio_take(&n->mmio, m, VIRTIO_NET_TRANSMIT, &c); most--) {
		u32 size = c.readable - VIRTIO_NET_HEADER;

		if (c.readable >= VIRTIO_NET_HEADER && size <= VIRTIO_NET_FRAME &&
		    virtqueue_read(&c, m, VIRTIO_NET_HEADER, n->frame, size))
			link->send(link->context, n->frame, size);
		else
			n->refused++;
		virtio_mmio_give(&n->mmio, m, VIRTIO_NET_TRANSMIT, c.head, 0);
	}
	return has_more(n, m, VIRTIO_NET_TRANSMIT);
}

/* Each buffer has room for any frame (section 5.1.6.3.1): one that has not breaks the rules. */
static void receive_one(struct virtio_net *n, const struct guest_memory *m,
			const struct net_link *link, const struct virtqueue_chain *c)
{
	u8 header[VIRTIO_NET_HEADER] = {[NR_BUFFERS_AT] = 1};
	u32 size;

	if (c->writable < VIRTIO_NET_HEADER + VIRTIO_NET_FRAME) {
		virtio_mmio_break(&n->mmio);
		return;
	}
	size = (u32)link->take(link->context, n->frame);
	virtqueue_write(c, m, 0, header, sizeof(header));
	virtqueue_write(c, m, sizeof(header), n->frame, size);
	virtio_mmio_give(&n->mmio, m, VIRTIO_NET_RECEIVE, c->head, VIRTIO_NET_HEADER + size);
}

bool virtio_net_receive(struct virtio_net *n, const struct guest_memory *m,
			const struct net_link *link, u32 most)
{
	struct virtqueue_chain c;

	for (; most > 0 && link->has(link->context) &&
	       virtio_mmio_take(&n->mmio, m, VIRTIO_NET_RECEIVE, &c);
	     most--)
		receive_one(n, m, link, &c);
	return link->has(link->context) && has_more(n, m, VIRTIO_NET_RECEIVE);
}
