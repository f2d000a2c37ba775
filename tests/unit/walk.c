// SPDX-License-Identifier: MIT
/*
 * The guest page-table walk, brute force: every combination of the rights bits
 * at each of the levels, every access, every mode, against a model that is
 * written from the manual's sentences (SDM volume 3, 4.6 and 4.7) and shares
 * no code with the walk.
 */
/* shows: M5 */
#include "tests/unit/check.h"

#include "mem/pagetable.h"
#include "shadow/walk.h"

#define FRAMES 8
#define VA     0x0000123456789abcull

static u64 memory[FRAMES][512];
static u64 seed = 12345;

static u64 next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static volatile u64 *table(void *context, pfn_t frame)
{
	(void)context;
	return frame.v < FRAMES ? memory[frame.v] : NULL;
}

static const struct range_pair nowhere;
static const struct guest_tables tables = {.table = table, .plain = &nowhere};

/* Entry of `level` for VA; table of level n is frame 5 - n. */
static u64 *entry(u32 level)
{
	return &memory[5 - level][level_index(VA, level)];
}

/* The rights that the manual derives from all entries used. */
struct rights {
	bool present, reserved, w, u, nx;
	u32 leaf;
	u8 key;
};

static struct rights model_rights(const struct paging_mode *m)
{
	struct rights r = {.present = true, .w = true, .u = true};

	for (u32 level = 4; level >= 1; level--) {
		u64 e = *entry(level);

		r.leaf = level;
		if (!(e & 1)) {
			r.present = false;
			return r;
		}
		if (!m->nx && (e >> 63))
			r.reserved = true;
		if (level == 4 && (e & 0x80))
			r.reserved = true;
		if ((e & 0x000ffff000000000ull) >> m->physical_bits << m->physical_bits &
		    0x000ffff000000000ull)
			r.reserved = true;
		if ((level == 3 && (e & 0x80) && (e & 0x3fffe000)) ||
		    (level == 2 && (e & 0x80) && (e & 0x1fe000)))
			r.reserved = true;
		if (r.reserved)
			return r;
		r.w = r.w && (e & 2);
		r.u = r.u && (e & 4);
		r.nx = r.nx || (e >> 63);
		r.key = m->keys && r.u ? (u8)(e >> 59 & 15) : 0; /* keys are of user pages only */
		if ((level == 3 || level == 2) && (e & 0x80))
			return r;
	}
	return r;
}

static u32 model(const struct paging_mode *m, u32 access)
{
	struct rights r = model_rights(m);
	u32 code = access & (PF_WRITE | PF_USER);
	bool user = access & PF_USER, write = access & PF_WRITE, fetch = access & PF_FETCH;
	bool ad, wd, denied;

	if (fetch && (m->nx || m->smep))
		code |= PF_FETCH;
	if (!r.present)
		return WALK_FAULT | code;
	if (r.reserved)
		return WALK_FAULT | code | PF_PRESENT | PF_RESERVED;
	ad = m->pkru >> (2 * r.key) & 1;
	wd = m->pkru >> (2 * r.key + 1) & 1;
	denied = (user && !r.u) || (fetch && r.nx) || (fetch && !user && r.u && m->smep) ||
		 (!fetch && !user && r.u && m->smap) || (write && !r.w && (user || m->wp));
	/* The key's bit tells of the key alone, whatever else is wrong. */
	if (m->keys && r.u && !fetch && (ad || (write && wd && (user || m->wp))))
		return WALK_FAULT | code | PF_PRESENT | PF_KEY;
	if (denied)
		return WALK_FAULT | code | PF_PRESENT;
	return 0;
}

static void check_used(u32 answer, u32 access, const u64 before[5])
{
	struct rights r = model_rights(&(struct paging_mode){.nx = true, .physical_bits = 52});

	for (u32 level = 4; level >= 1; level--) {
		u64 want = before[level];

		if (answer == 0 && level >= r.leaf)
			want |= PTE_A;
		if (answer == 0 && level == r.leaf && (access & PF_WRITE))
			want |= PTE_D;
		assert_int_equal(*entry(level), want);
	}
}

static void check_one(const struct paging_mode *m, u32 access)
{
	struct translation t = {0};
	struct rights r = model_rights(m);
	u64 before[5];
	u32 answer, want = model(m, access);

	for (u32 level = 1; level <= 4; level++)
		before[level] = *entry(level);
	answer = walk(m, &tables, VA, access, &t);
	assert_int_equal(answer, want);
	check_used(answer, access, before);
	if (answer != 0)
		return;
	assert_int_equal(t.level, r.leaf);
	assert_int_equal((t.rights & PTE_W) != 0, r.w);
	assert_int_equal((t.rights & PTE_U) != 0, r.u);
	assert_int_equal((t.rights & PTE_NX) != 0, r.nx);
	assert_int_equal(translation_key(&t), r.key);
	assert_int_equal(t.page.v, *entry(r.leaf) & PTE_ADDR & ~(level_size(r.leaf) - 1));
	assert_true(((t.rights & PTE_D) != 0) == ((before[r.leaf] & PTE_D) || (access & PF_WRITE)));
}

static void link_tables(void)
{
	for (u32 level = 4; level > 1; level--)
		*entry(level) = (u64)(5 - (level - 1)) << PAGE_SHIFT | PTE_P | PTE_W | PTE_U;
	*entry(1) = 0x7654321000 | PTE_P | PTE_W | PTE_U;
}

/* P, W, U, PS and NX at each level that counts, A and D at the leaf. */
static void set_rights(u32 bits)
{
	static const u64 kinds[] = {PTE_P, PTE_W, PTE_U, PTE_NX};

	link_tables();
	for (u32 level = 1; level <= 4; level++)
		for (u32 k = 0; k < 4; k++) {
			u32 flip = bits >> ((level - 1) * 4 + k) & 1;

			if (flip)
				*entry(level) ^= kinds[k];
		}
}

static const u32 accesses[] = {
	0, PF_WRITE, PF_FETCH, PF_USER, PF_USER | PF_WRITE, PF_USER | PF_FETCH,
};

static void check_accesses(struct paging_mode *m)
{
	for (u32 mode = 0; mode < 16; mode++) {
		m->wp = mode & 1;
		m->nx = mode & 2;
		m->smep = mode & 4;
		m->smap = mode & 8;
		paging_mode_prepare(m);
		for (size_t i = 0; i < ARRAY_SIZE(accesses); i++)
			check_one(m, accesses[i]);
	}
}

static void every_right_at_every_level(void **state)
{
	struct paging_mode m = {.root = {1 << PAGE_SHIFT}, .physical_bits = 40};

	(void)state;
	for (u32 bits = 0; bits < 1u << 16; bits++) {
		set_rights(bits);
		check_accesses(&m);
	}
}

static void large_pages(void **state)
{
	struct paging_mode m = {.root = {1 << PAGE_SHIFT}, .physical_bits = 40};

	(void)state;
	for (u32 level = 2; level <= 4; level++)
		for (u32 bits = 0; bits < 1u << 16; bits += 7) {
			set_rights(bits);
			*entry(level) |= PTE_PS;
			if (bits % 3 != 0)
				*entry(level) &= ~(0x3fffe000ull);
			check_accesses(&m);
		}
}

static void random_entries(void **state)
{
	struct paging_mode m = {.root = {1 << PAGE_SHIFT}};

	(void)state;
	for (u32 round = 0; round < 200000; round++) {
		link_tables();
		m.physical_bits = 36 + (u32)(next() % 17);
		m.keys = next() % 2;
		m.pkru = (u32)next();
		for (u32 level = 1; level <= 4; level++) {
			u32 bit = (u32)(next() % 64);

			/* Where the next table is stays as it is: the model knows one place. */
			if (level == 1 || bit < 12 || bit >= m.physical_bits)
				*entry(level) ^= (u64)1 << bit;
		}
		check_accesses(&m);
	}
}

static void outside_ram(void **state)
{
	struct paging_mode m = {.root = {100 << PAGE_SHIFT}, .physical_bits = 40};
	struct translation t;

	(void)state;
	paging_mode_prepare(&m);
	assert_int_equal(walk(&m, &tables, VA, PF_WRITE, &t), WALK_FAULT | PF_WRITE);
	m.root.v = 1 << PAGE_SHIFT;
	link_tables();
	*entry(3) = (u64)99 << PAGE_SHIFT | PTE_P | PTE_W | PTE_U;
	assert_int_equal(walk(&m, &tables, VA, PF_USER, &t), WALK_FAULT | PF_USER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_right_at_every_level),
		cmocka_unit_test(large_pages),
		cmocka_unit_test(random_entries),
		cmocka_unit_test(outside_ram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
