// SPDX-License-Identifier: MIT
/*
 * Single stepping by the trap flag, in the process itself: the list of addresses at which SIGTRAP
 * arrives, with trap number and code whenever they are not those of a plain step. A trap that is
 * lost, doubled or moved by one instruction shows up as a changed list.
 */
#include "probe.h"
#include "stepcode.h"

#include <stdio.h>
#include <string.h>

/* Offsets of 32-bit far pointers inside the code area that pieces use by absolute address. */
const struct step_piece step_pieces[] = {
	{"moves", "90 89 c0 89 c0 48 8b 03", 0},
	{"syscall", "b8 ff 0f 00 00 0f 05 90 90", 0},
	{"syscall getuid", "b8 66 00 00 00 0f 05 31 c0 90", 0},
	{"int80", "b8 ff 0f 00 00 cd 80 90 90", 0},
	{"int3 inside", "90 cc 90", 0},
	{"icebp inside", "90 f1 90", 0},
	{"pushf popf", "9c 58 50 9d 90", 0},
	{"popf clears tf", "9c 81 24 24 ff fe ff ff 9d 90 90", 0},
	{"popf sets tf again", "9c 81 24 24 ff fe ff ff 9d 90 9c 81 0c 24 00 01 00 00 9d 90 90", 0},
	{"cpuid", "31 c0 31 c9 0f a2 90", 0},
	{"rdtsc", "0f 31 90", 0},
	{"rep movsb", "b9 03 00 00 00 f3 a4 90", 0},
	{"rep stosb none", "31 c9 f3 aa 90", 0},
	{"rep scasb", "b9 03 00 00 00 31 c0 f3 ae 90", 0},
	{"mov ss", "8c d0 8e d0 90 90", 0},
	{"mov ss, syscall", "8c d1 b8 ff 0f 00 00 8e d1 0f 05 90 90", 0},
	{"mov ss, int80", "8c d1 b8 ff 0f 00 00 8e d1 cd 80 90 90", 0},
	{"mov ss, int3", "8c d0 8e d0 cc 90", 0},
	{"mov ss, mov ss", "8c d0 8e d0 8e d0 90 90", 0},
	{"mov ss, pushf", "8c d0 8e d0 9c 58 90", 0},
	{"lss", "c7 03 00 40 00 20 66 c7 43 04 2b 00 0f b2 23 90 90", 0},
	{"iretq", "8c d0 50 68 00 70 00 20 9c 68 33 00 00 00 68 16 00 00 10 48 cf cc 90 90 90", 1},
	{"iretq drops tf", "8c d0 50 68 00 70 00 20 6a 02 68 33 00 00 00 68 16 00 00 10 48 cf 90",
	 1},
	{"lret", "6a 33 68 0b 00 00 10 48 cb cc cc 90 90", 1},
	{"to 32 and back",
	 "c7 03 18 00 00 10 c7 43 04 23 00 00 00 ff 2b cc cc cc cc cc cc cc cc cc "
	 "90 9c 58 b8 ff 0f 00 00 8c c8 ea 2a 00 00 10 33 00 cc 90 90",
	 0},
	{"read fault", "31 db 48 8b 03 90", 0},
	{"ud2 then on", "90 0f 0b 90", 0},
	{"gp then on", "90 fa 90", 0},
	{"div fault", "31 c9 f7 f1 90", 0},
	{"xmm", "0f 57 c0 0f 10 03 90", 0},
	{"syscall with popf before", "68 02 03 00 00 9d b8 ff 0f 00 00 0f 05 9c 58 90", 0},
	{"jumps", "eb 02 cc cc 74 00 75 00 e8 00 00 00 00 58 90", 0},
	{"loop", "b9 03 00 00 00 90 e2 fd 90", 0},
};
const size_t step_piece_count = sizeof(step_pieces) / sizeof(step_pieces[0]);

#define TRAIL_BYTES 3000
#define TRAIL_STEPS 200

static char trail[TRAIL_BYTES];
static size_t trail_used;
static unsigned trail_steps;
static uint64_t stop_at; /* offset of the int3 that ends the piece */

static void trail_add(const char *text)
{
	size_t size = strlen(text);

	if (trail_used + size + 1 > sizeof(trail))
		return;
	memcpy(trail + trail_used, text, size + 1);
	trail_used += size;
}

static unsigned fault_skip(uint64_t offset)
{
	const uint8_t *code = (const uint8_t *)CODE_AT + offset;

	if (code[0] == 0x48)
		return 3;
	return code[0] == 0xfa ? 1 : 2;
}

/* Steps go on; faults are noted and skipped; the int3 behind the piece ends it. */
static bool on_step(struct event *ev, greg_t *g)
{
	uint64_t offset = (uint64_t)g[REG_RIP] - CODE_AT;
	char text[96];

	if (++trail_steps > TRAIL_STEPS)
		return false;
	if (ev->signo == SIGTRAP && g[REG_TRAPNO] == 1 && ev->code == 2)
		snprintf(text, sizeof(text), " %lx%s", offset,
			 (uint64_t)g[REG_EFL] & FL_TF ? "" : "-");
	else
		snprintf(text, sizeof(text), " [%lx %s c%d t%ld e%lx fl=%lx]", offset,
			 signal_text(ev->signo), ev->code, (long)g[REG_TRAPNO],
			 (uint64_t)g[REG_ERR], (uint64_t)g[REG_EFL]);
	trail_add(text);
	if (offset > CODE_SIZE || offset == stop_at + 1)
		return false;
	if (ev->signo != SIGTRAP)
		g[REG_RIP] += (greg_t)fault_skip(offset);
	return true;
}

static void step_piece_by_tf(const struct step_piece *piece, unsigned cs)
{
	struct event ev;
	struct shot s;

	data_clear();
	shot_init(&s);
	shot_cs_ss(&s, cs, USER_DS);
	s.g[REG_EFL] |= (greg_t)FL_TF;
	s.on_event = on_step;
	stop_at = code_hex(piece->hex);
	trail_used = trail_steps = 0;
	trail[0] = 0;
	shot_run(&s, &ev);
	out("%s:%s", piece->name, trail);
}

void subject_step(void)
{
	static const char *const also32[] = {"moves",         "int80", "icebp inside",
					     "rep movsb",     "cpuid", "mov ss",
					     "mov ss, int80", "jumps", "pushf popf"};

	for (size_t i = 0; i < step_piece_count; i++) {
		if (step_pieces[i].needs_far_stack && far_stack_unsafe())
			out("%s: not run, TCG takes the user stack as supervisor's under SMAP",
			    step_pieces[i].name);
		else
			step_piece_by_tf(&step_pieces[i], USER_CS);
	}
	out("32-bit code");
	for (size_t i = 0; i < step_piece_count; i++)
		for (size_t k = 0; k < sizeof(also32) / sizeof(also32[0]); k++)
			if (!strcmp(step_pieces[i].name, also32[k]))
				step_piece_by_tf(&step_pieces[i], USER32_CS);
}
