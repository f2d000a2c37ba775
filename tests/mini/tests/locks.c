// SPDX-License-Identifier: MIT
/*
 * How long Vellum's locks were held at most, which its debug builds measure and
 * write to their log on request. The name puts it behind the other tests, whose
 * holds it judges.
 */
#include "lib/string.h"
#include "mini/hypercall.h"
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/memory.h"
#include "mini/smp.h"
#include "mini/tap.h"
#include "mini/virtual.h"

#define LIMIT 20000u /* instructions, or ticks where they are counted as such */

static char longest_line[96]; /* rank, ticks and the code */

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

static void copy_line(const char *text)
{
	size_t n = 0;

	for (; n < sizeof(longest_line) - 1 && text[n] != 0 && text[n] != '\n'; n++)
		longest_line[n] = text[n];
	longest_line[n] = 0;
}

static u64 longest_in(const char *text, u64 longest, u32 *lines)
{
	while ((text = find(text, "longest hold of ")) != NULL) {
		if (number(text) > longest) {
			longest = number(text);
			copy_line(text);
		}
		++*lines;
	}
	return longest;
}

/* The next lines from `*pos` on, whole ones; their size. */
static s64 read_lines(u64 *pos)
{
	s64 n, whole;

	log_text.head.pos = *pos;
	n = vl_call_console_read(hypercall_page, ptr_to_pa(&log_text).v, sizeof(log_text) - 1);
	CHECK(n >= 0, "console_read answered %ld", n);
	for (whole = n; whole > 0 && log_text.text[whole - 1] != '\n'; whole--)
		;
	log_text.text[whole] = 0;
	*pos = log_text.head.pos + (u64)whole;
	return whole;
}

TEST(when_all_is_done_locks_were_short, "U7 M9")
{
	u64 longest = 0, pos = 0;
	u32 lines = 0;
	char word[8];

	if (vl_call_set_failpoint(hypercall_page, 1) == -VL_EOPNOTSUPP)
		test_skip("a release build");
	CHECK(vl_call_set_failpoint(hypercall_page, 0) == 0, "there is no report");
	while (read_lines(&pos) > 0)
		longest = longest_in(log_text.text, longest, &lines);
	print("# longest hold of %u: %s\n", lines, longest_line);
	CHECK(lines >= 7 && longest > 0, "the log has %u lines of holds", lines);
	/* With several CPUs these are no instructions of one: who looks from outside judges. The
	 * audit of a shadow that was used for long takes more than all that it looks at. */
	if (smp_count() == 1 && !cmdline_get("audited", word, sizeof(word)))
		CHECK(longest <= LIMIT, "a lock was held for %lu ticks", longest);
}
