// SPDX-License-Identifier: MIT
/*
 * PCI functions that Vellum takes: what is found of one by its configuration
 * space, which is afterwards what it was; what is refused; and which ports, addresses
 * and bytes are kept from the guest.
 *
 * shows: I8
 */
#include "tests/unit/check.h"

#include "io/pci_set.h"

#define WORDS     64u
#define FUNCTIONS 4u
#define NETWORK   0x18u /* 00:03.0 */
#define DISKS     0x09u /* 00:01.1 */
#define OTHER     0x00u
#define MASTER    4u

/* Configuration space of a few functions; of the registers of addresses, only `mask` can be set. */
struct world {
	struct {
		u32 function;
		u32 word[WORDS];
		u32 mask[PCI_BARS];
		u32 decoded; /* times that a register of an address changed while it decoded */
	} f[FUNCTIONS];
};

static u32 find(const struct world *w, u32 function)
{
	u32 i = 0;

	while (i < FUNCTIONS && (w->f[i].word[0] == 0 || w->f[i].function != function))
		i++;
	return i;
}

static u32 world_read(void *context, u32 function, u32 offset)
{
	struct world *w = context;
	u32 i = find(w, function);

	assert_true(offset % 4 == 0 && offset / 4 < WORDS);
	return i < FUNCTIONS ? w->f[i].word[offset / 4] : 0xffffffff;
}

static void world_write(void *context, u32 function, u32 offset, u32 value)
{
	struct world *w = context;
	u32 i = find(w, function), word = offset / 4, bar = word - 4;

	assert_true(offset % 4 == 0 && word < WORDS && i < FUNCTIONS);
	if (word == 1) {
		w->f[i].word[1] = (w->f[i].word[1] & 0xffff0000) | (value & 0xffff);
	} else if (word >= 4 && bar < PCI_BARS) {
		u32 fixed = w->f[i].word[word] & 15 & ~w->f[i].mask[bar];

		w->f[i].decoded += (w->f[i].word[1] & 3) != 0;
		w->f[i].word[word] = (value & w->f[i].mask[bar]) | fixed;
	} else {
		stop_test("a write to %x", offset);
	}
}

static const struct pci_driver drivers[] = {
	{VL_PCI_NET, 0x100e8086, 0x0200, false},
	{VL_PCI_DISK, 0, 0x0101, true},
};

static bool world_is_free(struct range memory)
{
	return memory.start >= 0x80000000;
}

static const struct pci_rules rules = {drivers, ARRAY_SIZE(drivers), world_is_free};

static struct world *begin(void)
{
	struct world *w = calloc(1, sizeof(*w));

	w->f[0].function = OTHER;
	w->f[0].word[0] = 0x12378086;
	w->f[0].word[2] = 0x06000002;
	w->f[1].function = NETWORK;
	w->f[1].word[0] = 0x100e8086;
	w->f[1].word[1] = 0x02300103;
	w->f[1].word[2] = 0x02000003;
	w->f[1].word[4] = 0xfebc0000;
	w->f[1].word[5] = 0xc001;
	w->f[1].mask[0] = 0xfffe0000;
	w->f[1].mask[1] = 0xffffffc0;
	w->f[2].function = DISKS;
	w->f[2].word[0] = 0x70108086;
	w->f[2].word[1] = 0x02800001;
	w->f[2].word[2] = 0x01018000;
	w->f[2].word[8] = 0xc041;
	w->f[2].mask[4] = 0x0000fff0;
	return w;
}

static int examine(struct world *w, u32 function, struct pci_function *f)
{
	const struct pci_access a = {world_read, world_write, w};
	struct world before = *w;
	int err = pci_examine(&a, &rules, function, f);

	for (u32 i = 0; i < FUNCTIONS; i++) {
		assert_int_equal(w->f[i].decoded, 0);
		assert_memory_equal(w->f[i].word, before.f[i].word, sizeof(before.f[i].word));
	}
	return err;
}

static void is_range(struct range r, u64 start, u64 end)
{
	assert_int_equal(r.start, start);
	assert_int_equal(r.end, end);
}

/* A function's registers and ports are found, and nothing of it has changed */
static void a_function_is_found(void **state)
{
	struct world *w = begin();
	struct pci_function f;

	(void)state;
	assert_int_equal(examine(w, NETWORK, &f), 0);
	assert_int_equal(f.kind, VL_PCI_NET);
	assert_int_equal(f.id, 0x100e8086);
	assert_int_equal(f.command, 0x103);
	is_range(f.memory[0], 0xfebc0000, 0xfebe0000);
	is_range(f.ports[1], 0xc000, 0xc040);
	is_range(f.memory[1], 0, 0);
	assert_false(f.legacy);
	assert_int_equal(examine(w, DISKS, &f), 0);
	assert_int_equal(f.kind, VL_PCI_DISK);
	assert_true(f.legacy);
	is_range(f.ports[4], 0xc040, 0xc050);
	free(w);
}

static void what_is_refused(void **state)
{
	struct world *w = begin();
	struct pci_function f;

	(void)state;
	assert_int_equal(examine(w, 0x20, &f), -VL_ENOENT);
	assert_int_equal(examine(w, OTHER, &f), -VL_ENXIO);
	w->f[1].word[0] = 0x10d38086; /* of the class, but another card */
	assert_int_equal(examine(w, NETWORK, &f), -VL_ENXIO);
	w->f[1].word[0] = 0x100e8086;
	w->f[1].word[3] = 0x00010000; /* a bridge's header */
	assert_int_equal(examine(w, NETWORK, &f), -VL_ENXIO);
	w->f[1].word[3] = 0x00800000;
	assert_int_equal(examine(w, NETWORK, &f), 0);
	w->f[1].word[1] |= MASTER;
	assert_int_equal(examine(w, NETWORK, &f), -VL_EBUSY);
	free(w);
}

/* Whether the network card is taken with its registers there. */
static int at(u32 bar, u32 next)
{
	struct world *w = begin();
	struct pci_function f;
	int err;

	w->f[1].word[4] = bar;
	w->f[1].word[5] = next;
	err = examine(w, NETWORK, &f);
	free(w);
	return err;
}

/* Registers that lie in memory, at no address or above 4 GiB are refused */
static void registers_in_odd_places(void **state)
{
	(void)state;
	assert_int_equal(at(0xfebc0000, 0xc001), 0);
	assert_int_equal(at(0, 0xc001), -VL_ERANGE);
	assert_int_equal(at(0x7ffe0000, 0xc001), -VL_ERANGE); /* where world_is_free() says no */
	assert_int_equal(at(0xfec00000, 0xc001), -VL_ERANGE);
	assert_int_equal(at(0xfffe0000, 0xc001), -VL_ERANGE);
	assert_int_equal(at(0xfebc0000, 1), -VL_ERANGE);
	assert_int_equal(at(0xfebc0000, 0x3c1), -VL_ERANGE);
	assert_int_equal(at(0xfebc0000, 0x100c1), -VL_ERANGE);
}

static void registers_of_64_bits(void **state)
{
	struct world *w = begin();
	struct pci_function f;

	(void)state;
	w->f[1].word[4] = 0xfebc0004;
	w->f[1].word[5] = 0;
	w->f[1].mask[1] = 0xffffffff;
	assert_int_equal(examine(w, NETWORK, &f), 0);
	is_range(f.memory[0], 0xfebc0000, 0xfebe0000);
	w->f[1].word[5] = 1;
	assert_int_equal(examine(w, NETWORK, &f), -VL_ERANGE);
	w->f[1].word[5] = 0;
	w->f[1].word[9] = 0xfeb00004; /* the last one has none behind it */
	w->f[1].mask[5] = 0xffff0000;
	assert_int_equal(examine(w, NETWORK, &f), -VL_ERANGE);
	free(w);
}

static void registers_smaller_than_a_page(void **state)
{
	struct world *w = begin();
	struct pci_function f;

	(void)state;
	w->f[1].mask[0] = 0xffffff00;
	assert_int_equal(examine(w, NETWORK, &f), -VL_ERANGE);
	free(w);
}

static void bus_mastering_comes_and_goes(void **state)
{
	struct world *w = begin();
	const struct pci_access a = {world_read, world_write, w};
	struct pci_function f;

	(void)state;
	assert_int_equal(examine(w, NETWORK, &f), 0);
	pci_enable(&a, &f);
	assert_int_equal(w->f[1].word[1] & 0xffff, 0x507);
	pci_disable(&a, &f);
	assert_int_equal(w->f[1].word[1] & 0xffff, 0x103);
	free(w);
}

/* --- the set --- */

static struct pci_set both(void)
{
	struct world *w = begin();
	struct pci_set s = {0};
	struct pci_function f;

	assert_int_equal(examine(w, NETWORK, &f), 0);
	assert_int_equal(pci_add(&s, &f), 0);
	assert_int_equal(pci_add(&s, &f), -VL_EEXIST);
	assert_int_equal(examine(w, DISKS, &f), 0);
	assert_int_equal(pci_add(&s, &f), 0);
	free(w);
	return s;
}

/* Exactly the ports, addresses and bytes of functions that are taken are hidden */
static void what_is_hidden(void **state)
{
	struct pci_set s = both();

	(void)state;
	for (u32 port = 0; port < 0x10000; port++) {
		bool is = (port >= 0xc000 && port < 0xc050) || (port & ~7u) == 0x1f0 ||
			  (port & ~7u) == 0x170 || port == 0x3f6 || port == 0x376;

		assert_int_equal(pci_has_ports(&s, (u16)port, 1), is);
	}
	assert_true(pci_has_ports(&s, 0xbffe, 4));
	assert_false(pci_has_ports(&s, 0xbffc, 4));
	assert_true(pci_has_ports(&s, 0x3f5, 2));
	assert_true(pci_has_memory(&s, (struct range){0xfebdffff, 0xfebe0000}));
	assert_false(pci_has_memory(&s, (struct range){0xfebe0000, 0xfebe1000}));
	assert_true(pci_has_memory(&s, (struct range){0xfea00000, 0xfec00000}));
	assert_true(pci_has_address(&s, 0x80001804));
	assert_false(pci_has_address(&s, 0x00001804));
	assert_false(pci_has_address(&s, 0x80001904));
	assert_true(pci_has_address(&s, 0x800009fc));
	assert_true(pci_has_address(&s, 0xff000900)); /* bits 30:24 are reserved */
}

static void the_set_has_an_end(void **state)
{
	struct pci_set s = both();
	struct pci_function f = s.function[0];

	(void)state;
	pci_remove(&s, NETWORK);
	pci_remove(&s, NETWORK);
	assert_int_equal(s.count, 1);
	assert_null(pci_find(&s, NETWORK));
	assert_non_null(pci_find(&s, DISKS));
	assert_false(pci_has_ports(&s, 0xc000, 1));
	for (f.function = 0x100; s.count < VL_MAX_PCI_TAKEN; f.function++)
		assert_int_equal(pci_add(&s, &f), 0);
	assert_int_equal(pci_add(&s, &f), -VL_ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_function_is_found),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(registers_in_odd_places),
		cmocka_unit_test(registers_of_64_bits),
		cmocka_unit_test(registers_smaller_than_a_page),
		cmocka_unit_test(bus_mastering_comes_and_goes),
		cmocka_unit_test(what_is_hidden),
		cmocka_unit_test(the_set_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
