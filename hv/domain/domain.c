// SPDX-License-Identifier: MIT
/*
 * The list of domains.
 *
 * The first guest is there always. The others' structures come from the
 * partition and stay here when a domain ends, for the next one, so that a CPU
 * that has just found one never has a pointer to something else.
 */
#include "domain/domain.h"

#include "domain/share.h"
#include "domain/share_home.h"
#include "lib/log.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mem/frames.h"
#include "mem/layout.h"
#include "p2m/memory.h"
#include "p2m/mover.h"
#include "public/errno.h"

#define STRUCT_FRAMES ((sizeof(struct domain) + PAGE_SIZE - 1) >> PAGE_SHIFT)

static struct domain first_domain; /* the one that is booted */
static struct domain *owner = &first_domain;
static struct lock list_lock = LOCK_INIT(LOCK_DOMAINS);

/* Under it: */
static struct {
	struct domain *first; /* by ascending domid */
	struct domain *spare;
	u64 nr_spare;
	u32 count; /* read without it, too */
	u32 last;  /* domid that was given last */
} domains = {.first = &first_domain, .count = 1};

static void init(struct domain *d)
{
	d->irq_lock = (struct lock)LOCK_INIT(LOCK_IRQ);
	d->nr_vcpus = 1;
	d->weight = VL_WEIGHT_USUAL;
}

void domain_init(void)
{
	init(&first_domain);
	first_domain.lock = (struct lock)LOCK_INIT(LOCK_DOMAIN);
	vl_snprintf(first_domain.name, sizeof(first_domain.name), "first");
	first_domain.mode = VL_MODE_PASSTHROUGH;
	first_domain.state = VL_STATE_RUNNING;
	first_domain.owns_machine = true;
}

struct domain *domain_first(void)
{
	return __atomic_load_n(&owner, __ATOMIC_ACQUIRE);
}

static struct domain *next_in_list(u64 domid)
{
	struct domain *d = domains.first;

	while (d != NULL && d->domid < domid)
		d = d->next;
	return d;
}

struct domain *domain_next(u64 domid)
{
	struct domain *d;

	lock_take(&list_lock);
	d = next_in_list(domid);
	lock_release(&list_lock);
	return d;
}

struct domain *domain_find(u64 domid, struct domain *self)
{
	struct domain *d = domid == VL_DOMID_SELF ? self : domain_next(domid);

	return d != NULL && (d == self || d->domid == domid) ? d : NULL;
}

/* It may be another one by the time that it is counted: who ends a domain looks at the count after
 * the state has changed. */
struct domain *domain_use(u64 domid)
{
	struct domain *d = domain_find(domid, NULL);

	if (d == NULL || domain_owns_machine(d))
		return NULL;
	__atomic_add_fetch(&d->users, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&d->state, __ATOMIC_SEQ_CST) != VL_STATE_DYING &&
	    domain_find(domid, NULL) == d)
		return d;
	domain_unuse(d);
	return NULL;
}

void domain_unuse(struct domain *d)
{
	__atomic_sub_fetch(&d->users, 1, __ATOMIC_SEQ_CST);
}

u32 domain_count(void)
{
	return __atomic_load_n(&domains.count, __ATOMIC_ACQUIRE);
}

bool domain_name_is_good(const char name[static DOMAIN_NAME_SIZE])
{
	size_t n = 0;

	while (n < DOMAIN_NAME_SIZE && name[n] >= ' ' && name[n] <= '~')
		n++;
	return n > 0 && n < DOMAIN_NAME_SIZE && name[n] == 0;
}

static bool same_name(const char *a, const char *b)
{
	while (*a != 0 && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static bool name_is_taken(const struct domain *by_others_than, const char *name)
{
	for (const struct domain *d = domains.first; d != NULL; d = d->next)
		if (d != by_others_than && same_name(d->name, name))
			return true;
	return false;
}

int domain_rename(struct domain *d, const struct vl_domain_name *name)
{
	struct vl_domain_name clean;
	int err = 0;

	if (!domain_name_is_good(name->name))
		return -VL_EINVAL;
	memset(&clean, 0, sizeof(clean));
	vl_snprintf(clean.name, sizeof(clean.name), "%s", name->name);
	lock_take(&list_lock);
	if (name_is_taken(d, clean.name)) {
		err = -VL_EEXIST;
	} else {
		lock_take(&d->lock);
		memcpy(d->name, clean.name, sizeof(d->name));
		lock_release(&d->lock);
	}
	lock_release(&list_lock);
	return err;
}

/* What it was doing when it ended: running, or it was just paused. */
static bool end(struct domain *d, u32 from, u32 to)
{
	return __atomic_compare_exchange_n(&d->state, &from, to, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

void domain_has_ended(struct domain *d, u32 reason)
{
	u32 state = reason == VL_SHUTDOWN_CRASH ? VL_STATE_CRASHED : VL_STATE_SHUTDOWN;
	u32 none = VL_SHUTDOWN_NONE;

	/* Several of its vcpus may do so at a time: the first one's reason counts. */
	if (!__atomic_compare_exchange_n(&d->shutdown, &none, reason, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return;
	if (!end(d, VL_STATE_RUNNING, state))
		end(d, VL_STATE_PAUSED, state);
	log_print("vellum: domain %u has ended, reason %u\n", d->domid, reason);
	events_notify(domain_first());
}

void domain_get_name(struct domain *d, char name[static sizeof(struct vl_domain_name)])
{
	lock_take(&d->lock);
	memcpy(name, d->name, sizeof(d->name));
	lock_release(&d->lock);
}

/* --- more than one --- */

/* The lowest id above the last one that was given: an id is used again as late as can be. There are
 * more ids than the partition can hold domains. */
static u32 new_domid(void)
{
	const struct domain *d;
	u32 domid;

	lock_take(&list_lock);
	domid = domains.last;
	do {
		domid = domid < VL_DOMID_MAX ? domid + 1 : 1;
		d = next_in_list(domid);
	} while (d != NULL && d->domid == domid);
	domains.last = domid;
	lock_release(&list_lock);
	return domid;
}

static struct domain *take_spare(void)
{
	struct domain *d;

	lock_take(&list_lock);
	d = domains.spare;
	if (d != NULL) {
		domains.spare = d->next;
		domains.nr_spare--;
	}
	lock_release(&list_lock);
	return d;
}

static void put_spare(struct domain *d)
{
	lock_take(&list_lock);
	d->next = domains.spare;
	domains.spare = d;
	domains.nr_spare++;
	lock_release(&list_lock);
}

/* Somebody who found it before its end may hold its lock, or just count himself. */
static void clear(struct domain *d)
{
	const size_t behind = offsetof(struct domain, users) + sizeof(d->users);

	memset(d, 0, offsetof(struct domain, lock));
	memset((u8 *)d + behind, 0, sizeof(*d) - behind);
}

static struct domain *alloc_struct(void)
{
	struct domain *d = take_spare();
	mfn_t mfn;

	if (d == NULL && frame_alloc_run(STRUCT_FRAMES, &mfn)) {
		d = direct(mfn_to_ma(mfn));
		d->lock = (struct lock)LOCK_INIT(LOCK_DOMAIN);
		d->users = 0;
	}
	if (d != NULL)
		clear(d);
	return d;
}

/* A frame that stands for nothing is ones, as far as nobody has written to it. */
static bool make_p2m(struct domain *d)
{
	mfn_t nothing;

	if (!frame_alloc(&nothing))
		return false;
	memset(direct(mfn_to_ma(nothing)), 0xff, PAGE_SIZE);
	p2m_init_own(&d->p2m, &p2m_frames, mfn_to_ma(nothing));
	return true;
}

int domain_new(const struct vl_domain_create *wanted, struct domain **made)
{
	struct domain *d = alloc_struct();
	struct range ram = {wanted->memory_start, wanted->memory_start + wanted->memory_size};

	if (d == NULL)
		return -VL_ENOMEM;
	init(d);
	if (!make_p2m(d)) {
		put_spare(d);
		return -VL_ENOMEM;
	}
	d->domid = new_domid();
	d->mode = VL_MODE_VIRTUALIZED;
	d->layers = VL_LAYER_ALL;
	d->state = VL_STATE_PAUSED;
	d->nr_vcpus = wanted->nr_vcpus;
	d->weight = wanted->weight;
	vl_snprintf(d->name, sizeof(d->name), "%s", wanted->name);
	d->memory.count = 1;
	d->memory.range[0] = (struct vl_memory_range){
		.start = ram.start, .size = range_size(ram), .type = VL_MEMORY_RAM};
	d->main_ram.at[0] = ram;
	*made = d;
	return 0;
}

int domain_enter(struct domain *d)
{
	struct domain **link = &domains.first;
	int err = -VL_EEXIST;

	lock_take(&list_lock);
	if (!name_is_taken(d, d->name)) {
		while (*link != NULL && (*link)->domid < d->domid)
			link = &(*link)->next;
		d->next = *link;
		*link = d;
		__atomic_store_n(&domains.count, domains.count + 1, __ATOMIC_RELEASE);
		err = 0;
	}
	lock_release(&list_lock);
	return err;
}

static void leave_list(struct domain *d)
{
	lock_take(&list_lock);
	for (struct domain **link = &domains.first; *link != NULL; link = &(*link)->next) {
		if (*link != d)
			continue;
		*link = d->next;
		__atomic_store_n(&domains.count, domains.count - 1, __ATOMIC_RELEASE);
		break;
	}
	lock_release(&list_lock);
}

void domain_delete(struct domain *d)
{
	leave_list(d);
	share_home_end(d);
	p2m_destroy(&d->p2m);
	frame_free(ma_to_mfn(d->p2m.nothing));
	put_spare(d);
}

/* The one that was booted has no frames that others could have. */
void domain_hand_over(struct domain *heir)
{
	struct domain *before = owner;

	leave_list(before);
	share_home_end(heir);
	before->state = VL_STATE_DYING;
	before->owns_machine = false;
	heir->owns_machine = true;
	__atomic_store_n(&owner, heir, __ATOMIC_RELEASE);
	p2m_leave(&before->p2m);
	if (before != &first_domain)
		put_spare(before);
}

void domain_claim_memory(struct domain *d)
{
	d->memory = first_domain.memory;
	d->main_ram = first_domain.main_ram;
	domain_p2m_changed(d);
}

u64 domain_frames_spare(void)
{
	return __atomic_load_n(&domains.nr_spare, __ATOMIC_RELAXED) * STRUCT_FRAMES;
}

/* --- memory --- */

u64 domain_memory(const struct domain *d)
{
	if (d->p2m.own)
		return d->p2m.frames << PAGE_SHIFT;
	return memmap_ram_total(&d->memory) - (d->p2m.given << PAGE_SHIFT);
}

void domain_p2m_changed(struct domain *d)
{
	if (d->p2m.own)
		d->plain = (struct range_pair){0};
	else if (d->p2m.moved != 0)
		d->plain = portions_outside(&d->p2m.portions, &d->main_ram);
	else if (d->p2m.given == 0)
		d->plain = d->main_ram;
	for (u32 i = 0; i < d->nr_vcpus; i++)
		if (d->info[i].at != NULL)
			d->info[i].at = domain_buffer(d, d->info[i].pa, sizeof(*d->info[i].at));
	events_find_page(d);
}

/* Of a range that is cut, the larger piece stays, and the other if it is larger than what there is
 * besides: what is left out costs a question to the p2m, no more. */
void domain_not_plain(struct domain *d, u64 pa)
{
	for (u32 i = 0; i < ARRAY_SIZE(d->plain.at); i++) {
		struct range *r = &d->plain.at[i], *other = &d->plain.at[1 - i];
		struct range low = {r->start, pa}, high = {pa + PAGE_SIZE, r->end}, rest = low;

		if (pa - r->start >= range_size(*r))
			continue;
		*r = high;
		if (range_size(low) > range_size(high)) {
			*r = low;
			rest = high;
		}
		if (range_size(rest) > range_size(*other))
			*other = rest;
		return;
	}
}
