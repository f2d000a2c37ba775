// SPDX-License-Identifier: MIT
/*
 * The log ring. Positions count bytes from boot and never wrap, so a reader
 * that comes late sees that text is gone instead of reading it torn. A line is
 * made before the lock is taken and put under it, so that lines of several CPUs
 * do not mix; a panic does not wait for it.
 */
#include "lib/log.h"

#include "lib/lock.h"
#include "lib/print.h"

#define COPIED_AT_ONCE 256u /* bytes, under the lock */

static struct {
	struct lock lock;
	bool alone; /* nobody else counts any more */
	char text[LOG_SIZE];
	u64 end;
	const struct log_sink *sink[2];
} ring = {.lock = LOCK_INIT(LOCK_LOG)};

static bool enter(void)
{
	if (!ring.alone)
		lock_take(&ring.lock);
	return !ring.alone;
}

static void leave(bool entered)
{
	if (entered)
		lock_release(&ring.lock);
}

void log_without_lock(void)
{
	ring.alone = true;
}

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
	bool entered;
	va_list ap;
	int length;

	va_start(ap, fmt);
	length = vl_vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* A text that was cut must not swallow the next line. */
	if (length >= (int)sizeof(line))
		line[sizeof(line) - 2] = '\n';
	entered = enter();
	for (const char *p = line; *p != 0; p++)
		log_put(*p);
	leave(entered);
}

u64 log_end(void)
{
	return __atomic_load_n(&ring.end, __ATOMIC_ACQUIRE);
}

static u64 oldest(void)
{
	return ring.end < LOG_SIZE ? 0 : ring.end - LOG_SIZE;
}

u64 log_start(void)
{
	u64 end = log_end();

	return end < LOG_SIZE ? 0 : end - LOG_SIZE;
}

static size_t copy(u64 pos, char *to, size_t size)
{
	size_t n = (size_t)min_u64(size, ring.end - pos);

	for (size_t i = 0; i < n; i++)
		to[i] = ring.text[(pos + i) % LOG_SIZE];
	return n;
}

size_t log_read(u64 *pos, char *buf, size_t size)
{
	size_t n = 0, part;

	do {
		bool entered = enter(), gone = *pos + n < oldest();

		if (gone && n == 0)
			*pos = oldest();
		/* What was overwritten between two parts ends the text that is read. */
		part = gone && n != 0
			       ? 0
			       : copy(*pos + n, buf + n, (size_t)min_u64(size - n, COPIED_AT_ONCE));
		leave(entered);
		n += part;
	} while (part == COPIED_AT_ONCE && n < size);
	return n;
}
