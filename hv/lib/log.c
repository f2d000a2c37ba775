// SPDX-License-Identifier: MIT
/*
 * The log ring. Positions count bytes from boot and never wrap, so a reader
 * that comes late sees that text is gone instead of reading it torn.
 */
#include "lib/log.h"

#include "lib/print.h"

static struct {
	char text[LOG_SIZE];
	u64 end;
	const struct log_sink *sink[2];
} ring;

void log_set_sinks(const struct log_sink *first, const struct log_sink *second)
{
	ring.sink[0] = first;
	ring.sink[1] = second;
}

static void log_put(char c)
{
	ring.text[ring.end++ % LOG_SIZE] = c;
	for (size_t i = 0; i < ARRAY_SIZE(ring.sink); i++)
		if (ring.sink[i] != NULL)
			ring.sink[i]->put(c);
}

void log_print(const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int length;

	va_start(ap, fmt);
	length = vl_vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* A text that was cut must not swallow the next line. */
	if (length >= (int)sizeof(line))
		line[sizeof(line) - 2] = '\n';
	for (const char *p = line; *p != 0; p++)
		log_put(*p);
}

u64 log_end(void)
{
	return ring.end;
}

u64 log_start(void)
{
	return ring.end < LOG_SIZE ? 0 : ring.end - LOG_SIZE;
}

size_t log_read(u64 *pos, char *buf, size_t size)
{
	size_t n = 0;

	*pos = max_u64(*pos, log_start());
	while (n < size && *pos + n < ring.end) {
		buf[n] = ring.text[(*pos + n) % LOG_SIZE];
		n++;
	}
	return n;
}
