// SPDX-License-Identifier: MIT
/*
 * How long Vellum's locks were held at most, which its debug builds measure and
 * write to their log after each devirtualization. The name puts it behind the
 * other tests, whose holds it judges.
 */
#include "lib/string.h"
#include "mini/hypercall.h"
#include "mini/console.h"
#include "mini/memory.h"
#include "mini/tap.h"
#include "mini/virtual.h"

#define LIMIT 20000u /* instructions, or ticks where they are counted as such */

static struct {
	struct vl_console_read head;
	char text[2048];
} log_text __attribute__((aligned(4096)));

static const char *find(const char *text, const char *what)
{
	size_t n = strlen(what);

	for (; *text != 0; text++)
		if (memcmp(text, what, n) == 0)
			return text + n;
	return NULL;
}

/* The number behind the next ": " */
static u64 number(const char *text)
{
	u64 value = 0;

	for (text = find(text, ": "); text != NULL && *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (u64)(*text - '0');
	return value;
}

static u64 longest_in(const char *text, u32 *lines)
{
	u64 longest = 0;

	while ((text = find(text, "longest hold of ")) != NULL) {
		u64 held = number(text);

		longest = held > longest ? held : longest;
		++*lines;
	}
	return longest;
}

TEST(when_all_is_done_locks_were_short, "U7 M9")
{
	u64 longest = 0, pos = 0;
	u32 lines = 0;
	s64 n;

	if (vl_call_set_failpoint(hypercall_page, 0) == -VL_EOPNOTSUPP)
		test_skip("a release build");
	if (is_virtualized())
		CHECK(devirtualize() == 0, "devirtualize failed");
	do {
		u64 found;

		log_text.head.pos = pos;
		n = vl_call_console_read(hypercall_page, ptr_to_pa(&log_text).v,
					 sizeof(log_text) - 1);
		CHECK(n >= 0, "console_read answered %ld", n);
		log_text.text[n] = 0;
		found = longest_in(log_text.text, &lines);
		longest = found > longest ? found : longest;
		pos = log_text.head.pos + (u64)n;
	} while (n > 0);
	print("# longest hold of %u: %lu ticks\n", lines, longest);
	CHECK(lines >= 7 && longest > 0, "the log has %u lines of holds", lines);
	CHECK(longest <= LIMIT, "a lock was held for %lu ticks", longest);
}
