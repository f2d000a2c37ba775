// SPDX-License-Identifier: MIT
/*
 * The stream of numbered blocks (services.h): one at a time.
 */
#include <lwip/tcp.h>

#include "lib/crc32.h"
#include "lib/string.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/exit.h"
#include "mini/lwip/services.h"
#include "mini/lwip/stack.h"
#include "mini/tests/random.h"

#define STREAM_SAYS 500u /* blocks, after which it is well under way */

_Static_assert(sizeof(struct stream_block) == STREAM_BLOCK, "what goes over the wire");

struct stream_state stream_state;

static struct crc32_tables tables;
static struct tcp_pcb *connection; /* NULL: no stream is under way */
static struct {
	struct stream_block in, out;
	u32 had;   /* bytes of the block that comes */
	u32 left;  /* bytes of the block that goes */
	u32 limit; /* blocks to be sent by the side that connected; 0: by the other */
	bool other_ends, last_came, last_goes, closed;
	u64 at; /* when something came, TSC; 0: not yet */
} s;

static void wrong(const char *what)
{
	if (stream_state.wrong == NULL)
		stream_state.wrong = what;
}

static u32 checksum(const struct stream_block *b)
{
	return ~crc32_update(&tables, ~0u, &b->number, STREAM_BLOCK - sizeof(b->crc32));
}

/* --- what comes --- */

static void take_last(void)
{
	u32 count;

	memcpy(&count, s.in.payload, sizeof(count));
	s.last_came = true;
	if (s.limit == 0 || count != s.limit)
		wrong("the other side has not had all blocks");
}

static void take_block(void)
{
	if (s.in.crc32 != checksum(&s.in))
		wrong("a block was changed");
	else if (s.in.number == STREAM_LAST)
		take_last();
	else if (s.in.number != stream_state.blocks_in++)
		wrong("a block is missing or came twice");
	if (stream_state.blocks_in == STREAM_SAYS)
		print("stream: %u blocks\n", STREAM_SAYS);
}

static void note_time(void)
{
	u64 now = rdtsc();

	if (s.at != 0 && now - s.at > stream_state.stall)
		stream_state.stall = now - s.at;
	s.at = now;
}

static void take(const struct pbuf *p)
{
	for (u32 at = 0; at < p->tot_len;) {
		u32 n = pbuf_copy_partial(p, (u8 *)&s.in + s.had, (u16_t)(STREAM_BLOCK - s.had),
					  (u16_t)at);

		at += n;
		s.had += n;
		if (s.had < STREAM_BLOCK)
			continue;
		s.had = 0;
		take_block();
	}
}

/* --- what goes --- */

static void make_block(u32 number)
{
	u64 state = number + 1ul, word;

	for (u32 i = 0; i < STREAM_PAYLOAD; i += sizeof(word)) {
		word = random_next(&state);
		memcpy(s.out.payload + i, &word, sizeof(word));
	}
	if (number == STREAM_LAST)
		memcpy(s.out.payload, &stream_state.blocks_in, sizeof(u32));
	s.out.number = number;
	s.out.crc32 = checksum(&s.out);
	s.left = STREAM_BLOCK;
}

/* Whether there is another block to send. */
static bool make_next(void)
{
	if (s.other_ends && !s.last_goes) {
		s.last_goes = true;
		make_block(STREAM_LAST);
	} else if (!s.other_ends && (s.limit == 0 || stream_state.blocks_out < s.limit)) {
		make_block(stream_state.blocks_out++);
	}
	return s.left > 0;
}

static void finish(struct tcp_pcb *pcb)
{
	tcp_recv(pcb, NULL);
	tcp_sent(pcb, NULL);
	tcp_err(pcb, NULL);
	tcp_poll(pcb, NULL, 0);
	if (tcp_close(pcb) != ERR_OK)
		panic("lwIP cannot close a connection");
	connection = NULL;
	stream_state.ended++;
}

/* All is sent: the side that connected says so, the other one ends. */
static void close_ours(struct tcp_pcb *pcb)
{
	if (s.limit == 0) {
		if (s.other_ends)
			finish(pcb);
	} else if (!s.closed) {
		s.closed = tcp_shutdown(pcb, 0, 1) == ERR_OK;
	}
}

static void push(struct tcp_pcb *pcb)
{
	while (s.left > 0 || make_next()) {
		u32 n = s.left < tcp_sndbuf(pcb) ? s.left : tcp_sndbuf(pcb);

		if (n == 0 || tcp_write(pcb, (u8 *)&s.out + STREAM_BLOCK - s.left, (u16_t)n,
					TCP_WRITE_FLAG_COPY) != ERR_OK)
			break;
		s.left -= n;
	}
	tcp_output(pcb);
	if (s.left == 0)
		close_ours(pcb);
}

/* --- the connection --- */

static err_t other_ends(struct tcp_pcb *pcb)
{
	s.other_ends = true;
	if (s.had != 0)
		wrong("the stream ends within a block");
	if (s.limit == 0) {
		push(pcb);
		return ERR_OK;
	}
	if (!s.last_came)
		wrong("the stream ends without a last block");
	finish(pcb);
	return ERR_OK;
}

static err_t receive(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	(void)arg;
	(void)error;
	if (p == NULL)
		return other_ends(pcb);
	note_time();
	take(p);
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	return ERR_OK;
}

static err_t sent(void *arg, struct tcp_pcb *pcb, u16_t size)
{
	(void)arg;
	(void)size;
	push(pcb);
	return ERR_OK;
}

static err_t poll(void *arg, struct tcp_pcb *pcb)
{
	return sent(arg, pcb, 0);
}

static void failed(void *arg, err_t error)
{
	(void)arg;
	(void)error;
	wrong("the connection was reset");
	connection = NULL;
	stream_state.ended++;
}

static void begin(struct tcp_pcb *pcb, u32 limit)
{
	memset(&s, 0, sizeof(s));
	s.limit = limit;
	connection = pcb;
	stream_state.blocks_in = stream_state.blocks_out = 0;
	stream_state.stall = 0;
	tcp_recv(pcb, receive);
	tcp_sent(pcb, sent);
	tcp_err(pcb, failed);
	tcp_poll(pcb, poll, 1);
}

static err_t accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
	(void)arg;
	if (error != ERR_OK || pcb == NULL || connection != NULL)
		return ERR_VAL;
	begin(pcb, 0);
	stream_state.begun++;
	push(pcb);
	return ERR_OK;
}

static err_t connected(void *arg, struct tcp_pcb *pcb, err_t error)
{
	(void)arg;
	(void)error;
	stream_state.begun++;
	push(pcb);
	return ERR_OK;
}

void stream_listen(void)
{
	crc32_init(&tables);
	stack_listen(PORT_STREAM, accept);
}

void stream_connect(u32 address, u32 blocks)
{
	struct tcp_pcb *pcb = stack_new_connection();
	ip_addr_t to = IPADDR4_INIT(lwip_htonl(address));

	begin(pcb, blocks);
	if (tcp_connect(pcb, &to, PORT_STREAM, connected) != ERR_OK)
		panic("lwIP cannot connect");
}
