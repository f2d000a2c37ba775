// SPDX-License-Identifier: MIT
/*
 * The layers of virtualization one at a time, in every order, with what each
 * of them shows: counters, the p2m, a timer that goes on ticking; and the
 * verification of Vellum's image before the first of them.
 */
#include "lib/string.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/tap.h"
#include "mini/timer.h"
#include "mini/traps.h"
#include "mini/virtual.h"
#include "mini/tests/expect.h"

#define HZ       1000
#define MS_LIMIT 5000u

static struct vl_domain_counters counters;
static u8 buffer[PAGE_SIZE] __attribute__((aligned(4096)));

static u32 layers_now(void)
{
	s64 answer = vl_call_domain_counters(hypercall_page, VL_DOMID_SELF, ptr_to_pa(&counters).v,
					     sizeof(counters));

	CHECK(answer == sizeof(counters), "domain_counters answered %ld", answer);
	return counters.layers;
}

static void check_timer(void)
{
	u64 limit = rdtsc() + tsc_per_ms() * MS_LIMIT;
	u64 seen = timer_ticks();

	while (timer_ticks() < seen + 3) {
		CHECK(rdtsc() < limit, "the timer stands still with layers %#x", counters.layers);
		interrupts_on_and_halt();
		interrupts_off();
	}
}

static s64 read_p2m(u64 pfn)
{
	return vl_call_p2m_read(hypercall_page, VL_DOMID_SELF, pfn, ptr_to_pa(buffer).v,
				sizeof(buffer));
}

static void check_layers(u32 want)
{
	u32 have = layers_now();
	s64 answer = read_p2m(0);

	CHECK(have == want, "layers %#x instead of %#x", have, want);
	CHECK(is_virtualized() == ((want & VL_LAYER_CPU) != 0), "ring does not fit layers %#x",
	      want);
	CHECK(want & VL_LAYER_MEMORY ? answer > 0 : answer == -VL_EOPNOTSUPP,
	      "p2m_read answered %ld with layers %#x", answer, want);
	check_timer();
}

static void add(u32 layers)
{
	s64 answer = virtualize_layers(layers);

	CHECK(answer == 0, "virtualize(%#x) answered %ld", layers, answer);
}

static void take_off(u32 layers)
{
	s64 answer = devirtualize_layers(layers);

	CHECK(answer == 0, "devirtualize(%#x) answered %ld", layers, answer);
}

static void start(void)
{
	if (is_virtualized())
		take_off(VL_LAYER_ALL);
	check_layers(0);
}

#define C VL_LAYER_CPU
#define M VL_LAYER_MEMORY
#define I VL_LAYER_INTERRUPTS

/* Nothing else comes to Vellum between the two. */
static void virtualize_and_break(void *arg)
{
	(void)arg;
	if (virtualize_layers(VL_LAYER_ALL) == 0)
		asm volatile("int3");
}

/* What Vellum leaves for the first exit after the transition is there when that is an INT. */
TEST(layers_first_breakpoint, "M1 I3")
{
	struct trap_gate *gate = trap_gate(TRAP_BP);
	u8 type = gate->type;

	timer_start(HZ);
	start();
	for (u32 dpl = 0; dpl <= 3; dpl += 3) {
		gate->type = (u8)((type & ~(3u << 5)) | dpl << 5);
		expect_trap(virtualize_and_break, NULL, TRAP_BP, 0);
		CHECK(is_virtualized(), "the breakpoint came in passthrough");
		take_off(VL_LAYER_ALL);
	}
	gate->type = type;
	timer_stop();
}

/* What is added and taken off, in turn. */
static const struct {
	u32 in[4], out[4];
} orders[] = {
	{{C, M, I}, {M, I, C}},
	{{C, I, M}, {I, M, C}},
	{{C | M, I}, {I, C | M}},
	{{C | I, M}, {M, C | I}},
	{{C, M | I}, {M | I, C}},
	{{C | M | I}, {C | M | I}},
	{{C}, {C}},
	{{C}, {VL_LAYER_ALL}},
	{{C | M}, {VL_LAYER_ALL}},
	{{C, I}, {VL_LAYER_ALL}},
	{{C | M, I}, {M, I, C}},
	{{C | I, M}, {I, M, C}},
	{{C, M, I}, {I, C | M}},
};

TEST(layers_in_any_order, "M8 I10 I8")
{
	timer_start(HZ);
	start();
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		u32 have = 0;

		for (size_t k = 0; k < 4 && orders[i].in[k] != 0; k++) {
			add(orders[i].in[k]);
			check_layers(have |= orders[i].in[k]);
		}
		for (size_t k = 0; k < 4 && orders[i].out[k] != 0; k++) {
			take_off(orders[i].out[k]);
			check_layers(have &= ~orders[i].out[k]);
		}
	}
	timer_stop();
}

/* A layer above the CPU's comes and goes many times under a timer. */
TEST(layers_again_and_again, "M8 I10")
{
	timer_start(HZ);
	start();
	add(C);
	for (u32 i = 0; i < 200; i++) {
		u32 layers = i % 3 == 0 ? M : i % 3 == 1 ? I : M | I;

		add(layers);
		if (i % 16 == 0)
			check_layers(C | layers);
		take_off(layers);
	}
	check_layers(C);
	take_off(C);
	check_layers(0);
	timer_stop();
}

static void refuses(u64 layers, s64 in, s64 out)
{
	u32 before = layers_now();
	s64 answer = virtualize_layers(layers);

	CHECK(answer == in, "virtualize(%#lx) on layers %#x answered %ld", layers, before, answer);
	answer = devirtualize_layers(layers);
	CHECK(answer == out, "devirtualize(%#lx) on layers %#x answered %ld", layers, before,
	      answer);
	CHECK(layers_now() == before, "layers were %#x, are %#x", before, counters.layers);
}

TEST(layers_refused, "M8 I10")
{
	timer_start(HZ);
	start();
	refuses(0, -VL_EINVAL, -VL_EINVAL);
	refuses(8, -VL_EINVAL, -VL_EINVAL);
	refuses(C | 0x1000, -VL_EINVAL, -VL_EINVAL);
	refuses(M, -VL_EINVAL, -VL_EINVAL);
	refuses(I, -VL_EINVAL, -VL_EINVAL);
	refuses(M | I, -VL_EINVAL, -VL_EINVAL);
	add(C | M);
	refuses(C, -VL_EBUSY, -VL_EBUSY);
	refuses(C | I, -VL_EBUSY, -VL_EINVAL);
	refuses(I | VL_DEBUG_IOPL3, -VL_EINVAL, -VL_EINVAL);
	CHECK(virtualize_layers(M) == -VL_EBUSY, "a second p2m");
	CHECK(devirtualize_layers(I) == -VL_EINVAL, "interrupts that were not virtualized");
	check_layers(C | M);
	take_off(VL_LAYER_ALL);
	check_layers(0);
	timer_stop();
}

/* One that comes while this kernel runs: in HLT, Vellum takes it without an exit. */
static void run_until_tick(void)
{
	u64 seen = timer_ticks();

	interrupts_on();
	while (timer_ticks() == seen)
		;
	interrupts_off();
}

TEST(layers_counters, "I10")
{
	struct vl_domain_counters before;

	timer_start(HZ);
	start();
	before = counters;
	add(VL_LAYER_ALL);
	check_layers(VL_LAYER_ALL);
	CHECK(counters.virtualized == before.virtualized + 1, "%lu times virtualized",
	      counters.virtualized);
	run_until_tick();
	layers_now();
	CHECK(counters.exits_hypercall > before.exits_hypercall, "no hypercall was counted");
	CHECK(counters.exits_interrupt > before.exits_interrupt, "no interrupt was counted");
	CHECK(counters.exits_hidden_fault > before.exits_hidden_fault, "no fault was counted");
	CHECK(counters.shadow_fills > before.shadow_fills, "no fill was counted");
	CHECK(counters.shadow_tables >= 2, "%lu shadow tables", counters.shadow_tables);
	CHECK(counters.virtualize_cycles > 0, "no time to virtualize");
	before = counters;
	take_off(VL_LAYER_ALL);
	layers_now();
	CHECK(counters.devirtualized == before.devirtualized + 1, "%lu times devirtualized",
	      counters.devirtualized);
	CHECK(counters.exits_hidden_fault >= before.exits_hidden_fault, "counts were lost");
	CHECK(counters.shadow_tables == 0, "%lu shadow tables in passthrough",
	      counters.shadow_tables);
	CHECK(counters.devirtualize_cycles > 0, "no time to devirtualize");
	timer_stop();
}

/* All of it, as ranges: the guest's RAM, each frame its own. */
static void check_identity(void)
{
	const struct vl_memory_range *map = pa_to_ptr((pa_t){start_info->memory_map});
	const struct vl_p2m_read *head = (const void *)buffer;
	u64 frames = 0, ram = 0;

	for (u64 next = 0; next != ~(u64)0; next = head->next) {
		s64 n = read_p2m(next);

		CHECK(n >= 0 && head->count == (u64)n, "p2m_read answered %ld", n);
		CHECK(head->next > next, "p2m_read at %#lx goes on at %#lx", next, head->next);
		for (s64 i = 0; i < n; i++) {
			const struct vl_p2m_range *r =
				(const void *)(buffer + sizeof(*head) + (u64)i * sizeof(*r));

			CHECK(r->pfn == r->mfn, "pfn %#lx is mfn %#lx", r->pfn, r->mfn);
			frames += r->count;
		}
	}
	for (u32 i = 0; i < start_info->memory_map_count; i++)
		ram += map[i].type == VL_MEMORY_RAM ? map[i].size : 0;
	CHECK(frames == ram >> PAGE_SHIFT, "%#lx frames in the p2m, %#lx bytes of RAM", frames,
	      ram);
}

TEST(layers_p2m_is_identity, "M3")
{
	timer_start(HZ);
	start();
	add(C | M);
	check_identity();
	add(I);
	check_identity();
	take_off(M);
	add(M);
	check_identity();
	CHECK(vl_call_p2m_read(hypercall_page, VL_DOMID_SELF, 0, ptr_to_pa(buffer).v, 39) ==
		      -VL_EINVAL,
	      "a buffer without room for a range was taken");
	CHECK(vl_call_p2m_read(hypercall_page, VL_DOMID_SELF, ~(u64)0, ptr_to_pa(buffer).v, 40) ==
		      0,
	      "ranges above everything");
	take_off(VL_LAYER_ALL);
	timer_stop();
}

/* Vellum starts only after it looked at all of its image, once for each time. */
TEST(image_has_to_be_verified, "I4 M1")
{
	s64 left, last, calls = 0;

	if (is_virtualized())
		take_off(VL_LAYER_ALL);
	add(C);
	take_off(C);
	left = vl_call_virtualize(hypercall_page, VL_LAYER_ALL, 0);
	CHECK(left == -VL_EUCLEAN, "virtualize without verification answered %ld", left);
	left = vl_call_verify_image(hypercall_page);
	CHECK(left > 0, "one call verified everything (%ld left)", left);
	CHECK(vl_call_virtualize(hypercall_page, C, 0) == -VL_EUCLEAN, "half an image was enough");
	for (last = left; left > 0; last = left, calls++) {
		left = vl_call_verify_image(hypercall_page);
		CHECK(left >= 0 && left < last, "%ld bytes left after %ld", left, last);
	}
	CHECK(calls > 1, "%ld calls", calls);
	CHECK(vl_call_virtualize(hypercall_page, C, 0) == 0, "a verified image is refused");
	CHECK(vl_call_verify_image(hypercall_page) > 0, "verify_image while virtualized");
	take_off(C);
	CHECK(vl_call_virtualize(hypercall_page, C, 0) == -VL_EUCLEAN, "verified once for ever");
}

/* What a transition costs inside Vellum, for a scenario that can read it as instructions. */
TEST(layers_cost, "M1 M9")
{
	u64 in = 0, out = 0;

	if (is_virtualized())
		take_off(VL_LAYER_ALL);
	for (int i = 0; i < 4; i++) {
		add(VL_LAYER_ALL);
		layers_now();
		in = counters.virtualize_cycles;
		take_off(VL_LAYER_ALL);
		layers_now();
		out = counters.devirtualize_cycles;
	}
	print("# cost of virtualize: %lu, devirtualize: %lu\n", in, out);
}
