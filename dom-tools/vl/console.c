/* SPDX-License-Identifier: MIT */
/*
 * `vl console`: a terminal for another domain, see console.h. What it writes
 * goes to the terminal as it is, as that of a machine at a serial line. Output
 * is asked for; as long as there is some, without a pause.
 */
#include "dom-tools/vl/console.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "dom-tools/lib/domains.h"
#include "dom-tools/lib/guests.h"
#include "dom-tools/vl/command.h"

#define DETACH      0x1d /* ^] */
#define INTERVAL_MS 50

struct session {
	struct vl_client *client;
	uint32_t domid;
	uint64_t pos; /* of the output */
	bool input;   /* stdin has not ended */
	bool detached;
	size_t nr_keys; /* typed, and not taken yet */
	char keys[256];
};

/* Print what there is, at most one piece; *more: it was one; *end: where all of it ends. */
static int show_output(struct session *s, bool *more, uint64_t *end, struct vl_error *e)
{
	static struct vl_log_chunk chunk;
	int rc = vl_guest_console_read(s->client, s->domid, s->pos, &chunk, e);

	if (rc)
		return rc;
	*more = chunk.size > 0;
	*end = chunk.end;
	s->pos = chunk.start + chunk.size;
	if (fwrite(chunk.text, 1, chunk.size, stdout) != chunk.size || fflush(stdout))
		return vl_fail(e, EIO, "cannot write the console's output (%s)", strerror(errno));
	return 0;
}

/* All that is there before the user can leave; a domain may add to it faster than it is read. */
static int show_backlog(struct session *s, struct vl_error *e)
{
	uint64_t end, newest;
	bool more;
	int rc = show_output(s, &more, &end, e);

	while (rc == 0 && more && s->pos < end)
		rc = show_output(s, &more, &newest, e);
	return rc;
}

static void read_keys(struct session *s)
{
	ssize_t n = read(STDIN_FILENO, s->keys + s->nr_keys, sizeof(s->keys) - s->nr_keys);
	char *detach;

	if (n <= 0) {
		s->input = false;
		return;
	}
	detach = memchr(s->keys + s->nr_keys, DETACH, (size_t)n);
	if (detach)
		n = detach - (s->keys + s->nr_keys);
	s->detached = detach != NULL;
	s->nr_keys += (size_t)n;
}

/* What the domain has no room for stays. */
static int send_keys(struct session *s, struct vl_error *e)
{
	size_t taken;
	int rc;

	if (s->nr_keys == 0)
		return 0;
	rc = vl_guest_console_write(s->client, s->domid, s->keys, s->nr_keys, &taken, e);
	if (rc)
		return rc;
	s->nr_keys -= taken;
	memmove(s->keys, s->keys + taken, s->nr_keys);
	return 0;
}

static int look(struct session *s, struct vl_error *e)
{
	bool more = false, room = s->nr_keys < sizeof(s->keys);
	uint64_t end;
	int rc = show_output(s, &more, &end, e);

	if (rc == 0)
		rc = send_keys(s, e);
	if (rc)
		return rc;
	rc = s->client->transport->ops->wait(
		s->client->transport, s->input && room ? STDIN_FILENO : -1, more ? 0 : INTERVAL_MS);
	if (rc < 0)
		return vl_fail(e, -rc, "interrupted");
	if (rc & VL_WAIT_INPUT)
		read_keys(s);
	return 0;
}

static int talk(struct session *s, struct vl_error *e)
{
	int rc = show_backlog(s, e);

	while (rc == 0 && !s->detached)
		rc = look(s, e);
	if (rc == 0)
		rc = send_keys(s, e);
	/* It is gone, or about to be: that is an end as good as another. */
	return rc == -ENOENT || rc == -VL_EOPNOTSUPP ? 0 : rc;
}

int console_attach(struct vl_client *c, uint32_t domid, struct vl_error *e)
{
	struct session s = {.client = c, .domid = domid, .input = true};
	struct termios saved, raw;
	bool terminal = tcgetattr(STDIN_FILENO, &saved) == 0;
	int rc;

	if (terminal) {
		raw = saved;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	rc = talk(&s, e);
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
		putchar('\n');
	}
	return rc;
}

int cmd_console(struct invocation *inv, struct vl_error *e)
{
	struct vl_domain_info d;
	int rc = vl_find_domain(&inv->client, inv->operands[0], &d, e);

	if (rc)
		return rc;
	if (d.domid == 0)
		return vl_fail(e, EINVAL,
			       "the first guest has the machine's own console; Vellum's log is `vl "
			       "dmesg`");
	return console_attach(&inv->client, d.domid, e);
}
