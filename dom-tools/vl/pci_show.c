/* SPDX-License-Identifier: MIT */
/*
 * `vl info --devices`: what this kernel knows of, and what Vellum has of it.
 */
#include "dom-tools/vl/pci.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dom-tools/lib/pci.h"
#include "dom-tools/lib/pci_host.h"
#include "dom-tools/vl/output.h"

struct row {
	char name[PCI_NAME_SIZE];
	const struct pci_host_function *f;
	const struct vl_pci_function *taken; /* NULL: this guest's */
	bool is_uplink;
	struct vl_uplink uplink;
};

static const struct vl_pci_function *find(const struct vl_pci_taken *taken, uint32_t function)
{
	for (uint32_t i = 0; i < taken->count; i++)
		if (taken->function[i].function == function)
			return &taken->function[i];
	return NULL;
}

static void make_row(struct row *r, struct vl_client *c, const struct pci_host_function *f,
		     const struct vl_pci_taken *taken)
{
	struct vl_error ignored;

	*r = (struct row){.f = f, .taken = find(taken, f->function)};
	vl_pci_name(r->name, f->function);
	r->is_uplink = r->taken && r->taken->kind == VL_PCI_NET &&
		       vl_uplink(c, f->function, VL_UPLINK_KEEP, &r->uplink, &ignored) == 0;
}

static const char *owner(const struct row *r)
{
	return r->taken ? "vellum" : "guest";
}

static const char *mode(const struct row *r)
{
	if (!r->taken)
		return "passthrough";
	if (r->is_uplink)
		return "uplink";
	return r->taken->flags & VL_PCI_IN_USE ? "used" : "idle";
}

static void print_row(const struct row *r)
{
	char bridge[PRINTABLE_SIZE];
	const char *driver = r->f->driver[0] ? r->f->driver : "-";

	printf("%s %04" PRIx32 ":%04" PRIx32 " %04" PRIx32 " %-6s %-11s %s", r->name,
	       r->f->id & 0xffff, r->f->id >> 16, r->f->class, owner(r), mode(r),
	       r->taken ? "vellum" : driver);
	if (r->is_uplink)
		printf(" bridge=%s link=%s received=%" PRIu64 " sent=%" PRIu64,
		       printable(bridge, r->uplink.bridge), r->uplink.link ? "up" : "down",
		       r->uplink.received, r->uplink.sent);
	putchar('\n');
}

static struct json_object *uplink_json(const struct vl_uplink *u)
{
	struct json_object *o = json_new_object();
	char mac[18];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", u->mac[0], u->mac[1], u->mac[2],
		 u->mac[3], u->mac[4], u->mac[5]);
	json_add_text(o, "bridge", u->bridge);
	json_add_text(o, "mac", mac);
	json_add_u64(o, "link", u->link);
	json_add_u64(o, "received", u->received);
	json_add_u64(o, "received_bytes", u->received_bytes);
	json_add_u64(o, "sent", u->sent);
	json_add_u64(o, "sent_bytes", u->sent_bytes);
	json_add_u64(o, "dropped", u->dropped);
	json_add_u64(o, "missed", u->missed);
	json_add_u64(o, "errors", u->errors);
	json_add_u64(o, "timeouts", u->timeouts);
	return o;
}

static struct json_object *row_json(const struct row *r)
{
	struct json_object *o = json_new_object();

	json_add_text(o, "function", r->name);
	json_add_u64(o, "vendor", r->f->id & 0xffff);
	json_add_u64(o, "device", r->f->id >> 16);
	json_add_u64(o, "class", r->f->class);
	json_add_text(o, "owner", owner(r));
	json_add_text(o, "mode", mode(r));
	json_add_text(o, "driver", r->taken ? "vellum" : r->f->driver);
	if (r->is_uplink)
		json_add(o, "uplink", uplink_json(&r->uplink));
	return o;
}

/* An older Vellum has none. */
static int get(struct vl_client *c, struct pci_host_list *list, struct vl_pci_taken *taken,
	       struct vl_error *e)
{
	int rc = pci_host_list(list, e);

	if (rc)
		return rc;
	rc = vl_pci_taken(c, taken, e);
	return rc == -ENOSYS ? 0 : rc;
}

int pci_show(struct vl_client *c, bool json, struct vl_error *e)
{
	struct pci_host_list list;
	struct vl_pci_taken taken;
	struct json_object *all = NULL;
	struct row row;
	int rc = get(c, &list, &taken, e);

	if (rc)
		return rc;
	if (json)
		all = json_new_array();
	for (size_t i = 0; i < list.count; i++) {
		make_row(&row, c, &list.function[i], &taken);
		if (json)
			json_append(all, row_json(&row));
		else
			print_row(&row);
	}
	if (json)
		json_print(stdout, all);
	return 0;
}
