/* SPDX-License-Identifier: MIT */
/*
 * A Vellum made of a text file, for tests of vl. A world file says what the
 * device, the driver and the hypervisor would say; world.c answers hypercalls
 * from it by the rules of docs/hypercalls.md, as strictly as the real one, so
 * that a wrong argument of vl is noticed. One statement a line:
 *
 *   # comment
 *   open ERRNO                 opening /dev/vellum fails
 *   sysfs                      the driver's node in sysfs exists
 *   ioctl ERRNO                every ioctl fails
 *   switch ERRNO               the ioctl that switches the mode fails
 *   layers BITS                the layers that vl has to ask for (default VL_LAYER_ALL)
 *   abi MAJOR MINOR            what the version call says (default: this ABI)
 *   hv KEY=VALUE ...           fields of vl_hv_info
 *   self ID                    the domain that vl runs in (default 0)
 *   domain ID KEY=VALUE ...    a domain; keys as in vl_domain_info
 *   vanish ID                  an id that domain_next still gives, but domain_info no longer knows
 *   ring BYTES                 capacity of the log ring (default 65536)
 *   log TEXT                   add TEXT to the log
 *   lines N TEXT               add N lines, "TEXT 1" to "TEXT N"
 *   onread TEXT                added after the next read of the log; repeats queue up
 *   onreadlines N TEXT         N lines TEXT, added after the next read
 *   onsleep TEXT               added while vl sleeps; without one left, SIGINT ends vl
 *   counters KEY=VALUE ...     of vl's own domain, as in vl_domain_counters (layers: of its mode)
 *   p2m PFN MFN COUNT          a range of its p2m
 *   portion START SIZE         a portion of memory that is virtualized (default: one, of all)
 *   chunk N                    ranges that one p2m_read gives (default: as many as fit)
 *   release                    Vellum has no failpoints
 *   grow KEY=VALUE ...         what counters add up by each time they are read
 *   step TICKS                 what tsc_now of each domain moves on by each time it is told
 *   meminfo KIB                what /proc/meminfo calls available (default 409600); none: no /proc
 *   vcpu ID VCPU CPU LETTERS RUN WAITED
 *                              what Vellum tells of a vcpu; letters: o online, r has its CPU,
 *                              b halted (default: Vellum does not tell of any)
 *   ram START SIZE             the range of RAM of the guest that vl runs in (default 1 MiB, 1 GiB)
 *   allocatable MIB            memory that the kernel finds for a domain (default: enough)
 *   guest ERRNO                every ioctl for other domains fails
 *   busy ID                    another vl makes that domain
 *   weights WEIGHT ...         of the domains in their order (default 256)
 *   run TICKS ...              what they ran (default: Vellum does not tell)
 *   console ID TEXT            what that domain writes to its console, for one read
 *   piece BYTES                what one read of a console gets at most (default: all)
 *   typed TEXT                 at stdin from the beginning
 *   onwait STATEMENT           what happens while vl waits: `state ID N [REASON]`, `gone ID`,
 *                              `memory ID BYTES`, `console ...`, or `type TEXT` at stdin
 *   net ID INDEX N BRIDGE STATUS [FLAGS]
 *                              a network device of a domain, its address ends in N; only one domain
 *                              has devices
 *   disk ID INDEX BYTES STATUS [FLAGS]
 *                              a disk
 *   patience N                 so often vl has to ask for a device (default 0)
 *   share PAGES FRAMES RATE    so many pages are shared, in so many frames
 *   pci FUNCTION ID CLASS [DRIVER]  a PCI function, ID as VENDOR:DEVICE; Vellum knows 8086:100e,
 *                                   and 8086:7010, whose second drive is a disk
 *   taken FUNCTION [BRIDGE]    it is Vellum's; the uplink of that bridge, or `disks`: in use
 *   home PAGES [fails]         so many of its pages are not at home yet; and cannot come there
 *   stays N                    processor N does not go offline
 *   tsc_rate HZ                ticks of the TSC a second (default 1000)
 *   answer CALL VALUE          CALL (version, hv_info, ...) returns VALUE, a number or -ERRNO; for
 *                              virtualize and devirtualize, when the kernel calls them
 *
 * In TEXT and VALUE, \n, \s (space) and \xNN are escapes.
 */
#ifndef TESTS_CLI_WORLD_H
#define TESTS_CLI_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "public/calls.h"

enum {
	MAX_DOMAINS = 64,
	MAX_EVENTS = 16,
	MAX_P2M = 1024,
	MAX_LOG = 1 << 20,
	MAX_CONSOLE = 4096,
};

struct events {
	size_t count;
	size_t next;
	char *text[MAX_EVENTS];
};

struct world {
	int open_error;
	int ioctl_error;
	int switch_error;
	uint32_t layers;
	int sysfs;
	int64_t version;
	struct vl_hv_info hv;
	uint32_t self;
	struct vl_domain_counters counters;
	struct vl_p2m_range p2m[MAX_P2M];
	size_t nr_p2m;
	size_t p2m_chunk;
	struct vl_portions portions;
	int release;
	uint64_t meminfo; /* KiB; ~0: there is no such file */
	uint64_t tsc_rate;
	struct vl_home_info home;
	struct vl_share_info share;
	int home_fails;
	uint32_t stays; /* 0: none */
	uint64_t step;
	struct vl_domain_counters grow;
	uint64_t failpoint;
	size_t nr_domains;
	struct vl_domain_info domain[MAX_DOMAINS]; /* ascending ids */
	int vanished[MAX_DOMAINS];
	uint32_t weight[MAX_DOMAINS];
	int has_run;
	uint64_t run[MAX_DOMAINS];
	uint64_t ram_start;
	uint64_t ram_size;
	uint64_t available;   /* what the kernel says it could give */
	uint64_t allocatable; /* and what it finds then */
	int guest_error;
	uint32_t busy;
	int started;          /* the domain in the making has a vcpu, as `start` says */
	unsigned int devices; /* that domains were given */
	uint64_t device_of;   /* the domain that has: */
	int has_device[VL_MAX_DEVICES];
	struct vl_device device[VL_MAX_DEVICES];
	int patience, going, shown; /* of device_remove and device_show */
	struct vl_vcpu_start start;
	uint32_t console_of;
	size_t console_size;
	char console[MAX_CONSOLE];
	uint64_t console_piece; /* 0: all */
	int has_typed;
	char typed[16];
	struct events on_wait;
	uint64_t ring;
	uint64_t log_size; /* bytes since boot; the log keeps all, the ring is pretended */
	char log[MAX_LOG];
	struct events on_read;
	struct events on_sleep;
	int forced[VL_CALL_LIMIT]; /* `answer` was given for the call */
	int64_t forced_value[VL_CALL_LIMIT];
};

/** Read a world file; ends the program with a sentence if it is not one. */
void world_load(struct world *w, const char *path);

/** Answer hypercall `nr`, the buffer being `size` bytes at `page` where (arg, arg + 1) name it. */
int64_t world_call(struct world *w, uint64_t nr, const uint64_t *arg, void *page, uint32_t size);

/** The same for calls about PCI functions, whose state is their own (pci.c). */
int64_t world_pci_call(struct world *w, uint64_t nr, const uint64_t *arg, void *page,
		       uint32_t size);
int world_pci_statement(const char *what, const char *rest);

/** And for those about vcpus (world_vcpu.c). */
int64_t world_vcpu_status(const uint64_t *arg, void *page, uint32_t size);
int world_vcpu_statement(const char *what, const char *rest);

/** The mode of the domain that vl runs in, and its layers. */
uint32_t world_mode(struct world *w);
uint32_t world_layers(struct world *w);

/** What Vellum answers to a switch; `layers` must be those that the world file wants. */
int64_t world_switch(struct world *w, uint32_t mode, uint32_t layers);

/** The answer of a call that fills a buffer, which is large enough or not. */
int64_t world_fill(void *page, uint32_t size, const void *from, size_t bytes);

/** VL_CALL_SHARE. */
int64_t world_share(struct world *w, uint64_t how, uint64_t rate, void *page, uint32_t size);

/** A domain is made: its id, or Vellum's error. */
int64_t world_create(struct world *w, const struct vl_domain_create *d);

/** A domain is no more; returns 0 if there was none. */
int world_end(struct world *w, uint32_t domid);

/** Replace the escapes in place; returns the length. */
size_t world_unescape(char *text);

/** One line of a world file; `line` is changed. */
void world_statement(struct world *w, char *line);

/** Add the next of the events' texts to the log; returns 0 if there was none left. */
int world_next_event(struct world *w, struct events *events);

/** End the program: vl broke a rule of the ABI, or the world file is wrong. */
void world_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
