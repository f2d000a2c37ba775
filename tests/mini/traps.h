/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and interrupts: the frame that the entry code builds, and how a
 * test asks for an exception instead of dying of it.
 */
#ifndef MINI_TRAPS_H
#define MINI_TRAPS_H

#define TRAP_DE  0
#define TRAP_DB  1
#define TRAP_NMI 2
#define TRAP_BP  3
#define TRAP_UD  6
#define TRAP_NM  7
#define TRAP_DF  8
#define TRAP_TS  10
#define TRAP_NP  11
#define TRAP_SS  12
#define TRAP_GP  13
#define TRAP_PF  14
#define TRAP_MC  18

#define NR_EXCEPTIONS  32
#define VECTOR_IRQ     0x20 /* .. 0x2f: the two 8259s */
#define VECTOR_TIMER   0x40 /* the local APIC's timer */
#define VECTOR_GATE    0x80 /* a gate that ring 3 may call by int */
#define NR_VECTORS     256
#define VECTOR_SYSCALL 256 /* no vector: how a SYSCALL shows up in a frame */

#define TRAP_FRAME_CS 144 /* offset of cs in the frame, for assembly */

#ifndef __ASSEMBLER__

#include "lib/types.h"

/** Registers as traps.S saves them; from `error` on it is the hardware's frame. */
struct trap_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8;
	u64 rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector;
	u64 error; /* 0 where the CPU pushes none */
	u64 rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct trap_frame) == 22 * 8, "traps.S pushes it");
_Static_assert(offsetof(struct trap_frame, cs) == TRAP_FRAME_CS, "traps.S tests it");

/** A gate of the IDT. */
struct trap_gate {
	u16 offset_low;
	u16 selector;
	u8 ist;
	u8 type;
	u16 offset_middle;
	u32 offset_high;
	u32 reserved;
};
_Static_assert(sizeof(struct trap_gate) == 16, "the CPU's layout");

/** An exception that trap_catch() caught. */
struct trap_info {
	u64 vector;
	u64 error;
	u64 cr2; /* of page faults, else 0 */
	u64 rip;
};

/** The gate of a vector in our IDT, for tests that change it; they put it back. */
struct trap_gate *trap_gate(u8 vector);

/** Build the IDT and load it; load it on another CPU. */
void traps_init(void);
void traps_load(void);

/**
 * Call fn(arg). If it raises an exception at CPL 0, abandon it there, fill *info and return
 * true; return false if it came to its end. Calls nest. The stack, the callee-saved registers and
 * RFLAGS are as before the call in both cases; whatever else fn changed stays changed.
 */
bool trap_catch(void (*fn)(void *), void *arg, struct trap_info *info);

/** Leave the innermost trap_catch() as if vector `vector` (>= NR_VECTORS) had been raised. */
void trap_throw(u64 vector) __attribute__((noreturn));

/** Handler of a vector above the exceptions; runs with interrupts off. NULL takes it away.
 * Interrupts on a vector without handler end the run. */
typedef void (*trap_handler)(const struct trap_frame *frame);
void trap_set_handler(u8 vector, trap_handler handler);

/** "#PF", or the number of a vector without a name, in a static buffer. */
const char *trap_name(u64 vector);

/** From traps.S and user.S: put the frame at `frame` back into the registers and go on there;
 * interrupts are off. */
void trap_return(const struct trap_frame *frame) __attribute__((noreturn));

/** C's end of the entry code. */
void trap_dispatch(struct trap_frame *frame);

#endif
#endif
