// SPDX-License-Identifier: MIT
/*
 * Guest memory by virtual address. Every access goes through the guest's own
 * tables and the p2m, so a guest can make Vellum touch nothing that it could
 * not touch itself, whatever address it puts into RSP, IDTR or a TSS (S4).
 */
#include "cpu/vcpu.h"

#include "lib/string.h"
#include "mem/layout.h"
#include "mem/own_tables.h"
#include "mem/pagetable.h"

/* The guest asked for other frames at this va (set_alias): the rights stay its tables'. The page
 * shrinks until the alias covers it whole and both sides are aligned alike. */
static void apply_aliases(const struct domain *d, u64 va, struct translation *t)
{
	for (u32 i = 0; i < VL_MAX_ALIASES; i++) {
		const struct alias *a = &d->alias[i];
		u64 start = round_down(va, level_size(t->level));

		if (start + level_size(t->level) <= a->va || start >= a->va + a->size)
			continue;
		while (t->level > 1 &&
		       (start < a->va || start + level_size(t->level) > a->va + a->size ||
			((a->pa.v ^ a->va) & (level_size(t->level) - 1)) != 0)) {
			u64 inside = va & (level_size(t->level) - 1);

			t->level--;
			t->page.v += round_down(inside, level_size(t->level));
			start = round_down(va, level_size(t->level));
		}
		if (start >= a->va && start < a->va + a->size)
			t->page.v = a->pa.v + (start - a->va);
	}
}

u32 vcpu_translate(struct vcpu *v, const struct paging_mode *mode, u64 va, u32 access,
		   struct translation *t)
{
	struct guest_tables tables = vcpu_tables(v);
	u32 fault = is_own_va(va) ? WALK_FAULT | access : walk(mode, &tables, va, access, t);

	if (fault == 0 && v->cpl == 0)
		apply_aliases(v->domain, va, t);
	return fault;
}

/* Only memory is in Vellum's direct map: a guest may map devices, or nothing, and point the
 * processor at it. */
static bool is_memory(const struct vcpu *v, ma_t ma)
{
	struct range page = {round_down(ma.v, PAGE_SIZE), round_down(ma.v, PAGE_SIZE) + PAGE_SIZE};

	return memmap_is_ram(&v->domain->memory, page) || own_direct_maps(page);
}

/* Where the byte at va lies, NULL if no memory is there; or false and the exception. */
static bool locate(struct vcpu *v, u64 va, u32 access, u8 **there, struct exception *fault)
{
	struct paging_mode mode = vcpu_paging_mode(v, true);
	struct shadow_p2m p2m = vcpu_p2m(v);
	struct translation t;
	u32 error, shift = PAGE_SHIFT;
	u64 offset;
	ma_t ma;

	if (!is_canonical(va)) {
		*fault = (struct exception){.vector = 13, .has_error = true};
		return false;
	}
	error = vcpu_translate(v, &mode, va, access, &t);
	if (error != 0) {
		*fault = (struct exception){.vector = VECTOR_PF,
					    .has_error = true,
					    .error = error & ~WALK_FAULT,
					    .cr2 = va};
		return false;
	}
	offset = va & (level_size(t.level) - 1);
	ma = p2m.translate(p2m.context, (pa_t){t.page.v + round_down(offset, PAGE_SIZE)}, &shift);
	*there = is_memory(v, ma) ? (u8 *)direct(ma) + offset % PAGE_SIZE : NULL;
	return true;
}

static bool transfer(struct vcpu *v, u64 va, u8 *buffer, size_t size, u32 access,
		     struct exception *fault)
{
	while (size > 0) {
		size_t part = (size_t)min_u64(size, PAGE_SIZE - va % PAGE_SIZE);
		u8 *there;

		if (!locate(v, va, access, &there, fault))
			return false;
		if (there == NULL && !(access & PF_WRITE))
			memset(buffer, 0xff, part);
		else if (there != NULL && (access & PF_WRITE))
			memcpy(there, buffer, part);
		else if (there != NULL)
			memcpy(buffer, there, part);
		va += part;
		buffer += part;
		size -= part;
	}
	return true;
}

bool guest_read(struct vcpu *v, u64 va, void *to, size_t size, u32 access, struct exception *fault)
{
	return transfer(v, va, to, size, access & ~PF_WRITE, fault);
}

bool guest_write(struct vcpu *v, u64 va, const void *from, size_t size, u32 access,
		 struct exception *fault)
{
	return transfer(v, va, (u8 *)(uintptr_t)from, size, access | PF_WRITE, fault);
}
