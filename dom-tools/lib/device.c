/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls by ioctl on /dev/vellum, see device.h. The driver checks nothing
 * but memory safety; an ioctl that fails therefore means that vl and the
 * kernel's driver do not belong together, not that Vellum refused something.
 */
#include "dom-tools/lib/device.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "public/hypercall.h"

/* Present whenever the driver is, device node or not: that tells the two causes of ENOENT apart. */
#define SYSFS_NODE "/sys/class/misc/vellum"

static int explain_missing(int err, struct vl_error *e)
{
	if (access(SYSFS_NODE, F_OK) == 0)
		return vl_fail(e, err,
			       "the kernel runs under Vellum but " VL_DEVICE_PATH " is missing; "
			       "mount devtmpfs on /dev (mount -t devtmpfs dev /dev)");
	return vl_fail(e, err,
		       "there is no " VL_DEVICE_PATH ": this kernel was not started by Vellum, or "
		       "lacks CONFIG_VELLUM; boot a kernel with Vellum's patches from Vellum's "
		       "entry of the GRUB menu");
}

static int explain_open(int err, struct vl_error *e)
{
	switch (err) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return explain_missing(err, e);
	case EACCES:
	case EPERM:
		return vl_fail(e, err, "may not open " VL_DEVICE_PATH " (%s); run it as root",
			       strerror(err));
	default:
		return vl_fail(e, err, "cannot open " VL_DEVICE_PATH " (%s); `dmesg` may say more",
			       strerror(err));
	}
}

static int device_call(struct vl_transport *t, struct vl_ioctl_call *call, struct vl_error *e)
{
	const struct vl_device_file *dev = (const struct vl_device_file *)t;
	int err;

	if (ioctl(dev->fd, VL_IOCTL_CALL, call) == 0)
		return 0;
	err = errno;
	if (err == EPERM || err == EACCES)
		return vl_fail(e, err, "the kernel does not allow hypercalls (%s); run it as root",
			       strerror(err));
	return vl_fail(e, err,
		       "the driver behind " VL_DEVICE_PATH " refused the call (%s): kernel and vl "
		       "are not of the same Vellum; use the vl that was built with this kernel",
		       strerror(err));
}

static int device_switch(struct vl_transport *t, struct vl_ioctl_switch *s, struct vl_error *e)
{
	const struct vl_device_file *dev = (const struct vl_device_file *)t;
	int err;

	if (ioctl(dev->fd, VL_IOCTL_SWITCH, s) == 0)
		return 0;
	err = errno;
	switch (err) {
	case EALREADY:
		return vl_fail(e, err, "this guest is %s already",
			       s->mode == VL_MODE_VIRTUALIZED ? "virtualized" : "in passthrough");
	case EOPNOTSUPP:
		return vl_fail(e, err,
			       "the kernel cannot switch as it runs: "
			       "`dmesg` names code that it cannot adapt");
	case ENOTTY:
		return vl_fail(e, err,
			       "the kernel is too old to switch its mode; boot the one that was "
			       "built with this vl");
	default:
		return vl_fail(e, err, "the kernel failed to switch (%s); `dmesg` may say more",
			       strerror(err));
	}
}

static int device_request(struct vl_transport *t, unsigned long code, void *argument)
{
	const struct vl_device_file *dev = (const struct vl_device_file *)t;

	return ioctl(dev->fd, code, argument) < 0 ? -errno : 0;
}

static int device_write(struct vl_transport *t, uint64_t offset, const void *data, size_t size)
{
	const struct vl_device_file *dev = (const struct vl_device_file *)t;

	while (size > 0) {
		ssize_t n = pwrite(dev->fd, data, size, (off_t)offset);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data = (const char *)data + n;
		offset += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

static int device_wait(struct vl_transport *t, int fd, int milliseconds)
{
	const struct vl_device_file *dev = (const struct vl_device_file *)t;
	struct pollfd p[2] = {{.fd = dev->fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};

	if (poll(p, 2, milliseconds) < 0)
		return -errno;
	return (p[0].revents ? VL_WAIT_CHANGE : 0) | (p[1].revents ? VL_WAIT_INPUT : 0);
}

static void device_close(struct vl_transport *t)
{
	struct vl_device_file *dev = (struct vl_device_file *)t;

	close(dev->fd);
	dev->fd = -1;
}

static const struct vl_transport_ops device_ops = {
	.call = device_call,
	.switch_mode = device_switch,
	.request = device_request,
	.write = device_write,
	.wait = device_wait,
	.close = device_close,
};

int vl_device_open(struct vl_device_file *dev, struct vl_error *e)
{
	dev->transport.ops = &device_ops;
	dev->fd = open(VL_DEVICE_PATH, O_RDWR | O_CLOEXEC);
	if (dev->fd < 0)
		return explain_open(errno, e);
	return 0;
}
