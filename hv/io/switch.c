// SPDX-License-Identifier: MIT
/*
 * The switch, see io/switch.h. An address is a number of 48 bits here, so that
 * comparing two is one instruction: a frame is looked up at each port.
 */
#include "io/switch.h"

#include "lib/string.h"
#include "public/errno.h"

#define GROUP     ((u64)1 << 40) /* of an address: bit 0 of its first byte */
#define NOBODY    SWITCH_PORTS
#define BIT(port) ((u32)1 << (port))

_Static_assert(SWITCH_PORTS <= 32, "a mask of ports is a u32");

static u64 mac_at(const u8 *p)
{
	u64 mac = 0;

	for (u32 i = 0; i < MAC_SIZE; i++)
		mac = mac << 8 | p[i];
	return mac;
}

static bool is_station(u64 mac)
{
	return mac != 0 && !(mac & GROUP);
}

bool switch_mac_is_good(const u8 *mac)
{
	return is_station(mac_at(mac));
}

/* --- ports --- */

static bool is_on(const struct switch_port *p, u32 bridge)
{
	return p->queue != NULL && p->bridge == bridge;
}

/* The bridge with this name, or a number that no port has. */
static u32 bridge_of(const struct net_switch *s, const char *name)
{
	for (u32 i = 0; i < SWITCH_PORTS; i++)
		if (s->port[i].queue != NULL &&
		    strncmp(s->port[i].name, name, SWITCH_NAME_SIZE) == 0)
			return s->port[i].bridge;
	return s->last_bridge + 1;
}

/* Whose own address it is. */
static u32 station(const struct net_switch *s, u32 bridge, u64 mac)
{
	u32 i = 0;

	while (i < SWITCH_PORTS && !(is_on(&s->port[i], bridge) && s->port[i].mac == mac))
		i++;
	return i;
}

static u32 free_port(const struct net_switch *s)
{
	u32 i = 0;

	while (i < SWITCH_PORTS && s->port[i].queue != NULL)
		i++;
	return i;
}

static void forget(struct net_switch *s, u32 bridge, u64 mac)
{
	for (u32 i = 0; i < SWITCH_PORTS; i++)
		for (u32 k = 0; is_on(&s->port[i], bridge) && k < SWITCH_LEARNED; k++)
			if (s->port[i].learned[k].mac == mac)
				s->port[i].learned[k].mac = 0;
}

int switch_attach(struct net_switch *s, const struct switch_wish *wish)
{
	u64 mac = mac_at(wish->mac);
	u32 i = free_port(s), bridge = bridge_of(s, wish->name);

	if (station(s, bridge, mac) != NOBODY)
		return -VL_EEXIST;
	if (i == NOBODY)
		return -VL_ENOSPC;
	s->last_bridge = (u32)max_u64(s->last_bridge, bridge);
	forget(s, bridge, mac);
	s->port[i] = (struct switch_port){
		.queue = wish->queue,
		.owner = wish->owner,
		.mac = mac,
		.bridge = bridge,
		.any_mac = wish->any_mac,
	};
	memcpy(s->port[i].name, wish->name, SWITCH_NAME_SIZE);
	wish->queue->start = wish->queue->end = wish->queue->pieces = 0;
	memset(wish->queue->held, 0, sizeof(wish->queue->held));
	return (int)i;
}

void switch_detach(struct net_switch *s, u32 port)
{
	memset(&s->port[port], 0, sizeof(s->port[port]));
}

/* --- learning --- */

/* Where it goes: its own place, a free one, else that of the one not heard of for longest. So a
 * port that floods forgets addresses of its own alone. */
static struct switch_learned *place(struct switch_port *p, u64 mac)
{
	struct switch_learned *best = &p->learned[0];

	for (u32 k = 0; k < SWITCH_LEARNED; k++) {
		struct switch_learned *l = &p->learned[k];

		if (l->mac == mac)
			return l;
		if (best->mac != 0 && (l->mac == 0 || l->seen < best->seen))
			best = l;
	}
	return best;
}

static void learn(struct net_switch *s, struct switch_port *p, u64 mac, u64 now)
{
	struct switch_learned *l = place(p, mac);

	if (l->mac != mac)
		forget(s, p->bridge, mac); /* it has moved */
	*l = (struct switch_learned){mac, now};
}

/* Behind which port an address was heard of lately. */
static u32 learned(const struct net_switch *s, u32 bridge, u64 mac, u64 now)
{
	for (u32 i = 0; i < SWITCH_PORTS; i++)
		for (u32 k = 0;
		     is_on(&s->port[i], bridge) && s->port[i].any_mac && k < SWITCH_LEARNED; k++)
			if (s->port[i].learned[k].mac == mac)
				return now - s->port[i].learned[k].seen < s->age ? i : NOBODY;
	return NOBODY;
}

/* --- frames --- */

/* The address of another port is nobody's to send from. */
static bool may_send(const struct net_switch *s, u32 port, u64 from)
{
	const struct switch_port *p = &s->port[port];
	u32 owner;

	if (!is_station(from))
		return false;
	if (from == p->mac)
		return true;
	if (!p->any_mac)
		return false;
	owner = station(s, p->bridge, from);
	return owner == NOBODY;
}

static u32 everybody(const struct net_switch *s, u32 but, bool any_mac)
{
	u32 mask = 0;

	for (u32 i = 0; i < SWITCH_PORTS; i++)
		if (i != but && is_on(&s->port[i], s->port[but].bridge) &&
		    (!any_mac || s->port[i].any_mac))
			mask |= BIT(i);
	return mask;
}

static u32 destinations(const struct net_switch *s, u32 from, u64 to, u64 now)
{
	u32 bridge = s->port[from].bridge, port;

	if (to & GROUP)
		return everybody(s, from, false);
	port = station(s, bridge, to);
	if (port == NOBODY)
		port = learned(s, bridge, to, now);
	if (port == NOBODY)
		return everybody(s, from, true);
	return port != from ? BIT(port) : 0;
}

static struct frame *frame_at(const struct switch_queue *q, u32 block)
{
	return (void *)(uintptr_t)q->block[block % SWITCH_BLOCKS];
}

/* Blocks of a frame, and those before it that are left out, so that it need not be divided. */
struct room {
	u32 skip, blocks;
};

/* For its bytes, or for what its pieces are to those who get them. */
static u32 blocks_of(const struct frame_source *f)
{
	u32 bytes = ((u32)sizeof(struct frame) + f->size + SWITCH_BLOCK - 1) / SWITCH_BLOCK;
	u32 pieces = f->offload.segment != 0 ? f->size / f->offload.segment + 1 : 1;

	if (f->offload.kind == 0)
		return bytes;
	pieces = pieces < FRAME_SEGMENTS ? pieces : FRAME_SEGMENTS; /* no good if there are more */
	return pieces > bytes * SWITCH_PIECES ? pieces / SWITCH_PIECES : bytes;
}

/* A sender may have as much as it leaves free. */
static bool find_room(const struct switch_queue *q, u32 from, const struct frame_source *f,
		      struct room *r)
{
	u32 to_the_last = SWITCH_BLOCKS - q->end % SWITCH_BLOCKS;

	r->blocks = blocks_of(f);
	r->skip = r->blocks > to_the_last ? to_the_last : 0;
	return q->held[from] + r->skip + r->blocks <= SWITCH_BLOCKS - (q->end - q->start);
}

/* Whoever looks at `end` sees what is before it. */
static void commit(struct switch_queue *q, u32 from, const struct room *r)
{
	if (r->skip != 0)
		*frame_at(q, q->end) = (struct frame){.blocks = (u8)r->skip, .from = (u8)from};
	q->held[from] = (u16)(q->held[from] + r->skip + r->blocks);
	__atomic_store_n(&q->end, q->end + r->skip + r->blocks, __ATOMIC_RELEASE);
}

/* The frame, if it is good; it is not in the queue yet. */
static bool fill(struct frame *f, const struct frame_source *source)
{
	f->size = source->size;
	f->offload = source->offload;
	if (!source->copy(source->context, f->bytes, f->size))
		return false;
	memcpy(f->bytes, source->head, FRAME_HEADER); /* as it was judged */
	return frame_is_good(f);
}

static bool copy_bytes(void *context, u8 *to, u32 size)
{
	memcpy(to, context, size);
	return true;
}

/* To all of them. It is copied from its sender once; the others get what the first one got. False:
 * it is no good. */
static bool put_all(struct net_switch *s, u32 from, struct frame_source f, u32 to, u32 *got)
{
	if (f.size > FRAME_MOST && (to & (to - 1)) != 0)
		return false;
	for (; to != 0; to &= to - 1) {
		u32 i = (u32)__builtin_ctz(to);
		struct switch_queue *q = s->port[i].queue;
		struct frame *frame;
		struct room r;

		if (!find_room(q, from, &f, &r)) {
			s->port[i].counts.dropped++;
			continue;
		}
		frame = frame_at(q, q->end + r.skip);
		if (!fill(frame, &f))
			return false;
		frame->from = (u8)from;
		frame->blocks = (u8)r.blocks;
		commit(q, from, &r);
		*got |= BIT(i);
		f.copy = copy_bytes;
		f.context = frame->bytes;
	}
	return true;
}

u32 switch_send(struct net_switch *s, u32 port, const struct frame_source *f, u64 now)
{
	struct switch_port *p = &s->port[port];
	u64 from = mac_at(f->head + MAC_SIZE);
	u32 got = 0;

	if (f->size < FRAME_HEADER || f->size > FRAME_LONGEST || !may_send(s, port, from)) {
		p->counts.refused++;
		return 0;
	}
	if (from != p->mac)
		learn(s, p, from, now);
	if (!put_all(s, port, *f, destinations(s, port, mac_at(f->head), now), &got)) {
		p->counts.refused++;
		return got;
	}
	p->counts.sent++;
	p->counts.sent_bytes += f->size;
	return got;
}

const struct frame *switch_peek(const struct switch_queue *q)
{
	const struct frame *f = frame_at(q, q->start);

	if (__atomic_load_n(&q->end, __ATOMIC_ACQUIRE) == q->start)
		return NULL;
	return f->size != 0 ? f : frame_at(q, q->start + f->blocks);
}

static void free_blocks(struct switch_queue *q, const struct frame *f)
{
	q->held[f->from] = (u16)(q->held[f->from] - f->blocks);
	q->start += f->blocks;
}

void switch_done(struct net_switch *s, u32 port)
{
	struct switch_port *p = &s->port[port];
	struct switch_queue *q = p->queue;
	const struct frame *f = frame_at(q, q->start);

	if (f->size == 0) {
		free_blocks(q, f);
		f = frame_at(q, q->start);
	}
	p->counts.got++;
	p->counts.got_bytes += f->size;
	free_blocks(q, f);
	q->pieces = 0;
}

u32 switch_take(struct net_switch *s, u32 port, u8 *to)
{
	struct switch_queue *q = s->port[port].queue;
	const struct frame *f = switch_peek(q);
	u32 size;

	if (f == NULL)
		return 0;
	size = frame_piece(f, q->pieces++, to);
	if (q->pieces == frame_pieces(f))
		switch_done(s, port);
	return size;
}
