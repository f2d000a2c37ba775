// SPDX-License-Identifier: MIT
/*
 * Configuration files of guests: what xl.cfg(5) allows is read as xl reads it,
 * and each error is told with its line and column, all of them at once. Then
 * random damage to a good file: nothing is lost, leaked or told beyond it.
 */
/* shows: U2 */
#include "tests/unit/check.h"

#include "dom-tools/config/config.h"

static struct config config;
static struct problems problems;

static const char good[] = "# A guest.\n"
			   "name = 'web'\n"
			   "kernel = \"/boot/vmlinuz\"\n"
			   "memory = 64\n";

static void parse_bytes(const char *text, size_t size)
{
	char *exact = malloc(size + 1);

	/* The scanner must not want a zero behind the text. */
	memcpy(exact + 1, text, size);
	memset(&problems, 0, sizeof(problems));
	assert_int_equal(config_parse(exact + 1, size, &config, &problems), 0);
	free(exact);
}

static void parse(const char *text)
{
	parse_bytes(text, strlen(text));
}

/* Two texts behind each other, the good one first. */
static void parse_with_good(const char *more)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s%s", good, more);
	parse(text);
}

static void assert_no_problem(void)
{
	if (problems.count > 0)
		stop_test("%u:%u: %s", problems.list[0].at.line, problems.list[0].at.column,
			  problems.list[0].text);
}

static void assert_problem(size_t i, u32 line, u32 column, const char *part)
{
	const struct problem *p = &problems.list[i];

	if (i >= problems.count)
		stop_test("no problem %zu: \"%s\"", i, part);
	if (p->at.line != line || p->at.column != column || strstr(p->text, part) == NULL)
		stop_test("%u:%u: \"%s\", not %u:%u: \"%s\"", p->at.line, p->at.column, p->text,
			  line, column, part);
}

static void assert_one(u32 line, u32 column, const char *part)
{
	assert_problem(0, line, column, part);
	if (problems.count > 1)
		stop_test("more than one: %u:%u: %s", problems.list[1].at.line,
			  problems.list[1].at.column, problems.list[1].text);
	assert_int_equal(problems.errors, 1);
	config_free(&config);
}

static void defaults(void **state)
{
	(void)state;
	parse(good);
	assert_no_problem();
	assert_string_equal(config.name, "web");
	assert_string_equal(config.kernel, "/boot/vmlinuz");
	assert_null(config.ramdisk);
	assert_string_equal(config.extra, "");
	assert_int_equal(config.memory_mib, 64);
	assert_int_equal(config.vcpus, 1);
	assert_int_equal(config.weight, 256);
	assert_int_equal(config.on_poweroff, ACTION_DESTROY);
	assert_int_equal(config.on_reboot, ACTION_RESTART);
	assert_int_equal(config.on_crash, ACTION_DESTROY);
	assert_int_equal(config.at[KEY_MEMORY].line, 4);
	assert_int_equal(config.at[KEY_MEMORY].column, 10);
	assert_int_equal(config.at[KEY_RAMDISK].line, 0);
	config_free(&config);
}

static void every_key(void **state)
{
	(void)state;
	parse("name=\"a.b_c+D-9\";kernel='k' ; ramdisk = 'r'\r\n"
	      "\n  ;;\textra='console=hvc0'\t# why not\n"
	      "memory=0x40\nvcpus = \"2\" # as in xl, quotes do not matter\n"
	      "weight = 65535\non_poweroff='restart'\non_reboot='preserve'\non_crash = 'destroy'\n"
	      "vif = [ ]\ndisk = [\n\n\t# nothing\n]");
	assert_no_problem();
	assert_string_equal(config.name, "a.b_c+D-9");
	assert_string_equal(config.ramdisk, "r");
	assert_string_equal(config.extra, "console=hvc0");
	assert_int_equal(config.memory_mib, 64);
	assert_int_equal(config.vcpus, 2);
	assert_int_equal(config.weight, 65535);
	assert_int_equal(config.on_poweroff, ACTION_RESTART);
	assert_int_equal(config.on_reboot, ACTION_PRESERVE);
	assert_int_equal(config.on_crash, ACTION_DESTROY);
	config_free(&config);
}

/* The literals by themselves, as values of `extra`. */
static void strings(void **state)
{
	static const struct {
		const char *text, *value;
	} cases[] = {
		{"''", ""},
		{"\"it's\"", "it's"},
		{"'say \"x\"'", "say \"x\""},
		{"'it\\'s'", "it's"},
		{"'# no comment ; no end'", "# no comment ; no end"},
		{"'a\\tb\\\\n\\x41\\1011\\n'", "a\tb\\nAA1\n"},
		{"'\\\"\\x4'", "\"\x04"},
		{"'\xc3\xa4'", "\xc3\xa4"},
		{"'a' ; extra += \"b\" ; extra += 'c'", "abc"},
		{"12", "12"},
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(text, sizeof(text), "extra = %s", cases[i].text);
		parse_with_good(text);
		assert_no_problem();
		assert_string_equal(config.extra, cases[i].value);
		config_free(&config);
	}
}

static void wrong_literals(void **state)
{
	static const struct {
		u32 column;
		const char *text, *part;
	} cases[] = {
		{9, "extra = 'a", "not closed"},
		{9, "extra = 'a\\'", "not closed"},
		{9, "extra = \"a\\", "not closed"},
		{11, "extra = 'a\\q'", "no such escape"},
		{9, "extra = '''a\nb'''", "triple quotes"},
		{9, "extra = \"\"\"a", "triple quotes"},
		{10, "extra = '\\0'", "cannot hold"},
		{10, "extra = '\\777'", "cannot hold"},
		{10, "extra = '\\x'", "no such escape"},
		{10, "vcpus = 1k", "not a digit"},
		{9, "vcpus = 01", "octal"},
		{10, "vcpus = 0x", "not a digit"},
		{11, "vcpus = 0xg", "not a digit"},
		{10, "vcpus = 1.5", "not a digit"},
		{9, "vcpus = -1", "a bare word stands where"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		parse_with_good(cases[i].text);
		assert_one(5, cases[i].column, cases[i].part);
	}
}

static void wrong_syntax(void **state)
{
	static const struct {
		u32 line, column;
		const char *text, *part;
	} cases[] = {
		{5, 9, "extra = hvc0", "text stands in quotes"},
		{5, 9, "extra = /dev/hvc0 # x",
		 "a bare word stands where a string, a number or `[`"},
		{5, 6, "extra", "the end of the line stands where `+=` or `=` should be"},
		{5, 7, "extra 'x'", "a string stands where `+=` or `=`"},
		{5, 13, "extra = 'x' 'y'", "a string stands where the end of the line or `;`"},
		{5, 1, "= 5", "`=` stands where a name should be"},
		{5, 7, "vif = [ '', ''", "not closed"},
		{5, 7, "vif = [\n'',\nextra = 'good'", "not closed"},
		{5, 9, "vif = [ , ]", "`,` stands where"},
		{5, 13, "vif = [ 'x' 'y' ]", "a string stands where"},
		{5, 9, "vif = [ x ]", "text stands in quotes"},
		{5, 1, "{}", "a bare word stands where a name"},
		{5, 1, "'x'", "a string stands where a name"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		parse_with_good(cases[i].text);
		/* What lists say is refused, too, in the statement's own place. */
		while (problems.count > 1 && strstr(problems.list[0].text, "not supported yet")) {
			memmove(problems.list, problems.list + 1, sizeof(problems.list[0]));
			problems.count--;
			problems.errors--;
		}
		assert_one(cases[i].line, cases[i].column, cases[i].part);
	}
}

static void wrong_meaning(void **state)
{
	static const struct {
		u32 column;
		const char *text, *part;
	} cases[] = {
		{9, "vcpus = 0", "`vcpus` is from 1 to 32"},
		{9, "vcpus = 33", "`vcpus` is from 1 to 32"},
		{10, "weight = 65536", "from 1 to 65535"},
		{10, "weight = 99999999999999999999999", "from 1 to 65535"},
		{10, "weight = 'much'", "`weight` is a number"},
		{10, "weight = '1x'", "`weight` is a number"},
		{10, "weight = ' 1'", "`weight` is a number"},
		{10, "weight = [ 1 ]", "`weight` is a number"},
		{11, "ramdisk = ''", "`ramdisk` is empty"},
		{11, "ramdisk = ['x']", "`ramdisk` is a string, not a list"},
		{12, "on_crash = 'coredump-destroy'", "'destroy', 'restart' or 'preserve'"},
		{12, "on_crash = [ ]", "'destroy', 'restart' or 'preserve'"},
		{9, "vif = [ 'mac=00:16:3e:00:00:01x' ]", "no address of one station"},
		{9, "vif = [ 'mac=00:16:3e:00:00' ]", "no address of one station"},
		{9, "vif = [ 'mac=00:00:00:00:00:00' ]", "no address of one station"},
		{9, "vif = [ 'mac=0:16:3e:00:00:1' ]", "no address of one station"},
		{9, "vif = [ 'bridge=' ]", "no name of a bridge"},
		{9, "vif = [ 'bridge=sixteen-letters-' ]", "no name of a bridge"},
		{9, "vif = [ 'ip=10.0.0.1' ]", "a vif has `mac` and `bridge`"},
		{41, "vif = [ '', '', '', '', '', '', '', '', '' ]", "at most 8 devices"},
		{10, "disk = [ 'a' ]", "cannot be written to"},
		{10, "disk = [ 'a,raw,vda,r,x' ]", "is not supported"},
		{10, "disk = [ 'ram:0M' ]", "is no size"},
		{10, "disk = [ 'ram:1' ]", "is no size"},
		{10, "disk = [ 'ram:-1M' ]", "is no size"},
		{10, "disk = [ 'ram:99999999999999999999M' ]", "is no size"},
		{10, "disk = [ 'phy:ide0p1025' ]", "is no disk that Vellum can have"},
		{10, "disk = [ 'phy:ide0p1@0+1K5' ]", "is no disk that Vellum can have"},
		{10, "disk = [ 'phy:ide0@99999999999999G+1K' ]", "is no disk that Vellum can have"},
		{10, "disk = [ 'phy:ide' ]", "is no disk that Vellum can have"},
		{10, "disk = [ '/dev/sda' ]", "is a device of this guest's"},
		{10, "disk = [ 5 ]", "`disk` is a list of strings"},
		{7, "vif = 'mac=00:16:3e:00:00:01'", "`vif` is a list"},
		{8, "disk = 'a'", "`disk` is a list"},
		{1, "frobnicate = 1", "unknown key `frobnicate`; vl.cfg(5)"},
		{1, "vcpu = 1", "did you mean `vcpus`?"},
		{1, "type = 'pv'", "`type` is not supported"},
		{1, "cpu_weight = 256", "here it is `weight`"},
		{1, "name = 'again'", "set already, in line 2"},
		{1, "memory += 64", "only a string"},
		{1, "name += [ 'x' ]", "only a string"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		parse_with_good(cases[i].text);
		assert_one(5, cases[i].column, cases[i].part);
	}
}

static void devices(void **state)
{
	static const u8 mac[] = {0x02, 0xaB, 0, 0, 0, 0x10};
	const struct config_devices *d = &config.devices;
	u8 made[6];

	(void)state;
	parse_with_good(
		"extra = 'quiet'\n"
		"vif = [ ' mac=02:aB:00:00:00:10 , bridge=lan ', '' ]\n"
		"vif += [ 'bridge=fifteen-letters' ]\n"
		"disk = [ '/a file,raw,vda,r', 'vdev=vdb, target=ram:64M', 'ram:3K,,,ro' ]\n");
	assert_no_problem();
	assert_int_equal(d->nr_vifs, 3);
	assert_memory_equal(d->vif[0].mac, mac, sizeof(mac));
	assert_string_equal(d->vif[0].bridge, "lan");
	assert_string_equal(d->vif[1].bridge, "br0");
	assert_string_equal(d->vif[2].bridge, "fifteen-letters");
	assert_memory_not_equal(d->vif[1].mac, d->vif[2].mac, 6);
	assert_int_equal(d->vif[1].mac[0], 2);
	assert_int_equal(d->nr_disks, 3);
	assert_string_equal(d->disk[0].file, "/a file");
	assert_true(d->disk[0].read_only);
	assert_null(d->disk[1].file);
	assert_false(d->disk[1].read_only);
	assert_int_equal(d->disk[1].size, 64 * MIB);
	assert_int_equal(d->disk[2].size, 3 * KIB);
	assert_true(d->disk[2].read_only);
	assert_string_equal(config.extra, "quiet");
	assert_string_equal(config.cmdline, "quiet virtio_mmio.device=4K@0xfef00000:5"
					    " virtio_mmio.device=4K@0xfef01000:6"
					    " virtio_mmio.device=4K@0xfef02000:9"
					    " virtio_mmio.device=4K@0xfef03000:10"
					    " virtio_mmio.device=4K@0xfef04000:11"
					    " virtio_mmio.device=4K@0xfef05000:12");
	memcpy(made, d->vif[1].mac, sizeof(made));
	config_free(&config);
	parse_with_good("vif = [ 'mac=02:00:00:00:00:01', '' ]");
	assert_memory_equal(d->vif[1].mac, made, sizeof(made)); /* the same name, the same place */
	assert_string_equal(config.cmdline, "virtio_mmio.device=4K@0xfef00000:5"
					    " virtio_mmio.device=4K@0xfef01000:6");
	config_free(&config);
}

static void names(void **state)
{
	static const struct {
		const char *name, *part;
	} cases[] = {
		{"7", "all digits"},
		{"-x", "starts with a dash"},
		{"a b", "other bytes"},
		{"a/b", "other bytes"},
		{"a-name-of-thirty-two-characters!", "longer than 31"},
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(text, sizeof(text), "kernel='k';memory=1\nname = '%s'", cases[i].name);
		parse(text);
		assert_one(2, 8, cases[i].part);
	}
}

static void all_at_once(void **state)
{
	(void)state;
	parse("name = web\n"
	      "memory = 64M\n"
	      "vcpus = [ 1\n"
	      "nmae = 'x'\n"
	      "on_crash = 'explode'\n"
	      "vif = [ 5, 'x'\n"
	      "  'y' ]\n");
	assert_problem(0, 1, 8, "a name stands where");
	assert_problem(1, 2, 12, "not a digit");
	assert_problem(2, 3, 9, "not closed");
	assert_problem(3, 3, 9, "`vcpus` is a number");
	assert_problem(4, 4, 1, "did you mean `name`?");
	assert_problem(5, 5, 12, "'destroy'");
	assert_problem(6, 7, 3, "a string stands where");
	assert_problem(7, 0, 0, "`kernel` is missing");
	assert_int_equal(problems.count, 8);
	assert_int_equal(problems.errors, 8);
	config_free(&config);
}

static void empty(void **state)
{
	static const char *const texts[] = {"", "\n", "#", " \t\r\n", ";", "# x\n;\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		parse(texts[i]);
		assert_int_equal(problems.count, 3);
		assert_problem(0, 0, 0, "`name` is missing");
		assert_problem(1, 0, 0, "`kernel` is missing");
		assert_problem(2, 0, 0, "`memory` is missing");
		config_free(&config);
	}
}

/* Deep, long, many: bounded work and a bounded list of problems. */
static void too_much(void **state)
{
	enum { SIZE = 1024 * 1024 + 1 };
	char *text = malloc(SIZE);

	(void)state;
	memset(text, '[', SIZE);
	memcpy(text, "vif=", 4);
	parse_bytes(text, 100000);
	assert_int_equal(problems.count, 1);
	assert_problem(0, 1, 10000, "nested too deeply");
	config_free(&config);

	for (size_t i = 0; i + 4 < SIZE; i += 4)
		memcpy(text + i, "a=1\n", 4);
	parse_bytes(text, SIZE - 1);
	assert_int_equal(problems.count, MAX_PROBLEMS);
	assert_problem(MAX_PROBLEMS - 1, 0, 0, "more problems");
	assert_int_equal(problems.errors, (SIZE - 1) / 4 + 3);
	config_free(&config);

	parse_bytes(text, SIZE);
	assert_one(0, 0, "shorter than a MiB");
	free(text);
}

static void long_text(void **state)
{
	char text[3 * CONFIG_TEXT_MOST], word[CONFIG_TEXT_MOST + 2];

	(void)state;
	memset(word, 'x', sizeof(word));
	word[CONFIG_TEXT_MOST] = 0;
	snprintf(text, sizeof(text), "%sextra = '%s'", good, word);
	parse(text);
	assert_no_problem();
	assert_string_equal(config.extra, word);
	config_free(&config);
	strcat(text, ";extra += 'y'");
	parse(text);
	assert_one(5, 9 + CONFIG_TEXT_MOST + 12, "longer than 4095");
	word[CONFIG_TEXT_MOST] = 'x';
	word[CONFIG_TEXT_MOST + 1] = 0;
	snprintf(text, sizeof(text), "%sextra = '%s'", good, word);
	parse(text);
	assert_one(5, 9, "longer than 4095");
}

/* Any damage is told or harmless: without an error the configuration is within its bounds. */
static void check_consistent(size_t size)
{
	assert_true(problems.count <= MAX_PROBLEMS);
	for (size_t i = 0; i < problems.count; i++) {
		assert_true(problems.list[i].text[0] != 0);
		assert_true(problems.list[i].at.line <= size + 1);
		assert_true(problems.list[i].at.column <= size + 1);
	}
	if (problems.errors > 0)
		return;
	assert_non_null(config.name);
	assert_non_null(config.kernel);
	assert_in_range(config.memory_mib, 1, CONFIG_MEMORY_MOST_MIB);
	assert_in_range(config.vcpus, 1, CONFIG_VCPUS_MOST);
	assert_in_range(config.weight, 1, CONFIG_WEIGHT_MOST);
}

static void damaged(void **state)
{
	static const char pieces[] = "\"'[],;=+#\n\\ 0x9a_\r\t\xff";
	struct rng r = {20261121};

	(void)state;
	for (u32 i = 0; i < random_cases(20000); i++) {
		char text[sizeof(good) + 32];
		size_t size = sizeof(good) - 1;

		memcpy(text, good, size);
		for (u32 n = rng_below(&r, 6); n > 0; n--) {
			size_t at = rng_below(&r, (u32)size);

			text[at] = pieces[rng_below(&r, sizeof(pieces))];
		}
		size -= rng_below(&r, 8) == 0 ? rng_below(&r, (u32)size) : 0;
		parse_bytes(text, size);
		check_consistent(size);
		config_free(&config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),     cmocka_unit_test(every_key),
		cmocka_unit_test(strings),      cmocka_unit_test(wrong_literals),
		cmocka_unit_test(wrong_syntax), cmocka_unit_test(wrong_meaning),
		cmocka_unit_test(devices),      cmocka_unit_test(names),
		cmocka_unit_test(all_at_once),  cmocka_unit_test(empty),
		cmocka_unit_test(too_much),     cmocka_unit_test(long_text),
		cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
