// SPDX-License-Identifier: MIT
/*
 * See io/frame.h. Formats: RFC 791 (IPv4), RFC 9293 (TCP), RFC 1071 (the checksum), IEEE 802.1Q.
 */
#include "io/frame.h"

#include "lib/string.h"

#define TYPE_AT      12u /* in the frame */
#define TYPE_IP4     0x0800u
#define TYPE_TAG     0x8100u
#define TAG_SIZE     4u
#define IP_LENGTH    2u /* in a header of IP */
#define IP_ID        4u
#define IP_FRAGMENT  6u
#define IP_PROTOCOL  9u
#define IP_SUM       10u
#define IP_ADDRESSES 12u
#define IP_LEAST     20u
#define NO_FRAGMENT  0x4000u /* may be set */
#define PROTOCOL_TCP 6u
#define TCP_SEQUENCE 4u /* in a header of TCP */
#define TCP_DATA     12u
#define TCP_FLAGS    13u
#define TCP_SUM      16u
#define TCP_LEAST    20u
#define TCP_LAST     0x09u /* FIN and PSH: of the last piece alone */
#define TCP_FIRST    0x80u /* CWR: of the first */

static u32 get16(const u8 *p)
{
	return (u32)p[0] << 8 | p[1];
}

static void put16(u8 *p, u32 value)
{
	p[0] = (u8)(value >> 8);
	p[1] = (u8)value;
}

/* --- checksums --- */

static u32 fold(u64 all)
{
	while (all >> 16 != 0)
		all = (all & 0xffff) + (all >> 16);
	return (u32)all;
}

/* Of words as they are in memory: sums can be added, and folded again. */
static u32 sum(const u8 *p, u32 size)
{
	u64 all = 0, word = 0;

	for (; size >= sizeof(word); size -= (u32)sizeof(word), p += sizeof(word)) {
		__builtin_memcpy(&word, p, sizeof(word));
		all += word;
		all += all < word;
	}
	word = 0;
	memcpy(&word, p, size);
	all += word;
	return fold((all & 0xffffffff) + (all >> 32) + (all < word));
}

static void put_word(u8 *to, u32 value)
{
	u16 word = (u16)value;

	memcpy(to, &word, sizeof(word));
}

/* 0 would be none at all in UDP. */
static void put_checksum(u8 *to, u32 folded)
{
	put_word(to, folded == 0xffff ? folded : ~folded);
}

/* --- what it is --- */

static u32 ip_at(const u8 *frame)
{
	return FRAME_HEADER + (get16(frame + TYPE_AT) == TYPE_TAG ? TAG_SIZE : 0);
}

static u32 ip_size(const u8 *ip)
{
	return (ip[0] & 15u) * 4;
}

/* TCP over IPv4, whole, with its sum where TCP has it. 0: it is not; else bytes of headers. */
static u32 tcp4_headers(const struct frame *f)
{
	u32 at = ip_at(f->bytes), tcp = f->offload.sum_from, data;
	const u8 *ip = f->bytes + at;

	if (f->size < at + IP_LEAST || get16(ip - 2) != TYPE_IP4 || ip[0] >> 4 != 4 ||
	    ip_size(ip) < IP_LEAST || ip[IP_PROTOCOL] != PROTOCOL_TCP ||
	    (get16(ip + IP_FRAGMENT) & ~NO_FRAGMENT) != 0)
		return 0;
	if (tcp != at + ip_size(ip) || f->offload.sum_offset != TCP_SUM ||
	    f->size <= tcp + TCP_LEAST)
		return 0;
	data = (f->bytes[tcp + TCP_DATA] >> 4) * 4u;
	return data >= TCP_LEAST && tcp + data < f->size ? tcp + data : 0;
}

static bool can_be_cut(struct frame *f)
{
	struct offload *o = &f->offload;
	u32 headers = tcp4_headers(f);

	o->headers = (u16)headers;
	return headers != 0 && o->segment != 0 && headers + o->segment <= FRAME_MOST &&
	       frame_pieces(f) <= FRAME_SEGMENTS;
}

bool frame_is_good(struct frame *f)
{
	struct offload *o = &f->offload;

	if (o->kind == 0)
		o->headers = o->segment = 0;
	if (o->kind == 0 && o->flags == 0)
		return f->size <= FRAME_MOST;
	/* The addresses have been judged already. */
	if (o->flags != OFFLOAD_SUM || o->kind > OFFLOAD_TCP4 || o->sum_from < FRAME_HEADER ||
	    (u32)o->sum_from + o->sum_offset + sizeof(u16) > f->size)
		return false;
	return o->kind == OFFLOAD_TCP4 ? can_be_cut(f) : f->size <= FRAME_MOST;
}

/* --- pieces --- */

u32 frame_pieces(const struct frame *f)
{
	const struct offload *o = &f->offload;

	return o->kind != 0 ? (f->size - o->headers + o->segment - 1) / o->segment : 1;
}

/* Headers as a stack would have made them for the payload that begins at `at`. */
static void write_headers(const struct frame *f, u8 *to, u32 at, u32 size, bool last)
{
	u8 *ip = to + ip_at(to), *tcp = to + f->offload.sum_from;
	u32 n = (u32)(to + size - tcp), sequence;

	put16(ip + IP_LENGTH, (u32)(to + size - ip));
	put16(ip + IP_ID, get16(ip + IP_ID) + at / f->offload.segment);
	put16(ip + IP_SUM, 0);
	put_checksum(ip + IP_SUM, sum(ip, ip_size(ip)));
	sequence = (get16(tcp + TCP_SEQUENCE) << 16 | get16(tcp + TCP_SEQUENCE + 2)) + at;
	put16(tcp + TCP_SEQUENCE, sequence >> 16);
	put16(tcp + TCP_SEQUENCE + 2, sequence);
	tcp[TCP_FLAGS] &= (u8) ~((last ? 0 : TCP_LAST) | (at != 0 ? TCP_FIRST : 0));
	/* The pseudo header, whose sum is to stand there: addresses, protocol, length. */
	put16(tcp + TCP_SUM, n);
	put_word(tcp + TCP_SUM,
		 fold(sum(ip + IP_ADDRESSES, 8) + sum(tcp + TCP_SUM, 2) + (PROTOCOL_TCP << 8)));
}

u32 frame_piece(const struct frame *f, u32 index, u8 *to)
{
	const struct offload *o = &f->offload;
	u32 headers = o->kind != 0 ? o->headers : 0, at = index * o->segment;
	u32 n = f->size - headers - at;
	bool last = o->kind == 0 || n <= o->segment;

	if (!last)
		n = o->segment;
	memcpy(to, f->bytes, headers);
	memcpy(to + headers, f->bytes + headers + at, n);
	n += headers;
	if (o->kind != 0)
		write_headers(f, to, at, n, last);
	if (o->flags & OFFLOAD_SUM)
		put_checksum(to + o->sum_from + o->sum_offset,
			     sum(to + o->sum_from, n - o->sum_from));
	return n;
}
