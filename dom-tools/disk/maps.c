/* SPDX-License-Identifier: MIT */
#include "dom-tools/disk/maps.h"

#include <errno.h>
#include <inttypes.h>
#include <libdevmapper.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PARAMETERS_SIZE 64

static int last_errno;

/* What it would print is told by our own sentences. */
static void keep_errno(int level, const char *file, int line, int dm_errno, const char *fmt, ...)
{
	(void)level;
	(void)file;
	(void)line;
	(void)fmt;
	if (dm_errno)
		last_errno = dm_errno;
}

static struct dm_task *make(int kind, const struct map *m)
{
	struct dm_task *task;

	dm_log_with_errno_init(keep_errno);
	last_errno = 0;
	task = dm_task_create(kind);
	if (task && !dm_task_set_name(task, m->name)) {
		dm_task_destroy(task);
		return NULL;
	}
	return task;
}

static int failed(struct dm_task *task, const struct map *m, const char *what, struct vl_error *e)
{
	int err = task ? dm_task_get_errno(task) : 0;

	err = err ? err : last_errno ? last_errno : EIO;
	return vl_fail(e, err, "the device mapper does not %s `%s`: %s", what, m->name,
		       strerror(err));
}

static int add_target(struct map *m, uint64_t start, uint64_t length, const char *kind,
		      const char *parameters, struct vl_error *e)
{
	struct map_target *t = &m->target[m->count];

	if (m->count == MAP_TARGETS)
		return vl_fail(e, EINVAL, "`%s` has more than %d pieces", m->name, MAP_TARGETS);
	if (strcmp(kind, "linear") != 0 || sscanf(parameters, "%" SCNu32 ":%" SCNu32 " %" SCNu64,
						  &t->major, &t->minor, &t->offset) != 3)
		return vl_fail(
			e, EINVAL,
			"`%s` has a piece of kind `%s`, and only `linear` ones can be put on "
			"another device",
			m->name, kind);
	t->start = start;
	t->length = length;
	m->count++;
	return 0;
}

static int read_targets(struct dm_task *task, struct map *m, struct vl_error *e)
{
	void *next = NULL;
	int rc = 0;

	m->count = 0;
	do {
		uint64_t start, length;
		char *kind = NULL, *parameters = NULL;

		next = dm_get_next_target(task, next, &start, &length, &kind, &parameters);
		if (kind)
			rc = add_target(m, start, length, kind, parameters, e);
	} while (next && rc == 0);
	if (rc == 0 && m->count == 0)
		return vl_fail(e, EINVAL, "`%s` is empty", m->name);
	return rc;
}

int map_read(struct map *m, struct vl_error *e)
{
	struct dm_task *task = make(DM_DEVICE_TABLE, m);
	struct dm_info info = {0};
	int rc;

	if (!task || (!dm_task_run(task) && dm_task_get_errno(task) != ENXIO))
		rc = failed(task, m, "tell the table of", e);
	else if (!dm_task_get_info(task, &info) || !info.exists)
		rc = vl_fail(e, ENOENT,
			     "the device mapper has no device `%s`; `dmsetup ls` lists them",
			     m->name);
	else
		rc = read_targets(task, m, e);
	m->self = (struct block_device){info.major, info.minor};
	m->read_only = info.read_only;
	if (task)
		dm_task_destroy(task);
	return rc;
}

static int run(int kind, const struct map *m, const char *what, struct vl_error *e)
{
	struct dm_task *task = make(kind, m);
	int rc = task && dm_task_run(task) ? 0 : failed(task, m, what, e);

	if (task)
		dm_task_destroy(task);
	return rc;
}

int map_hold(const struct map *m, struct vl_error *e)
{
	return run(DM_DEVICE_SUSPEND, m, "suspend", e);
}

int map_go_on(const struct map *m, struct vl_error *e)
{
	return run(DM_DEVICE_RESUME, m, "resume", e);
}

int map_load(const struct map *m, struct vl_error *e)
{
	struct dm_task *task = make(DM_DEVICE_RELOAD, m);
	int good = task && (!m->read_only || dm_task_set_ro(task)), rc;

	for (size_t i = 0; good && i < m->count; i++) {
		const struct map_target *t = &m->target[i];
		char parameters[PARAMETERS_SIZE];

		snprintf(parameters, sizeof(parameters), "%" PRIu32 ":%" PRIu32 " %" PRIu64,
			 t->major, t->minor, t->offset);
		good = dm_task_add_target(task, t->start, t->length, "linear", parameters);
	}
	rc = good && dm_task_run(task) ? 0 : failed(task, m, "load a table for", e);
	if (task)
		dm_task_destroy(task);
	return rc;
}
