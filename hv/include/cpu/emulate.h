/* SPDX-License-Identifier: MIT */
/*
 * What the files of the emulator share.
 */
#ifndef VELLUM_CPU_EMULATE_H
#define VELLUM_CPU_EMULATE_H

#include "cpu/decode.h"
#include "cpu/vcpu.h"

/** The general register with this hardware number (0 .. 15). */
u64 *operand_register(struct trap_frame *f, u8 reg);

/** Base of the segment that the memory operand is in: FS's and GS's are not 0. */
u64 operand_segment_base(const struct insn *i);

/** Linear address of the memory operand. */
u64 operand_address(struct vcpu *v, const struct insn *i);

/**
 * Read or write the r/m operand of `size` bytes with the guest kernel's rights; a register takes
 * `register_size` bytes of what is written. False: it faulted, and the fault was delivered.
 */
bool operand_read(struct vcpu *v, const struct insn *i, size_t size, void *to);
bool operand_write(struct vcpu *v, const struct insn *i, const void *from, size_t size,
		   size_t register_size);

/** Read up to `n` (at most 4096) bytes of code at `rip`; how many are there: those of the first
 * page or all, 0 if none is. */
size_t emulate_fetch(struct vcpu *v, u64 rip, u8 *bytes, size_t n);

/** The instruction is complete: RIP moves on. */
void emulate_done(struct vcpu *v, const struct insn *i);

/**
 * HLT, MONITOR and MWAIT (cpu/wait.c), which return when the guest has a reason to go on. False:
 * the processor has no such instruction.
 */
void emulate_hlt(struct vcpu *v, const struct insn *i);
bool emulate_monitor(struct vcpu *v, const struct insn *i);
bool emulate_mwait(struct vcpu *v, const struct insn *i);

/** Instructions on control, debug and model-specific registers and tables; false: another one. */
bool emulate_system(struct vcpu *v, const struct insn *i);

#endif
