// SPDX-License-Identifier: MIT
/*
 * Vellum's command line: every option, every bound, and the sentence for what
 * is not understood.
 */
/* shows: I6 */
#include "tests/unit/check.h"

#include "domain/options.h"
#include "p2m/remap.h"
#include "public/hypercall.h"

static struct options o;
static struct failure f;

static int parse(const char *s)
{
	char *exact = strdup(s);
	int err;

	memset(&o, 0x55, sizeof(o));
	f.text[0] = 0;
	err = options_parse(exact, &o, &f);
	free(exact);
	return err;
}

static void defaults(void **state)
{
	static const char *const empty[] = {"", "   ", "/boot/vellum.elf", "\t/vellum.elf \n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
		assert_works(parse(empty[i]), &f);
		assert_false(o.memory_given);
		assert_int_equal(o.partition_size, 0);
		assert_int_equal(o.memory, MEM_CONTIGUOUS);
		assert_int_equal(o.console, CONSOLE_SERIAL | CONSOLE_VGA);
		assert_int_equal(o.serial_port, 0x3f8);
		assert_int_equal(o.serial_baud, 115200);
		assert_true(o.kernel_crc);
		assert_true(o.apic_trapped);
		assert_true(o.own_timer == 0);
		assert_false(o.begin_virtualized);
		assert_int_equal(o.shadow, VL_SHADOW_ALL);
		assert_int_equal(o.fast, VL_FAST_ALL);
		assert_false(o.debug);
	}
}

static void all_options(void **state)
{
	(void)state;
	assert_works(parse("/vellum vellum_mem=128M mem=all console=vga serial=0x2f8,9600 "
			   "kernel_crc=off apic=direct own_timer=0x100000 debug"),
		     &f);
	assert_int_equal(o.partition_size, 128 * MIB);
	assert_int_equal(o.memory, MEM_ALL);
	assert_true(o.memory_given);
	assert_int_equal(o.console, CONSOLE_VGA);
	assert_int_equal(o.serial_port, 0x2f8);
	assert_int_equal(o.serial_baud, 9600);
	assert_false(o.kernel_crc);
	assert_false(o.apic_trapped);
	assert_true(o.own_timer == 0x100000);
	assert_true(o.debug);
	assert_works(parse("mem=contiguous console=none kernel_crc=on serial=1016"), &f);
	assert_int_equal(o.console, 0);
	assert_int_equal(o.serial_port, 1016);
	assert_works(parse("serial=0xfff8,50"), &f);
	assert_int_equal(o.serial_port, 0xfff8);
	assert_int_equal(o.serial_baud, 50);
	assert_works(parse("console=serial console=both"), &f);
	assert_int_equal(o.console, CONSOLE_SERIAL | CONSOLE_VGA);
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		u64 size;
	} good[] = {
		{"vellum_mem=16M", 16 * MIB},
		{"vellum_mem=16384k", 16 * MIB},
		{"vellum_mem=16777216", 16 * MIB},
		{"vellum_mem=0x1000000", 16 * MIB},
		{"vellum_mem=1G", GIB},
		{"vellum_mem=1024m", GIB},
		{"vellum_mem=17000000", 17000000},
		{"vellum_mem=0x1abcdef", 0x1abcdef},
		{"vellum_mem=0X1ABCDEF", 0x1abcdef},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_works(parse(good[i].text), &f);
		assert_int_equal(o.partition_size, good[i].size);
	}
}

static void bad_sizes(void **state)
{
	static const char *const small[] = {"1", "0", "1K", "15M", "16777215"};
	static const char *const large[] = {"4T",
					    "1025M",
					    "2G",
					    "18446744073709551615",
					    "99999999999999999999999999",
					    "0x40000001",
					    "18446744073709551615T",
					    "16777216T",
					    "0xffffffffffffffffffff"};
	static const char *const odd[] = {"",      "M",   "-1",   "64MB", "0x",    "64a",
					  "0x1k0", "64X", "64M,", "1.5G", "00x10M"};
	char text[80];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(small); i++) {
		snprintf(text, sizeof(text), "vellum_mem=%s", small[i]);
		assert_fails(parse(text), VL_ERANGE, &f, "too small");
		assert_int_equal(o.partition_size, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(large); i++) {
		snprintf(text, sizeof(text), "vellum_mem=%s", large[i]);
		assert_fails(parse(text), VL_ERANGE, &f, "at most 1024M");
	}
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		snprintf(text, sizeof(text), "vellum_mem=%s", odd[i]);
		assert_fails(parse(text), VL_EINVAL, &f, "is not a size");
	}
	assert_fails(parse("vellum_mem=64MB"), VL_EINVAL, &f, "64MB is not a size");
}

static void switches_add_and_take_off(void **state)
{
	static const struct {
		const char *list;
		u32 shadow;
	} shadow[] = {
		{"all", VL_SHADOW_ALL},
		{"none", 0},
		{"prefill", VL_SHADOW_PREFILL},
		{"-prefill", VL_SHADOW_ALL & ~VL_SHADOW_PREFILL},
		{"all,-prefill", VL_SHADOW_ALL & ~VL_SHADOW_PREFILL},
		{"-prefill,-large,prefill", VL_SHADOW_ALL & ~VL_SHADOW_LARGE},
		{"large,cached_roots,-large", VL_SHADOW_CACHED_ROOTS},
		{"all,none,shared", VL_SHADOW_SHARED},
		{"walk_cache,access_cache", VL_SHADOW_WALK_CACHE | VL_SHADOW_ACCESS_CACHE},
		{"-all", 0},
	};
	char text[80];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shadow); i++) {
		snprintf(text, sizeof(text), "shadow=%s", shadow[i].list);
		assert_works(parse(text), &f);
		assert_int_equal(o.shadow, shadow[i].shadow);
		assert_int_equal(o.fast, VL_FAST_ALL);
	}
	assert_works(parse("fast=syscall,sysret,iret,kernel_iret,swapgs,faults,calls"), &f);
	assert_int_equal(o.fast, VL_FAST_ALL);
	assert_works(parse("fast=none shadow=none"), &f);
	assert_int_equal(o.fast | o.shadow, 0);
	assert_works(parse("fast=-calls,-faults"), &f);
	assert_int_equal(o.fast, VL_FAST_ALL & ~(VL_FAST_CALLS | VL_FAST_FAULTS));
}

static void bad_switches(void **state)
{
	static const char *const bad[] = {
		"",      ",",     "on",  "prefil", "prefill,", ",prefill",     "-",
		"-none", "--all", "All", "all -x", "faults",   "large,,shared"};
	char text[80];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "shadow=%s", bad[i]);
		assert_true(parse(text) == -VL_EINVAL);
		assert_int_equal(o.shadow, VL_SHADOW_ALL);
	}
	assert_fails(parse("shadow=prefil"), VL_EINVAL, &f, "as in shadow=all,-prefill");
	assert_fails(parse("fast=prefill"), VL_EINVAL, &f, "as in fast=all,-faults");
	assert_fails(parse("fast="), VL_EINVAL, &f, "use all, none");
}

static void bad_values(void **state)
{
	(void)state;
	assert_fails(parse("mem=some"), VL_EINVAL, &f, "mem=contiguous, mem=low or mem=all");
	assert_fails(parse("mem="), VL_EINVAL, &f, "mem=contiguous, mem=low or mem=all");
	assert_false(o.memory_given);
	assert_works(parse("mem=low"), &f);
	assert_int_equal(o.memory, MEM_WITH_LOW);
	assert_true(o.memory_given);
	assert_fails(parse("console=tty0"), VL_EINVAL, &f, "console=serial, vga, both or none");
	assert_fails(parse("kernel_crc=maybe"), VL_EINVAL, &f, "kernel_crc=on or kernel_crc=off");
	assert_fails(parse("apic=on"), VL_EINVAL, &f, "apic=direct or apic=trapped");
	assert_works(parse("begin=virtualized"), &f);
	assert_true(o.begin_virtualized);
	assert_works(parse("begin=virtualized begin=passthrough"), &f);
	assert_false(o.begin_virtualized);
	assert_fails(parse("begin=3"), VL_EINVAL, &f, "begin=virtualized");
	assert_works(parse("owners=refcount"), &f);
	assert_int_equal(o.owners, OWNERS_REFCOUNT);
	assert_works(parse("owners=search owners=backmap"), &f);
	assert_int_equal(o.owners, OWNERS_BACKMAP);
	assert_works(parse("remap=auto remap=direct"), &f);
	assert_int_equal(o.remap, REMAP_DIRECT);
	assert_fails(parse("remap=no"), VL_EINVAL, &f, "remap=auto, remap=indirect or");
	assert_fails(parse("owners=me"), VL_EINVAL, &f, "owners=backmap, owners=refcount or");
	assert_fails(parse("own_timer=9999"), VL_EINVAL, &f, "between 10000 and 1099511627776");
	assert_fails(parse("own_timer=1s"), VL_EINVAL, &f, "TSC ticks");
	assert_fails(parse("delays=100"), VL_EINVAL, &f, "debug builds");
	assert_fails(parse("serial=ttyS0"), VL_EINVAL, &f, "serial=0x3f8,115200");
	assert_fails(parse("serial=0"), VL_EINVAL, &f, "I/O port");
	assert_fails(parse("serial=0xfff9"), VL_EINVAL, &f, "I/O port");
	assert_fails(parse("serial=0x3f8,0"), VL_EINVAL, &f, "115200");
	assert_fails(parse("serial=0x3f8,115201"), VL_EINVAL, &f, "115200");
	assert_fails(parse("serial=0x3f8,48"), VL_EINVAL, &f, "115200");
	assert_fails(parse("serial=0x3f8,1000"), VL_EINVAL, &f, "115200");
	assert_fails(parse("serial=0x3f8,9600n8"), VL_EINVAL, &f, "115200");
	assert_fails(parse("serial=0x3f8,"), VL_EINVAL, &f, "115200");
}

static void unknown_options_are_named(void **state)
{
	static const char *const words[] = {"vellum_mem", "quiet",  "mem",    "=",     "debug=1",
					    "Debug",      "memo=1", "me=all", "x=y=z", "//"};
	char text[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		char quoted[32];

		snprintf(text, sizeof(text), "debug %s", words[i]);
		snprintf(quoted, sizeof(quoted), "\"%s\"", words[i]);
		assert_fails(parse(text), VL_EINVAL, &f, quoted);
		assert_non_null(strstr(f.text, "vellum_mem=, mem=, console="));
	}
	memset(text, 'y', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	assert_fails(parse(text), VL_EINVAL, &f, "Unknown option");
	assert_fails(parse("debug /boot/vellum.elf"), VL_EINVAL, &f, "/boot/vellum.elf");
}

static void first_failure_counts_and_the_rest_holds(void **state)
{
	(void)state;
	assert_fails(parse("bogus vellum_mem=1 console=vga"), VL_EINVAL, &f, "bogus");
	assert_int_equal(o.console, CONSOLE_VGA);
	assert_int_equal(o.partition_size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(all_options),
		cmocka_unit_test(sizes),
		cmocka_unit_test(bad_sizes),
		cmocka_unit_test(switches_add_and_take_off),
		cmocka_unit_test(bad_switches),
		cmocka_unit_test(bad_values),
		cmocka_unit_test(unknown_options_are_named),
		cmocka_unit_test(first_failure_counts_and_the_rest_holds),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
