// SPDX-License-Identifier: MIT
/*
 * All CPUs make, feed, steer, look at and end domains at the same time, their own
 * and each other's: whatever they answer, no page is lost in the end, nor any of
 * Vellum's memory.
 */
#include "lib/string.h"
#include "mini/cmdline.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/smp.h"
#include "mini/tap.h"
#include "mini/tests/domains.h"
#include "mini/tests/random.h"
#include "mini/virtual.h"

#define FRAMES 24u /* of each CPU */
#define RACES  5
#define STEPS  400u
#define RECENT 8u /* domains that are steered: the newest ids */

/* A page for each CPU's buffers. */
static union {
	struct vl_domain_create wanted;
	struct vl_memory_list list;
	struct vl_domain_name name;
	u8 bytes[PAGE_SIZE];
} buffer[SMP_MAX_CPUS] __attribute__((aligned(4096)));

static u64 newest, steps, made, ended;

static u64 buffer_pa(void)
{
	return ptr_to_pa(&buffer[smp_index()]).v;
}

static bool is_answer(s64 r)
{
	return r >= 0 || r == -VL_ENOENT || r == -VL_EBUSY || r == -VL_EFAULT || r == -VL_EEXIST ||
	       r == -VL_EINVAL || r == -VL_ENOMEM;
}

static s64 create(u64 *random)
{
	struct vl_domain_create *w = &buffer[smp_index()].wanted;
	s64 domid;

	memset(w, 0, sizeof(*w));
	w->name[0] = (char)('a' + random_below(random, 6));
	w->memory_start = guests_first_pfn() << PAGE_SHIFT;
	w->memory_size = FRAMES * PAGE_SIZE;
	w->nr_vcpus = 1 + (u32)random_below(random, 3);
	w->weight = VL_WEIGHT_USUAL;
	domid = vl_call_domain_create(hypercall_page, buffer_pa(), sizeof(*w));
	if (domid > 0) {
		__atomic_store_n(&newest, (u64)domid, __ATOMIC_RELAXED);
		__atomic_fetch_add(&made, 1, __ATOMIC_RELAXED);
	}
	return domid;
}

static s64 give(u64 *random, u64 domid)
{
	struct vl_memory_list *l = &buffer[smp_index()].list;
	u32 first = smp_index() * FRAMES + (u32)random_below(random, FRAMES - 4);

	for (u32 i = 0; i < 4; i++)
		l->pfn[i] = guests_frame[first + i].v >> PAGE_SHIFT;
	return vl_call_memory_give(hypercall_page, domid,
				   guests_first_pfn() + random_below(random, FRAMES - 4),
				   buffer_pa(), 4 * sizeof(u64));
}

static s64 destroy(u64 domid)
{
	s64 r = vl_call_domain_destroy(hypercall_page, domid);

	if (r == 0)
		__atomic_fetch_add(&ended, 1, __ATOMIC_RELAXED);
	return r;
}

static s64 rename_it(u64 *random, u64 domid)
{
	struct vl_domain_name *n = &buffer[smp_index()].name;

	memset(n, 0, sizeof(*n));
	n->name[0] = (char)('a' + random_below(random, 12));
	return vl_call_domain_rename(hypercall_page, domid, buffer_pa(), sizeof(*n));
}

static s64 step(u64 *random)
{
	u64 domid = __atomic_load_n(&newest, __ATOMIC_RELAXED), pfn = guests_first_pfn();

	domid -= domid > RECENT ? random_below(random, RECENT) : 0;
	if (domid == 0)
		return create(random);
	switch (random_below(random, 14)) {
	case 0:
	case 1:
		return create(random);
	case 2:
	case 3:
	case 4:
		return give(random, domid);
	case 5:
	case 6:
		return destroy(domid);
	case 7:
		return vl_call_memory_take(hypercall_page, domid,
					   pfn + random_below(random, FRAMES), 2);
	case 8:
		return vl_call_domain_pause(hypercall_page, domid);
	case 9:
		return vl_call_domain_unpause(hypercall_page, domid);
	case 10:
		return vl_call_domain_weight(hypercall_page, domid, random_below(random, 500));
	case 11:
		return vl_call_p2m_read(hypercall_page, domid, pfn, buffer_pa(), PAGE_SIZE);
	case 12:
		return vl_call_domain_counters(hypercall_page, domid, buffer_pa(),
					       sizeof(struct vl_domain_counters));
	default:
		return rename_it(random, domid);
	}
}

static void race(void *arg)
{
	u64 random = 31 + smp_index();

	(void)arg;
	for (u64 i = 0; i < steps; i++) {
		s64 r = step(&random);

		CHECK(is_answer(r), "CPU %u, step %lu: %ld", smp_index(), i, r);
	}
}

static void end_all(void)
{
	for (s64 domid = vl_call_domain_next(hypercall_page, 1); domid > 0;
	     domid = vl_call_domain_next(hypercall_page, 1))
		guest_destroy((u64)domid);
}

/* A CPU's shadow gets tables for what the CPU touches, which some races show it for the first time;
 * what is lost is lost in each. */
static void race_until_nothing_is_taken(void)
{
	for (u32 races = 1;; races++) {
		u64 free = guests_partition_free();

		smp_run_all(race, NULL);
		end_all();
		if (guests_free_settles(free))
			return;
		CHECK(races < RACES, "%lu bytes free, there were %lu", guests_partition_free(),
		      free);
	}
}

TEST_ON_REQUEST(smp_guests_race, "U7 I4 I9")
{
	u64 ram;
	u32 frames;

	if (is_virtualized())
		CHECK(devirtualize() == 0, "devirtualize failed");
	smp_start();
	frames = smp_count() * FRAMES;
	CHECK(frames <= GUESTS_PAGES, "too many CPUs");
	CHECK(smp_change_all(true) == 0, "no transition");
	guests_take_frames(frames);
	guests_warm_up();
	steps = STEPS;
	cmdline_get_hex("rounds", &steps);
	made = ended = newest = 0;
	ram = guests_own_memory();
	race_until_nothing_is_taken();
	CHECK(made > 3 && ended > 1, "%lu domains made, %lu ended", made, ended);
	CHECK(guests_own_memory() == ram, "%lu bytes are away", ram - guests_own_memory());
	for (u32 i = 0; i < frames; i++) {
		guests_fill(i, (u8)i);
		guests_check_page(i, (u8)i);
	}
	guests_free_frames(frames);
	CHECK(smp_change_all(false) == 0, "no transition");
	CHECK(!is_virtualized(), "not devirtualized");
}
