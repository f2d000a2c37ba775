// SPDX-License-Identifier: MIT
/*
 * Other domains, see guests.h. The ioctls answer with an errno of the driver
 * or with Vellum's; for each that a user can meet there is a sentence here.
 */
#include "dom-tools/lib/guests.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "dom-tools/lib/cpus.h"
#include "dom-tools/lib/domains.h"
#include "dom-tools/lib/portions.h"
#include "dom-tools/lib/request.h"

#define MIB ((uint64_t)1 << 20)

static uint64_t to_mib(uint64_t bytes)
{
	return (bytes + MIB - 1) / MIB;
}

/* One ioctl; the sentences here are for what every one of them can say. */
static int request(struct vl_client *c, unsigned long code, void *argument, struct vl_error *e)
{
	int rc = c->transport->ops->request(c->transport, code, argument);

	switch (rc) {
	case 0:
		return 0;
	case -ENOTTY:
		return vl_fail(e, ENOTTY,
			       "the kernel is too old to make domains; boot the one that was built "
			       "with this vl");
	case -EINTR:
		return vl_fail(e, EINTR, "interrupted");
	case -ESHUTDOWN:
		return vl_fail(e, ESHUTDOWN, "the machine is going down");
	default:
		return vl_fail(e, -rc, "the kernel refused (%s); `dmesg` may say more",
			       strerror(-rc));
	}
}

int vl_guest_memory(struct vl_client *c, struct vl_ioctl_memory *m, struct vl_error *e)
{
	return request(c, VL_IOCTL_MEMORY, m, e);
}

int vl_guest_alloc(struct vl_client *c, uint64_t size, struct vl_error *e)
{
	struct vl_ioctl_alloc a = {.size = size};
	int rc = request(c, VL_IOCTL_ALLOC, &a, e);

	if (rc == -ENOMEM)
		return vl_fail(e, ENOMEM,
			       "a guest of %" PRIu64 " MiB does not fit: this one could give "
			       "%" PRIu64 " MiB, %" PRIu64 " MiB are missing",
			       to_mib(size), (size - a.missing) / MIB, to_mib(a.missing));
	return rc;
}

static bool is_in_part(struct vl_client *c)
{
	struct vl_portions now;
	struct vl_error ignored;

	return vl_get_portions(c, &now, &ignored) == 0 && now.count > 0 && !now.whole;
}

static int explain_create(struct vl_client *c, const struct vl_domain_create *d, int64_t result,
			  struct vl_error *e)
{
	struct request r = {.name = "domain_create", .io.result = result};

	switch (result) {
	case -VL_EEXIST:
		return vl_fail(e, EEXIST, "another domain has the name `%s` already", d->name);
	case -VL_EPERM:
		return vl_fail(e, EPERM, "only the first guest may make domains; run vl there");
	case -VL_EOPNOTSUPP:
		if (is_in_part(c))
			return vl_fail(e, EOPNOTSUPP,
				       "only a part of this guest's memory is virtualized, and any "
				       "of it may become another's; `vl virtualize --memory` adds "
				       "the rest");
		return vl_fail(e, EOPNOTSUPP,
			       "Vellum cannot make domains as it runs: it takes all layers "
			       "(`vl virtualize`), no debugging, and an APIC that Vellum stands "
			       "before; `vl dmesg` may say more");
	default:
		return request_check(c, &r, e);
	}
}

int vl_guest_create(struct vl_client *c, const struct vl_domain_create *d, uint32_t *domid,
		    struct vl_error *e)
{
	struct vl_ioctl_create create = {.domain = *d};
	int rc = request(c, VL_IOCTL_CREATE, &create, e);

	if (rc == -EOPNOTSUPP)
		return vl_fail(
			e, EOPNOTSUPP,
			"the kernel cannot be virtualized as it runs; `dmesg` names the cause");
	if (rc)
		return rc;
	if (create.step == VL_STEP_VIRTUALIZE)
		return vl_switch_answer(c, VL_MODE_VIRTUALIZED, create.result, e);
	rc = explain_create(c, d, create.result, e);
	*domid = (uint32_t)create.result;
	return rc;
}

int vl_guest_write(struct vl_client *c, uint64_t offset, const void *data, size_t size,
		   struct vl_error *e)
{
	int rc = c->transport->ops->write(c->transport, offset, data, size);

	if (rc)
		return vl_fail(e, -rc, "cannot fill the guest's memory (%s)", strerror(-rc));
	return 0;
}

int vl_guest_give(struct vl_client *c, struct vl_error *e)
{
	struct request r = {.name = "memory_give"};
	int rc = request(c, VL_IOCTL_GIVE, &r.io.result, e);

	return rc ? rc : request_check(c, &r, e);
}

int vl_guest_start(struct vl_client *c, uint32_t domid, const struct vl_vcpu_start *start,
		   struct vl_error *e)
{
	struct request r = {.name = "vcpu_start", .io.nr = VL_CALL_VCPU_START};
	struct vl_vcpu_start buffer = *start;
	uint64_t nothing;

	r.io.arg[0] = domid;
	request_buffer(&r, 2, &buffer, sizeof(buffer));
	return request_answer(c, &r, &nothing, e);
}

int vl_guest_add_device(struct vl_client *c, uint32_t domid, const struct vl_device *device,
			uint32_t *index, struct vl_error *e)
{
	struct request r = {.name = "device_add", .io.nr = VL_CALL_DEVICE_ADD};
	struct vl_device buffer = *device;
	uint64_t answer = 0;
	int rc;

	r.io.arg[0] = domid;
	request_buffer(&r, 1, &buffer, sizeof(buffer));
	rc = request_answer(c, &r, &answer, e);
	*index = (uint32_t)answer;
	switch (r.io.result) {
	case -VL_EEXIST:
		return vl_fail(
			e, EEXIST,
			"another guest has the same `mac` on bridge `%s`; give this one another",
			device->bridge);
	case -VL_ENOSPC:
		return vl_fail(e, ENOSPC, "all guests together have at most %u vifs", VL_MAX_PORTS);
	case -VL_ENOMEM:
		return vl_fail(e, ENOMEM,
			       "Vellum's partition has no room for this device; boot with a larger "
			       "vellum_mem=, or make the disk smaller");
	default:
		return rc;
	}
}

int vl_guest_fill_disk(struct vl_client *c, uint32_t domid, uint32_t index, uint64_t offset,
		       const void *data, size_t size, struct vl_error *e)
{
	static uint8_t piece[4096];
	int rc = 0;

	for (size_t at = 0; at < size && rc == 0; at += sizeof(piece)) {
		struct request r = {.name = "disk_write", .io.nr = VL_CALL_DISK_WRITE};
		size_t n = size - at < sizeof(piece) ? size - at : sizeof(piece);
		uint64_t written;

		memcpy(piece, (const uint8_t *)data + at, n);
		r.io.arg[0] = domid;
		r.io.arg[1] = index;
		r.io.arg[2] = offset + at;
		request_buffer(&r, 3, piece, (uint32_t)n);
		rc = request_answer(c, &r, &written, e);
	}
	return rc;
}

int vl_guest_commit(struct vl_client *c, bool paused, const uint32_t on_stop[VL_NR_STOPS],
		    struct vl_error *e)
{
	struct request r = {.name = "domain_unpause"};
	struct vl_ioctl_commit commit = {.flags = paused ? VL_COMMIT_PAUSED : 0};
	int rc;

	memcpy(commit.on_stop, on_stop, sizeof(commit.on_stop));
	rc = request(c, VL_IOCTL_COMMIT, &commit, e);
	r.io.result = commit.result;
	return rc ? rc : request_check(c, &r, e);
}

int vl_guest_hypercall_page(struct vl_client *c, struct vl_ioctl_page *page, struct vl_error *e)
{
	return request(c, VL_IOCTL_HYPERCALL_PAGE, page, e);
}

/* Of the driver's domains it is none, or none yet. */
static int explain_guest(const struct vl_domain_info *d, int rc, struct vl_error *e)
{
	if (rc == -EBUSY)
		return vl_fail(e, EBUSY, "domain %" PRIu32 " is being made by another vl",
			       d->domid);
	return vl_fail(e, ENOENT, "there is no domain %" PRIu32 " that this guest has made",
		       d->domid);
}

int vl_guest_destroy(struct vl_client *c, const struct vl_domain_info *d, struct vl_error *e)
{
	struct request r = {.name = "domain_destroy"};
	struct vl_ioctl_destroy destroy = {.domid = d->domid};
	int rc;

	rc = request(c, VL_IOCTL_DESTROY, &destroy, e);
	if (rc == -EBUSY || rc == -ENOENT)
		return explain_guest(d, rc, e);
	r.io.result = destroy.result;
	return rc ? rc : request_check(c, &r, e);
}

/* The one domain besides `self`. */
static int find_heir(struct vl_client *c, uint32_t self, struct vl_domain_info *heir,
		     struct vl_error *e)
{
	struct vl_domain_list list;
	size_t others = 0;
	int rc = vl_list_domains(c, &list, e);

	if (rc)
		return rc;
	for (size_t i = 0; i < list.count; i++) {
		if (list.domain[i].domid == self)
			continue;
		*heir = list.domain[i];
		others++;
	}
	vl_free_domains(&list);
	if (others == 0)
		return vl_fail(e, ENOENT, "there is no other guest that could have the machine");
	if (others > 1)
		return vl_fail(e, EBUSY,
			       "there are %zu other guests; the machine can be left to one alone",
			       others);
	return 0;
}

/* A heir that has not begun to run may do so in a moment; one of several vcpus is asked to put them
 * offline, which takes longer. */
#define HAND_OVER_TRIES 1000
#define HAND_OVER_PAUSE 10000 /* us */

static int64_t hand_over(struct vl_client *c, struct request *r, uint64_t *answer,
			 struct vl_error *e)
{
	int rc = -VL_EAGAIN;

	for (int i = 0; i < HAND_OVER_TRIES && rc == -VL_EAGAIN; i++) {
		if (i > 0)
			usleep(HAND_OVER_PAUSE);
		rc = request_answer(c, r, answer, e);
	}
	return rc;
}

/* That is the one that gets what the interrupt controllers send; all others are offline, as they
 * are while a kernel suspends a machine. */
static int be_on_first_cpu(const struct vl_domain_info *self, uint64_t *taken, struct vl_error *e)
{
	cpus_use_first();
	return self->nr_vcpus > 1 ? cpus_take_offline(taken, e) : 0;
}

static int too_many_to_search(struct vl_error *e)
{
	return vl_fail(e, E2BIG,
		       "more than %u pages are not at home, too many to search for owners while "
		       "the guest runs; give --owners backmap or refcount, or --paused",
		       VL_REMAP_SEARCH_PAGES);
}

int vl_guest_home(struct vl_client *c, uint64_t how, struct vl_home_info *h, uint64_t *left,
		  struct vl_error *e)
{
	struct request r = {.name = "home", .io.nr = VL_CALL_HOME, .io.arg[0] = how};
	int rc;

	*h = (struct vl_home_info){0};
	request_buffer(&r, 1, h, sizeof(*h));
	rc = request_answer(c, &r, left, e);
	if (rc == -VL_E2BIG)
		return too_many_to_search(e);
	if (rc == 0 && h->left > *left)
		return request_nonsense(&r, e, "more pages than are left");
	return rc;
}

static int share(struct vl_client *c, uint64_t how, uint64_t rate, struct vl_share_info *info,
		 uint64_t *left, struct vl_error *e)
{
	struct request r = {
		.name = "share", .io.nr = VL_CALL_SHARE, .io.arg[0] = how, .io.arg[1] = rate};
	int rc;

	*info = (struct vl_share_info){0};
	request_buffer(&r, 2, info, sizeof(*info));
	rc = request_answer(c, &r, left, e);
	if (rc == 0 && (info->frames > info->pages || info->kept != info->pages - info->frames))
		return request_nonsense(&r, e, "pages without a frame");
	return rc;
}

int vl_share_on(struct vl_client *c, uint32_t rate, struct vl_error *e)
{
	struct vl_share_info info;
	uint64_t nothing;
	int rc = share(c, VL_SHARE_ON, rate, &info, &nothing, e);

	if (rc == -VL_EOPNOTSUPP)
		return vl_fail(
			e, EOPNOTSUPP,
			"Vellum cannot share pages as it runs: it takes one CPU, virtualized "
			"with all its layers (`vl virtualize`), whose local APIC's timer is "
			"Vellum's");
	return rc;
}

int vl_share_off(struct vl_client *c, struct vl_error *e)
{
	struct vl_share_info info;
	uint64_t left, before = UINT64_MAX;
	int rc;

	while ((rc = share(c, VL_SHARE_OFF, 0, &info, &left, e)) == 0 && left) {
		if (left > before)
			return vl_fail(e, EPROTO, "pages are shared again meanwhile");
		before = left;
	}
	return rc;
}

int vl_share_stats(struct vl_client *c, struct vl_share_info *info, struct vl_error *e)
{
	uint64_t nothing;

	return share(c, VL_SHARE_KEEP, 0, info, &nothing, e);
}

/* In as many calls as it takes; an older Vellum shares nothing. */
static int part_pages(struct vl_client *c, struct vl_error *e)
{
	int rc = vl_share_off(c, e);

	return rc == -VL_ENOSYS ? 0 : rc;
}

int vl_guest_hand_over(struct vl_client *c, uint64_t how, struct vl_error *e)
{
	struct request r = {.name = "hand_over", .io.nr = VL_CALL_HAND_OVER};
	struct vl_domain_info self, heir = {0};
	uint64_t nothing, taken = 0;
	int rc = vl_get_domain(c, VL_DOMID_SELF, &self, e);

	if (rc == 0)
		rc = find_heir(c, self.domid, &heir, e);
	if (rc == 0)
		rc = part_pages(c, e);
	if (rc == 0)
		rc = be_on_first_cpu(&self, &taken, e);
	if (rc)
		return rc;
	r.io.arg[0] = heir.domid;
	r.io.arg[1] = how;
	sync();
	rc = (int)hand_over(c, &r, &nothing, e);
	cpus_bring_back(taken);
	if (rc == -VL_E2BIG)
		return too_many_to_search(e);
	if (rc == -VL_EAGAIN && heir.nr_vcpus > 1)
		return vl_fail(
			e, EBUSY,
			"domain %" PRIu32 " goes on with its %" PRIu32 " vcpus; the machine "
			"can be left only to a guest that has put all but the first offline, "
			"as it was asked to",
			heir.domid, heir.nr_vcpus);
	if (rc == -VL_EBUSY || rc == -VL_EAGAIN)
		return vl_fail(e, EBUSY,
			       "domain %" PRIu32 " does not run, or this guest's devices are "
			       "virtualized (`vl devirtualize --io`)",
			       heir.domid);
	if (rc == -VL_EOPNOTSUPP)
		return vl_fail(e, EOPNOTSUPP,
			       "Vellum cannot hand the machine over as it runs: it takes all "
			       "layers, and an APIC that Vellum stands before");
	return rc;
}

/* A hypercall on a domain, with one argument. */
static int steer(struct vl_client *c, struct request *r, const struct vl_domain_info *d,
		 uint64_t argument, uint64_t *answer, struct vl_error *e)
{
	int rc;

	if (d->domid == 0 && r->io.nr != VL_CALL_DOMAIN_WEIGHT)
		return vl_fail(e, EPERM, "that is for other domains than the first guest");
	r->io.arg[0] = d->domid;
	r->io.arg[1] = argument;
	rc = request_answer(c, r, answer, e);
	if (rc == -VL_EBUSY)
		return vl_fail(e, EBUSY,
			       "domain %" PRIu32
			       " has stopped for good; `vl destroy` takes it away",
			       d->domid);
	if (rc == -VL_EPERM)
		return vl_fail(e, EPERM, "only the first guest may do that; run vl there");
	return rc;
}

int vl_guest_pause(struct vl_client *c, const struct vl_domain_info *d, struct vl_error *e)
{
	struct request r = {.name = "domain_pause", .io.nr = VL_CALL_DOMAIN_PAUSE};
	uint64_t nothing;

	return steer(c, &r, d, 0, &nothing, e);
}

int vl_guest_unpause(struct vl_client *c, const struct vl_domain_info *d, struct vl_error *e)
{
	struct request r = {.name = "domain_unpause", .io.nr = VL_CALL_DOMAIN_UNPAUSE};
	uint64_t nothing;

	return steer(c, &r, d, 0, &nothing, e);
}

int vl_guest_shutdown(struct vl_client *c, const struct vl_domain_info *d, uint32_t reason,
		      struct vl_error *e)
{
	struct request r = {.name = "domain_shutdown", .io.nr = VL_CALL_DOMAIN_SHUTDOWN};
	uint64_t nothing;

	return steer(c, &r, d, reason, &nothing, e);
}

int vl_guest_weight(struct vl_client *c, const struct vl_domain_info *d, uint32_t weight,
		    uint32_t *now, struct vl_error *e)
{
	struct request r = {.name = "domain_weight", .io.nr = VL_CALL_DOMAIN_WEIGHT};
	uint64_t answer;
	int rc = steer(c, &r, d, weight, &answer, e);

	if (rc)
		return rc;
	if (answer == 0 || answer > UINT16_MAX)
		return request_nonsense(&r, e, "no weight");
	*now = (uint32_t)answer;
	return 0;
}

bool vl_state_is_end(uint32_t state)
{
	return state == VL_STATE_CRASHED || state == VL_STATE_SHUTDOWN || state == VL_STATE_DYING;
}

/* Find the domain as it is now, remembering what changes there were before. */
static int look(struct vl_client *c, uint32_t domid, struct vl_domain_info *d, struct vl_error *e)
{
	uint64_t changes;
	int rc = request(c, VL_IOCTL_CHANGES, &changes, e);

	return rc ? rc : vl_get_domain(c, domid, d, e);
}

static int wait_for_change(struct vl_client *c, struct vl_error *e)
{
	int rc = c->transport->ops->wait(c->transport, -1, -1);

	return rc < 0 ? vl_fail(e, -rc, "waiting was interrupted") : 0;
}

int vl_guest_wait(struct vl_client *c, uint32_t domid, bool stopped, struct vl_error *e)
{
	struct vl_domain_info d;
	int rc;

	do {
		rc = look(c, domid, &d, e);
		if (rc == -ENOENT || (rc == 0 && stopped && vl_state_is_end(d.state)))
			return 0;
		if (rc == 0)
			rc = wait_for_change(c, e);
	} while (rc == 0);
	return rc;
}

int vl_guest_wait_memory(struct vl_client *c, uint32_t domid, uint64_t size, struct vl_error *e)
{
	struct vl_domain_info d;
	int rc;

	do {
		rc = look(c, domid, &d, e);
		if (rc == 0 && d.memory == size)
			return 0;
		if (rc == 0)
			rc = wait_for_change(c, e);
	} while (rc == 0);
	return rc;
}

int vl_guest_resize(struct vl_client *c, const struct vl_domain_info *d, uint64_t size,
		    struct vl_error *e)
{
	struct request r = {.name = "memory_target"};
	struct vl_ioctl_resize resize = {.domid = d->domid, .size = size};
	int rc;

	if (d->domid == 0)
		return vl_fail(e, EPERM,
			       "the first guest has what others do not: it gives them theirs");
	rc = request(c, VL_IOCTL_RESIZE, &resize, e);
	if (rc == -ERANGE)
		return vl_fail(e, ERANGE, "a guest has at most what it was created with");
	if (rc == -ENOMEM)
		return vl_fail(e, ENOMEM, "this guest has %" PRIu64 " MiB too few to give",
			       to_mib(resize.missing));
	if (rc == -EBUSY || rc == -ENOENT)
		return explain_guest(d, rc, e);
	r.io.result = resize.result;
	return rc ? rc : request_check(c, &r, e);
}

int vl_guest_console_read(struct vl_client *c, uint32_t domid, uint64_t pos,
			  struct vl_log_chunk *chunk, struct vl_error *e)
{
	struct request r = {.name = "domain_console_read", .io.nr = VL_CALL_DOMAIN_CONSOLE_READ};

	r.io.arg[0] = domid;
	return request_text(c, &r, 1, pos, chunk, e);
}

int vl_guest_console_write(struct vl_client *c, uint32_t domid, const void *text, size_t size,
			   size_t *taken, struct vl_error *e)
{
	struct request r = {.name = "domain_console_write", .io.nr = VL_CALL_DOMAIN_CONSOLE_WRITE};
	char buffer[256];
	uint64_t answer;
	int rc;

	size = size < sizeof(buffer) ? size : sizeof(buffer);
	memcpy(buffer, text, size);
	r.io.arg[0] = domid;
	request_buffer(&r, 1, buffer, size);
	rc = request_answer(c, &r, &answer, e);
	if (rc)
		return rc;
	if (answer > size)
		return request_nonsense(&r, e, "wrong size");
	*taken = answer;
	return 0;
}
