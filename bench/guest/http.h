/* SPDX-License-Identifier: MIT */
/*
 * A small static web server, one connection at a time (HTTP/1.0, GET), and a client that checks
 * what it gets. Both over loopback, in the manner of the paper's web server.
 */
#ifndef BENCH_GUEST_HTTP_H
#define BENCH_GUEST_HTTP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Bring up the loopback interface; the benchmark's RAM disk starts without. */
void http_loopback(void);

/** Serve the files of `folder` on a free port of 127.0.0.1 from a child, which is returned. */
pid_t http_start(const char *folder, uint16_t *port);

/** Get /NAME and check that the answer is 200 with `size` bytes of body; ends the program if not.
 */
void http_get(uint16_t port, const char *name, size_t size);

#endif
