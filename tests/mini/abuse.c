// SPDX-License-Identifier: MIT
/*
 * A guest that makes every call there is with arguments of every kind: its own
 * memory, the partition, other domains, sizes around the limits, noise. Unlike
 * the tests of hypercall_fuzz.c it cares neither for the answers nor for what
 * becomes of itself: it may end by any of them, and whoever made it looks
 * whether anybody else noticed.
 */
#include "lib/string.h"
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/exit.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/role.h"
#include "mini/tests/random.h"

#define CALLS       6000u
#define ARENA_SIZE  (4 * PAGE_SIZE)
#define END_SELDOM  256u /* calls that would only end it */
#define KNOWN_LIMIT (VL_CALL_LIMIT + 2)

static u8 arena[ARENA_SIZE] __attribute__((aligned(4096)));
static struct vl_hv_info info __attribute__((aligned(256)));

static u64 argument(u64 *state)
{
	switch (random_below(state, 9)) {
	case 0:
	case 1:
		return ptr_to_pa(arena).v + random_below(state, ARENA_SIZE);
	case 2:
		return ptr_to_pa(arena).v + random_below(state, 4) * PAGE_SIZE;
	case 3:
		return random_below(state, 512);
	case 4:
		return random_below(state, 2 * PAGE_SIZE);
	case 5:
		return 0 - random_below(state, 2 * PAGE_SIZE);
	case 6:
		return info.partition_start + random_below(state, info.partition_size + 1);
	case 7:
		return random_below(state, 2) ? VL_DOMID_SELF
					      : random_below(state, VL_DOMID_MAX + 2);
	default:
		return random_next(state) >> random_below(state, 64);
	}
}

/* Most would not live to the next call if these were as frequent as all others. */
static bool is_end(u64 nr)
{
	return nr == VL_CALL_SHUTDOWN || nr == VL_CALL_MMU_LOAD || nr == VL_CALL_SET_ALIAS ||
	       nr == VL_CALL_MEMORY_TAKE;
}

void abuse(void)
{
	u64 state = rdtsc() | 1, answered = 0;

	cmdline_get_hex("seed", &state);
	vl_call_hv_info(hypercall_page, ptr_to_pa(&info).v, sizeof(info));
	print("abusing, seed %#lx\n", state);
	for (u32 i = 0; i < CALLS; i++) {
		u64 nr = random_below(&state, 8) == 0
				 ? random_next(&state) >> random_below(&state, 64)
				 : random_below(&state, KNOWN_LIMIT);
		u64 a[5];

		for (size_t k = 0; k < ARRAY_SIZE(a); k++)
			a[k] = argument(&state);
		if (!is_end(nr) || random_below(&state, END_SELDOM) == 0)
			answered += hypercall_page(nr, a[0], a[1], a[2], a[3], a[4]) >= 0;
	}
	print("abused, %lu were served\n", answered);
	machine_exit(true);
}
