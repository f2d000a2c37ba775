/* SPDX-License-Identifier: MIT */
/*
 * `vl virtualize` and `vl devirtualize`: the kernel does it, this only asks.
 * They print nothing when they are done, and fail when nothing was to do, so
 * that a script notices a guest that is not in the mode that it expects. Which
 * layers fit together Vellum decides; the sentences for those that do not are
 * made here, from the layers that there are.
 */
#include "dom-tools/vl/command.h"

#include <errno.h>

#include "dom-tools/vl/failpoint.h"
#include "dom-tools/vl/home.h"
#include "dom-tools/vl/pci.h"
#include "dom-tools/vl/portion.h"

static const struct {
	uint32_t layer;
	uint32_t below; /* those that it stands on */
	const char *option;
	const char *name;
} layers[] = {
	{VL_LAYER_CPU, 0, "cpu", "the CPU"},
	{VL_LAYER_MEMORY, VL_LAYER_CPU, "memory", "memory"},
	{VL_LAYER_INTERRUPTS, VL_LAYER_CPU, "interrupts", "interrupts"},
	{VL_LAYER_IO, VL_LAYER_CPU | VL_LAYER_INTERRUPTS, "io", "I/O"},
};

#define NR_LAYERS (sizeof(layers) / sizeof(layers[0]))

/* Without any of the options: all but I/O, which then goes, but does not come. */
static uint32_t layers_asked(const struct invocation *inv)
{
	uint32_t asked = 0;

	for (size_t i = 0; i < NR_LAYERS; i++)
		if (option_given(inv, layers[i].option))
			asked |= layers[i].layer;
	return asked ? asked : VL_LAYER_ALL;
}

/* Index of the first layer in a set that is not empty. */
static size_t first_layer(uint32_t set)
{
	size_t i = 0;

	while (i + 1 < NR_LAYERS && !(set & layers[i].layer))
		i++;
	return i;
}

/* What the kernel's and Vellum's own refusals would not say as well. */
static int check_virtualize(uint32_t have, uint32_t asked, struct vl_error *e)
{
	if (asked & have & VL_LAYER_CPU)
		return 0;
	for (size_t i = 0; i < NR_LAYERS; i++) {
		uint32_t missing = layers[i].below & ~(have | asked);

		if ((asked & layers[i].layer) && missing)
			return vl_fail(e, EINVAL,
				       "the layer of %s stands on that of %s; give --%s, too, or "
				       "`vl virtualize --%s` first",
				       layers[i].name, layers[first_layer(missing)].name,
				       layers[first_layer(missing)].option,
				       layers[first_layer(missing)].option);
	}
	if (asked & have)
		return vl_fail(e, EBUSY, "the layer of %s is virtualized already",
			       layers[first_layer(asked & have)].name);
	return 0;
}

static int check_devirtualize(uint32_t have, uint32_t asked, struct vl_error *e)
{
	uint32_t missing = asked & ~have, left = have & ~asked;

	if (have == 0 || asked == VL_LAYER_ALL)
		return 0;
	if (missing)
		return vl_fail(e, EINVAL, "the layer of %s is not virtualized",
			       layers[first_layer(missing)].name);
	for (size_t i = 0; i < NR_LAYERS; i++) {
		uint32_t taken = layers[i].below & asked;

		if ((left & layers[i].layer) && taken)
			return vl_fail(
				e, EBUSY,
				"the layer of %s stands on that of %s; give --%s, too, or no "
				"layer for all",
				layers[i].name, layers[first_layer(taken)].name, layers[i].option);
	}
	return 0;
}

static int check_layers(struct invocation *inv, uint32_t mode, uint32_t asked, struct vl_error *e)
{
	struct vl_domain_counters now;
	int rc;

	if (asked == VL_LAYER_ALL)
		return 0;
	rc = vl_get_counters(&inv->client, VL_DOMID_SELF, &now, e);
	if (rc)
		return rc;
	if (mode == VL_MODE_VIRTUALIZED)
		return check_virtualize(now.layers, asked, e);
	return check_devirtualize(now.layers, asked, e);
}

static int switch_mode(struct invocation *inv, uint32_t mode, uint32_t debug, struct vl_error *e)
{
	uint32_t asked = layers_asked(inv);
	int rc = check_layers(inv, mode, asked, e);

	if (rc == 0)
		rc = failpoint_set(inv, e);
	if (rc)
		return rc;
	rc = vl_switch_mode(&inv->client, mode, asked | debug, e);
	failpoint_clear(inv);
	return rc;
}

/* Of memory there may be a part already. */
static int virtualize_memory(struct invocation *inv, struct vl_error *e)
{
	bool is_part;
	int rc = portion_add_rest(inv, &is_part, e);

	return rc || is_part ? rc : switch_mode(inv, VL_MODE_VIRTUALIZED, 0, e);
}

int cmd_virtualize(struct invocation *inv, struct vl_error *e)
{
	uint32_t debug = option_given(inv, "debug-iopl3") ? VL_DEBUG_IOPL3 : 0;

	if (inv->nr_operands)
		return portion_switch(inv, VL_MODE_VIRTUALIZED, e);
	if (layers_asked(inv) == VL_LAYER_MEMORY && !debug)
		return virtualize_memory(inv, e);
	return switch_mode(inv, VL_MODE_VIRTUALIZED, debug, e);
}

/* A guest whose memory has come home live is told so, and may be faster than this. */
int cmd_devirtualize(struct invocation *inv, struct vl_error *e)
{
	bool came_home = false;
	int rc;

	if (inv->nr_operands)
		return portion_switch(inv, VL_MODE_PASSTHROUGH, e);
	rc = layers_asked(inv) & VL_LAYER_ALL ? pci_check_none(&inv->client, e) : 0;
	if (rc == 0)
		rc = home_wait(inv, &came_home, e);
	if (rc == 0)
		rc = switch_mode(inv, VL_MODE_PASSTHROUGH, 0, e);
	return came_home && rc == -EALREADY ? 0 : rc;
}
