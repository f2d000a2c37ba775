/* SPDX-License-Identifier: MIT */
/*
 * `vl create`: a guest from a configuration, told from top to bottom. What it
 * takes is looked at before anything changes; then the kernel's driver gives
 * the memory, and undoes all if we end before the guest is complete.
 *
 * A guest that is to be started anew when it stops needs somebody to do it: a
 * process that stays behind, unless --foreground makes that this one.
 */
#include "dom-tools/vl/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dom-tools/guest/image.h"
#include "dom-tools/lib/disks.h"
#include "dom-tools/lib/guests.h"
#include "dom-tools/vl/attach.h"
#include "dom-tools/vl/console.h"
#include "dom-tools/vl/failpoint.h"
#include "dom-tools/vl/examine.h"

#define MIB_BYTES ((uint64_t)1 << 20)

/* A guest that always stops at once does not keep the machine busy. */
#define RESTART_PAUSE_S 1

/* What is to become of the guest, and what it is now. */
struct making {
	struct vl_client *client;
	const char *path;
	bool paused;
	bool restarts; /* somebody has to wait for it */
	enum config_action on_reboot, on_poweroff, on_crash;
	uint32_t domid;
};

static int write_memory(void *context, uint64_t offset, const void *data, size_t size,
			struct vl_error *e)
{
	return vl_guest_write(context, offset, data, size, e);
}

/* Kernel, RAM disk and start area, into memory that is not the guest's yet. */
static int fill(struct making *m, const struct check *c, const struct guest_plan *plan,
		struct vl_vcpu_start *start, struct vl_error *e)
{
	static struct vl_ioctl_page page;
	struct vl_hv_info hv;
	struct guest_image image = {
		.kernel = &c->kernel,
		.kernel_file = c->kernel_file,
		.ramdisk = c->ramdisk,
		.cmdline = c->config.cmdline,
		.domid = m->domid,
		.hypercall_page = &page,
	};
	int rc = vl_guest_hypercall_page(m->client, &page, e);

	if (!rc)
		rc = vl_get_hv_info(m->client, &hv, e);
	if (rc)
		return rc;
	/* The rates that the guest's timers have been made for: others, as good, contradict
	 * them. */
	image.tsc_khz = hv.tsc_khz;
	image.lapic_khz = hv.lapic_khz;
	return guest_image_write(&image, plan, write_memory, m->client, start, e);
}

static int add_disk(struct making *m, const struct config_disk *disk, const struct file_map *file,
		    struct vl_error *e)
{
	struct vl_device device = {
		.kind = VL_DEVICE_BLOCK,
		.flags = disk->read_only ? VL_DEVICE_READ_ONLY : 0,
		.size = disk->file ? file->size : disk->size,
	};
	uint32_t index;
	int rc;

	if (disk->real)
		return attach_extent(m->client, m->domid, disk, 0, e);
	rc = vl_guest_add_device(m->client, m->domid, &device, &index, e);
	if (rc == 0 && disk->file)
		rc = vl_guest_fill_disk(m->client, m->domid, index, 0, file->data, file->size, e);
	return rc;
}

/* In the order in which its command line tells of them. */
static int add_devices(struct making *m, const struct check *c, struct vl_error *e)
{
	const struct config_devices *d = &c->config.devices;
	int rc = 0;

	for (size_t i = 0; i < d->nr_vifs && rc == 0; i++)
		rc = attach_vif(m->client, m->domid, &d->vif[i], 0, e);
	for (size_t i = 0; i < d->nr_disks && rc == 0; i++)
		rc = add_disk(m, &d->disk[i], &c->disk[i], e);
	return rc;
}

static uint32_t what_to_do(enum config_action action)
{
	switch (action) {
	case ACTION_RESTART:
		return VL_ON_STOP_TELL;
	case ACTION_PRESERVE:
		return VL_ON_STOP_KEEP;
	case ACTION_DESTROY:
	default:
		return VL_ON_STOP_DESTROY;
	}
}

static int commit(struct making *m, const struct config *config, struct vl_error *e)
{
	const uint32_t on_stop[VL_NR_STOPS] = {
		[VL_STOP_POWEROFF] = what_to_do(config->on_poweroff),
		[VL_STOP_REBOOT] = what_to_do(config->on_reboot),
		[VL_STOP_CRASH] = what_to_do(config->on_crash),
	};

	m->on_poweroff = config->on_poweroff;
	m->on_reboot = config->on_reboot;
	m->on_crash = config->on_crash;
	m->restarts = false;
	for (size_t i = 0; i < VL_NR_STOPS; i++)
		m->restarts |= on_stop[i] == VL_ON_STOP_TELL;
	return vl_guest_commit(m->client, m->paused, on_stop, e);
}

static int make(struct making *m, const struct check *c, const struct guest_plan *plan,
		struct vl_error *e)
{
	struct vl_domain_create d = {
		.memory_start = plan->ram.start,
		.memory_size = range_size(plan->ram),
		.nr_vcpus = (uint32_t)c->config.vcpus,
		.weight = (uint32_t)c->config.weight,
	};
	struct vl_vcpu_start start;
	int rc = vl_guest_alloc(m->client, d.memory_size, e);

	strncpy(d.name, c->config.name, sizeof(d.name) - 1);
	if (rc == 0)
		rc = vl_guest_create(m->client, &d, &m->domid, e);
	if (rc == 0)
		rc = add_devices(m, c, e);
	if (rc == 0)
		rc = fill(m, c, plan, &start, e);
	if (rc == 0)
		rc = vl_guest_give(m->client, e);
	if (rc == 0)
		rc = vl_guest_start(m->client, m->domid, &start, e);
	return rc ? rc : commit(m, &c->config, e);
}

/* Problems are told as `vl check` tells them. */
static int make_from_file(struct making *m, struct vl_error *e)
{
	static struct check c;
	struct guest_plan plan;
	int rc = check_load(m->path, &c, e);

	if (rc)
		return rc;
	check_files(&c);
	check_machine(&c, m->client);
	check_print_problems(&c);
	rc = check_verdict(&c, e);
	if (rc == 0 && !guest_choose(&c.parts, &c.machine, c.config.memory_mib * MIB_BYTES, &plan))
		rc = vl_fail(e, EINVAL, "%s: there is no place for the guest", m->path);
	if (rc == 0)
		rc = make(m, &c, &plan, e);
	check_free(&c);
	return rc;
}

/* Whether the guest, which has stopped, is to be started anew. */
static bool is_to_restart(const struct making *m, const struct vl_domain_info *d)
{
	if (d->state == VL_STATE_CRASHED)
		return m->on_crash == ACTION_RESTART;
	if (d->state != VL_STATE_SHUTDOWN)
		return false;
	switch (d->shutdown) {
	case VL_SHUTDOWN_POWEROFF:
		return m->on_poweroff == ACTION_RESTART;
	case VL_SHUTDOWN_REBOOT:
		return m->on_reboot == ACTION_RESTART;
	default:
		return m->on_crash == ACTION_RESTART;
	}
}

static int restart(struct making *m, const struct vl_domain_info *d, struct vl_error *e)
{
	struct timespec pause = {.tv_sec = RESTART_PAUSE_S};
	int rc = vl_guest_destroy(m->client, d, e);

	if (rc)
		return rc;
	nanosleep(&pause, NULL);
	m->paused = false;
	return make_from_file(m, e);
}

/* Until the guest is gone, or stays as it is. */
static int attend(struct making *m, struct vl_error *e)
{
	struct vl_domain_info d;
	int rc;

	for (;;) {
		rc = vl_guest_wait(m->client, m->domid, true, e);
		if (rc == 0)
			rc = vl_get_domain(m->client, m->domid, &d, e);
		if (rc == 0 && !is_to_restart(m, &d))
			return 0;
		if (rc == 0)
			rc = restart(m, &d, e);
		if (rc)
			return rc == -ENOENT ? 0 : rc;
	}
}

/* What the process that stays behind has to say can only be found in the kernel's log. */
static void tell_kernel(const struct vl_error *e)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	dprintf(fd, "vl: %s\n", e->text);
	close(fd);
}

static void leave_terminal(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	for (int to = 0; to <= 2 && fd >= 0; to++)
		dup2(fd, to);
}

/* The open device is the child's, too: the guest has its maker as long as that lives. */
static int stay_behind(struct making *m, struct vl_error *e)
{
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child < 0)
		return vl_fail(e, errno, "cannot stay behind to start the guest anew (%s)",
			       strerror(errno));
	if (child > 0)
		return 0;
	leave_terminal();
	if (attend(m, e))
		tell_kernel(e);
	_exit(0);
}

int cmd_create(struct invocation *inv, struct vl_error *e)
{
	bool console = option_given(inv, "console"), stay = option_given(inv, "foreground");
	struct making m = {
		.client = &inv->client,
		.path = inv->operands[0],
		.paused = option_given(inv, "paused"),
	};
	int rc;

	if (console && stay)
		return vl_fail(e, VL_USAGE,
			       "create: --console and --foreground exclude each other");
	rc = failpoint_set(inv, e);
	if (rc)
		return rc;
	rc = make_from_file(&m, e);
	failpoint_clear(inv);
	if (rc)
		return rc;
	if (stay)
		return attend(&m, e);
	if (m.restarts)
		rc = stay_behind(&m, e);
	return rc || !console ? rc : console_attach(m.client, m.domid, e);
}
