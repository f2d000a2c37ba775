// SPDX-License-Identifier: MIT
/*
 * What a transfer by TCP takes of the one processor that both ends run on: the ends are in
 * different network namespaces, each with a card of its own, so every byte goes through both
 * cards and their drivers.
 *
 *     netcost serve PORT           takes what comes, one connection after the other
 *     netcost send ADDRESS PORT    prints `bench tcp_64k min TICKS`, of the TSC: for 64 KiB sent
 * and received, the best of some transfers
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <x86intrin.h>

#define UNIT  65536u
#define UNITS 32u /* of a transfer; some are enough for TCP's windows to be open */
#define TIMES 8

static char buffer[UNIT];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int open_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		die("socket");
	return fd;
}

static struct sockaddr_in address_of(const char *address, const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

	if (inet_pton(AF_INET, address, &a.sin_addr) != 1)
		die(address);
	return a;
}

/* A byte comes back for each transfer. */
static void serve_one(int fd)
{
	size_t got = 0;
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		for (got += (size_t)n; got >= UNIT * UNITS; got -= UNIT * UNITS)
			if (write(fd, "", 1) != 1)
				return;
}

static void serve(const char *port)
{
	struct sockaddr_in a = address_of("0.0.0.0", port);
	int fd = open_socket();

	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1))
		die("listen");
	for (;;) {
		int one = accept(fd, NULL, NULL);

		if (one < 0)
			die("accept");
		serve_one(one);
		close(one);
	}
}

static uint64_t transfer(int fd)
{
	uint64_t begin = __rdtsc();
	char byte;

	for (unsigned int i = 0; i < UNITS; i++)
		for (size_t done = 0; done < UNIT;) {
			ssize_t n = write(fd, buffer + done, UNIT - done);

			if (n <= 0)
				die("write");
			done += (size_t)n;
		}
	if (read(fd, &byte, 1) != 1)
		die("read");
	return (__rdtsc() - begin) / UNITS;
}

static void send_some(const char *address, const char *port)
{
	struct sockaddr_in a = address_of(address, port);
	uint64_t least = UINT64_MAX;
	int fd = open_socket();

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		die("connect");
	for (int i = 0; i < TIMES; i++) {
		uint64_t took = transfer(fd);

		least = took < least ? took : least;
	}
	printf("bench tcp_64k min %llu of %d transfers\n", (unsigned long long)least, TIMES);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		serve(argv[2]);
	if (argc != 4 || strcmp(argv[1], "send") != 0) {
		fputs("usage: netcost serve PORT | send ADDRESS PORT\n", stderr);
		return 2;
	}
	send_some(argv[2], argv[3]);
	return 0;
}
