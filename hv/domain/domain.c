// SPDX-License-Identifier: MIT
/*
 * The list of domains. Owns invariant D1: what domain_buffer() returns is the
 * caller's own RAM, never Vellum's or another domain's.
 */
#include "domain/domain.h"

#include "lib/print.h"
#include "lib/string.h"
#include "mem/layout.h"
#include "public/errno.h"

static struct domain first_domain;
static struct domain *const domains = &first_domain;

void domain_init(void)
{
	vl_snprintf(first_domain.name, sizeof(first_domain.name), "first");
	first_domain.lock = (struct lock)LOCK_INIT(LOCK_DOMAIN);
	first_domain.irq_lock = (struct lock)LOCK_INIT(LOCK_IRQ);
	first_domain.nr_vcpus = 1;
	first_domain.mode = VL_MODE_PASSTHROUGH;
	first_domain.state = VL_STATE_RUNNING;
}

struct domain *domain_first(void)
{
	return &first_domain;
}

struct domain *domain_next(u64 domid)
{
	struct domain *d = domains;

	while (d != NULL && d->domid < domid)
		d = d->next;
	return d;
}

struct domain *domain_find(u64 domid, struct domain *self)
{
	struct domain *d = domid == VL_DOMID_SELF ? self : domain_next(domid);

	return d != NULL && (d == self || d->domid == domid) ? d : NULL;
}

u32 domain_count(void)
{
	u32 n = 0;

	for (struct domain *d = domains; d != NULL; d = d->next)
		n++;
	return n;
}

static bool good_name(const struct vl_domain_name *name)
{
	size_t n = 0;

	while (n < sizeof(name->name) && name->name[n] >= ' ' && name->name[n] <= '~')
		n++;
	return n > 0 && n < sizeof(name->name) && name->name[n] == 0;
}

static bool same_name(const char *a, const char *b)
{
	while (*a != 0 && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

int domain_rename(struct domain *d, const struct vl_domain_name *name)
{
	struct vl_domain_name clean;

	if (!good_name(name))
		return -VL_EINVAL;
	for (const struct domain *other = domains; other != NULL; other = other->next)
		if (other != d && same_name(other->name, name->name))
			return -VL_EEXIST;
	memset(&clean, 0, sizeof(clean));
	vl_snprintf(clean.name, sizeof(clean.name), "%s", name->name);
	lock_take(&d->lock);
	memcpy(d->name, clean.name, sizeof(d->name));
	lock_release(&d->lock);
	return 0;
}

void domain_get_name(struct domain *d, char name[static sizeof(struct vl_domain_name)])
{
	lock_take(&d->lock);
	memcpy(name, d->name, sizeof(d->name));
	lock_release(&d->lock);
}

void *domain_buffer(const struct domain *d, pa_t pa, u64 size)
{
	struct range r = {pa.v, pa.v + size};

	if (size == 0 || size > PAGE_SIZE || pa.v % PAGE_SIZE + size > PAGE_SIZE)
		return NULL;
	if (range_pair_has(&d->plain, pa.v))
		return direct((ma_t){pa.v});
	if (!memmap_is_ram(&d->memory, r))
		return NULL;
	if (d->layers & VL_LAYER_MEMORY)
		return (u8 *)direct(mfn_to_ma(p2m_lookup(&d->p2m, pa_to_pfn(pa)))) +
		       pa.v % PAGE_SIZE;
	return direct((ma_t){pa.v});
}

void domain_p2m_changed(struct domain *d)
{
	d->plain = d->p2m.moved == 0 ? d->main_ram : (struct range_pair){0};
	for (u32 i = 0; i < d->nr_vcpus; i++)
		if (d->info[i].at != NULL)
			d->info[i].at = domain_buffer(d, d->info[i].pa, sizeof(*d->info[i].at));
}
