// SPDX-License-Identifier: MIT
/*
 * Collecting problems, see problems.h.
 */
#include "dom-tools/config/problems.h"

#include <stdarg.h>
#include <stdio.h>

void problem_add(struct problems *p, enum severity severity, struct position at, const char *fmt,
		 ...)
{
	struct problem *new;
	va_list ap;

	if (severity == PROBLEM_ERROR)
		p->errors++;
	else
		p->warnings++;
	if (p->count == MAX_PROBLEMS)
		return;
	new = &p->list[p->count++];
	*new = (struct problem){.at = at, .severity = severity};
	if (p->count == MAX_PROBLEMS) {
		new->at = (struct position){0};
		snprintf(new->text, sizeof(new->text),
			 "there are more problems than can be shown; mend these first");
		return;
	}
	va_start(ap, fmt);
	vsnprintf(new->text, sizeof(new->text), fmt, ap);
	va_end(ap);
}

static int is_after(struct position a, struct position b)
{
	if (a.line == 0 || b.line == 0)
		return a.line == 0 && b.line != 0;
	return a.line != b.line ? a.line > b.line : a.column > b.column;
}

/* By insertion: the list is short and nearly sorted, and equal places keep their order. */
void problems_sort(struct problems *p)
{
	for (size_t i = 1; i < p->count; i++) {
		struct problem moved = p->list[i];
		size_t at = i;

		for (; at > 0 && is_after(p->list[at - 1].at, moved.at); at--)
			p->list[at] = p->list[at - 1];
		p->list[at] = moved;
	}
}
