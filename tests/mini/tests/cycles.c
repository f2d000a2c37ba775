// SPDX-License-Identifier: MIT
/*
 * Many transitions in one run, each with everything that the other tests look
 * at one by one: system registers, memory, a user program's registers and
 * ticks, which go on all the time. `cycles=N` (hexadecimal) on the command
 * line says how many.
 */
#include "lib/string.h"
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/snapshot.h"
#include "mini/tap.h"
#include "mini/tests/random.h"
#include "mini/tests/user_program.h"
#include "mini/timer.h"
#include "mini/virtual.h"
#include "public/errno.h"

#define CYCLES     100ull
#define WORDS      8192u
#define HZ         100 /* slower than a cycle on any emulator: the PIT keeps one tick that waits */
#define TICK_WAITS 20  /* of a devirtualize that an interrupt on its way holds up */

static u64 words[WORDS];

static u64 sum_of_words(void)
{
	u64 sum = 0;

	for (u32 i = 0; i < WORDS; i++)
		sum = (sum << 7 | sum >> 57) ^ words[i];
	return sum;
}

static void leave(u64 cycle)
{
	s64 answer = -VL_EAGAIN;

	for (int i = 0; i < TICK_WAITS && answer == -VL_EAGAIN; i++) {
		if (i > 0)
			interrupts_on_and_halt();
		interrupts_off();
		answer = devirtualize();
	}
	CHECK(answer == 0 && !is_virtualized(), "cycle %lu: devirtualize answered %ld", cycle,
	      answer);
}

static void one_cycle(u64 cycle, struct user_program *p, u64 *sum)
{
	struct snapshot before, after;
	struct trap_info info;
	const char *what;
	s64 answer;

	interrupts_off();
	snapshot_take(&before);
	answer = virtualize(0);
	CHECK(answer == 0 && is_virtualized(), "cycle %lu: virtualize answered %ld", cycle, answer);
	interrupts_on();
	words[cycle % WORDS] += cycle;
	p->regs.rbx = cycle;
	info = user_run(&p->regs, cycle % 3 == 0 ? USER_SYSRET : USER_IRET);
	CHECK(info.vector == VECTOR_SYSCALL && p->regs.rbx == cycle,
	      "cycle %lu: vector %lu, RBX %lx", cycle, info.vector, p->regs.rbx);
	words[cycle % WORDS] -= cycle;
	interrupts_off();
	leave(cycle);
	snapshot_take(&after);
	what = snapshot_difference(&before, &after);
	CHECK(what == NULL, "cycle %lu changed %s", cycle, what);
	if (cycle % 256 == 0) {
		u64 now = sum_of_words();

		CHECK(now == *sum, "cycle %lu: memory changed", cycle);
	}
	interrupts_on();
}

TEST(transition_cycles, "M1 M2 M9 I1 I2 I3 I8")
{
	char word[4];
	u64 cycles = CYCLES, state = 1, sum, start, ms, want, per_ms = tsc_per_ms();
	struct user_program p;

	cmdline_get_hex("cycles", &cycles);
	for (u32 i = 0; i < WORDS; i++)
		words[i] = random_next(&state);
	sum = sum_of_words();
	USER_PROGRAM_LOAD(&p, syscalls);
	if (is_virtualized())
		leave(0);
	/* SYSCALL, by which the program comes back, loads SS: the first snapshot is to have it,
	 * too. */
	p.regs.rbx = 0;
	user_run(&p.regs, USER_SYSRET);
	timer_start(HZ);
	start = rdtsc();
	for (u64 i = 0; i < cycles; i++) {
		one_cycle(i, &p, &sum);
		if (cycles >= 10 && (i + 1) % (cycles / 10) == 0)
			print("# cycles: %lu done, %lu ticks\n", i + 1, timer_ticks());
	}
	interrupts_off();
	ms = (rdtsc() - start) / per_ms;
	timer_stop();
	/* Two in a hundred: the TSC was measured in 50 ms. An emulator that has its host's time
	 * loses ticks while it does not run. */
	want = ms * HZ / 1000;
	CHECK(timer_ticks() <= want + want / 50 + 2, "%lu ticks in %lu ms", timer_ticks(), ms);
	if (!cmdline_get("hosttime", word, sizeof(word)))
		CHECK(timer_ticks() + want / 50 + 2 >= want, "%lu ticks in %lu ms", timer_ticks(),
		      ms);
	user_program_unload(&p);
	CHECK(sum_of_words() == sum, "memory changed");
}
