// SPDX-License-Identifier: MIT
/*
 * Random hypercalls. Each must answer with a result or an error that the ABI
 * names for it, and write only into the buffer that it was given, if at all. Buffers
 * that happen to be our own RAM would be overwritten rightly, so arguments are
 * drawn from an arena, from what is not RAM, and from sizes and ids.
 */
#include "lib/string.h"
#include "mini/apic.h"
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/tap.h"
#include "mini/tests/random.h"
#include "mini/traps.h"
#include "mini/virtual.h"

#define CALLS        10000
#define SWITCH_EVERY 512
#define SEED         0x76656c6c756dull
#define FILL         0x5a
#define FILL_WORD    0x5a5a5a5a5a5a5a5aull
#define ARENA_SIZE   (4 * PAGE_SIZE)
#define VECTOR       0x52 /* of events */

static u8 arena[ARENA_SIZE] __attribute__((aligned(4096)));
static struct vl_hv_info info __attribute__((aligned(256)));

static u64 partition_address(u64 *state)
{
	return info.partition_start + random_below(state, info.partition_size);
}

static u64 wild(u64 *state)
{
	return random_next(state) >> random_below(state, 64);
}

static u64 argument(u64 *state)
{
	u64 x;

	switch (random_below(state, 8)) {
	case 0:
	case 1:
		return ptr_to_pa(arena).v + random_below(state, ARENA_SIZE);
	case 2:
		return random_below(state, 512);
	case 3:
		return random_below(state, 2 * PAGE_SIZE);
	case 4:
		return 0 - random_below(state, 2 * PAGE_SIZE);
	case 5:
		return partition_address(state);
	case 6:
		return random_below(state, 2) ? VL_DOMID_SELF
					      : random_below(state, VL_DOMID_MAX + 2);
	default:
		x = wild(state);
		return memory_is_ram(x, 1) ? ~x : x;
	}
}

#define MOST_ERRORS 16

static const u8 errors[VL_CALL_LIMIT][MOST_ERRORS] = {
#define HYPERCALL_ERRORS(number, ...) [number] = {__VA_ARGS__},
#include "hypercall_errors.inc"
};

static const bool exists[VL_CALL_LIMIT] = {
#undef HYPERCALL_ERRORS
#define HYPERCALL_ERRORS(number, ...) [number] = true,
#include "hypercall_errors.inc"
};

static bool is_documented(u64 nr, s64 r)
{
	if (nr >= VL_CALL_LIMIT || !exists[nr])
		return r == -VL_ENOSYS;
	for (size_t i = 0; i < MOST_ERRORS && errors[nr][i] != 0; i++)
		if (r == -(s64)errors[nr][i])
			return true;
	return r >= 0;
}

/* A call took the buffer (pa, size) and wrote up to `written` bytes there: it must be one that the
 * ABI allows, and the filling is put back. Small numbers are addresses in the first MiB, which is
 * RAM of ours on machines with map=all, and not used. */
static void refill(u64 pa, u64 size, u64 written)
{
	struct range whole = {ptr_to_pa(arena).v, ptr_to_pa(arena).v + ARENA_SIZE};

	CHECK(size > 0 && size <= PAGE_SIZE - pa % PAGE_SIZE, "buffer %#lx + %#lx was taken", pa,
	      size);
	if (range_contains(whole, (struct range){pa, pa + size}))
		memset(arena + (pa - whole.start), FILL, min_u64(size, written));
	else
		CHECK(pa < MIB && memory_is_ram(pa, size), "buffer %#lx was taken", pa);
}

static void check_arena(int call)
{
	const u64 *words = (const u64 *)arena;

	for (size_t i = 0; i < ARENA_SIZE / 8; i++)
		CHECK(words[i] == FILL_WORD, "call %d: %#lx at offset %zu of the arena", call,
		      words[i], i * 8);
}

static void on_event(const struct trap_frame *frame)
{
	(void)frame;
	apic_write(APIC_EOI, 0);
}

/* The page of events was one of the arena's or unused: nothing more is stored there. */
static void end_events(u64 pa)
{
	s64 r = vl_call_event_setup(hypercall_page, 0, 0);

	CHECK(r == 0, "event_setup answered %ld", r);
	if (pa != 0)
		refill(pa, sizeof(struct vl_event_page), sizeof(struct vl_event_page));
}

static void one_call(u64 *state, int call)
{
	u64 nr = random_below(state, 8) == 0 ? wild(state) : random_below(state, VL_CALL_LIMIT + 2);
	u64 a[5];
	s64 r;

	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		a[i] = argument(state);
	/* Layers that exist would be a transition, and a good address the page of our flags. */
	if (is_transition(nr) && nr != VL_CALL_SET_ALIAS)
		a[0] |= 1;
	if (nr == VL_CALL_VIRTUALIZE || nr == VL_CALL_DEVIRTUALIZE || nr == VL_CALL_ADD_CPU)
		a[0] |= 0x1000; /* what belongs to a CPU is never given back */
	/* Seldom an event is sent before end_events(): by a vector that we expect. */
	if (nr == VL_CALL_EVENT_SETUP && a[1] < NR_VECTORS)
		a[1] = VECTOR;
	r = hypercall_page(nr, a[0], a[1], a[2], a[3], a[4]);
	CHECK(is_documented(nr, r), "call %d: number %#lx answered %ld", call, nr, r);
	if ((nr == VL_CALL_HV_INFO || nr == VL_CALL_PORTIONS) && r >= 0)
		refill(a[0], a[1], (u64)r);
	if ((nr == VL_CALL_DOMAIN_INFO || nr == VL_CALL_DOMAIN_COUNTERS ||
	     nr == VL_CALL_DOMAIN_SCHED_INFO) &&
	    r >= 0)
		refill(a[1], a[2], (u64)r);
	if (nr == VL_CALL_CONSOLE_READ && r >= 0)
		refill(a[0], a[1], sizeof(struct vl_console_read) + (u64)r);
	if (nr == VL_CALL_MEMORY_CLAIM && r >= 0)
		refill(a[0], a[1], (u64)r * sizeof(struct vl_memory_range));
	if ((nr == VL_CALL_DEVICE_INFO || nr == VL_CALL_VCPU_STATUS) && r >= 0)
		refill(a[2], a[3], (u64)r);
	if (nr == VL_CALL_P2M_READ && r >= 0)
		refill(a[2], a[3],
		       sizeof(struct vl_p2m_read) + (u64)r * sizeof(struct vl_p2m_range));
	if (nr == VL_CALL_HOME && r >= 0)
		refill(a[1], a[2], sizeof(struct vl_home_info));
	if (nr == VL_CALL_SET_ALIAS && r >= 0)
		vl_call_set_alias(hypercall_page, a[0], 0, 0, 0);
	if (nr == VL_CALL_EVENT_SETUP && r >= 0)
		end_events(a[0]);
	check_arena(call);
}

/* console_read takes its position from the buffer: give it positions that exist now and then. */
static void seed_position(u64 *state)
{
	u64 page = random_below(state, ARENA_SIZE / PAGE_SIZE) * PAGE_SIZE;
	struct vl_console_read *io = (void *)(arena + page);
	s64 r;

	io->pos = random_below(state, 4096);
	r = vl_call_console_read(hypercall_page, ptr_to_pa(io).v,
				 random_below(state, PAGE_SIZE - 8) + 8);
	CHECK(is_documented(VL_CALL_CONSOLE_READ, r), "console_read answered %ld", r);
	memset(io, FILL, PAGE_SIZE);
}

/* The calls answer from both modes, and a switch in between loses nothing of them. */
static void change_mode(void)
{
	s64 r;

	/* In a debug build a random one may be set. */
	vl_call_set_failpoint(hypercall_page, 0);
	r = is_virtualized() ? devirtualize() : virtualize(0);
	CHECK(r == 0, "the switch answered %ld", r);
}

TEST(hypercall_fuzz, "U3 I4")
{
	u64 state = SEED, calls = CALLS;
	bool before = is_virtualized();
	s64 r = vl_call_hv_info(hypercall_page, ptr_to_pa(&info).v, sizeof(info));

	CHECK(r == sizeof(info), "result %ld", r);
	cmdline_get_hex("calls", &calls);
	cmdline_get_hex("seed", &state);
	print("# %lu calls from seed %#lx\n", calls, state);
	memset(arena, FILL, sizeof(arena));
	if (apic_enable())
		trap_set_handler(VECTOR, on_event);
	for (int call = 0; (u64)call < calls; call++) {
		if (call % 16 == 0)
			seed_position(&state);
		one_call(&state, call);
		if (random_below(&state, SWITCH_EVERY) == 0)
			change_mode();
	}
	if (is_virtualized() != before)
		change_mode();
	trap_set_handler(VECTOR, NULL);
	/* The guest may have given itself all of the CPU. */
	r = vl_call_domain_weight(hypercall_page, 0, VL_WEIGHT_USUAL);
	CHECK(r == VL_WEIGHT_USUAL, "domain_weight answered %ld", r);
	print("# the generator stands at %#lx\n", state);
	r = vl_call_version(hypercall_page);
	CHECK(r >> 16 == VL_ABI_MAJOR, "the version is %#lx after the calls", r);
}
