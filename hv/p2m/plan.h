/* SPDX-License-Identifier: MIT */
/*
 * The planner's half of remapping: which move is next.
 */
#ifndef VELLUM_P2M_PLAN_H
#define VELLUM_P2M_PLAN_H

#include "p2m/remap.h"

enum plan_answer {
	PLAN_MOVE,  /* make this one */
	PLAN_LATER, /* *steps entries were looked at */
	PLAN_DONE,  /* all pages are at home, and no spare frame is in use */
};

enum move_kind {
	MOVE_PAGE,     /* page `page` from `from` home to `to`, which is free */
	MOVE_FRAME,    /* all users of `from` to `to`, which is free */
	MOVE_EXCHANGE, /* page `page` from `from` home to `to`, whose users come to `from` */
	MOVE_DROP,     /* nobody wants `from`, which is free */
};

struct plan_move {
	enum move_kind kind;
	u64 page, from, to;
	bool takes_spare;
};

/**
 * The next move, from what the p2m, the owners and r->hole, spare and cursor say; the caller makes
 * it and asks again. Negative: -VL_ENOMEM, no spare frame can be had.
 */
int plan_next(struct remap *r, u32 *steps, struct plan_move *m);

/** Whether the domain's own page of this number is at home there. Vellum's frames are nobody's
 * home, which a p2m that is the identity where it is empty does not say. */
bool plan_is_home(struct remap *r, u64 frame);

#endif
