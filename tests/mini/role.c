// SPDX-License-Identifier: MIT
/*
 * The roles of a later guest. Each says on its console what it is about to do,
 * since most of them do it for ever.
 */
#include "mini/role.h"

#include "lib/string.h"
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/exit.h"
#include "mini/hypercall.h"
#include "mini/live.h"
#include "mini/memory.h"
#include "mini/other.h"
#include "mini/role_busy.h"
#include "mini/role_io.h"
#include "mini/role_ping.h"
#include "mini/smp.h"
#include "mini/tests/random.h"
#include "mini/timer.h"
#include "mini/virtual.h"
#include "public/errno.h"

#define CALLS        20000u
#define CANARY_WORDS 32768u
#define HZ           100
#define ROLE_SIZE    8
#define LATE_TIMES   20u
#define LATE_MS      5u
#define NO_ROOT      0x000000fffffff000ul

static bool owns_machine; /* by now */

bool is_later_guest(void)
{
	return (start_info->flags & VL_START_LATER) != 0 && !owns_machine;
}

static void __attribute__((noreturn)) end(u64 reason)
{
	vl_call_shutdown(hypercall_page, reason);
	panic("a guest that ended itself goes on");
}

static void hello(void)
{
	print("hello from domain %u\n", start_info->domid);
	end(VL_SHUTDOWN_POWEROFF);
}

static void reboot(void)
{
	end(VL_SHUTDOWN_REBOOT);
}

static void spin(void)
{
	print("spinning\n");
	for (;;)
		asm volatile("" ::: "memory");
}

/* Halts, and says at each tick how often. */
static void tick(void)
{
	timer_start(HZ);
	for (;;) {
		interrupts_on_and_halt();
		print("tick %lu\n", timer_ticks());
	}
}

/* Something to look at for people. */
static void seconds(void)
{
	print("domain %u, for as long as you like\n", start_info->domid);
	timer_start(HZ);
	for (;;) {
		interrupts_on_and_halt();
		if (timer_ticks() % HZ == 0)
			print("%lu s\n", timer_ticks() / HZ);
	}
}

/* How late this guest's own timer reaches its handler. */
static void late(void)
{
	u64 per_ms = tsc_per_ms(), worst = 0, sum = 0;

	for (u32 i = 0; i < LATE_TIMES; i++) {
		u64 begin = rdtsc(), after;

		timer_start_once(LATE_MS * 1000);
		while (timer_ticks() == 0)
			interrupts_on_and_halt();
		after = rdtsc() - begin;
		interrupts_off();
		after = after > LATE_MS * per_ms ? after - LATE_MS * per_ms : 0;
		worst = after > worst ? after : worst;
		sum += after;
	}
	print("late by %lu ns on average, %lu at worst\n", sum / LATE_TIMES * 1000000 / per_ms,
	      worst * 1000000 / per_ms);
	end(VL_SHUTDOWN_POWEROFF);
}

/* Awake only to find that there is nothing. */
static void halt(void)
{
	print("halting\n");
	for (;;)
		interrupts_on_and_halt();
}

/* Nothing but an NMI would wake it. */
static void dead(void)
{
	print("halting for good\n");
	interrupts_off();
	for (;;)
		asm volatile("hlt");
}

static void deaf(void)
{
	print("deaf\n");
	interrupts_off();
	for (;;)
		asm volatile("" ::: "memory");
}

static void triple(void)
{
	struct table_register none = {0};

	print("faulting\n");
	asm volatile("lidt %0; int3" ::"m"(none));
	print("a triple fault came back\n");
}

/* Nothing is mapped in this root, and nobody could be asked. */
static void crash(void)
{
	print("crashing\n");
	interrupts_off();
	write_cr3(NO_ROOT);
	print("a crash came back\n");
}

/* Those that would end or change this guest by themselves. */
static bool is_harmless(u64 nr)
{
	return nr != VL_CALL_SHUTDOWN && nr != VL_CALL_SET_ALIAS && nr != VL_CALL_SET_VCPU_INFO &&
	       nr != VL_CALL_SET_FEATURES && nr != VL_CALL_MMU_LOAD && nr != VL_CALL_EVENT_SETUP &&
	       nr != VL_CALL_MEMORY_TAKE && nr != VL_CALL_CONSOLE_PUT;
}

static void calls(void)
{
	u64 state = rdtsc() | 1, answered = 0;

	cmdline_get_hex("seed", &state);
	for (u32 i = 0; i < CALLS; i++) {
		u64 nr = random_next(&state) % (i % 8 == 0 ? ~(u64)0 : 64);

		if (is_harmless(nr))
			answered += hypercall_page(nr, random_next(&state), random_next(&state),
						   random_next(&state), random_next(&state),
						   random_next(&state)) >= 0;
	}
	print("called, %lu were served\n", answered);
	end(VL_SHUTDOWN_POWEROFF);
}

static void flood(void)
{
	print("flooding\n");
	for (;;)
		vl_call_version(hypercall_page);
}

/* --- a guest that others try to reach --- */

static u64 canary[CANARY_WORDS] __attribute__((aligned(4096)));

static u64 canary_word(u64 seed, u32 i)
{
	return (seed + i) * 0x9e3779b97f4a7c15ull;
}

static u64 canary_begin(void)
{
	u64 seed = 0;

	cmdline_get_hex("seed", &seed);
	for (u32 i = 0; i < CANARY_WORDS; i++)
		canary[i] = canary_word(seed, i);
	return seed;
}

static void canary_check(u64 seed)
{
	for (u32 i = 0; i < CANARY_WORDS; i++)
		if (*(volatile u64 *)&canary[i] != canary_word(seed, i))
			panic("the canary has %#lx at %u", canary[i], i);
}

static void victim(void)
{
	u64 seed = canary_begin(), rounds = 0;

	print("the canary sings\n");
	timer_start(HZ);
	for (;; rounds++) {
		canary_check(seed);
		if (rounds % 8 == 0)
			print("it sang %lu times\n", rounds);
		interrupts_on_and_halt();
		interrupts_off();
	}
}

/* --- a guest that outlives the one that made it --- */

#define HEIR_TICKS 30u /* in each state */

/* What this kernel has in memory, other than its text: all frames that it has taken. */
static void live_on(u64 seed, u32 ticks)
{
	u64 end = timer_ticks() + ticks;

	while (timer_ticks() < end) {
		canary_check(seed);
		interrupts_on_and_halt();
		interrupts_off();
	}
}

static u64 ticks_before; /* those that count */

/* Right behind a tick. */
static u64 count_ticks(u64 seed, u32 wait)
{
	live_on(seed, wait);
	ticks_before = timer_ticks();
	return rdtsc();
}

/* The first one may be of the timer's start. */
static u64 begin_ticks(u64 seed)
{
	timer_start(HZ);
	return count_ticks(seed, 2);
}

/* As Vellum measured it: a measurement by a PIT whose each access traps is too slow. */
static u64 tsc_khz(void)
{
	static struct vl_hv_info info __attribute__((aligned(256)));

	if (info.tsc_khz == 0)
		vl_call_hv_info(hypercall_page, ptr_to_pa(&info).v, sizeof(info));
	return info.tsc_khz;
}

/* Those that should have come since then, and that have: right behind a tick, too. One that is late
 * because others ran comes as soon as it can. */
static void check_ticks(u64 begin, u64 late)
{
	u64 tick = tsc_khz() * 1000 / HZ, want = (rdtsc() - begin + tick / 2) / tick;
	u64 got = timer_ticks() - ticks_before;

	if (got > want + (late != 0) || got + late < want)
		panic("%lu ticks have come, not %lu", got, want);
}

/* Single ticks, each programmed anew as the one before comes; Vellum's answer to a call of the
 * first guest's alone says when the machine is ours. */
static void live_by_single_ticks(u64 seed)
{
	u64 more = HEIR_TICKS;

	while (more > 0) {
		u64 limit = rdtsc() + tsc_khz() * 1000;

		timer_start_once(5000);
		while (timer_ticks() == 0 && rdtsc() < limit) {
			canary_check(seed);
			interrupts_on_and_halt();
			interrupts_off();
		}
		if (timer_ticks() != 1)
			panic("%lu ticks for one, %lu to come", timer_ticks(), more);
		more -= vl_call_verify_image(hypercall_page) != -VL_EPERM;
	}
	timer_stop();
}

static void let_interrupts_in(void)
{
	interrupts_on();
	interrupts_off();
}

/* Each step and each allocation of the first calls fails in turn, in a debug build; our memory is
 * what it was after each. */
static s64 devirtualize_in_spite_of_failures(u64 seed)
{
	u64 failed = 0;

	for (u64 step = 1;; step++) {
		s64 answer = vl_call_set_failpoint(hypercall_page, step);

		if (answer < 0)
			return answer == -VL_EPERM ? answer : devirtualize();
		answer = vl_call_devirtualize(hypercall_page, VL_LAYER_ALL, 0);
		canary_check(seed);
		failed += answer == -VL_EIO || answer == -VL_ENOMEM;
		if (answer == 0)
			print("# heir: %lu of %lu calls failed\n", failed, step);
		else if (answer == -VL_EAGAIN)
			let_interrupts_in();
		if (answer != -VL_EAGAIN && answer != -VL_EIO && answer != -VL_ENOMEM)
			return answer;
	}
}

/* Virtualized by now or not, its ticks go on. At the end it is the only guest of a bare machine,
 * and runs tests. */
static void heir(void)
{
	u64 seed = canary_begin(), start;
	char word[2];
	bool live, keeper = cmdline_get("keeper", word, sizeof(word));
	s64 answer;

	if (keeper)
		keeper_write();
	if (cmdline_get("single", word, sizeof(word))) {
		print("the heir waits\n");
		live_by_single_ticks(seed);
	}
	live = cmdline_get("live", word, sizeof(word));
	if (live)
		live_begin();
	start = begin_ticks(seed);
	print("the heir waits\n");
	if (live) {
		while (vl_call_verify_image(hypercall_page) == -VL_EPERM)
			live_on(seed, 1);
		/* Until here another guest had the CPU, too, in Bochs for more ticks at a time than
		 * a PIC can keep. */
		start = count_ticks(seed, 1);
		live_home();
		live_on(seed, 1);
		check_ticks(start, 1);
		live_check();
		start = count_ticks(seed, 2);
	}
	do {
		live_on(seed, 1);
		check_ticks(start, 1);
		answer = devirtualize_in_spite_of_failures(seed);
	} while (answer == -VL_EPERM);
	owns_machine = answer == 0;
	if (!owns_machine)
		panic("devirtualize answered %ld", answer);
	print("\n# heir: the machine is mine, after %lu ticks\n", timer_ticks());
	if (is_virtualized())
		panic("at ring 3");
	start = begin_ticks(seed);
	live_on(seed, HEIR_TICKS);
	check_ticks(start, 1);
	answer = virtualize(0);
	if (answer != 0)
		panic("virtualize answered %ld", answer);
	live_on(seed, HEIR_TICKS);
	check_ticks(start, 1);
	answer = devirtualize();
	if (answer != 0)
		panic("devirtualize answered %ld", answer);
	live_on(seed, HEIR_TICKS);
	check_ticks(start, 1);
	timer_stop();
	if (keeper)
		keeper_check();
}

static void hostile(void)
{
	bool nothing = hostile_all();

	print(nothing ? "nothing worked\n" : "something worked\n");
	end(nothing ? VL_SHUTDOWN_POWEROFF : VL_SHUTDOWN_CRASH);
}

/* --- a guest of several vcpus --- */

static void spin_on(void *arg)
{
	(void)arg;
	for (;;)
		asm volatile("pause" ::: "memory");
}

static void halt_on(void *arg)
{
	(void)arg;
	for (;;)
		interrupts_on_and_halt();
}

static void die_halting(void *arg)
{
	(void)arg;
	dead();
}

static void crash_on(void *arg)
{
	(void)arg;
	triple();
}

static void end_on(void *arg)
{
	(void)arg;
	end(VL_SHUTDOWN_POWEROFF);
}

static void burn_on(void *arg)
{
	other_burn(smp_index());
	halt_on(arg);
}

/* What its vcpus do once all are there: then=WORD. Of those who crash, it is the last one; one that
 * ends does so at about the same time as the others. */
static void crowd(void)
{
	static const struct {
		const char name[ROLE_SIZE];
		void (*others)(void *), (*last)(void *);
	} ways[] = {{"spin", spin_on, spin_on}, {"crash", spin_on, crash_on},
		    {"halt", halt_on, halt_on}, {"park", die_halting, die_halting},
		    {"end", end_on, end_on},    {"fall", halt_on, crash_on},
		    {"burn", burn_on, burn_on}};
	char name[ROLE_SIZE];
	u32 count = smp_start();

	cmdline_get("then", name, sizeof(name));
	print("a crowd of %u\n", count);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		if (strncmp(name, ways[i].name, sizeof(name)) != 0)
			continue;
		for (u32 cpu = 1; cpu < count; cpu++)
			smp_begin(cpu, cpu == count - 1 ? ways[i].last : ways[i].others, NULL);
		ways[i].others(NULL);
	}
	panic("a crowd cannot %s", name);
}

static const struct {
	const char name[ROLE_SIZE];
	void (*play)(void);
} roles[] = {
	{"hello", hello},    {"reboot", reboot},  {"spin", spin},        {"tick", tick},
	{"halt", halt},      {"dead", dead},      {"deaf", deaf},        {"triple", triple},
	{"calls", calls},    {"flood", flood},    {"victim", victim},    {"hostile", hostile},
	{"crash", crash},    {"abuse", abuse},    {"seconds", seconds},  {"late", late},
	{"heir", heir},      {"crowd", crowd},    {"talk", role_talk},   {"echo", role_echo},
	{"ping", role_ping}, {"disk", role_disk}, {"badio", role_badio}, {"busy", role_busy},
	{"log", role_log},
};

/* The word after=MS: what the role does it does so much later, among ticks, with interrupts on. */
static void wait_among_ticks(void)
{
	u64 ms = 0, end;

	if (!cmdline_get_hex("after", &ms))
		return;
	end = rdtsc() + ms * tsc_per_ms();
	timer_start(HZ);
	interrupts_on();
	while (rdtsc() < end)
		asm volatile("hlt");
}

void role_play(void)
{
	char name[ROLE_SIZE];

	if (!cmdline_get("role", name, sizeof(name)))
		return;
	wait_among_ticks();
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		if (strncmp(name, roles[i].name, sizeof(name)) == 0) {
			roles[i].play();
			return;
		}
	panic("no role is called %s", name);
}
