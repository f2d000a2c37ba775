// SPDX-License-Identifier: MIT
/*
 * Frames whose senders left something to be done: what the pieces have to be is made here
 * in the plainest way, byte by byte as the RFCs say, and compared.
 */
#include "tests/unit/check.h"

#include "io/frame.h"

#define IP_SIZE  24u /* with an option */
#define TCP_SIZE 32u /* with time stamps */

struct sample {
	struct frame *f;
	u32 ip, tcp, headers;
};

static void put16(u8 *p, u32 value)
{
	p[0] = (u8)(value >> 8);
	p[1] = (u8)value;
}

static u32 get16(const u8 *p)
{
	return (u32)(p[0] << 8 | p[1]);
}

static u32 get32(const u8 *p)
{
	return get16(p) << 16 | get16(p + 2);
}

/* RFC 1071, on top of what was summed up before. */
static u32 add(u32 sum, const u8 *p, u32 size)
{
	for (u32 i = 0; i < size; i++)
		sum += i % 2 == 0 ? (u32)p[i] << 8 : p[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static u32 pseudo_header(const u8 *ip, u32 protocol, u32 size)
{
	u8 rest[4] = {0, (u8)protocol, (u8)(size >> 8), (u8)size};

	return add(add(0, ip + 12, 8), rest, sizeof(rest));
}

/* As Linux hands one over: the sum's place has that of the pseudo header for all of it. */
static struct sample tcp_sample(struct rng *r, u32 payload, u32 segment, bool tag)
{
	u32 ip = tag ? 18 : 14, tcp = ip + IP_SIZE, headers = tcp + TCP_SIZE;
	struct frame *f = malloc(sizeof(*f) + headers + payload);
	u8 *b = f->bytes;

	f->size = headers + payload;
	for (u32 i = 0; i < f->size; i++)
		b[i] = (u8)rng_next(r);
	f->offload = (struct offload){.flags = OFFLOAD_SUM,
				      .kind = OFFLOAD_TCP4,
				      .headers = 1,
				      .segment = (u16)segment,
				      .sum_from = (u16)tcp,
				      .sum_offset = 16};
	put16(b + 12, tag ? 0x8100 : 0x0800);
	put16(b + ip - 2, 0x0800);
	b[ip] = 0x40 | IP_SIZE / 4;
	put16(b + ip + 6, 0x4000);
	b[ip + 9] = 6;
	b[tcp + 12] = TCP_SIZE / 4 << 4;
	put16(b + tcp + 16, pseudo_header(b + ip, 6, TCP_SIZE + payload));
	return (struct sample){f, ip, tcp, headers};
}

static void check_piece(const struct sample *s, const u8 *p, u32 size, u32 at, u32 index, u32 count)
{
	const u8 *whole = s->f->bytes, *ip = p + s->ip, *tcp = p + s->tcp;
	u8 flags = whole[s->tcp + 13];

	if (index + 1 < count)
		flags &= (u8)~0x09;
	if (index > 0)
		flags &= (u8)~0x80;
	assert_memory_equal(p, whole, s->ip + 2);
	assert_int_equal(get16(ip + 2), size - s->ip);
	assert_int_equal(get16(ip + 4), (get16(whole + s->ip + 4) + index) & 0xffff);
	assert_memory_equal(ip + 6, whole + s->ip + 6, 4);
	assert_int_equal(add(0, ip, IP_SIZE), 0xffff);
	assert_memory_equal(ip + 12, whole + s->ip + 12, IP_SIZE - 12 + 4);
	assert_int_equal(get32(tcp + 4), get32(whole + s->tcp + 4) + at);
	assert_memory_equal(tcp + 8, whole + s->tcp + 8, 5);
	assert_int_equal(tcp[13], flags);
	assert_memory_equal(tcp + 14, whole + s->tcp + 14, 2);
	assert_memory_equal(tcp + 18, whole + s->tcp + 18, TCP_SIZE - 18);
	assert_int_equal(add(pseudo_header(ip, 6, size - s->tcp), tcp, size - s->tcp), 0xffff);
	assert_memory_equal(p + s->headers, whole + s->headers + at, size - s->headers);
}

static void check_pieces(const struct sample *s, u32 payload, u32 segment)
{
	u32 count = (payload + segment - 1) / segment, at = 0;
	u8 piece[FRAME_MOST + 1];

	assert_true(frame_is_good(s->f));
	assert_int_equal(s->f->offload.headers, s->headers);
	assert_int_equal(frame_pieces(s->f), count);
	for (u32 i = 0; i < count; i++) {
		u32 n = payload - at < segment ? payload - at : segment;

		piece[s->headers + n] = 0x5a;
		assert_int_equal(frame_piece(s->f, i, piece), s->headers + n);
		assert_int_equal(piece[s->headers + n], 0x5a);
		check_piece(s, piece, s->headers + n, at, i, count);
		at += n;
	}
	assert_int_equal(at, payload);
}

static void test_cut(void **state)
{
	static const u32 sizes[][2] = {{1, 1},       {1444, 1444}, {1445, 1444}, {65000, 1444},
				       {64000, 501}, {128, 1},     {9999, 79}};
	struct rng r = {0xf4a3e};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++)
		for (u32 tag = 0; tag < 2; tag++) {
			struct sample s = tcp_sample(&r, sizes[i][0], sizes[i][1], tag);

			check_pieces(&s, sizes[i][0], sizes[i][1]);
			free(s.f);
		}
	for (u32 n = random_cases(300); n > 0; n--) {
		u32 segment = 1 + rng_below(&r, 1444), most = segment * FRAME_SEGMENTS;
		u32 payload = 1 + rng_below(&r, most < 65000 ? most : 65000);
		struct sample s = tcp_sample(&r, payload, segment, rng_below(&r, 2));

		check_pieces(&s, payload, segment);
		free(s.f);
	}
}

/* One frame, of which nothing but the sum changes, wherever it is. */
static void test_sum(void **state)
{
	struct rng r = {0x50a};

	(void)state;
	for (u32 n = random_cases(1000); n > 0; n--) {
		u32 size = 60 + rng_below(&r, FRAME_MOST - 59);
		u32 from = FRAME_HEADER + rng_below(&r, 30), offset = 2 * rng_below(&r, 8);
		struct frame *f = calloc(1, sizeof(*f) + size);
		u8 piece[FRAME_MOST];

		f->size = size;
		for (u32 i = 0; i < size && rng_below(&r, 50) != 0; i++)
			f->bytes[i] = (u8)rng_next(&r);
		f->offload = (struct offload){.flags = OFFLOAD_SUM,
					      .headers = 7,
					      .segment = 9,
					      .sum_from = (u16)from,
					      .sum_offset = (u16)offset};
		assert_true(frame_is_good(f));
		assert_int_equal(f->offload.segment + f->offload.headers, 0);
		assert_int_equal(frame_pieces(f), 1);
		assert_int_equal(frame_piece(f, 0, piece), size);
		assert_memory_equal(piece, f->bytes, from + offset);
		assert_memory_equal(piece + from + offset + 2, f->bytes + from + offset + 2,
				    size - from - offset - 2);
		u32 expected = add(0, f->bytes + from, size - from) ^ 0xffff;

		assert_int_equal(get16(piece + from + offset), expected == 0 ? 0xffff : expected);
		free(f);
	}
}

static void test_plain(void **state)
{
	struct frame *f = calloc(1, sizeof(*f) + FRAME_MOST + 1);
	u8 piece[FRAME_MOST];

	(void)state;
	for (u32 i = 0; i < FRAME_MOST; i++)
		f->bytes[i] = (u8)(i * 7);
	f->size = FRAME_MOST;
	f->offload.sum_from = 3; /* of no meaning */
	assert_true(frame_is_good(f));
	assert_int_equal(frame_pieces(f), 1);
	assert_int_equal(frame_piece(f, 0, piece), FRAME_MOST);
	assert_memory_equal(piece, f->bytes, FRAME_MOST);
	f->size++;
	assert_false(frame_is_good(f));
	free(f);
}

/* What a sender says that is not so. */
static void test_refused(void **state)
{
	static const struct {
		u32 at; /* in the frame */
		u8 value;
	} bytes[] = {
		{12, 0x86},
		{13, 0xdd}, /* not IPv4 */
		{14, 0x66},
		{14, 0x44},
		{14, 0x45}, /* another version, no header, a shorter one */
		{20, 0x20},
		{21, 0x01}, /* a fragment */
		{23, 17},   /* UDP */
		{14 + IP_SIZE + 12, 0x40},
		{14 + IP_SIZE + 12, 0xf0}, /* no header of TCP, one without payload */
	};
	struct rng r = {0xbad};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(bytes); i++) {
		struct sample s = tcp_sample(&r, 20, 10, false);

		s.f->bytes[bytes[i].at] = bytes[i].value;
		assert_false(frame_is_good(s.f));
		free(s.f);
	}
	for (u32 i = 0; i < 10; i++) {
		struct sample s = tcp_sample(&r, 2000, 1000, false);
		struct offload *o = &s.f->offload;

		switch (i) {
		case 0:
			o->flags = 0;
			break;
		case 1:
			o->flags = 3;
			break;
		case 2:
			o->kind = 4;
			break;
		case 3:
			o->segment = 0;
			break;
		case 4:
			o->segment = (u16)(FRAME_MOST - s.headers + 1);
			break;
		case 5:
			o->segment = 15;
			break; /* 134 pieces */
		case 6:
			o->sum_from++;
			break;
		case 7:
			o->sum_offset = 6;
			break;
		case 8:
			s.f->size = s.headers;
			break;
		case 9:
			s.f->size = 33;
			break;
		}
		assert_false(frame_is_good(s.f));
		free(s.f);
	}
}

/* A sum must not change addresses, which were judged, nor what is behind the frame. */
static void test_refused_sums(void **state)
{
	struct frame *f = calloc(1, sizeof(*f) + 60);

	(void)state;
	f->size = 60;
	f->offload = (struct offload){.flags = OFFLOAD_SUM, .sum_from = 0, .sum_offset = 6};
	assert_false(frame_is_good(f));
	f->offload = (struct offload){.flags = OFFLOAD_SUM, .sum_from = 13, .sum_offset = 6};
	assert_false(frame_is_good(f));
	f->offload = (struct offload){.flags = OFFLOAD_SUM, .sum_from = 14, .sum_offset = 44};
	assert_true(frame_is_good(f));
	f->offload.sum_offset++;
	assert_false(frame_is_good(f));
	f->offload =
		(struct offload){.flags = OFFLOAD_SUM, .sum_from = 0xffff, .sum_offset = 0xffff};
	assert_false(frame_is_good(f));
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),          cmocka_unit_test(test_sum),
		cmocka_unit_test(test_plain),        cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
