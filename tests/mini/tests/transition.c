// SPDX-License-Identifier: MIT
/*
 * Virtualize and devirtualize, many times: the kernel goes on in between as if
 * nothing had happened. Everything that it can see of the processor is the
 * same after a round, and its memory, its user's registers and its timer are.
 */
#include "lib/string.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/hypercall.h"
#include "mini/layout.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/segments.h"
#include "mini/snapshot.h"
#include "mini/tap.h"
#include "mini/tests/random.h"
#include "mini/tests/user_program.h"
#include "mini/timer.h"
#include "mini/virtual.h"

#define ROUNDS     100
#define LDT_SEL    0x50 /* unused by the kernel, two entries */
#define PATTERN    64   /* pages */
#define HZ         1000
#define WANT_TICKS 200
#define MS_LIMIT   20000u

static u8 pattern[PATTERN * PAGE_SIZE] __attribute__((aligned(4096)));

static void go_in(void)
{
	s64 answer = virtualize(0);

	CHECK(answer == 0, "virtualize answered %ld", answer);
	CHECK(is_virtualized(), "virtualize left us at ring 0");
}

static void go_out(void)
{
	s64 answer = devirtualize();

	CHECK(answer == 0, "devirtualize answered %ld", answer);
	CHECK(!is_virtualized(), "devirtualize left us at ring 3");
}

/* What ring 3 can read of the real processor without a trap: the selectors in use, and with
 * SGDT, SIDT and STR, which trap only if the kernel uses UMIP, where Vellum's tables are. */
static const char *const visible[] = {"CS", "SS", "TR", "GDTR", "IDTR"};

TEST(transition_changes_nothing, "M1 M9 I1 I2 I3")
{
	struct snapshot before, during, after;
	const char *what;

	if (is_virtualized())
		go_out();
	for (int i = 0; i < ROUNDS; i++) {
		snapshot_take(&before);
		go_in();
		snapshot_take(&during);
		go_out();
		snapshot_take(&after);
		what = snapshot_difference(&before, &after);
		CHECK(what == NULL, "round %d changed %s", i, what);
		for (size_t k = 0; k < ARRAY_SIZE(visible); k++)
			snapshot_copy(&during, &before, visible[k]);
		what = snapshot_difference(&before, &during);
		CHECK(what == NULL, "virtualized, round %d, %s is another one", i, what);
	}
}

static u64 checksum(void)
{
	u64 sum = 0;

	for (size_t i = 0; i < sizeof(pattern); i += 8)
		sum = (sum << 7 | sum >> 57) ^ *(u64 *)(pattern + i);
	return sum;
}

TEST(transition_keeps_memory, "M2 M3 M9")
{
	u64 state = 1;
	u64 before;

	if (is_virtualized())
		go_out();
	for (size_t i = 0; i < sizeof(pattern); i += 8)
		*(u64 *)(pattern + i) = random_next(&state);
	before = checksum();
	for (int i = 0; i < ROUNDS; i++) {
		go_in();
		CHECK(checksum() == before, "round %d, virtualized: memory changed", i);
		*(u64 *)(pattern + (u64)i * 8) ^= (u64)i;
		before = checksum();
		go_out();
		CHECK(checksum() == before, "round %d, devirtualized: memory changed", i);
	}
}

TEST(transition_keeps_time, "I3 I8 M2")
{
	u64 limit = rdtsc() + tsc_per_ms() * MS_LIMIT;
	u64 rounds = 0;

	if (is_virtualized())
		go_out();
	timer_start(HZ);
	while (timer_ticks() < WANT_TICKS) {
		u64 seen = timer_ticks();

		CHECK(rdtsc() < limit, "%lu ticks in %lu rounds", seen, rounds);
		if (rounds++ % 2 == 0)
			go_in();
		else
			go_out();
		interrupts_on_and_halt();
		interrupts_off();
		CHECK(timer_ticks() > seen, "HLT went on without a tick");
	}
	timer_stop();
	if (is_virtualized())
		go_out();
}

TEST(transition_under_user, "M2 I2")
{
	struct user_program p;
	struct trap_info info;

	if (is_virtualized())
		go_out();
	USER_PROGRAM_LOAD(&p, syscalls);
	for (u64 i = 0; i < ROUNDS; i++) {
		if (i % 2 == 0)
			go_in();
		else
			go_out();
		p.regs.rbx = i;
		info = user_run(&p.regs, i % 3 == 0 ? USER_SYSRET : USER_IRET);
		CHECK(info.vector == VECTOR_SYSCALL, "round %lu ended by vector %lu", i,
		      info.vector);
		CHECK(p.regs.rbx == i && p.regs.rcx == USER_CODE + 2, "round %lu: registers", i);
	}
	user_program_unload(&p);
	if (is_virtualized())
		go_out();
}

TEST(transition_refused, "M1 I1")
{
	s64 answer;

	if (is_virtualized())
		go_out();
	answer = vl_call_virtualize(hypercall_page, 0, 0);
	CHECK(answer == -VL_EINVAL, "virtualize(0) answered %ld", answer);
	answer = vl_call_devirtualize(hypercall_page, VL_LAYER_ALL, 0);
	CHECK(answer == -VL_EINVAL, "devirtualize in passthrough answered %ld", answer);
	go_in();
	answer = vl_call_virtualize(hypercall_page, VL_LAYER_ALL, 0);
	CHECK(answer == -VL_EBUSY, "a second virtualize answered %ld", answer);
	go_out();
}

/* A guest that begins virtualized has no other time for it. */
TEST(transition_words_virtualized, "M1 I3 I8")
{
	static struct vl_vcpu_info other __attribute__((aligned(64)));
	s64 answer;

	if (!is_virtualized())
		go_in();
	answer = vl_call_set_vcpu_info(hypercall_page, 1, 0);
	CHECK(answer == -VL_EINVAL, "an unaligned address was answered by %ld", answer);
	other.flags = RFLAGS_IF;
	answer = vl_call_set_vcpu_info(hypercall_page, ptr_to_pa(&other).v, 0);
	CHECK(answer == 0 && other.flags == 0, "answer %ld, then the flag is %#x", answer,
	      other.flags);
	interrupts_on();
	CHECK(*(volatile u32 *)&other.flags == RFLAGS_IF, "STI left the new word alone");
	interrupts_off();
	vcpu_info.flags = RFLAGS_IF;
	answer = vl_call_set_vcpu_info(hypercall_page, ptr_to_pa(&vcpu_info).v, 0);
	CHECK(answer == 0 && *(volatile u32 *)&vcpu_info.flags == 0,
	      "answer %ld, then the flag is %#x", answer, vcpu_info.flags);
	answer = vl_call_set_features(hypercall_page, VL_FEATURE_ALL, 0);
	CHECK(answer == 0, "set_features virtualized answered %ld", answer);
	answer = vl_call_set_features(hypercall_page, 0, 0);
	CHECK(answer == 0, "and back: %ld", answer);
	go_out();
}

/* The descriptors that the processor goes back to are gone: refused while nothing has happened, or
 * not needed. */
TEST(transition_damaged_segments, "M1 I1 I4")
{
	u16 limit;
	u64 *gdt = segments_gdt(&limit);
	static const u16 needed[] = {KERNEL_CS, KERNEL_DS};
	s64 answer;

	if (!is_virtualized())
		go_in();
	asm volatile("movl %0, %%ss" ::"r"(KERNEL_DS)
		     : "memory"); /* null after an exit from ring 3 */
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		u64 before = gdt[needed[i] / 8];

		gdt[needed[i] / 8] = 0;
		answer = vl_call_devirtualize(hypercall_page, VL_LAYER_ALL, 0);
		gdt[needed[i] / 8] = before;
		CHECK(answer == -VL_EFAULT && is_virtualized(), "without %#x it answered %ld",
		      needed[i], answer);
	}
	gdt[LDT_SEL / 8] =
		0x0000820000000067 | ((u64)gdt & 0xffffff) << 16 | ((u64)gdt >> 24 & 0xff) << 56;
	gdt[LDT_SEL / 8 + 1] = (u64)gdt >> 32;
	asm volatile("lldt %w0" ::"r"(LDT_SEL) : "memory");
	gdt[LDT_SEL / 8] = 0;
	go_out();
	asm volatile("lldt %w0" ::"r"(0) : "memory");
}
