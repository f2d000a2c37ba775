// SPDX-License-Identifier: MIT
/*
 * Loads and stores of device registers that trap. The processor has told the
 * address; what is left is which register of the guest, and how wide. A device
 * is read or written once per instruction, after all that can fault.
 *
 * Of the guest that owns the machine, what is no register of the local APIC and no window of its
 * own virtio devices is a device that it has not: ones, and what is written is lost.
 *
 * The registers are 32 bits wide and the SDM defines 32-bit accesses only, so
 * of others just the moves are done, a register at a time.
 */
#include "cpu/mmio.h"

#include "cpu/apic.h"
#include "cpu/domain_io.h"
#include "cpu/domain_platform.h"
#include "cpu/emulate.h"
#include "cpu/ipi.h"
#include "cpu/pci_owner.h"

#define REGISTER_SIZE     4
#define REGISTER_DISTANCE 16
#define ARITHMETIC        ((u64)0x8d5) /* CF, PF, AF, ZF, SF, OF */

/* Whether the block has a page that traps. */
static bool traps_in(const struct vcpu *v, u64 start, u64 size)
{
	return (APIC_PAGE - start < size && apic_traps_page(v)) ||
	       domain_io_overlaps(v, start, size) || pci_owner_hides(v, start, size);
}

bool mmio_is_trapped(const struct vcpu *v, pa_t pa)
{
	return traps_in(v, round_down(pa.v, PAGE_SIZE), PAGE_SIZE);
}

u32 mmio_limit(const struct vcpu *v, pa_t pa, u32 shift)
{
	while (shift > PAGE_SHIFT &&
	       traps_in(v, round_down(pa.v, (u64)1 << shift), (u64)1 << shift))
		shift -= 9;
	return shift;
}

/* The bytes of a register that an access of `size` bytes takes. */
static u64 load_apic(struct vcpu *v, u32 offset, u8 size)
{
	u64 value = apic_mmio_read(v, offset) >> 8 * (offset % REGISTER_SIZE);

	return size < REGISTER_SIZE ? value & (((u64)1 << 8 * size) - 1) : value;
}

bool mmio_is_apic(pa_t pa)
{
	return round_down(pa.v, PAGE_SIZE) == APIC_PAGE;
}

/* Of 64 bits: the other device's registers are 32 bits wide, so it gets two accesses, as a bus of
 * that width makes them. Nothing is behind the page. */
static bool has_upper_half(pa_t pa, u8 size)
{
	return size > REGISTER_SIZE && pa.v % PAGE_SIZE + size <= PAGE_SIZE;
}

static u64 load(struct vcpu *v, pa_t pa, u8 size)
{
	u64 value;

	if (mmio_is_apic(pa))
		return load_apic(v, (u32)(pa.v % PAGE_SIZE), size);
	if (!domain_io_overlaps(v, pa.v, 1))
		return ~(u64)0;
	value = domain_io_read(v, pa.v, (u8)min_u64(size, REGISTER_SIZE));
	if (has_upper_half(pa, size))
		value |= (u64)domain_io_read(v, pa.v + REGISTER_SIZE, REGISTER_SIZE) << 32;
	return size < REGISTER_SIZE ? value & (((u64)1 << 8 * size) - 1) : value;
}

static void store(struct vcpu *v, pa_t pa, u8 size, u64 value)
{
	if (mmio_is_apic(pa)) {
		apic_mmio_write(v, (u32)(pa.v % PAGE_SIZE), (u32)value);
		return;
	}
	if (!domain_io_overlaps(v, pa.v, 1))
		return;
	domain_io_write(v, pa.v, (u8)min_u64(size, REGISTER_SIZE), (u32)value);
	if (has_upper_half(pa, size))
		domain_io_write(v, pa.v + REGISTER_SIZE, REGISTER_SIZE, (u32)(value >> 32));
}

#define ALU(name)                                                                                  \
	__asm__(name " %2, %0\n\tpushfq\n\tpopq %1" : "+r"(a), "=r"(flags) : "r"(b) : "cc")

/* What the processor computes, by itself; false: another operation. */
static bool compute(struct vcpu *v, u8 op, u32 a, u32 b, u32 *result)
{
	u64 flags;

	switch (op) {
	case INSN_AND:
	case INSN_TEST:
		ALU("andl");
		break;
	case INSN_OR:
		ALU("orl");
		break;
	case INSN_XOR:
		ALU("xorl");
		break;
	case INSN_ADD:
		ALU("addl");
		break;
	case INSN_SUB:
	case INSN_CMP:
		ALU("subl");
		break;
	default:
		return false;
	}
	*result = a;
	v->frame->rflags = (v->frame->rflags & ~ARITHMETIC) | (flags & ARITHMETIC);
	return true;
}

static u64 get_register(const struct vcpu *v, const struct insn *i, u8 size)
{
	u8 reg = i->reg >= REG_AH ? (u8)(i->reg - REG_AH) : i->reg;
	u64 value = *operand_register(v->frame, reg) >> (i->reg >= REG_AH ? 8 : 0);

	return size == 8 ? value : value & (((u64)1 << 8 * size) - 1);
}

static void put_register(struct vcpu *v, const struct insn *i, u8 size, u64 value)
{
	u8 shift = i->reg >= REG_AH ? 8 : 0;
	u64 *reg = operand_register(v->frame, i->reg >= REG_AH ? (u8)(i->reg - REG_AH) : i->reg);
	u64 mask = size == 1 ? (u64)0xff << shift : 0xffff;

	if (size >= 4)
		*reg = size == 8 ? value : (u32)value;
	else
		*reg = (*reg & ~mask) | (value << shift & mask);
}

static bool is_arithmetic_to_memory(const struct insn *i)
{
	return i->op != INSN_TEST && i->op != INSN_CMP && i->form != INSN_FORM_REG_RM;
}

static bool arithmetic(struct vcpu *v, const struct insn *i, pa_t pa)
{
	u64 other = i->form == INSN_FORM_RM_IMM ? i->imm : get_register(v, i, REGISTER_SIZE);
	u32 here, result;
	bool ok;

	if (i->size != REGISTER_SIZE || i->form == INSN_FORM_RM)
		return false;
	here = (u32)load(v, pa, REGISTER_SIZE);
	if (i->form == INSN_FORM_REG_RM)
		ok = compute(v, i->op, (u32)other, here, &result);
	else
		ok = compute(v, i->op, here, (u32)other, &result);
	if (ok && is_arithmetic_to_memory(i))
		store(v, pa, REGISTER_SIZE, result);
	else if (ok && i->form == INSN_FORM_REG_RM && i->op != INSN_CMP)
		put_register(v, i, REGISTER_SIZE, result);
	return ok;
}

static void exchange(struct vcpu *v, const struct insn *i, pa_t pa)
{
	u64 new = get_register(v, i, i->size);

	put_register(v, i, i->size, load(v, pa, i->size));
	store(v, pa, i->size, new);
}

static bool perform(struct vcpu *v, const struct insn *i, pa_t pa)
{
	u8 width = i->rm_size != 0 ? i->rm_size : i->size;

	switch (i->op) {
	case INSN_MOV:
		if (i->form == INSN_FORM_REG_RM)
			put_register(v, i, i->size, load(v, pa, i->size));
		else
			store(v, pa, i->size,
			      i->form == INSN_FORM_RM_IMM ? i->imm : get_register(v, i, i->size));
		return true;
	case INSN_MOVZX:
		put_register(v, i, i->size, load(v, pa, width));
		return true;
	case INSN_MOVSX:
		put_register(v, i, i->size, (u64)insn_sign_extend(load(v, pa, width), width));
		return true;
	case INSN_XCHG:
		exchange(v, i, pa);
		return true;
	default:
		return arithmetic(v, i, pa);
	}
}

static bool decode_at_rip(struct vcpu *v, struct insn *i)
{
	u8 bytes[INSN_MAX_LENGTH];
	enum decode_mode mode = DECODE_64;
	u64 base = 0;

	if (v->cpl == 3)
		mode = segments_code_mode((u16)v->frame->cs, &base);
	return decode(bytes, emulate_fetch(v, base + v->frame->rip, bytes, sizeof(bytes)), mode,
		      i) == 0;
}

void mmio_access(struct vcpu *v, pa_t pa)
{
	struct insn i;

	if (decode_at_rip(v, &i) && i.memory && perform(v, &i, pa))
		emulate_done(v, &i);
	else if (v->cpl == 3)
		deliver_fault(v, VECTOR_GP, 0);
	else
		vcpu_crash(v, "an access to a device that Vellum does not emulate");
}

/* An operand that begins on the page before would fault at offset 0 or 2, where no register is. */
bool mmio_move(struct vcpu *v, u32 offset, const struct plain_move *move, u64 *reg)
{
	if (!apic_traps_page(v) || has_platform(v) || offset < REGISTER_DISTANCE ||
	    offset % REGISTER_DISTANCE != 0)
		return false;
	if (move->store && offset == LAPIC_ICR && !ipi_is_plain((u32)*reg))
		return false;
	if (move->store)
		apic_mmio_write(v, offset, (u32)*reg);
	else
		*reg = load_apic(v, offset, REGISTER_SIZE);
	return true;
}
