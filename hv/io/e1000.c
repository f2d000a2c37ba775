// SPDX-License-Identifier: MIT
/*
 * The 82540EM, see io/e1000.h: legacy descriptors, one a frame.
 */
#include "io/e1000.h"

#include "lib/string.h"
#include "public/errno.h"

/* Registers and their bits. */
#define CTRL   0x0000u
#define STATUS 0x0008u
#define EERD   0x0014u
#define MDIC   0x0020u
#define ICR    0x00c0u
#define IMC    0x00d8u
#define RCTL   0x0100u
#define TCTL   0x0400u
#define TIPG   0x0410u
#define RX     0x2800u /* of a ring, with these: */
#define TX     0x3800u
#define BASE   0x00u
#define BASE_H 0x04u
#define LENGTH 0x08u
#define HEAD   0x10u
#define TAIL   0x18u
#define MPC    0x4010u
#define MTA    0x5200u
#define RAL    0x5400u
#define RAH    0x5404u

#define CTRL_AUTO    0x00000060u /* speed and link as the other side has them */
#define CTRL_RESET   0x04000000u
#define CTRL_VLAN    0x40000000u /* tags go into descriptors */
#define STATUS_LINK  0x00000002u
#define EERD_START   0x00000001u
#define EERD_DONE    0x00000010u
#define EERD_ADDRESS 8
#define EERD_DATA    16
#define MDIC_WRITE   0x04200000u /* to a register of the PHY, */
#define MDIC_READ    0x08200000u
#define MDIC_READY   0x10000000u /* done */
#define PHY_SLEEPS   0x0800u     /* register 0; and awake, to agree with the other side anew: */
#define PHY_CONTROL  0x1200u
#define RCTL_ON      0x00000002u
#define RCTL_ALL     0x00008018u /* all stations, all groups, broadcasts */
#define RCTL_STRIP   0x04000000u /* the checksum */
#define RCTL_OURS    (RCTL_ON | RCTL_ALL | RCTL_STRIP)
#define TCTL_ON      0x0004010au /* pads short frames; collisions as full duplex wants them */
#define TIPG_COPPER  0x00602006u
#define RAH_VALID    0x80000000u

#define MTA_WORDS  128u
#define MAC_WORDS  3u
#define PAUSES     20000u /* until what the card does at once counts as never */
#define LOOKS      10u    /* at the link a second */
#define NOBODY     0xffffffffu
#define GROUP      1u    /* of an address's first byte */
#define TX_COMMAND 0x0bu /* end of a frame, add the checksum, report */
#define DONE       0x01u
#define RX_END     0x02u
#define RX_ERRORS  0x97u /* but checksums of IP and TCP, which are not the card's affair */

struct rx_descriptor {
	u64 address;
	u16 length;
	u16 checksum;
	u8 status;
	u8 errors;
	u16 special;
};

struct tx_descriptor {
	u64 address;
	u16 length;
	u8 offset;
	u8 command;
	u8 status;
	u8 start;
	u16 special;
};
_Static_assert(sizeof(struct rx_descriptor) == 16 && sizeof(struct tx_descriptor) == 16, "layout");
_Static_assert((E1000_RECEIVE + E1000_TRANSMIT) * 16 <= E1000_RINGS, "both rings");

#define TX_RING    (E1000_RECEIVE * sizeof(struct rx_descriptor)) /* where it begins */
#define RX_BUFFERS E1000_RINGS
#define TX_BUFFERS (RX_BUFFERS + E1000_RECEIVE * E1000_BUFFER)

static u32 get(const struct e1000 *e, u32 offset)
{
	return e->access.read(e->access.context, offset);
}

static void set(const struct e1000 *e, u32 offset, u32 value)
{
	e->access.write(e->access.context, offset, value);
}

static struct rx_descriptor *rx_at(const struct e1000 *e, u32 i)
{
	return (struct rx_descriptor *)e->memory + i;
}

static struct tx_descriptor *tx_at(const struct e1000 *e, u32 i)
{
	return (struct tx_descriptor *)(e->memory + TX_RING) + i;
}

/* --- starting --- */

/* Until the register has these bits, and not those. */
static bool wait_for(const struct e1000 *e, u32 offset, u32 bits, u32 not )
{
	for (u32 i = 0; i < PAUSES; i++) {
		u32 value = get(e, offset);

		if (value != NOBODY && (value & (bits | not )) == bits)
			return true;
		e->access.pause(e->access.context);
	}
	return false;
}

static void be_silent(const struct e1000 *e)
{
	set(e, IMC, NOBODY);
	set(e, RCTL, 0);
	set(e, TCTL, 0);
	get(e, ICR);
}

static bool reset(const struct e1000 *e)
{
	be_silent(e);
	set(e, CTRL, get(e, CTRL) | CTRL_RESET);
	e->access.pause(e->access.context);
	if (!wait_for(e, CTRL, 0, CTRL_RESET))
		return false;
	be_silent(e);
	return true;
}

static bool read_eeprom(const struct e1000 *e, u8 *mac)
{
	for (u32 i = 0; i < MAC_WORDS; i++) {
		u32 value;

		set(e, EERD, EERD_START | i << EERD_ADDRESS);
		if (!wait_for(e, EERD, EERD_DONE, 0))
			return false;
		value = get(e, EERD) >> EERD_DATA;
		mac[2 * i] = (u8)value;
		mac[2 * i + 1] = (u8)(value >> 8);
	}
	return true;
}

static bool is_station(const u8 *mac)
{
	u32 all = 0;

	for (u32 i = 0; i < E1000_MAC_SIZE; i++)
		all |= mac[i];
	return all != 0 && !(mac[0] & GROUP);
}

/* A reset loads it from the EEPROM; where that has not been, it is read from there. */
static bool find_mac(struct e1000 *e)
{
	u32 low = get(e, RAL), high = get(e, RAH);

	for (u32 i = 0; i < E1000_MAC_SIZE; i++)
		e->mac[i] = (u8)(i < 4 ? low >> 8 * i : high >> 8 * (i - 4));
	if ((high & RAH_VALID) && is_station(e->mac))
		return true;
	return read_eeprom(e, e->mac) && is_station(e->mac);
}

static void set_ring(const struct e1000 *e, u32 ring, u64 ma, u32 size, u32 tail)
{
	set(e, ring + BASE, (u32)ma);
	set(e, ring + BASE_H, (u32)(ma >> 32));
	set(e, ring + LENGTH, size);
	set(e, ring + HEAD, 0);
	set(e, ring + TAIL, tail);
}

/* So that a card which is on has no descriptor of the ring that it had. A frame that comes
 * meanwhile moves the head on. */
static void end_ring(const struct e1000 *e, u32 ring)
{
	u32 head = get(e, ring + HEAD), tail = ~head;

	for (u32 i = 0; i < PAUSES && head != tail; i++) {
		tail = head;
		set(e, ring + TAIL, tail);
		head = get(e, ring + HEAD);
	}
}

static bool has_sent(const struct e1000 *e)
{
	return get(e, TX + HEAD) == get(e, TX + TAIL);
}

/* The card may have all receive descriptors but one: a full ring looks like an empty one. */
static void make_rings(struct e1000 *e)
{
	memset(e->memory, 0, E1000_RINGS);
	for (u32 i = 0; i < E1000_RECEIVE; i++)
		rx_at(e, i)->address = e->ma + RX_BUFFERS + i * E1000_BUFFER;
	for (u32 i = 0; i < E1000_TRANSMIT; i++)
		tx_at(e, i)->address = e->ma + TX_BUFFERS + i * E1000_BUFFER;
	e->receive = e->sent = e->done = 0;
	e->in_frame = false;
	set_ring(e, RX, e->ma, TX_RING, E1000_RECEIVE - 1);
	set_ring(e, TX, e->ma + TX_RING, E1000_TRANSMIT * sizeof(struct tx_descriptor), 0);
}

static void look_at_link(struct e1000 *e, u64 now)
{
	u32 status = get(e, STATUS);
	bool link = status != NOBODY && (status & STATUS_LINK);

	if (link && !e->link)
		e->since = now;
	e->link = link;
	e->looked = now;
}

/* Whoever had the card before may have put it to sleep, from which a reset does not wake it. One
 * that is awake keeps its link. One that does not answer has none, which is seen. */
static void wake_phy(const struct e1000 *e)
{
	set(e, MDIC, MDIC_READ);
	if (!wait_for(e, MDIC, MDIC_READY, 0) || !(get(e, MDIC) & PHY_SLEEPS))
		return;
	set(e, MDIC, MDIC_WRITE | PHY_CONTROL);
	wait_for(e, MDIC, MDIC_READY, 0);
}

static bool start_anew(struct e1000 *e)
{
	if (!reset(e) || !find_mac(e))
		return false;
	for (u32 i = 0; i < MTA_WORDS; i++)
		set(e, MTA + 4 * i, 0);
	make_rings(e);
	set(e, CTRL, (get(e, CTRL) & ~CTRL_VLAN) | CTRL_AUTO);
	wake_phy(e);
	set(e, TIPG, TIPG_COPPER);
	set(e, TCTL, TCTL_ON);
	set(e, RCTL, RCTL_OURS);
	return true;
}

/* Its link stays up, and QEMU's card receives nothing for a second behind each write to RCTL. */
static bool go_on(struct e1000 *e)
{
	set(e, IMC, NOBODY);
	if (!find_mac(e))
		return false;
	end_ring(e, RX);
	make_rings(e);
	return true;
}

static int start(struct e1000 *e, u64 now)
{
	e->works = e->went_on ? go_on(e) : start_anew(e);
	if (!e->works)
		return -VL_EIO;
	e->since = now;
	get(e, MPC);
	e->missed = get(e, MPC); /* what others missed */
	look_at_link(e, now);
	return 0;
}

int e1000_start(struct e1000 *e, const struct e1000_access *access, u8 *memory, u64 ma, u64 second,
		u64 now)
{
	*e = (struct e1000){.access = *access, .memory = memory, .ma = ma, .second = second};
	look_at_link(e, now);
	e->went_on = e->link && get(e, RCTL) == RCTL_OURS && get(e, TCTL) == TCTL_ON &&
		     !(get(e, CTRL) & CTRL_VLAN) && has_sent(e);
	return start(e, now);
}

void e1000_end_receiving(struct e1000 *e)
{
	if (!e->works || !e->went_on)
		return;
	e->ends = true;
	end_ring(e, RX);
}

/* Nowhere, with its head at its tail as it is: each write to one of them would give the card
 * descriptors until the other one is written. */
static void place_nowhere(const struct e1000 *e, u32 ring)
{
	end_ring(e, ring);
	set(e, ring + BASE, 0);
	set(e, ring + BASE_H, 0);
	set(e, ring + LENGTH, 0);
}

/* As it came, so it goes: on. */
void e1000_stop(struct e1000 *e)
{
	bool stays = e->works && e->went_on;

	for (u32 i = 0; stays && i < PAUSES && !has_sent(e); i++)
		e->access.pause(e->access.context);
	if (stays && has_sent(e)) {
		place_nowhere(e, RX);
		place_nowhere(e, TX);
	} else {
		reset(e);
	}
	e->works = e->link = false;
}

/* --- sending --- */

static void collect(struct e1000 *e, u64 now)
{
	while (e->done != e->sent &&
	       (__atomic_load_n(&tx_at(e, e->done)->status, __ATOMIC_ACQUIRE) & DONE)) {
		e->done = (e->done + 1) % E1000_TRANSMIT;
		e->since = now;
	}
}

bool e1000_has_room(struct e1000 *e, u64 now)
{
	collect(e, now);
	return (e->sent + 1) % E1000_TRANSMIT != e->done;
}

bool e1000_send(struct e1000 *e, const u8 *frame, size_t size, u64 now)
{
	struct tx_descriptor *d = tx_at(e, e->sent);

	if (!e->works || !e->link || size < E1000_FRAME_LEAST || size > E1000_FRAME_MOST ||
	    !e1000_has_room(e, now)) {
		e->counts.dropped++;
		return false;
	}
	if (e->done == e->sent)
		e->since = now;
	memcpy(e->memory + TX_BUFFERS + e->sent * E1000_BUFFER, frame, size);
	/* The address anew: whatever the card wrote there is forgotten. */
	*d = (struct tx_descriptor){.address = e->ma + TX_BUFFERS + e->sent * E1000_BUFFER,
				    .length = (u16)size,
				    .command = TX_COMMAND};
	e->size[e->sent] = (u16)size;
	e->sent = (e->sent + 1) % E1000_TRANSMIT;
	e->counts.sent++;
	e->counts.sent_bytes += size;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	set(e, TX + TAIL, e->sent);
	return true;
}

/* --- receiving --- */

/* The next one is the card's again. */
static void give_back(struct e1000 *e)
{
	*rx_at(e, e->receive) =
		(struct rx_descriptor){.address = e->ma + RX_BUFFERS + e->receive * E1000_BUFFER};
	__atomic_thread_fence(__ATOMIC_RELEASE);
	if (!e->ends)
		set(e, RX + TAIL, e->receive);
	e->receive = (e->receive + 1) % E1000_RECEIVE;
}

/* Whole, in one buffer, and of a size that a frame has. */
static bool is_good(struct e1000 *e, const struct rx_descriptor *d, u8 status)
{
	bool whole = !e->in_frame && (status & RX_END);

	e->in_frame = !(status & RX_END);
	return whole && !(d->errors & RX_ERRORS) && d->length >= E1000_FRAME_LEAST &&
	       d->length <= E1000_FRAME_MOST;
}

size_t e1000_receive(struct e1000 *e, const u8 **frame)
{
	for (u32 i = 0; e->works && i < E1000_RECEIVE; i++) {
		u8 status = __atomic_load_n(&rx_at(e, e->receive)->status, __ATOMIC_ACQUIRE);
		const struct rx_descriptor d =
			*(volatile const struct rx_descriptor *)rx_at(e, e->receive);

		if (!(status & DONE))
			return 0;
		if (is_good(e, &d, status)) {
			*frame = e->memory + RX_BUFFERS + e->receive * E1000_BUFFER;
			e->counts.received++;
			e->counts.received_bytes += d.length;
			return d.length;
		}
		e->counts.errors++;
		give_back(e);
	}
	return 0;
}

void e1000_received(struct e1000 *e)
{
	give_back(e);
}

/* --- now and then --- */

static void lose_what_waits(struct e1000 *e)
{
	for (; e->done != e->sent; e->done = (e->done + 1) % E1000_TRANSMIT) {
		e->counts.sent--;
		e->counts.sent_bytes -= e->size[e->done];
		e->counts.dropped++;
	}
}

/* Reading it sets it to 0, but not in QEMU: the second time tells. */
static void count_missed(struct e1000 *e)
{
	u32 missed = get(e, MPC);

	e->counts.missed += missed >= e->missed ? missed - e->missed : missed;
	e->missed = get(e, MPC);
}

void e1000_check(struct e1000 *e, u64 now)
{
	if (!e->works || now - e->looked < e->second / LOOKS)
		return;
	look_at_link(e, now);
	count_missed(e);
	collect(e, now);
	if (!e->link || e->done == e->sent || now - e->since < e->second)
		return;
	e->counts.timeouts++;
	e->went_on = false;
	lose_what_waits(e);
	if (start(e, now) < 0)
		e->link = false;
}
