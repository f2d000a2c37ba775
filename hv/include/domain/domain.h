/* SPDX-License-Identifier: MIT */
/*
 * Domains: the guests that Vellum knows.
 */
#ifndef VELLUM_DOMAIN_DOMAIN_H
#define VELLUM_DOMAIN_DOMAIN_H

#include "domain/events.h"
#include "irq/pic_hardware.h"
#include "lib/lock.h"
#include "lib/types.h"
#include "mem/memmap.h"
#include "p2m/p2m.h"
#include "public/hypercall.h"

/** [va, va + size) is shown as [pa, pa + size) while virtualized; size 0: unused. */
struct alias {
	u64 va;
	u64 size; /* bytes */
	pa_t pa;
};

/** Where one of its vcpus shares words with Vellum. */
struct info_place {
	struct vl_vcpu_info *at; /* in the domain's own RAM; NULL: none */
	pa_t pa;
	u64 va; /* the vcpu's kernel sees their page here, too; 0: does not */
};

struct cpu_block;
struct grant_table;
struct io_device;
struct map_table;
struct platform;
struct vcpu;

#define DOMAIN_NAME_SIZE sizeof(((struct vl_domain_name *)0)->name)

/**
 * Its memory is a domain's for ever: who has found one and is overtaken by its end finds that, or
 * another domain, but nothing else.
 */
struct domain {
	struct domain *next; /* by ascending domid; of one that is over: of the spare ones */
	u32 domid;
	u32 mode;   /* VL_MODE_* */
	u32 layers; /* VL_LAYER_* that are virtualized */
	u32 state;  /* VL_STATE_* */
	bool owns_machine;
	u32 nr_vcpus;
	u32 weight;                     /* of its share of the CPUs; of the first guest, too */
	struct lock lock;               /* LOCK_DOMAIN, see docs/invariants.md */
	u32 users;                      /* domain_use(); atomic */
	bool at_rest;                   /* dying, and none of its vcpus will run again; atomic */
	struct vcpu *vcpu[VL_MAX_CPUS]; /* those that are virtualized, by number; cpu/remote.h */
	struct cpu_block *block[VL_MAX_CPUS]; /* of a later domain, its vcpus'; cpu/sched.h */
	u32 shutdown;                         /* VL_SHUTDOWN_*: why it ended */
	struct lock irq_lock;                 /* LOCK_IRQ, for: */
	struct pic_hardware pic;              /* virtualized, cpu/domain_pic.h */
	/* Its devices, if it does not own the machine, under irq_lock; cpu/domain_platform.h. The
	 * pointer is under `lock`, for all but its own vcpus. */
	struct platform *platform;
	struct io_device *device[VL_MAX_DEVICES]; /* the same; cpu/domain_io.h */
	u32 nr_devices;                           /* changes as `device` does */
	u32 devices_wait;                         /* a bit each, for its first vcpu; atomic */
	u64 devices_due;      /* TSC when drivers are told of what was sent; 0: nothing */
	u32 devices_turn;     /* which of them is the next one, under irq_lock */
	struct events events; /* under a lock of their own */
	char name[DOMAIN_NAME_SIZE];
	u64 hypercalls;
	u64 tsc_start;
	struct vl_domain_counters
		counters; /* of all that is over; layers and what is in use are 0 */
	struct alias alias[VL_MAX_ALIASES];
	struct range aliased;                /* va: all of them lie in it; empty without one */
	u64 features;                        /* VL_FEATURE_* */
	u64 call_site;                       /* va behind its hypercall by SYSCALL; 0: none */
	struct range_pair main_ram;          /* the largest ranges of it that are RAM */
	struct range_pair plain;             /* of these, where physical is machine; or less */
	struct p2m p2m;                      /* valid with VL_LAYER_MEMORY */
	u64 *home;                           /* domain/share_home.h; NULL: not written down */
	struct grant_table *grants;          /* what it offers, domain/grant.h; NULL: nothing yet */
	struct map_table *maps;              /* and has mapped of others */
	struct memmap memory;                /* what it is shown */
	u64 memory_target;                   /* bytes that it is to have; 0: all of it */
	struct info_place info[VL_MAX_CPUS]; /* the first nr_vcpus; by number of the CPU */
};

/** Whether it is the one that has the machine: devices, interrupt controllers, MSRs. */
static inline bool domain_owns_machine(const struct domain *d)
{
	return d->owns_machine;
}

/** Make the first domain, in passthrough and running; once, at boot. */
void domain_init(void);

/**
 * Another one, paused, in the list, with an id of its own and without a frame. -VL_ENOMEM, and
 * nothing has changed. What it is made of is checked: see call domain_create. One CPU at a time
 * makes domains and ends them (cpu/remote.h, rearranging).
 */
int domain_new(const struct vl_domain_create *wanted, struct domain **made);

/** Put it into the list: from here on it is found. -VL_EEXIST: another one has its name. */
int domain_enter(struct domain *d);

/** The end of one that has no frame and no vcpu any more, in the list or not yet. */
void domain_delete(struct domain *d);

/** Frames of the partition that are kept for domains to come. */
u64 domain_frames_spare(void);

/** The guest that owns the machine, and the only one that can be in passthrough: domain 0, until it
 * has handed the machine over. "The first guest" is this one everywhere. */
struct domain *domain_first(void);

/**
 * The machine is another domain's, `heir`, the only other one: the first one is gone, with all that
 * it had, its vcpus aside. It must have no frame of its own in another's hands but the heir's.
 */
void domain_hand_over(struct domain *heir);

/** All memory that the one that was booted was shown is this one's, which owns the machine and is
 * in passthrough. */
void domain_claim_memory(struct domain *d);

/** The domain with the lowest id >= domid; NULL if there is none. */
struct domain *domain_next(u64 domid);

/** The domain with this id, `self` for VL_DOMID_SELF; NULL if there is none. */
struct domain *domain_find(u64 domid, struct domain *self);

/**
 * The same of a later domain whose end has not begun, nor comes to its vcpus before domain_unuse():
 * for what another domain does to them. NULL also if it is the first, or dying.
 */
struct domain *domain_use(u64 domid);
void domain_unuse(struct domain *d);

/** How many there are; takes no lock. */
u32 domain_count(void);

/** Whether these bytes are printable ASCII with a closing zero, and not empty. */
bool domain_name_is_good(const char name[static DOMAIN_NAME_SIZE]);

/**
 * Give it a name, whatever the bytes are: VL_EINVAL unless they are a good one; VL_EEXIST if
 * another domain has that name.
 */
int domain_rename(struct domain *d, const struct vl_domain_name *name);

/** It runs no more, by its own will or for what it did (VL_SHUTDOWN_*). A domain that is being
 * destroyed goes on with that. */
void domain_has_ended(struct domain *d, u32 reason);

/** Its name, zero-terminated, and zeros to the end. */
void domain_get_name(struct domain *d, char name[static sizeof(struct vl_domain_name)]);

/** Bytes of RAM that it has: what it is shown, without pages that it gave away or was not given. */
u64 domain_memory(const struct domain *d);

/** Where domain_page() found the last one; zeroed: none. */
struct domain_near {
	struct range ram;
	struct p2m_near p2m;
};

/** domain_buffer() of a whole page, for many that are near each other while the p2m stays as it is.
 */
void *domain_page(const struct domain *d, pfn_t pfn, struct domain_near *near);

/**
 * The bytes [pa, pa + size) of the domain's RAM, for reading and writing; NULL unless they are
 * all the domain's own RAM and in one page. Through the p2m if the domain's memory is virtualized,
 * else physical is machine. The answer holds until the p2m changes.
 */
void *domain_buffer(const struct domain *d, pa_t pa, u64 size);

/** Pages have moved, or all have come home, or main_ram has changed: find again what depends on it
 * (plain, each info). */
void domain_p2m_changed(struct domain *d);

/** The page at `pa` is given away: it is plain no longer. */
void domain_not_plain(struct domain *d, u64 pa);

#endif
