/* SPDX-License-Identifier: MIT */
/*
 * A virtual CPU: what a guest believes its processor to be, while it really
 * runs at ring 3. General registers, RIP, RSP and the user-visible flags are
 * in the trap frame on the CPU's stack; everything that ring 3 does not have
 * is here.
 */
#ifndef VELLUM_CPU_VCPU_H
#define VELLUM_CPU_VCPU_H

#include "cpu/decode.h"
#include "cpu/percpu.h"
#include "cpu/real_tables.h"
#include "cpu/trap.h"
#include "domain/domain.h"
#include "domain/remote.h"
#include "irq/lapic_hardware.h"
#include "lib/types.h"
#include "lib/x86.h"
#include "shadow/shadow.h"

/** Descriptor and hidden part of LDTR or TR. */
struct system_segment {
	u16 selector;
	u32 limit; /* bytes - 1 */
	u64 base;  /* va */
};

/** Why a guest came to Vellum; one counter each. */
enum exit_kind {
	EXIT_HYPERCALL,
	EXIT_SYSCALL,
	EXIT_INTERRUPT,
	EXIT_HIDDEN_FAULT, /* #PF that the shadow was missing an entry for */
	EXIT_GUEST_FAULT,  /* #PF that is the guest's own */
	EXIT_EMULATED,
	EXIT_REFLECTED, /* another exception handed to the guest */
	NR_EXITS,
};

/** SWAPGS instructions of the guest that were decoded, with what follows; NO_SITE: none yet. All
 * are in the upper half, where no user is. */
struct return_sites {
	u64 sysret;
	u64 iret;
	u64 plain[NR_PLAIN_SITES]; /* no return follows */
	u32 next_plain;
	u64 kernel_iret; /* IRETQ itself */
};

#define NO_SITES                                                                                   \
	{                                                                                          \
		.sysret = NO_SITE, .iret = NO_SITE, .kernel_iret = NO_SITE,                        \
		.plain = {[0 ... NR_PLAIN_SITES - 1] = NO_SITE},                                   \
	}

/* Bits of an entry beside the page's address. */
#define ACCESS_CACHE_VALID    ((u64)1)
#define ACCESS_CACHE_WRITABLE ((u64)2)

/**
 * Guest memory that Vellum reads and writes at each event (IDT, TSS, kernel stack): where its pages
 * are, for ring 0. A TLB like any other: dropped where that is, and nothing but what is dropped
 * there. Which pages a guest needs at a time is its linker's choice, and two that have one place
 * and alternate would be walked to each time, hence two ways.
 */
#define NR_ACCESS_WAYS 2
struct access_set {
	u64 page[NR_ACCESS_WAYS]; /* va | ACCESS_CACHE_VALID, ...; the later one first; 0: none */
	u8 *there[NR_ACCESS_WAYS];
};

#define NR_ACCESS_SETS 8
#define NR_FETCH_SETS  4
struct access_cache {
	struct access_set set[NR_ACCESS_SETS];  /* by bits 14..12 of va */
	u64 changes;                            /* of set[] */
	struct access_set fetch[NR_FETCH_SETS]; /* the same of code, by bits 13..12 */
	u64 device;    /* the page of ring 0's, va | CACHE_VALID ..., that is a trapped device's; 0:
			  none */
	bool local;    /* it has one that is not global */
	bool large[2]; /* it has a piece of a large page, in the lower or the upper half */
	bool some[2];  /* it has anything there: of users, whom kernels flush most, it has not */
};

/**
 * Where a user's page fault takes the guest: its gate and RSP0 in the access cache, and what the
 * gate said. Valid as long as cache.changes is the same; the gate itself is compared each time.
 */
#define NO_CHANGES (~(u64)0)
struct fault_entry {
	u64 changes; /* NO_CHANGES: nothing known */
	const volatile u64 *gate, *rsp0;
	u64 words[2];
	u64 rip;
	u16 cs;
};

/**
 * A paging-structure cache: where guest and shadow have the entries of 2 MiB of a view, and what
 * the guest's upper entries grant. Valid as long as shadow.generation is the same. Found by the
 * key's low bits; with few places, users' regions, which are at random addresses, meet in one and
 * miss.
 */
#define NR_PSC 256
struct psc {
	u64 key; /* va >> 21 and the view */
	u64 generation;
	volatile u64 *guest;
	u64 *shadow;
	u64 all, any;
	u64 absent;  /* the page (va >> 12) that it last said is not there */
	bool common; /* see struct shadow */
};

#define MONITOR_LINE  64u /* bytes: a cache line */
#define MONITOR_WORDS (MONITOR_LINE / sizeof(u64))

struct vcpu {
	struct domain *domain;
	struct info_place *info; /* the domain's for this one */
	/* Serves VMCALL at RIP, a hypercall; false: it is another instruction. Behind one that
	 * devirtualized, the vcpu is not the CPU's any more. Of a higher floor.
	 */
	bool (*call)(struct vcpu *v);
	u8 cpl;         /* virtual; the real one is 3 */
	u8 exit_cpl;    /* and what it was when this exit began */
	bool iflag;     /* virtual RFLAGS.IF */
	bool ac_hidden; /* a #AC hit the guest kernel: RFLAGS.AC is set, the real one clear, until
			   it clears it */
	bool iopl3;     /* debugging aid: the guest kernel runs at IOPL 3, its real IF is its own */
	bool gs_user;   /* the active GS base is a user's, as far as SWAPGS tells (S7) */
	bool nt_guard;  /* so the real RFLAGS.NT is set, and the guest's is in `nt` */
	bool nt;
	bool keys_off; /* real CR4.PKE is clear and the guest's set: until ring 3, see cpu/keys.c */
	bool debug_pending; /* a #DB of the guest that hit Vellum's entry */
	bool step_pending;  /* and TF was set, which Vellum's entry cleared */
	ma_t stack16;       /* frame of vcpu_resume16(), once it was needed */
	bool returning;     /* the resume of this exit carries out the guest's IRET to ring 3 */
	struct trap_frame before_return; /* and that IRET's own rip, cs, rflags, rsp, ss */
	bool fast;                       /* the fast paths may be armed */
	bool handler_unread;             /* but see fast_begin() */
	bool gates_unread;               /* see segments_mirror_gates() */
	bool armed;                      /* and are */
	u8 iopl;                         /* virtual RFLAGS.IOPL; the real one is 0 */
	u16 gate_cs;                     /* see gate_selector_allowed() */
	u16 cs, ss;                      /* the guest's own selectors while cpl is 0 */
	u16 data[2]; /* DS and ES as they were at ring 0: ring 3 cannot hold DPL 0 ones */
	u64 cr0, cr2, cr3, cr4, efer;
	u64 dr7;
	struct table_register gdt, idt;
	struct system_segment ldt, tr;
	u64 star, lstar, cstar, sfmask;
	u64 sysenter_cs, sysenter_esp, sysenter_eip;
	u64 pending[4]; /* external interrupts, a bit a vector, that IF holds back, while the
			   local APIC is not trapped: */
	struct lapic_hardware lapic; /* which keeps them otherwise */
	bool nmi_pending, nmi_blocked;
	struct {
		const volatile u64 *line; /* where MONITOR's line lies; NULL: none */
		u64 was[MONITOR_WORDS];   /* and what was there */
	} monitor;
	struct shadow shadow;
	struct remote remote; /* what other CPUs ask of it */
	u32 cpu;       /* its number in the domain; of the first guest's, the CPU that it runs on */
	u32 apic_id;   /* of the CPU that it runs on */
	u64 own_ticks; /* of Vellum's timer (own_timer=) */
	u64 timer;     /* of a later domain: what sched_timer() was told last */
	u64 exits[NR_EXITS];
	u64 flushed[NR_REMOTE_WHATS]; /* how often on request, by what was dropped */
	struct trap_frame *frame;     /* of the exit that is being handled */
	struct paging_mode mode[2];   /* with SMAP off; as CR4 says. See vcpu_update_mode() */
	struct guest_tables tables;   /* for walk(), and for shadow_fill(): */
	struct shadow_p2m p2m;
	struct return_sites sites;
	struct access_cache cache;
	struct fault_entry fault_entry;
	struct psc psc[NR_PSC];
	u64 unplain; /* bits of a guest leaf that the short way leaves alone: reserved, keys */
	struct {
		u64 va, rip;
		u32 access;
	} prefill;  /* the user's page fault that its kernel is handling */
	bool stale; /* vcpu_pages_changed() */
};

/** Vectors of exits that no gate has. */
#define EXIT_VECTOR_SYSCALL   256
#define EXIT_VECTOR_SYSCALL32 257
#define EXIT_VECTOR_SYSENTER  258

/** The vcpu that runs on this CPU; NULL in passthrough. */
struct vcpu *current_vcpu(void);

/**
 * If this entry was an external interrupt, which the vector alone does not always tell, note it: it
 * is delivered when the guest's IF allows. False: an exception.
 */
bool vcpu_note_interrupt(struct vcpu *v, u8 vector);

/** Whether one waits for that. */
bool vcpu_interrupt_waits(struct vcpu *v);

/**
 * Vellum's IRETQ to the guest faulted. If it carried out the guest's IRET to ring 3, only the
 * processor knows all its checks: the guest is put back to its IRET with that fault. If not, the
 * guest's RIP cannot be loaded, and the fault is there. Either is in `frame`, to be resumed; false:
 * neither (Vellum's own error).
 */
bool vcpu_return_failed(struct vcpu *v, struct trap_frame *frame);

/** Turn a frame that holds the guest's view into one that runs it at ring 3; load its root. */
void vcpu_to_real_view(struct vcpu *v, struct trap_frame *f);
void vcpu_load_root(struct vcpu *v);

/** Add the vcpu's counts to a domain's, cpu/counters.c. */
void vcpu_count(const struct vcpu *v, struct vl_domain_counters *to);

/** Debug builds: one line in the log of what else it counted; the tests read it. */
void vcpu_debug_report(const struct vcpu *v);
static inline void vcpu_report(const struct vcpu *v)
{
	if (is_debug_build())
		vcpu_debug_report(v);
}

/** Forget all translations, global ones too. */
void vcpu_flush(struct vcpu *v);

/** The same in a bounded time: shadow_renew(). */
void vcpu_renew(struct vcpu *v);

/** Pages of the domain have other frames: what its vcpus know of them is not used any more by
 * Vellum, and dropped before a vcpu runs. No vcpu of it runs on another CPU. */
void vcpu_pages_changed(const struct domain *d);
void vcpu_drop_stale(struct vcpu *v);

/** Load the root that goes with view and address space, even if it is the same: the TLB is empty
 * then. */
void vcpu_reload_root(struct vcpu *v);

/** The guest loads CR3: the value, bit 63 (keep this PCID's translations) included. False: #GP. */
bool vcpu_load_cr3(struct vcpu *v, u64 value);

/** The view that the guest runs in now. */
enum shadow_view vcpu_view(const struct vcpu *v);

/** Called by exceptions.S for everything that comes from ring 3. */
void vcpu_exit(struct trap_frame *frame);

/**
 * The guest broke a rule that no processor has a fault for (or shut down by a triple fault):
 * stop it for good, with the reason in the log.
 */
void vcpu_crash(struct vcpu *v, const char *reason) __attribute__((noreturn));

/** The guest's PKRU, if it has CR4.PKE set and the real one may be clear: cpu/keys.c. */
u32 keys_pkru(const struct vcpu *v);

/** Begin with a domain, as its vcpu `index`: tables and p2m. All else is captured. */
void vcpu_init(struct vcpu *v, struct domain *d, u32 index);

/** The paging mode of an access at the vcpu's present state; `implicit` as for descriptor reads. */
const struct paging_mode *vcpu_paging_mode(struct vcpu *v, bool implicit);

/** CR0, CR4 or EFER changed: what does not change with each access is kept in v->mode. */
void vcpu_update_mode(struct vcpu *v);

/** The guest's CR3, wherever it comes from; nothing is flushed. */
static inline void vcpu_set_cr3(struct vcpu *v, u64 value)
{
	v->cr3 = value;
	v->mode[false].root.v = v->mode[true].root.v = value & PTE_ADDR;
}

/** The same with SMAP in force or not, whatever the flags say. */
static inline const struct paging_mode *vcpu_paging_mode_smap(struct vcpu *v, bool smap)
{
	struct paging_mode *mode = &v->mode[smap];

	if (mode->keys)
		mode->pkru = v->keys_off ? keys_pkru(v) : read_pkru();
	return mode;
}

/* --- cpu/mmu.c: what the guest does to its translations --- */

/** VL_CALL_MMU_LOAD, VL_CALL_MMU_FLUSH (cpu/remote.h has the remote one) and VL_CALL_DESCRIPTORS of
 * a virtualized guest. */
s64 vcpu_mmu_load(struct vcpu *v, u64 pgd, u64 asid, u64 flags);
s64 vcpu_mmu_flush(struct vcpu *v, u64 what, u64 va);
s64 vcpu_descriptors(struct vcpu *v);

/** INVLPG, and INVPCID of a type and descriptor; false: #GP. */
void vcpu_invalidate(struct vcpu *v, u64 va);
bool vcpu_invpcid(struct vcpu *v, u64 type, u64 pcid, u64 va);

/* --- cpu/access.c: guest memory by virtual address, with the guest's own rights --- */

/** walk() for this vcpu, its aliases applied; Vellum's slots are not present to a guest. */
u32 vcpu_translate(struct vcpu *v, const struct paging_mode *mode, u64 va, u32 access,
		   struct translation *t);

/** Is the entry that of va's page, with these bits beside the address? */
static inline ALWAYS_INLINE bool access_matches(u64 page, u64 va, u64 bits)
{
	return (page & (PAGE_MASK | bits)) == ((va & PAGE_MASK) | bits);
}

/** Where `va` is in one of a set's pages that has these bits, or NULL. */
static inline ALWAYS_INLINE u8 *access_in_set(const struct access_set *set, u64 va, u64 bits)
{
	for (u32 i = 0; i < NR_ACCESS_WAYS; i++)
		if (access_matches(set->page[i], va, bits))
			return set->there[i] + va % PAGE_SIZE;
	return NULL;
}

/** The `size` bytes at va if they are in one page and the cache knows it, for ring 0 and access 0
 * or PF_WRITE; else NULL. */
static inline ALWAYS_INLINE u8 *access_cached(const struct vcpu *v, u64 va, size_t size, u32 access)
{
	u64 bits = ACCESS_CACHE_VALID | (access & PF_WRITE ? ACCESS_CACHE_WRITABLE : 0);

	if (size > PAGE_SIZE || va % PAGE_SIZE > PAGE_SIZE - size)
		return NULL;
	return access_in_set(&v->cache.set[(va >> PAGE_SHIFT) % NR_ACCESS_SETS], va, bits);
}

/** The same of code that ring 0 executes. */
static inline ALWAYS_INLINE const u8 *access_cached_code(const struct vcpu *v, u64 va, size_t size)
{
	if (size > PAGE_SIZE || va % PAGE_SIZE > PAGE_SIZE - size)
		return NULL;
	return access_in_set(&v->cache.fetch[(va >> PAGE_SHIFT) % NR_FETCH_SETS], va,
			     ACCESS_CACHE_VALID);
}

/** Remember that `va`, translated for ring 0 and this access, is a device's that traps. */
void access_note_device(struct vcpu *v, u64 va, u32 access, const struct translation *t);

/** Whether an access of ring 0 (PF_WRITE or 0) was found to go there before. */
static inline ALWAYS_INLINE bool access_is_device(const struct vcpu *v, u64 va, u32 access)
{
	u64 bits = ACCESS_CACHE_VALID | (access & PF_WRITE ? ACCESS_CACHE_WRITABLE : 0);

	return access_matches(v->cache.device, va, bits);
}

/** Forget what the access cache has of a page, or all of it, or what is not global. */
void access_forget(struct vcpu *v, u64 va);
void access_forget_all(struct vcpu *v);
static inline void access_forget_local(struct vcpu *v)
{
	if (v->cache.local)
		access_forget_all(v);
}

/** An exception to be delivered. */
struct exception {
	u8 vector;
	bool has_error;
	u32 error;
	u64 cr2; /* #PF only */
};

/**
 * Copy between Vellum and the guest's memory at `va` with access rights `access` (PF_* bits, as for
 * walk()). On a page fault, or a non-canonical address, returns false and *fault says which
 * exception the access deserves. What is mapped but no memory reads as ones and ignores writes.
 */
bool guest_read(struct vcpu *v, u64 va, void *to, size_t size, u32 access, struct exception *fault);

/**
 * Where the byte at `va`, as the guest kernel reads it, lies in Vellum's own memory; NULL: no
 * memory is there. False and the exception: it faults. Until vcpu_flush(), which whoever rearranges
 * memory causes.
 */
bool guest_locate(struct vcpu *v, u64 va, const u8 **there, struct exception *fault);
bool guest_write(struct vcpu *v, u64 va, const void *from, size_t size, u32 access,
		 struct exception *fault);

/* --- cpu/deliver.c: exceptions and interrupts, as the processor delivers them --- */

enum event_source {
	EVENT_EXCEPTION,
	EVENT_EXTERNAL,
	EVENT_SOFTWARE, /* INT n, INT3, INTO: the gate's DPL is checked */
};

/** Deliver through the guest's IDT; faults on the way become #DF and then a crash. */
void deliver(struct vcpu *v, struct exception e, enum event_source source);

/** INT n, of `length` bytes at RIP: a fault in it leaves RIP there. */
void deliver_software(struct vcpu *v, u8 vector, u8 length);

/** Whether the guest's IDT lets ring 3 use this vector by INT n. */
bool gate_is_for_users(struct vcpu *v, u8 vector);

/** Deliver the external interrupt that comes first if the guest would take it now. */
void deliver_pending(struct vcpu *v);

static inline void deliver_fault(struct vcpu *v, u8 vector, u32 error)
{
	deliver(v, (struct exception){.vector = vector, .has_error = true, .error = error},
		EVENT_EXCEPTION);
}

/* --- cpu/segments.c: the real descriptors while virtualized --- */

/** Mirror the guest's ring-3 descriptors; false when its GDT is larger than Vellum's has room for.
 */
bool segments_mirror(struct vcpu *v);

/**
 * The same when the guest is taken over, with LDTR and TR, whose selectors are in the vcpu. False
 * also if the GDT does not have what they name.
 */
bool segments_capture(struct vcpu *v);

/**
 * Mirror the GDT again if the guest wrote to it: Linux changes a process's TLS descriptors by plain
 * stores. Call before each return to ring 3, and when a load of a segment faulted. True if it had.
 */
bool segments_refresh(struct vcpu *v);

/** The same for its LDT, as it is when LLDT loads it (Linux never changes one in use). */
void segments_mirror_ldt(struct vcpu *v);

/** Whether the ring-3 code descriptors are those that the fast paths hide and show, and no other.
 */
bool segments_are_plain(void);

/** Load the real GDT, IDT, TSS and syscall MSRs for running the guest at ring 3, or put back the
 * guest's. */
void segments_load_real(struct vcpu *v);
void segments_load_guest(struct vcpu *v);

/** Whether the guest's own GDT still has the segments that it goes on with at ring 0. */
bool segments_can_leave(struct vcpu *v);

/** Make `count` I/O ports, of the eight that share a byte of the map, trap while virtualized, or be
 * the machine's (as all are by default). */
static inline void segments_trap_ports(u16 first, u8 count, bool trapped)
{
	u8 bits = (u8)(((1u << count) - 1) << (first % 8));
	u8 *byte = &this_tables()->tss.iomap[first / 8];

	*byte = trapped ? *byte | bits : *byte & (u8)~bits;
}

/**
 * Load a user's selector of a code segment, which is hidden while the virtual CPL is 0, into DS,
 * ES, FS or GS (`reg` as the hardware numbers them). False if it is no such selector.
 */
bool segments_load_hidden(struct vcpu *v, u8 reg, u16 selector);

/** Size and base of the mirrored ring-3 code segment behind `cs`, for decoding a user's code. */
enum decode_mode segments_code_mode(u16 cs, u64 *base);

/** Whether `ss` is a mirrored ring-3 data segment with 16-bit stack pointer. */
bool segments_is_stack16(u16 ss);

/** Whether INT `vector` of ring 3 reaches its gate; vectors that are no exceptions. */
bool segments_gate_is_open(u8 vector);

/** The guest's SYSENTER_CS changed. */
void segments_update_sysenter(const struct vcpu *v);

/**
 * Virtual CPL changed: hide or show the selectors that go with it. From 3 to 0 the active GS base
 * is the user's, whatever it was before.
 */
void segments_set_cpl(struct vcpu *v, u8 cpl);

/**
 * Gates 3, 4 and 0x80 get the DPL that the guest's IDT gives them. When the guest is taken over
 * they are closed and v->gates_unread is set: this is left for the first exit, to keep it out of
 * the transition. Until then the guest kernel's INT is emulated, and there is no user.
 */
void segments_mirror_gates(struct vcpu *v);

/* --- cpu/emulate.c: privileged instructions --- */

/** A user's INT n whose real gate is closed and the guest's open; false: it is the user's fault. */
bool emulate_user_int(struct vcpu *v);

/** Emulate the instruction that raised #GP, #UD, #NP or #SS; false: it is the guest's own fault. */
bool emulate(struct vcpu *v);

/* --- cpu/system_call.c: SYSCALL, SYSRET, IRET between virtual rings --- */

void emulate_syscall(struct vcpu *v, u64 target);
void emulate_sysenter(struct vcpu *v);
void emulate_sysret(struct vcpu *v, bool to_64bit);
void emulate_iret(struct vcpu *v, u8 size);

/**
 * Whether a gate may name this code segment, by the guest's own tables: 64-bit code of ring 0 (a
 * processor would also run a handler at ring 3). Else *fault, whose error code has `external`. The
 * last good one is remembered until segments_mirror().
 */
bool gate_selector_allowed(struct vcpu *v, u16 selector, u32 external, struct exception *fault);

/** Whether IRET's checks (SDM) pass for these selectors and RIP; else *fault. */
bool iret_allowed(struct vcpu *v, u16 cs, u16 ss, u64 rip, struct exception *fault);

/* --- cpu/watch.c: data breakpoints --- */

/** Vellum read `size` bytes at va in the guest's stead: a breakpoint of the guest's that is there
 * is delivered behind the instruction. */
void watch_read(struct vcpu *v, u64 va, size_t size);

/* --- cpu/keys.c: protection keys; `keys_off` must be false when the guest reaches ring 3 --- */

/** The hardware applied a key to a page of the guest kernel: no keys until keys_turn_on(). */
void keys_turn_off(struct vcpu *v);

/** Before the return to ring 3, if `keys_off`. */
void keys_turn_on(struct vcpu *v);

/** RDPKRU and WRPKRU of the guest kernel, which are #UD while `keys_off`; false: something else. */
bool keys_emulate(struct vcpu *v);

/* --- cpu/resume16.c --- */

/**
 * IRETQ to a 16-bit stack segment loads SP only: the upper bits of RSP stay Vellum's and would
 * show. If the frame returns to such a segment, arranges for the last IRETQ to run on a stack whose
 * upper bits are the guest's. Call last before the resume; resets frame->vector.
 */
void vcpu_resume16(struct vcpu *v, struct trap_frame *f);

/* --- cpu/msr.c --- */

/** RDMSR and WRMSR of the guest; false: #GP(0). */
bool msr_read(struct vcpu *v, u32 msr, u64 *value);
bool msr_write(struct vcpu *v, u32 msr, u64 value);

#endif
