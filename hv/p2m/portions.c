// SPDX-License-Identifier: MIT
/*
 * The set of portions. Pure. There are few, so everything is a walk over all of
 * them.
 */
#include "p2m/portions.h"

#include "lib/string.h"
#include "public/errno.h"

void portions_set_none(struct portions *p)
{
	p->count = 0;
}

void portions_set_all(struct portions *p)
{
	p->count = 1;
	p->at[0] = (struct range){0, PORTIONS_END};
}

bool portions_are_all(const struct portions *p)
{
	return portions_have(p, (struct range){0, PORTIONS_END});
}

/* Index of the first that ends behind `frame`. */
static u32 first_behind(const struct portions *p, u64 frame)
{
	u32 i = 0;

	while (i < p->count && p->at[i].end <= frame)
		i++;
	return i;
}

bool portions_have(const struct portions *p, struct range frames)
{
	u32 i = first_behind(p, frames.start);

	return i < p->count && range_contains(p->at[i], frames);
}

struct range portions_next(const struct portions *p, u64 frame)
{
	u32 i = first_behind(p, frame);

	if (i == p->count)
		return (struct range){0, 0};
	return (struct range){max_u64(p->at[i].start, frame), p->at[i].end};
}

/* Those from `first` to before `end` become `count` others. */
static int replace(struct portions *p, u32 first, u32 end, const struct range *by, u32 count)
{
	u32 left = p->count - end;

	if (first + count + left > VL_MAX_PORTIONS)
		return -VL_ENOSPC;
	memmove(&p->at[first + count], &p->at[end], left * sizeof(p->at[0]));
	memcpy(&p->at[first], by, count * sizeof(*by));
	p->count = first + count + left;
	return 0;
}

int portions_add(struct portions *p, struct range frames)
{
	/* One that ends where this begins becomes one with it. */
	u32 first = frames.start == 0 ? 0 : first_behind(p, frames.start - 1), end = first;

	if (portions_have(p, frames))
		return -VL_EEXIST;
	for (; end < p->count && p->at[end].start <= frames.end; end++) {
		frames.start = min_u64(frames.start, p->at[end].start);
		frames.end = max_u64(frames.end, p->at[end].end);
	}
	return replace(p, first, end, &frames, 1);
}

int portions_remove(struct portions *p, struct range frames)
{
	u32 first = first_behind(p, frames.start), end = first, count = 0;
	struct range left[2];

	while (end < p->count && p->at[end].start < frames.end)
		end++;
	if (end == first)
		return -VL_ENOENT;
	if (p->at[first].start < frames.start)
		left[count++] = (struct range){p->at[first].start, frames.start};
	if (p->at[end - 1].end > frames.end)
		left[count++] = (struct range){frames.end, p->at[end - 1].end};
	return replace(p, first, end, left, count);
}

/* --- what is outside --- */

static void keep_larger(struct range_pair *best, struct range r)
{
	u32 smaller = range_size(best->at[0]) < range_size(best->at[1]) ? 0 : 1;

	if (range_size(r) > range_size(best->at[smaller]))
		best->at[smaller] = r;
}

struct range_pair portions_outside(const struct portions *p, const struct range_pair *within)
{
	struct range_pair best = {0};

	for (u32 i = 0; i < ARRAY_SIZE(within->at); i++) {
		struct range rest = within->at[i];

		for (u32 k = 0; k < p->count && rest.start < rest.end; k++) {
			u64 start = p->at[k].start << PAGE_SHIFT, end = p->at[k].end << PAGE_SHIFT;

			if (start > rest.start)
				keep_larger(&best,
					    (struct range){rest.start, min_u64(start, rest.end)});
			rest.start = max_u64(rest.start, min_u64(end, rest.end));
		}
		keep_larger(&best, rest);
	}
	return best;
}
