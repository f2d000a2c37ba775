// SPDX-License-Identifier: MIT
/* See moving.h. */
#include "mini/tests/moving.h"

#include "lib/string.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/snapshot.h"
#include "mini/tap.h"
#include "mini/tests/random.h"
#include "mini/virtual.h"

struct vl_hv_info info;
struct vl_domain_counters counters;

void read_info(void)
{
	s64 answer = vl_call_hv_info(hypercall_page, ptr_to_pa(&info).v, sizeof(info));

	CHECK(answer == sizeof(info), "hv_info answered %ld", answer);
	answer = vl_call_domain_counters(hypercall_page, VL_DOMID_SELF, ptr_to_pa(&counters).v,
					 sizeof(counters));
	CHECK(answer == sizeof(counters), "domain_counters answered %ld", answer);
}

bool is_debug_build(void)
{
	read_info();
	return strncmp(info.build, "debug", 5) == 0;
}

/* But for what the shadow has of it, which goes by what this kernel touches. */
u64 partition_free(void)
{
	read_info();
	return info.partition_free + counters.shadow_tables * PAGE_SIZE;
}

void go_in(void)
{
	s64 answer = is_virtualized() ? devirtualize() : 0;

	CHECK(answer == 0, "devirtualize answered %ld", answer);
	answer = virtualize(0);
	CHECK(answer == 0, "virtualize answered %ld", answer);
}

void go_out(void)
{
	s64 answer = devirtualize();

	CHECK(answer == 0, "devirtualize answered %ld", answer);
}

s64 move(u64 pfn, bool away)
{
	return vl_call_test_move_page(hypercall_page, pfn, away);
}

void move_away(u64 pfn)
{
	s64 answer = move(pfn, true);

	CHECK(answer >= 0 && (u64)answer << PAGE_SHIFT >= info.partition_start,
	      "page %#lx moved to %ld", pfn, answer);
}

void move_home(u64 pfn)
{
	s64 answer = move(pfn, false);

	CHECK(answer == (s64)pfn, "page %#lx came home to %ld", pfn, answer);
}

u64 pfn_of(const void *p)
{
	return ptr_to_pa(p).v >> PAGE_SHIFT;
}

void fill_words(u64 *words, size_t size, u64 seed)
{
	for (size_t i = 0; i < size / sizeof(*words); i++)
		words[i] = random_next(&seed);
}

u64 sum_words(const u64 *words, size_t size)
{
	u64 sum = 0;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		sum = (sum << 7 | sum >> 57) ^ words[i];
	return sum;
}

/* --- failpoints --- */

static void check_failed(s64 answer, u64 step, u64 free, u32 layers)
{
	CHECK(answer == -VL_EIO, "failpoint %lu answered %ld", step, answer);
	CHECK(is_virtualized() == (layers != 0), "failpoint %lu changed the ring", step);
	CHECK(partition_free() == free, "failpoint %lu: %lu bytes free, there were %lu", step,
	      info.partition_free, free);
	CHECK(counters.layers == layers, "failpoint %lu left layers %#x", step, counters.layers);
}

u64 fail_each(s64 (*transition)(u64), u64 argument)
{
	struct snapshot before, after;
	u64 free = partition_free();
	u32 layers = counters.layers;

	for (u64 step = 1;; step++) {
		const char *what;
		s64 answer;

		CHECK(step < 100, "failpoints without end");
		snapshot_take(&before);
		CHECK(vl_call_set_failpoint(hypercall_page, step) == 0, "set_failpoint");
		answer = transition(argument);
		if (answer == 0)
			return step - 1;
		snapshot_take(&after);
		what = snapshot_difference(&before, &after);
		CHECK(what == NULL, "failpoint %lu changed %s", step, what);
		check_failed(answer, step, free, layers);
	}
}
