/* SPDX-License-Identifier: MIT */
/*
 * `vl share`: equal pages of other guests in one frame, or in their own again.
 */
#include "dom-tools/vl/command.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dom-tools/lib/guests.h"
#include "dom-tools/lib/machine.h"
#include "dom-tools/vl/options.h"
#include "dom-tools/vl/output.h"

#define RATE_USUAL 2000
#define PAGE_KIB   4

static struct json_object *stats_json(const struct vl_share_info *i)
{
	struct json_object *o = json_new_object();

	json_add(o, "on", json_object_new_boolean(i->on != 0));
	json_add_u64(o, "rate", i->rate);
	json_add_u64(o, "pages", i->pages);
	json_add_u64(o, "frames", i->frames);
	json_add_u64(o, "kept", i->kept);
	json_add_u64(o, "looked", i->looked);
	json_add_u64(o, "passes", i->passes);
	json_add_u64(o, "merged", i->merged);
	json_add_u64(o, "zero", i->zero);
	json_add_u64(o, "broken", i->broken);
	json_add_u64(o, "longest_ticks", i->longest);
	return o;
}

static void print_stats(const struct vl_share_info *i)
{
	if (i->on)
		printf("sharing: on, %" PRIu32 " pages a second\n", i->rate);
	else
		puts("sharing: off");
	printf("shared now: %" PRIu64 " pages in %" PRIu64 " frames\n", i->pages, i->frames);
	printf("kept for them: %" PRIu64 " frames, %" PRIu64 " KiB\n", i->kept, i->kept * PAGE_KIB);
	printf("since boot: %" PRIu64 " pages looked at, in %" PRIu64 " passes; %" PRIu64
	       " merged, %" PRIu64 " of them zeros; %" PRIu64 " apart again\n",
	       i->looked, i->passes, i->merged, i->zero, i->broken);
	printf("longest pause: %" PRIu64 " us\n",
	       (uint64_t)((double)i->longest * 1e6 / (double)machine_tsc_rate()));
}

static int show(struct invocation *inv, struct vl_error *e)
{
	struct vl_share_info info;
	int rc = vl_share_stats(&inv->client, &info, e);

	if (rc)
		return rc;
	if (option_given(inv, "json"))
		json_print(stdout, stats_json(&info));
	else
		print_stats(&info);
	return 0;
}

int cmd_share(struct invocation *inv, struct vl_error *e)
{
	const char *what = inv->operands[0];
	uint64_t rate = 0;
	int rc = option_number(inv, "rate", 1, VL_SHARE_RATE_MOST, &rate, e);

	if (rc)
		return rc;
	if (strcmp(what, "on") == 0)
		return vl_share_on(&inv->client, rate ? (uint32_t)rate : RATE_USUAL, e);
	if (rate)
		return vl_fail(e, VL_USAGE, "share: --rate is for `on`");
	if (strcmp(what, "off") == 0)
		return vl_share_off(&inv->client, e);
	if (strcmp(what, "stats") == 0)
		return show(inv, e);
	return vl_fail(e, VL_USAGE, "share does not know `%s`", what);
}
