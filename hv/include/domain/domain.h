/* SPDX-License-Identifier: MIT */
/*
 * Domains: the guests that Vellum knows.
 */
#ifndef VELLUM_DOMAIN_DOMAIN_H
#define VELLUM_DOMAIN_DOMAIN_H

#include "mem/memmap.h"
#include "lib/types.h"
#include "public/hypercall.h"

/** [va, va + size) is shown as [pa, pa + size) while virtualized; size 0: unused. */
struct alias {
	u64 va;
	u64 size; /* bytes */
	pa_t pa;
};

struct domain {
	struct domain *next; /* by ascending domid */
	u32 domid;
	u32 mode;  /* VL_MODE_* */
	u32 state; /* VL_STATE_* */
	u32 nr_vcpus;
	char name[32];
	u64 hypercalls;
	u64 tsc_start;
	struct alias alias[VL_MAX_ALIASES];
	bool has_alias;                 /* one is used */
	u64 features;                   /* VL_FEATURE_* */
	u64 call_site;                  /* va behind its hypercall by SYSCALL; 0: none */
	struct vl_vcpu_info *vcpu_info; /* of vcpu 0, in the domain's own RAM; NULL: none */
	struct range main_ram;          /* the largest range of it that is RAM */
	struct memmap memory;           /* what it is shown */
};

/** Make the first domain, in passthrough and running; once, at boot. */
void domain_init(void);

/** The first guest: domain 0, owner of the machine in passthrough. */
struct domain *domain_first(void);

/** The domain with the lowest id >= domid; NULL if there is none. */
struct domain *domain_next(u64 domid);

/** The domain with this id, `self` for VL_DOMID_SELF; NULL if there is none. */
struct domain *domain_find(u64 domid, struct domain *self);

/** How many there are. */
u32 domain_count(void);

/**
 * The bytes [pa, pa + size) of the domain's RAM, for reading and writing; NULL unless they are
 * all the domain's own RAM and in one page. In passthrough physical is machine.
 */
void *domain_buffer(const struct domain *d, pa_t pa, u64 size);

#endif
