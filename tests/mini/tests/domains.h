/* SPDX-License-Identifier: MIT */
/*
 * Other domains, for tests: short words for the calls, and frames whose content
 * is known. Each fails the test when what it is for does not succeed, but for
 * those that return a call's answer.
 */
#ifndef MINI_TESTS_DOMAINS_H
#define MINI_TESTS_DOMAINS_H

#include "lib/types.h"
#include "public/hypercall.h"

#define GUESTS_PAGES 300u
#define ONES         0xffu

extern struct vl_hv_info guests_hv; /* by guests_read_hv() */
extern struct vl_domain_counters guests_counters;
extern struct vl_domain_info guest_info;     /* by guest_ask() */
extern struct vl_domain_create guest_wanted; /* of guest_want(), for guest_create() */
extern struct vl_memory_list guests_list;    /* for guest_give() */
extern pa_t guests_frame[GUESTS_PAGES];      /* by guests_take_frames() */

/** The calls themselves. */
s64 guest_create(void);
s64 guest_destroy_some(u64 domid);
s64 guest_give(u64 domid, u64 pfn, u64 count);
s64 guest_take(u64 domid, u64 pfn, u64 count);
s64 guest_ask(u64 domid);
void guests_read_hv(void);

/** Bytes of the partition that no shadow has: what is free but for how this guest used its own
 * memory meanwhile. */
u64 guests_partition_free(void);

/** Wait until it is that, for a second at most: what has ended is given back by and by, and what
 * other CPUs are doing takes some. */
bool guests_free_settles(u64 free);

/** What domain_info says that this guest has, bytes. */
u64 guests_own_memory(void);

/** Fill guest_wanted for a domain of so many pages, which begin at guests_first_pfn(); make it;
 * end it, by as many calls as it takes; it is gone, and this guest alone. */
void guest_want(const char *name, u64 pages);
u64 guests_first_pfn(void);
u64 guest_make(const char *name, u64 pages);
void guest_destroy(u64 domid);
void guest_check_gone(u64 domid);

/** Virtualized, if it was not. */
void guests_go_in(void);

/** Before memory is measured: what the first domain of all needs on a CPU (a place for the
 * registers of this guest's vcpu there) Vellum keeps. */
void guests_warm_up(void);

/** Frames 0 .. count - 1 of guests_frame[], and where they are; fill one with a byte, or check that
 * it has that; put some into guests_list. */
void guests_take_frames(u32 count);
void guests_free_frames(u32 count);
u8 *guests_page(u32 i);
void guests_fill(u32 i, u8 with);
void guests_check_page(u32 i, u8 with);
void guests_list_frames(u32 from, u32 count);

/** Where the page frame of a domain is, by p2m_read; 0: nowhere. */
u64 guest_machine_frame(u64 domid, u64 pfn);

#endif
