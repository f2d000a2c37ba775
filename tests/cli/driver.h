/* SPDX-License-Identifier: MIT */
/*
 * What the pretended kernel has of the domains that vl makes: the driver's part
 * of public/device.h, from VL_IOCTL_MEMORY on. Its hypercalls are the world's.
 */
#ifndef TESTS_CLI_DRIVER_H
#define TESTS_CLI_DRIVER_H

#include "tests/cli/world.h"

/** One ioctl. Returns 0 or a positive errno. */
int driver_ioctl(struct world *w, unsigned long request, void *argument);

/** pwrite(): bytes written, or a negated errno. */
long driver_write(struct world *w, const void *data, size_t size, uint64_t offset);

/** The device was closed: what is not complete is undone. */
void driver_close(struct world *w);

/**
 * vl waits. The next event of the world file happens; `type` makes *typed what stdin has then.
 * Returns 0 if there was none left.
 */
int driver_wait(struct world *w, const char **typed);

#endif
