/* SPDX-License-Identifier: MIT */
/*
 * The pretended hypervisor: answers by the rules of docs/hypercalls.md, see
 * world.h. What the documents leave to the caller's discipline (arguments that
 * a call does not have are 0) is enforced here.
 */
#include "tests/cli/world.h"

#include <stdio.h>
#include <string.h>

int64_t world_fill(void *page, uint32_t size, const void *info, size_t known)
{
	size_t n = size < known ? size : known;

	if (size == 0)
		return -VL_EINVAL;
	memcpy(page, info, n);
	return (int64_t)n;
}

static int64_t domain_info(struct world *w, uint64_t domid, void *page, uint32_t size)
{
	if (domid == VL_DOMID_SELF)
		domid = w->self;
	for (size_t i = 0; i < w->nr_domains; i++)
		if (w->domain[i].domid == domid && !w->vanished[i]) {
			w->domain[i].tsc_now += w->step;
			return world_fill(page, size, &w->domain[i], sizeof(w->domain[i]));
		}
	return -VL_ENOENT;
}

static int64_t domain_next(const struct world *w, uint64_t domid)
{
	if (domid > VL_DOMID_MAX)
		return -VL_EINVAL;
	for (size_t i = 0; i < w->nr_domains; i++)
		if (w->domain[i].domid >= domid)
			return w->domain[i].domid;
	return -VL_ENOENT;
}

static int64_t console_read(struct world *w, void *page, uint32_t size)
{
	uint64_t oldest = w->log_size > w->ring ? w->log_size - w->ring : 0;
	struct vl_console_read head;
	uint64_t n;

	if (size < sizeof(head))
		return -VL_EINVAL;
	memcpy(&head, page, sizeof(head));
	if (head.pos > w->log_size)
		return -VL_EINVAL;
	if (head.pos < oldest)
		head.pos = oldest;
	n = w->log_size - head.pos;
	if (n > size - sizeof(head))
		n = size - sizeof(head);
	head.end = w->log_size;
	head.size = (uint32_t)n;
	memcpy(page, &head, sizeof(head));
	memcpy((char *)page + sizeof(head), w->log + head.pos, n);
	world_next_event(w, &w->on_read);
	return (int64_t)n;
}

static struct vl_domain_info *own_domain(struct world *w)
{
	for (size_t i = 0; i < w->nr_domains; i++)
		if (w->domain[i].domid == w->self)
			return &w->domain[i];
	world_die("there is no domain %u for vl to run in", w->self);
}

uint32_t world_mode(struct world *w)
{
	return own_domain(w)->mode;
}

uint32_t world_layers(struct world *w)
{
	return own_domain(w)->mode == VL_MODE_VIRTUALIZED ? w->counters.layers : 0;
}

/* All behind the first two fields are counters. */
static void grow(struct world *w)
{
	uint64_t *to = &w->counters.exits_hypercall;
	const uint64_t *by = &w->grow.exits_hypercall;

	for (size_t i = 0; i < sizeof(w->grow) / sizeof(*by) - 1; i++)
		to[i] += by[i];
}

static int64_t domain_counters(struct world *w, uint64_t domid, void *page, uint32_t size)
{
	struct vl_domain_counters c = w->counters;

	if (domid != VL_DOMID_SELF && domid != w->self)
		return -VL_ENOENT;
	c.layers = world_layers(w);
	grow(w);
	return world_fill(page, size, &c, sizeof(c));
}

static int64_t p2m_read(struct world *w, uint64_t pfn, void *page, uint32_t size)
{
	struct vl_p2m_read head = {.next = UINT64_MAX};
	struct vl_p2m_range *to = (struct vl_p2m_range *)((char *)page + sizeof(head));
	size_t room;

	if (!(world_layers(w) & VL_LAYER_MEMORY))
		return -VL_EOPNOTSUPP;
	if (size < sizeof(head) + sizeof(*to))
		return -VL_EINVAL;
	room = (size - sizeof(head)) / sizeof(*to);
	if (w->p2m_chunk && w->p2m_chunk < room)
		room = w->p2m_chunk;
	for (size_t i = 0; i < w->nr_p2m; i++) {
		if (w->p2m[i].pfn < pfn)
			continue;
		if (head.count == room) {
			head.next = w->p2m[i].pfn;
			break;
		}
		to[head.count++] = w->p2m[i];
	}
	memcpy(page, &head, sizeof(head));
	return head.count;
}

static int64_t portions(struct world *w, void *page, uint32_t size)
{
	struct vl_portions p = w->portions;

	if (!(world_layers(w) & VL_LAYER_MEMORY))
		p.count = 0;
	else if (p.count == 0)
		p = (struct vl_portions){1, 1, {{0, w->ram_start + w->ram_size}}};
	return world_fill(page, size, &p, sizeof(p));
}

static int64_t change_portions(struct world *w, const char *what, uint64_t start, uint64_t size)
{
	uint64_t end = w->ram_start + w->ram_size, failpoint = w->failpoint;

	if (!(world_layers(w) & VL_LAYER_CPU))
		return -VL_EOPNOTSUPP;
	if (start % 4096 || size == 0 || (size != VL_PORTION_REST && size % 4096))
		return -VL_EINVAL;
	if (start >= end || (size != VL_PORTION_REST && size > end - start))
		return -VL_ERANGE;
	w->failpoint = 0;
	if (failpoint > 0 && failpoint <= 3)
		return -VL_EIO;
	fprintf(stderr, "vl-fake: %s %#llx %#llx\n", what, (unsigned long long)start,
		(unsigned long long)size);
	return 1;
}

static int64_t domain_rename(struct world *w, uint64_t domid, const void *page, uint32_t size)
{
	struct vl_domain_name new;
	struct vl_domain_info *found = NULL;

	if (domid == VL_DOMID_SELF)
		domid = w->self;
	for (size_t i = 0; i < w->nr_domains; i++)
		if (w->domain[i].domid == domid && !w->vanished[i])
			found = &w->domain[i];
	if (!found)
		return -VL_ENOENT;
	if (size < sizeof(new))
		return -VL_EINVAL;
	memcpy(&new, page, sizeof(new));
	if (new.name[0] == 0 || memchr(new.name, 0, sizeof(new.name)) == NULL)
		return -VL_EINVAL;
	for (size_t i = 0; i < w->nr_domains; i++)
		if (&w->domain[i] != found && strcmp(w->domain[i].name, new.name) == 0)
			return -VL_EEXIST;
	memcpy(found->name, new.name, sizeof(new.name));
	fprintf(stderr, "vl-fake: domain %u is %s\n", found->domid, found->name);
	return 0;
}

static int64_t set_failpoint(struct world *w, uint64_t step)
{
	if (w->release)
		return -VL_EOPNOTSUPP;
	w->failpoint = step;
	return 0;
}

int64_t world_switch(struct world *w, uint32_t mode, uint32_t layers)
{
	uint64_t nr = mode == VL_MODE_VIRTUALIZED ? VL_CALL_VIRTUALIZE : VL_CALL_DEVIRTUALIZE;
	uint64_t failpoint = w->failpoint;

	if (layers != w->layers)
		world_die("vl asks for layers %#x, not %#x", layers, w->layers);
	if (w->forced[nr])
		return w->forced_value[nr];
	w->failpoint = 0;
	if (failpoint > 0 && failpoint <= 3)
		return -VL_EIO;
	if (layers & VL_LAYER_CPU)
		own_domain(w)->mode = mode;
	return 0;
}

static struct vl_domain_info *find_domain(struct world *w, uint64_t domid)
{
	for (size_t i = 0; i < w->nr_domains; i++)
		if (w->domain[i].domid == domid && !w->vanished[i])
			return &w->domain[i];
	return NULL;
}

int64_t world_create(struct world *w, const struct vl_domain_create *d)
{
	struct vl_domain_info *new = &w->domain[w->nr_domains];
	uint32_t domid = w->domain[w->nr_domains - 1].domid + 1;

	if (w->forced[VL_CALL_DOMAIN_CREATE])
		return w->forced_value[VL_CALL_DOMAIN_CREATE];
	if (d->nr_vcpus < 1 || d->nr_vcpus > VL_MAX_CPUS || d->weight == 0 || d->flags ||
	    d->memory_start % 4096)
		return -VL_EINVAL;
	for (size_t i = 0; i < w->nr_domains; i++)
		if (strcmp(w->domain[i].name, d->name) == 0)
			return -VL_EEXIST;
	*new = (struct vl_domain_info){.domid = domid,
				       .mode = VL_MODE_VIRTUALIZED,
				       .state = VL_STATE_PAUSED,
				       .nr_vcpus = d->nr_vcpus,
				       .memory = d->memory_size};
	memcpy(new->name, d->name, sizeof(new->name));
	w->weight[w->nr_domains++] = d->weight;
	w->hv.nr_domains++;
	w->started = 0;
	return domid;
}

int world_end(struct world *w, uint32_t domid)
{
	struct vl_domain_info *d = find_domain(w, domid);

	if (!d || domid == w->self)
		return 0;
	w->vanished[d - w->domain] = 1;
	d->name[0] = 0;
	w->hv.nr_domains--;
	return 1;
}

static int64_t vcpu_start(struct world *w, const uint64_t *arg, const void *page, uint32_t size)
{
	if (arg[1] != 0 || size < sizeof(w->start))
		return -VL_EINVAL;
	if (!find_domain(w, arg[0]))
		return -VL_ENOENT;
	memcpy(&w->start, page, sizeof(w->start));
	w->started = 1;
	return 0;
}

/* The devices of the domain that is being made. */
static int64_t device_add(struct world *w, uint64_t domid, const void *page, uint32_t size)
{
	const struct vl_device *d = page;

	if (size < sizeof(*d))
		return -VL_EINVAL;
	if (!find_domain(w, domid) || (domid == w->self) != (d->line != 0))
		return -VL_ENOENT;
	if (d->kind == VL_DEVICE_NET)
		fprintf(stderr,
			"vl-fake: device %u: %02x:%02x:%02x:%02x:%02x:%02x on %.16s, line %u\n",
			w->devices, d->mac[0], d->mac[1], d->mac[2], d->mac[3], d->mac[4],
			d->mac[5], d->bridge, d->line);
	else
		fprintf(stderr, "vl-fake: device %u: disk of %llu bytes, flags %u\n", w->devices,
			(unsigned long long)d->size, d->flags);
	return w->devices++;
}

/* Those that the world has from the beginning. */
static struct vl_device *find_device(struct world *w, uint64_t domid, uint64_t index)
{
	if (index >= VL_MAX_DEVICES || w->device_of != domid || !w->has_device[index])
		return NULL;
	return &w->device[index];
}

static int64_t device_info(struct world *w, const uint64_t *arg, void *page, uint32_t size)
{
	const struct vl_device *d = find_device(w, arg[0], arg[1]);

	if (!find_domain(w, arg[0]) || !d)
		return -VL_ENOENT;
	world_fill(page, size, d, sizeof(*d));
	return sizeof(*d);
}

/* Two calls until all of it is there. */
static int64_t device_show(struct world *w, const uint64_t *arg)
{
	if (!find_domain(w, arg[0]))
		return -VL_ENOENT;
	w->shown = !w->shown;
	fprintf(stderr, "vl-fake: device %llu is shown\n", (unsigned long long)arg[1]);
	return w->shown;
}

/* Asked, it goes when vl has waited `patience` times; and then in two calls. */
static int64_t device_remove(struct world *w, const uint64_t *arg)
{
	struct vl_device *d = find_device(w, arg[0], arg[1]);

	if (!find_domain(w, arg[0]))
		return -VL_ENOENT;
	if (!d || !(d->flags & VL_DEVICE_LEAVING))
		fprintf(stderr, "vl-fake: device %llu is to go, %llu\n", (unsigned long long)arg[1],
			(unsigned long long)arg[2]);
	if (!d)
		return 0;
	d->flags |= VL_DEVICE_LEAVING;
	if (arg[2] == VL_REMOVE_ASK && w->patience-- > 0)
		return VL_REMOVE_WAITS;
	w->going = !w->going;
	w->has_device[arg[1]] = w->going;
	return w->going;
}

static int64_t disk_write(struct world *w, const uint64_t *arg, const void *page, uint32_t size)
{
	if (!find_domain(w, arg[0]) || arg[1] >= w->devices)
		return -VL_ENOENT;
	fprintf(stderr, "vl-fake: device %u: %u bytes at %llu, the first is %#x\n",
		(unsigned int)arg[1], size, (unsigned long long)arg[2], *(const uint8_t *)page);
	return size;
}

static int64_t set_state(struct world *w, uint64_t domid, uint32_t state)
{
	struct vl_domain_info *d = find_domain(w, domid);

	if (!d)
		return -VL_ENOENT;
	if (domid == w->self)
		return -VL_EINVAL;
	d->state = state;
	return 0;
}

static int64_t domain_shutdown(struct world *w, uint64_t domid, uint64_t reason)
{
	if (!find_domain(w, domid))
		return -VL_ENOENT;
	fprintf(stderr, "vl-fake: domain %llu is asked to end itself, %llu\n",
		(unsigned long long)domid, (unsigned long long)reason);
	return 0;
}

static int64_t domain_weight(struct world *w, uint64_t domid, uint64_t weight)
{
	struct vl_domain_info *d = find_domain(w, domid);

	if (!d)
		return -VL_ENOENT;
	if (weight > 65535)
		return -VL_EINVAL;
	if (weight) {
		w->weight[d - w->domain] = (uint32_t)weight;
		fprintf(stderr, "vl-fake: domain %u has weight %u\n", d->domid, (uint32_t)weight);
	}
	return w->weight[d - w->domain];
}

static int64_t domain_sched_info(struct world *w, uint64_t domid, void *page, uint32_t size)
{
	struct vl_domain_info *d = find_domain(w, domid);
	struct vl_sched_info info = {0};

	if (!w->has_run)
		return -VL_ENOSYS;
	if (!d)
		return -VL_ENOENT;
	info.weight = w->weight[d - w->domain];
	info.run = w->run[d - w->domain];
	return world_fill(page, size, &info, sizeof(info));
}

/* All that it has, or a piece of it. */
static int64_t domain_console_read(struct world *w, uint64_t domid, void *page, uint32_t size)
{
	size_t n = domid == w->console_of ? w->console_size : 0;
	struct vl_console_read head;

	if (!find_domain(w, domid))
		return -VL_ENOENT;
	if (size < sizeof(head) + MAX_CONSOLE / 2)
		return -VL_EINVAL;
	memcpy(&head, page, sizeof(head));
	head.end = head.pos + n;
	if (w->console_piece && n > w->console_piece)
		n = w->console_piece;
	head.size = (uint32_t)n;
	memcpy(page, &head, sizeof(head));
	memcpy((char *)page + sizeof(head), w->console, n);
	memmove(w->console, w->console + n, w->console_size - n);
	w->console_size -= n;
	return head.size;
}

/* It takes three bytes at a time. */
static int64_t domain_console_write(struct world *w, uint64_t domid, const char *page,
				    uint32_t size)
{
	uint32_t taken = size < 3 ? size : 3;

	if (!find_domain(w, domid))
		return -VL_ENOENT;
	fprintf(stderr, "vl-fake: domain %llu is typed `%.*s`\n", (unsigned long long)domid,
		(int)taken, page);
	return taken;
}

/* The real one does not return. */
static int64_t hand_over(struct world *w, uint64_t domid, uint64_t how)
{
	if (!find_domain(w, domid))
		return -VL_ENOENT;
	fprintf(stderr, "vl-fake: domain %llu has the machine, %#llx\n", (unsigned long long)domid,
		(unsigned long long)how);
	return 0;
}

/* Live, each question finds half as many pages away. */
static int64_t home(struct world *w, uint64_t how, void *page, uint32_t size)
{
	if (how != VL_HOME_KEEP) {
		fprintf(stderr, "vl-fake: memory comes home %#llx\n", (unsigned long long)how);
		w->home.how = (uint32_t)how;
	} else if (w->home_fails) {
		w->home.failures += 4;
	} else if (w->home.how & VL_REMAP_LIVE) {
		w->home.left /= 2;
		w->home.now += 1000;
	}
	world_fill(page, size, &w->home, sizeof(w->home));
	return (int64_t)w->home.left;
}

static int64_t guest_call(struct world *w, uint64_t nr, const uint64_t *arg, void *page,
			  uint32_t size)
{
	switch (nr) {
	case VL_CALL_DOMAIN_CONSOLE_READ:
		return domain_console_read(w, arg[0], page, size);
	case VL_CALL_DOMAIN_CONSOLE_WRITE:
		return domain_console_write(w, arg[0], page, size);
	case VL_CALL_DOMAIN_SCHED_INFO:
		return domain_sched_info(w, arg[0], page, size);
	case VL_CALL_VCPU_STATUS:
		return world_vcpu_status(arg, page, size);
	case VL_CALL_VCPU_START:
		return vcpu_start(w, arg, page, size);
	case VL_CALL_DEVICE_ADD:
		return device_add(w, arg[0], page, size);
	case VL_CALL_DISK_WRITE:
		return disk_write(w, arg, page, size);
	case VL_CALL_DEVICE_INFO:
		return device_info(w, arg, page, size);
	case VL_CALL_DEVICE_SHOW:
		return device_show(w, arg);
	case VL_CALL_DEVICE_REMOVE:
		return device_remove(w, arg);
	case VL_CALL_DOMAIN_PAUSE:
		return set_state(w, arg[0], VL_STATE_PAUSED);
	case VL_CALL_DOMAIN_UNPAUSE:
		return set_state(w, arg[0], VL_STATE_RUNNING);
	case VL_CALL_DOMAIN_WEIGHT:
		return domain_weight(w, arg[0], arg[1]);
	case VL_CALL_DOMAIN_SHUTDOWN:
		return domain_shutdown(w, arg[0], arg[1]);
	case VL_CALL_HAND_OVER:
		return hand_over(w, arg[0], arg[1]);
	case VL_CALL_SHARE:
		return world_share(w, arg[0], arg[1], page, size);
	case VL_CALL_HOME:
		return home(w, arg[0], page, size);
	case VL_CALL_PCI_TAKE:
	case VL_CALL_PCI_RETURN:
	case VL_CALL_DISK_BEGIN:
	case VL_CALL_DISK_END:
	case VL_CALL_DISK_INFO:
	case VL_CALL_DISK_ADD:
	case VL_CALL_UPLINK:
		return world_pci_call(w, nr, arg, page, size);
	case VL_CALL_PORTION_ADD:
		return change_portions(w, "portion_add", arg[0], arg[1]);
	case VL_CALL_PORTION_REMOVE:
		return change_portions(w, "portion_remove", arg[0], arg[1]);
	case VL_CALL_PORTIONS:
		return portions(w, page, size);
	default:
		world_die("vl makes hypercall %llu, which the kernel would refuse",
			  (unsigned long long)nr);
	}
}

static void expect_zero(uint64_t nr, const uint64_t *arg, size_t used)
{
	for (size_t i = used; i < 5; i++)
		if (arg[i])
			world_die("hypercall %llu has argument %zu set, which it does not take",
				  (unsigned long long)nr, i + 1);
}

int64_t world_call(struct world *w, uint64_t nr, const uint64_t *arg, void *page, uint32_t size)
{
	static const uint8_t nr_args[VL_CALL_LIMIT] = {
		[VL_CALL_HV_INFO] = 2,
		[VL_CALL_DOMAIN_INFO] = 3,
		[VL_CALL_DOMAIN_NEXT] = 1,
		[VL_CALL_CONSOLE_READ] = 2,
		[VL_CALL_P2M_READ] = 4,
		[VL_CALL_DOMAIN_COUNTERS] = 3,
		[VL_CALL_SET_FAILPOINT] = 1,
		[VL_CALL_DOMAIN_RENAME] = 3,
		[VL_CALL_DOMAIN_CONSOLE_READ] = 3,
		[VL_CALL_DOMAIN_CONSOLE_WRITE] = 3,
		[VL_CALL_VCPU_START] = 4,
		[VL_CALL_DEVICE_ADD] = 3,
		[VL_CALL_DISK_WRITE] = 5,
		[VL_CALL_DEVICE_INFO] = 4,
		[VL_CALL_DEVICE_SHOW] = 2,
		[VL_CALL_DEVICE_REMOVE] = 3,
		[VL_CALL_DOMAIN_PAUSE] = 1,
		[VL_CALL_DOMAIN_UNPAUSE] = 1,
		[VL_CALL_DOMAIN_WEIGHT] = 2,
		[VL_CALL_DOMAIN_SHUTDOWN] = 2,
		[VL_CALL_DOMAIN_SCHED_INFO] = 3,
		[VL_CALL_VCPU_STATUS] = 4,
		[VL_CALL_HAND_OVER] = 2,
		[VL_CALL_HOME] = 3,
		[VL_CALL_PORTION_ADD] = 2,
		[VL_CALL_PORTION_REMOVE] = 2,
		[VL_CALL_PORTIONS] = 2,
		[VL_CALL_SHARE] = 4,
		[VL_CALL_PCI_TAKE] = 3,
		[VL_CALL_PCI_RETURN] = 1,
		[VL_CALL_UPLINK] = 4,
		[VL_CALL_DISK_BEGIN] = 1,
		[VL_CALL_DISK_END] = 1,
		[VL_CALL_DISK_INFO] = 3,
		[VL_CALL_DISK_ADD] = 3,
	};

	if (nr >= VL_CALL_LIMIT)
		return -VL_ENOSYS;
	expect_zero(nr, arg, nr_args[nr]);
	if (w->forced[nr])
		return w->forced_value[nr];
	switch (nr) {
	case VL_CALL_VERSION:
		return w->version;
	case VL_CALL_HV_INFO:
		return world_fill(page, size, &w->hv, sizeof(w->hv));
	case VL_CALL_DOMAIN_INFO:
		return domain_info(w, arg[0], page, size);
	case VL_CALL_DOMAIN_NEXT:
		return domain_next(w, arg[0]);
	case VL_CALL_CONSOLE_READ:
		return console_read(w, page, size);
	case VL_CALL_P2M_READ:
		return p2m_read(w, arg[1], page, size);
	case VL_CALL_DOMAIN_COUNTERS:
		return domain_counters(w, arg[0], page, size);
	case VL_CALL_DOMAIN_RENAME:
		return domain_rename(w, arg[0], page, size);
	case VL_CALL_SET_FAILPOINT:
		return set_failpoint(w, arg[0]);
	default:
		return guest_call(w, nr, arg, page, size);
	}
}
