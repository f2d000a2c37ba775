/* SPDX-License-Identifier: MIT */
/*
 * `vl check`: would a guest start from this configuration, here and now? Every
 * problem is told at once (examine.h); what the file and the machine say
 * follows, for people and, as JSON, for scripts.
 */
#include "dom-tools/vl/command.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "dom-tools/lib/device.h"
#include "dom-tools/vl/examine.h"
#include "dom-tools/vl/output.h"

#define KIB_BYTES ((uint64_t)1 << 10)
#define MIB_BYTES ((uint64_t)1 << 20)

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
		       (c->ramdisk.size + KIB_BYTES - 1) / KIB_BYTES);
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
		json_add_text(o, "severity", p->severity == PROBLEM_ERROR ? "error" : "warning");
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
		json_add_u64(top, "ramdisk_size", c->ramdisk.size);
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

/* That there is no Vellum to make guests is one problem more. */
static void look_at_machine(struct check *c)
{
	struct vl_device_file dev;
	struct vl_client client;
	struct vl_error e;
	int rc = vl_device_open(&dev, &e);
	bool is_open = rc == 0;

	if (rc == 0)
		rc = vl_connect(&client, &dev.transport, &e);
	if (rc)
		problem_add(&c->problems, PROBLEM_ERROR, (struct position){0}, "%s", e.text);
	check_machine(c, rc ? NULL : &client);
	if (is_open)
		dev.transport.ops->close(&dev.transport);
}

static void show(struct check *c, bool readable, bool json)
{
	if (json) {
		problems_sort(&c->problems);
		print_json(c, readable);
		return;
	}
	check_print_problems(c);
	if (c->problems.errors == 0)
		print_config(c);
}

int cmd_check(struct invocation *inv, struct vl_error *e)
{
	static struct check c;
	bool readable;
	int rc = check_load(inv->operands[0], &c, e);

	if (rc)
		return rc;
	readable = c.problems.errors == 0;
	check_files(&c);
	if (!option_given(inv, "no-machine"))
		look_at_machine(&c);
	show(&c, readable, option_given(inv, "json"));
	rc = check_verdict(&c, e);
	check_free(&c);
	return rc;
}
