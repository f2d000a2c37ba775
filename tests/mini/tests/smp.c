// SPDX-License-Identifier: MIT
/*
 * Several CPUs and Vellum: calls at once, transitions together, and each way in
 * which those can fail. Only for those who ask, since one CPU is enough for all
 * other tests.
 */
#include "mini/smp.h"

#include "lib/string.h"
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/tap.h"
#include "mini/virtual.h"

#define CALLS           5000u
#define SERIAL_STATUS   0x3fd
#define SERIAL_HAS_BYTE 1
#define GDT_TOO_LARGE   0xffff

typedef s64 transition(vl_hypercall_fn call, uint64_t layers, uint64_t cpus);

/* One call of several CPUs. */
struct together {
	transition *call;
	u64 layers, cpus;
	s64 answer[SMP_MAX_CPUS];
	bool virtualized[SMP_MAX_CPUS]; /* afterwards */
	u64 cycles;
};

static void call_one(void *arg)
{
	struct together *t = arg;
	u32 cpu = smp_index();
	u64 start = rdtsc();

	t->answer[cpu] = t->call(hypercall_page, t->layers, t->cpus);
	if (cpu == 0)
		t->cycles = rdtsc() - start;
	t->virtualized[cpu] = is_virtualized();
}

/* On CPUs 0 .. n - 1, which say that they are `cpus`. All get the same answer, which is returned.
 */
static s64 call_together(struct together *t, u32 n)
{
	do {
		if (t->call == vl_call_virtualize && (t->layers & VL_LAYER_CPU))
			CHECK(verify_image() == 0, "the image cannot be verified");
		smp_run_first(n, call_one, t);
		if (t->answer[0] == -VL_EAGAIN)
			smp_let_interrupts_in(n);
	} while (t->answer[0] == -VL_EAGAIN);
	for (u32 i = 1; i < n; i++)
		CHECK(t->answer[i] == t->answer[0], "CPU %u of %u got %ld, CPU 0 %ld", i, n,
		      t->answer[i], t->answer[0]);
	return t->answer[0];
}

/* All of them, and it works. */
static void change_all(transition *call, u64 layers, bool in)
{
	u32 n = smp_count();
	struct together t = {.call = call, .layers = layers, .cpus = n};
	s64 answer = call_together(&t, n);

	for (u32 tries = 0; answer == -VL_ETIMEDOUT && tries < SMP_TRIES; tries++)
		answer = call_together(&t, n);
	CHECK(answer == 0, "the answer is %ld", answer);
	for (u32 i = 0; i < n; i++)
		CHECK(t.virtualized[i] == in, "CPU %u is%s virtualized", i, in ? " not" : "");
}

static void all_in(void)
{
	change_all(vl_call_virtualize, VL_LAYER_ALL, true);
}

static void all_out(void)
{
	change_all(vl_call_devirtualize, VL_LAYER_ALL, false);
}

static void note_mode(void *arg)
{
	CHECK(!interrupts_are_on(), "CPU %u waits with interrupts on", smp_index());
	((bool *)arg)[smp_index()] = is_virtualized();
}

static void check_modes(bool in)
{
	bool is[SMP_MAX_CPUS];

	smp_run_all(note_mode, is);
	for (u32 i = 0; i < smp_count(); i++)
		CHECK(is[i] == in, "CPU %u is%s virtualized", i, in ? " not" : "");
}

static void check_root_is_clear(void)
{
	const u64 *root = pa_to_ptr(kernel_space.root);

	for (u32 i = VL_FIRST_SLOT; i < VL_FIRST_SLOT + VL_MAX_SLOTS; i++)
		CHECK(root[i] == 0, "slot %u of the root is %#lx", i, root[i]);
}

/* --- passthrough --- */

TEST_ON_REQUEST(smp_a_start, "U7 U3")
{
	u32 n = smp_start();
	struct vl_hv_info info __attribute__((aligned(256)));
	s64 answer;

	print("# %u CPUs\n", n);
	for (u32 cpu = 1; cpu < n; cpu++)
		CHECK(smp_first_answer(cpu) == -VL_ENODEV, "an unknown CPU's call answered %ld",
		      smp_first_answer(cpu));
	answer = vl_call_hv_info(hypercall_page, ptr_to_pa(&info).v, sizeof(info));
	CHECK(answer == sizeof(info) && info.nr_cpus == n, "hv_info: %ld, %u CPUs", answer,
	      info.nr_cpus);
	CHECK(vl_call_add_cpu(hypercall_page, cpuid(1).ebx >> 24) == 0, "a known CPU");
	CHECK(vl_call_add_cpu(hypercall_page, 255) == -VL_EINVAL, "APIC id 255");
	check_root_is_clear();
}

static void many_calls(void *arg)
{
	static struct vl_domain_info infos[SMP_MAX_CPUS] __attribute__((aligned(4096)));
	struct vl_domain_info *info = &infos[smp_index()];
	s64 answer;

	(void)arg;
	for (u32 i = 0; i < CALLS; i++) {
		info->nr_vcpus = 0;
		answer = vl_call_domain_info(hypercall_page, VL_DOMID_SELF, ptr_to_pa(info).v,
					     sizeof(*info));
		CHECK(answer == sizeof(*info) && info->nr_vcpus == smp_count(),
		      "call %u: %ld, %u vcpus", i, answer, info->nr_vcpus);
	}
}

TEST_ON_REQUEST(smp_calls_at_once, "U7 U3")
{
	smp_start();
	smp_run_all(many_calls, NULL);
	check_root_is_clear();
	all_in();
	smp_run_all(many_calls, NULL);
	all_out();
	check_root_is_clear();
}

/* --- transitions that work --- */

static void count_up(void *arg)
{
	((volatile u64 *)arg)[smp_index()]++;
}

TEST_ON_REQUEST(smp_cycles, "U7 M1 M9")
{
	u64 counts[SMP_MAX_CPUS] = {0}, cycles = 1000;
	u32 n = smp_start();

	cmdline_get_hex("cycles", &cycles);
	for (u32 i = 0; i < cycles; i++) {
		all_in();
		smp_run_all(count_up, counts);
		all_out();
		smp_run_all(count_up, counts);
	}
	for (u32 cpu = 0; cpu < n; cpu++)
		CHECK(counts[cpu] == 2 * cycles, "CPU %u counted to %lu", cpu, counts[cpu]);
	check_root_is_clear();
}

/* Who counts instructions from outside says when he is ready, by a character on the serial line. */
static void wait_for_observer(void)
{
	char value[2];

	if (!cmdline_get("observed", value, sizeof(value)))
		return;
	CHECK(verify_image() == 0, "the image cannot be verified");
	print("# cost: the last turn\n");
	while (!(in8(SERIAL_STATUS) & SERIAL_HAS_BYTE))
		smp_relax();
}

TEST_ON_REQUEST(smp_cost, "U7 M9")
{
	u64 cost[2][SMP_MAX_CPUS + 1];
	u32 n = smp_start();

	for (u32 turn = 0; turn < 2 * n; turn++) {
		u32 k = turn % n + 1; /* the first round warms up */
		struct together in = {
			.call = vl_call_virtualize, .layers = VL_LAYER_ALL, .cpus = k};
		struct together out = {
			.call = vl_call_devirtualize, .layers = VL_LAYER_ALL, .cpus = k};

		if (turn == 2 * n - 1)
			wait_for_observer();
		CHECK(call_together(&in, k) == 0 && call_together(&out, k) == 0, "%u CPUs", k);
		cost[0][k] = in.cycles;
		cost[1][k] = out.cycles;
	}
	for (u32 k = 1; k <= n; k++)
		print("# cost with %u CPUs: virtualize %lu, devirtualize %lu\n", k, cost[0][k],
		      cost[1][k]);
}

TEST_ON_REQUEST(smp_layers, "U7 M8 I10")
{
	smp_start();
	change_all(vl_call_virtualize, VL_LAYER_CPU, true);
	change_all(vl_call_virtualize, VL_LAYER_MEMORY, true);
	change_all(vl_call_virtualize, VL_LAYER_INTERRUPTS, true);
	smp_run_all(many_calls, NULL);
	change_all(vl_call_devirtualize, VL_LAYER_MEMORY, true);
	change_all(vl_call_devirtualize, VL_LAYER_INTERRUPTS, true);
	change_all(vl_call_devirtualize, VL_LAYER_CPU, false);
}

static void flag_on_and_off(void *arg)
{
	volatile struct vl_vcpu_info *info = smp_vcpu_info(smp_index());

	(void)arg;
	if (smp_index() == 0)
		return;
	interrupts_on();
	CHECK(info->flags == RFLAGS_IF, "the flag of CPU %u is %#x", smp_index(), info->flags);
	interrupts_off();
	CHECK(info->flags == 0, "the flag of CPU %u is %#x", smp_index(), info->flags);
}

TEST_ON_REQUEST(smp_info_is_each_ones, "U7 I3")
{
	smp_start();
	all_in();
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_run(cpu, flag_on_and_off, NULL);
	all_out();
}

/* --- transitions that fail: all CPUs are told the same, and nothing has changed --- */

static void fails_with(transition *call, u64 layers, u64 cpus, u32 n, s64 error)
{
	struct together t = {.call = call, .layers = layers, .cpus = cpus};
	s64 answer = call_together(&t, n);

	CHECK(answer == error, "%u CPUs that say %lu: %ld instead of %ld", n, cpus, answer, error);
}

TEST_ON_REQUEST(smp_one_missing, "U7 M9")
{
	u32 n = smp_start();

	fails_with(vl_call_virtualize, VL_LAYER_ALL, n, n - 1, -VL_ETIMEDOUT);
	check_modes(false);
	fails_with(vl_call_virtualize, VL_LAYER_ALL, n + 1, n, -VL_EINVAL);
	all_in();
	fails_with(vl_call_devirtualize, VL_LAYER_ALL, n, n - 1, -VL_ETIMEDOUT);
	check_modes(true);
	fails_with(vl_call_devirtualize, VL_LAYER_ALL, n - 1, n - 1, -VL_EBUSY);
	check_modes(true);
	fails_with(vl_call_devirtualize, VL_LAYER_ALL, n + 1, n, -VL_EINVAL);
	all_out();
	check_root_is_clear();
}

static void load_gdt(void *arg)
{
	smp_load_gdt((u16)(u64)arg);
}

/* A GDT that is too large to mirror; later, one that has no segment to go on with. */
TEST_ON_REQUEST(smp_one_refused, "U7 M9")
{
	u32 n = smp_start(), bad = n - 1;

	smp_run(bad, load_gdt, (void *)GDT_TOO_LARGE);
	fails_with(vl_call_virtualize, VL_LAYER_ALL, n, n, -VL_EOPNOTSUPP);
	check_modes(false);
	check_root_is_clear();
	smp_run(bad, load_gdt, NULL);
	all_in();
	smp_run(bad, load_gdt, (void *)7);
	fails_with(vl_call_devirtualize, VL_LAYER_ALL, n, n, -VL_EFAULT);
	check_modes(true);
	smp_run(bad, load_gdt, NULL);
	all_out();
}

static void call_by_parity(void *arg)
{
	struct together *t = arg;
	u32 cpu = smp_index();

	t->answer[cpu] = vl_call_virtualize(hypercall_page, cpu % 2 ? VL_LAYER_CPU : VL_LAYER_ALL,
					    smp_count());
}

TEST_ON_REQUEST(smp_disagree, "U7 M9")
{
	struct together t = {0};
	u32 n = smp_start();

	CHECK(verify_image() == 0, "the image cannot be verified");
	smp_run_all(call_by_parity, &t);
	for (u32 i = 0; i < n; i++)
		CHECK(t.answer[i] == -VL_EINVAL || t.answer[i] == -VL_ETIMEDOUT, "CPU %u got %ld",
		      i, t.answer[i]);
	check_modes(false);
	all_in();
	all_out();
}

TEST_ON_REQUEST(smp_failpoints, "U7 M9 I10")
{
	u32 n = smp_start(), steps[2] = {0, 0};
	s64 answer;

	if (vl_call_set_failpoint(hypercall_page, 0) == -VL_EOPNOTSUPP)
		test_skip("a release build");
	for (u32 out = 0; out < 2; out++) {
		struct together t = {.call = out ? vl_call_devirtualize : vl_call_virtualize,
				     .layers = VL_LAYER_ALL,
				     .cpus = n};

		do {
			vl_call_set_failpoint(hypercall_page, ++steps[out]);
			answer = call_together(&t, n);
			CHECK(answer == 0 || answer == -VL_EIO, "step %u: %ld", steps[out], answer);
			check_modes(answer == 0 ? !out : out);
		} while (answer != 0);
		vl_call_set_failpoint(hypercall_page, 0);
	}
	print("# steps that can fail: %u in, %u out\n", steps[0] - 1, steps[1] - 1);
	CHECK(steps[0] > 3 && steps[1] > 2, "too few steps have failed");
}

/* --- CPUs that come and go --- */

TEST_ON_REQUEST(smp_join, "U7 M8")
{
	struct together t = {.call = vl_call_virtualize, .layers = VL_LAYER_ALL};
	u32 n = smp_start();

	CHECK(call_together(&t, 1) == 0, "one CPU alone: %ld", t.answer[0]);
	for (u32 cpu = 1; cpu < n; cpu++) {
		smp_run(cpu, call_one, &t);
		CHECK(t.answer[cpu] == 0 && t.virtualized[cpu], "CPU %u: %ld", cpu, t.answer[cpu]);
	}
	smp_run_all(many_calls, NULL);
	all_out();
	check_root_is_clear();
}

/* What a CPU that has not joined may not change, since the others use it. */
static void be_refused(void *arg)
{
	u64 pfn = ptr_to_pa(arg).v / PAGE_SIZE, text = 0xffffffff80000000ull;
	s64 alias = vl_call_set_alias(hypercall_page, 0, text, ptr_to_pa(arg).v, PAGE_SIZE);
	s64 features = vl_call_set_features(hypercall_page, 0, 0);
	s64 moved = vl_call_test_move_page(hypercall_page, pfn, 1);

	CHECK(alias == -VL_EBUSY, "set_alias answered %ld", alias);
	CHECK(features == -VL_EBUSY, "set_features answered %ld", features);
	CHECK(moved == -VL_EBUSY || moved == -VL_EOPNOTSUPP, "test_move_page answered %ld", moved);
	CHECK(vl_call_mmu_flush_remote(hypercall_page, 1, VL_MMU_FLUSH_ALL, 0) == -VL_EPERM,
	      "it flushes others");
	CHECK(vl_call_devirtualize(hypercall_page, VL_LAYER_ALL, 1) == -VL_EINVAL,
	      "it devirtualizes");
	CHECK(!is_virtualized(), "it is virtualized");
}

TEST_ON_REQUEST(smp_not_joined, "U7 M8")
{
	static u8 page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
	struct together t = {.call = vl_call_virtualize, .layers = VL_LAYER_ALL};
	u32 n = smp_start();

	CHECK(call_together(&t, 1) == 0, "one CPU alone: %ld", t.answer[0]);
	for (u32 cpu = 1; cpu < n; cpu++) {
		s64 features;

		smp_run(cpu, be_refused, page);
		smp_run(cpu, call_one, &t);
		CHECK(t.answer[cpu] == 0, "CPU %u joins: %ld", cpu, t.answer[cpu]);
		features = vl_call_set_features(hypercall_page, 0, 0);
		CHECK(features == -VL_EBUSY, "on several CPUs set_features answered %ld", features);
	}
	all_out();
}

static void halt_for_good(void *arg)
{
	*(volatile bool *)arg = true;
	for (;;)
		asm volatile("cli; hlt" ::: "memory");
}

/* The last CPU goes offline while virtualized, and comes back: in passthrough, or to join. */
static void offline_and_on(bool out_between)
{
	struct together out = {.call = vl_call_devirtualize, .layers = VL_LAYER_ALL};
	struct together in = {.call = vl_call_virtualize, .layers = VL_LAYER_ALL};
	u32 n = smp_start(), last = n - 1;
	volatile bool halts = false;
	bool is[SMP_MAX_CPUS];

	all_in();
	smp_begin(last, halt_for_good, (void *)(uintptr_t)&halts);
	while (!halts)
		smp_relax();
	out.cpus = in.cpus = n - 1;
	if (out_between) {
		/* Until the last one has come to its HLT. */
		for (u32 i = 0; i < SMP_TRIES && call_together(&out, n - 1) == -VL_EBUSY; i++)
			smp_delay(10);
		CHECK(out.answer[0] == 0, "without the last: %ld", out.answer[0]);
		CHECK(call_together(&in, n - 1) == 0, "and again: %ld", in.answer[0]);
		CHECK(call_together(&out, n - 1) == 0, "and out: %ld", out.answer[0]);
	}
	smp_restart(last);
	smp_run(last, note_mode, is);
	CHECK(!is[last], "a CPU that was started is virtualized");
	if (!out_between) {
		in.cpus = 0;
		smp_run(last, call_one, &in);
		CHECK(in.answer[last] == 0 && in.virtualized[last], "join: %ld", in.answer[last]);
		all_out();
	}
	all_in();
	all_out();
	check_root_is_clear();
}

TEST_ON_REQUEST(smp_offline, "U7 M8")
{
	for (u32 i = 0; i < 5; i++)
		offline_and_on(true);
}

TEST_ON_REQUEST(smp_offline_virtualized, "U7 M8")
{
	for (u32 i = 0; i < 5; i++)
		offline_and_on(false);
}

/* --- one clock --- */

static volatile u64 last_time;
static volatile u32 turn;

/* In turns: what one reads is no earlier than what the one before it read. */
static void read_in_turns(void *arg)
{
	u32 n = smp_count(), cpu = smp_index();

	for (u32 i = 0; i < (u32)(u64)arg; i++) {
		u64 now;

		while (turn % n != cpu)
			smp_relax();
		now = rdtsc();
		CHECK(now >= last_time, "CPU %u is %lu behind the one before", cpu,
		      last_time - now);
		last_time = now;
		asm volatile("mfence" ::: "memory");
		turn++;
	}
}

TEST_ON_REQUEST(smp_clock, "U7 I8")
{
	struct smp_rounds r = {.rounds = 5, .least = 1, .ms = 5000};

	smp_start();
	turn = 0;
	while (smp_next_round(&r)) {
		smp_run_all(read_in_turns, (void *)200);
		all_in();
		smp_run_all(read_in_turns, (void *)400);
		all_out();
		smp_run_all(read_in_turns, (void *)200);
	}
}

/* --- for tests from outside: CPU 0 calls without an end, the others stay in the kernel --- */

static void stay(void *arg)
{
	for (;;)
		count_up(arg);
}

static void call_for_good(void)
{
	static u64 counts[SMP_MAX_CPUS];
	static struct vl_hv_info info __attribute__((aligned(256)));

	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_begin(cpu, stay, counts);
	/* Until all that they use has been entered into their shadows. */
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		while (((volatile u64 *)counts)[cpu] < 1000)
			smp_relax();
	for (;;)
		vl_call_hv_info(hypercall_page, ptr_to_pa(&info).v, sizeof(info));
}

TEST_ON_REQUEST(busy_passthrough, "U7")
{
	smp_start();
	call_for_good();
}

TEST_ON_REQUEST(busy_virtualized, "U7")
{
	smp_start();
	all_in();
	call_for_good();
}
