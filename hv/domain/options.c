// SPDX-License-Identifier: MIT
/*
 * Vellum's command line (see domain/options.h). Pure. One table names every
 * option; the list in the sentence for an unknown one is made from the same
 * macro, so that the two cannot differ.
 */
#include "domain/options.h"

#include "lib/debug.h"
#include "lib/string.h"
#include "p2m/remap.h"
#include "public/errno.h"
#include "public/hypercall.h"

/* A piece of the command line; not terminated. */
struct text {
	const char *p;
	size_t length;
};

#define KNOWN                                                                                      \
	"vellum_mem=, mem=, console=, serial=, kernel_crc=, apic=, own_timer=, shadow=, fast=, "   \
	"owners=, remap=, delays=, begin= and debug"

/* The first so many characters of a word are quoted in sentences. */
#define QUOTE(t) (int)min_u64((t).length, 48), (t).p

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool equals(struct text t, const char *s)
{
	return strlen(s) == t.length && memcmp(t.p, s, t.length) == 0;
}

/* Value of a digit in bases up to 16, or 255. */
static u32 digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (u32)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (u32)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (u32)(c - 'A') + 10;
	return 255;
}

/* Take digits (decimal, or hexadecimal after 0x) off the front of `t`. A value that does not fit
 * into 64 bits becomes the largest one, which every caller's bound refuses. */
static bool take_number(struct text *t, u64 *value)
{
	u32 base = 10;
	size_t digits = 0;

	if (t->length >= 2 && t->p[0] == '0' && (t->p[1] == 'x' || t->p[1] == 'X')) {
		base = 16;
		t->p += 2;
		t->length -= 2;
	}
	*value = 0;
	for (; t->length > 0 && digit_value(*t->p) < base; t->p++, t->length--, digits++) {
		u32 digit = digit_value(*t->p);

		*value = *value > (~(u64)0 - digit) / base ? ~(u64)0 : *value * base + digit;
	}
	return digits > 0;
}

/* A number of bytes with a suffix K, M, G or T; too large a one saturates as above. */
static bool parse_size(struct text t, u64 *bytes)
{
	u32 shift = 0;

	if (!take_number(&t, bytes) || t.length > 1)
		return false;
	if (t.length == 0)
		return true;
	switch (*t.p | 0x20) {
	case 't':
		shift += 10; /* fall through */
	case 'g':
		shift += 10; /* fall through */
	case 'm':
		shift += 10; /* fall through */
	case 'k':
		shift += 10;
		break;
	default:
		return false;
	}
	*bytes = *bytes > ~(u64)0 >> shift ? ~(u64)0 : *bytes << shift;
	return true;
}

static int set_partition(struct options *o, struct text value, struct failure *f)
{
	u64 size;

	if (!parse_size(value, &size))
		return fail(f, VL_EINVAL,
			    "vellum_mem=%.*s is not a size; write a number with K, M or G, as in "
			    "vellum_mem=64M.",
			    QUOTE(value));
	if (size < OPTIONS_PARTITION_MIN)
		return fail(f, VL_ERANGE,
			    "vellum_mem=%.*s is too small for Vellum; use at least %luM, or leave "
			    "it out for %luM.",
			    QUOTE(value), OPTIONS_PARTITION_MIN / MIB,
			    OPTIONS_PARTITION_DEFAULT / MIB);
	if (size > OPTIONS_PARTITION_MAX)
		return fail(f, VL_ERANGE,
			    "vellum_mem=%.*s is more than Vellum can use; use at most %luM, or "
			    "leave it out for %luM.",
			    QUOTE(value), OPTIONS_PARTITION_MAX / MIB,
			    OPTIONS_PARTITION_DEFAULT / MIB);
	o->partition_size = size;
	return 0;
}

static int set_memory(struct options *o, struct text value, struct failure *f)
{
	if (equals(value, "contiguous"))
		o->memory = MEM_CONTIGUOUS;
	else if (equals(value, "low"))
		o->memory = MEM_WITH_LOW;
	else if (equals(value, "all"))
		o->memory = MEM_ALL;
	else
		return fail(f, VL_EINVAL,
			    "mem=%.*s is unknown; use mem=contiguous, mem=low or mem=all.",
			    QUOTE(value));
	o->memory_given = true;
	return 0;
}

static int set_console(struct options *o, struct text value, struct failure *f)
{
	if (equals(value, "serial"))
		o->console = CONSOLE_SERIAL;
	else if (equals(value, "vga"))
		o->console = CONSOLE_VGA;
	else if (equals(value, "both"))
		o->console = CONSOLE_SERIAL | CONSOLE_VGA;
	else if (equals(value, "none"))
		o->console = 0;
	else
		return fail(f, VL_EINVAL,
			    "console=%.*s is unknown; use console=serial, vga, both or none.",
			    QUOTE(value));
	return 0;
}

/* A 16550 divides 115200 baud and has 8 registers. */
static bool parse_serial(struct text t, u64 *port, u64 *baud)
{
	*baud = 115200;
	if (!take_number(&t, port))
		return false;
	if (t.length > 0) {
		if (*t.p != ',')
			return false;
		t.p++;
		t.length--;
		if (!take_number(&t, baud) || t.length > 0)
			return false;
	}
	return *port > 0 && *port <= 0xfff8 && *baud >= 50 && *baud <= 115200 &&
	       115200 % *baud == 0;
}

static int set_serial(struct options *o, struct text value, struct failure *f)
{
	u64 port, baud;

	if (!parse_serial(value, &port, &baud))
		return fail(f, VL_EINVAL,
			    "serial=%.*s is not an I/O port and a speed that divides 115200; "
			    "write it as in serial=0x3f8,115200.",
			    QUOTE(value));
	o->serial_port = (u16)port;
	o->serial_baud = (u32)baud;
	return 0;
}

static int set_kernel_crc(struct options *o, struct text value, struct failure *f)
{
	if (!equals(value, "on") && !equals(value, "off"))
		return fail(f, VL_EINVAL,
			    "kernel_crc=%.*s is unknown; use kernel_crc=on or kernel_crc=off.",
			    QUOTE(value));
	o->kernel_crc = equals(value, "on");
	return 0;
}

static int set_apic(struct options *o, struct text value, struct failure *f)
{
	if (!equals(value, "direct") && !equals(value, "trapped"))
		return fail(f, VL_EINVAL, "apic=%.*s is unknown; use apic=direct or apic=trapped.",
			    QUOTE(value));
	o->apic_trapped = equals(value, "trapped");
	return 0;
}

static int set_own_timer(struct options *o, struct text value, struct failure *f)
{
	if (!take_number(&value, &o->own_timer) || value.length > 0 ||
	    o->own_timer < OPTIONS_OWN_TIMER_MIN || o->own_timer > OPTIONS_OWN_TIMER_MAX)
		return fail(f, VL_EINVAL,
			    "own_timer= is a number of TSC ticks between %lu and %lu, for "
			    "debugging; leave it out otherwise.",
			    OPTIONS_OWN_TIMER_MIN, OPTIONS_OWN_TIMER_MAX);
	return 0;
}

/* ",NUMBER", all of what is left. */
static bool take_seed(struct text *value, u64 *seed)
{
	if (value->p[0] != ',')
		return false;
	value->p++;
	value->length--;
	return take_number(value, seed) && value->length == 0;
}

static int set_delays(struct options *o, struct text value, struct failure *f)
{
	if (!is_debug_build())
		return fail(f, VL_EINVAL,
			    "delays= is for debug builds of Vellum (make debug); leave it out.");
	if (!take_number(&value, &o->delays) || o->delays == 0 || o->delays > OPTIONS_DELAYS_MAX)
		return fail(f, VL_EINVAL, "delays= is a number of TSC ticks between 1 and %lu.",
			    OPTIONS_DELAYS_MAX);
	if (value.length > 0 && !take_seed(&value, &o->delays_seed))
		return fail(f, VL_EINVAL, "delays=TICKS,SEED: the seed is a number.");
	return 0;
}

static int set_owners(struct options *o, struct text value, struct failure *f)
{
	static const char names[OWNERS_KINDS][12] = {
		[OWNERS_BACKMAP] = "backmap",
		[OWNERS_REFCOUNT] = "refcount",
		[OWNERS_SEARCH] = "search",
	};

	for (u32 i = 0; i < OWNERS_KINDS; i++)
		if (equals(value, names[i])) {
			o->owners = i;
			return 0;
		}
	return fail(f, VL_EINVAL,
		    "owners=%.*s is unknown; use owners=backmap, owners=refcount or "
		    "owners=search.",
		    QUOTE(value));
}

static int set_remap(struct options *o, struct text value, struct failure *f)
{
	static const char names[][12] = {
		[REMAP_AUTO] = "auto",
		[REMAP_INDIRECT] = "indirect",
		[REMAP_DIRECT] = "direct",
	};

	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		if (equals(value, names[i])) {
			o->remap = i;
			return 0;
		}
	return fail(f, VL_EINVAL,
		    "remap=%.*s is unknown; use remap=auto, remap=indirect or remap=direct.",
		    QUOTE(value));
}

static int set_begin(struct options *o, struct text value, struct failure *f)
{
	if (!equals(value, "passthrough") && !equals(value, "virtualized"))
		return fail(f, VL_EINVAL,
			    "begin=%.*s is unknown; use begin=virtualized, for debugging, or leave "
			    "it out.",
			    QUOTE(value));
	o->begin_virtualized = equals(value, "virtualized");
	return 0;
}

/* --- shadow= and fast=: lists of optimisations --- */

#define SHADOW_NAMES "cached_roots, prefill, large, shared, walk_cache, access_cache"
#define FAST_NAMES   "syscall, sysret, iret, kernel_iret, swapgs, faults, calls"

struct switch_name {
	const char name[13];
	u32 bit;
};

static const struct switch_name shadow_names[] = {
	{"cached_roots", VL_SHADOW_CACHED_ROOTS},
	{"prefill", VL_SHADOW_PREFILL},
	{"large", VL_SHADOW_LARGE},
	{"shared", VL_SHADOW_SHARED},
	{"walk_cache", VL_SHADOW_WALK_CACHE},
	{"access_cache", VL_SHADOW_ACCESS_CACHE},
	{"all", VL_SHADOW_ALL},
};

static const struct switch_name fast_names[] = {
	{"syscall", VL_FAST_SYSCALL}, {"sysret", VL_FAST_SYSRET},
	{"iret", VL_FAST_IRET},       {"kernel_iret", VL_FAST_KERNEL_IRET},
	{"swapgs", VL_FAST_SWAPGS},   {"faults", VL_FAST_FAULTS},
	{"calls", VL_FAST_CALLS},     {"all", VL_FAST_ALL},
};

/* Take what stands before the first comma off the front of `t`; false when nothing is left. */
static bool take_item(struct text *t, struct text *item)
{
	if (t->p == NULL)
		return false;
	*item = *t;
	for (item->length = 0; item->length < t->length && t->p[item->length] != ',';)
		item->length++;
	if (item->length == t->length) {
		t->p = NULL;
	} else {
		t->p += item->length + 1;
		t->length -= item->length + 1;
	}
	return true;
}

/* One item of a list, applied to *on; false if it is unknown. */
static bool set_switch(struct text item, const struct switch_name *names, size_t count, u32 *on)
{
	bool off = item.length > 0 && *item.p == '-';

	if (off) {
		item.p++;
		item.length--;
	} else if (equals(item, "none")) {
		*on = 0;
		return true;
	}
	for (size_t i = 0; i < count; i++) {
		if (!equals(item, names[i].name))
			continue;
		*on = off ? *on & ~names[i].bit : *on | names[i].bit;
		return true;
	}
	return false;
}

/*
 * From left to right: NAME is switched on, -NAME off. A list that begins with -NAME begins with all
 * on, which is the default, every other one with none. False leaves *on alone.
 */
static bool parse_switches(struct text list, const struct switch_name *names, size_t count, u32 *on)
{
	u32 wanted = list.length > 0 && *list.p == '-' ? names[count - 1].bit : 0;
	struct text item;

	while (take_item(&list, &item))
		if (!set_switch(item, names, count, &wanted))
			return false;
	*on = wanted;
	return true;
}

static int set_shadow(struct options *o, struct text value, struct failure *f)
{
	if (!parse_switches(value, shadow_names, ARRAY_SIZE(shadow_names), &o->shadow))
		return fail(f, VL_EINVAL,
			    "shadow=%.*s is unknown; use all, none, or names of " SHADOW_NAMES
			    " with commas and -NAME for off, as in shadow=all,-prefill.",
			    QUOTE(value));
	return 0;
}

static int set_fast(struct options *o, struct text value, struct failure *f)
{
	if (!parse_switches(value, fast_names, ARRAY_SIZE(fast_names), &o->fast))
		return fail(f, VL_EINVAL,
			    "fast=%.*s is unknown; use all, none, or names of " FAST_NAMES
			    " with commas and -NAME for off, as in fast=all,-faults.",
			    QUOTE(value));
	return 0;
}

static int unknown_option(struct text word, struct failure *f)
{
	return fail(f, VL_EINVAL,
		    "Unknown option \"%.*s\"; the options are " KNOWN
		    " (the guest's own go to its module2 line).",
		    QUOTE(word));
}

static int set_option(struct options *o, struct text word, struct failure *f)
{
	static const struct {
		const char name[12];
		int (*set)(struct options *o, struct text value, struct failure *f);
	} table[] = {
		{"vellum_mem", set_partition},
		{"mem", set_memory},
		{"console", set_console},
		{"serial", set_serial},
		{"kernel_crc", set_kernel_crc},
		{"apic", set_apic},
		{"own_timer", set_own_timer},
		{"shadow", set_shadow},
		{"fast", set_fast},
		{"owners", set_owners},
		{"remap", set_remap},
		{"delays", set_delays},
		{"begin", set_begin},
	};
	struct text name = word;
	struct text value;

	if (equals(word, "debug")) {
		o->debug = true;
		return 0;
	}
	for (name.length = 0; name.length < word.length && word.p[name.length] != '=';)
		name.length++;
	if (name.length == word.length)
		return unknown_option(word, f);
	value = (struct text){word.p + name.length + 1, word.length - name.length - 1};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (equals(name, table[i].name))
			return table[i].set(o, value, f);
	return unknown_option(word, f);
}

/* Take the next word off *cursor; false at the end. */
static bool next_word(const char **cursor, struct text *word)
{
	while (is_blank(**cursor))
		(*cursor)++;
	word->p = *cursor;
	while (**cursor != 0 && !is_blank(**cursor))
		(*cursor)++;
	word->length = (size_t)(*cursor - word->p);
	return word->length > 0;
}

int options_parse(const char *cmdline, struct options *out, struct failure *f)
{
	struct text word;
	int result = 0;

	*out = (struct options){
		.partition_size = 0,
		.memory = MEM_CONTIGUOUS,
		.console = CONSOLE_SERIAL | CONSOLE_VGA,
		.serial_port = 0x3f8,
		.serial_baud = 115200,
		.kernel_crc = true,
		.apic_trapped = true,
		.shadow = VL_SHADOW_ALL,
		.fast = VL_FAST_ALL,
	};
	for (bool first = true; next_word(&cmdline, &word); first = false) {
		struct failure later;
		int err;

		if (first && word.p[0] == '/')
			continue;
		err = set_option(out, word, result ? &later : f);
		if (result == 0)
			result = err;
	}
	return result;
}
