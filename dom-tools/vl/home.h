/* SPDX-License-Identifier: MIT */
/*
 * How the memory of the guest that gets the machine comes home: the options of
 * `vl destroy` and `vl devirtualize`, and waiting for it.
 */
#ifndef DOM_TOOLS_VL_HOME_H
#define DOM_TOOLS_VL_HOME_H

#include "dom-tools/vl/command.h"

/** The options, for a command's table. */
#define HOME_OPTIONS                                                                               \
	{.letter = 'l', .name = "live", .help = "memory comes home while the guest runs"},         \
		{.name = "paused", .help = "it comes while the guest waits"},                      \
		{.name = "remap",                                                                  \
		 .argument = "MODE",                                                               \
		 .help = "how it moves: auto, indirect or direct"},                                \
	{                                                                                          \
		.name = "owners", .argument = "KIND",                                              \
		.help = "how who uses a frame is found: backmap, refcount or search"               \
	}

/** Those that were given, as VL_REMAP_*, into *how: live without --paused. 0, or -VL_USAGE. */
int home_how(const struct invocation *inv, uint64_t *how, struct vl_error *e);

/**
 * In the guest that has got the machine: have its memory come home as the options say, and wait.
 * Live, with progress on a terminal or if --progress was given; SIGINT stops it, which is -EINTR,
 * and the guest stays virtualized. 0 at once if it is at home, or paused: then the switch of the
 * mode moves it. *came_home is set if it came live.
 */
int home_wait(struct invocation *inv, bool *came_home, struct vl_error *e);

#endif
