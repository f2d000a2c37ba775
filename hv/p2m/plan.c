// SPDX-License-Identifier: MIT
/*
 * The planner. It keeps no list of moves: what is next follows from the p2m, the
 * users of frames, and three numbers.
 *
 *  hole    a frame that has just become free. If it is the place of a page that is away, that page
 *          is next, and the frame that it leaves is the next hole: a chain
 *  cursor  begins a chain where there is none: at the lowest page that is away and
 *           FILL:  whose place is free
 *           BREAK: whatever is at its place, which goes to the spare frame, or to where the page
 * was spare   a frame in use for the time of one chain, which ends when its content is at home, or
 * else moves into the last hole
 *
 * When FILL is over, no page that is away has a free place. As they have as many places as they
 * are, each of their frames is the place of one of them then, or has users of another domain: so
 * nothing is left but cycles, of one user a frame, and what others' pages are in the way of
 * (docs/remap.md).
 */
#include "plan.h"

#include "lib/panic.h"
#include "public/errno.h"

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
static u64 users(const struct remap *r, u64 frame, u64 most)
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

static bool stop_at(void *context, pfn_t pfn, mfn_t mfn)
{
	*(u64 *)context = mfn.v;
	(void)pfn;
	return false;
}

/* The next page that is away. Without: PLAN_LATER or PLAN_DONE. */
static enum plan_answer next_away(struct remap *r, u32 *steps, u64 *frame)
{
	*frame = REMAP_NONE;
	if (p2m_each_away(p2m_of(r), &r->cursor, steps, stop_at, frame))
		return PLAN_DONE;
	return *frame != REMAP_NONE ? PLAN_MOVE : PLAN_LATER;
}

static int fill(struct remap *r, u32 *steps, struct plan_move *m)
{
	enum plan_answer answer;
	u64 frame;

	while ((answer = next_away(r, steps, &frame)) == PLAN_MOVE) {
		u64 page = r->cursor++;

		if (users(r, page, 1) != 0)
			continue;
		*m = (struct plan_move){MOVE_PAGE, .page = page, .from = frame, .to = page};
		return PLAN_MOVE;
	}
	return (int)answer;
}

static int evacuate(struct remap *r, u64 place, struct plan_move *m)
{
	mfn_t spare;

	if (!r->task.ops->spare(r->task.context, &spare))
		return -VL_ENOMEM;
	*m = (struct plan_move){MOVE_FRAME, .from = place, .to = spare.v, .takes_spare = true};
	return PLAN_MOVE;
}

/* A frame that the page shares cannot be exchanged: what others have there stays. */
static int make_room(struct remap *r, u64 page, u64 frame, struct plan_move *m)
{
	bool can_exchange = r->task.mode != REMAP_INDIRECT && is_alone(r, frame);
	int err;

	if (r->task.mode != REMAP_DIRECT || !can_exchange) {
		err = evacuate(r, page, m);
		if (err >= 0 || !can_exchange)
			return err;
	}
	*m = (struct plan_move){MOVE_EXCHANGE, .page = page, .from = frame, .to = page};
	return PLAN_MOVE;
}

static int break_up(struct remap *r, u32 *steps, struct plan_move *m)
{
	u64 frame;
	enum plan_answer answer = next_away(r, steps, &frame);

	return answer == PLAN_MOVE ? make_room(r, r->cursor, frame, m) : (int)answer;
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
