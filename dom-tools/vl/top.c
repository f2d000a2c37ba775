/* SPDX-License-Identifier: MIT */
/*
 * `vl top`: the domains and what they keep Vellum busy with, again and again:
 * on a whole screen (ncurses) until q, or as plain text. Whatever ends it, the
 * terminal is given back before anything else is printed there.
 */
#include "dom-tools/vl/command.h"

#include <curses.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dom-tools/lib/machine.h"
#include "dom-tools/vl/options.h"
#include "dom-tools/vl/top_text.h"

#define CTRL_C       3
#define HEADER_LINE  3
#define DELAY_MOST   3600
#define FOREVER      0
#define ITERATE_MOST 1000000000

struct top {
	struct vl_client *client;
	uint64_t tsc_rate;
	uint64_t delay; /* seconds */
	uint64_t left;  /* looks to go, FOREVER */
	struct sample now, before;
	bool has_before;
};

static int look(struct top *t, struct vl_error *e)
{
	struct sample s;
	int rc = sample_get(t->client, t->tsc_rate, &s, e);

	if (rc)
		return rc;
	sample_free(&t->before);
	t->before = t->now;
	t->has_before = t->before.counters != NULL;
	t->now = s;
	return 0;
}

/* Whether that was the last one. */
static bool is_done(struct top *t)
{
	return t->left != FOREVER && --t->left == 0;
}

static void line(const struct top *t, size_t n, char *to)
{
	top_line(to, n, &t->now, t->has_before ? &t->before : NULL);
}

static int run_batch(struct top *t, struct vl_error *e)
{
	struct timespec pause = {.tv_sec = (time_t)t->delay};
	char text[TOP_LINE];

	for (;;) {
		int rc = look(t, e);

		if (rc)
			return rc;
		for (size_t n = 0; n < top_lines(&t->now); n++) {
			line(t, n, text);
			puts(text);
		}
		/* Nobody reads on, or there is no room: main says so. */
		if (is_done(t) || fflush(stdout) || ferror(stdout))
			return 0;
		putchar('\n');
		nanosleep(&pause, NULL);
	}
}

static void draw(const struct top *t)
{
	char text[TOP_LINE];

	erase();
	for (size_t n = 0; n < top_lines(&t->now) && n < (size_t)LINES; n++) {
		line(t, n, text);
		attrset(n == HEADER_LINE ? A_REVERSE : A_NORMAL);
		mvaddnstr((int)n, 0, text, COLS);
	}
	attrset(A_NORMAL);
	refresh();
}

/* Wait for the next look; true: the user wants to leave. */
static bool wait_for_key(const struct top *t)
{
	for (;;) {
		switch (getch()) {
		case 'q':
		case CTRL_C: /* the terminal is raw */
			return true;
		case KEY_RESIZE:
			draw(t);
			break;
		case ' ':
		case ERR: /* time is up */
			return false;
		default:
			break;
		}
	}
}

static int loop(struct top *t, struct vl_error *e)
{
	for (;;) {
		int rc = look(t, e);

		if (rc)
			return rc;
		draw(t);
		if (is_done(t) || wait_for_key(t))
			return 0;
	}
}

static int run_screen(struct top *t, struct vl_error *e)
{
	const char *term = getenv("TERM");
	SCREEN *screen;
	int rc;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return vl_fail(e, ENOTTY, "top needs a terminal; `vl top --batch` does not");
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return vl_fail(e, ENOTTY,
			       "no terminal of type `%s` is known here; set TERM to another, or "
			       "use `vl top --batch`",
			       term ? term : "");
	raw();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	timeout((int)t->delay * 1000);
	rc = loop(t, e);
	endwin();
	delscreen(screen);
	return rc;
}

int cmd_top(struct invocation *inv, struct vl_error *e)
{
	struct top t = {.client = &inv->client, .delay = 1, .left = FOREVER};
	int rc = option_number(inv, "delay", 1, DELAY_MOST, &t.delay, e);

	if (rc == 0)
		rc = option_number(inv, "iterations", 1, ITERATE_MOST, &t.left, e);
	if (rc)
		return rc;
	t.tsc_rate = machine_tsc_rate();
	rc = option_given(inv, "batch") ? run_batch(&t, e) : run_screen(&t, e);
	sample_free(&t.now);
	sample_free(&t.before);
	return rc;
}
