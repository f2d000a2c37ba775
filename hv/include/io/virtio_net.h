/* SPDX-License-Identifier: MIT */
/*
 * A virtio network device (virtio 1.1, section 5.1). A driver may leave
 * checksums and the cutting of TCP over IPv4 to the device, and take frames that others
 * left so; one that does neither gets what is on the wire. A frame is in one
 * chain (buffers are not merged). Pure; one caller at a time.
 */
#ifndef VELLUM_IO_VIRTIO_NET_H
#define VELLUM_IO_VIRTIO_NET_H

#include "io/frame.h"
#include "io/virtio_mmio.h"

#define VIRTIO_ID_NET           1u
#define VIRTIO_NET_RECEIVE      0u /* queues */
#define VIRTIO_NET_TRANSMIT     1u
#define VIRTIO_NET_F_CSUM       ((u64)1 << 0) /* the device makes checksums; */
#define VIRTIO_NET_F_GUEST_CSUM ((u64)1 << 1) /* the driver needs none */
#define VIRTIO_NET_F_MAC        ((u64)1 << 5)
#define VIRTIO_NET_F_GUEST_TSO4 ((u64)1 << 7)  /* the driver takes what is not cut, */
#define VIRTIO_NET_F_HOST_TSO4  ((u64)1 << 11) /* and so does the device */
#define VIRTIO_NET_HEADER       12u

/** What a round does, in plain frames, or one that is more than all of it: the caller holds a lock
 * meanwhile (L2). */
#define VIRTIO_NET_ROUND 4u

/** So many frames that were sent the driver is told of at once, of fewer with the next that comes
 * for it, or when virtio_net_say() is called. */
#define VIRTIO_NET_OWED 32u

/** Where frames go, and come from. */
struct net_link {
	u32 (*send)(void *context, const struct frame_source *f); /* how many got it */
	const struct frame *(*peek)(void *context); /* what waits longest; NULL: nothing */
	void (*done)(void *context);                /* the driver has it */
	u32 (*take)(void *context, u8 *to); /* or its next piece: at most FRAME_MOST bytes */
	void *context;
};

struct virtio_net {
	struct virtio_mmio mmio;
	u64 refused;        /* chains that were no frame */
	bool receives_next; /* it is that one's turn */
	u32 owed;           /* frames that were sent, and the driver wants to know it */
	u8 piece[FRAME_MOST + 2];
};

void virtio_net_init(struct virtio_net *n, const u8 *mac);

/** Send what the driver has, and give it what has come, as far as it has buffers: one round.
 * Whether there is more of either. With `may_owe`, the caller sees to it that virtio_net_say()
 * comes. */
bool virtio_net_serve(struct virtio_net *n, const struct guest_memory *m,
		      const struct net_link *link, bool may_owe);

/** What is owed. */
void virtio_net_say(struct virtio_net *n);

#endif
