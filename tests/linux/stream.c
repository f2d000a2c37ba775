// SPDX-License-Identifier: MIT
/*
 * One connection of TCP on which blocks go both ways, some hundred a second, each
 * with number and CRC-32 (tests/lib/lwip.py is the other side). It tells how many there were and
 * the longest time without a byte from the other side, and a line "out N" after each 32 blocks that
 * have gone: there is next to no room for any that have not.
 *
 *     stream PORT
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 1024
#define LAST  0xffffffffu

#define PAUSE_NS 2000000
#define ROOM     8192
#define OUT_LINE 32

struct block {
	uint32_t crc, number;
	uint8_t payload[BLOCK - 8];
};

struct side {
	struct block block;
	size_t done; /* bytes of it */
	uint32_t count;
};

static uint32_t crc32(const void *data, size_t size)
{
	const uint8_t *p = data;
	uint32_t crc = ~0u;

	while (size-- > 0) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static uint32_t crc_of(const struct block *b)
{
	return crc32(&b->number, BLOCK - sizeof(b->crc));
}

static void die(const char *what)
{
	perror(what);
	printf("not ok: stream: %s\n", what);
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int accept_one(uint16_t port)
{
	const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	int s = socket(AF_INET, SOCK_STREAM, 0), one = 1, room = ROOM, fd;

	/* What waits there would hide that nothing comes, or goes. */
	setsockopt(s, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(s, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (s < 0 || bind(s, (const struct sockaddr *)&any, sizeof(any)) < 0 || listen(s, 1) < 0)
		die("listen");
	printf("stream: ready\n");
	fflush(stdout);
	fd = accept(s, NULL, NULL);
	if (fd < 0)
		die("accept");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* False: the other side has ended. */
static int receive(int fd, struct side *in)
{
	ssize_t n = recv(fd, (uint8_t *)&in->block + in->done, BLOCK - in->done, MSG_DONTWAIT);

	if (n < 0)
		die("recv");
	in->done += (size_t)n;
	if (in->done < BLOCK)
		return n != 0;
	in->done = 0;
	if (in->block.number != in->count++ || in->block.crc != crc_of(&in->block))
		die("a block is another one");
	return 1;
}

static void make(struct side *out, uint32_t number)
{
	memset(out->block.payload, (int)number, sizeof(out->block.payload));
	out->block.number = number;
}

/* Whether a block is complete. */
static int send_some(int fd, struct side *out)
{
	ssize_t n;

	if (out->done == 0)
		out->block.crc = crc_of(&out->block);
	n = send(fd, (uint8_t *)&out->block + out->done, BLOCK - out->done, 0);
	if (n < 0)
		die("send");
	out->done = (out->done + (size_t)n) % BLOCK;
	return out->done == 0;
}

static void tell(const struct side *out)
{
	printf("out %u\n", out->count);
	fflush(stdout);
}

static uint64_t run(int fd, struct side *in, struct side *out)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	uint64_t heard = now_us(), stall = 0;
	int more = 1;

	make(out, 0);
	while (more) {
		struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};

		nanosleep(&pause, NULL);
		poll(&p, 1, -1);
		if (p.revents & (POLLIN | POLLHUP | POLLERR)) {
			more = receive(fd, in);
			stall = now_us() - heard > stall ? now_us() - heard : stall;
			heard = now_us();
		}
		if ((p.revents & POLLOUT) && send_some(fd, out)) {
			make(out, ++out->count);
			if (out->count % OUT_LINE == 0)
				tell(out);
		}
	}
	return stall;
}

static void finish(int fd, const struct side *in, struct side *out)
{
	if (in->done != 0)
		die("half a block at the end");
	if (out->done != 0) {
		while (!send_some(fd, out))
			;
		out->count++;
	}
	make(out, LAST);
	memcpy(out->block.payload, &in->count, sizeof(in->count));
	while (!send_some(fd, out))
		;
	shutdown(fd, SHUT_WR);
	while (recv(fd, out->block.payload, sizeof(out->block.payload), 0) > 0)
		;
	close(fd);
}

int main(int argc, char **argv)
{
	struct side in = {0}, out = {0};
	uint64_t stall;
	int fd;

	if (argc != 2)
		return 2;
	fd = accept_one((uint16_t)atoi(argv[1]));
	stall = run(fd, &in, &out);
	finish(fd, &in, &out);
	printf("stream: %u blocks in, %u out, stall %llu us\n", in.count, out.count,
	       (unsigned long long)stall);
	return 0;
}
