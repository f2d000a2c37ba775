/* SPDX-License-Identifier: MIT */
/*
 * vl-disk: the first guest gives Vellum its IDE controller and goes on using the
 * disks through virtio devices of Vellum's, and has it back. What uses the disks
 * uses them by maps of the device mapper, which are held meanwhile; each of them has the
 * same sectors afterwards.
 *
 * The disk that it switches may be the one that it was started from, so all that it needs is in
 * memory before the first map is held.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dom-tools/disk/drives.h"
#include "dom-tools/disk/maps.h"
#include "dom-tools/disk/windows.h"
#include "dom-tools/lib/device.h"
#include "dom-tools/lib/devices.h"
#include "dom-tools/lib/disks.h"
#include "dom-tools/lib/pci.h"
#include "dom-tools/lib/pci_move.h"

#define MAPS       16
#define STATE      "/run/vellum"
#define TRIES      1000      /* for a drive to be found, */
#define A_MOMENT   20000000L /* of so many ns each */
#define USAGE      4096
#define EXIT_USAGE 2

struct drive {
	bool used;
	bool attached;
	uint64_t first, end; /* what the maps have of it, and the virtio disk with that: sectors */
	struct window window;
	struct block_device now;
};

struct work {
	struct vl_client *client;
	uint32_t function;
	size_t maps;
	struct map map[MAPS];
	struct drive drive[DRIVES];
};

static const char usage[] =
	"usage: vl-disk take|return BUS:DEVICE.FUNCTION MAP...\n"
	"take: Vellum has the IDE controller, the maps are on virtio disks of its; return: they "
	"are on\n"
	"the controller's drives again. MAP is a device of the device mapper (`dmsetup ls`).\n";

/* --- which drive is behind which window: for the way back --- */

static void state_path(char path[64], uint32_t index)
{
	snprintf(path, 64, STATE "/window-%" PRIu32, index);
}

static int state_write(const struct window *w, uint32_t drive, uint64_t first, uint64_t sectors,
		       struct vl_error *e)
{
	char path[64];
	FILE *f;

	mkdir("/run", 0755);
	mkdir(STATE, 0700);
	state_path(path, w->index);
	f = fopen(path, "we");
	if (!f)
		return vl_fail(e, errno, "%s cannot be written: %s", path, strerror(errno));
	fprintf(f, "%" PRIu32 " %" PRIu64 " %" PRIu64 "\n", drive, first, sectors);
	if (fclose(f))
		return vl_fail(e, errno, "%s cannot be written: %s", path, strerror(errno));
	return 0;
}

static void state_forget(const struct window *w)
{
	char path[64];

	state_path(path, w->index);
	unlink(path);
}

/* Somebody may have put another disk there since. */
static int state_read(const struct window *w, uint32_t *drive, uint64_t *first, struct vl_error *e)
{
	struct block_device d;
	uint64_t sectors;
	char path[64];
	FILE *f;
	int n = 0;

	state_path(path, w->index);
	f = fopen(path, "re");
	if (f) {
		n = fscanf(f, "%" SCNu32 " %" SCNu64 " %" SCNu64, drive, first, &sectors);
		fclose(f);
	}
	if (n != 3 || *drive >= DRIVES || !drive_behind(w->number, &d) ||
	    drive_sectors(d) != sectors)
		return vl_fail(e, ENOENT,
			       "%s does not tell which drive the virtio disk of window %" PRIu32
			       " is; `vl-disk take` writes it",
			       path, w->index);
	return 0;
}

/* --- what the maps are on --- */

static int find_native(struct work *w, const struct map *m, struct map_target *t,
		       struct vl_error *e)
{
	struct block_device d = {t->major, t->minor};
	char name[PCI_NAME_SIZE];
	struct drive *drive;
	uint64_t start;

	if (!drive_of(w->function, d, &t->drive, &start))
		return vl_fail(e, EINVAL,
			       "`%s` has sectors of %" PRIu32 ":%" PRIu32
			       ", which is on no drive of PCI function %s",
			       m->name, d.major, d.minor, vl_pci_name(name, w->function));
	t->offset += start;
	drive = &w->drive[t->drive];
	if (!drive->used || t->offset < drive->first)
		drive->first = t->offset;
	if (!drive->used || t->offset + t->length > drive->end)
		drive->end = t->offset + t->length;
	drive->used = true;
	return 0;
}

static uint64_t max_end(const struct drive *d, const struct map_target *t)
{
	uint64_t end = t->offset + t->length;

	return d->end > end ? d->end : end;
}

static int find_virtual(struct work *w, const struct map *m, struct map_target *t,
			struct vl_error *e)
{
	struct block_device d = {t->major, t->minor};
	struct window window;
	uint32_t number;
	uint64_t start, first;
	int rc;

	/* `take` puts maps on whole virtio disks. */
	if (!drive_window(d, &number, &start) || start != 0)
		return vl_fail(e, EINVAL,
			       "`%s` has sectors of %" PRIu32 ":%" PRIu32
			       ", which is no virtio disk of Vellum's",
			       m->name, d.major, d.minor);
	rc = window_find(number, &window, e);
	if (rc == 0)
		rc = state_read(&window, &t->drive, &first, e);
	if (rc)
		return rc;
	t->offset += first;
	w->drive[t->drive] = (struct drive){.used = true,
					    .attached = true,
					    .first = first,
					    .end = max_end(&w->drive[t->drive], t),
					    .window = window,
					    .now = d};
	return 0;
}

static int read_maps(struct work *w,
		     int (*of)(struct work *, const struct map *, struct map_target *,
			       struct vl_error *),
		     struct vl_error *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < w->maps; i++) {
		struct map *m = &w->map[i];

		rc = map_read(m, e);
		for (size_t k = 0; rc == 0 && k < m->count; k++)
			rc = of(w, m, &m->target[k], e);
	}
	return rc;
}

/* --- the two ways, with the maps held --- */

/* The driver has its disk, from before or from here on. */
static int show(struct drive *d, struct vl_error *e)
{
	int rc = window_bind(&d->window, e);

	if (drive_behind(d->window.number, &d->now))
		return 0;
	return rc ? rc : vl_fail(e, EIO, "virtio-mmio.%" PRIu32 " shows no disk", d->window.number);
}

/* What was attached is taken away by whoever goes the other way. */
static int attach(struct work *w, uint32_t drive, struct vl_error *e)
{
	struct drive *d = &w->drive[drive];
	struct vl_error ignored;
	struct vl_disk_extent extent = {
		.disk = drive, .start = d->first, .sectors = d->end - d->first};
	uint32_t index;
	char name[8];
	int rc = window_find_free(w->client, 0, &d->window, e);

	if (rc)
		return rc;
	extent.line = d->window.line;
	snprintf(name, sizeof(name), "ide%" PRIu32, drive);
	rc = vl_guest_add_disk(w->client, 0, &extent, name, &index, e);
	if (rc)
		return rc;
	if (index != d->window.index) { /* where that one is, somebody else's device is by now */
		vl_guest_remove_device(w->client, 0, index, true, 0, &ignored);
		return vl_fail(e, EBUSY, "another device came meanwhile; try again");
	}
	d->attached = true;
	rc = state_write(&d->window, drive, d->first, extent.sectors, e);
	/* The window was free, so what a driver has there is no device any more. */
	window_unbind(&d->window, &ignored);
	return rc ? rc : show(d, e);
}

static int to_vellum(struct work *w, struct vl_error *e)
{
	int rc = vl_pci_to_vellum(w->client, w->function, e);

	if (rc == -EEXIST) /* the way from there had not come so far */
		rc = 0;
	for (uint32_t i = 0; rc == 0 && i < DRIVES; i++)
		if (w->drive[i].used) /* one that could not be detached has lost its driver */
			rc = w->drive[i].attached ? show(&w->drive[i], e) : attach(w, i, e);
	return rc;
}

/* Its driver looks for drives in the background. */
static int wait_for_drives(struct work *w, struct vl_error *e)
{
	const struct timespec moment = {.tv_nsec = A_MOMENT};

	for (uint32_t i = 0; i < DRIVES; i++) {
		int tries = TRIES;

		while (w->drive[i].used && !drive_find(w->function, i, &w->drive[i].now)) {
			if (tries-- == 0)
				return vl_fail(
					e, EIO,
					"this kernel's driver does not find drive ide%" PRIu32, i);
			nanosleep(&moment, NULL);
		}
	}
	return 0;
}

static int to_native(struct work *w, struct vl_error *e)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < DRIVES; i++) {
		struct drive *d = &w->drive[i];
		struct vl_error ignored;

		if (!d->attached)
			continue;
		window_unbind(&d->window, &ignored); /* it may not have been bound */
		rc = vl_guest_remove_device(w->client, 0, d->window.index, true, 0, e);
		d->attached = rc != 0;
		if (rc == 0)
			state_forget(&d->window);
	}
	if (rc == 0)
		rc = vl_pci_from_vellum(w->client, w->function, e);
	/* The way there had not come so far. */
	return rc == 0 || rc == -ENOENT ? wait_for_drives(w, e) : rc;
}

/* --- the maps --- */

static int hold(struct work *w, struct vl_error *e)
{
	struct vl_error ignored;

	for (size_t i = 0; i < w->maps; i++) {
		int rc = map_hold(&w->map[i], e);

		while (rc && i-- > 0)
			map_go_on(&w->map[i], &ignored);
		if (rc)
			return rc;
	}
	return 0;
}

/* The maps' offsets are those of the whole drive; of a virtio disk, from its first sector on, of a
 * partition from that one's. */
static void put_on(const struct work *w, struct map *m)
{
	for (size_t k = 0; k < m->count; k++) {
		struct map_target *t = &m->target[k];
		const struct drive *d = &w->drive[t->drive];
		struct block_device now = d->now;
		uint64_t first = d->first;

		if (!d->attached)
			drive_find_part(w->function, t->drive, t->offset, t->offset + t->length,
					&now, &first);
		t->major = now.major;
		t->minor = now.minor;
		t->offset -= first;
	}
}

static int load(const struct work *w, struct vl_error *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < w->maps; i++) {
		static struct map m;

		m = w->map[i];
		put_on(w, &m);
		rc = map_load(&m, e);
	}
	return rc;
}

/* Each of them, whatever the others do. */
static int go_on(const struct work *w, struct vl_error *e)
{
	int first = 0;

	for (size_t i = 0; i < w->maps; i++) {
		struct vl_error mine;
		int rc = map_go_on(&w->map[i], &mine);

		if (rc && first == 0)
			*e = mine;
		first = first ? first : rc;
	}
	return first;
}

static int stuck(const struct vl_error *back, struct vl_error *e)
{
	const struct vl_error there = *e;

	return vl_fail(
		e, EIO,
		"%.180s; nor is there a way back: %.140s; the maps stay suspended: give each a "
		"table by `dmsetup load`, then `dmsetup resume` it",
		there.text, back->text);
}

static int put_there(struct work *w, int (*there)(struct work *, struct vl_error *),
		     struct vl_error *e)
{
	int rc = there(w, e);

	if (rc == 0)
		rc = load(w, e);
	return rc ? rc : go_on(w, e); /* where a table is judged once more */
}

static int switch_held(struct work *w, int (*there)(struct work *, struct vl_error *),
		       int (*back)(struct work *, struct vl_error *), struct vl_error *e)
{
	struct vl_error second;
	int failed = put_there(w, there, e), rc;

	if (failed == 0)
		return 0;
	rc = hold(w, &second); /* some may have gone on */
	if (rc == 0)
		rc = put_there(w, back, &second);
	return rc ? stuck(&second, e) : failed;
}

/* Nothing may end or stop this process while maps are held: who would let them go on? */
static int switch_over(struct work *w, int (*there)(struct work *, struct vl_error *),
		       int (*back)(struct work *, struct vl_error *), struct vl_error *e)
{
	sigset_t all, before;
	FILE *f;
	int rc;

	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		return vl_fail(e, errno, "memory cannot be locked: %s", strerror(errno));
	f = fopen("/proc/self/oom_score_adj", "we");
	if (f) {
		fputs("-1000", f);
		fclose(f);
	}
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	rc = hold(w, e);
	if (rc == 0)
		rc = switch_held(w, there, back, e);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

/* --- what is asked for --- */

static int check_users(const struct work *w, const struct drive_users *at, struct vl_error *e)
{
	static struct block_device ours[MAPS * MAP_TARGETS], maps[MAPS];
	size_t count = 0;

	for (size_t i = 0; i < w->maps; i++) {
		maps[i] = w->map[i].self;
		for (size_t k = 0; k < w->map[i].count; k++)
			ours[count++] = (struct block_device){w->map[i].target[k].major,
							      w->map[i].target[k].minor};
	}
	return drive_check_users(at, maps, w->maps, ours, count, e);
}

static int take(struct work *w, struct vl_error *e)
{
	const struct drive_users at = drive_users_of(w->function);
	uint32_t windows = 0;
	int rc = read_maps(w, find_native, e);

	if (rc == 0)
		rc = check_users(w, &at, e);
	for (uint32_t i = 0; rc == 0 && i < DRIVES; i++) {
		if (!w->drive[i].used)
			continue;
		if (!drive_find(w->function, i, &w->drive[i].now))
			rc = vl_fail(
				e, ENODEV,
				"drive ide%" PRIu32 " has no device in /dev that can be opened", i);
		if (rc == 0)
			rc = window_find_free(w->client, windows++, &w->drive[i].window, e);
	}
	return rc ? rc : switch_over(w, to_vellum, to_native, e);
}

static int check_taken(const struct work *w, struct vl_error *e)
{
	char name[PCI_NAME_SIZE];
	struct vl_pci_taken taken;
	int rc = vl_pci_taken(w->client, &taken, e);

	for (uint32_t i = 0; rc == 0 && i < taken.count; i++)
		if (taken.function[i].function == w->function &&
		    taken.function[i].kind == VL_PCI_DISK)
			return 0;
	return rc ? rc
		  : vl_fail(e, ENOENT, "PCI function %s is no IDE controller that is Vellum's",
			    vl_pci_name(name, w->function));
}

static int give_back(struct work *w, struct vl_error *e)
{
	int rc = read_maps(w, find_virtual, e);

	if (rc == 0)
		rc = check_taken(w, e);
	for (uint32_t i = 0; rc == 0 && i < DRIVES; i++) {
		const struct drive_users at = drive_users_behind(w->drive[i].window.number);

		if (w->drive[i].used)
			rc = check_users(w, &at, e);
	}
	return rc ? rc : switch_over(w, to_native, to_vellum, e);
}

static int run(int argc, char **argv, struct vl_error *e)
{
	static struct work w;
	struct vl_device_file device;
	struct vl_client client;
	bool takes = argc > 1 && strcmp(argv[1], "take") == 0;
	int rc;

	if (argc < 4 || argc - 3 > MAPS || (!takes && strcmp(argv[1], "return") != 0) ||
	    !vl_pci_parse(argv[2], &w.function))
		return vl_fail(e, USAGE, "%s", usage);
	for (int i = 3; i < argc; i++)
		w.map[w.maps++].name = argv[i];
	rc = vl_device_open(&device, e);
	if (rc)
		return rc;
	w.client = &client;
	rc = vl_connect(&client, &device.transport, e);
	if (rc == 0)
		rc = takes ? take(&w, e) : give_back(&w, e);
	device.transport.ops->close(&device.transport);
	return rc;
}

int main(int argc, char **argv)
{
	struct vl_error e = {0};
	int rc = run(argc, argv, &e);

	if (rc == 0)
		return 0;
	if (rc == -USAGE) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	fprintf(stderr, "vl-disk: %s\n", e.text);
	return 1;
}
