// SPDX-License-Identifier: MIT
/*
 * Shared pages against a model of who offered what and who has mapped it: random
 * offers, maps, unmaps, revocations and ends of domains, with and without memory
 * for tables. A frame is mapped exactly where the model says, a page that is in
 * use is known to be, an error has changed nothing, and all memory comes back.
 */
/* shows: I4 */
#include "tests/unit/check.h"
#include "tests/unit/pages.h"

#include "domain/grant.h"
#include "domain/share.h"
#include "lib/panic.h"
#include "public/errno.h"

#define DOMAINS  4u /* the first is the first guest */
#define RAM_PFN  0x100u
#define RAM      24u
#define MAP_PFN  0x800u /* outside of RAM */
#define MAP      12u
#define FRAME(d) (0x1000u * (d)) /* of a later domain's page RAM_PFN */

static struct domain domains[DOMAINS];
static bool there[DOMAINS];

static struct {
	bool used, read_only;
	u32 to;
	u64 pfn;
} offer[DOMAINS][VL_MAX_GRANTS];
static struct {
	bool used;
	u32 owner, ref;
} map[DOMAINS][MAP];

void panic(const char *fmt, ...)
{
	print_error("%s\n", fmt);
	abort();
}

struct domain *domain_next(u64 domid)
{
	for (u32 i = (u32)domid; i < DOMAINS; i++)
		if (there[i])
			return &domains[i];
	return NULL;
}

struct domain *domain_find(u64 domid, struct domain *self)
{
	(void)self;
	return domid < DOMAINS && there[domid] ? &domains[domid] : NULL;
}

/* A page that shares its frame has one of its own before another domain maps it: tests/unit/share.c
 * shows the rest. */
static struct {
	const struct domain *d;
	u64 pfn;
} broken;

void share_break(struct domain *d, u64 pfn)
{
	broken.d = d;
	broken.pfn = pfn;
}

static void begin_domain(u32 i)
{
	struct domain *d = &domains[i];

	memset(d, 0, sizeof(*d));
	d->domid = i;
	d->memory.count = 1;
	d->memory.range[0] = (struct vl_memory_range){
		.start = RAM_PFN << PAGE_SHIFT, .size = RAM << PAGE_SHIFT, .type = VL_MEMORY_RAM};
	if (i == 0) {
		p2m_init(&d->p2m, &pages);
	} else {
		p2m_init_own(&d->p2m, &pages, (ma_t){GIB});
		for (u64 k = 0; k < RAM; k += 1 + k % 3)
			assert_int_equal(
				p2m_set(&d->p2m, (pfn_t){RAM_PFN + k}, (mfn_t){FRAME(i) + k}, 12),
				0);
	}
	there[i] = true;
}

static void end_domain(u32 i)
{
	grant_end(&domains[i]);
	p2m_destroy(&domains[i].p2m);
	there[i] = false;
	memset(offer[i], 0, sizeof(offer[i]));
	memset(map[i], 0, sizeof(map[i]));
	for (u32 d = 0; d < DOMAINS; d++) {
		for (u32 k = 0; k < MAP; k++)
			if (map[d][k].used && map[d][k].owner == i)
				map[d][k].used = false;
		for (u32 k = 0; k < VL_MAX_GRANTS; k++)
			if (offer[d][k].used && offer[d][k].to == i)
				offer[d][k].used = false;
	}
}

/* --- the model --- */

static bool has_page(u32 d, u64 pfn)
{
	return p2m_lookup(&domains[d].p2m, (pfn_t){pfn}).v != P2M_NOTHING;
}

static u32 times_mapped(u32 owner, u64 ref)
{
	u32 n = 0;

	for (u32 d = 0; d < DOMAINS; d++)
		for (u32 k = 0; k < MAP; k++)
			n += map[d][k].used && map[d][k].owner == owner && map[d][k].ref == ref;
	return n;
}

static bool in_use(u32 owner, u64 pfn)
{
	for (u32 ref = 0; ref < VL_MAX_GRANTS; ref++)
		if (offer[owner][ref].used && offer[owner][ref].pfn == pfn &&
		    times_mapped(owner, ref) != 0)
			return true;
	return false;
}

static void check_maps_of(u32 d)
{
	u64 foreign = 0, read_only = 0;

	for (u32 k = 0; k < MAP; k++) {
		pfn_t pfn = {MAP_PFN + k};
		const struct p2m *p = &domains[d].p2m, *from = &domains[map[d][k].owner].p2m;
		bool used = map[d][k].used;

		assert_int_equal(grant_is_mapped(&domains[d], pfn.v), used);
		assert_int_equal(p2m_is_foreign(p, pfn), used);
		if (!used) {
			assert_int_equal(p2m_lookup(p, pfn).v, d == 0 ? pfn.v : P2M_NOTHING);
			continue;
		}
		foreign++;
		read_only += offer[map[d][k].owner][map[d][k].ref].read_only;
		assert_int_equal(p2m_is_read_only(p, pfn),
				 offer[map[d][k].owner][map[d][k].ref].read_only);
		assert_int_equal(
			p2m_lookup(p, pfn).v,
			p2m_lookup(from, (pfn_t){offer[map[d][k].owner][map[d][k].ref].pfn}).v);
	}
	assert_int_equal(domains[d].p2m.foreign, foreign);
	assert_int_equal(domains[d].p2m.foreign_read_only, read_only);
	assert_int_equal(domains[d].p2m.moved, d == 0 ? 0 : domains[d].p2m.frames);
}

static void check_all(void)
{
	for (u32 d = 0; d < DOMAINS; d++) {
		if (!there[d])
			continue;
		check_maps_of(d);
		for (u64 pfn = RAM_PFN; pfn < RAM_PFN + RAM; pfn++)
			assert_int_equal(grant_is_in_use(&domains[d], pfn), in_use(d, pfn));
		for (u32 o = 0; o < DOMAINS; o++) {
			bool uses = false;

			for (u32 k = 0; k < MAP; k++)
				uses |= map[d][k].used && map[d][k].owner == o;
			assert_int_equal(grant_uses(&domains[d], o), uses);
		}
	}
}

/* --- random changes --- */

static u32 any(struct rng *r)
{
	u32 d = rng_below(r, DOMAINS);

	return there[d] ? d : 0;
}

static void make_offer(struct rng *r)
{
	u32 d = any(r), to = any(r);
	u64 pfn = RAM_PFN - 1 + rng_below(r, RAM + 2);
	bool read_only = rng_below(r, 2) != 0, good;
	s64 ref = grant_offer(&domains[d], to, pfn, read_only);

	good = pfn >= RAM_PFN && pfn < RAM_PFN + RAM && has_page(d, pfn);
	assert_true(good ? ref >= 0 || ref == -VL_ENOMEM || ref == -VL_ENOSPC : ref == -VL_EFAULT);
	if (ref < 0)
		return;
	assert_false(offer[d][ref].used);
	offer[d][ref].used = true;
	offer[d][ref].read_only = read_only;
	offer[d][ref].to = to;
	offer[d][ref].pfn = pfn;
}

static s64 may_map(u32 d, u32 owner, u64 ref, u64 pfn)
{
	if (ref >= VL_MAX_GRANTS || !offer[owner][ref].used || offer[owner][ref].to != d)
		return -VL_ENOENT;
	if (pfn < MAP_PFN)
		return -VL_EINVAL;
	return map[d][pfn - MAP_PFN].used ? -VL_EEXIST : 0;
}

static void make_map(struct rng *r)
{
	u32 d = any(r), owner = any(r);
	u64 ref = rng_below(r, 6), pfn = MAP_PFN + rng_below(r, MAP);
	s64 want;

	if (rng_below(r, 16) == 0)
		pfn = RAM_PFN + rng_below(r, RAM);
	want = may_map(d, owner, ref, pfn);
	assert_int_equal(grant_can_map(&domains[d], &domains[owner], ref, pfn), want);
	if (want < 0 || grant_map(&domains[d], &domains[owner], ref, pfn) < 0)
		return;
	map[d][pfn - MAP_PFN].used = true;
	map[d][pfn - MAP_PFN].owner = owner;
	map[d][pfn - MAP_PFN].ref = (u32)ref;
}

static void drop_map(struct rng *r)
{
	u32 d = any(r), k = rng_below(r, MAP);

	if (!map[d][k].used)
		return;
	grant_unmap(&domains[d], MAP_PFN + k);
	map[d][k].used = false;
}

static void revoke(struct rng *r)
{
	u32 d = any(r);
	u64 ref = rng_below(r, 8);
	s64 want = !offer[d][ref].used ? -VL_ENOENT : times_mapped(d, ref) != 0 ? -VL_EBUSY : 0;

	assert_int_equal(grant_revoke(&domains[d], ref), want);
	if (want == 0)
		offer[d][ref].used = false;
}

static void one_step(struct rng *r)
{
	u32 what = rng_below(r, 40), i = 1 + rng_below(r, DOMAINS - 1);
	u64 left = pages_left, used = pages_used;

	if (what == 0 && there[i])
		end_domain(i);
	else if (what < 3 && !there[i])
		begin_domain(i);
	if (rng_below(r, 4) == 0)
		pages_left = rng_below(r, 3);
	left += used - pages_used;
	used = pages_used;
	if (what < 12)
		make_offer(r);
	else if (what < 26)
		make_map(r);
	else if (what < 34)
		drop_map(r);
	else
		revoke(r);
	pages_left = left + used - pages_used;
}

static void random_changes(void **state)
{
	struct rng r = {2611};

	(void)state;
	p2m_set_machine((struct range){16 * GIB, 17 * GIB}, (ma_t){16 * GIB});
	for (u32 i = 0; i < random_cases(20); i++) {
		pages_begin(1000);
		begin_domain(0);
		for (u32 k = 0; k < 400; k++) {
			one_step(&r);
			check_all();
		}
		for (u32 d = DOMAINS; d-- > 0;)
			if (there[d])
				end_domain(d);
		assert_int_equal(pages_used, 0);
	}
}

static void refused(void **state)
{
	(void)state;
	pages_left = 1000;
	begin_domain(0);
	begin_domain(1);
	for (u32 i = 0; i < VL_MAX_GRANTS; i++)
		assert_int_equal(grant_offer(&domains[0], 1, RAM_PFN, false), i);
	assert_int_equal(grant_offer(&domains[0], 1, RAM_PFN, false), -VL_ENOSPC);
	assert_int_equal(grant_can_map(&domains[1], &domains[0], 0, (u64)1 << 40), -VL_EINVAL);
	assert_int_equal(grant_can_map(&domains[1], &domains[0], 0, 16 * GIB >> 12), -VL_EINVAL);
	assert_int_equal(grant_can_map(&domains[1], &domains[0], ~(u64)0, MAP_PFN), -VL_ENOENT);
	/* A page that is away is at home before it is shared. */
	assert_int_equal(p2m_set(&domains[0].p2m, (pfn_t){RAM_PFN}, (mfn_t){5}, 12), 0);
	assert_int_equal(grant_can_map(&domains[1], &domains[0], 0, MAP_PFN), -VL_EBUSY);
	p2m_clear(&domains[0].p2m, (pfn_t){RAM_PFN});
	/* What was given away since is not its to share. */
	assert_int_equal(p2m_give(&domains[0].p2m, (pfn_t){RAM_PFN}, (struct p2m_owner){3, 3}), 0);
	assert_int_equal(grant_can_map(&domains[1], &domains[0], 0, MAP_PFN), -VL_EFAULT);
	p2m_clear(&domains[0].p2m, (pfn_t){RAM_PFN});
	for (u32 i = 0; i < VL_MAX_GRANTS; i++) {
		broken.d = NULL;
		assert_int_equal(grant_map(&domains[1], &domains[0], i, MAP_PFN + i), 0);
		assert_ptr_equal(broken.d, &domains[0]);
		assert_int_equal(broken.pfn, RAM_PFN);
	}
	assert_int_equal(grant_can_map(&domains[1], &domains[0], 0, MAP_PFN + VL_MAX_GRANTS),
			 -VL_ENOSPC);
	end_domain(1);
	end_domain(0);
	assert_int_equal(pages_used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
