/* SPDX-License-Identifier: MIT */
/*
 * The hypercalls as C functions for programs, over any transport. Owns two
 * rules: nothing is called before the ABI's major version was found equal,
 * and no answer of Vellum is believed before it was checked (sizes, closing
 * zeros, order of ids), so that callers may print and index with it.
 *
 * Every function returns 0, or a negative errno with its sentence in `e`.
 */
#ifndef DOM_TOOLS_LIB_CLIENT_H
#define DOM_TOOLS_LIB_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "dom-tools/lib/transport.h"
#include "public/calls.h"

struct vl_client {
	struct vl_transport *transport;
	uint32_t abi_major; /* of the running Vellum */
	uint32_t abi_minor;
};

/** Start to use an open transport. EPROTO: Vellum speaks another major version of the ABI. */
int vl_connect(struct vl_client *c, struct vl_transport *t, struct vl_error *e);

/** Facts about the hypervisor. Fields that an older Vellum does not know are 0. */
int vl_get_hv_info(struct vl_client *c, struct vl_hv_info *info, struct vl_error *e);

/** Facts about a domain, `domid` being its id or VL_DOMID_SELF. ENOENT: there is none. */
int vl_get_domain(struct vl_client *c, uint32_t domid, struct vl_domain_info *info,
		  struct vl_error *e);

/**
 * Give a domain a name that vl_name_problem() finds nothing wrong with. EEXIST: another has it;
 * ENOENT: there is no such domain; EPERM: only the first guest may; ENOSYS: Vellum is too old.
 */
int vl_rename_domain(struct vl_client *c, uint32_t domid, const char *name, struct vl_error *e);

/** Store the lowest id >= `from` that a domain has. ENOENT: there is none. */
int vl_next_domain(struct vl_client *c, uint32_t from, uint32_t *domid, struct vl_error *e);

/** One piece of the hypervisor's log. Positions are bytes since boot. */
struct vl_log_chunk {
	uint64_t start; /* of the first byte of text; above what was asked for if that was lost */
	uint64_t end;   /* after the newest byte of the whole log */
	size_t size;    /* bytes of text; 0 when there is nothing newer */
	char text[4096 - sizeof(struct vl_console_read)]; /* not zero-terminated */
};

/** Read the log at `pos`. EPERM: only the first guest may. */
int vl_read_log(struct vl_client *c, uint64_t pos, struct vl_log_chunk *chunk, struct vl_error *e);

/** Layers and counters of a domain. ENOENT: there is none; ENOSYS: Vellum is too old to tell. */
int vl_get_counters(struct vl_client *c, uint32_t domid, struct vl_domain_counters *counters,
		    struct vl_error *e);

/**
 * What a domain got of the CPUs. ENOENT: there is none; EPERM: only the first guest may ask;
 * ENOSYS: Vellum is too old to tell.
 */
int vl_get_sched(struct vl_client *c, uint32_t domid, struct vl_sched_info *info,
		 struct vl_error *e);

/** One of its vcpus. ENOENT: there is none of that number; EPERM, ENOSYS: as for vl_get_sched(). */
int vl_get_vcpu(struct vl_client *c, uint32_t domid, uint32_t vcpu, struct vl_vcpu_status *status,
		struct vl_error *e);

/** Ranges of a p2m that one call can get. */
#define VL_P2M_CHUNK ((4096 - sizeof(struct vl_p2m_read)) / sizeof(struct vl_p2m_range))

/** One piece of a p2m: ascending ranges; `next` is the pfn to go on at, ~0 behind the last. */
struct vl_p2m_chunk {
	uint64_t next;
	size_t count;
	struct vl_p2m_range range[VL_P2M_CHUNK];
};

/** Read a domain's p2m from `pfn` on. EOPNOTSUPP: it has none; ENOENT: there is no such domain. */
int vl_read_p2m(struct vl_client *c, uint32_t domid, uint64_t pfn, struct vl_p2m_chunk *chunk,
		struct vl_error *e);

/** Let a step of the next transition fail; 0: none. EOPNOTSUPP: Vellum is a release build. */
int vl_set_failpoint(struct vl_client *c, uint64_t step, struct vl_error *e);

/**
 * Switch the guest that this runs in to `mode` (VL_MODE_*), by `layers` (VL_LAYER_*, VL_DEBUG_*);
 * or add layers to a virtualized guest, or take them off, `layers` being without VL_LAYER_CPU then.
 * EALREADY: that is the mode; EOPNOTSUPP: this kernel or this machine cannot; EAGAIN: an interrupt
 * would not stop waiting; ENOMEM: Vellum's partition is too small; EBADMSG: Vellum's code was
 * changed.
 */
int vl_switch_mode(struct vl_client *c, uint32_t mode, uint32_t layers, struct vl_error *e);

/** The sentence for what Vellum answered to a switch of the mode that the kernel made. */
int vl_switch_answer(struct vl_client *c, uint32_t mode, int64_t result, struct vl_error *e);

/** Words for VL_MODE_* and VL_STATE_*; "unknown" for a number of a later version. */
const char *vl_mode_name(uint32_t mode);
const char *vl_state_name(uint32_t state);

#endif
