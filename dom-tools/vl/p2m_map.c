/* SPDX-License-Identifier: MIT */
/*
 * Drawing a p2m, see p2m_map.h. A character's frames are a power of two, the
 * least with which the picture has no more than so many rows.
 */
#include "dom-tools/vl/p2m_map.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define WIDTH 64
#define ROWS  16

int p2m_map_add(struct p2m_map *m, const struct vl_p2m_range *r)
{
	struct vl_p2m_range *last = m->count ? &m->range[m->count - 1] : NULL;

	if (last && last->pfn + last->count == r->pfn && last->mfn + last->count == r->mfn) {
		last->count += r->count;
		return 0;
	}
	if (m->count == m->room) {
		size_t room = m->room ? 2 * m->room : 64;
		void *more = realloc(m->range, room * sizeof(*m->range));

		if (!more)
			return -ENOMEM;
		m->range = more;
		m->room = room;
	}
	m->range[m->count++] = *r;
	return 0;
}

void p2m_map_free(struct p2m_map *m)
{
	free(m->range);
	*m = (struct p2m_map){0};
}

struct cell {
	uint64_t home, away; /* frames */
};

static uint64_t shared(const struct vl_p2m_range *r, uint64_t start, uint64_t end)
{
	uint64_t first = r->pfn > start ? r->pfn : start;
	uint64_t last = r->pfn + r->count < end ? r->pfn + r->count : end;

	return last > first ? last - first : 0;
}

/* The frames from `start` on; *i is the first range that reaches so far, then that of the next. */
static struct cell look(const struct p2m_map *m, size_t *i, uint64_t start, uint64_t frames)
{
	struct cell c = {0, 0};

	for (; *i < m->count && m->range[*i].pfn < start + frames; ++*i) {
		const struct vl_p2m_range *r = &m->range[*i];

		*(r->pfn == r->mfn ? &c.home : &c.away) += shared(r, start, start + frames);
		if (r->pfn + r->count > start + frames)
			break;
	}
	return c;
}

static char letter(struct cell c, uint64_t frames)
{
	if (c.away)
		return c.home ? '+' : '#';
	if (c.home)
		return c.home == frames ? '=' : '-';
	return '.';
}

static void explain(FILE *to, const struct p2m_map *m, uint64_t frames)
{
	struct cell all = {0, 0};

	for (size_t i = 0; i < m->count; i++)
		*(m->range[i].pfn == m->range[i].mfn ? &all.home : &all.away) += m->range[i].count;
	fprintf(to,
		"%" PRIu64 " pages at home, %" PRIu64 " away; a character is %" PRIu64
		" pages: = all at home, - some, # away, + both, . none\n",
		all.home, all.away, frames);
}

void p2m_map_print(FILE *to, const struct p2m_map *m)
{
	const struct vl_p2m_range *last;
	uint64_t frames = 1, start, end;
	size_t next = 0;

	if (m->count == 0)
		return;
	last = &m->range[m->count - 1];
	start = m->range[0].pfn;
	end = last->pfn + last->count;
	while ((end - start + frames - 1) / frames > (uint64_t)WIDTH * ROWS)
		frames *= 2;
	start -= start % frames;
	explain(to, m, frames);
	for (uint64_t n = 0; start < end; start += frames, n++) {
		if (n % WIDTH == 0)
			fprintf(to, "%s%#12" PRIx64 " ", n ? "\n" : "", start);
		fputc(letter(look(m, &next, start, frames), frames), to);
	}
	fputc('\n', to);
}
