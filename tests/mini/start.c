// SPDX-License-Identifier: MIT
/*
 * The kernel's main function: bring up one thing after the other, in an order
 * in which each needs only what is there already, then run the tests.
 */
#include "mini/start.h"

#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/exit.h"
#include "mini/frames.h"
#include "mini/hypercall.h"
#include "mini/irq.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/role.h"
#include "mini/segments.h"
#include "mini/tap.h"
#include "mini/traps.h"
#include "mini/virtual.h"
#include "mini/user.h"

static void print_memory_map(void)
{
	for (u32 i = 0; i < start_info->memory_map_count; i++)
		print("# memory %#014lx .. %#014lx type %u\n", memory_bounds(i).start,
		      memory_bounds(i).end, memory_range(i)->type);
}

void start(pa_t info)
{
	console_init();
	print("\n# mini guest: hello\n");
	segments_init();
	traps_init();
	memory_init(info);
	print("# domain %u, command line: %s\n", start_info->domid, cmdline());
	print_memory_map();
	frames_init();
	paging_init();
	hypercall_init();
	virtual_init();
	irq_init();
	user_init();
	print("# %lu MiB free\n", frames_free() * PAGE_SIZE / MIB);
	role_play();
	machine_exit(tests_run());
}
