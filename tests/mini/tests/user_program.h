/* SPDX-License-Identifier: MIT */
/*
 * A space with one page of code, one of data and one of stack, for ring 3.
 */
#ifndef MINI_TESTS_USER_PROGRAM_H
#define MINI_TESTS_USER_PROGRAM_H

#include "mini/paging.h"
#include "mini/user.h"

#define USER_CODE  0x0000000000400000ul
#define USER_DATA  0x0000000000401000ul /* read, write, no execute */
#define USER_STACK 0x00007ffffffff000ul /* the end of it */

struct user_program {
	struct space space;
	pa_t code, data, stack;
	struct trap_frame regs; /* at the program's start */
};

/** Make and load a space with the code [start, end), at most a page. Fails the test if it cannot.
 */
void user_program_load(struct user_program *program, const char *start, const char *end);

/** Map one more zeroed page at `va`; the caller frees its frame after unloading. */
pa_t user_program_page(struct user_program *program, u64 va, u64 flags);

/** Back to the kernel's space, and free all of it. */
void user_program_unload(struct user_program *program);

/** The program of that name in user_code.S. */
#define USER_PROGRAM_LOAD(program, name)                                                           \
	do {                                                                                       \
		extern const char user_##name[], user_##name##_end[];                              \
		user_program_load(program, user_##name, user_##name##_end);                        \
	} while (0)

#endif
