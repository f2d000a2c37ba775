/* SPDX-License-Identifier: MIT */
/*
 * The hypercall page and the structures that hypercalls exchange. The calls
 * themselves (number, prototype, errors) stand in calls.h, which is generated
 * from hv/hypercall/hypercalls.def together with docs/hypercalls.md.
 *
 * The page that vl_start_info.hypercall_page names holds position-independent
 * code. The guest copies the whole page to a page-aligned place in its own
 * executable memory that stays mapped in every address space (or maps the
 * page itself), writes the data field `direct_map` once, and may make it read-only after
 * that. Offset 0 is then a function
 *
 *     int64_t call(uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
 *
 * in the System V calling convention, callable at CPL 0 with at least 256 bytes of stack, at any
 * interrupt flag; only the convention's call-clobbered general registers change, FPU and vector
 * registers do not. In passthrough it stores
 * Vellum's top-level page-table entries into the current root, which it reaches at CR3's address
 * plus `direct_map`, calls Vellum, and takes the entries out again, so that nothing of Vellum is
 * mapped while the guest runs. No call from an NMI or #DB handler that interrupted another on the
 * same CPU. Needs 4-level paging and, if the CPU has NX, EFER.NXE set.
 *
 * Several CPUs may call at a time, also on one root: its entry VL_COUNT_SLOT, which is never
 * present, counts them, with a lock, and the last one to leave takes the entries out. So a guest
 * that copies the upper half of a root while another CPU may be in a call on it clears slots
 * VL_FIRST_SLOT .. VL_COUNT_SLOT in the copy. Each CPU but the first has to be told of
 * (VL_CALL_ADD_CPU) before it calls.
 */
#ifndef VELLUM_PUBLIC_HYPERCALL_H
#define VELLUM_PUBLIC_HYPERCALL_H

#include "types.h"

#define VL_HYPERCALL_PAGE_SIZE   4096
#define VL_HYPERCALL_DATA_OFFSET 3840 /* struct vl_hypercall_data in the page */

/** Top-level slots that Vellum may use: 256 .. 256 + 15 (0xffff8000_00000000 and up). */
#define VL_FIRST_SLOT 256
#define VL_MAX_SLOTS  16
#define VL_COUNT_SLOT 271 /* the last of them */

#define VL_MAX_CPUS 32

/* How long CPUs that are to make a call together wait for each other, in ticks of the TSC. */
#define VL_TOGETHER_CYCLES ((uint64_t)1 << 30)

/** Data at VL_HYPERCALL_DATA_OFFSET; the guest writes `direct_map`, the rest is Vellum's. */
struct vl_hypercall_data {
	uint64_t direct_map; /* va = pa + direct_map for the frames of the guest's page-table roots
			      */
	uint64_t entry;      /* va of Vellum's entry, valid once the slots are stored */
	uint32_t nr_slots;   /* entries of slot[] in use */
	uint32_t reserved;
	uint64_t slot[VL_MAX_SLOTS]; /* top-level entries, for slots VL_FIRST_SLOT .. */
};
VL_ABI_ASSERT(sizeof(struct vl_hypercall_data) == 152, "vl_hypercall_data is ABI");

typedef int64_t (*vl_hypercall_fn)(uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
				   uint64_t a5);

/* Buffers are passed as (pa, size): guest-physical address and size in bytes. A buffer must lie
 * in one page of the caller's own RAM. A structure may grow at its end in later versions:
 * Vellum fills min(size, what it knows) bytes and returns how many it filled. */

#define VL_MODE_PASSTHROUGH 0
#define VL_MODE_VIRTUALIZED 1

/* Layers of virtualization (VL_CALL_VIRTUALIZE, VL_CALL_DEVIRTUALIZE). The others stand on the
 * CPU's, and that of I/O on those of the CPU and interrupts: they come with them or later, and go
 * with them or before. A guest that owns the machine is better off with its devices bare, so
 * VL_LAYER_ALL does not ask for I/O; taking it off takes that off, too. */
#define VL_LAYER_CPU        1u /* ring 3, on shadow tables of the guest's own translations */
#define VL_LAYER_MEMORY     2u /* a p2m: frames may be others than the guest believes */
#define VL_LAYER_INTERRUPTS 4u /* interrupt controllers of its own */
#define VL_LAYER_ALL        7u
#define VL_LAYER_IO         8u /* PIT, clock and first serial port by models */
/* With them, for debugging: real IOPL 3, so that a kernel without patched interrupt-flag sites
 * runs; it can then stop every interrupt of the machine. */
#define VL_DEBUG_IOPL3      0x100u

/* Vellum's own optimisations for a virtualized guest, which its options shadow= and fast= switch:
 * vl_hv_info.shadow and .fast. No guest can tell them from the outside but by its clock. */
#define VL_SHADOW_CACHED_ROOTS 1u  /* keep the address spaces that are not loaded */
#define VL_SHADOW_PREFILL      2u  /* enter a page on the way back from the guest's fault on it */
#define VL_SHADOW_LARGE        4u  /* large pages stay large */
#define VL_SHADOW_SHARED       8u  /* a user's tables serve its kernel too */
#define VL_SHADOW_WALK_CACHE   16u /* find tables again without a walk */
#define VL_SHADOW_ACCESS_CACHE 32u /* find IDT, TSS, stacks and code of the guest kernel again */
#define VL_SHADOW_ALL          63u

#define VL_FAST_SYSCALL     1u  /* SYSCALL of a user */
#define VL_FAST_SYSRET      2u  /* and the return */
#define VL_FAST_IRET        4u  /* IRET to a user */
#define VL_FAST_KERNEL_IRET 8u  /* IRET of the guest kernel to itself */
#define VL_FAST_SWAPGS      16u /* SWAPGS alone */
#define VL_FAST_FAULTS      32u /* page faults without a trap frame */
#define VL_FAST_CALLS       64u /* hypercalls by SYSCALL (VL_CALL_SET_FEATURES) without one */
#define VL_FAST_ALL         127u

#define VL_STATE_RUNNING  0
#define VL_STATE_PAUSED   1
#define VL_STATE_CRASHED  2
#define VL_STATE_SHUTDOWN 3 /* it ended itself: VL_CALL_SHUTDOWN */
#define VL_STATE_DYING    4 /* VL_CALL_DOMAIN_DESTROY has begun */

/* Why a guest ends or is to end: VL_CALL_SHUTDOWN, VL_CALL_DOMAIN_SHUTDOWN. */
#define VL_SHUTDOWN_NONE     0
#define VL_SHUTDOWN_POWEROFF 1
#define VL_SHUTDOWN_REBOOT   2
#define VL_SHUTDOWN_CRASH    3
#define VL_SHUTDOWN_LIMIT    4
/* VL_CALL_CONTROL_READ can tell of more: */
#define VL_ASKED_TO_TAKE                                                                           \
	16 /* the caller owns the machine, and may devirtualize (VL_CALL_HAND_OVER) */
#define VL_ASKED_FOR_ONE_VCPU                                                                      \
	17 /* it is about to get it, and is to put all vcpus but the first offline */

/* A domain's weight: what it gets of a CPU that it shares goes by it. */
#define VL_WEIGHT_MAX   65535
#define VL_WEIGHT_USUAL 256

#define VL_DOMID_SELF 0x7ff0u
#define VL_DOMID_MAX  0x7fefu

#define VL_MAX_ALIASES 4

/* What a guest kernel promises (VL_CALL_SET_FEATURES). */
#define VL_FEATURE_DESCRIPTORS 1u /* it tells of changes to its GDT (VL_CALL_DESCRIPTORS) */
#define VL_FEATURE_ALL         1u

/* VL_CALL_MMU_LOAD and VL_CALL_MMU_FLUSH. */
#define VL_MAX_ASID       4095u
#define VL_MMU_FLUSH      1u
#define VL_MMU_FLUSH_PAGE 0u
#define VL_MMU_FLUSH_ASID 1u
#define VL_MMU_FLUSH_ALL  2u

/* VL_CALL_MMU_FLUSH_REMOTE: pages of one call. */
#define VL_MMU_FLUSH_PAGES 64u

/* VL_CALL_HAND_OVER, VL_CALL_HOME, VL_CALL_TEST_REMAP: how. */
#define VL_REMAP_AUTO         0u /* places that are taken: by a spare frame, if there is one */
#define VL_REMAP_INDIRECT     1u /* only so */
#define VL_REMAP_DIRECT       2u /* by exchange */
#define VL_REMAP_MODE         0xffu
#define VL_REMAP_OWNERS_SHIFT 8
#define VL_REMAP_BACKMAP      (0u << VL_REMAP_OWNERS_SHIFT) /* how users of frames are found */
#define VL_REMAP_REFCOUNT     (1u << VL_REMAP_OWNERS_SHIFT)
#define VL_REMAP_SEARCH       (2u << VL_REMAP_OWNERS_SHIFT)
#define VL_REMAP_OWNERS       (0xffu << VL_REMAP_OWNERS_SHIFT)
/* Not for VL_CALL_TEST_REMAP: */
#define VL_REMAP_USUAL        0xffffu    /* both of the above as Vellum's options say */
#define VL_REMAP_LIVE         (1u << 16) /* the guest runs meanwhile */
#define VL_HOME_STOP          (1u << 17) /* VL_CALL_HOME: nothing moves by itself */
#define VL_HOME_KEEP          (~(uint64_t)0)

/** More pages than these are not searched for while a guest runs: each search reads all of them. */
#define VL_REMAP_SEARCH_PAGES 6144u

/* Where a homecoming is (vl_home_info). */
#define VL_HOME_NONE     0u /* there is none, or it has not begun */
#define VL_HOME_MOVING   1u
#define VL_HOME_CLEARING 2u /* frames that nobody has */
#define VL_HOME_DONE     3u

/** VL_CALL_HOME: of the last homecoming. Times are ticks of the TSC. */
struct vl_home_info {
	uint32_t phase; /* VL_HOME_* */
	uint32_t how;   /* VL_REMAP_* and VL_HOME_STOP; the options are filled in */
	uint64_t pages; /* that were away when it began */
	uint64_t left;  /* that are */
	uint64_t copied, evacuated, exchanged; /* see struct vl_remap_counts */
	uint64_t pieces;                       /* in which the guest stood still, so far */
	uint64_t failures;                     /* of them, after which it went on anew */
	uint64_t longest, total;               /* of the pieces */
	uint64_t begun, now;                   /* begun: 0 if it has not */
};

/** What VL_CALL_TEST_REMAP did. */
struct vl_remap_counts {
	uint64_t ticks;     /* of the TSC, that it took */
	uint64_t copied;    /* pages to their places */
	uint64_t evacuated; /* pages to a spare frame, or out of it to make room there */
	uint64_t exchanged; /* pairs of pages */
};

/* VL_CALL_TEST_SPOIL_SHADOW: what becomes wrong. */
#define VL_SPOIL_FRAME    0u /* another frame of the caller's */
#define VL_SPOIL_WRITABLE 1u /* writable; the page has to be read-only in the caller's tables */
#define VL_SPOIL_USER     2u /* a kernel's page in the user's view */

/**
 * A vcpu's words that guest and Vellum share while it is virtualized (VL_CALL_SET_VCPU_INFO).
 * `flags` is the virtual RFLAGS.IF, at its place, and nothing else. Clearing it masks interrupts at
 * once. A guest that sets it must then look at `pending`, and if that is not 0, make any hypercall
 * or execute STI: the interrupt is delivered on the way back. Vellum sets the flag to what
 * RFLAGS.IF is after each delivery and emulated IRET, SYSRET, POPF.
 */
struct vl_vcpu_info {
	uint32_t flags;  /* 0 or 0x200 */
	uint8_t pending; /* not 0: an interrupt waits for the flag */
	uint8_t reserved0[3];
	uint64_t cr2; /* of the last page fault delivered: as MOV from CR2 reads it */
	uint64_t reserved[6];
};
VL_ABI_ASSERT(sizeof(struct vl_vcpu_info) == 64, "vl_vcpu_info is ABI");

/** Answer of VL_CALL_HV_INFO. */
struct vl_hv_info {
	uint32_t abi_major;
	uint32_t abi_minor;
	char version[32];         /* zero-terminated, e.g. "0.1.0" */
	char build[64];           /* zero-terminated: compiler and build kind */
	uint64_t partition_start; /* ma of Vellum's partition, bytes */
	uint64_t partition_size;
	uint64_t partition_free;
	uint64_t image_size;  /* bytes of text and read-only data */
	uint64_t machine_ram; /* bytes of RAM in the machine's memory map */
	uint64_t hypercalls;  /* hypercalls served since boot, this one included */
	uint32_t nr_domains;
	uint32_t nr_cpus;
	uint32_t shadow; /* VL_SHADOW_* and VL_FAST_* that are on */
	uint32_t fast;
	uint32_t tsc_khz; /* ticks of the TSC in a millisecond, as measured at boot */
	/* And of the timer of later guests' local APICs, undivided: the machine's own rate, so that
	 * it is still right when such a guest gets the machine. */
	uint32_t lapic_khz;
};
VL_ABI_ASSERT(sizeof(struct vl_hv_info) == 176, "vl_hv_info is ABI");

/** Answer of VL_CALL_DOMAIN_INFO. */
struct vl_domain_info {
	uint32_t domid;
	uint32_t mode;  /* VL_MODE_* */
	uint32_t state; /* VL_STATE_* */
	uint32_t nr_vcpus;
	uint64_t memory;     /* bytes of RAM that the domain has */
	uint64_t hypercalls; /* made by this domain */
	uint64_t tsc_start;  /* TSC when it was entered */
	uint64_t tsc_now;
	char name[32];     /* zero-terminated */
	uint32_t shutdown; /* VL_SHUTDOWN_*: why it ended itself, in VL_STATE_SHUTDOWN */
	uint32_t reserved;
};
VL_ABI_ASSERT(sizeof(struct vl_domain_info) == 88, "vl_domain_info is ABI");

/** In buffer of VL_CALL_DOMAIN_CREATE. */
struct vl_domain_create {
	char name[32];         /* as struct vl_domain_name */
	uint64_t memory_start; /* pa of its RAM, one range: a multiple of the page size */
	uint64_t memory_size;  /* bytes, a multiple of the page size */
	uint32_t nr_vcpus;     /* 1 */
	uint32_t weight;       /* 1 .. VL_WEIGHT_MAX */
	uint64_t flags;        /* 0 */
};
VL_ABI_ASSERT(sizeof(struct vl_domain_create) == 64, "vl_domain_create is ABI");

#define VL_MEMORY_GIVE_PAGES 512u

/** In buffer of VL_CALL_MEMORY_GIVE, which may be shorter: as many as there are pages. */
struct vl_memory_list {
	uint64_t pfn[VL_MEMORY_GIVE_PAGES]; /* the caller's */
};
VL_ABI_ASSERT(sizeof(struct vl_memory_list) == 4096, "vl_memory_list is ABI");

/* VL_CALL_GRANT_OFFER. */
#define VL_GRANT_READ_ONLY 1u

/* A domain has at most so many offers, and has mapped at most so many of others'. */
#define VL_MAX_GRANTS 128u

/** In buffer of VL_CALL_DOMAIN_RENAME. */
struct vl_domain_name {
	char name[32]; /* zero-terminated printable ASCII, not empty */
};
VL_ABI_ASSERT(sizeof(struct vl_domain_name) == 32, "vl_domain_name is ABI");

/**
 * Answer of VL_CALL_DOMAIN_COUNTERS. All counts are since the domain started, but for what is in
 * use now, which is 0 in passthrough.
 */
struct vl_domain_counters {
	uint32_t layers; /* VL_LAYER_* that are virtualized now */
	uint32_t reserved;
	/* Why it came to Vellum while virtualized; paths in assembly alone are not counted. */
	uint64_t exits_hypercall;
	uint64_t exits_syscall;
	uint64_t exits_interrupt;
	uint64_t exits_hidden_fault; /* page faults for which only the shadow lacked an entry */
	uint64_t exits_guest_fault;  /* page faults that were its own */
	uint64_t exits_emulated;     /* instructions */
	uint64_t exits_reflected;    /* other exceptions that were its own */
	uint64_t shadow_fills;
	uint64_t shadow_flushes;
	uint64_t shadow_evictions;
	uint64_t shadow_tables;       /* in use now, pages */
	uint64_t p2m_tables;          /* in use now, pages; 0 is the identity */
	uint64_t p2m_moved;           /* page frames that are not at home now */
	uint64_t virtualized;         /* times that the CPU layer came */
	uint64_t devirtualized;       /* and went */
	uint64_t virtualize_cycles;   /* of the TSC, inside Vellum, the last time each */
	uint64_t devirtualize_cycles; /* (without the page faults that refill the shadow) */
	uint64_t io_accesses; /* bytes that the models of VL_LAYER_IO read or wrote for it */
};
VL_ABI_ASSERT(sizeof(struct vl_domain_counters) == 152, "vl_domain_counters is ABI");

/** Answer of VL_CALL_DOMAIN_SCHED_INFO; times in ticks of the TSC, since the domain was made. */
struct vl_sched_info {
	uint32_t weight;
	uint32_t reserved;
	uint64_t run;         /* that its vcpus ran */
	uint64_t waited;      /* that they would have run, but another did */
	uint64_t switches;    /* times that one began to run */
	uint64_t wakes;       /* times that one was woken from HLT */
	uint64_t latency_max; /* longest time from there until it ran */
};
VL_ABI_ASSERT(sizeof(struct vl_sched_info) == 48, "vl_sched_info is ABI");

/* vl_vcpu_status.flags. None of the last two: it waits for its turn, or its domain is paused. */
#define VL_VCPU_ONLINE  0x1u /* it was started, and has not been parked for good */
#define VL_VCPU_RUNNING 0x2u /* it has its CPU */
#define VL_VCPU_HALTED  0x4u /* in HLT, until something wakes it */

/** Answer of VL_CALL_VCPU_STATUS; times in ticks of the TSC, since its domain was made. */
struct vl_vcpu_status {
	uint32_t cpu;    /* number of the CPU that it is on, as long as it exists */
	uint32_t flags;  /* VL_VCPU_* */
	uint64_t run;    /* that the CPU was its own; the first guest's: as in vl_sched_info */
	uint64_t waited; /* that it would have run, but another one did */
};
VL_ABI_ASSERT(sizeof(struct vl_vcpu_status) == 24, "vl_vcpu_status is ABI");

/** Physical page frames [pfn, pfn + count) are the machine's frames from mfn on. */
struct vl_p2m_range {
	uint64_t pfn;
	uint64_t mfn;
	uint64_t count;
};
VL_ABI_ASSERT(sizeof(struct vl_p2m_range) == 24, "vl_p2m_range is ABI");

/** Answer of VL_CALL_P2M_READ; struct vl_p2m_range[count] follows directly. */
struct vl_p2m_read {
	uint64_t next; /* pfn to go on at; ~0: that was all */
	uint32_t count;
	uint32_t reserved;
};
VL_ABI_ASSERT(sizeof(struct vl_p2m_read) == 16, "vl_p2m_read is ABI");

/* VL_CALL_PORTION_ADD, VL_CALL_PORTION_REMOVE. */
#define VL_MAX_PORTIONS 32u
#define VL_PORTION_REST (~(uint64_t)0)

/** Bytes of physical memory. */
struct vl_portion {
	uint64_t start;
	uint64_t size;
};

/** Answer of VL_CALL_PORTIONS. */
struct vl_portions {
	uint32_t count;
	uint32_t whole; /* 1: nothing of the caller's memory is left out */
	struct vl_portion portion[VL_MAX_PORTIONS];
};
VL_ABI_ASSERT(sizeof(struct vl_portions) == 520, "vl_portions is ABI");

/* VL_CALL_SHARE: what it is asked for; and the most pages a second that are looked at. */
#define VL_SHARE_KEEP      0
#define VL_SHARE_ON        1
#define VL_SHARE_OFF       2
#define VL_SHARE_RATE_MOST 1000000

/** Answer of VL_CALL_SHARE. */
struct vl_share_info {
	uint32_t on;
	uint32_t rate;    /* pages to look at a second */
	uint64_t pages;   /* that share a frame now, and are read-only until they are written to */
	uint64_t frames;  /* that they are in */
	uint64_t kept;    /* frames that nobody uses: for these pages, when they are written to */
	uint64_t looked;  /* since boot, as all that follows: pages that were looked at, */
	uint64_t passes;  /* times that all were, */
	uint64_t merged;  /* pages that were merged with others, */
	uint64_t zero;    /* of these, pages of zeros, */
	uint64_t broken;  /* pages that got a frame of their own again */
	uint64_t pieces;  /* Vellum looked at some pages, so many times, */
	uint64_t longest; /* and the longest of these took so many ticks of the TSC */
};
VL_ABI_ASSERT(sizeof(struct vl_share_info) == 88, "vl_share_info is ABI");

/** In and out buffer of VL_CALL_CONSOLE_READ; text follows directly, up to the buffer's end. */
struct vl_console_read {
	uint64_t pos;  /* in: first byte wanted, counted from boot; out: first byte returned */
	uint64_t end;  /* out: position after the newest byte */
	uint32_t size; /* out: bytes of text that follow */
	uint32_t reserved;
};
VL_ABI_ASSERT(sizeof(struct vl_console_read) == 24, "vl_console_read is ABI");

/*
 * Devices of a domain: virtio 1.1 by virtio-mmio (OASIS, section 4.2; register version 2).
 * Window `i` of 4 KiB is at VL_DEVICE_ADDRESS(i), an address that is never RAM; one without a
 * device is virtio's placeholder: magic number and version, and 0 in all other registers, device id
 * too. Its interrupt is line VL_DEVICE_LINE(i) of the guest's 8259s. A Linux is told by its command
 * line, virtio_mmio.device=4K@ADDRESS:LINE, of all windows, since devices come and go while it runs
 * (VL_CALL_DEVICE_ADD, VL_CALL_DEVICE_REMOVE).
 * The first guest has windows only while it has such devices, and chooses their lines: each is a
 * pin of its IOAPIC, to whose entry Vellum looks.
 */
#define VL_MAX_DEVICES       8
#define VL_DEVICE_BASE       0xfef00000u
#define VL_DEVICE_SIZE       0x1000u
#define VL_DEVICE_ADDRESS(i) (VL_DEVICE_BASE + (i)*VL_DEVICE_SIZE)
/* 5, 6, 9, 10, 11, 12, 14, 3: lines that nothing else has; one hex digit each, the first lowest */
#define VL_DEVICE_LINE(i)    (0x3ecba965u >> 4 * (i)&15u)

/* Kinds are virtio's device ids. */
#define VL_DEVICE_NET   1u
#define VL_DEVICE_BLOCK 2u

#define VL_DEVICE_READ_ONLY 1u /* a disk that the guest cannot write to */
#define VL_DEVICE_REAL      4u /* out: a disk of the machine's, VL_CALL_DISK_ADD */
#define VL_DEVICE_ANY_MAC   2u /* a network device that may have any address besides its own */
#define VL_DEVICE_HELD      4u /* the guest does not see it yet (VL_CALL_DEVICE_SHOW) */
#define VL_DEVICE_LEAVING   8u /* out: the guest is to do without it (VL_CALL_DEVICE_REMOVE) */

/* How a device goes, and an answer, VL_CALL_DEVICE_REMOVE. */
#define VL_REMOVE_ASK   0
#define VL_REMOVE_NOW   1
#define VL_REMOVE_WAITS ((int64_t)1 << 32) /* for the guest's driver */

#define VL_SECTOR_SIZE 512u
#define VL_DISK_MOST   ((uint64_t)64 << 20)
#define VL_MAX_PORTS   32u /* network devices of all domains */

/** In buffer of VL_CALL_DEVICE_ADD, and answer of VL_CALL_DEVICE_INFO. */
struct vl_device {
	uint32_t kind;   /* VL_DEVICE_NET or VL_DEVICE_BLOCK */
	uint32_t flags;  /* VL_DEVICE_READ_ONLY of a disk, VL_DEVICE_ANY_MAC of the other, _HELD */
	uint64_t size;   /* of a disk, bytes */
	uint8_t mac[6];  /* of a network device */
	uint8_t line;    /* of a device of the first guest's, VL_CALL_DEVICE_ADD; else 0 */
	uint8_t zero;    /* 0 */
	char bridge[16]; /* those with the same text reach each other; zero-terminated */
	/* out; 0 in the in buffer: */
	uint32_t status;      /* as the guest reads it, VIRTIO_CONFIG_S_* */
	uint32_t faults;      /* times that the guest's queues made no sense */
	uint64_t reads;       /* requests; of a network device, frames to the guest */
	uint64_t writes;      /* requests; frames of the guest */
	uint64_t read_bytes;  /* in all of these */
	uint64_t write_bytes; /* in all of these */
	uint64_t dropped;     /* frames to the guest for which there was no room */
	uint64_t refused;     /* requests that failed; frames of the guest that nobody got */
};
VL_ABI_ASSERT(sizeof(struct vl_device) == 96, "vl_device is ABI");

/* VL_CALL_PCI_TAKE. */
#define VL_PCI_NONE      0x10000u /* no function's number */
#define VL_MAX_PCI_TAKEN 8u

#define VL_PCI_NET  1u /* an 82540EM network card */
#define VL_PCI_DISK 2u /* an IDE controller */

#define VL_PCI_IN_USE 1u /* Vellum uses it: VL_CALL_UPLINK, a disk */

/** A PCI function that is Vellum's. */
struct vl_pci_function {
	uint32_t function; /* bus << 8 | device << 3 | function */
	uint32_t kind;     /* VL_PCI_NET or VL_PCI_DISK */
	uint32_t id;       /* device << 16 | vendor */
	uint32_t flags;    /* VL_PCI_* */
};
VL_ABI_ASSERT(sizeof(struct vl_pci_function) == 16, "vl_pci_function is ABI");

/** Answer of VL_CALL_PCI_TAKE. */
struct vl_pci_taken {
	uint32_t count;
	uint32_t reserved;
	struct vl_pci_function function[VL_MAX_PCI_TAKEN];
};
VL_ABI_ASSERT(sizeof(struct vl_pci_taken) == 136, "vl_pci_taken is ABI");

/* Disks of the machine that are Vellum's: 0 and 1 are those of the IDE controller's first channel.
 */
#define VL_MAX_DISKS      4u
#define VL_MAX_PARTITIONS 32u

#define VL_DISK_DMA  1u /* data goes by bus mastering */
#define VL_DISK_SAFE 2u /* it can be told to make writes safe, or has no cache */
#define VL_DISK_USED 4u /* a domain has some of it */

#define VL_TABLE_NONE    0u
#define VL_TABLE_MBR     1u
#define VL_TABLE_GPT     2u
#define VL_TABLE_BAD_GPT 3u /* a GPT whose checksums or numbers are wrong: no partitions */

struct vl_partition {
	uint32_t number; /* from 1, as Linux counts; logical ones from 5 */
	uint32_t reserved;
	uint64_t start; /* sectors */
	uint64_t sectors;
};

/** Answer of VL_CALL_DISK_INFO. */
struct vl_disk_info {
	uint64_t sectors; /* of VL_SECTOR_SIZE */
	uint32_t flags;   /* VL_DISK_* */
	uint32_t table;   /* VL_TABLE_* */
	char model[48];   /* zero-terminated */
	uint64_t reads; /* requests that went well, of all disks of its channel, as what follows */
	uint64_t writes;
	uint64_t flushes;
	uint64_t errors;       /* that a drive reported */
	uint64_t timeouts;     /* and that it did not even */
	uint64_t dma_failures; /* requests that were done again without bus mastering */
	uint64_t resets;
	uint32_t nr_partitions;
	uint32_t left_out; /* partitions for which there is no room here, or on the disk */
	struct vl_partition partition[VL_MAX_PARTITIONS];
};
VL_ABI_ASSERT(sizeof(struct vl_disk_info) == 128 + 24 * VL_MAX_PARTITIONS, "ABI");

/** In buffer of VL_CALL_DISK_ADD: sectors of a disk, or of a partition. */
struct vl_disk_extent {
	uint32_t disk;
	uint32_t partition; /* 0: all of the disk */
	uint64_t start;     /* in sectors, counted from its beginning */
	uint64_t sectors;   /* 0: all that follow */
	uint32_t flags;     /* VL_DEVICE_READ_ONLY */
	uint32_t line;      /* as in struct vl_device */
};
VL_ABI_ASSERT(sizeof(struct vl_disk_extent) == 32, "vl_disk_extent is ABI");

/* VL_CALL_UPLINK: what it is asked for. */
#define VL_UPLINK_KEEP 0
#define VL_UPLINK_ON   1
#define VL_UPLINK_OFF  2

/** In and out buffer of VL_CALL_UPLINK. */
struct vl_uplink {
	char bridge[16]; /* as in struct vl_device */
	/* out: */
	uint8_t mac[6]; /* the card's */
	uint8_t link;   /* 1: the cable is connected */
	uint8_t reserved;
	uint64_t received; /* frames from outside, */
	uint64_t received_bytes;
	uint64_t sent; /* and to there */
	uint64_t sent_bytes;
	uint64_t dropped;  /* frames to the outside for which there was no room */
	uint64_t missed;   /* and from there: the card had none */
	uint64_t errors;   /* frames that came damaged, or that the card told nonsense of */
	uint64_t timeouts; /* times that the card took no frame for a second, and was reset */
};
VL_ABI_ASSERT(sizeof(struct vl_uplink) == 88, "vl_uplink is ABI");

/**
 * A domain's page of events (VL_CALL_EVENT_SETUP), a bit a port. Vellum sets pending bits and the
 * guest clears them, each with locked instructions. A bit of `mask` holds back the interrupt: who
 * clears one looks at `pending` then.
 */
#define VL_EVENT_PORTS  256
#define VL_EVENT_VELLUM 0 /* the port at which Vellum itself has something to tell */
struct vl_event_page {
	uint64_t pending[VL_EVENT_PORTS / 64];
	uint64_t mask[VL_EVENT_PORTS / 64];
};
VL_ABI_ASSERT(sizeof(struct vl_event_page) == 64, "vl_event_page is ABI");

#endif
