// SPDX-License-Identifier: MIT
/*
 * Operands of emulated instructions: registers of the trap frame and guest
 * memory, by what the decoder found.
 */
#include "cpu/emulate.h"

#include "lib/string.h"

/* Registers in the hardware's order, as the decoder's helpers want them. */
static void regs_from(const struct trap_frame *f, u64 regs[16])
{
	const u64 order[16] = {f->rax, f->rcx, f->rdx, f->rbx, f->rsp, f->rbp, f->rsi, f->rdi,
			       f->r8,  f->r9,  f->r10, f->r11, f->r12, f->r13, f->r14, f->r15};

	memcpy(regs, order, sizeof(order));
}

u64 *operand_register(struct trap_frame *f, u8 reg)
{
	u64 *const order[16] = {&f->rax, &f->rcx, &f->rdx, &f->rbx, &f->rsp, &f->rbp,
				&f->rsi, &f->rdi, &f->r8,  &f->r9,  &f->r10, &f->r11,
				&f->r12, &f->r13, &f->r14, &f->r15};

	return order[reg & 15];
}

u64 operand_segment_base(const struct insn *i)
{
	if (i->segment == SEG_FS)
		return rdmsr(0xc0000100u);
	if (i->segment == SEG_GS)
		return rdmsr(MSR_GS_BASE);
	return 0;
}

u64 operand_address(struct vcpu *v, const struct insn *i)
{
	u64 regs[16];

	regs_from(v->frame, regs);
	return insn_address(i, regs, v->frame->rip + i->length, operand_segment_base(i));
}

/* The r/m operand's value; false when reading it faulted, which has been delivered. */
bool operand_read(struct vcpu *v, const struct insn *i, size_t size, void *to)
{
	struct exception fault;

	memset(to, 0, size);
	if (!i->memory) {
		memcpy(to, operand_register(v->frame, i->rm), size);
		return true;
	}
	if (guest_read(v, operand_address(v, i), to, size, 0, &fault))
		return true;
	deliver(v, fault, EVENT_EXCEPTION);
	return false;
}

/* Write an r/m operand; false when that faulted, which has been delivered. A register takes
 * `register_size` bytes, as the processor extends selectors and CR0 there. */
bool operand_write(struct vcpu *v, const struct insn *i, const void *from, size_t size,
		   size_t register_size)
{
	struct exception fault;

	if (!i->memory) {
		u64 *reg = operand_register(v->frame, i->rm);
		u64 value = 0;

		memcpy(&value, from, register_size);
		*reg = register_size == 2 ? (*reg & ~(u64)0xffff) | value : value;
		return true;
	}
	if (guest_write(v, operand_address(v, i), from, size, 0, &fault))
		return true;
	deliver(v, fault, EVENT_EXCEPTION);
	return false;
}

void emulate_done(struct vcpu *v, const struct insn *i)
{
	v->frame->rip += i->length;
}
