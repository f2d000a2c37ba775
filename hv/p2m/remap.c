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
#include "plan.h"
#include "public/errno.h"

/* Entries of p2ms that are looked at in a step, whatever is moved. */
#define LOOKS_A_STEP 1024u
#define LOOKS_A_PAGE 16u

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
	r->task.ops->copy(r->task.context, (mfn_t){m->to}, (mfn_t){m->from});
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

/* From here on each user can be pointed elsewhere without fail. */
static int prepare_users(struct remap *r, u64 from, u64 to)
{
	struct p2m_owner user = {0, 0};
	int err = owners_reserve(&r->owners, (mfn_t){to});

	if (err == 0) /* for the way back */
		err = owners_reserve(&r->owners, (mfn_t){from});
	for (; err == 0 && owners_next(&r->owners, (mfn_t){from}, &user); user.pfn++)
		err = p2m_set(space_by_domid(r, user.domid)->p2m, (pfn_t){user.pfn}, (mfn_t){from},
			      PAGE_SHIFT);
	r->near = (struct p2m_near){0};
	return err;
}

/* All users but the page that is to have `from`. */
static void repoint_users(struct remap *r, u64 from, u64 to)
{
	struct p2m_owner user = {0, 0};

	for (; owners_next(&r->owners, (mfn_t){from}, &user); user.pfn++) {
		int err = p2m_set(space_by_domid(r, user.domid)->p2m, (pfn_t){user.pfn},
				  (mfn_t){to}, PAGE_SHIFT);

		assert(err == 0);
		if (user.pfn != from)
			owners_remove(&r->owners, (mfn_t){from}, user);
		if (user.pfn != to)
			err = owners_add(&r->owners, (mfn_t){to}, user);
		assert(err == 0);
		tell(r, user, from, to);
	}
	r->near = (struct p2m_near){0};
}

static int move_frame(struct remap *r, const struct plan_move *m)
{
	int err = prepare_users(r, m->from, m->to);

	if (err < 0) {
		if (m->takes_spare)
			vacate(r, m->to);
		return err;
	}
	r->task.ops->copy(r->task.context, (mfn_t){m->to}, (mfn_t){m->from});
	repoint_users(r, m->from, m->to);
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
	err = p2m_set(space_of(r)->p2m, (pfn_t){m->page}, (mfn_t){m->to}, PAGE_SHIFT);
	assert(err == 0);
	r->near = (struct p2m_near){0};
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

struct collecting {
	struct remap *r;
	u64 left; /* pages */
	int err;
};

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

static bool collect_page(void *context, pfn_t pfn, mfn_t mfn)
{
	struct collecting *c = context;
	const struct remap *r = c->r;
	struct p2m_owner user = {r->task.space[r->collecting].domid, pfn.v};

	if (c->left == 0)
		return false;
	c->left--;
	if (r->collecting == r->task.of)
		c->err = check_place(r, pfn.v);
	if (c->err == 0)
		c->err = owners_add(&c->r->owners, mfn, user);
	return c->err == 0;
}

/* Pages cost a fraction of a move here. */
static int collect(struct remap *r, u32 *steps, u64 *pages)
{
	struct collecting c = {r, *pages * LOOKS_A_PAGE, 0};

	while (r->collecting < r->task.nr_spaces) {
		if (!p2m_each_away(r->task.space[r->collecting].p2m, &r->cursor, steps,
				   collect_page, &c))
			break;
		r->collecting++;
		r->cursor = 0;
	}
	if (r->collecting == r->task.nr_spaces) {
		r->phase = REMAP_FILL;
		r->cursor = 0;
	}
	*pages = c.left / LOOKS_A_PAGE;
	return c.err;
}

/* --- what callers do --- */

void remap_begin(struct remap *r, const struct remap_task *task)
{
	for (u32 i = 0; i < task->nr_spaces; i++)
		assert(i == task->of || task->space[i].p2m->own);
	*r = (struct remap){.task = *task, .hole = REMAP_NONE, .spare = REMAP_NONE};
	owners_init(&r->owners, task->owners, task->memory, task->space, task->nr_spaces);
}

static void end(struct remap *r)
{
	owners_end(&r->owners);
	r->phase = REMAP_DONE;
}

static s64 move_some(struct remap *r, u32 *steps, u64 pages)
{
	struct plan_move m;
	int answer;

	while (pages > 0) {
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
	}
	return (s64)max_u64(space_of(r)->p2m->moved, 1);
}

s64 remap_step(struct remap *r, u64 pages)
{
	u32 steps = LOOKS_A_STEP + LOOKS_A_PAGE * (u32)min_u64(pages, MIB);
	s64 left = 1;
	int err = 0;

	if (r->phase == REMAP_COLLECT && space_of(r)->p2m->moved == 0)
		left = 0;
	else if (r->phase == REMAP_COLLECT)
		err = collect(r, &steps, &pages);
	if (left != 0 && err == 0 && r->phase != REMAP_COLLECT)
		left = move_some(r, &steps, pages);
	else if (left != 0 && err == 0)
		left = (s64)space_of(r)->p2m->moved;
	if (err < 0)
		return err;
	if (left == 0)
		end(r);
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
	end(r);
}
