/* SPDX-License-Identifier: MIT */
/*
 * The pretended driver, see driver.h. What becomes of a domain's memory is
 * looked at when it is complete: the start information has to be where the
 * vcpu finds it, and what it says is printed.
 */
#include "tests/cli/driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "public/device.h"

static struct {
	char *memory; /* NULL: none */
	uint64_t size;
	int created, given;
	struct vl_domain_create domain;
	uint32_t domid;
	int switched;
	uint64_t changes;
} making;

static void reset(void)
{
	free(making.memory);
	making.memory = NULL;
	making.created = making.given = making.switched = 0;
}

static int tell_memory(struct world *w, struct vl_ioctl_memory *m)
{
	memset(m, 0, sizeof(*m));
	m->available = w->available;
	m->count = 1;
	m->range[0] = (struct vl_memory_range){w->ram_start, w->ram_size, VL_MEMORY_RAM, 0};
	m->nr_domains = (uint32_t)w->nr_domains - 1;
	return 0;
}

static int alloc(const struct world *w, struct vl_ioctl_alloc *a)
{
	if (a->size == 0 || a->size % 4096 || a->reserved)
		return EINVAL;
	if (making.memory)
		return EBUSY;
	if (a->size > w->allocatable) {
		a->missing = a->size - w->allocatable;
		return ENOMEM;
	}
	making.memory = calloc(1, a->size);
	making.size = a->size;
	return 0;
}

/* As a kernel virtualizes itself for its first guest. */
static int64_t become_virtualized(struct world *w)
{
	int64_t result;

	if (world_mode(w) == VL_MODE_VIRTUALIZED)
		return 0;
	result = world_switch(w, VL_MODE_VIRTUALIZED, VL_LAYER_ALL);
	making.switched = result >= 0;
	return result;
}

static int create(struct world *w, struct vl_ioctl_create *c)
{
	if (!making.memory || c->domain.memory_size != making.size || c->reserved)
		return EINVAL;
	if (making.created)
		return EBUSY;
	c->step = VL_STEP_VIRTUALIZE;
	c->result = become_virtualized(w);
	if (c->result < 0)
		return 0;
	c->result = world_create(w, &c->domain);
	c->step = c->result < 0 ? VL_STEP_CREATE : VL_STEP_NONE;
	if (c->result < 0)
		return 0;
	making.created = 1;
	making.domid = (uint32_t)c->result;
	making.domain = c->domain;
	return 0;
}

static int give(const struct world *w, int64_t *result)
{
	if (!making.created || making.given)
		return EINVAL;
	making.given = 1;
	*result = w->forced[VL_CALL_MEMORY_GIVE] ? w->forced_value[VL_CALL_MEMORY_GIVE] : 0;
	return 0;
}

/* What the vcpu would find. */
static const struct vl_start_info *start_info(const struct world *w)
{
	uint64_t offset = w->start.rdi - making.domain.memory_start;
	const struct vl_start_info *info = (const void *)(making.memory + offset);

	if (offset > making.size - sizeof(*info) || info->magic != VL_START_MAGIC)
		world_die("the vcpu does not find its start information");
	if (info->domid != making.domid || info->flags != (VL_START_VIRTUALIZED | VL_START_LATER))
		world_die("it is the start information of another domain");
	if (info->cmdline - making.domain.memory_start > making.size - info->cmdline_size)
		world_die("the command line is not in the guest's memory");
	return info;
}

static void print_domain(const struct world *w, const struct vl_ioctl_commit *c)
{
	const struct vl_start_info *info = start_info(w);

	fprintf(stderr,
		"vl-fake: domain %u %s: %llu MiB at %#llx, weight %u, entry %#llx, %s, stops %u %u "
		"%u, cmdline `%s`\n",
		making.domid, making.domain.name, (unsigned long long)making.size >> 20,
		(unsigned long long)making.domain.memory_start, making.domain.weight,
		(unsigned long long)w->start.rip,
		c->flags & VL_COMMIT_PAUSED ? "paused" : "running", c->on_stop[0], c->on_stop[1],
		c->on_stop[2], making.memory + info->cmdline - making.domain.memory_start);
	if (making.domain.nr_vcpus != 1)
		fprintf(stderr, "vl-fake: with %u vcpus\n", making.domain.nr_vcpus);
}

static int commit(struct world *w, struct vl_ioctl_commit *c)
{
	if (!making.given || c->reserved || c->flags & ~VL_COMMIT_PAUSED || !w->started)
		return EINVAL;
	c->result = 0;
	if (!(c->flags & VL_COMMIT_PAUSED)) {
		const uint64_t arg[5] = {making.domid};

		c->result = world_call(w, VL_CALL_DOMAIN_UNPAUSE, arg, NULL, 0);
	}
	if (c->result < 0)
		return 0;
	print_domain(w, c);
	reset();
	making.changes++;
	return 0;
}

static int destroy(struct world *w, struct vl_ioctl_destroy *d)
{
	if (d->reserved)
		return EINVAL;
	if (w->busy == d->domid)
		return EBUSY;
	if (!world_end(w, d->domid))
		return ENOENT;
	fprintf(stderr, "vl-fake: domain %u is gone\n", d->domid);
	d->result = 0;
	making.changes++;
	return 0;
}

static int resize(struct world *w, struct vl_ioctl_resize *m)
{
	if (m->reserved)
		return EINVAL;
	for (size_t i = 0; i < w->nr_domains; i++)
		if (w->domain[i].domid == m->domid && !w->vanished[i]) {
			if (m->size > w->domain[i].memory)
				return ERANGE;
			fprintf(stderr, "vl-fake: domain %u is to have %llu KiB\n", m->domid,
				(unsigned long long)m->size >> 10);
			m->result = 0;
			return 0;
		}
	return ENOENT;
}

int driver_ioctl(struct world *w, unsigned long request, void *argument)
{
	if (w->guest_error)
		return w->guest_error;
	switch (request) {
	case VL_IOCTL_MEMORY:
		return tell_memory(w, argument);
	case VL_IOCTL_ALLOC:
		return alloc(w, argument);
	case VL_IOCTL_CREATE:
		return create(w, argument);
	case VL_IOCTL_GIVE:
		return give(w, argument);
	case VL_IOCTL_COMMIT:
		return commit(w, argument);
	case VL_IOCTL_DESTROY:
		return destroy(w, argument);
	case VL_IOCTL_RESIZE:
		return resize(w, argument);
	case VL_IOCTL_CHANGES:
		*(uint64_t *)argument = making.changes;
		return 0;
	case VL_IOCTL_HYPERCALL_PAGE:
		memset(argument, 0x90, sizeof(struct vl_ioctl_page));
		return 0;
	default:
		return ENOTTY;
	}
}

long driver_write(struct world *w, const void *data, size_t size, uint64_t offset)
{
	(void)w;
	if (!making.memory || making.given)
		return -EINVAL;
	if (offset >= making.size)
		return -ENOSPC;
	if (size > making.size - offset)
		size = making.size - offset;
	memcpy(making.memory + offset, data, size);
	return (long)size;
}

void driver_close(struct world *w)
{
	if (making.created)
		world_end(w, making.domid);
	reset();
}

int driver_wait(struct world *w, const char **typed)
{
	char *text;

	*typed = NULL;
	if (w->on_wait.next == w->on_wait.count)
		return 0;
	text = w->on_wait.text[w->on_wait.next++];
	if (strncmp(text, "type ", 5) == 0) {
		world_unescape(text + 5);
		*typed = text + 5;
	} else {
		world_statement(w, text);
	}
	making.changes++;
	return 1;
}
