// SPDX-License-Identifier: MIT
/*
 * See remap_world.h.
 */
#include "tests/unit/remap_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/panic.h"
#include "public/errno.h"

#define ALL        (WORLD_FRAMES + WORLD_SPARES)
#define SPARE_BASE ((u64)1 << 30)
#define POOL       2048u

static struct {
	const struct world_case *c;
	struct p2m p2m[WORLD_SPACES];
	struct owners_space space[WORLD_SPACES];
	u8 frame[WORLD_SPACES][WORLD_PAGES]; /* the model: who is where */
	u32 wanted[WORLD_SPACES][WORLD_PAGES];
	u32 content[ALL];
	bool spare[WORLD_SPARES];
	u32 untold; /* of the last copies */
	u32 spares;
	const char *wrong;
	struct world_result *result;
	u32 allocations;
	bool remapping;
} w;

void panic(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	abort();
}

/* --- memory --- */

static _Alignas(PAGE_SIZE) u8 pool[POOL][PAGE_SIZE];
static u32 pool_free[POOL], pool_count;

static void pool_init(void)
{
	for (pool_count = 0; pool_count < POOL; pool_count++)
		pool_free[pool_count] = pool_count;
}

static void *page_alloc(void *context)
{
	u8 *page;

	(void)context;
	if (w.remapping && ++w.allocations == w.c->fail_at)
		return NULL;
	if (pool_count == 0)
		return NULL;
	page = pool[pool_free[--pool_count]];
	memset(page, 0, PAGE_SIZE);
	return page;
}

static void page_free(void *context, void *page)
{
	(void)context;
	pool_free[pool_count++] = (u32)(((u8 *)page - pool[0]) / (long)PAGE_SIZE);
}

static const struct p2m_memory memory = {.alloc = page_alloc, .free = page_free};

/* --- frames --- */

static u64 number_of(u32 frame)
{
	return frame < WORLD_FRAMES ? ((u64)frame + 1) * w.c->stride
				    : SPARE_BASE + frame - WORLD_FRAMES;
}

static u32 frame_of(u64 number)
{
	return number >= SPARE_BASE ? WORLD_FRAMES + (u32)(number - SPARE_BASE)
				    : (u32)(number / w.c->stride) - 1;
}

static void wrong(const char *what)
{
	if (w.wrong == NULL)
		w.wrong = what;
}

static void note(u64 a, u64 b, u64 c)
{
	w.result->hash = (w.result->hash ^ (a << 40 ^ b << 20 ^ c)) * 0x9e3779b97f4a7c15;
	w.result->hash ^= w.result->hash >> 29;
}

static bool is_in_use(u32 frame)
{
	for (u32 s = 0; s < w.c->nr_spaces; s++)
		for (u32 p = 0; p < w.c->pages; p++)
			if (w.frame[s][p] == frame)
				return true;
	return false;
}

static void copy_one(u32 to, u32 from)
{
	if (is_in_use(to))
		wrong("a frame that somebody uses is overwritten");
	if (!is_in_use(from))
		wrong("a frame that nobody uses is copied");
	w.content[to] = w.content[from];
	note(1, to, from);
}

/* Several are a chain of pages that come home, of which moved() tells when all are copied. */
static void copy(void *context, const ma_t *chain, u32 count)
{
	(void)context;
	for (u32 i = 0; i < count; i++) {
		u32 page = frame_of(chain[i].v >> PAGE_SHIFT);
		u32 from = frame_of(chain[i + 1].v >> PAGE_SHIFT);

		copy_one(page, from);
		if (count > 1 && w.frame[w.c->of][page] != from)
			wrong("a page is copied from where it is not");
		if (count == 1)
			break;
		w.frame[w.c->of][page] = (u8)page;
		note(4 + w.c->of, page, page); /* in the order of those that are told of singly */
	}
	w.untold = count > 1 ? count : 0;
}

static void exchange(void *context, mfn_t a, mfn_t b)
{
	u32 *x = &w.content[frame_of(a.v)], *y = &w.content[frame_of(b.v)], was = *x;

	(void)context;
	*x = *y;
	*y = was;
	note(2, frame_of(a.v), frame_of(b.v));
}

static bool spare(void *context, mfn_t *mfn)
{
	(void)context;
	for (u32 i = 0; i < w.c->spares; i++) {
		if (w.spare[i])
			continue;
		w.spare[i] = true;
		w.spares++;
		if (w.spares > w.result->most_spares)
			w.result->most_spares = w.spares;
		*mfn = (mfn_t){SPARE_BASE + i};
		return true;
	}
	return false;
}

static void vacated(void *context, mfn_t mfn)
{
	u32 frame = frame_of(mfn.v);

	(void)context;
	note(3, frame, 0);
	if (is_in_use(frame))
		wrong("a frame that is in use is given up");
	if (frame < WORLD_FRAMES)
		return;
	if (!w.spare[frame - WORLD_FRAMES])
		wrong("a spare frame is given up twice");
	w.spare[frame - WORLD_FRAMES] = false;
	w.spares--;
}

static enum remap_place place(void *context, mfn_t mfn)
{
	(void)context;
	return w.c->taken >> frame_of(mfn.v) & 1 ? REMAP_TAKEN : REMAP_OPEN;
}

static void moved(void *context, struct p2m_owner page, mfn_t from, mfn_t to)
{
	u32 s = 0, p = frame_of(page.pfn);

	(void)context;
	while (w.space[s].domid != page.domid)
		s++;
	if (w.untold != 0) {
		w.untold--;
		if (w.frame[s][p] != frame_of(to.v))
			wrong("a page is told of that was not copied");
		return;
	}
	if (w.frame[s][p] != frame_of(from.v))
		wrong("a page is moved from where it is not");
	if (s == w.c->of && w.frame[s][p] == p)
		wrong("a page is moved that was at home");
	w.frame[s][p] = (u8)frame_of(to.v);
	note(4 + s, p, frame_of(to.v));
}

static const struct remap_ops ops = {.copy = copy,
				     .exchange = exchange,
				     .spare = spare,
				     .vacated = vacated,
				     .place = place,
				     .moved = moved};

/* --- checks --- */

/* What the p2m lists is what is away. */
static void check_list(u32 s)
{
	struct p2m_page list[5];
	u32 next = 0;

	for (u64 pfn = 0; pfn != P2M_END;) {
		u32 steps = 3000, count = p2m_list_away(&w.p2m[s], &pfn, &steps, list, 5);

		for (u32 i = 0; i < count; i++, next++) {
			while (next < w.c->pages &&
			       (w.frame[s][next] == WORLD_NONE || w.frame[s][next] == next))
				next++;
			if (next == w.c->pages || number_of(next) != list[i].pfn ||
			    number_of(w.frame[s][next]) != list[i].mfn) {
				wrong("the list of what is away is wrong");
				return;
			}
		}
	}
	for (; next < w.c->pages; next++)
		if (w.frame[s][next] != WORLD_NONE && w.frame[s][next] != next)
			wrong("a page that is away is not in the list");
}

/* Reading all of a table takes longer than a move: not after each of them. */
#define LISTS 4u

static void check_space(u32 s, bool list)
{
	u64 away = 0;

	for (u32 p = 0; p < w.c->pages; p++) {
		u64 mfn = p2m_lookup(&w.p2m[s], (pfn_t){number_of(p)}).v;

		if (w.frame[s][p] == WORLD_NONE) {
			if (mfn != P2M_NOTHING)
				wrong("a page has come from nowhere");
			continue;
		}
		away += w.frame[s][p] != p;
		if (mfn != number_of(w.frame[s][p]))
			wrong("a page is not where it was moved to");
		else if (w.content[w.frame[s][p]] != w.wanted[s][p])
			wrong("a page has another content");
	}
	if (away != w.p2m[s].moved)
		wrong("the p2m has another number of pages away");
	if (list)
		check_list(s);
}

static void check_all(bool lists)
{
	for (u32 s = 0; s < w.c->nr_spaces; s++)
		check_space(s, lists);
}

static void check_end(void)
{
	u32 tables = 0, used = 0;

	for (u32 s = 0; s < w.c->nr_spaces; s++)
		tables += (u32)w.p2m[s].tables;
	if (POOL - pool_count != tables)
		wrong("memory is lost");
	for (u32 i = 0; i < WORLD_SPARES; i++)
		used += is_in_use(WORLD_FRAMES + i);
	if (used != w.spares)
		wrong("a spare frame is lost");
	w.result->spares_left = w.spares;
	for (u32 p = 0; w.result->answer == 0 && p < w.c->pages; p++)
		if (w.frame[w.c->of][p] != WORLD_NONE && w.frame[w.c->of][p] != p)
			wrong("a page is not at home at the end");
}

/* --- a run --- */

static void make_space(u32 s)
{
	bool own = !(w.c->identity && s == w.c->of);

	w.space[s] = (struct owners_space){.domid = 3 * s, .p2m = &w.p2m[s]};
	if (own)
		p2m_init_own(&w.p2m[s], &memory, (ma_t){0x7000});
	else
		p2m_init(&w.p2m[s], &memory);
	for (u32 p = 0; p < w.c->pages; p++) {
		u8 frame = w.c->frame[s][p];

		w.frame[s][p] = frame;
		if (frame == WORLD_NONE)
			continue;
		w.wanted[s][p] = w.content[frame];
		if (p2m_set(&w.p2m[s], (pfn_t){number_of(p)}, (mfn_t){number_of(frame)},
			    PAGE_SHIFT) != 0)
			wrong("the p2m cannot be made");
	}
}

static void start(const struct world_case *c, struct world_result *r)
{
	memset(&w, 0, sizeof(w));
	memset(r, 0, sizeof(*r));
	w.c = c;
	w.result = r;
	pool_init();
	p2m_set_machine(
		(struct range){SPARE_BASE << PAGE_SHIFT, (SPARE_BASE + WORLD_SPARES) << PAGE_SHIFT},
		(ma_t){0});
	for (u32 i = 0; i < ALL; i++)
		w.content[i] = 1000 + i;
	for (u32 s = 0; s < c->nr_spaces; s++)
		make_space(s);
}

static void run(struct remap *m, const struct world_case *c, struct world_result *r)
{
	u32 limit = 8 * WORLD_PAGES * WORLD_SPACES + 100;

	do {
		if (r->steps++ > limit) {
			wrong("it does not end");
			break;
		}
		r->answer = remap_step(m, c->slice);
		if (r->answer > 0)
			r->memory = max_u64(r->memory, m->owners.numbers.pages);
		check_all(r->steps % LISTS == 0);
		if (r->answer > 0 && r->steps == c->abort_after) {
			r->answer = 1;
			break;
		}
	} while (r->answer > 0 && w.wrong == NULL);
	if (r->answer != 0)
		remap_abort(m);
}

const char *world_run(const struct world_case *c, enum owners_kind kind, struct world_result *r)
{
	struct remap_task task = {.ops = &ops,
				  .space = w.space,
				  .nr_spaces = c->nr_spaces,
				  .of = c->of,
				  .mode = c->mode,
				  .owners = kind,
				  .memory = &memory};
	struct remap m;

	start(c, r);
	w.remapping = true;
	remap_begin(&m, &task);
	run(&m, c, r);
	w.remapping = false;
	r->counts = m.counts;
	check_all(true);
	check_end();
	return w.wrong;
}

const char *world_run_all(const struct world_case *c, struct world_result *r)
{
	struct world_result first;

	for (enum owners_kind kind = OWNERS_BACKMAP; kind < OWNERS_KINDS; kind++) {
		const char *what = world_run(c, kind, r);

		if (what != NULL)
			return what;
		if (kind == OWNERS_BACKMAP)
			first = *r;
		/* What is done in a step goes by how long the looking takes. */
		if (c->abort_after == 0 && (r->hash != first.hash || r->answer != first.answer))
			return "the kinds of owners do not do the same";
	}
	return NULL;
}

struct world_shape world_shape(const struct world_case *c)
{
	const u8 *frame = c->frame[c->of];
	struct world_shape shape = {0};

	for (u32 p = 0; p < c->pages; p++) {
		u32 at = frame[p], length = 1;

		shape.away += at != WORLD_NONE && at != p;
		/* Counted where it begins: at its lowest page. */
		while (at < c->pages && at > p && length <= c->pages) {
			at = frame[at];
			length++;
		}
		if (at == p && length > 1) {
			shape.cycles++;
			shape.in_cycles += length;
		}
	}
	return shape;
}
