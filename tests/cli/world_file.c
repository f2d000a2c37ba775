/* SPDX-License-Identifier: MIT */
/*
 * The reader of world files, see world.h for their form.
 */
#include "tests/cli/world.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *world_path = "world";
static int world_line;

void world_die(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "vl-fake: %s:%d: ", world_path, world_line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	_Exit(99);
}

/* Cut the next word off *rest. Never NULL; "" at the end. */
static char *word(char **rest)
{
	char *start = *rest + strspn(*rest, " \t");
	size_t n = strcspn(start, " \t");

	*rest = start + n + (start[n] ? 1 : 0);
	start[n] = 0;
	return start;
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	if (!*text || *end)
		world_die("`%s` is not a number", text);
	return n;
}

static int error_number(const char *name)
{
	static const struct {
		const char *name;
		int err;
	} known[] = {
		{"EPERM", EPERM},     {"ENOENT", ENOENT},   {"EIO", EIO},
		{"ENXIO", ENXIO},     {"EAGAIN", EAGAIN},   {"ENOMEM", ENOMEM},
		{"EACCES", EACCES},   {"EFAULT", EFAULT},   {"EBUSY", EBUSY},
		{"ENODEV", ENODEV},   {"EINVAL", EINVAL},   {"EMFILE", EMFILE},
		{"ENOTTY", ENOTTY},   {"ENOSYS", ENOSYS},   {"EOPNOTSUPP", EOPNOTSUPP},
		{"EBADMSG", EBADMSG}, {"EUCLEAN", EUCLEAN}, {"EEXIST", EEXIST},
		{"E2BIG", E2BIG},     {"ENOSPC", ENOSPC},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].err;
	world_die("unknown error `%s`", name);
}

size_t world_unescape(char *text)
{
	char *to = text;
	unsigned int byte;

	for (const char *from = text; *from;) {
		if (*from != '\\') {
			*to++ = *from++;
		} else if (from[1] == 'n' || from[1] == 's') {
			*to++ = from[1] == 'n' ? '\n' : ' ';
			from += 2;
		} else if (sscanf(from, "\\x%2x", &byte) == 1) {
			*to++ = (char)byte;
			from += 4;
		} else {
			world_die("unknown escape in `%s`", text);
		}
	}
	*to = 0;
	return (size_t)(to - text);
}

static void add_log(struct world *w, const char *text, size_t n)
{
	if (w->log_size + n > MAX_LOG)
		world_die("the log is too long");
	memcpy(w->log + w->log_size, text, n);
	w->log_size += n;
}

static void add_lines(struct world *w, char *rest)
{
	uint64_t n = number(word(&rest));
	char line[256];

	for (uint64_t i = 1; i <= n; i++) {
		int used = snprintf(line, sizeof(line), "%s %llu\n", rest, (unsigned long long)i);

		add_log(w, line, (size_t)used);
	}
}

static void add_event(struct events *events, const char *text)
{
	if (events->count == MAX_EVENTS)
		world_die("too many events");
	events->text[events->count++] = strdup(text);
}

/* One event that adds N lines: enough to overwrite the ring between two reads. */
static void add_lines_event(struct events *events, char *rest)
{
	uint64_t n = number(word(&rest));
	size_t step = strlen(rest) + 2;
	char *text = calloc(n, step + 1);

	for (uint64_t i = 0; i < n && text; i++)
		strcat(strcat(text, rest), "\\n");
	add_event(events, text);
	free(text);
}

int world_next_event(struct world *w, struct events *events)
{
	char *text;

	if (events->next == events->count)
		return 0;
	text = events->text[events->next++];
	add_log(w, text, world_unescape(text));
	free(text);
	return 1;
}

static void set_text(char *to, size_t size, char *value)
{
	size_t n = world_unescape(value);

	if (n > size) /* n == size: not zero-terminated, which vl must survive */
		world_die("`%s` is too long", value);
	memcpy(to, value, n);
}

static void set_hv(struct world *w, const char *key, char *value)
{
	struct vl_hv_info *hv = &w->hv;

	if (strcmp(key, "version") == 0)
		set_text(hv->version, sizeof(hv->version), value);
	else if (strcmp(key, "build") == 0)
		set_text(hv->build, sizeof(hv->build), value);
	else if (strcmp(key, "partition_start") == 0)
		hv->partition_start = number(value);
	else if (strcmp(key, "partition_size") == 0)
		hv->partition_size = number(value);
	else if (strcmp(key, "partition_free") == 0)
		hv->partition_free = number(value);
	else if (strcmp(key, "image_size") == 0)
		hv->image_size = number(value);
	else if (strcmp(key, "machine_ram") == 0)
		hv->machine_ram = number(value);
	else if (strcmp(key, "hypercalls") == 0)
		hv->hypercalls = number(value);
	else if (strcmp(key, "nr_cpus") == 0)
		hv->nr_cpus = (uint32_t)number(value);
	else if (strcmp(key, "shadow") == 0)
		hv->shadow = (uint32_t)number(value);
	else if (strcmp(key, "fast") == 0)
		hv->fast = (uint32_t)number(value);
	else
		world_die("unknown key `%s`", key);
}

static void set_domain(struct world *w, const char *key, char *value)
{
	struct vl_domain_info *d = &w->domain[w->nr_domains - 1];

	if (strcmp(key, "name") == 0)
		set_text(d->name, sizeof(d->name), value);
	else if (strcmp(key, "mode") == 0)
		d->mode = (uint32_t)number(value);
	else if (strcmp(key, "state") == 0)
		d->state = (uint32_t)number(value);
	else if (strcmp(key, "nr_vcpus") == 0)
		d->nr_vcpus = (uint32_t)number(value);
	else if (strcmp(key, "memory") == 0)
		d->memory = number(value);
	else if (strcmp(key, "hypercalls") == 0)
		d->hypercalls = number(value);
	else if (strcmp(key, "tsc_start") == 0)
		d->tsc_start = number(value);
	else if (strcmp(key, "tsc_now") == 0)
		d->tsc_now = number(value);
	else
		world_die("unknown key `%s`", key);
}

static void set_counter_of(struct vl_domain_counters *c, const char *key, const char *value)
{
	const struct {
		const char *key;
		uint64_t *at;
	} known[] = {
		{"exits_hypercall", &c->exits_hypercall},
		{"exits_syscall", &c->exits_syscall},
		{"exits_interrupt", &c->exits_interrupt},
		{"exits_hidden_fault", &c->exits_hidden_fault},
		{"exits_guest_fault", &c->exits_guest_fault},
		{"exits_emulated", &c->exits_emulated},
		{"exits_reflected", &c->exits_reflected},
		{"shadow_fills", &c->shadow_fills},
		{"shadow_flushes", &c->shadow_flushes},
		{"shadow_evictions", &c->shadow_evictions},
		{"shadow_tables", &c->shadow_tables},
		{"p2m_tables", &c->p2m_tables},
		{"p2m_moved", &c->p2m_moved},
		{"virtualized", &c->virtualized},
		{"devirtualized", &c->devirtualized},
		{"virtualize_cycles", &c->virtualize_cycles},
		{"devirtualize_cycles", &c->devirtualize_cycles},
		{"io_accesses", &c->io_accesses},
	};

	if (strcmp(key, "layers") == 0) {
		c->layers = (uint32_t)number(value);
		return;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(key, known[i].key) == 0) {
			*known[i].at = number(value);
			return;
		}
	world_die("unknown key `%s`", key);
}

static void set_counter(struct world *w, const char *key, char *value)
{
	set_counter_of(&w->counters, key, value);
}

static void set_growth(struct world *w, const char *key, char *value)
{
	set_counter_of(&w->grow, key, value);
}

static void add_p2m(struct world *w, char *rest)
{
	struct vl_p2m_range *r = &w->p2m[w->nr_p2m];

	if (w->nr_p2m++ == MAX_P2M)
		world_die("too many ranges");
	r->pfn = number(word(&rest));
	r->mfn = number(word(&rest));
	r->count = number(word(&rest));
}

static void pairs(struct world *w, char *rest,
		  void (*set)(struct world *w, const char *key, char *value))
{
	for (char *pair = word(&rest); *pair; pair = word(&rest)) {
		char *value = strchr(pair, '=');

		if (!value)
			world_die("`%s` is not KEY=VALUE", pair);
		*value = 0;
		set(w, pair, value + 1);
	}
}

static void add_domain(struct world *w, char *rest, int vanished)
{
	uint32_t id = (uint32_t)number(word(&rest));

	if (w->nr_domains == MAX_DOMAINS)
		world_die("too many domains");
	if (w->nr_domains && w->domain[w->nr_domains - 1].domid >= id)
		world_die("ids must ascend");
	w->vanished[w->nr_domains] = vanished;
	w->domain[w->nr_domains++] = (struct vl_domain_info){.domid = id};
	pairs(w, rest, set_domain);
}

static uint64_t call_number(const char *name)
{
	static const char *const names[VL_CALL_LIMIT] = {
		[VL_CALL_VERSION] = "version",
		[VL_CALL_HV_INFO] = "hv_info",
		[VL_CALL_DOMAIN_INFO] = "domain_info",
		[VL_CALL_DOMAIN_NEXT] = "domain_next",
		[VL_CALL_CONSOLE_READ] = "console_read",
		[VL_CALL_VIRTUALIZE] = "virtualize",
		[VL_CALL_DEVIRTUALIZE] = "devirtualize",
		[VL_CALL_P2M_READ] = "p2m_read",
		[VL_CALL_PORTION_ADD] = "portion_add",
		[VL_CALL_PORTION_REMOVE] = "portion_remove",
		[VL_CALL_PORTIONS] = "portions",
		[VL_CALL_DOMAIN_COUNTERS] = "domain_counters",
		[VL_CALL_SET_FAILPOINT] = "set_failpoint",
		[VL_CALL_DOMAIN_RENAME] = "domain_rename",
		[VL_CALL_DOMAIN_CREATE] = "domain_create",
		[VL_CALL_MEMORY_GIVE] = "memory_give",
		[VL_CALL_DOMAIN_CONSOLE_READ] = "domain_console_read",
		[VL_CALL_VCPU_START] = "vcpu_start",
		[VL_CALL_DEVICE_ADD] = "device_add",
		[VL_CALL_DISK_WRITE] = "disk_write",
		[VL_CALL_DEVICE_INFO] = "device_info",
		[VL_CALL_DEVICE_SHOW] = "device_show",
		[VL_CALL_DEVICE_REMOVE] = "device_remove",
		[VL_CALL_DOMAIN_PAUSE] = "domain_pause",
		[VL_CALL_DOMAIN_UNPAUSE] = "domain_unpause",
		[VL_CALL_DOMAIN_WEIGHT] = "domain_weight",
		[VL_CALL_DOMAIN_SHUTDOWN] = "domain_shutdown",
		[VL_CALL_HAND_OVER] = "hand_over",
		[VL_CALL_HOME] = "home",
		[VL_CALL_SHARE] = "share",
		[VL_CALL_PCI_TAKE] = "pci_take",
		[VL_CALL_PCI_RETURN] = "pci_return",
		[VL_CALL_DISK_END] = "disk_end",
		[VL_CALL_DISK_INFO] = "disk_info",
		[VL_CALL_DISK_ADD] = "disk_add",
		[VL_CALL_UPLINK] = "uplink",
		[VL_CALL_VCPU_STATUS] = "vcpu_status",
	};

	for (uint64_t i = 0; i < VL_CALL_LIMIT; i++)
		if (names[i] && strcmp(names[i], name) == 0)
			return i;
	world_die("unknown call `%s`", name);
}

static void force_answer(struct world *w, char *rest)
{
	uint64_t nr = call_number(word(&rest));
	const char *value = word(&rest);

	w->forced[nr] = 1;
	if (value[0] == '-' && value[1] == 'E')
		w->forced_value[nr] = -error_number(value + 1);
	else
		w->forced_value[nr] = strtoll(value, NULL, 0);
}

static void set_home(struct world *w, char *rest)
{
	uint64_t pages = number(word(&rest));

	w->home_fails = strcmp(rest, "fails") == 0;
	w->home = (struct vl_home_info){
		.pages = pages, .left = pages, .longest = 5, .begun = 1000, .now = 1000};
}

static void set_share(struct world *w, char *rest)
{
	uint64_t pages = number(word(&rest)), frames = number(word(&rest));

	w->share = (struct vl_share_info){
		.on = 1,
		.rate = (uint32_t)number(word(&rest)),
		.pages = pages,
		.frames = frames,
		.kept = pages - frames,
		.looked = 4096,
		.passes = 3,
		.merged = pages + 5,
		.zero = 7,
		.broken = 5,
		.pieces = 100,
		.longest = 2000,
	};
}

static void set_abi(struct world *w, char *rest)
{
	w->hv.abi_major = (uint32_t)number(word(&rest));
	w->hv.abi_minor = (uint32_t)number(word(&rest));
	w->version = (int64_t)w->hv.abi_major << 16 | w->hv.abi_minor;
}

static void set_console(struct world *w, char *rest)
{
	w->console_of = (uint32_t)number(word(&rest));
	w->console_size = world_unescape(rest);
	if (w->console_size > MAX_CONSOLE / 2)
		world_die("that is too much for a console");
	memcpy(w->console, rest, w->console_size);
}

static void set_weights(struct world *w, char *rest)
{
	size_t i = 0;

	for (char *text = word(&rest); *text && i < MAX_DOMAINS; text = word(&rest))
		w->weight[i++] = (uint32_t)number(text);
}

static void set_domain_state(struct world *w, char *rest)
{
	uint64_t domid = number(word(&rest));
	uint32_t state = (uint32_t)number(word(&rest));

	for (size_t i = 0; i < w->nr_domains; i++)
		if (w->domain[i].domid == domid) {
			w->domain[i].state = state;
			w->domain[i].shutdown = *rest ? (uint32_t)number(word(&rest)) : 0;
		}
}

static void set_device(struct world *w, int net, char *rest)
{
	uint64_t domid = number(word(&rest)), index = number(word(&rest));
	struct vl_device *d = &w->device[index % VL_MAX_DEVICES];

	w->device_of = domid;
	w->has_device[index % VL_MAX_DEVICES] = 1;
	w->devices = (unsigned int)index + 1;
	*d = (struct vl_device){.kind = net ? VL_DEVICE_NET : VL_DEVICE_BLOCK};
	if (net) {
		d->mac[0] = 2;
		d->mac[5] = (uint8_t)number(word(&rest));
		set_text(d->bridge, sizeof(d->bridge), word(&rest));
		d->dropped = 5;
	} else {
		d->size = number(word(&rest));
	}
	d->status = (uint32_t)number(word(&rest));
	d->flags = *rest ? (uint32_t)number(word(&rest)) : 0;
	d->reads = 1000 + index;
	d->read_bytes = 64000;
	d->writes = 70;
	d->write_bytes = 4096;
	d->refused = 1;
}

/* Statements about other domains; returns 0 if it is none. */
static int guest_statement(struct world *w, const char *what, char *rest)
{
	if (strcmp(what, "ram") == 0) {
		w->ram_start = number(word(&rest));
		w->ram_size = number(word(&rest));
	} else if (strcmp(what, "allocatable") == 0) {
		w->allocatable = number(word(&rest)) << 20;
	} else if (strcmp(what, "guest") == 0) {
		w->guest_error = error_number(word(&rest));
	} else if (strcmp(what, "busy") == 0) {
		w->busy = (uint32_t)number(word(&rest));
	} else if (strcmp(what, "weights") == 0) {
		set_weights(w, rest);
	} else if (strcmp(what, "memory") == 0) {
		uint64_t domid = number(word(&rest)), memory = number(word(&rest));

		for (size_t i = 0; i < w->nr_domains; i++)
			if (w->domain[i].domid == domid)
				w->domain[i].memory = memory;
	} else if (strcmp(what, "run") == 0) {
		w->has_run = 1;
		for (size_t i = 0; i < MAX_DOMAINS; i++)
			w->run[i] = *rest ? number(word(&rest)) : 0;
	} else if (strcmp(what, "console") == 0) {
		set_console(w, rest);
	} else if (strcmp(what, "piece") == 0) {
		w->console_piece = number(word(&rest));
	} else if (strcmp(what, "typed") == 0) {
		world_unescape(rest);
		w->has_typed = 1;
		snprintf(w->typed, sizeof(w->typed), "%s", rest);
	} else if (strcmp(what, "net") == 0 || strcmp(what, "disk") == 0) {
		set_device(w, what[0] == 'n', rest);
	} else if (strcmp(what, "patience") == 0) {
		w->patience = (int)number(word(&rest));
	} else if (strcmp(what, "state") == 0) {
		set_domain_state(w, rest);
	} else if (strcmp(what, "gone") == 0) {
		world_end(w, (uint32_t)number(word(&rest)));
	} else if (strcmp(what, "onwait") == 0) {
		add_event(&w->on_wait, rest);
	} else if (strcmp(what, "portion") == 0) {
		struct vl_portion *p = &w->portions.portion[w->portions.count++];

		p->start = number(word(&rest));
		p->size = number(word(&rest));
	} else {
		return 0;
	}
	return 1;
}

void world_statement(struct world *w, char *line)
{
	char *rest = line;
	const char *what = word(&rest);

	if (strcmp(what, "open") == 0)
		w->open_error = error_number(word(&rest));
	else if (strcmp(what, "ioctl") == 0)
		w->ioctl_error = error_number(word(&rest));
	else if (strcmp(what, "switch") == 0)
		w->switch_error = error_number(word(&rest));
	else if (strcmp(what, "layers") == 0)
		w->layers = (uint32_t)number(word(&rest));
	else if (strcmp(what, "sysfs") == 0)
		w->sysfs = 1;
	else if (strcmp(what, "abi") == 0)
		set_abi(w, rest);
	else if (strcmp(what, "hv") == 0)
		pairs(w, rest, set_hv);
	else if (strcmp(what, "self") == 0)
		w->self = (uint32_t)number(word(&rest));
	else if (strcmp(what, "domain") == 0 || strcmp(what, "vanish") == 0)
		add_domain(w, rest, what[0] == 'v');
	else if (strcmp(what, "counters") == 0)
		pairs(w, rest, set_counter);
	else if (strcmp(what, "p2m") == 0)
		add_p2m(w, rest);
	else if (strcmp(what, "chunk") == 0)
		w->p2m_chunk = number(word(&rest));
	else if (strcmp(what, "release") == 0)
		w->release = 1;
	else if (strcmp(what, "grow") == 0)
		pairs(w, rest, set_growth);
	else if (strcmp(what, "step") == 0)
		w->step = number(word(&rest));
	else if (strcmp(what, "meminfo") == 0)
		w->meminfo = strcmp(rest, "none") == 0 ? UINT64_MAX : number(word(&rest));
	else if (strcmp(what, "home") == 0)
		set_home(w, rest);
	else if (strcmp(what, "share") == 0)
		set_share(w, rest);
	else if (strcmp(what, "stays") == 0)
		w->stays = (uint32_t)number(word(&rest));
	else if (strcmp(what, "tsc_rate") == 0)
		w->tsc_rate = number(word(&rest));
	else if (strcmp(what, "ring") == 0)
		w->ring = number(word(&rest));
	else if (strcmp(what, "log") == 0)
		add_log(w, rest, world_unescape(rest));
	else if (strcmp(what, "lines") == 0)
		add_lines(w, rest);
	else if (strcmp(what, "onread") == 0 || strcmp(what, "onsleep") == 0)
		add_event(what[2] == 'r' ? &w->on_read : &w->on_sleep, rest);
	else if (strcmp(what, "onreadlines") == 0)
		add_lines_event(&w->on_read, rest);
	else if (strcmp(what, "answer") == 0)
		force_answer(w, rest);
	else if (!world_pci_statement(what, rest) && !world_vcpu_statement(what, rest) &&
		 !guest_statement(w, what, rest))
		world_die("unknown statement `%s`", what);
}

void world_load(struct world *w, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[1024];

	world_path = path;
	if (!f)
		world_die("cannot open it");
	w->version = (int64_t)VL_ABI_MAJOR << 16 | VL_ABI_MINOR;
	w->hv.abi_major = VL_ABI_MAJOR;
	w->hv.abi_minor = VL_ABI_MINOR;
	w->ring = 65536;
	w->meminfo = 409600;
	w->tsc_rate = 1000;
	w->ram_start = 1 << 20;
	w->ram_size = 1 << 30;
	w->allocatable = UINT64_MAX;
	w->busy = UINT32_MAX;
	for (size_t i = 0; i < MAX_DOMAINS; i++)
		w->weight[i] = 256;
	w->layers = VL_LAYER_ALL;
	w->counters.layers = VL_LAYER_ALL;
	while (fgets(line, sizeof(line), f)) {
		world_line++;
		line[strcspn(line, "\n")] = 0;
		if (line[0] && line[0] != '#')
			world_statement(w, line);
	}
	fclose(f);
	w->available = w->meminfo == UINT64_MAX ? 0 : w->meminfo << 10;
	for (size_t i = 0; i < w->nr_domains; i++)
		w->hv.nr_domains += !w->vanished[i];
}
