// SPDX-License-Identifier: MIT
/*
 * The audit of the shadow (shadow/audit.h).
 *
 * What may it be compared with? Not with the guest's tables as they are now: a
 * guest may change an entry and flush later, or never if the change grants
 * more, and until it does a TLB holds the old one. Linux does both, and clears
 * A bits without any flush. So a difference means nothing by itself. What a TLB
 * may hold is what the guest's entries said at some moment since it last
 * flushed them, and the shadow takes it at one moment: the fill. Hence:
 *
 *   - at each fill the guest's tables are read once more, by other code than
 *     walk(), which must have granted the same; no instruction of the guest is
 *     between the two. (Where the paging-structure cache served the upper
 *     levels, they may be older, as in a processor's.) What was granted is noted.
 *   - from then on, until it is dropped, the entry must be what was filled, and
 *     grant no more than the note, whatever the guest does to its tables;
 *   - after each flush that the guest asks for, what is older than the flush
 *     and in its scope must be gone: entries that are left agree with the
 *     guest's tables as far as the guest has told. That is judged when the
 *     audit comes by, from the times of note and flush.
 *
 * Notes are kept by the address of the entry, one for each hash value: the
 * newest wins, and an entry whose note is lost is not looked at. They are
 * looked at in turn, some at each flush and load of a root and one at each
 * exit, and all before the CPU is devirtualized, so that a debug build stays
 * usable.
 */
#include "shadow/audit.h"

#include "lib/panic.h"
#include "mem/layout.h"
#include "mem/pagetable.h"
#include "shadow/tables.h"

#define NR_NOTES 4096u
#define NR_TAGS  4096u
#define RIGHTS   (PTE_W | PTE_U | PTE_NX)

struct note {
	struct audit_claim claim;
	u64 value; /* of the entry */
	u64 time;
	u32 tag;
	u32 life; /* of the shadow, see audit.life */
	bool wp;
};

static struct {
	struct note note[NR_NOTES];
	u32 life; /* changes when all tables are given back: earlier notes mean nothing */
	u64 time;
	u64 tag[NR_TAGS]; /* of the last flush of that scope */
	u64 tags, local, all;
	u32 next;
} audit;

static struct note *note_of(const u64 *entry)
{
	u64 key = (u64)entry / sizeof(*entry);

	return &audit.note[(key ^ key >> 9 ^ key >> 18) % NR_NOTES];
}

/* Frame of the page of 4 KiB that `va` has in the leaf. */
static u64 frame_in(u64 value, u32 level, u64 va)
{
	u64 size = level_size(level);

	return (value & PTE_ADDR & ~(size - 1)) | (va & (size - 1) & PAGE_MASK);
}

static void check(const struct note *n, u64 value)
{
	const struct audit_claim *c = &n->claim;
	u64 frame = frame_in(value, c->level, c->va);
	bool for_user = c->view == SHADOW_USER || c->common;

	if (frame != c->frame)
		panic("shadow audit: %lx is mapped to frame %lx, but the guest's tables lead to "
		      "%lx",
		      c->va, frame, c->frame);
	if ((value & PTE_W) && !(c->rights & PTE_W) && (for_user || n->wp))
		panic("shadow audit: %lx is writable, but the guest's tables grant no write",
		      c->va);
	if (!(value & PTE_NX) && (c->rights & PTE_NX))
		panic("shadow audit: %lx can be executed, but the guest's tables forbid it", c->va);
	if (for_user && !(c->rights & PTE_U))
		panic("shadow audit: %lx is in the user's view, but it is the guest kernel's",
		      c->va);
	if (value & PTE_G)
		panic("shadow audit: %lx has a global entry", c->va);
	if (value != n->value)
		panic("shadow audit: the entry of %lx is %lx, and was filled as %lx", c->va, value,
		      n->value);
}

/* When the guest last flushed what the note is about. */
static u64 flushed(const struct note *n)
{
	u64 last = audit.all;

	if (!is_upper_half(n->claim.va))
		last = max_u64(last, max_u64(audit.tags, audit.tag[n->tag % NR_TAGS]));
	else if (!(n->claim.rights & PTE_G))
		last = max_u64(last, audit.local);
	return last;
}

static void look_at(struct note *n)
{
	u64 value;

	if (n->claim.entry == NULL || n->life != audit.life)
		return;
	value = *n->claim.entry;
	if (value == 0) {
		n->claim.entry = NULL;
		return;
	}
	check(n, value);
	if (n->time < flushed(n))
		panic("shadow audit: the entry of %lx (%lx) outlived a flush by the guest",
		      n->claim.va, value);
}

void audit_debug_some(u32 records)
{
	for (u32 i = 0; i < records && i < NR_NOTES; i++)
		look_at(&audit.note[audit.next++ % NR_NOTES]);
}

void audit_debug_note(const struct shadow *s, const struct paging_mode *mode,
		      const struct audit_claim *claim)
{
	struct note *n = note_of(claim->entry);

	*n = (struct note){.claim = *claim,
			   .value = *claim->entry,
			   .time = ++audit.time,
			   .tag = s->now->tag,
			   .life = audit.life,
			   .wp = mode->wp};
	check(n, n->value);
}

void audit_debug_forget(const u64 *entry)
{
	struct note *n = note_of(entry);

	if (n->claim.entry == entry)
		n->claim.entry = NULL;
}

/* Also of a shadow that is not audited: that its frames have notes is from before. */
void audit_debug_forget_table(const u64 *table)
{
	for (u32 i = 0; i < PTES_PER_TABLE; i++)
		audit_debug_forget(&table[i]);
}

void audit_debug_begin(void)
{
	audit.life++;
}

void audit_debug_flush(const struct shadow *s, u32 scope, u32 tag)
{
	u64 now = ++audit.time;

	(void)s;
	if (scope & AUDIT_TAG)
		audit.tag[tag % NR_TAGS] = now;
	if (scope & AUDIT_LOCAL)
		audit.local = now;
	if (scope & AUDIT_TAGS)
		audit.tags = now;
	if (scope & AUDIT_ALL)
		audit.all = now;
	audit_debug_some(64);
}

static bool has_leaf(const u64 *table, u64 va)
{
	for (u32 level = 4;; level--) {
		u64 entry = table[level_index(va, level)];

		if (!entry_is_table(entry, level))
			return entry != 0;
		table = table_below(entry);
	}
}

void audit_debug_gone(const struct shadow *s, u64 va)
{
	if (is_own_va(va))
		return;
	for (u32 view = 0; view < SHADOW_VIEWS; view++)
		if (s->now->top[view].v != 0 && has_leaf(direct(s->now->top[view]), va))
			panic("shadow audit: the entry of %lx outlived INVLPG in view %u", va,
			      view);
}

/* --- the guest's tables, read by other code than walk() --- */

static u64 read_entry(const struct shadow_p2m *p2m, u64 table, u64 va, u32 level)
{
	u32 shift = PAGE_SHIFT;
	ma_t ma = p2m->translate(p2m->context, (pa_t){table & PTE_ADDR}, &shift);

	return ((volatile u64 *)direct(ma))[level_index(va, level)];
}

static void check_walk(const struct paging_mode *mode, const struct shadow_p2m *p2m, u64 va,
		       const struct translation *t)
{
	u64 rights = PTE_W | PTE_U, pte = mode->root.v, page;
	u32 level = 5;

	do {
		pte = read_entry(p2m, pte, va, --level);
		rights = (rights & (pte | PTE_NX)) | (pte & PTE_NX);
		if (!(pte & PTE_P))
			panic("shadow audit: %lx is filled, but the guest maps nothing there", va);
	} while (level > 1 && !(pte & PTE_PS));
	/* The p2m may take the right to write away, never give it. */
	if (rights != (t->rights & RIGHTS) && (rights & ~PTE_W) != (t->rights & RIGHTS))
		panic("shadow audit: %lx is filled with rights %lx, the guest's tables say %lx", va,
		      t->rights & RIGHTS, rights);
	/* An alias, which the kernel has in the upper half, makes the page another one. */
	page = frame_in(pte, level, va);
	if (page != (t->page.v | (va & (level_size(t->level) - 1) & PAGE_MASK)) &&
	    !is_upper_half(va))
		panic("shadow audit: %lx is filled with page %lx, the guest's tables say %lx", va,
		      t->page.v, page);
}

void audit_debug_leaf(const struct shadow *s, enum shadow_view view, const struct paging_mode *mode,
		      const struct shadow_p2m *p2m, u64 va, const struct translation *t)
{
	pa_t pa = {t->page.v | (va & (level_size(t->level) - 1) & PAGE_MASK)};
	struct audit_claim claim = {.entry = &s->last.table[level_index(va, s->last.level)],
				    .level = s->last.level,
				    .view = view,
				    .common = s->last.common,
				    .va = va,
				    .rights = t->rights & (RIGHTS | PTE_G)};
	u32 shift = PAGE_SHIFT;

	claim.frame = p2m->translate(p2m->context, pa, &shift).v;
	check_walk(mode, p2m, va, t);
	audit_debug_note(s, mode, &claim);
}
