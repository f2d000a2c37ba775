/* SPDX-License-Identifier: MIT */
/*
 * What a configuration file says about a guest: the keys of xl.cfg(5) that
 * Vellum knows, their types, bounds and defaults. Keys that it does not know
 * are errors, not ignored: a guest that silently lacks what its file asks for
 * is worse than none.
 */
#ifndef DOM_TOOLS_CONFIG_CONFIG_H
#define DOM_TOOLS_CONFIG_CONFIG_H

#include <stdint.h>

#include "dom-tools/config/devices.h"
#include "dom-tools/config/problems.h"
#include "dom-tools/config/syntax.h"

/** In the order of vl.cfg(5). */
enum config_key {
	KEY_NAME,
	KEY_KERNEL,
	KEY_RAMDISK,
	KEY_EXTRA,
	KEY_MEMORY,
	KEY_VCPUS,
	KEY_WEIGHT,
	KEY_ON_POWEROFF,
	KEY_ON_REBOOT,
	KEY_ON_CRASH,
	KEY_VIF,
	KEY_DISK,
	NR_CONFIG_KEYS,
};

/** What becomes of a guest that has stopped. */
enum config_action {
	ACTION_DESTROY,
	ACTION_RESTART,
	ACTION_PRESERVE,
};

#define CONFIG_TEXT_MOST       4095       /* bytes of a string: a path, or a long command line */
#define CONFIG_MEMORY_MOST_MIB (1u << 20) /* 1 TiB */
#define CONFIG_VCPUS_MOST      32
#define CONFIG_WEIGHT_MOST     65535

struct config {
	const char *name;
	const char *kernel;
	const char *ramdisk; /* NULL: none */
	const char *extra;   /* the command line, "" if none */
	const char *cmdline; /* that, and what tells Linux of its devices */
	/* The same, and of all windows that devices could come to while it runs. */
	const char *cmdline_whole;
	uint64_t memory_mib;
	uint64_t vcpus;
	uint64_t weight;
	enum config_action on_poweroff;
	enum config_action on_reboot;
	enum config_action on_crash;
	struct config_devices devices;
	struct position at[NR_CONFIG_KEYS]; /* of the values; line 0 of those that are not set */
	struct tree tree;                   /* owns the strings */
};

/**
 * Read `size` bytes of text. Every problem goes to `p`; the configuration is complete and within
 * the bounds if p->errors is 0 then. It is to be freed by config_free() in any case. Returns 0 or
 * -ENOMEM.
 */
int config_parse(const char *text, size_t size, struct config *config, struct problems *p);

void config_free(struct config *config);

/** The key's name, and the word for an action. */
const char *config_key_name(enum config_key key);
const char *config_action_name(enum config_action action);

#endif
