// SPDX-License-Identifier: MIT
/*
 * Output of the probe: whole lines by one write each, so that children of a subject may print too
 * without a buffer being flushed twice. Owns the rule that a line marked "#hw" is not compared.
 */
#include "probe.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

static void put(const char *prefix, const char *fmt, va_list args)
{
	char line[LINE_MAX_BYTES];
	size_t used = (size_t)snprintf(line, sizeof(line), "%s", prefix);
	int more = vsnprintf(line + used, sizeof(line) - used - 1, fmt, args);

	used += more < 0 ? 0 : (size_t)more;
	if (used > sizeof(line) - 2)
		used = sizeof(line) - 2;
	line[used++] = '\n';
	for (size_t at = 0; at < used;) {
		ssize_t n = write(STDOUT_FILENO, line + at, used - at);

		if (n < 0 && errno != EINTR)
			_exit(3);
		at += n > 0 ? (size_t)n : 0;
	}
}

void out(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put("", fmt, args);
	va_end(args);
}

void out_hw(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put("#hw ", fmt, args);
	va_end(args);
}

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ at[i]) * 0x100000001b3ul;
	return hash;
}

const char *rc_text(long rc, char buf[24])
{
	const char *name = rc < 0 ? strerrorname_np((int)-rc) : NULL;

	if (rc >= 0)
		snprintf(buf, 24, "ok");
	else if (name)
		snprintf(buf, 24, "%s", name);
	else
		snprintf(buf, 24, "%ld", rc);
	return buf;
}

const char *signal_text(int signo)
{
	const char *name = signo ? sigabbrev_np(signo) : "none";

	return name ? name : "?";
}
