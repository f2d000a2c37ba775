// SPDX-License-Identifier: MIT
/*
 * Guest memory by virtual address. Every access goes through the guest's own
 * tables and the p2m, so a guest can make Vellum touch nothing that it could
 * not touch itself, whatever address it puts into RSP, IDTR or a TSS (S4).
 */
#include "cpu/vcpu.h"

#include "domain/share.h"
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

/* Who writes to a page that shares its frame gets one of its own; who reads gets no right to write
 * later. */
static RARELY_USED void protect_shared(const struct vcpu *v, u64 va, u32 access,
				       struct translation *t)
{
	pfn_t page = {(t->page.v + (va & (level_size(t->level) - 1))) >> PAGE_SHIFT};

	if (!p2m_is_shared(&v->domain->p2m, page))
		return;
	if (access & PF_WRITE)
		share_break(v->domain, page.v);
	else
		t->rights &= ~(PTE_W | PTE_D);
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
	if (fault == 0 && v->domain->p2m.shared != 0)
		protect_shared(v, va, access, t);
	return fault;
}

/* --- the access cache --- */

static struct access_set *set_of(struct vcpu *v, u64 va)
{
	return &v->cache.set[(va >> PAGE_SHIFT) % NR_ACCESS_SETS];
}

static struct access_set *fetch_set_of(struct vcpu *v, u64 va)
{
	return &v->cache.fetch[(va >> PAGE_SHIFT) % NR_FETCH_SETS];
}

/* Another page that would have the same place stays: kernels flush users' pages far more often than
 * their own. True if there was one. */
static bool set_forget(struct access_set *s, u64 va)
{
	bool was_there = false;

	for (u32 i = 0; i < NR_ACCESS_WAYS; i++)
		if (access_matches(s->page[i], va, ACCESS_CACHE_VALID)) {
			s->page[i] = 0;
			was_there = true;
		}
	return was_there;
}

static void set_clear(struct access_set *s)
{
	for (u32 i = 0; i < NR_ACCESS_WAYS; i++)
		s->page[i] = 0;
}

/* The later one comes first. A page is there once. */
static void set_enter(struct access_set *s, u64 page, u8 *there)
{
	if (!access_matches(s->page[0], page, ACCESS_CACHE_VALID)) {
		s->page[1] = s->page[0];
		s->there[1] = s->there[0];
	}
	s->page[0] = page;
	s->there[0] = there;
}

void access_forget(struct vcpu *v, u64 va)
{
	if (!v->cache.some[is_upper_half(va)])
		return;
	if (v->cache.large[is_upper_half(va)]) { /* `va` may be in the same page */
		access_forget_all(v);
		return;
	}
	v->cache.changes += set_forget(set_of(v, va), va);
	set_forget(fetch_set_of(v, va), va);
	if (access_matches(v->cache.device, va, ACCESS_CACHE_VALID))
		v->cache.device = 0;
}

void access_forget_all(struct vcpu *v)
{
	for (u32 i = 0; i < NR_ACCESS_SETS; i++)
		set_clear(&v->cache.set[i]);
	for (u32 i = 0; i < NR_FETCH_SETS; i++)
		set_clear(&v->cache.fetch[i]);
	v->cache.device = 0;
	v->cache.changes++;
	v->cache.local = v->cache.large[false] = v->cache.large[true] = false;
	v->cache.some[false] = v->cache.some[true] = false;
}

/* What has to be known of an entry, to forget it. */
static void note_kind(struct vcpu *v, u64 va, const struct translation *t)
{
	v->cache.local |= !(t->rights & PTE_G);
	v->cache.large[is_upper_half(va)] |= t->guest_level > 1;
	v->cache.some[is_upper_half(va)] = true;
}

/* Only ring 0's are kept: plain accesses, and code. */
static void cache_enter(struct vcpu *v, u64 va, u32 access, const struct translation *t, u8 *there)
{
	if ((access & ~(PF_WRITE | PF_FETCH)) || !(v->shadow.options & VL_SHADOW_ACCESS_CACHE))
		return;
	note_kind(v, va, t);
	if (access & PF_FETCH) {
		set_enter(fetch_set_of(v, va), (va & PAGE_MASK) | ACCESS_CACHE_VALID, there);
		return;
	}
	v->cache.changes++;
	set_enter(set_of(v, va),
		  (va & PAGE_MASK) | ACCESS_CACHE_VALID |
			  (access & PF_WRITE ? ACCESS_CACHE_WRITABLE : 0),
		  there);
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

/* The page of va, or NULL. */
static u8 *cache_find(struct vcpu *v, u64 va, u32 access)
{
	u64 bits = ACCESS_CACHE_VALID | (access & PF_WRITE ? ACCESS_CACHE_WRITABLE : 0);

	va &= PAGE_MASK;
	if (access == PF_FETCH)
		return access_in_set(fetch_set_of(v, va), va, bits);
	if ((access & ~PF_WRITE) != 0)
		return NULL;
	return access_in_set(set_of(v, va), va, bits);
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

/* What events need is known, most often, and within a page. */
static inline ALWAYS_INLINE const u8 *readable(const struct vcpu *v, u64 va, size_t size,
					       u32 access)
{
	if (access == PF_FETCH)
		return access_cached_code(v, va, size);
	return access == 0 ? access_cached(v, va, size, 0) : NULL;
}

bool guest_read(struct vcpu *v, u64 va, void *to, size_t size, u32 access, struct exception *fault)
{
	const u8 *there = readable(v, va, size, access & ~PF_WRITE);

	if (there != NULL) {
		memcpy(to, there, size);
		return true;
	}
	return transfer(v, va, to, size, access & ~PF_WRITE, fault);
}

bool guest_write(struct vcpu *v, u64 va, const void *from, size_t size, u32 access,
		 struct exception *fault)
{
	u8 *there = access & ~PF_WRITE ? NULL : access_cached(v, va, size, PF_WRITE);

	if (there != NULL) {
		memcpy(there, from, size);
		return true;
	}
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
