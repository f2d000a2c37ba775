// SPDX-License-Identifier: MIT
/*
 * The remapper on machines made of the input: up to three domains, any page in
 * any frame, any mode, slices, ends before the end, without spare frames or
 * memory, with places that are taken. It ends, and each page has its content at
 * every moment; what it says, and what it leaves, is right.
 */
/* shows: M11 M12 M15 M16 M17 */
#include "p2m/remap.h"

#include "public/errno.h"
#include "tests/fuzz/damage.h"
#include "tests/fuzz/input.h"
#include "tests/unit/remap_world.h"

/* Fewer than there could be: the fuzzer makes up for that in runs. */
#define MOST_PAGES 10

static void make_case(struct input *in, struct world_case *c)
{
	u8 kind = input_byte(in);

	*c = (struct world_case){
		.nr_spaces = 1 + kind % WORLD_SPACES,
		.pages = 1 + input_byte(in) % MOST_PAGES,
		.stride = kind & 0x40 ? 512 : 1,
		.mode = (enum remap_mode)(input_byte(in) % 3),
		.spares = input_byte(in) % (WORLD_SPARES + 1),
		.slice = 1 + input_byte(in) % 32,
		.abort_after = input_byte(in),
		.fail_at = input_byte(in),
		.taken = kind & 0x80 ? (u32)1 << input_byte(in) % WORLD_FRAMES : 0,
	};
	c->identity = c->nr_spaces == 1 && (kind & 0x20);
	c->of = input_byte(in) % c->nr_spaces;
	for (u32 s = 0; s < c->nr_spaces; s++)
		for (u32 p = 0; p < c->pages; p++) {
			u8 frame = input_byte(in) % (WORLD_FRAMES + 1);

			c->frame[s][p] = frame < WORLD_FRAMES ? frame : WORLD_NONE;
			if (c->identity && frame == WORLD_FRAMES)
				c->frame[s][p] = (u8)p;
		}
}

static void check(const struct world_case *c, const struct world_result *r, const char *wrong)
{
	if (wrong != NULL)
		broken(wrong, __FILE__, __LINE__);
	must(r->answer == 0 || (r->answer == 1 && c->abort_after != 0) ||
	     (r->answer == -VL_EBUSY && c->taken != 0) || r->answer == -VL_ENOMEM);
	if (r->answer == -VL_ENOMEM)
		must(c->fail_at != 0 || c->spares < WORLD_SPARES);
	if (c->nr_spaces == 1)
		must(r->most_spares <= 1 && r->spares_left == 0);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = {data, size};
	struct world_case c;
	struct world_result r;
	const char *wrong;

	make_case(&in, &c);
	if (c.fail_at != 0) {
		wrong = world_run(&c, c.fail_at % OWNERS_KINDS, &r);
	} else {
		wrong = world_run_all(&c, &r);
	}
	check(&c, &r, wrong);
	return 0;
}
