/* SPDX-License-Identifier: MIT */
/*
 * Memory that comes home, see home.h. Vellum moves it by itself while the guest
 * runs, this among it; here is only asked how far it is. So it may end at any
 * moment: the pages that are at home stay there.
 */
#include "dom-tools/vl/home.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dom-tools/lib/guests.h"
#include "dom-tools/lib/machine.h"

#define LOOK_NS   (200 * 1000 * 1000)
#define BAR_WIDTH 32

/* Of pieces, without one page that comes home: some are bad luck. */
#define MOST_FAILURES 10

struct choice {
	const char *name;
	uint64_t value;
};

static int choose(const char *option, const char *given, const struct choice *from, uint64_t mask,
		  uint64_t *how, struct vl_error *e)
{
	if (!given)
		return 0;
	for (; from->name; from++) {
		if (strcmp(from->name, given) == 0) {
			*how = (*how & ~mask) | from->value;
			return 0;
		}
	}
	return vl_fail(e, VL_USAGE, "--%s does not know `%s`", option, given);
}

int home_how(const struct invocation *inv, uint64_t *how, struct vl_error *e)
{
	static const struct choice modes[] = {{"auto", VL_REMAP_AUTO},
					      {"indirect", VL_REMAP_INDIRECT},
					      {"direct", VL_REMAP_DIRECT},
					      {NULL, 0}};
	static const struct choice kinds[] = {{"backmap", VL_REMAP_BACKMAP},
					      {"refcount", VL_REMAP_REFCOUNT},
					      {"search", VL_REMAP_SEARCH},
					      {NULL, 0}};
	int rc;

	*how = VL_REMAP_USUAL;
	if (option_given(inv, "live") && option_given(inv, "paused"))
		return vl_fail(e, VL_USAGE, "--live and --paused exclude each other");
	rc = choose("remap", option_value(inv, "remap"), modes, VL_REMAP_MODE, how, e);
	if (rc == 0)
		rc = choose("owners", option_value(inv, "owners"), kinds, VL_REMAP_OWNERS, how, e);
	if (rc == 0 && !option_given(inv, "paused"))
		*how |= VL_REMAP_LIVE;
	return rc;
}

/* --- progress --- */

static uint64_t done_of(const struct vl_home_info *h)
{
	return h->pages > h->left ? h->pages - h->left : 0;
}

static uint64_t pages_a_second(const struct vl_home_info *h, uint64_t tsc_rate)
{
	uint64_t ticks = h->begun && h->now > h->begun ? h->now - h->begun : 0;

	return ticks ? (uint64_t)((double)done_of(h) * (double)tsc_rate / (double)ticks) : 0;
}

static void print_progress(const struct vl_home_info *h, uint64_t tsc_rate, bool again)
{
	char bar[BAR_WIDTH + 1];
	size_t full = h->pages ? (size_t)(done_of(h) * BAR_WIDTH / h->pages) : BAR_WIDTH;

	memset(bar, '.', BAR_WIDTH);
	memset(bar, '#', full);
	bar[BAR_WIDTH] = 0;
	fprintf(stderr,
		"%s[%s] %3" PRIu64 " %%  %" PRIu64 " of %" PRIu64 " pages, %" PRIu64
		"/s, longest pause %" PRIu64 " us%s",
		again ? "\r" : "", bar, h->pages ? done_of(h) * 100 / h->pages : 100, done_of(h),
		h->pages, pages_a_second(h, tsc_rate),
		(uint64_t)((double)h->longest * 1e6 / (double)tsc_rate), again ? "\033[K" : "\n");
	fflush(stderr);
}

/* --- waiting --- */

static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

static int stop(struct vl_client *c, const struct vl_home_info *h, struct vl_error *e)
{
	struct vl_home_info last;
	uint64_t left, how = (h->how & ~(uint64_t)VL_REMAP_LIVE) | VL_HOME_STOP;
	int rc = vl_guest_home(c, how, &last, &left, e);

	if (rc)
		return rc;
	if (!interrupted)
		return vl_fail(
			e, ENOMEM,
			"Vellum has no memory to move pages by, and %" PRIu64 " of %" PRIu64
			" are not at home yet; the guest stays virtualized. `vl devirtualize "
			"--paused --owners search` needs none",
			last.left, last.pages);
	return vl_fail(e, EINTR,
		       "interrupted: %" PRIu64 " of %" PRIu64
		       " pages are not at home yet; the guest stays virtualized, and `vl "
		       "devirtualize` goes on",
		       last.left, last.pages);
}

/* Vellum tries again and again; *since is when the last page came home. */
static bool is_stuck(const struct vl_home_info *h, struct vl_home_info *since)
{
	if (since->pages == 0 || h->left != since->left)
		*since = *h;
	return h->failures - since->failures > MOST_FAILURES;
}

/* Until nothing is left, or somebody has interrupted it. */
static int watch(struct invocation *inv, struct vl_home_info *h, struct vl_error *e)
{
	const struct timespec pause = {.tv_nsec = LOOK_NS};
	struct vl_home_info since = {0};
	bool terminal = isatty(STDERR_FILENO), stuck = false;
	bool shown = terminal || option_given(inv, "progress");
	uint64_t left = 1, tsc_rate = shown ? machine_tsc_rate() : 0;
	int rc = 0;

	while (rc == 0 && left && !interrupted && !stuck) {
		rc = vl_guest_home(&inv->client, VL_HOME_KEEP, h, &left, e);
		if (rc == 0 && shown)
			print_progress(h, tsc_rate, terminal);
		stuck = rc == 0 && is_stuck(h, &since);
		if (rc == 0 && left && !stuck)
			nanosleep(&pause, NULL);
	}
	if (terminal)
		fputc('\n', stderr);
	return rc == 0 && left ? stop(&inv->client, h, e) : rc;
}

static int come_home(struct invocation *inv, uint64_t how, struct vl_error *e)
{
	struct sigaction ours = {.sa_handler = interrupt}, before;
	struct vl_home_info h;
	uint64_t left;
	int rc;

	interrupted = 0;
	sigaction(SIGINT, &ours, &before);
	rc = vl_guest_home(&inv->client, how, &h, &left, e);
	if (rc == 0)
		rc = watch(inv, &h, e);
	sigaction(SIGINT, &before, NULL);
	return rc;
}

int home_wait(struct invocation *inv, bool *came_home, struct vl_error *e)
{
	struct vl_home_info h;
	uint64_t how, left = 0;
	int rc = home_how(inv, &how, e);

	if (rc)
		return rc;
	rc = vl_guest_home(&inv->client, VL_HOME_KEEP, &h, &left, e);
	if (rc == -VL_ENOSYS)
		return 0; /* of such a Vellum no guest that needs this has got the machine */
	if (rc || left == 0)
		return rc;
	if (!(how & VL_REMAP_LIVE))
		return vl_guest_home(&inv->client, how | VL_HOME_STOP, &h, &left, e);
	*came_home = true;
	return come_home(inv, how, e);
}
