// SPDX-License-Identifier: MIT
/* See window.h. */
#include "tests/fuzz/machine/window.h"

#include <string.h>

#include "tests/fuzz/damage.h"
#include "tests/fuzz/machine/machine.h"

/* All RAM as its owners see it, wherever it is, and the pages between and behind, which are
 * nobody's.
 */
static u8 before[WATCH_PAGES][PAGE_SIZE];
static bool was_given[WATCH_PAGES];
_Static_assert(WATCH_START + WATCH_PAGES * PAGE_SIZE == 0x111000, "one page behind OTHER_RAM");

static bool is_given(u64 pa)
{
	struct p2m_owner to;

	return (domain_first()->layers & VL_LAYER_MEMORY) &&
	       p2m_is_given(&domain_first()->p2m, (pfn_t){pa >> PAGE_SHIFT}, &to);
}

/* What is given away is at the frame of its own number. */
static u8 *page_at(u64 pa)
{
	struct range page = {pa, pa + PAGE_SIZE};
	const struct domain *first = domain_first();

	if (memmap_is_ram(&first->memory, page) && !is_given(pa))
		return machine_page(first, pa);
	return direct((ma_t){pa});
}

void window_remember(void)
{
	for (u64 i = 0; i < WATCH_PAGES; i++) {
		was_given[i] = is_given(WATCH_START + i * PAGE_SIZE);
		memcpy(before[i], page_at(WATCH_START + i * PAGE_SIZE), PAGE_SIZE);
	}
}

/* Bits that Vellum may have set in a domain's page of events: they are no buffer of the call. */
void window_expect_events(void)
{
	for (const struct domain *d = domain_first(); d != NULL; d = domain_next(d->domid + 1)) {
		const u8 *at = (const u8 *)d->events.at;

		for (u64 i = 0; at != NULL && i < WATCH_PAGES; i++)
			if (page_at(WATCH_START + i * PAGE_SIZE) == at - (u64)at % PAGE_SIZE)
				memcpy(&before[i][(u64)at % PAGE_SIZE], at,
				       sizeof(d->events.at->pending));
	}
}

static void check_zero(const u8 *page)
{
	for (u64 i = 0; i < PAGE_SIZE; i++)
		must(page[i] == 0);
}

/* The same bytes but for what `caller` has at [buffer.start, buffer.end), and frames that came
 * home.
 */
void window_check(const struct domain *caller, struct range buffer)
{
	const u8 *written = NULL;

	if (buffer.start != buffer.end)
		written = machine_page(caller, round_down(buffer.start, PAGE_SIZE));
	for (u64 i = 0; i < WATCH_PAGES; i++) {
		u64 pa = WATCH_START + i * PAGE_SIZE, start, end;
		const u8 *now = page_at(pa);

		if (was_given[i] && !is_given(pa)) {
			check_zero(now);
			continue;
		}
		if (now != written) {
			must(memcmp(before[i], now, PAGE_SIZE) == 0);
			continue;
		}
		start = buffer.start % PAGE_SIZE;
		end = start + range_size(buffer);
		must(memcmp(before[i], now, start) == 0);
		must(memcmp(before[i] + end, now + end, PAGE_SIZE - end) == 0);
	}
}

/* What each domain has at the addresses of the window, in whichever frame. */
static struct view {
	bool there;
	u8 bytes[PAGE_SIZE];
} views[KEPT][WATCH_PAGES];

static const u8 *seen_by(const struct domain *d, u64 pa)
{
	struct range page = {pa, pa + PAGE_SIZE};
	bool gone = d == domain_first() && is_given(pa);

	return memmap_is_ram(&d->memory, page) && !gone ? machine_page(d, pa) : NULL;
}

void window_remember_views(void)
{
	u32 n = 0;

	for (const struct domain *d = domain_first(); d != NULL && n < KEPT;
	     d = domain_next(d->domid + 1), n++)
		for (u64 i = 0; i < WATCH_PAGES; i++) {
			const u8 *at = seen_by(d, WATCH_START + i * PAGE_SIZE);

			views[n][i].there = at != NULL;
			if (at != NULL)
				memcpy(views[n][i].bytes, at, PAGE_SIZE);
		}
}

static void check_view(const struct view *was, const u8 *now, struct range written)
{
	must(was->there == (now != NULL));
	for (u64 i = 0; now != NULL && i < PAGE_SIZE; i++)
		must(was->bytes[i] == now[i] || (i >= written.start && i < written.end));
}

/* Each domain finds what it had, but `caller` in its buffer, and Vellum what it keeps of it. */
void window_check_views(const struct domain *caller, struct range buffer)
{
	u32 n = 0;

	for (const struct domain *d = domain_first(); d != NULL && n < KEPT;
	     d = domain_next(d->domid + 1), n++) {
		for (u64 i = 0; i < WATCH_PAGES; i++) {
			u64 pa = WATCH_START + i * PAGE_SIZE;
			bool here = d == caller && round_down(buffer.start, PAGE_SIZE) == pa;
			struct range in_page = {buffer.start - pa, buffer.end - pa};

			check_view(&views[n][i], seen_by(d, pa),
				   here ? in_page : (struct range){0});
		}
	}
}

bool window_lends(const struct domain *owner, mfn_t mfn)
{
	for (u64 i = 0; i < WATCH_PAGES; i++) {
		u64 pa = WATCH_START + i * PAGE_SIZE;

		if (seen_by(owner, pa) == direct(mfn_to_ma(mfn)))
			return grant_is_in_use(owner, pa >> PAGE_SHIFT);
	}
	return false;
}
