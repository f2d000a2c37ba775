/* SPDX-License-Identifier: MIT */
/* STAND-IN until calls 22 to 47 are in calls.h and hypercall.h: dropped then. */
#ifndef VELLUM_PUBLIC_GUESTS_H
#define VELLUM_PUBLIC_GUESTS_H

#include "calls.h"

#ifndef VL_CALL_DOMAIN_CREATE
#define VL_CALL_DOMAIN_CREATE  22
#define VL_CALL_MEMORY_GIVE    23
#define VL_CALL_DOMAIN_DESTROY 24
#define VL_CALL_MEMORY_TAKE    25
struct vl_domain_create {
	char name[32];
	uint64_t memory_start;
	uint64_t memory_size;
	uint32_t nr_vcpus;
	uint32_t weight;
	uint64_t flags;
};
static inline int64_t vl_call_domain_create(vl_hypercall_fn call, uint64_t pa, uint64_t size)
{
	return call(VL_CALL_DOMAIN_CREATE, pa, size, 0, 0, 0);
}
static inline int64_t vl_call_memory_give(vl_hypercall_fn call, uint64_t domid, uint64_t pfn,
					  uint64_t pa, uint64_t size)
{
	return call(VL_CALL_MEMORY_GIVE, domid, pfn, pa, size, 0);
}
static inline int64_t vl_call_domain_destroy(vl_hypercall_fn call, uint64_t domid)
{
	return call(VL_CALL_DOMAIN_DESTROY, domid, 0, 0, 0, 0);
}
#endif

#ifndef VL_CALL_DOMAIN_CONSOLE_READ
#define VL_CALL_DOMAIN_CONSOLE_READ  30
#define VL_CALL_DOMAIN_CONSOLE_WRITE 31
#endif

#ifndef VL_CALL_VCPU_START
#define VL_CALL_VCPU_START        40
#define VL_CALL_DOMAIN_PAUSE      41
#define VL_CALL_DOMAIN_UNPAUSE    42
#define VL_CALL_DOMAIN_WEIGHT     43
#define VL_CALL_DOMAIN_SHUTDOWN   45
#define VL_STATE_SHUTDOWN         3
#define VL_STATE_DYING            4
#define VL_SHUTDOWN_POWEROFF      1
#define VL_SHUTDOWN_REBOOT        2
#define VL_SHUTDOWN_CRASH         3
#define VL_CALL_DOMAIN_SCHED_INFO 47
struct vl_sched_info {
	uint32_t weight;
	uint32_t reserved;
	uint64_t run;
	uint64_t waited;
	uint64_t switches;
	uint64_t wakes;
	uint64_t latency_max;
};
static inline int64_t vl_call_domain_unpause(vl_hypercall_fn call, uint64_t domid)
{
	return call(VL_CALL_DOMAIN_UNPAUSE, domid, 0, 0, 0, 0);
}
#endif

#endif
