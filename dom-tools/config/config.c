// SPDX-License-Identifier: MIT
/*
 * From statements to a configuration, see config.h. One table has the keys;
 * each type of value has one function, which validates and then stores.
 */
#include "dom-tools/config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dom-tools/lib/name.h"
#include "dom-tools/lib/spell.h"

enum type {
	TYPE_TEXT,
	TYPE_NUMBER,
	TYPE_ACTION,
	TYPE_DEVICES,
};

struct key {
	const char *name;
	enum type type;
	bool required;
	size_t offset;         /* in struct config */
	uint64_t least, most;  /* of numbers; of texts: the shortest */
	const char *most_what; /* unit, for messages */
};

#define TOO_LONG "`%s` is longer than %d bytes"

#define AT(field) .offset = offsetof(struct config, field)

static const struct key keys[NR_CONFIG_KEYS] = {
	[KEY_NAME] = {"name", TYPE_TEXT, .required = true, AT(name), .least = 1},
	[KEY_KERNEL] = {"kernel", TYPE_TEXT, .required = true, AT(kernel), .least = 1},
	[KEY_RAMDISK] = {"ramdisk", TYPE_TEXT, AT(ramdisk), .least = 1},
	[KEY_EXTRA] = {"extra", TYPE_TEXT, AT(extra)},
	[KEY_MEMORY] = {"memory", TYPE_NUMBER, .required = true, AT(memory_mib), .least = 1,
			.most = CONFIG_MEMORY_MOST_MIB, .most_what = " MiB"},
	[KEY_VCPUS] = {"vcpus", TYPE_NUMBER, AT(vcpus), .least = 1, .most = CONFIG_VCPUS_MOST},
	[KEY_WEIGHT] = {"weight", TYPE_NUMBER, AT(weight), .least = 1, .most = CONFIG_WEIGHT_MOST},
	[KEY_ON_POWEROFF] = {"on_poweroff", TYPE_ACTION, AT(on_poweroff)},
	[KEY_ON_REBOOT] = {"on_reboot", TYPE_ACTION, AT(on_reboot)},
	[KEY_ON_CRASH] = {"on_crash", TYPE_ACTION, AT(on_crash)},
	[KEY_VIF] = {"vif", TYPE_DEVICES, .required = false},
	[KEY_DISK] = {"disk", TYPE_DEVICES, .required = false},
};

/* Keys of xl.cfg(5) that many files have, and what stands for them here. */
static const struct {
	const char *name;
	const char *hint;
} elsewhere[] = {
	{"builder", "there is one kind of guest; leave it out"},
	{"type", "there is one kind of guest; leave it out"},
	{"cpu_weight", "here it is `weight`"},
	{"cmdline", "the whole command line is `extra`"},
	{"root", "write root=... into `extra`"},
	{"maxmem", "a guest starts with `memory`, and all of it"},
	{"maxvcpus", "a guest starts with `vcpus`, and all of them"},
	{"bootloader", "give `kernel` and `ramdisk`"},
	{"cpus", "which CPU runs a vcpu is Vellum's choice"},
	{"uuid", "a guest is known by `name` and id"},
};

static const char *const actions[] = {
	[ACTION_DESTROY] = "destroy",
	[ACTION_RESTART] = "restart",
	[ACTION_PRESERVE] = "preserve",
};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

const char *config_key_name(enum config_key key)
{
	return keys[key].name;
}

const char *config_action_name(enum config_action action)
{
	return actions[action];
}

static size_t key_index(const char *name)
{
	size_t i = 0;

	while (i < NR_CONFIG_KEYS && strcmp(keys[i].name, name) != 0)
		i++;
	return i;
}

static const char *nearest_key(const char *name)
{
	const char *nearest = NULL;
	size_t best = SPELL_NEAR + 1;

	for (size_t i = 0; i < NR_CONFIG_KEYS; i++) {
		size_t d = spell_distance(name, keys[i].name);

		if (d < best && d < strlen(keys[i].name)) {
			best = d;
			nearest = keys[i].name;
		}
	}
	return nearest;
}

static void unknown_key(const struct setting *s, struct problems *p)
{
	const char *nearest = nearest_key(s->name);

	for (size_t i = 0; i < NR(elsewhere); i++)
		if (strcmp(elsewhere[i].name, s->name) == 0) {
			problem_add(p, PROBLEM_ERROR, s->at, "`%s` is not supported: %s", s->name,
				    elsewhere[i].hint);
			return;
		}
	if (nearest != NULL)
		problem_add(p, PROBLEM_ERROR, s->at, "unknown key `%.64s`; did you mean `%s`?",
			    s->name, nearest);
	else
		problem_add(p, PROBLEM_ERROR, s->at, "unknown key `%.64s`; vl.cfg(5) lists them",
			    s->name);
}

static void store_text(struct config *config, const struct key *key, const struct setting *s,
		       struct problems *p)
{
	const char **to = (const char **)((char *)config + key->offset);

	if (s->value->kind == VALUE_LIST)
		problem_add(p, PROBLEM_ERROR, s->value->at, "`%s` is a string, not a list",
			    key->name);
	else if (strlen(s->value->text) < key->least)
		problem_add(p, PROBLEM_ERROR, s->value->at, "`%s` is empty", key->name);
	else if (strlen(s->value->text) > CONFIG_TEXT_MOST)
		problem_add(p, PROBLEM_ERROR, s->value->at, TOO_LONG, key->name, CONFIG_TEXT_MOST);
	else
		*to = s->value->text;
}

/* As in xl, a number may stand in quotes. */
static void store_number(struct config *config, const struct key *key, const struct setting *s,
			 struct problems *p)
{
	uint64_t *to = (uint64_t *)((char *)config + key->offset);
	const char *text = s->value->text;
	uint64_t n;
	char *end;

	if (s->value->kind == VALUE_LIST || *text < '0' || *text > '9') {
		problem_add(p, PROBLEM_ERROR, s->value->at, "`%s` is a number", key->name);
		return;
	}
	errno = 0;
	n = strtoull(text, &end, 0);
	if (*end)
		problem_add(p, PROBLEM_ERROR, s->value->at, "`%s` is a number", key->name);
	else if (errno || n < key->least || n > key->most)
		problem_add(p, PROBLEM_ERROR, s->value->at, "`%s` is from %ju to %ju%s", key->name,
			    (uintmax_t)key->least, (uintmax_t)key->most,
			    key->most_what ? key->most_what : "");
	else
		*to = n;
}

static void store_action(struct config *config, const struct key *key, const struct setting *s,
			 struct problems *p)
{
	enum config_action *to = (enum config_action *)((char *)config + key->offset);

	for (size_t i = 0; s->value->kind == VALUE_STRING && i < NR(actions); i++)
		if (strcmp(s->value->text, actions[i]) == 0) {
			*to = (enum config_action)i;
			return;
		}
	problem_add(p, PROBLEM_ERROR, s->value->at,
		    "`%s` is 'destroy', 'restart' or 'preserve'; Vellum has no other actions",
		    key->name);
}

static int store_device(struct config *config, const struct key *key, const struct value *v,
			struct problems *p)
{
	if (v->kind != VALUE_STRING) {
		problem_add(p, PROBLEM_ERROR, v->at, "`%s` is a list of strings", key->name);
		return 0;
	}
	if (key == &keys[KEY_VIF])
		return devices_add_vif(&config->devices, v, p);
	return devices_add_disk(&config->devices, v, &config->tree, p);
}

static int store_devices(struct config *config, const struct key *key, const struct setting *s,
			 struct problems *p)
{
	int rc = 0;

	if (s->value->kind != VALUE_LIST)
		problem_add(p, PROBLEM_ERROR, s->value->at, "`%s` is a list of strings", key->name);
	for (const struct value *v = s->value->first; v != NULL && rc == 0; v = v->next)
		rc = store_device(config, key, v, p);
	return rc;
}

static int store(struct config *config, const struct key *key, const struct setting *s,
		 struct problems *p)
{
	switch (key->type) {
	case TYPE_TEXT:
		store_text(config, key, s, p);
		break;
	case TYPE_NUMBER:
		store_number(config, key, s, p);
		break;
	case TYPE_ACTION:
		store_action(config, key, s, p);
		break;
	case TYPE_DEVICES:
		return store_devices(config, key, s, p);
	}
	return 0;
}

/* Join what += adds to the first value, a string to a string or a list to a list. */
static int join(struct setting *s, const struct setting *added, struct tree *tree,
		struct problems *p)
{
	struct value *to = s->value, *more = added->value;

	if (to->kind != more->kind || more->kind == VALUE_NUMBER) {
		problem_add(p, PROBLEM_ERROR, added->at,
			    "only a string can be added to a string, and a list to a list");
		return 0;
	}
	if (more->kind == VALUE_LIST) {
		*(to->last ? &to->last->next : &to->first) = more->first;
		to->last = more->last ? more->last : to->last;
		return 0;
	}
	if (strlen(to->text) + strlen(more->text) > CONFIG_TEXT_MOST) {
		problem_add(p, PROBLEM_ERROR, more->at, TOO_LONG, s->name, CONFIG_TEXT_MOST);
		return 0;
	}
	to->text = tree_join(tree, to->text, more->text);
	return to->text != NULL ? 0 : -ENOMEM;
}

/* The first statement of each key, with what others add to it. Values with errors are NULL. */
static int collect(struct tree *tree, struct setting *first[], struct problems *p)
{
	int rc = 0;

	for (struct setting *s = tree->settings; s != NULL && rc == 0; s = s->next) {
		size_t i = key_index(s->name);

		if (i == NR_CONFIG_KEYS)
			unknown_key(s, p);
		else if (first[i] == NULL)
			first[i] = s;
		else if (!s->add)
			problem_add(p, PROBLEM_ERROR, s->at, "`%s` is set already, in line %u",
				    s->name, first[i]->at.line);
		else if (s->value && first[i]->value)
			rc = join(first[i], s, tree, p);
	}
	return rc;
}

static void check_name(const struct config *config, struct problems *p)
{
	const char *wrong = config->name ? vl_name_problem(config->name) : NULL;

	if (wrong)
		problem_add(p, PROBLEM_ERROR, config->at[KEY_NAME], "the name %s", wrong);
}

/* What Linux finds its devices by comes behind its own words. */
static const char *make_cmdline(struct config *config, size_t windows)
{
	char words[DEVICES_WORDS_SIZE];

	devices_words(windows, words);
	return tree_join(&config->tree, config->extra, words + (*config->extra == 0 && *words));
}

static int set_cmdline(struct config *config)
{
	devices_make_macs(&config->devices, config->name ? config->name : "");
	config->cmdline = make_cmdline(config, config->devices.nr_vifs + config->devices.nr_disks);
	config->cmdline_whole = make_cmdline(config, CONFIG_DEVICES_MOST);
	return config->cmdline != NULL && config->cmdline_whole != NULL ? 0 : -ENOMEM;
}

static int set_all(struct config *config, struct setting *const first[], struct problems *p)
{
	int rc = 0;

	for (size_t i = 0; i < NR_CONFIG_KEYS && rc == 0; i++) {
		const struct setting *s = first[i];

		if (s != NULL && s->value != NULL) {
			config->at[i] = s->value->at;
			rc = store(config, &keys[i], s, p);
		} else if (s == NULL && keys[i].required) {
			problem_add(p, PROBLEM_ERROR, (struct position){0}, "`%s` is missing",
				    keys[i].name);
		}
	}
	check_name(config, p);
	return rc ? rc : set_cmdline(config);
}

int config_parse(const char *text, size_t size, struct config *config, struct problems *p)
{
	struct setting *first[NR_CONFIG_KEYS] = {0};
	int rc;

	*config = (struct config){
		.extra = "",
		.cmdline = "",
		.cmdline_whole = "",
		.vcpus = 1,
		.weight = 256,
		.on_poweroff = ACTION_DESTROY,
		.on_reboot = ACTION_RESTART,
		.on_crash = ACTION_DESTROY,
	};
	rc = tree_parse(text, size, &config->tree, p);
	if (rc == 0)
		rc = collect(&config->tree, first, p);
	if (rc == 0)
		rc = set_all(config, first, p);
	problems_sort(p);
	return rc == -E2BIG ? 0 : rc;
}

void config_free(struct config *config)
{
	tree_free(&config->tree);
}
