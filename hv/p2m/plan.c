// SPDX-License-Identifier: MIT
/*
 * The planner. It keeps no list of moves: what is next follows from the p2m, the
 * users of frames, and three numbers.
 *
 * hole: a frame that has just become free. If it is the place of a page that is
 * away, that page is next, and the frame that it leaves is the next hole: a
 * chain.
 *
 * cursor: begins a chain where there is none, at the lowest page that is away;
 * while it fills, at the lowest whose place is free. While it breaks, a page
 * steps aside into the spare frame, so that its own frame is the hole: the page
 * itself, or what is at its place, if that may be another domain's. Or those two
 * exchange their contents.
 *
 * spare: a frame in use for the time of one chain, which ends when its content
 * is at home, or else moves into the last hole.
 *
 * When all that can be filled is, no page that is away has a free place. As they
 * have as many places as they are, each of their frames is the place of one of
 * them then, or has users of another domain: so nothing is left but cycles, of
 * one user a frame, and what others' pages are in the way of (docs/remap.md).
 */
#include "plan.h"

#include "entry.h"
#include "numbers.h"
#include "public/errno.h"

#define PAGES_A_LOOK    16u
#define SEARCHED_A_STEP 4u

static struct p2m *p2m_of(const struct remap *r)
{
	return r->task.space[r->task.of].p2m;
}

bool plan_is_home(struct remap *r, u64 frame)
{
	return p2m_lookup_near(p2m_of(r), &r->near, (pfn_t){frame}).v == frame &&
	       (p2m_of(r)->own || !p2m_is_partition((pa_t){frame << PAGE_SHIFT}));
}

/* How many pages use a frame, up to `most`, when the domain's own page of that number does not. */
static u64 users(struct remap *r, u64 frame, u64 most)
{
	u64 count = owners_count_away(&r->owners, (mfn_t){frame}, most);

	if (count < most && r->task.nr_spaces > 1)
		count += owners_count_home(&r->owners, (mfn_t){frame}, r->task.of, most - count);
	return count;
}

/* Whether the page that is away is the only user of its frame. */
static bool is_alone(struct remap *r, u64 frame)
{
	return users(r, frame, 2) == 1 && !plan_is_home(r, frame);
}

/* The hole is the place of a page that is away, or of none. */
static bool follow(struct remap *r, struct plan_move *m)
{
	u64 frame = p2m_lookup_near(p2m_of(r), &r->near, (pfn_t){r->hole}).v;

	if (frame == P2M_NOTHING || frame == r->hole)
		return false;
	*m = (struct plan_move){MOVE_PAGE, .page = r->hole, .from = frame, .to = r->hole};
	return true;
}

static void end_chain(const struct remap *r, struct plan_move *m)
{
	if (r->spare != REMAP_NONE)
		*m = (struct plan_move){MOVE_FRAME, .from = r->spare, .to = r->hole};
	else
		*m = (struct plan_move){MOVE_DROP, .from = r->hole};
}

static enum plan_answer nothing_found(const struct remap *r)
{
	return r->cursor == P2M_END ? PLAN_DONE : PLAN_LATER;
}

/* A search looks at an entry in a fraction of what others take for it. */
static bool has_searched_long(struct remap *r, u32 *steps)
{
	if (r->owners.kind != OWNERS_SEARCH)
		return false;
	*steps -= (u32)min_u64(*steps, r->owners.looked / SEARCHED_A_STEP);
	r->owners.looked = 0;
	return *steps == 0;
}

/* The long way: each page's place is asked for. */
static bool fill_list(struct remap *r, u32 *steps, struct p2m_page *found)
{
	struct p2m_page list[PAGES_A_LOOK];
	u32 count = p2m_list_away(p2m_of(r), &r->cursor, steps, list, PAGES_A_LOOK);

	for (u32 i = 0; i < count; i++) {
		if (users(r, list[i].pfn, 1) != 0) {
			if (!has_searched_long(r, steps))
				continue;
			r->cursor = list[i].pfn + 1;
			return false;
		}
		r->cursor = list[i].pfn + 1; /* those behind it are listed again */
		*found = list[i];
		return true;
	}
	return false;
}

/* The short way, a leaf table and its leaf of numbers at a time. */
static bool fill_leaf(struct remap *r, u32 *steps, struct p2m_page *found)
{
	const u64 *leaf, *numbers;
	u64 first, home;

	if (p2m_list_away(p2m_of(r), &r->cursor, steps, found, 1) == 0)
		return false;
	leaf = p2m_near_leaf(p2m_of(r), &r->near, found->pfn);
	r->cursor = found->pfn + (leaf != NULL);
	if (leaf == NULL)
		return fill_list(r, steps, found);
	first = round_down(found->pfn, ENTRIES);
	home = found->pfn << PAGE_SHIFT | ENTRY_FRAMES;
	numbers = numbers_find(&r->owners.numbers, first);
	if (numbers == NULL)
		return true;
	for (u64 i = found->pfn % ENTRIES; i < ENTRIES; i++, home += PAGE_SIZE) {
		if (numbers[i] != 0 || !entry_is_away(leaf[i], home))
			continue;
		*found = (struct p2m_page){first + i, leaf[i] >> PAGE_SHIFT};
		r->cursor = found->pfn + 1;
		return true;
	}
	r->cursor = first + ENTRIES;
	*steps -= (u32)min_u64(*steps, ENTRIES);
	return false;
}

static int fill(struct remap *r, u32 *steps, struct plan_move *m)
{
	struct p2m_page found;

	while (r->cursor != P2M_END && *steps != 0) {
		if (!(r->shared ? fill_list : fill_leaf)(r, steps, &found))
			continue;
		*m = (struct plan_move){MOVE_PAGE, .page = found.pfn, .from = found.mfn,
					.to = found.pfn};
		return PLAN_MOVE;
	}
	return (int)nothing_found(r);
}

/* Of a lone domain nothing but cycles is left: the page itself steps aside, whose user is known. */
static int evacuate(struct remap *r, u64 page, u64 frame, struct plan_move *m)
{
	u64 from = r->task.nr_spaces == 1 ? frame : page;
	mfn_t spare;

	if (!r->task.ops->spare(r->task.context, &spare))
		return -VL_ENOMEM;
	*m = (struct plan_move){MOVE_FRAME, .page = page, .from = from, .to = spare.v,
				.takes_spare = true};
	return PLAN_MOVE;
}

/* A count of users does not tell who is at the page's place, whom an exchange has to know; who
 * steps aside is known. */
static bool searches_long(const struct remap *r)
{
	return r->owners.kind == OWNERS_REFCOUNT && p2m_of(r)->moved > REMAP_SEARCHED;
}

/* A frame that the page shares cannot be exchanged: what others have there stays. */
static int make_room(struct remap *r, u64 page, u64 frame, struct plan_move *m)
{
	bool can_exchange = r->task.mode != REMAP_INDIRECT && is_alone(r, frame);
	int err;

	if (r->task.mode != REMAP_DIRECT || !can_exchange || searches_long(r)) {
		err = evacuate(r, page, frame, m);
		if (err >= 0 || !can_exchange)
			return err;
	}
	*m = (struct plan_move){MOVE_EXCHANGE, .page = page, .from = frame, .to = page};
	return PLAN_MOVE;
}

/* Mostly the next one is in the leaf table of the last. */
static bool find_away(struct remap *r, u32 *steps, struct p2m_page *found)
{
	const u64 *leaf =
		r->cursor != P2M_END ? p2m_near_leaf(p2m_of(r), &r->near, r->cursor) : NULL;
	u64 home = r->cursor << PAGE_SHIFT | ENTRY_FRAMES;

	for (u64 i = r->cursor % ENTRIES; leaf != NULL && i < ENTRIES; i++, home += PAGE_SIZE) {
		if (leaf[i] == home || !entry_is_away(leaf[i], home))
			continue;
		*found = (struct p2m_page){home >> PAGE_SHIFT, leaf[i] >> PAGE_SHIFT};
		return true;
	}
	if (leaf != NULL)
		r->cursor = home >> PAGE_SHIFT;
	*steps -= (u32)min_u64(*steps, leaf != NULL ? ENTRIES : 0);
	return p2m_list_away(p2m_of(r), &r->cursor, steps, found, 1) != 0;
}

static int break_up(struct remap *r, u32 *steps, struct plan_move *m)
{
	struct p2m_page page;

	if (p2m_of(r)->moved == 0)
		return PLAN_DONE;
	if (!find_away(r, steps, &page))
		return (int)nothing_found(r);
	r->cursor = page.pfn; /* until it is at home */
	return make_room(r, page.pfn, page.mfn, m);
}

int plan_next(struct remap *r, u32 *steps, struct plan_move *m)
{
	int answer;

	if (r->hole != REMAP_NONE) {
		if (!follow(r, m))
			end_chain(r, m);
		return PLAN_MOVE;
	}
	if (r->phase == REMAP_FILL) {
		answer = fill(r, steps, m);
		if (answer != PLAN_DONE)
			return answer;
		r->phase = REMAP_BREAK;
		r->cursor = 0;
	}
	return break_up(r, steps, m);
}
