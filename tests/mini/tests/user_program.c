// SPDX-License-Identifier: MIT
/*
 * Setting up programs for ring 3.
 */
#include "mini/tests/user_program.h"

#include "lib/string.h"
#include "mini/frames.h"
#include "mini/memory.h"
#include "mini/tap.h"

pa_t user_program_page(struct user_program *program, u64 va, u64 flags)
{
	pa_t frame = frame_alloc_zeroed();

	CHECK(frame.v != 0, "no frames");
	CHECK(space_map(&program->space, (va_t){va}, frame, PAGE_SIZE, PTE_U | flags) == 0,
	      "cannot map %#lx", va);
	return frame;
}

void user_program_load(struct user_program *program, const char *start, const char *end)
{
	CHECK(space_create(&program->space) == 0, "no frames for a space");
	program->code = user_program_page(program, USER_CODE, 0);
	program->data = user_program_page(program, USER_DATA, PTE_W | paging_nx());
	program->stack = user_program_page(program, USER_STACK - PAGE_SIZE, PTE_W | paging_nx());
	memcpy(pa_to_ptr(program->code), start, (size_t)(end - start));
	program->regs = user_frame((va_t){USER_CODE}, (va_t){USER_STACK});
	space_load(&program->space);
}

void user_program_unload(struct user_program *program)
{
	space_load(&kernel_space);
	space_destroy(&program->space);
	frame_free(program->code);
	frame_free(program->data);
	frame_free(program->stack);
}
