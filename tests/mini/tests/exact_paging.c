// SPDX-License-Identifier: MIT
/*
 * Page tables by brute force: combinations of the bits of one level, and of two
 * levels at a time, with the others permissive, for each kind of access in each
 * mode. What comes out (exception, error code, CR2, and the entries of all
 * levels afterwards) is folded into a sum for each group; `dump=GROUP` prints
 * that group in full.
 *
 * One frame is mapped, and its address is chosen for the virtual one, so that
 * pages of 4 KiB, 2 MiB and 1 GiB all lead to it. Only what the architecture
 * determines is folded: after a fault the A bits are left out.
 */
#include "lib/print.h"
#include "lib/string.h"
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/tap.h"
#include "mini/tests/keys.h"
#include "mini/tests/observe.h"
#include "mini/tests/user_program.h"

#define BASE_VA   0x0000020000000000ul /* a slot of its own, 1 GiB aligned */
#define LEVELS    4
#define CR4_SMEP  0x100000u
#define CR4_SMAP  0x200000u
#define PTE_KEY   (15ul << PTE_KEY_SHIFT)
#define AT_USER   0  /* in the page: the gate, */
#define AT_RETURN 16 /* a return, */
#define AT_DATA   64 /* and a byte to read and write */

enum access {
	KERNEL_READ,
	KERNEL_WRITE,
	KERNEL_CALL,
	USER_READ,
	USER_WRITE,
	USER_JUMP,
	NR_ACCESSES,
};

struct mode {
	const char *name;
	u64 cr4;    /* bits added */
	bool no_wp; /* CR0.WP off */
	bool ac;    /* RFLAGS.AC in the kernel */
	u32 pkru;
};

static const struct mode modes[] = {
	{.name = "plain"},
	{.name = "nowp", .no_wp = true},
	{.name = "smep", .cr4 = CR4_SMEP},
	{.name = "smap", .cr4 = CR4_SMAP},
	{.name = "smap-ac", .cr4 = CR4_SMAP, .ac = true},
	{.name = "smap-nowp", .cr4 = CR4_SMEP | CR4_SMAP, .no_wp = true},
	{.name = "key-deny", .cr4 = CR4_PKE, .pkru = 1},
	{.name = "key-read", .cr4 = CR4_PKE, .pkru = 2},
	{.name = "key-read-nowp", .cr4 = CR4_PKE, .pkru = 2, .no_wp = true},
	{.name = "key-five", .cr4 = CR4_PKE, .pkru = 0xb << 8},
};

/* The tables of the one address. */
static struct {
	struct user_program programs; /* one space; the code is exchanged */
	volatile u64 *entry[LEVELS + 1];
	u64 base[LEVELS + 1];  /* permissive: the next table, or the page */
	u64 large[LEVELS + 1]; /* the page's frame as a leaf of this level */
	pa_t page;
	u64 va;
	const struct mode *mode;
	u64 count;
	u32 every; /* of the combinations of two levels that is tried */
	bool dump;
	u64 sum;
} it;

static const u64 bits[] = {PTE_P, PTE_W, PTE_U, PTE_A, PTE_D, PTE_PS, PTE_NX};
static const u64 pair_bits[] = {PTE_W, PTE_U, PTE_A, PTE_NX};

static u64 choose(u32 combination, const u64 *from, size_t n)
{
	u64 value = 0;

	for (size_t i = 0; i < n; i++)
		value |= combination >> i & 1 ? from[i] : 0;
	return value & PTE_NX ? value ^ PTE_NX ^ paging_nx() : value;
}

static void map_it(void)
{
	u8 *page;

	USER_PROGRAM_LOAD(&it.programs, access);
	it.page = user_program_page(&it.programs, BASE_VA, PTE_W);
	CHECK(it.page.v < GIB, "the frame is not in the first GiB");
	space_unmap(&it.programs.space, (va_t){BASE_VA});
	it.va = BASE_VA + it.page.v;
	CHECK(space_map(&it.programs.space, (va_t){it.va}, it.page, PAGE_SIZE, PTE_W | PTE_U) == 0,
	      "cannot map %#lx", it.va);
	it.entry[LEVELS] = (u64 *)pa_to_ptr(it.programs.space.root) + (it.va >> 39 & 511);
	for (int level = LEVELS; level > 0; level--) {
		it.base[level] = (*it.entry[level] & PTE_ADDRESS) | PTE_P | PTE_W | PTE_U;
		it.large[level] = it.page.v & ~(((u64)PAGE_SIZE << 9 * (level - 1)) - 1);
		if (level > 1)
			it.entry[level - 1] =
				(u64 *)pa_to_ptr((pa_t){*it.entry[level] & PTE_ADDRESS}) +
				(it.va >> (12 + 9 * (level - 2)) & 511);
	}
	page = pa_to_ptr(it.page);
	page[AT_USER] = 0xcd; /* int VECTOR_GATE */
	page[AT_USER + 1] = VECTOR_GATE;
	page[AT_RETURN] = 0xc3; /* ret */
}

static void unmap_it(void)
{
	for (int level = LEVELS; level > 0; level--)
		*it.entry[level] = it.base[level];
	*it.entry[1] = 0;
	user_program_unload(&it.programs);
	frame_free(it.page);
}

/* An entry of `level` with these bits. PS in levels 3 and 2 makes it the page. */
static u64 entry_with(int level, u64 flags)
{
	u64 key = it.base[level] & PTE_KEY;

	if ((level == 2 || level == 3) && (flags & PTE_PS))
		return it.large[level] | key | flags;
	return (it.base[level] & PTE_ADDRESS) | key | flags;
}

static void flush(void)
{
	u64 cr4 = read_cr4();

	switch (it.count++ % 3) {
	case 0:
		invlpg(it.va);
		break;
	case 1:
		write_cr3(read_cr3());
		break;
	default:
		write_cr4(cr4 ^ CR4_PGE);
		write_cr4(cr4);
		break;
	}
}

static void kernel_access(void *arg)
{
	enum access access = *(enum access *)arg;

	if (it.mode->ac)
		asm volatile("stac" ::: "memory");
	if (access == KERNEL_READ)
		(void)*(volatile u8 *)(it.va + AT_DATA);
	else if (access == KERNEL_WRITE)
		*(volatile u8 *)(it.va + AT_DATA) = 1;
	else
		asm volatile("call *%0" ::"r"(it.va + AT_RETURN) : "memory", "cc");
	if (it.mode->ac)
		asm volatile("clac" ::: "memory");
}

static struct outcome do_access(enum access access)
{
	struct trap_frame regs = it.programs.regs;

	if (access <= KERNEL_CALL)
		return observe_kernel(kernel_access, &access);
	regs.rdi = it.va + (access == USER_JUMP ? AT_USER : AT_DATA);
	regs.rax = access - USER_READ;
	return observe_user(&regs, USER_IRET, NULL);
}

static bool worked(const struct outcome *o)
{
	return !o->trapped || (o->ring == 3 && o->info.vector == VECTOR_GATE);
}

static void note(const char *what, u64 id, enum access access, struct outcome *o)
{
	u64 mask = worked(o) ? ~(u64)0 : ~PTE_A;

	o->info.rip = 0;
	if (o->info.vector == TRAP_PF && (o->info.error & PF_RSVD))
		o->info.error |= PF_P; /* SDM; QEMU 7.2 forgets it */
	it.sum = observe_fold_outcome(it.sum, o);
	for (int level = LEVELS; level > 0; level--)
		it.sum = observe_fold(it.sum, *it.entry[level] & mask);
	if (it.dump)
		print("= %s %#lx access %u: %s; %#lx %#lx %#lx %#lx\n", what, id, access,
		      outcome_text(o), *it.entry[4] & mask, *it.entry[3] & mask,
		      *it.entry[2] & mask, *it.entry[1] & mask);
}

/* All accesses with these entries, each from the same start; then each without the entry that
 * `revoke` names, which must be seen after the flush. */
static void try_all(const u64 entry[LEVELS + 1], u64 id, int revoke)
{
	for (enum access access = 0; access < NR_ACCESSES; access++) {
		struct outcome o;

		for (int level = LEVELS; level > 0; level--)
			*it.entry[level] = entry[level];
		flush();
		o = do_access(access);
		note("entries", id, access, &o);
		if (revoke == 0 || !worked(&o))
			continue;
		*it.entry[revoke] &= ~PTE_P;
		flush();
		o = do_access(access);
		note("revoked", id, access, &o);
		/* And what is not present is never cached. */
		*it.entry[revoke] |= PTE_P;
		o = do_access(access);
		note("granted", id, access, &o);
	}
}

static void begin(const char *kind, int a, int b)
{
	static char name[40], wanted[40];

	vl_snprintf(name, sizeof(name), "%s-%d%d-%s", kind, a, b, it.mode->name);
	it.dump = cmdline_get("dump", wanted, sizeof(wanted)) && strcmp(name, wanted) == 0;
	it.sum = OBSERVE_START;
}

static void end(const char *kind, int a, int b)
{
	print("= %s-%d%d-%s: %#lx\n", kind, a, b, it.mode->name, it.sum);
}

static void one_level(int level)
{
	u64 entry[LEVELS + 1];

	begin("one", level, 0);
	for (u32 c = 0; c < 1u << ARRAY_SIZE(bits); c++) {
		memcpy(entry, it.base, sizeof(entry));
		entry[level] = entry_with(level, choose(c, bits, ARRAY_SIZE(bits)));
		try_all(entry, c, level);
	}
	end("one", level, 0);
}

/* Two levels; the lower one is the leaf if it can be. */
static void two_levels(int high, int low)
{
	u64 entry[LEVELS + 1];
	const u32 n = 1u << ARRAY_SIZE(pair_bits);

	begin("two", high, low);
	for (u32 c = 0; c < n * n; c += it.every) {
		u64 leaf = low > 1 ? PTE_PS : 0;

		memcpy(entry, it.base, sizeof(entry));
		entry[high] =
			entry_with(high, PTE_P | choose(c / n, pair_bits, ARRAY_SIZE(pair_bits)));
		entry[low] = entry_with(
			low, PTE_P | leaf | choose(c % n, pair_bits, ARRAY_SIZE(pair_bits)));
		try_all(entry, c, 0);
	}
	end("two", high, low);
}

/* Single bits that are ignored, reserved or cache bits, in tables and in large pages. */
static void odd_bits(int level, u64 leaf)
{
	u32 physical = cpuid(0x80000008).eax & 0xff;
	u64 entry[LEVELS + 1];

	begin(leaf ? "large" : "odd", level, 0);
	for (u32 bit = 3; bit < 63; bit++) {
		u64 flag = (u64)1 << bit;

		/* Address bits that exist lead elsewhere; in a large page the low ones are
		 * reserved. */
		if (bit >= 12 && bit < physical && !(leaf && bit < 12 + 9 * ((u32)level - 1)))
			continue;
		if (flag == PTE_G || flag == PTE_PS)
			continue;
		memcpy(entry, it.base, sizeof(entry));
		entry[level] = entry_with(level, PTE_P | PTE_W | PTE_U | leaf) | flag;
		try_all(entry, bit, 0);
	}
	end(leaf ? "large" : "odd", level, 0);
}

static bool has_mode(const struct mode *mode)
{
	u32 ebx = cpuid(0).eax >= 7 ? cpuid(7).ebx : 0;

	return (!(mode->cr4 & CR4_SMEP) || (ebx >> 7 & 1)) &&
	       (!(mode->cr4 & CR4_SMAP) || (ebx >> 20 & 1)) &&
	       (!(mode->cr4 & CR4_PKE) || keys_exist());
}

static void enter_paging_mode(const struct mode *mode)
{
	it.mode = mode;
	write_cr0(mode->no_wp ? read_cr0() & ~(u64)CR0_WP : read_cr0() | CR0_WP);
	write_cr4(read_cr4() | mode->cr4);
	if (mode->cr4 & CR4_PKE)
		write_pkru(mode->pkru);
	for (int level = LEVELS; level > 0; level--)
		if (mode->pkru >> 8 != 0)
			it.base[level] |= PTE_KEY & 5ul << PTE_KEY_SHIFT;
}

static void leave_paging_mode(const struct mode *mode)
{
	if (mode->cr4 & CR4_PKE)
		write_pkru(0);
	write_cr4(read_cr4() & ~mode->cr4);
	write_cr0(read_cr0() | CR0_WP);
	for (int level = LEVELS; level > 0; level--)
		it.base[level] &= ~PTE_KEY;
}

static void all_of_mode(void)
{
	for (int level = LEVELS; level > 0; level--)
		one_level(level);
	for (int high = LEVELS; high > 1; high--)
		for (int low = high - 1; low > 0; low--)
			two_levels(high, low);
	for (int level = LEVELS; level > 0; level--)
		odd_bits(level, 0);
	odd_bits(3, PTE_PS);
	odd_bits(2, PTE_PS);
}

TEST_ON_REQUEST(exact_paging, "M5 M6 I2")
{
	u64 every;

	it.every = 1;
	if (cmdline_get_hex("every", &every) && every > 0)
		it.every = (u32)every;
	map_it();
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!has_mode(&modes[i]))
			continue;
		enter_paging_mode(&modes[i]);
		all_of_mode();
		leave_paging_mode(&modes[i]);
	}
	unmap_it();
}
