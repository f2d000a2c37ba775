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
	wish->queue->start = wish->queue->end = 0;
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

static bool put(struct switch_port *p, u32 from, const u8 *frame, size_t size)
{
	struct switch_queue *q = p->queue;
	u32 i = q->end % SWITCH_QUEUE;

	if (q->held[from] >= SWITCH_QUEUE - (q->end - q->start)) {
		p->counts.dropped++;
		return false;
	}
	memcpy(q->frame[i], frame, size);
	q->size[i] = (u16)size;
	q->from[i] = (u8)from;
	q->held[from]++;
	q->end++;
	return true;
}

u32 switch_send(struct net_switch *s, u32 port, const u8 *frame, size_t size, u64 now)
{
	struct switch_port *p = &s->port[port];
	u32 to, got = 0;
	u64 from;

	if (size < SWITCH_FRAME_LEAST || size > SWITCH_FRAME_MOST ||
	    !may_send(s, port, from = mac_at(frame + MAC_SIZE))) {
		p->counts.refused++;
		return 0;
	}
	if (from != p->mac)
		learn(s, p, from, now);
	p->counts.sent++;
	p->counts.sent_bytes += size;
	to = destinations(s, port, mac_at(frame), now);
	for (; to != 0; to &= to - 1) {
		u32 i = (u32)__builtin_ctz(to);

		got |= put(&s->port[i], port, frame, size) ? BIT(i) : 0;
	}
	return got;
}

size_t switch_take(struct net_switch *s, u32 port, u8 *frame)
{
	struct switch_port *p = &s->port[port];
	struct switch_queue *q = p->queue;
	size_t size;

	if (q->start == q->end)
		return 0;
	size = q->size[q->start % SWITCH_QUEUE];
	memcpy(frame, q->frame[q->start % SWITCH_QUEUE], size);
	q->held[q->from[q->start % SWITCH_QUEUE]]--;
	q->start++;
	p->counts.got++;
	p->counts.got_bytes += size;
	return size;
}
