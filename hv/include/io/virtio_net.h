/* SPDX-License-Identifier: MIT */
/*
 * A virtio network device (virtio 1.1, section 5.1), without offloads: a frame
 * is what is on the wire, in one chain. Pure; one caller at a time.
 */
#ifndef VELLUM_IO_VIRTIO_NET_H
#define VELLUM_IO_VIRTIO_NET_H

#include "io/virtio_mmio.h"

#define VIRTIO_ID_NET       1u
#define VIRTIO_NET_RECEIVE  0u /* queues */
#define VIRTIO_NET_TRANSMIT 1u
#define VIRTIO_NET_F_MAC    ((u64)1 << 5)
#define VIRTIO_NET_HEADER   12u
#define VIRTIO_NET_FRAME    1518u /* bytes at most */

/** Where frames go, and come from. */
struct net_link {
	void (*send)(void *context, const u8 *frame, size_t size);
	bool (*has)(void *context); /* whether a frame waits */
	size_t (*take)(void *context, u8 *frame);
	void *context;
};

struct virtio_net {
	struct virtio_mmio mmio;
	u64 refused; /* chains that were no frame */
	u8 frame[VIRTIO_NET_FRAME + 2];
};

void virtio_net_init(struct virtio_net *n, const u8 *mac);

/** Send what the driver has, at most so many frames. Whether there is more. */
bool virtio_net_transmit(struct virtio_net *n, const struct guest_memory *m,
			 const struct net_link *link, u32 most);

/** Give the driver what has come, as far as it has buffers, at most so many frames. Whether there
 * is more of both. */
bool virtio_net_receive(struct virtio_net *n, const struct guest_memory *m,
			const struct net_link *link, u32 most);

#endif
