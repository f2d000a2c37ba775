/* SPDX-License-Identifier: MIT */
/*
 * `vl virtualize` and `vl devirtualize`: the kernel does it, this only asks.
 * They print nothing when they are done, and fail when nothing was to do, so
 * that a script notices a guest that is not in the mode that it expects.
 */
#include "dom-tools/vl/command.h"

int cmd_virtualize(struct invocation *inv, struct vl_error *e)
{
	uint32_t layers = VL_LAYER_ALL;

	if (option_given(inv, "debug-iopl3"))
		layers |= VL_DEBUG_IOPL3;
	return vl_switch_mode(&inv->client, VL_MODE_VIRTUALIZED, layers, e);
}

int cmd_devirtualize(struct invocation *inv, struct vl_error *e)
{
	return vl_switch_mode(&inv->client, VL_MODE_PASSTHROUGH, VL_LAYER_ALL, e);
}
