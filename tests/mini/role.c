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
#include "mini/memory.h"
#include "mini/other.h"
#include "mini/role_answer.h"
#include "mini/role_busy.h"
#include "mini/role_heir.h"
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

bool is_later_guest(void)
{
	return (start_info->flags & VL_START_LATER) != 0 && !role_heir_owns_machine();
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

static u64 one_lateness(u64 wait)
{
	u64 begin = rdtsc(), after;

	timer_start_once(LATE_MS * 1000);
	while (timer_ticks() == 0)
		interrupts_on_and_halt();
	after = rdtsc() - begin;
	interrupts_off();
	if (after < wait)
		panic("the timer came %lu ticks of the TSC before its time", wait - after);
	return after - wait;
}

/* How late this guest's own timer reaches its handler. */
static void late(void)
{
	u64 per_ms = tsc_per_ms_told(), worst = 0, sum = 0;

	for (u32 i = 0; i < LATE_TIMES; i++) {
		u64 lateness = one_lateness(LATE_MS * per_ms);

		worst = max_u64(worst, lateness);
		sum += lateness;
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

u64 canary_begin(void)
{
	u64 seed = 0;

	cmdline_get_hex("seed", &seed);
	for (u32 i = 0; i < CANARY_WORDS; i++)
		canary[i] = canary_word(seed, i);
	return seed;
}

void canary_check(u64 seed)
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
	{"hello", hello},    {"reboot", reboot},      {"spin", spin},        {"tick", tick},
	{"halt", halt},      {"dead", dead},          {"deaf", deaf},        {"triple", triple},
	{"calls", calls},    {"flood", flood},        {"victim", victim},    {"hostile", hostile},
	{"crash", crash},    {"abuse", abuse},        {"seconds", seconds},  {"late", late},
	{"heir", role_heir}, {"crowd", crowd},        {"talk", role_talk},   {"echo", role_echo},
	{"ping", role_ping}, {"disk", role_disk},     {"badio", role_badio}, {"busy", role_busy},
	{"log", role_log},   {"answer", role_answer},
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
