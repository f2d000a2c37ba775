// SPDX-License-Identifier: MIT
/*
 * Pages from the heap, one by one, so that the sanitizer sees who goes beyond
 * one or uses it when it is back.
 */
#include "tests/unit/pages.h"

#include "tests/unit/check.h"

u64 pages_left, pages_used;

static void *page_alloc(void *context)
{
	void *page;

	(void)context;
	if (pages_left == 0)
		return NULL;
	pages_left--;
	pages_used++;
	page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
	assert_non_null(page);
	memset(page, 0, PAGE_SIZE);
	return page;
}

static void page_free(void *context, void *page)
{
	(void)context;
	pages_left++;
	pages_used--;
	free(page);
}

const struct p2m_memory pages = {.alloc = page_alloc, .free = page_free};

void pages_begin(u64 left)
{
	pages_left = left;
	pages_used = 0;
}
