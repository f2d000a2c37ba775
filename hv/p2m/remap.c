// SPDX-License-Identifier: MIT
/*
 * Making the planner's moves: contents, p2ms and owners change together, so
 * that between two moves each page is where its p2m says. Owns invariant M15:
 * nothing is written to a frame that anybody uses but by an exchange, and no
 * page that is at home is moved. What can fail (tables) is done before a move
 * changes anything.
 */
#include "p2m/remap.h"

#include "lib/panic.h"
#include "entry.h"
#include "numbers.h"
#include "plan.h"
#include "public/errno.h"

/* Entries of p2ms that are looked at in a step, whatever is moved. */
#define LOOKS_A_STEP 1024u
#define LOOKS_A_PAGE 16u

/* A search looks at all that is away, at most; an exchange may take three. So many in a step, or
 * one exchange: 890,000 instructions. */
#define SEARCHES     3u
#define LOOKS_SEARCH (SEARCHES * REMAP_SEARCHED)

/* Of the owners' memory, at the end. */
#define PAGES_FREED_A_STEP 256u

static const struct owners_space *space_of(const struct remap *r)
{
	return &r->task.space[r->task.of];
}

static const struct owners_space *space_by_domid(const struct remap *r, u32 domid)
{
	for (u32 i = 0; i < r->task.nr_spaces; i++)
		if (r->task.space[i].domid == domid)
			return &r->task.space[i];
	panic("remap: no p2m of domain %u", domid);
}

static void tell(const struct remap *r, struct p2m_owner page, u64 from, u64 to)
{
	if (r->task.ops->moved != NULL)
		r->task.ops->moved(r->task.context, page, (mfn_t){from}, (mfn_t){to});
}

static void copy_one(const struct remap *r, u64 to, u64 from)
{
	const ma_t one[] = {{to << PAGE_SHIFT}, {from << PAGE_SHIFT}};

	r->task.ops->copy(r->task.context, one, 1);
}

static void vacate(const struct remap *r, u64 frame)
{
	r->task.ops->vacated(r->task.context, (mfn_t){frame});
}

/* --- moves --- */

static bool is_used(struct remap *r, u64 frame)
{
	if (owners_count_away(&r->owners, (mfn_t){frame}, 1) != 0)
		return true;
	if (r->task.nr_spaces > 1 &&
	    owners_count_home(&r->owners, (mfn_t){frame}, r->task.of, 1) != 0)
		return true;
	return plan_is_home(r, frame);
}

static int move_page(struct remap *r, const struct plan_move *m)
{
	struct p2m_owner page = {space_of(r)->domid, m->page};
	int err = p2m_repoint(space_of(r)->p2m, &r->near, (pfn_t){m->page}, (mfn_t){m->to});

	if (err < 0)
		return err;
	copy_one(r, m->to, m->from);
	owners_remove(&r->owners, (mfn_t){m->from}, page);
	tell(r, page, m->from, m->to);
	r->counts.copied++;
	r->hole = is_used(r, m->from) ? REMAP_NONE : m->from;
	if (r->spare != REMAP_NONE && r->hole == REMAP_NONE)
		r->spare = REMAP_NONE; /* shared with another domain, which keeps it */
	if (m->from == r->spare) {
		vacate(r, r->spare);
		r->spare = r->hole = REMAP_NONE;
	}
	return 0;
}

/* --- chains --- */

/* A place in a p2m's leaf tables, found by the table above them that was used last. */
struct chain {
	const struct p2m *p;
	u64 *middle;
	u64 first; /* what the middle table begins with, by numbers of leaf tables */
	u64 stop;  /* instead of an entry: the long way has to look */
	struct slot {
		u64 *entry, *above;
	} at;
	u64 place; /* the entry of a page that is at home in the hole */
};

#define COPIES 32u /* in a row: the call for each would cost a tenth of the rest */

static NEVER_INLINE bool find_middle(struct chain *c, u64 entry)
{
	struct p2m_near near = {0};

	if (p2m_near_leaf(c->p, &near, entry >> PAGE_SHIFT) == NULL)
		return false;
	c->first = near.middle_tag * ENTRIES;
	c->middle = near.middle;
	return true;
}

/* A leaf table from which two pages can come home without a word to the tables above. */
static inline bool is_rich(u64 above)
{
	return (above & (ENTRY_KIND ^ ENTRY_TABLE)) == 0 &&
	       (above & ENTRY_AWAY) > 2 * ENTRY_AWAY_ONE;
}

/* Of the page with the number of an entry's frame. Where it could be at home without that, it
 * seems to be. */
static inline struct slot slot_of(struct chain *c, u64 entry)
{
	u64 leaf = (entry >> level_shift(2)) - c->first, *above;

	if (leaf >= ENTRIES) {
		if (!find_middle(c, entry))
			goto stop;
		leaf = entry_index(entry, 2);
	}
	above = &c->middle[leaf];
	if (is_rich(*above))
		return (struct slot){&table_of(*above)[entry_index(entry, 1)], above};
stop:
	c->stop = entry;
	return (struct slot){&c->stop, &c->stop};
}

/*
 * What plan_next() and move_page() would do for nearly all pages of a chain, in a few instructions:
 * each frame has one user, and is no page's home. The next place is the entry that a page's own
 * replaces. A leaf table is left alone before its last page comes home; as there may be one of the
 * same to come when the next one is looked up, that counts two. Returns how many pages are to be
 * copied; what comes next is for the long way, if that are less than COPIES.
 */
static NEVER_INLINE u32 follow_some(struct chain *c, ma_t *list, u64 most)
{
	u64 place = c->place, entry = *c->at.entry, before;
	ma_t *next = list, *end = list + most;
	struct slot at = c->at, from;

	next->v = place - ENTRY_FRAMES;
	while (next < end && (entry & ~ENTRY_NUMBER) == ENTRY_FRAMES) {
		from = slot_of(c, entry);
		before = *from.entry;
		if (before == entry)
			break;
		(++next)->v = entry - ENTRY_FRAMES;
		*at.entry = place;
		*at.above -= ENTRY_AWAY_ONE;
		at = from;
		place = entry;
		entry = before;
	}
	c->at = at;
	c->place = place;
	return (u32)(next - list);
}

static void follow_by(struct remap *r, const ma_t *list, u32 count)
{
	if (count != 0)
		r->task.ops->copy(r->task.context, list, count);
	for (u32 i = 0; r->task.ops->moved != NULL && i < count; i++)
		tell(r, (struct p2m_owner){space_of(r)->domid, list[i].v >> PAGE_SHIFT},
		     list[i + 1].v >> PAGE_SHIFT, list[i].v >> PAGE_SHIFT);
}

/* As each hole but the last becomes a home, whose users nobody asks for again, the owners hear of
 * the last alone. */
static u64 follow_chain(struct remap *r, u64 most)
{
	struct chain c = {.p = space_of(r)->p2m,
			  .first = REMAP_NONE * ENTRIES,
			  .place = r->hole << PAGE_SHIFT | ENTRY_FRAMES};
	ma_t list[COPIES + 1];
	u64 done = 0;
	u32 count;

	c.at = slot_of(&c, c.place);
	do {
		count = follow_some(&c, list, min_u64(most - done, COPIES));
		follow_by(r, list, count);
		done += count;
	} while (count == COPIES);
	r->hole = c.place >> PAGE_SHIFT;
	if (done != 0)
		owners_forget(&r->owners, r->hole);
	if (r->hole == r->spare) {
		vacate(r, r->spare);
		r->spare = r->hole = REMAP_NONE;
	}
	space_of(r)->p2m->moved -= done;
	r->counts.copied += done;
	return done;
}

/* --- moves of frames --- */

/* Tables of a user's p2m: those of the domain itself are kept at hand. */
static struct p2m_near *near_of(struct remap *r, const struct owners_space *space,
				struct p2m_near *other)
{
	*other = (struct p2m_near){0};
	return space == space_of(r) ? &r->near : other;
}

/* From here on each user can be pointed elsewhere without fail: it has an entry of 4 KiB. */
static int prepare_users(struct remap *r, u64 from, u64 to)
{
	struct p2m_owner user = {0, 0};
	int err = owners_reserve(&r->owners, (mfn_t){to});

	if (err == 0) /* for the way back */
		err = owners_reserve(&r->owners, (mfn_t){from});
	for (; err == 0 && owners_next(&r->owners, (mfn_t){from}, &user); user.pfn++) {
		const struct owners_space *space = space_by_domid(r, user.domid);
		struct p2m_near other, *near = near_of(r, space, &other);

		if (space->p2m->own && p2m_near_leaf(space->p2m, near, user.pfn) != NULL)
			continue;
		err = p2m_set(space->p2m, (pfn_t){user.pfn}, (mfn_t){from}, PAGE_SHIFT);
		*near = (struct p2m_near){0};
	}
	return err;
}

/* All users but the page that is to have `from`. */
static void repoint_users(struct remap *r, u64 from, u64 to)
{
	struct p2m_owner user = {0, 0};

	for (; owners_next(&r->owners, (mfn_t){from}, &user); user.pfn++) {
		const struct owners_space *space = space_by_domid(r, user.domid);
		struct p2m_near other, *near = near_of(r, space, &other);
		int err = p2m_repoint(space->p2m, near, (pfn_t){user.pfn}, (mfn_t){to});

		assert(err == 0);
		if (user.pfn != from)
			owners_remove(&r->owners, (mfn_t){from}, user);
		if (user.pfn != to)
			err = owners_add(&r->owners, (mfn_t){to}, user);
		assert(err == 0);
		tell(r, user, from, to);
	}
}

/* The frame's only user is the page. */
static int move_aside(struct remap *r, const struct plan_move *m)
{
	struct p2m_owner page = {space_of(r)->domid, m->page};
	int err = owners_reserve(&r->owners, (mfn_t){m->to});

	if (err == 0)
		err = p2m_repoint(space_of(r)->p2m, &r->near, (pfn_t){m->page}, (mfn_t){m->to});
	if (err < 0)
		return err;
	copy_one(r, m->to, m->from);
	owners_remove(&r->owners, (mfn_t){m->from}, page);
	err = owners_add(&r->owners, (mfn_t){m->to}, page);
	assert(err == 0);
	tell(r, page, m->from, m->to);
	return 0;
}

static int move_all(struct remap *r, const struct plan_move *m)
{
	int err = prepare_users(r, m->from, m->to);

	if (err < 0)
		return err;
	copy_one(r, m->to, m->from);
	repoint_users(r, m->from, m->to);
	return 0;
}

static int move_frame(struct remap *r, const struct plan_move *m)
{
	bool one = m->takes_spare && r->task.nr_spaces == 1;
	int err = one ? move_aside(r, m) : move_all(r, m);

	if (err < 0) {
		if (m->takes_spare)
			vacate(r, m->to);
		return err;
	}
	r->counts.evacuated++;
	if (m->takes_spare) {
		r->spare = m->to;
		r->hole = m->from;
	} else {
		vacate(r, r->spare);
		r->spare = r->hole = REMAP_NONE;
	}
	return 0;
}

/* The page's own entry waits until nobody else is at its place, or a search would find it there. */
static int exchange(struct remap *r, const struct plan_move *m)
{
	struct p2m_owner page = {space_of(r)->domid, m->page};
	int err = prepare_users(r, m->to, m->from);

	if (err == 0)
		err = prepare_users(r, m->from, m->from);
	if (err < 0)
		return err;
	r->task.ops->exchange(r->task.context, (mfn_t){m->to}, (mfn_t){m->from});
	owners_remove(&r->owners, (mfn_t){m->from}, page);
	repoint_users(r, m->to, m->from);
	err = p2m_repoint(space_of(r)->p2m, &r->near, (pfn_t){m->page}, (mfn_t){m->to});
	assert(err == 0);
	tell(r, page, m->from, m->to);
	r->counts.exchanged++;
	return 0;
}

static int make(struct remap *r, const struct plan_move *m)
{
	switch (m->kind) {
	case MOVE_PAGE:
		return move_page(r, m);
	case MOVE_FRAME:
		return move_frame(r, m);
	case MOVE_EXCHANGE:
		return exchange(r, m);
	case MOVE_DROP:
		break;
	}
	vacate(r, r->hole);
	r->hole = REMAP_NONE;
	return 0;
}

/* --- collecting --- */

static int check_place(const struct remap *r, u64 frame)
{
	const struct remap_ops *ops = r->task.ops;
	u64 ma = frame << PAGE_SHIFT;
	enum remap_place place;

	if (ops->place == NULL || (ma >= r->task.open.start && ma < r->task.open.end))
		return 0;
	place = ops->place(r->task.context, (mfn_t){frame});
	if (place == REMAP_NO_RAM)
		panic("remap: page %lx of domain %u has no place in RAM", frame,
		      space_of(r)->domid);
	return place == REMAP_OPEN ? 0 : -VL_EBUSY;
}

/* The same; and how many pages from there on need no question, of `most`. */
static int check_places(const struct remap *r, u64 *most)
{
	u64 ma = r->cursor << PAGE_SHIFT;
	int err;

	if (r->collecting != r->task.of || r->task.ops->place == NULL)
		return 0;
	err = check_place(r, r->cursor);
	*most = ma >= r->task.open.start && ma < r->task.open.end
			? min_u64(*most, (r->task.open.end - ma) >> PAGE_SHIFT)
			: 1;
	return err;
}

static NEVER_INLINE int collect_page(struct remap *r, u64 pfn, u64 frame)
{
	struct p2m_owner user = {r->task.space[r->collecting].domid, pfn};

	r->shared = r->shared || owners_count_away(&r->owners, (mfn_t){frame}, 1) != 0;
	return owners_add(&r->owners, (mfn_t){frame}, user);
}

/* From the page at the cursor to the end of its leaf table, or of what is open; those that are the
 * first users of their frames in a few instructions. */
static NEVER_INLINE int collect_leaf(struct remap *r, const u64 *leaf)
{
	u64 home = r->cursor << PAGE_SHIFT | ENTRY_FRAMES, step;
	u64 one = owners_one(&r->owners, r->task.space[r->collecting].domid, r->cursor, &step);
	u64 pages = ENTRIES - r->cursor % ENTRIES;
	const u64 *at = leaf + r->cursor % ENTRIES, *end;
	int err = check_places(r, &pages);

	if (err < 0)
		return err;
	for (end = at + pages; at < end; at++, home += PAGE_SIZE, one += step) {
		u64 *number, entry = *at;

		if (!entry_is_away(entry, home))
			continue;
		number = numbers_find_ma(&r->owners.numbers, entry);
		if (number != NULL && *number == 0)
			*number = one;
		else if ((err = collect_page(r, home >> PAGE_SHIFT, entry >> PAGE_SHIFT)) < 0)
			break;
	}
	r->cursor = home >> PAGE_SHIFT;
	return err;
}

static int collect_some(struct remap *r, u32 *steps)
{
	const struct p2m *p = r->task.space[r->collecting].p2m;
	struct p2m_near near = {0};
	struct p2m_page page;
	const u64 *leaf;
	int err;

	if (p2m_list_away(p, &r->cursor, steps, &page, 1) == 0)
		return 0;
	leaf = p2m_near_leaf(p, &near, page.pfn);
	if (leaf != NULL) {
		r->cursor = page.pfn;
		*steps -= (u32)min_u64(*steps, ENTRIES);
		return collect_leaf(r, leaf);
	}
	/* Of a large entry. */
	err = r->collecting == r->task.of ? check_place(r, page.pfn) : 0;
	return err < 0 ? err : collect_page(r, page.pfn, page.mfn);
}

/* Pages cost a fraction of a move here. */
static int collect(struct remap *r, u32 *steps)
{
	int err = 0;

	while (err == 0 && *steps > 0 && r->collecting < r->task.nr_spaces) {
		err = collect_some(r, steps);
		if (r->cursor == P2M_END) {
			r->collecting++;
			r->cursor = 0;
		}
	}
	if (r->collecting == r->task.nr_spaces)
		r->phase = REMAP_FILL;
	return err;
}

/* --- what callers do --- */

void remap_begin(struct remap *r, const struct remap_task *task)
{
	for (u32 i = 0; i < task->nr_spaces; i++)
		assert(i == task->of || task->space[i].p2m->own);
	*r = (struct remap){.task = *task, .hole = REMAP_NONE, .spare = REMAP_NONE};
	r->shared = task->nr_spaces > 1 || !task->space[task->of].p2m->own ||
		    task->owners == OWNERS_SEARCH;
	owners_init(&r->owners, task->owners, task->memory, task->space, task->nr_spaces);
}

static bool end(struct remap *r, u64 budget)
{
	r->phase = REMAP_END;
	if (!owners_end(&r->owners, budget))
		return false;
	r->phase = REMAP_DONE;
	return true;
}

static s64 move_some(struct remap *r, u32 *steps, u64 pages)
{
	struct plan_move m;
	int answer;

	while (pages > 0) {
		if (!r->shared && r->hole != REMAP_NONE)
			pages -= follow_chain(r, pages);
		if (pages == 0)
			break;
		answer = plan_next(r, steps, &m);
		if (answer == PLAN_DONE)
			return 0;
		if (answer == PLAN_LATER)
			break;
		if (answer >= 0)
			answer = make(r, &m);
		if (answer < 0)
			return answer;
		pages -= m.kind != MOVE_DROP;
		if (r->owners.looked != 0 &&
		    r->owners.looked + SEARCHES * space_of(r)->p2m->moved > LOOKS_SEARCH)
			break;
	}
	return (s64)max_u64(space_of(r)->p2m->moved, 1);
}

s64 remap_step(struct remap *r, u64 pages)
{
	u32 steps = LOOKS_A_STEP + LOOKS_A_PAGE * (u32)min_u64(pages, MIB);
	s64 left = 1;
	int err = 0;

	r->owners.looked = 0;
	if (r->phase == REMAP_END)
		return end(r, PAGES_FREED_A_STEP) ? 0 : 1;
	if (r->phase == REMAP_COLLECT && space_of(r)->p2m->moved == 0)
		left = 0;
	else if (r->phase == REMAP_COLLECT)
		err = collect(r, &steps);
	if (left != 0 && err == 0 && r->phase != REMAP_COLLECT)
		left = move_some(r, &steps, pages);
	else if (left != 0 && err == 0)
		left = (s64)space_of(r)->p2m->moved;
	if (err < 0)
		return err;
	if (left == 0)
		left = end(r, PAGES_FREED_A_STEP) ? 0 : 1;
	return left;
}

void remap_abort(struct remap *r)
{
	if (r->spare != REMAP_NONE && r->hole != REMAP_NONE) {
		struct plan_move m = {MOVE_FRAME, .from = r->spare, .to = r->hole};
		int err = move_frame(r, &m);

		assert(err == 0);
	} else if (r->hole != REMAP_NONE) {
		vacate(r, r->hole);
	}
	r->spare = r->hole = REMAP_NONE;
	end(r, OWNERS_ALL);
}
