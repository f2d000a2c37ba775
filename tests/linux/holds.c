// SPDX-License-Identifier: MIT
/*
 * Has a debug build of Vellum write to its log how long each kind of lock was held at most.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "public/calls.h"
#include "public/device.h"

int main(void)
{
	struct vl_ioctl_call call = {.nr = VL_CALL_SET_FAILPOINT};
	int device = open("/dev/vellum", O_RDWR);

	if (device < 0 || ioctl(device, VL_IOCTL_CALL, &call) != 0 || call.result != 0) {
		printf("holds: no answer (%ld): is it a debug build?\n", (long)call.result);
		return 1;
	}
	return 0;
}
