/* SPDX-License-Identifier: MIT */
/*
 * `vl p2m`: a domain's physical-to-machine map as ranges, one a line or as a
 * JSON array, or as a picture. Vellum may cut a range between two calls; here
 * they are joined.
 */
#include "dom-tools/vl/command.h"

#include <errno.h>
#include <inttypes.h>

#include "dom-tools/lib/domains.h"
#include "dom-tools/vl/output.h"
#include "dom-tools/vl/p2m_map.h"

/* Where ranges go to: `json` is the array, or NULL for text. The last one may still grow. */
struct sink {
	struct json_object *json;
	struct vl_p2m_range last; /* count 0: none yet */
	bool has_header;
};

static void put(struct sink *s)
{
	const struct vl_p2m_range *r = &s->last;
	struct json_object *o;

	if (r->count == 0)
		return;
	if (!s->json && !s->has_header)
		printf("%14s %14s %12s\n", "PFN", "MFN", "Frames");
	s->has_header = true;
	if (!s->json) {
		printf("%#14" PRIx64 " %#14" PRIx64 " %12" PRIu64 "\n", r->pfn, r->mfn, r->count);
		return;
	}
	o = json_new_object();
	json_add_u64(o, "pfn", r->pfn);
	json_add_u64(o, "mfn", r->mfn);
	json_add_u64(o, "count", r->count);
	json_append(s->json, o);
}

static void add(struct sink *s, const struct vl_p2m_range *r)
{
	struct vl_p2m_range *last = &s->last;

	if (last->count && last->pfn + last->count == r->pfn && last->mfn + last->count == r->mfn) {
		last->count += r->count;
		return;
	}
	put(s);
	*last = *r;
}

static int read_all(struct invocation *inv, uint32_t domid, struct sink *s, struct vl_error *e)
{
	struct vl_p2m_chunk chunk = {.next = 0};
	int rc;

	do {
		rc = vl_read_p2m(&inv->client, domid, chunk.next, &chunk, e);
		for (size_t i = 0; rc == 0 && i < chunk.count; i++)
			add(s, &chunk.range[i]);
	} while (rc == 0 && chunk.next != UINT64_MAX);
	return rc;
}

static int draw(struct invocation *inv, uint32_t domid, struct vl_error *e)
{
	struct vl_p2m_chunk chunk = {.next = 0};
	struct p2m_map map = {0};
	int rc;

	do {
		rc = vl_read_p2m(&inv->client, domid, chunk.next, &chunk, e);
		for (size_t i = 0; rc == 0 && i < chunk.count; i++)
			if (p2m_map_add(&map, &chunk.range[i]))
				rc = vl_fail(e, ENOMEM, "no memory for the map");
	} while (rc == 0 && chunk.next != UINT64_MAX);
	if (rc == 0)
		p2m_map_print(stdout, &map);
	p2m_map_free(&map);
	return rc;
}

int cmd_p2m(struct invocation *inv, struct vl_error *e)
{
	struct vl_domain_info d = {.domid = VL_DOMID_SELF};
	struct sink s = {0};
	int rc = 0;

	if (option_given(inv, "json") && option_given(inv, "map"))
		return vl_fail(e, VL_USAGE, "--json and --map exclude each other");

	if (inv->nr_operands)
		rc = vl_find_domain(&inv->client, inv->operands[0], &d, e);
	if (rc)
		return rc;
	if (option_given(inv, "map"))
		return draw(inv, d.domid, e);
	if (option_given(inv, "json"))
		s.json = json_new_array();
	rc = read_all(inv, d.domid, &s, e);
	put(&s);
	if (s.json && rc == 0)
		json_print(stdout, s.json);
	else if (s.json)
		json_object_put(s.json);
	return rc;
}
