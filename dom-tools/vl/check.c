/* SPDX-License-Identifier: MIT */
/*
 * `vl check`: would a guest start from this configuration, here and now? All
 * that can be found out without making one is, and every problem told at
 * once, each at the place in the file that it is about. What the file and the
 * machine say follows, for people and, as JSON, for scripts.
 *
 * In order: the file by itself, the files that it names, the machine.
 */
#include "dom-tools/vl/command.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "dom-tools/config/config.h"
#include "dom-tools/image/kernel.h"
#include "dom-tools/lib/device.h"
#include "dom-tools/lib/domains.h"
#include "dom-tools/lib/file.h"
#include "dom-tools/lib/machine.h"
#include "dom-tools/vl/output.h"

#define KIB_BYTES ((uint64_t)1 << 10)
#define MIB_BYTES ((uint64_t)1 << 20)

/* Start information, first page tables, stack: what a guest has beside kernel and RAM disk. */
#define START_ROOM MIB_BYTES

struct check {
	const char *path;
	struct problems problems;
	struct config config;
	bool has_kernel; /* it is good, and `kernel` filled */
	struct file_map kernel_file;
	struct kernel kernel;
	uint64_t ramdisk_size;
	uint64_t memory_least;     /* 0: not known */
	uint64_t memory_available; /* 0: not known */
};

static struct position place(const struct check *c, enum config_key key)
{
	return c->config.at[key];
}

static void error_at(struct check *c, enum config_key key, const char *text)
{
	problem_add(&c->problems, PROBLEM_ERROR, place(c, key), "%s", text);
}

/* For which ABI it was written; that of a plain ELF file was checked with the rest of it. */
static void check_note(struct check *c, const struct elf64 *elf)
{
	if (!elf->has_note)
		problem_add(&c->problems, PROBLEM_WARNING, place(c, KEY_KERNEL),
			    "the kernel in the bzImage lacks Vellum's note: a kernel without "
			    "Vellum's patches does not run as a later guest");
	else if (elf->note.abi_major != VL_ABI_MAJOR)
		problem_add(&c->problems, PROBLEM_ERROR, place(c, KEY_KERNEL),
			    "the kernel was written for version %" PRIu32
			    " of Vellum's ABI and this is version %d",
			    elf->note.abi_major, VL_ABI_MAJOR);
}

static void check_kernel(struct check *c)
{
	struct vl_error e;

	if (file_map(c->config.kernel, &c->kernel_file, &e)) {
		error_at(c, KEY_KERNEL, e.text);
		return;
	}
	if (kernel_examine(c->kernel_file.data, c->kernel_file.size, &c->kernel, &e)) {
		error_at(c, KEY_KERNEL, e.text);
		return;
	}
	c->has_kernel = true;
	check_note(c, &c->kernel.elf);
	if (c->kernel.packed && strlen(c->config.extra) > c->kernel.bzimage.cmdline_max)
		problem_add(&c->problems, PROBLEM_ERROR, place(c, KEY_EXTRA),
			    "the command line has %zu bytes, and the kernel takes %u",
			    strlen(c->config.extra), c->kernel.bzimage.cmdline_max);
}

static void check_ramdisk(struct check *c)
{
	struct file_map file;
	struct vl_error e;

	if (file_map(c->config.ramdisk, &file, &e)) {
		error_at(c, KEY_RAMDISK, e.text);
		return;
	}
	c->ramdisk_size = file.size;
	if (file.size == 0)
		error_at(c, KEY_RAMDISK, "the RAM disk is empty");
	file_unmap(&file);
}

static uint64_t to_mib(uint64_t bytes)
{
	return (bytes + MIB_BYTES - 1) / MIB_BYTES;
}

static void check_size(struct check *c)
{
	uint64_t memory = c->config.memory_mib;

	if (!c->has_kernel)
		return;
	c->memory_least = kernel_span(&c->kernel) + c->ramdisk_size + START_ROOM;
	if (memory && memory < to_mib(c->memory_least))
		problem_add(&c->problems, PROBLEM_ERROR, place(c, KEY_MEMORY),
			    "kernel and RAM disk alone need %" PRIu64 " MiB, %" PRIu64
			    " MiB more than this",
			    to_mib(c->memory_least), to_mib(c->memory_least) - memory);
}

static void check_files(struct check *c)
{
	if (c->config.kernel)
		check_kernel(c);
	if (c->config.ramdisk)
		check_ramdisk(c);
	check_size(c);
}

/* Whether there is room for the guest in the one that makes it. */
static int check_memory(struct check *c, struct vl_error *e)
{
	uint64_t wanted = c->config.memory_mib * MIB_BYTES;
	int rc = machine_available_memory(&c->memory_available, e);

	if (rc)
		return rc;
	if (wanted > c->memory_available)
		problem_add(&c->problems, PROBLEM_ERROR, place(c, KEY_MEMORY),
			    "this guest can give %" PRIu64 " MiB; %" PRIu64 " MiB are missing",
			    c->memory_available / MIB_BYTES, to_mib(wanted - c->memory_available));
	return 0;
}

static int check_name(struct check *c, struct vl_client *client, struct vl_error *e)
{
	struct vl_domain_list list;
	int rc = vl_list_domains(client, &list, e);

	if (rc)
		return rc;
	for (size_t i = 0; c->config.name && i < list.count; i++)
		if (strcmp(list.domain[i].name, c->config.name) == 0)
			problem_add(&c->problems, PROBLEM_ERROR, place(c, KEY_NAME),
				    "domain %" PRIu32 " has this name already",
				    list.domain[i].domid);
	vl_free_domains(&list);
	return 0;
}

static int check_cpus(struct check *c, struct vl_client *client, struct vl_error *e)
{
	struct vl_hv_info hv;
	int rc = vl_get_hv_info(client, &hv, e);

	if (rc == 0 && c->config.vcpus > hv.nr_cpus)
		problem_add(&c->problems, PROBLEM_WARNING, place(c, KEY_VCPUS),
			    "more vcpus than the machine has CPUs (%" PRIu32 ")", hv.nr_cpus);
	return rc;
}

static int check_under_vellum(struct check *c, struct vl_error *e)
{
	struct vl_device dev;
	struct vl_client client;
	int rc = vl_device_open(&dev, e);

	if (rc)
		return rc;
	rc = vl_connect(&client, &dev.transport, e);
	if (rc == 0)
		rc = check_name(c, &client, e);
	if (rc == 0)
		rc = check_cpus(c, &client, e);
	dev.transport.ops->close(&dev.transport);
	return rc;
}

/* That there is no Vellum to make guests is one problem more. */
static void check_machine(struct check *c)
{
	struct vl_error e;

	if (check_under_vellum(c, &e))
		problem_add(&c->problems, PROBLEM_ERROR, (struct position){0}, "%s", e.text);
	if (check_memory(c, &e))
		problem_add(&c->problems, PROBLEM_ERROR, (struct position){0}, "%s", e.text);
}

static const char *severity_name(enum severity severity)
{
	return severity == PROBLEM_ERROR ? "error" : "warning";
}

static void print_problems(const struct check *c)
{
	for (size_t i = 0; i < c->problems.count; i++) {
		const struct problem *p = &c->problems.list[i];

		printf("%s:", c->path);
		if (p->at.line)
			printf("%" PRIu32 ":%" PRIu32 ":", p->at.line, p->at.column);
		printf(" %s: ", severity_name(p->severity));
		for (const char *s = p->text; *s; s++)
			print_byte(stdout, (unsigned char)*s);
		putchar('\n');
	}
}

static void print_text_line(const char *key, const char *text)
{
	printf("%s: ", key);
	for (; *text; text++)
		print_byte(stdout, (unsigned char)*text);
	putchar('\n');
}

static void print_kernel(const struct check *c)
{
	const struct kernel *k = &c->kernel;

	printf("kernel_kind: %s\n", k->packed ? "bzImage" : "ELF64");
	if (k->packed) {
		printf("kernel_release: %s\n", k->release[0] ? k->release : "unknown");
		printf("kernel_packed: %s\n", payload_format_name(k->payload.format));
	}
	if (k->elf.has_note)
		printf("kernel_abi: %" PRIu32 ".%" PRIu32 "\n", k->elf.note.abi_major,
		       k->elf.note.abi_minor);
	else
		puts("kernel_abi: none");
	printf("kernel_memory: %" PRIu64 " KiB\n", (kernel_span(k) + KIB_BYTES - 1) / KIB_BYTES);
}

static void print_config(const struct check *c)
{
	const struct config *f = &c->config;

	print_text_line("name", f->name);
	print_text_line("kernel", f->kernel);
	if (c->has_kernel)
		print_kernel(c);
	if (f->ramdisk) {
		print_text_line("ramdisk", f->ramdisk);
		printf("ramdisk_memory: %" PRIu64 " KiB\n",
		       (c->ramdisk_size + KIB_BYTES - 1) / KIB_BYTES);
	}
	print_text_line("extra", f->extra);
	printf("memory: %" PRIu64 " MiB\n", f->memory_mib);
	if (c->memory_least)
		printf("memory_least: %" PRIu64 " MiB\n", to_mib(c->memory_least));
	if (c->memory_available)
		printf("memory_available: %" PRIu64 " MiB\n", c->memory_available / MIB_BYTES);
	printf("vcpus: %" PRIu64 "\n", f->vcpus);
	printf("weight: %" PRIu64 "\n", f->weight);
	printf("on_poweroff: %s\n", config_action_name(f->on_poweroff));
	printf("on_reboot: %s\n", config_action_name(f->on_reboot));
	printf("on_crash: %s\n", config_action_name(f->on_crash));
}

static struct json_object *problems_json(const struct check *c)
{
	struct json_object *array = json_new_array();

	for (size_t i = 0; i < c->problems.count; i++) {
		const struct problem *p = &c->problems.list[i];
		struct json_object *o = json_new_object();

		json_add_u64(o, "line", p->at.line);
		json_add_u64(o, "column", p->at.column);
		json_add_text(o, "severity", severity_name(p->severity));
		json_add_text(o, "text", p->text);
		json_append(array, o);
	}
	return array;
}

static struct json_object *kernel_json(const struct check *c)
{
	const struct kernel *k = &c->kernel;
	struct json_object *o = json_new_object();

	json_add_text(o, "kind", k->packed ? "bzImage" : "ELF64");
	if (k->packed) {
		json_add_text(o, "release", k->release);
		json_add_text(o, "packed", payload_format_name(k->payload.format));
		json_add_u64(o, "packed_size", k->payload.size);
		json_add_u64(o, "unpacked_size", k->payload.unpacked_size);
	}
	if (k->elf.has_note) {
		json_add_u64(o, "abi_major", k->elf.note.abi_major);
		json_add_u64(o, "abi_minor", k->elf.note.abi_minor);
	}
	json_add_u64(o, "memory", kernel_span(k));
	return o;
}

static void add_config_json(const struct check *c, struct json_object *top)
{
	const struct config *f = &c->config;

	json_add_text(top, "name", f->name);
	json_add_text(top, "kernel", f->kernel);
	if (f->ramdisk) {
		json_add_text(top, "ramdisk", f->ramdisk);
		json_add_u64(top, "ramdisk_size", c->ramdisk_size);
	}
	json_add_text(top, "extra", f->extra);
	json_add_u64(top, "memory", f->memory_mib * MIB_BYTES);
	json_add_u64(top, "vcpus", f->vcpus);
	json_add_u64(top, "weight", f->weight);
	json_add_text(top, "on_poweroff", config_action_name(f->on_poweroff));
	json_add_text(top, "on_reboot", config_action_name(f->on_reboot));
	json_add_text(top, "on_crash", config_action_name(f->on_crash));
}

/* Keys for what is not known are left out. */
static void print_json(const struct check *c, bool readable)
{
	struct json_object *top = json_new_object();

	json_add_text(top, "file", c->path);
	json_add_u64(top, "errors", c->problems.errors);
	json_add_u64(top, "warnings", c->problems.warnings);
	json_add(top, "problems", problems_json(c));
	if (readable) {
		struct json_object *config = json_new_object();

		add_config_json(c, config);
		json_add(top, "config", config);
	}
	if (c->has_kernel)
		json_add(top, "kernel_file", kernel_json(c));
	if (c->memory_least)
		json_add_u64(top, "memory_least", c->memory_least);
	if (c->memory_available)
		json_add_u64(top, "memory_available", c->memory_available);
	json_print(stdout, top);
}

static int verdict(const struct check *c, struct vl_error *e)
{
	if (c->problems.errors == 0)
		return 0;
	return vl_fail(e, EINVAL, "%s: no guest can start from it; %zu error%s", c->path,
		       c->problems.errors, c->problems.errors == 1 ? "" : "s");
}

static int check_config(struct check *c, const struct invocation *inv, struct vl_error *e)
{
	bool readable;

	problems_sort(&c->problems);
	readable = c->problems.errors == 0;
	check_files(c);
	if (!option_given(inv, "no-machine"))
		check_machine(c);
	problems_sort(&c->problems);
	if (option_given(inv, "json")) {
		print_json(c, readable);
	} else {
		print_problems(c);
		if (c->problems.errors == 0)
			print_config(c);
	}
	if (c->has_kernel)
		kernel_free(&c->kernel);
	file_unmap(&c->kernel_file);
	return verdict(c, e);
}

int cmd_check(struct invocation *inv, struct vl_error *e)
{
	static struct check c;
	struct file_map file;
	int rc;

	c.path = inv->operands[0];
	rc = file_map(c.path, &file, e);
	if (rc)
		return rc;
	rc = config_parse(file.data, file.size, &c.config, &c.problems);
	if (rc)
		rc = vl_fail(e, ENOMEM, "not enough memory to read `%s`", c.path);
	else
		rc = check_config(&c, inv, e);
	config_free(&c.config);
	file_unmap(&file);
	return rc;
}
