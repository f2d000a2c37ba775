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
#include "cpu/trap.h"
#include "domain/domain.h"
#include "irq/lapic_hardware.h"
#include "irq/pic_hardware.h"
#include "lib/types.h"
#include "lib/x86.h"
#include "p2m/p2m.h"
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

struct vcpu {
	struct domain *domain;
	u8 cpl;         /* virtual; the real one is 3 */
	bool iflag;     /* virtual RFLAGS.IF */
	bool ac_hidden; /* a #AC hit the guest kernel: RFLAGS.AC is set, the real one clear, until
			   it clears it */
	bool iopl3;     /* debugging aid: the guest kernel runs at IOPL 3, its real IF is its own */
	bool debug_pending; /* a #DB of the guest that hit Vellum's entry */
	bool step_pending;  /* and TF was set, which Vellum's entry cleared */
	ma_t stack16;       /* frame of vcpu_resume16(), once it was needed */
	bool returning;     /* the resume of this exit carries out the guest's IRET to ring 3 */
	struct trap_frame before_return; /* and that IRET's own rip, cs, rflags, rsp, ss */
	bool leaving;                    /* this exit ended in devirtualization */
	u8 iopl;                         /* virtual RFLAGS.IOPL; the real one is 0 */
	u16 cs, ss;                      /* the guest's own selectors while cpl is 0 */
	u16 data[2]; /* DS and ES as they were at ring 0: ring 3 cannot hold DPL 0 ones */
	u64 cr0, cr2, cr3, cr4, efer;
	u64 dr7;
	struct table_register gdt, idt;
	struct system_segment ldt, tr;
	u64 star, lstar, cstar, sfmask;
	u64 sysenter_cs, sysenter_esp, sysenter_eip;
	u64 kernel_gs_base; /* the inactive one; the active one is in the register */
	u64 pending[4];     /* external interrupts, a bit a vector, that IF holds back, while the
			       local APIC is not trapped: */
	struct lapic_hardware lapic; /* which keeps them otherwise */
	bool nmi_pending, nmi_blocked;
	struct pic_hardware
		pic; /* its INT is wired to this CPU, through LINT0 if there is an APIC */
	struct shadow shadow;
	struct p2m p2m;
	u64 exits[NR_EXITS];
	struct trap_frame *frame; /* of the exit that is being handled */
};

/* Selectors of the real GDT while virtualized: behind the guest's own, which are mirrored. */
#define REAL_GDT_ENTRIES 256
#define REAL_CODE        ((REAL_GDT_ENTRIES - 8) * 8)
#define REAL_DATA        (REAL_CODE + 8)
#define REAL_TSS         (REAL_CODE + 16) /* two entries */
#define REAL_GUEST_CS    (REAL_CODE + 32 + 3)
#define REAL_GUEST_SS    (REAL_CODE + 40 + 3)
#define REAL_LDT         (REAL_CODE + 48) /* two entries */

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
bool vcpu_interrupt_waits(const struct vcpu *v);

/**
 * The real IRETQ that carries out the guest's IRET to ring 3 faulted: only the processor knows all
 * its checks. Puts the guest back to its IRET with that fault, in `frame`, which is then resumed;
 * false if no IRET of the guest was under way.
 */
bool vcpu_return_failed(struct vcpu *v, struct trap_frame *frame);

/** Turn a frame that holds the guest's view into one that runs it at ring 3; load its root. */
void vcpu_to_real_view(struct vcpu *v, struct trap_frame *f);
void vcpu_load_root(struct vcpu *v);

/** Forget all translations, as a CR3 load or a PGE toggle does. */
void vcpu_flush(struct vcpu *v);

/** Called by exceptions.S for everything that comes from ring 3. */
void vcpu_exit(struct trap_frame *frame);

/**
 * The guest broke a rule that no processor has a fault for (or shut down by a triple fault):
 * stop it for good, with the reason in the log.
 */
void vcpu_crash(struct vcpu *v, const char *reason) __attribute__((noreturn));

/** The paging mode of an access at the vcpu's present state; `implicit` as for descriptor reads. */
struct paging_mode vcpu_paging_mode(const struct vcpu *v, bool implicit);

/** The guest's tables and the domain's p2m, for walk() and shadow_fill(). */
struct guest_tables vcpu_tables(struct vcpu *v);
struct shadow_p2m vcpu_p2m(struct vcpu *v);

/* --- cpu/access.c: guest memory by virtual address, with the guest's own rights --- */

/** walk() for this vcpu, its aliases applied; Vellum's slots are not present to a guest. */
u32 vcpu_translate(struct vcpu *v, const struct paging_mode *mode, u64 va, u32 access,
		   struct translation *t);

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
 * exception the access deserves.
 */
bool guest_read(struct vcpu *v, u64 va, void *to, size_t size, u32 access, struct exception *fault);
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
 * Mirror the GDT again if the guest wrote to it: Linux changes a process's TLS descriptors by plain
 * stores. Call before each return to ring 3.
 */
void segments_refresh(struct vcpu *v);

/** The same for its LDT, as it is when LLDT loads it (Linux never changes one in use). */
void segments_mirror_ldt(struct vcpu *v);

/** Memory for the mirrored LDT, from the partition: -VL_ENOMEM or 0; and back. */
int segments_init(struct failure *f);
void segments_destroy(void);

/** Load the real GDT, IDT, TSS and syscall MSRs for running the guest at ring 3, or put back the
 * guest's. */
void segments_load_real(struct vcpu *v);
void segments_load_guest(struct vcpu *v);

/** Make an I/O port trap while virtualized, or be the machine's (as all are by default). */
void segments_trap_port(u16 port, bool trapped);

/**
 * Load a user's selector of a code segment, which is hidden while the virtual CPL is 0, into DS,
 * ES, FS or GS (`reg` as the hardware numbers them). False if it is no such selector.
 */
bool segments_load_hidden(struct vcpu *v, u8 reg, u16 selector);

/** Size and base of the mirrored ring-3 code segment behind `cs`, for decoding a user's code. */
enum decode_mode segments_code_mode(u16 cs, u64 *base);

/** Whether `ss` is a mirrored ring-3 data segment with 16-bit stack pointer. */
bool segments_is_stack16(u16 ss);

/** The guest's SYSENTER_CS changed. */
void segments_update_sysenter(const struct vcpu *v);

/** Virtual CPL changed: hide or show the selectors that go with it. */
void segments_set_cpl(struct vcpu *v, u8 cpl);

/** Gates 3, 4 and 0x80 get the DPL that the guest's IDT gives them. */
void segments_mirror_gates(struct vcpu *v);

/* --- cpu/emulate.c: privileged instructions --- */

/** Emulate the instruction that raised #GP, #UD, #NP or #SS; false: it is the guest's own fault. */
bool emulate(struct vcpu *v);

/* --- cpu/system_call.c: SYSCALL, SYSRET, IRET between virtual rings --- */

void emulate_syscall(struct vcpu *v, u64 target);
void emulate_sysenter(struct vcpu *v);
void emulate_sysret(struct vcpu *v, bool to_64bit);
void emulate_iret(struct vcpu *v, u8 size);

/** Whether IRET's checks (SDM) pass for these selectors and RIP; else *fault. */
bool iret_allowed(struct vcpu *v, u16 cs, u16 ss, u64 rip, struct exception *fault);

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
