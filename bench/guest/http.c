// SPDX-License-Identifier: MIT
/*
 * The web server and its client (http.h). The server opens the file anew for each request and sends
 * it with sendfile(), as servers of static files do; a request is a connection.
 */
#include "bench/guest/http.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/guest/measure.h"

#define REQUEST_SIZE 512
#define CHUNK        16384

void http_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) != 0)
		die("lo");
	request.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request) != 0)
		die("lo");
	close(fd);
}

/* Read up to the empty line that ends a request; false if it is none. */
static int read_request(int connection, char *request)
{
	size_t have = 0;

	while (have < REQUEST_SIZE - 1) {
		ssize_t n = read(connection, request + have, REQUEST_SIZE - 1 - have);

		if (n <= 0)
			return 0;
		have += (size_t)n;
		request[have] = '\0';
		if (strstr(request, "\r\n\r\n") != NULL)
			return 1;
	}
	return 0;
}

static void send_text(int connection, const char *text)
{
	if (write(connection, text, strlen(text)) < 0)
		die("server");
}

static void send_file(int connection, int file)
{
	struct stat facts;
	char head[128];
	off_t at = 0;

	if (fstat(file, &facts) != 0)
		die("server");
	snprintf(head, sizeof(head), "HTTP/1.0 200 OK\r\nContent-Length: %lld\r\n\r\n",
		 (long long)facts.st_size);
	send_text(connection, head);
	while (at < facts.st_size)
		if (sendfile(connection, file, &at, (size_t)(facts.st_size - at)) <= 0)
			die("sendfile");
}

static void serve(int connection)
{
	char request[REQUEST_SIZE], name[REQUEST_SIZE];
	int file = -1;

	if (read_request(connection, request) && sscanf(request, "GET /%511s HTTP/1.", name) == 1 &&
	    strchr(name, '/') == NULL)
		file = open(name, O_RDONLY);
	if (file < 0) {
		send_text(connection, "HTTP/1.0 404 Not Found\r\n\r\n");
		return;
	}
	send_file(connection, file);
	close(file);
}

pid_t http_start(const char *folder, uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	pid_t child;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 ||
	    listen(listener, 16) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &size) != 0)
		die("listen");
	*port = ntohs(address.sin_port);
	child = fork();
	if (child < 0)
		die("fork");
	if (child > 0) {
		close(listener);
		return child;
	}
	if (chdir(folder) != 0)
		die(folder);
	for (;;) {
		int connection = accept(listener, NULL, NULL);

		if (connection < 0)
			die("accept");
		serve(connection);
		close(connection);
	}
}

static int http_connect(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		die("connect");
	return fd;
}

void http_get(uint16_t port, const char *name, size_t size)
{
	static char answer[CHUNK + 1];
	char request[128];
	size_t have = 0, head = 0;
	int fd = http_connect(port);
	ssize_t n;

	snprintf(request, sizeof(request), "GET /%s HTTP/1.0\r\nHost: localhost\r\n\r\n", name);
	send_text(fd, request);
	while ((n = read(fd, answer, CHUNK)) > 0) {
		if (have == 0) {
			answer[n] = '\0';
			const char *end = strstr(answer, "\r\n\r\n");

			head = end ? (size_t)(end + 4 - answer) : 0;
			if (strncmp(answer, "HTTP/1.0 200 ", 13) != 0 || head == 0) {
				fprintf(stderr, "bench: no answer for /%s\n", name);
				exit(1);
			}
		}
		have += (size_t)n;
	}
	close(fd);
	if (n < 0 || have != head + size) {
		fprintf(stderr, "bench: /%s has %zu bytes, not %zu\n", name, have - head, size);
		exit(1);
	}
}
