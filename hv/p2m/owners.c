// SPDX-License-Identifier: MIT
/*
 * Three ways to find the users of a frame (p2m/owners.h). What is kept of a
 * user is one number, domid above page frame, so that users in order are numbers
 * in order, whichever way they were found.
 *
 * Back map: a frame's number is 0 without users, the user itself and a bit 0
 * for one, and the address of a list for more: most frames have one, and need no
 * node. Reference count: how many; who they are is searched for. Search: nothing.
 */
#include "p2m/owners.h"

#include "lib/panic.h"
#include "numbers.h"
#include "public/errno.h"
#include "public/hypercall.h"

struct owners_node {
	u64 user;
	struct owners_node *next;
};
_Static_assert(sizeof(struct owners_node) == 16, "a user's node, as owners.h promises");

#define NODES_A_PAGE (PAGE_SIZE / sizeof(struct owners_node))
#define PAGES_A_LOOK 16u
#define DOMID_SHIFT  P2M_PFN_BITS
#define IS_USER      ((u64)1)
_Static_assert(VL_DOMID_MAX < (u64)1 << (63 - DOMID_SHIFT), "a user and a bit are a number");

static struct p2m_owner unpack(u64 user)
{
	return (struct p2m_owner){.domid = (u32)(user >> DOMID_SHIFT),
				  .pfn = user & (((u64)1 << DOMID_SHIFT) - 1)};
}

/* --- lists of the back map --- */

static void put_node(struct owners *o, struct owners_node *node)
{
	node->next = o->free;
	o->free = node;
	o->nr_free++;
}

static bool make_nodes(struct owners *o)
{
	struct owners_node *page = o->memory->alloc(o->memory->context);

	if (page == NULL)
		return false;
	o->numbers.pages++;
	/* The first one links the pages. */
	page->next = o->pages;
	o->pages = page;
	for (u32 i = 1; i < NODES_A_PAGE; i++)
		put_node(o, &page[i]);
	return true;
}

static struct owners_node *take_node(struct owners *o, u64 user, struct owners_node *next)
{
	struct owners_node *node = o->free;

	o->free = node->next;
	o->nr_free--;
	*node = (struct owners_node){user, next};
	return node;
}

static bool is_user(u64 number)
{
	return (number & IS_USER) != 0;
}

static u64 one_user(u64 user)
{
	return user << 1 | IS_USER;
}

static struct owners_node *list_of(u64 number)
{
	return (struct owners_node *)(uintptr_t)number;
}

static int list_add(struct owners *o, u64 *number, u64 user)
{
	struct owners_node *head, **link = &head;

	if (*number == 0) {
		*number = one_user(user);
		return 0;
	}
	/* One, and one for what was alone. */
	if (o->nr_free < (is_user(*number) ? 2 : 1) && !make_nodes(o))
		return -VL_ENOMEM;
	head = is_user(*number) ? take_node(o, *number >> 1, NULL) : list_of(*number);
	while (*link != NULL && (*link)->user < user)
		link = &(*link)->next;
	*link = take_node(o, user, *link);
	*number = (u64)(uintptr_t)head;
	return 0;
}

/* A list of one is a user again, so that its nodes are free. */
static void list_remove(struct owners *o, u64 *number, u64 user)
{
	struct owners_node *head = list_of(*number), **link = &head, *gone;

	while (*link != NULL && (*link)->user != user)
		link = &(*link)->next;
	assert(*link != NULL);
	gone = *link;
	*link = gone->next;
	put_node(o, gone);
	*number = (u64)(uintptr_t)head;
	if (head->next == NULL) {
		*number = one_user(head->user);
		put_node(o, head);
	}
}

/* --- search --- */

struct search {
	u64 frame;
	u64 found, most; /* users */
	u64 first;       /* page frame, of the first */
};

static void search(struct owners *o, u32 of, u64 from, struct search *s)
{
	const struct owners_space *space = &o->space[of];
	struct p2m_page list[PAGES_A_LOOK];

	while (from != P2M_END && s->found < s->most) {
		u32 steps = ~(u32)0,
		    count = p2m_list_away(space->p2m, &from, &steps, list, PAGES_A_LOOK);

		o->looked += ~(u32)0 - steps;
		for (u32 i = 0; i < count && s->found < s->most; i++)
			if (list[i].mfn == s->frame && s->found++ == 0)
				s->first = list[i].pfn;
	}
}

static u64 search_count(struct owners *o, u64 frame, u64 most)
{
	struct search s = {.frame = frame, .most = most};

	for (u32 i = 0; i < o->nr_spaces && s.found < most; i++)
		search(o, i, 0, &s);
	return s.found;
}

static bool search_next(struct owners *o, u64 frame, u64 *user)
{
	for (u32 i = 0; i < o->nr_spaces; i++) {
		struct search s = {.frame = frame, .most = 1};
		struct p2m_owner at = unpack(*user);

		if (o->space[i].domid < at.domid)
			continue;
		search(o, i, o->space[i].domid == at.domid ? at.pfn : 0, &s);
		if (s.found != 0) {
			*user = owners_pack((struct p2m_owner){o->space[i].domid, s.first});
			return true;
		}
	}
	return false;
}

/* --- one interface --- */

void owners_init(struct owners *o, enum owners_kind kind, const struct p2m_memory *memory,
		 const struct owners_space *space, u32 nr_spaces)
{
	*o = (struct owners){.kind = kind,
			     .numbers.near_first = NUMBERS_NOT_NEAR,
			     .memory = memory,
			     .space = space,
			     .nr_spaces = nr_spaces};
}

bool owners_end(struct owners *o, u64 budget)
{
	o->free = NULL;
	o->nr_free = 0;
	for (; o->pages != NULL && budget > 0; budget--) {
		struct owners_node *page = o->pages;

		o->pages = page->next;
		o->memory->free(o->memory->context, page);
	}
	return o->pages == NULL && numbers_end(&o->numbers, o->memory, &budget);
}

int owners_reserve(struct owners *o, mfn_t mfn)
{
	if (o->kind == OWNERS_SEARCH)
		return 0;
	/* Who was at home had no node. */
	if (o->kind == OWNERS_BACKMAP && o->nr_free < o->nr_spaces + 2 && !make_nodes(o))
		return -VL_ENOMEM;
	return numbers_make(&o->numbers, mfn.v, o->memory) != NULL ? 0 : -VL_ENOMEM;
}

int owners_add(struct owners *o, mfn_t mfn, struct p2m_owner user)
{
	u64 *number;

	if (o->kind == OWNERS_SEARCH)
		return 0;
	number = numbers_make(&o->numbers, mfn.v, o->memory);
	if (number == NULL)
		return -VL_ENOMEM;
	if (o->kind == OWNERS_BACKMAP)
		return list_add(o, number, owners_pack(user));
	++*number;
	return 0;
}

void owners_remove(struct owners *o, mfn_t mfn, struct p2m_owner user)
{
	u64 *number;

	if (o->kind == OWNERS_SEARCH)
		return;
	number = numbers_find(&o->numbers, mfn.v);
	assert(number != NULL && *number != 0);
	if (o->kind == OWNERS_REFCOUNT) {
		--*number;
	} else if (is_user(*number)) {
		assert(*number == one_user(owners_pack(user)));
		*number = 0;
	} else {
		list_remove(o, number, owners_pack(user));
	}
}

u64 owners_count_away(struct owners *o, mfn_t mfn, u64 most)
{
	const u64 *number;
	u64 count = 0;

	if (o->kind == OWNERS_SEARCH)
		return search_count(o, mfn.v, most);
	number = numbers_find(&o->numbers, mfn.v);
	if (number == NULL || *number == 0)
		return 0;
	if (o->kind == OWNERS_REFCOUNT)
		return min_u64(*number, most);
	if (is_user(*number))
		return min_u64(1, most);
	for (const struct owners_node *n = list_of(*number); n != NULL && count < most; n = n->next)
		count++;
	return count;
}

/* Vellum's frames are nobody's home, which a p2m that is the identity where it is empty does not
 * say. */
static bool is_home(const struct p2m *p, u64 frame)
{
	return p2m_lookup(p, (pfn_t){frame}).v == frame &&
	       (p->own || !p2m_is_partition((pa_t){frame << PAGE_SHIFT}));
}

u64 owners_count_home(struct owners *o, mfn_t mfn, u32 except, u64 most)
{
	u64 count = 0;

	for (u32 i = 0; i < o->nr_spaces && count < most; i++)
		count += i != except && p2m_lookup(o->space[i].p2m, (pfn_t){mfn.v}).v == mfn.v;
	return count;
}

u64 owners_count(struct owners *o, mfn_t mfn, u64 most)
{
	u64 count = owners_count_away(o, mfn, most);

	return count + owners_count_home(o, mfn, o->nr_spaces, most - count);
}

static bool next_away(struct owners *o, u64 frame, u64 *user)
{
	const u64 *number = numbers_find(&o->numbers, frame);
	const struct owners_node *n;

	if (o->kind == OWNERS_SEARCH)
		return search_next(o, frame, user);
	if (number == NULL || *number == 0)
		return false;
	if (o->kind == OWNERS_REFCOUNT)
		return search_next(o, frame, user);
	if (is_user(*number)) {
		bool behind = *number >> 1 < *user;

		*user = *number >> 1;
		return !behind;
	}
	for (n = list_of(*number); n != NULL && n->user < *user;)
		n = n->next;
	if (n != NULL)
		*user = n->user;
	return n != NULL;
}

static bool next_home(struct owners *o, u64 frame, u64 *user)
{
	for (u32 i = 0; i < o->nr_spaces; i++) {
		u64 one = owners_pack((struct p2m_owner){o->space[i].domid, frame});

		if (one >= *user && is_home(o->space[i].p2m, frame)) {
			*user = one;
			return true;
		}
	}
	return false;
}

bool owners_next(struct owners *o, mfn_t mfn, struct p2m_owner *user)
{
	u64 away = owners_pack(*user), home = away;
	bool has_away = next_away(o, mfn.v, &away), has_home = next_home(o, mfn.v, &home);

	if (has_away || has_home)
		*user = unpack(!has_home || (has_away && away < home) ? away : home);
	return has_away || has_home;
}
