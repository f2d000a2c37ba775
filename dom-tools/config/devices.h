/* SPDX-License-Identifier: MIT */
/*
 * The strings of `vif` and `disk`, in the syntax of xl-network-configuration(5)
 * and xl-disk-configuration(5), as far as Vellum has what they ask for. What it has
 * not is refused by a sentence that says what there is instead.
 */
#ifndef DOM_TOOLS_CONFIG_DEVICES_H
#define DOM_TOOLS_CONFIG_DEVICES_H

#include <stdint.h>

#include "dom-tools/config/problems.h"
#include "dom-tools/config/syntax.h"

#define CONFIG_DEVICES_MOST  8 /* of both kinds together */
#define CONFIG_BRIDGE_MOST   15
#define CONFIG_DISK_MOST_MIB 64
#define CONFIG_DISK_NAME     64 /* bytes of the machine's disk's name, with its end */

struct config_vif {
	struct position at;
	bool has_mac; /* else one is made of the guest's name */
	uint8_t mac[6];
	char bridge[CONFIG_BRIDGE_MOST + 1];
};

struct config_disk {
	struct position at;
	const char *file; /* what it is a copy of; NULL: it begins empty, or is the machine's */
	uint64_t size;    /* bytes, of one that begins empty */
	bool read_only;
	bool real; /* sectors of a disk of the machine's: */
	uint32_t disk, partition;
	uint64_t start, sectors; /* 0 sectors: all from there */
	char name[CONFIG_DISK_NAME];
};

struct config_devices {
	size_t nr_vifs, nr_disks;
	struct config_vif vif[CONFIG_DEVICES_MOST];
	struct config_disk disk[CONFIG_DEVICES_MOST];
};

/** Read one string; problems go to `p`. The file's name is in the memory of `tree`. 0 or -ENOMEM.
 */
int devices_add_vif(struct config_devices *d, const struct value *v, struct problems *p);
int devices_add_disk(struct config_devices *d, const struct value *v, struct tree *tree,
		     struct problems *p);

/** Give a vif the address that the guest of this name has as number `index`; or those that have
 * none: the same for the same name of a guest. */
void devices_make_mac(struct config_vif *vif, const char *name, size_t index);
void devices_make_macs(struct config_devices *d, const char *name);

/** The words that tell Linux of the first `count` windows for devices, each with a space before it.
 */
#define DEVICES_WORDS_SIZE (CONFIG_DEVICES_MOST * 48)
void devices_words(size_t count, char words[DEVICES_WORDS_SIZE]);

#endif
