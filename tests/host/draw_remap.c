// SPDX-License-Identifier: MIT
/*
 * Draws docs/remap.svg: a small domain before, during and after a remap, as the
 * remapper itself leaves it after so many pages. Prints it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/panic.h"
#include "p2m/remap.h"

#define PAGES  9u
#define FRAMES 11u
#define SPARE  11u /* the row of the spare frame */
#define PANELS 5u

#define ROW    26
#define BOX    92
#define LEFT   46
#define TOP    58
#define PANEL  168
#define WIDTH  (LEFT + PANELS * PANEL)
#define HEIGHT (TOP + (SPARE + 2) * ROW + 44)

/* Page by page, the frame that it is in: 0 is at home, 1 to 3 are a cycle, 5, 4 and 10 a chain to a
 * free place, 6 and 7 share a frame. */
static const u32 before[PAGES] = {0, 3, 1, 2, 10, 4, 9, 9, 8};
static const char *const titles[PANELS] = {"before", "fill: a chain", "fill: a shared frame",
					   "break: a cycle", "after"};
static const u64 moves[PANELS] = {0, 2, 2, 2, 2};

static struct p2m p;
static u32 panel;
static bool spare_used;

void panic(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	abort();
}

static void *page_alloc(void *context)
{
	void *page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);

	(void)context;
	if (page != NULL)
		memset(page, 0, PAGE_SIZE);
	return page;
}

static void page_free(void *context, void *page)
{
	(void)context;
	free(page);
}

static const struct p2m_memory memory = {.alloc = page_alloc, .free = page_free};

static int x_of(u32 n)
{
	return LEFT + (int)n * PANEL;
}

static int y_of(u64 frame)
{
	return TOP + (int)frame * ROW + (frame == SPARE ? ROW / 2 : 0);
}

/* An arrow beside the frames of the panel before, for each copy that leads to this one. */
static void draw_move(void *context, mfn_t to, mfn_t from)
{
	int x = x_of(panel) - PANEL + BOX, a = y_of(from.v) + ROW / 2 - 2,
	    b = y_of(to.v) + ROW / 2 - 2;
	int bend = x + 14 + abs(b - a) / 5;

	(void)context;
	printf("<path d=\"M%d %d C%d %d %d %d %d %d\" class=\"move\"/>\n", x, a, bend, a, bend, b,
	       x + 3, b);
}

static void copy(void *context, const ma_t *chain, u32 count)
{
	for (u32 i = 0; i < count; i++)
		draw_move(context, (mfn_t){chain[i].v >> PAGE_SHIFT},
			  (mfn_t){chain[i + 1].v >> PAGE_SHIFT});
}

static bool spare(void *context, mfn_t *mfn)
{
	(void)context;
	*mfn = (mfn_t){SPARE};
	spare_used = true;
	return true;
}

static void vacated(void *context, mfn_t mfn)
{
	(void)context;
	if (mfn.v == SPARE)
		spare_used = false;
}

static const struct remap_ops ops = {
	.copy = copy, .exchange = draw_move, .spare = spare, .vacated = vacated};

static void draw_frame(u64 frame)
{
	char text[40] = "";
	u32 users = 0, home = 0;
	int x = x_of(panel), y = y_of(frame);

	for (u64 page = 0; page < PAGES; page++) {
		size_t length = strlen(text);

		if (p2m_lookup(&p, (pfn_t){page}).v != frame)
			continue;
		snprintf(text + length, sizeof(text) - length, "%s%lu", users++ ? ", " : "page ",
			 page);
		home += page == frame;
	}
	if (panel == 0)
		printf("<text x=\"%d\" y=\"%d\" class=\"number\">%s%.0lu%s</text>\n", x - 8, y + 16,
		       frame == SPARE ? "spare"
		       : frame == 0   ? "0"
				      : "",
		       frame == SPARE ? 0 : frame, frame >= PAGES && frame != SPARE ? "*" : "");
	printf("<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" class=\"%s\"/>"
	       "<text x=\"%d\" y=\"%d\">%s</text>\n",
	       x, y, BOX, ROW - 4,
	       users == 0      ? "free"
	       : home == users ? "home"
			       : "away",
	       x + 8, y + 16, text);
}

static void draw(void)
{
	printf("<text x=\"%d\" y=\"%d\" class=\"title\">%s</text>\n", x_of(panel), TOP - 16,
	       titles[panel]);
	for (u64 frame = 0; frame < FRAMES; frame++)
		draw_frame(frame);
	if (spare_used || panel == 0)
		draw_frame(SPARE);
}

static void begin_picture(void)
{
	printf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
	       "font-family=\"sans-serif\" font-size=\"13\">\n"
	       "<style>.home{fill:#cfe8cf;stroke:#4a7d4a}.away{fill:#fbdcb4;stroke:#b5731d}"
	       ".free{fill:#f4f4f4;stroke:#bbb}.move{fill:none;stroke:#36c;stroke-width:1.5;"
	       "marker-end:url(#a)}.title{font-weight:bold}.number{text-anchor:end;fill:#666}</"
	       "style>\n"
	       "<defs><marker id=\"a\" markerWidth=\"8\" markerHeight=\"8\" refX=\"5\" refY=\"3\" "
	       "orient=\"auto\"><path d=\"M0 0 L6 3 L0 6 z\" fill=\"#36c\"/></marker></defs>\n"
	       "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
	       WIDTH, HEIGHT);
}

static void end_picture(void)
{
	printf("<text x=\"%d\" y=\"%d\">Rows: machine frames (*: no page of the domain belongs "
	       "there). "
	       "Green: at home; orange: away; grey: free.</text>\n",
	       LEFT - 40, HEIGHT - 26);
	printf("<text x=\"%d\" y=\"%d\">Arrows: what is copied on the way to the next "
	       "picture.</text>\n"
	       "</svg>\n",
	       LEFT - 40, HEIGHT - 8);
}

int main(void)
{
	struct owners_space space = {1, &p};
	struct remap_task task = {.ops = &ops, .space = &space, .nr_spaces = 1, .memory = &memory};
	struct remap r;

	p2m_set_machine((struct range){0, 0}, (ma_t){0});
	p2m_init_own(&p, &memory, (ma_t){0});
	for (u64 page = 0; page < PAGES; page++)
		if (p2m_set(&p, (pfn_t){page}, (mfn_t){before[page]}, PAGE_SHIFT) != 0)
			return 1;
	begin_picture();
	remap_begin(&r, &task);
	for (panel = 0; panel < PANELS; panel++) {
		if (moves[panel] != 0 &&
		    remap_step(&r, panel == PANELS - 1 ? 100 : moves[panel]) < 0)
			return 1;
		draw();
	}
	end_picture();
	p2m_destroy(&p);
	return p.moved == 0 ? 0 : 1;
}
