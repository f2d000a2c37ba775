// SPDX-License-Identifier: MIT
/*
 * Network interfaces and disks of a configuration, see devices.h.
 */
#include "dom-tools/config/devices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "public/hypercall.h"

#define PART_SIZE 256
#define KIB       ((uint64_t)1 << 10)
#define RAM       "ram:"
#define PHY       "phy:"
#define IDE       "ide"
#define MAC_SIZE  6

#define CONFIG_PARTITION_MOST 1024

_Static_assert(CONFIG_DEVICES_MOST == VL_MAX_DEVICES, "ABI");
_Static_assert(CONFIG_DISK_MOST_MIB *KIB *KIB == VL_DISK_MOST, "ABI");

/* One part of a string: `key=value`, or a value alone. */
struct part {
	char text[PART_SIZE];
	char *key; /* NULL: none */
	char *value;
};

static void refuse(struct problems *p, const struct value *v, const char *what, const char *text)
{
	problem_add(p, PROBLEM_ERROR, v->at, "`%.64s` %s", text, what);
}

/* The next one, without blanks around it; false: there is none, or it is too long. */
static bool next_part(const char **in, struct part *part)
{
	size_t n;
	char *equals;

	if (*in == NULL)
		return false;
	*in += strspn(*in, " \t");
	n = strcspn(*in, ",");
	if (n >= sizeof(part->text))
		return false;
	memcpy(part->text, *in, n);
	*in = (*in)[n] == ',' ? *in + n + 1 : NULL;
	while (n > 0 && (part->text[n - 1] == ' ' || part->text[n - 1] == '\t'))
		n--;
	part->text[n] = 0;
	equals = strchr(part->text, '=');
	part->key = equals != NULL ? part->text : NULL;
	part->value = equals != NULL ? equals + 1 : part->text;
	if (equals != NULL)
		*equals = 0;
	return true;
}

static bool has_room(const struct config_devices *d, const struct value *v, struct problems *p)
{
	if (d->nr_vifs + d->nr_disks < CONFIG_DEVICES_MOST)
		return true;
	problem_add(p, PROBLEM_ERROR, v->at, "a guest has at most %d devices; leave one out",
		    CONFIG_DEVICES_MOST);
	return false;
}

/* --- vif --- */

static bool read_mac(const char *text, uint8_t mac[MAC_SIZE])
{
	for (int i = 0; i < MAC_SIZE; i++, text += 2) {
		static const char digits[] = "0123456789abcdefABCDEF";

		if (i > 0 && *text++ != ':')
			return false;
		if (strspn(text, digits) < 2)
			return false;
		mac[i] = (uint8_t)strtoul((char[]){text[0], text[1], 0}, NULL, 16);
	}
	return *text == 0 && !(mac[0] & 1) && memcmp(mac, "\0\0\0\0\0", MAC_SIZE) != 0;
}

static bool set_vif(struct config_vif *vif, const struct part *part, const struct value *v,
		    struct problems *p)
{
	if (part->key == NULL && *part->value == 0)
		return true;
	if (part->key != NULL && strcmp(part->key, "mac") == 0) {
		vif->has_mac = read_mac(part->value, vif->mac);
		if (!vif->has_mac)
			refuse(p, v, "is no address of one station; write 02:xx:xx:xx:xx:xx",
			       part->value);
		return vif->has_mac;
	}
	if (part->key != NULL && strcmp(part->key, "bridge") == 0) {
		size_t n = strlen(part->value);

		if (n > 0 && n <= CONFIG_BRIDGE_MOST && strchr(part->value, ' ') == NULL) {
			memcpy(vif->bridge, part->value, n + 1);
			return true;
		}
		refuse(p, v, "is no name of a bridge; write 1 to 15 letters and digits",
		       part->value);
		return false;
	}
	refuse(p, v, "is not supported: a vif has `mac` and `bridge`; leave it out", part->text);
	return false;
}

int devices_add_vif(struct config_devices *d, const struct value *v, struct problems *p)
{
	struct config_vif vif = {.at = v->at, .bridge = "br0"};
	const char *in = v->text;
	struct part part;
	bool good = has_room(d, v, p);

	while (good && next_part(&in, &part))
		good = set_vif(&vif, &part, v, p);
	if (good && in != NULL)
		refuse(p, v, "is too long; a vif has `mac` and `bridge`", v->text);
	else if (good)
		d->vif[d->nr_vifs++] = vif;
	return 0;
}

/* FNV-1a: names that differ in little give addresses that do not. */
void devices_make_mac(struct config_vif *vif, const char *name, size_t index)
{
	uint32_t hash = 2166136261u + (uint32_t)index;

	for (const char *c = name; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	memcpy(vif->mac,
	       (uint8_t[]){0x02, 0x56, (uint8_t)(hash >> 24), (uint8_t)(hash >> 16),
			   (uint8_t)(hash >> 8), (uint8_t)hash},
	       MAC_SIZE);
}

void devices_make_macs(struct config_devices *d, const char *name)
{
	for (size_t i = 0; i < d->nr_vifs; i++)
		if (!d->vif[i].has_mac)
			devices_make_mac(&d->vif[i], name, i);
}

/* --- disk --- */

enum field {
	FIELD_TARGET,
	FIELD_FORMAT,
	FIELD_VDEV,
	FIELD_ACCESS,
	NR_FIELDS,
};

static const char *const fields[NR_FIELDS] = {"target", "format", "vdev", "access"};

struct disk_text {
	char field[NR_FIELDS][PART_SIZE];
};

/* By its key, or by its place. */
static bool set_field(struct disk_text *t, const struct part *part, size_t place,
		      const struct value *v, struct problems *p)
{
	size_t i = 0;

	if (part->key == NULL)
		i = place;
	while (part->key != NULL && i < NR_FIELDS && strcmp(fields[i], part->key) != 0)
		i++;
	if (i >= NR_FIELDS) {
		refuse(p, v,
		       "is not supported: a disk has `target`, `format`, `vdev` and `access`; "
		       "leave it out",
		       part->text);
		return false;
	}
	memcpy(t->field[i], part->value, strlen(part->value) + 1);
	return true;
}

static bool read_size(const char *text, uint64_t *size)
{
	char *end;

	errno = 0;
	*size = strtoull(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *size > CONFIG_DISK_MOST_MIB * KIB)
		return false;
	if (strcmp(end, "M") == 0)
		*size *= KIB * KIB;
	else if (strcmp(end, "K") == 0)
		*size *= KIB;
	else
		return false;
	return *size != 0 && *size <= CONFIG_DISK_MOST_MIB * KIB * KIB;
}

static bool read_access(const char *text, bool *read_only)
{
	bool writable = strcmp(text, "w") == 0 || strcmp(text, "rw") == 0 || *text == 0;

	*read_only = strcmp(text, "r") == 0 || strcmp(text, "ro") == 0;
	return writable || *read_only;
}

/* Bytes, as 512, 64K, 8M or 2G: whole sectors. */
static bool read_bytes(const char **text, uint64_t *sectors)
{
	static const char units[] = "KMG";
	char *end;
	uint64_t n = strtoull(*text, &end, 10);
	const char *unit = *end ? strchr(units, *end) : NULL;
	unsigned int shift = unit ? 10 * (unsigned int)(unit - units + 1) : 0;

	if (**text < '0' || **text > '9' || n > UINT64_MAX >> shift)
		return false;
	n <<= shift;
	*text = end + (unit != NULL);
	*sectors = n / VL_SECTOR_SIZE;
	return n % VL_SECTOR_SIZE == 0;
}

static bool read_number(const char **text, uint32_t least, uint32_t most, uint32_t *number)
{
	char *end;
	unsigned long n = strtoul(*text, &end, 10);

	if (**text < '0' || **text > '9' || n < least || n > most)
		return false;
	*text = end;
	*number = (uint32_t)n;
	return true;
}

/* ideN, ideNpM, and behind either @OFFSET+SIZE. */
static bool read_real(const char *text, struct config_disk *disk)
{
	if (strlen(text) >= sizeof(disk->name) || strncmp(text, IDE, strlen(IDE)) != 0)
		return false;
	memcpy(disk->name, text, strlen(text) + 1);
	text += strlen(IDE);
	if (!read_number(&text, 0, VL_MAX_DISKS - 1, &disk->disk))
		return false;
	if (*text == 'p') {
		text++;
		if (!read_number(&text, 1, CONFIG_PARTITION_MOST, &disk->partition))
			return false;
	}
	if (*text == '@') {
		text++;
		if (!read_bytes(&text, &disk->start) || *text++ != '+' ||
		    !read_bytes(&text, &disk->sectors) || disk->sectors == 0)
			return false;
	}
	disk->real = true;
	return *text == 0;
}

/* What a disk cannot be of, whatever else is said of it. */
static bool check_kind(const struct value *v, const char *target, struct problems *p)
{
	if (strncmp(target, "/dev/", 5) == 0)
		refuse(p, v,
		       "is a device of this guest's; give its controller to Vellum by `vl "
		       "pci-take` "
		       "and write phy:ide0, or phy:ide0p1 for a partition",
		       target);
	else if (*target == 0)
		problem_add(p, PROBLEM_ERROR, v->at, "a disk needs target=FILE or target=ram:SIZE");
	else if (strncmp(target, "file:", 5) == 0)
		refuse(p, v, "has an old form of xl's; write target=FILE,access=ro", target);
	else
		return true;
	return false;
}

/* The last check, which knows all the others' results. */
static bool check_target(const struct config_disk *disk, const struct value *v, const char *target,
			 struct problems *p)
{
	if (strncmp(target, RAM, strlen(RAM)) == 0 && disk->size == 0)
		refuse(p, v, "is no size; write ram:1K to ram:64M", target);
	else if (strncmp(target, PHY, strlen(PHY)) == 0 && !disk->real)
		refuse(p, v,
		       "is no disk that Vellum can have; write phy:ide0 to phy:ide3, phy:ide0p1 "
		       "for a "
		       "partition, or phy:ide0@OFFSET+SIZE in bytes",
		       target);
	else if (disk->size == 0 && !disk->real && !disk->read_only)
		refuse(p, v,
		       "cannot be written to: what a guest writes stays in memory and ends with "
		       "it; "
		       "write access=ro, or target=ram:SIZE",
		       target);
	else
		return true;
	return false;
}

static bool check_fields(struct config_disk *disk, const struct disk_text *t, size_t index,
			 const struct value *v, struct problems *p)
{
	const char name[] = {'v', 'd', (char)('a' + index), 0};
	const char *format = t->field[FIELD_FORMAT], *vdev = t->field[FIELD_VDEV];

	if (*format && strcmp(format, "raw") != 0) {
		refuse(p, v, "is no format that Vellum reads; write format=raw", format);
		return false;
	}
	if (*vdev && strcmp(vdev, name) != 0) {
		problem_add(p, PROBLEM_ERROR, v->at,
			    "`%.64s` is not what the guest calls it; write vdev=%s, since disks "
			    "are named in their order",
			    vdev, name);
		return false;
	}
	if (!read_access(t->field[FIELD_ACCESS], &disk->read_only)) {
		refuse(p, v, "is no access; write access=ro or access=rw", t->field[FIELD_ACCESS]);
		return false;
	}
	return true;
}

int devices_add_disk(struct config_devices *d, const struct value *v, struct tree *tree,
		     struct problems *p)
{
	struct config_disk disk = {.at = v->at};
	struct disk_text t = {0};
	const char *in = v->text, *target = t.field[FIELD_TARGET];
	struct part part;
	bool good = has_room(d, v, p);

	for (size_t place = 0; good && next_part(&in, &part); place++)
		good = set_field(&t, &part, place, v, p);
	if (good && in != NULL) {
		refuse(p, v, "is too long", v->text);
		return 0;
	}
	if (!good || !check_kind(v, target, p) || !check_fields(&disk, &t, d->nr_disks, v, p))
		return 0;
	if (strncmp(target, RAM, strlen(RAM)) == 0 && !read_size(target + strlen(RAM), &disk.size))
		disk.size = 0;
	if (strncmp(target, PHY, strlen(PHY)) == 0 && !read_real(target + strlen(PHY), &disk))
		disk.real = false;
	if (!check_target(&disk, v, target, p))
		return 0;
	if (disk.size == 0 && !disk.real)
		disk.file = tree_join(tree, target, "");
	if (disk.size == 0 && !disk.real && disk.file == NULL)
		return -ENOMEM;
	d->disk[d->nr_disks++] = disk;
	return 0;
}

/* --- for the guest --- */

void devices_words(size_t count, char words[DEVICES_WORDS_SIZE])
{
	size_t at = 0;

	words[0] = 0;
	for (unsigned int i = 0; i < count; i++)
		at += (size_t)snprintf(words + at, DEVICES_WORDS_SIZE - at,
				       " virtio_mmio.device=4K@%#x:%u", VL_DEVICE_ADDRESS(i),
				       VL_DEVICE_LINE(i));
}
