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
static void apply_alias(const struct alias *a, u64 va, struct translation *t)
{
	u64 start = round_down(va, level_size(t->level));

	if (a->size == 0 || start + level_size(t->level) <= a->va || start >= a->va + a->size)
		return;
	while (t->level > 1 && (start < a->va || start + level_size(t->level) > a->va + a->size ||
				((a->pa.v ^ a->va) & (level_size(t->level) - 1)) != 0)) {
		u64 inside = va & (level_size(t->level) - 1);

		t->level--;
		t->page.v += round_down(inside, level_size(t->level));
		start = round_down(va, level_size(t->level));
	}
	if (start >= a->va && start < a->va + a->size)
		t->page.v = a->pa.v + (start - a->va);
}

static void apply_aliases(const struct vcpu *v, u64 va, struct translation *t)
{
	const struct info_place *p = v->info;
	struct alias own = {.va = p->va, .size = p->va != 0 ? PAGE_SIZE : 0};

	own.pa.v = round_down(p->pa.v, PAGE_SIZE);
	for (u32 i = 0; i < VL_MAX_ALIASES; i++)
		apply_alias(&v->domain->alias[i], va, t);
	apply_alias(&own, va, t);
}

static bool has_aliases(const struct vcpu *v, u64 va, u32 level)
{
	u64 start = round_down(va, level_size(level));

	return range_overlaps(v->domain->aliased,
			      (struct range){start, start + level_size(level)}) ||
	       start == round_down(v->info->va, level_size(level));
}

/* A page that another domain offered for reading alone is one that its tables make read-only.
 * Without D, no leaf is writable, whatever CR0.WP says. */
static RARELY_USED u32 protect_foreign(const struct vcpu *v, u64 va, u32 access,
				       struct translation *t)
{
	pa_t page = {t->page.v + (va & (level_size(t->level) - 1))};

	if (!p2m_is_read_only(&v->domain->p2m, pa_to_pfn(page)))
		return 0;
	t->rights &= ~(PTE_W | PTE_D);
	return access & PF_WRITE ? WALK_FAULT | PF_PRESENT | access : 0;
}

u32 vcpu_translate(struct vcpu *v, const struct paging_mode *mode, u64 va, u32 access,
		   struct translation *t)
{
	u32 fault = is_own_va(va) ? WALK_FAULT | access : walk(mode, &v->tables, va, access, t);

	/* In the kernel's view: not for a user, but for what the processor reads on its behalf. */
	if (fault == 0 && !(access & PF_USER) && has_aliases(v, va, t->level))
		apply_aliases(v, va, t);
	if (fault == 0 && v->domain->p2m.foreign_read_only != 0)
		fault = protect_foreign(v, va, access, t);
	return fault;
}

/* --- the access cache --- */

static u32 cache_index(u64 va)
{
	return (u32)(va >> PAGE_SHIFT) % NR_ACCESS_CACHE;
}

static u32 fetch_index(u64 va)
{
	return (u32)(va >> PAGE_SHIFT) % NR_FETCH_CACHE;
}

void access_forget(struct vcpu *v, u64 va)
{
	if (v->cache.large[is_upper_half(va)]) { /* `va` may be in the same page */
		access_forget_all(v);
		return;
	}
	v->cache.changes += v->cache.page[cache_index(va)] != 0;
	v->cache.page[cache_index(va)] = 0;
	v->cache.fetch_page[fetch_index(va)] = 0;
	v->cache.device = 0;
}

void access_forget_all(struct vcpu *v)
{
	for (u32 i = 0; i < NR_ACCESS_CACHE; i++)
		v->cache.page[i] = 0;
	for (u32 i = 0; i < NR_FETCH_CACHE; i++)
		v->cache.fetch_page[i] = 0;
	v->cache.device = 0;
	v->cache.changes++;
	v->cache.local = v->cache.large[false] = v->cache.large[true] = false;
}

void access_forget_local(struct vcpu *v)
{
	if (v->cache.local)
		access_forget_all(v);
}

/* What has to be known of an entry, to forget it. */
static void note_kind(struct vcpu *v, u64 va, const struct translation *t)
{
	v->cache.local |= !(t->rights & PTE_G);
	v->cache.large[is_upper_half(va)] |= t->guest_level > 1;
}

/* Only ring 0's are kept: plain accesses, and code. */
static void cache_enter(struct vcpu *v, u64 va, u32 access, const struct translation *t, u8 *there)
{
	u32 i = cache_index(va);

	if ((access & ~(PF_WRITE | PF_FETCH)) || !(v->shadow.options & VL_SHADOW_ACCESS_CACHE))
		return;
	note_kind(v, va, t);
	if (access & PF_FETCH) {
		v->cache.fetch_page[fetch_index(va)] = (va & PAGE_MASK) | ACCESS_CACHE_VALID;
		v->cache.fetch_there[fetch_index(va)] = there;
		return;
	}
	v->cache.changes++;
	v->cache.page[i] = (va & PAGE_MASK) | ACCESS_CACHE_VALID |
			   (access & PF_WRITE ? ACCESS_CACHE_WRITABLE : 0);
	v->cache.there[i] = there;
}

/* A user's page may be one in a view, and none in the next: it is left out. */
void access_note_device(struct vcpu *v, u64 va, u32 access, const struct translation *t)
{
	if (!(v->shadow.options & VL_SHADOW_ACCESS_CACHE) || v->cpl != 0 || (t->rights & PTE_U) ||
	    (access & ~PF_WRITE))
		return;
	note_kind(v, va, t);
	v->cache.device = (va & PAGE_MASK) | ACCESS_CACHE_VALID |
			  (access & PF_WRITE ? ACCESS_CACHE_WRITABLE : 0);
}

static u8 *cache_find(const struct vcpu *v, u64 va, u32 access)
{
	u32 i = cache_index(va);
	u64 page = v->cache.page[i];

	if (access == PF_FETCH)
		return v->cache.fetch_page[fetch_index(va)] ==
				       ((va & PAGE_MASK) | ACCESS_CACHE_VALID)
			       ? v->cache.fetch_there[fetch_index(va)]
			       : NULL;
	if ((page & PAGE_MASK) != (va & PAGE_MASK) || !(page & ACCESS_CACHE_VALID))
		return NULL;
	if ((access & ~PF_WRITE) != 0 || ((access & PF_WRITE) && !(page & ACCESS_CACHE_WRITABLE)))
		return NULL;
	return v->cache.there[i];
}

/* Only memory is in Vellum's direct map: a guest may map devices, or nothing, and point the
 * processor at it. */
static bool is_memory(const struct vcpu *v, ma_t ma)
{
	struct range page = {round_down(ma.v, PAGE_SIZE), round_down(ma.v, PAGE_SIZE) + PAGE_SIZE};

	return memmap_is_ram(&v->domain->memory, page) || own_direct_maps(page);
}

/* The page at pa, or NULL. Most are where identity says, in the main range. */
static u8 *page_at(struct vcpu *v, u64 pa)
{
	u32 shift = PAGE_SHIFT;
	ma_t ma = {pa};

	if (range_pair_has(v->p2m.plain, pa))
		return direct(ma);
	ma = v->p2m.translate(v->p2m.context, (pa_t){pa}, &shift);
	return is_memory(v, ma) && !p2m_is_nothing(&v->domain->p2m, ma) ? direct(ma) : NULL;
}

/* Where the page of va lies, NULL if no memory is there; or false and the exception. */
static bool locate(struct vcpu *v, u64 va, u32 access, u8 **there, struct exception *fault)
{
	const struct paging_mode *mode = vcpu_paging_mode(v, true);
	struct translation t;
	u32 error;

	if (!is_canonical(va)) {
		*fault = (struct exception){.vector = 13, .has_error = true};
		return false;
	}
	error = vcpu_translate(v, mode, va, access, &t);
	if (error != 0) {
		*fault = (struct exception){.vector = VECTOR_PF,
					    .has_error = true,
					    .error = error & ~WALK_FAULT,
					    .cr2 = va};
		return false;
	}
	*there = page_at(v, t.page.v + (va & (level_size(t.level) - 1) & PAGE_MASK));
	if (*there != NULL)
		cache_enter(v, va, access, &t, *there);
	return true;
}

/* What is no memory reads as ones and takes no writes. */
static void copy_part(u8 *there, u8 *buffer, size_t size, bool write)
{
	if (there == NULL && !write)
		memset(buffer, 0xff, size);
	else if (there != NULL && write)
		memcpy(there, buffer, size);
	else if (there != NULL)
		memcpy(buffer, there, size);
}

static bool transfer(struct vcpu *v, u64 va, u8 *buffer, size_t size, u32 access,
		     struct exception *fault)
{
	while (size > 0) {
		size_t part = (size_t)min_u64(size, PAGE_SIZE - va % PAGE_SIZE);
		u8 *there = cache_find(v, va, access);

		if (there == NULL && !locate(v, va, access, &there, fault))
			return false;
		copy_part(there != NULL ? there + va % PAGE_SIZE : NULL, buffer, part,
			  (access & PF_WRITE) != 0);
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

bool guest_locate(struct vcpu *v, u64 va, const u8 **there, struct exception *fault)
{
	u8 *page = cache_find(v, va, 0);

	if (page == NULL && !locate(v, va, 0, &page, fault))
		return false;
	*there = page != NULL ? page + va % PAGE_SIZE : NULL;
	return true;
}
