// SPDX-License-Identifier: MIT
/*
 * See cpu/guest_view.h.
 */
#include "cpu/guest_view.h"

#include "domain/domain.h"
#include "lib/string.h"

void guest_view_init(struct guest_view *v, const struct domain *d)
{
	v->domain = d;
	v->near = (struct domain_near){0};
	memset(v->tag, 0, sizeof(v->tag));
}

void *guest_view_find(void *view, u64 pa, u64 size)
{
	struct guest_view *v = view;
	u64 pfn = pa >> PAGE_SHIFT, i = pfn % GUEST_VIEW_PAGES, offset = pa % PAGE_SIZE;

	if (size > PAGE_SIZE - offset)
		return NULL;
	if (v->tag[i] != pfn + 1) {
		v->at[i] = domain_page(v->domain, (pfn_t){pfn}, &v->near);
		v->tag[i] = v->at[i] != NULL ? pfn + 1 : 0;
	}
	return v->tag[i] != 0 ? v->at[i] + offset : NULL;
}
