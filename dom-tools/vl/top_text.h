/* SPDX-License-Identifier: MIT */
/*
 * What `vl top` shows, as lines of text, from two looks at the domains. How it
 * reaches a screen is top.c's matter.
 */
#ifndef DOM_TOOLS_VL_TOP_TEXT_H
#define DOM_TOOLS_VL_TOP_TEXT_H

#include "dom-tools/vl/domain_text.h"

/** One look: everything that Vellum tells, at about the same time. */
struct sample {
	struct vl_hv_info hv;
	struct domain_table table;
	struct vl_domain_counters *counters; /* as the table's domains; those untold are zero */
};

/** Look. Returns 0 and a sample for sample_free(), or a negative errno with its sentence in `e`. */
int sample_get(struct vl_client *c, uint64_t tsc_rate, struct sample *s, struct vl_error *e);

void sample_free(struct sample *s);

/** Lines that show `now`; those of domains come last. */
size_t top_lines(const struct sample *now);

/** The most bytes of a line, with the closing zero. */
#define TOP_LINE 256

/**
 * Write line `n`. Rates are those since `before`; of a domain that was not there then, or if it is
 * NULL, since the domain was entered.
 */
void top_line(char *to, size_t n, const struct sample *now, const struct sample *before);

#endif
