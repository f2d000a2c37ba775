/* SPDX-License-Identifier: MIT */
/*
 * `vl dmesg`: the hypervisor's log ring, piece by piece. Positions count bytes
 * since boot, and Vellum answers with a later one if the text asked for was
 * overwritten, at the start or while reading; such a gap is shown as a line of
 * its own, never passed over. What is printed is the log as it was at the
 * first answer, so that a log which grows all the time still has an end.
 */
#include "dom-tools/vl/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dom-tools/vl/output.h"

#define FOLLOW_INTERVAL_MS 250

/* What was read up to now, as text on stdout or as lines of a JSON array. */
struct printer {
	struct json_object *lines; /* NULL: text */
	char *line;                /* JSON: the line that is not complete yet */
	size_t line_size;
	bool line_open; /* text: the last byte was not a newline */
	uint64_t lost;  /* bytes, in all gaps */
};

static void *grow(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p) {
		fputs("vl: out of memory for the log; without --json it needs none\n", stderr);
		exit(VL_EXIT_FAILED);
	}
	return p;
}

static void end_line(struct printer *p)
{
	if (p->lines)
		json_append(p->lines, json_new_text(p->line, p->line_size));
	else
		putchar('\n');
	p->line_size = 0;
	p->line_open = false;
}

static void put_gap(struct printer *p, uint64_t bytes)
{
	if (p->line_open)
		end_line(p);
	p->lost += bytes;
	if (!p->lines)
		printf("[... %" PRIu64 " bytes were overwritten before they could be read]\n",
		       bytes);
}

/* Up to one line; returns the bytes used. */
static size_t put_line(struct printer *p, const char *text, size_t size)
{
	const char *newline = memchr(text, '\n', size);
	size_t n = newline ? (size_t)(newline - text) : size;

	if (p->lines) {
		p->line = grow(p->line, p->line_size + n + 1);
		memcpy(p->line + p->line_size, text, n);
		p->line_size += n;
	} else {
		for (size_t i = 0; i < n; i++)
			print_byte(stdout, (unsigned char)text[i]);
	}
	p->line_open = true;
	if (!newline)
		return n;
	end_line(p);
	return n + 1;
}

static void put_text(struct printer *p, const char *text, size_t size)
{
	while (size) {
		size_t used = put_line(p, text, size);

		text += used;
		size -= used;
	}
}

/* Print what of the chunk lies below `end`, and what is missing before it, and move *pos there. */
static void put_chunk(struct printer *p, const struct vl_log_chunk *chunk, uint64_t *pos,
		      uint64_t end)
{
	uint64_t start = chunk->start < end ? chunk->start : end;
	uint64_t size = chunk->size < end - start ? chunk->size : end - start;

	if (start > *pos)
		put_gap(p, start - *pos);
	put_text(p, chunk->text, size);
	*pos = start + size;
}

/* Print from *pos to where the log ends at this moment. */
static int print_rest(struct vl_client *c, struct printer *p, uint64_t *pos, struct vl_error *e)
{
	struct vl_log_chunk chunk;
	uint64_t end = 0;
	int rc;

	do {
		rc = vl_read_log(c, *pos, &chunk, e);
		if (rc)
			return rc;
		if (!end)
			end = chunk.end;
		put_chunk(p, &chunk, pos, end);
	} while (*pos < end);
	return 0;
}

/* Ends only by a signal or a failure: also that of stdout, when its reader has gone. */
static int follow(struct vl_client *c, struct printer *p, uint64_t pos, struct vl_error *e)
{
	const struct timespec interval = {.tv_nsec = FOLLOW_INTERVAL_MS * 1000000L};
	int rc;

	for (;;) {
		if (fflush(stdout))
			return vl_fail(e, errno, "cannot write the log: %s", strerror(errno));
		nanosleep(&interval, NULL);
		rc = print_rest(c, p, &pos, e);
		if (rc)
			return rc;
	}
}

static void print_json(struct printer *p, uint64_t end)
{
	struct json_object *top = json_new_object();

	json_add_u64(top, "end", end);
	json_add_u64(top, "lost", p->lost);
	json_add(top, "lines", p->lines);
	json_print(stdout, top);
}

int cmd_dmesg(struct invocation *inv, struct vl_error *e)
{
	bool json = option_given(inv, "json");
	struct printer p = {0};
	uint64_t pos = 0;
	int rc;

	if (json && option_given(inv, "follow"))
		return vl_fail(e, VL_USAGE, "dmesg: --follow prints text only, not --json");
	if (json)
		p.lines = json_new_array();
	rc = print_rest(&inv->client, &p, &pos, e);
	if (rc == 0 && option_given(inv, "follow"))
		rc = follow(&inv->client, &p, pos, e);
	if (p.line_open)
		end_line(&p);
	free(p.line);
	if (json && rc == 0)
		print_json(&p, pos);
	else if (json)
		json_object_put(p.lines);
	return rc;
}
