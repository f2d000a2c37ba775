// SPDX-License-Identifier: MIT
/*
 * Privileged instructions that read and write the system's registers: control
 * and debug registers, MSRs, descriptor tables, translations.
 */
#include "cpu/apic.h"
#include "cpu/domain_platform.h"
#include "cpu/emulate.h"

#include "cpu/fast.h"
#include "cpu/percpu.h"
#include "lib/string.h"
#include "mem/layout.h"

#define TYPE_LDT           0x02u
#define TYPE_TSS_AVAILABLE 0x09u
#define DESCRIPTOR_P       ((u64)1 << 47)
#define DESCRIPTOR_BUSY    ((u64)1 << 41)

#define DR7_GD ((u64)1 << 13)

/* What a domain that does not own the machine has of its own, without effect: the caches are
 * everybody's. */
static u64 unreal_cr0(const struct vcpu *v)
{
	return CR0_WP | (has_platform(v) ? CR0_CD | CR0_NW : 0);
}

/* The real one is the guest's but for those and with WP, so the processor itself says which values
 * it takes. */
static bool write_guest_cr0(struct vcpu *v, u64 value)
{
	u64 was, unreal = unreal_cr0(v);

	if (!(value & CR0_PG) || !(value & CR0_PE))
		return false; /* leaving paging: #GP in 64-bit code (SDM) */
	if ((value & unreal & CR0_NW) && !(value & CR0_CD))
		return false;
	if (!write_cr0_safe((value & ~unreal) | CR0_WP))
		return false;
	was = v->cr0;
	v->cr0 = (read_cr0() & ~unreal) | (value & unreal);
	if ((was ^ v->cr0) & CR0_WP)
		vcpu_flush(v);
	return true;
}

/*
 * Bits that make a difference to user code are real; paging bits are the shadow's. PVI is not: at
 * ring 3, CLI and STI of the guest kernel would change VIF by it instead of coming here.
 */
#define CR4_REAL                                                                                   \
	((u64)1 << 0 | (u64)1 << 2 | (u64)1 << 3 | (u64)1 << 8 | (u64)1 << 9 | (u64)1 << 10 |      \
	 (u64)1 << 11 | (u64)1 << 16 | (u64)1 << 18 | CR4_PKE)

/* Which CPUID bit a bit of CR4 needs (SDM volume 3, section 2.5); a reserved bit needs what no
 * processor has. */
static u64 supported_cr4(void)
{
	const struct cpuid one = cpuid(1, 0), seven = cpuid(7, 0);
	const struct {
		u32 from; /* the CPUID register */
		u8 cpuid_bit, cr4_bit;
	} features[] = {
		{one.edx, 1, 0},     {one.edx, 1, 1},     {one.edx, 4, 2},    {one.edx, 2, 3},
		{one.edx, 3, 4},     {one.edx, 6, 5},     {one.edx, 7, 6},    {one.edx, 13, 7},
		{one.edx, 24, 9},    {one.edx, 25, 10},   {seven.ecx, 2, 11}, {one.ecx, 5, 13},
		{one.ecx, 6, 14},    {seven.ebx, 0, 16},  {one.ecx, 17, 17},  {one.ecx, 26, 18},
		{seven.ebx, 7, 20},  {seven.ebx, 20, 21}, {seven.ecx, 3, 22}, {seven.ecx, 7, 23},
		{seven.edx, 20, 23},
	};
	static u64 supported; /* complete, or 0: several CPUs may be the first to ask */
	u64 found = __atomic_load_n(&supported, __ATOMIC_RELAXED);

	if (found != 0)
		return found;
	found = CR4_PCE;
	for (u32 i = 0; i < ARRAY_SIZE(features); i++)
		if (features[i].from >> features[i].cpuid_bit & 1)
			found |= (u64)1 << features[i].cr4_bit;
	__atomic_store_n(&supported, found, __ATOMIC_RELAXED);
	return found;
}

static bool write_guest_cr4(struct vcpu *v, u64 value)
{
	/* The machine's counters are no later domain's to read. */
	u64 mask = has_platform(v) ? CR4_REAL & ~CR4_PCE : CR4_REAL;
	u64 real = (read_cr4() & ~CR4_REAL) | (value & mask);

	if (!(value & CR4_PAE) || (value & CR4_LA57))
		return false;
	if ((value & ~v->cr4 & CR4_PCIDE) && (v->cr3 & 0xfff) != 0)
		return false;
	/* What is new, for a moment, to hear whether the processor takes it: going back needs it
	 * all. None of it makes a difference to Vellum's own pages. (Asked first by CPUID, as QEMU
	 * hangs on what it does not have.) */
	if ((value & ~v->cr4 & ~supported_cr4()) != 0 ||
	    ((value & ~v->cr4) != 0 && !write_cr4_safe(real | (value & ~CR4_PCIDE))))
		return false;
	v->cr4 = value;
	v->keys_off = false;
	write_cr4(real);
	vcpu_flush(v);
	fast_update(v);
	return true;
}

static void mov_to_cr(struct vcpu *v, const struct insn *i)
{
	u64 value = *operand_register(v->frame, i->rm);
	bool ok = true;

	if (i->reg == 0) {
		ok = write_guest_cr0(v, value);
	} else if (i->reg == 2) {
		v->cr2 = value;
	} else if (i->reg == 3) {
		ok = vcpu_load_cr3(v, value);
	} else if (i->reg == 4) {
		ok = write_guest_cr4(v, value);
	} else if (i->reg == 8) {
		apic_write_cr8(v, value);
	}
	if (ok)
		emulate_done(v, i);
	else
		deliver_fault(v, VECTOR_GP, 0);
}

static void mov_from_cr(struct vcpu *v, const struct insn *i)
{
	u64 value = 0;

	if (i->reg == 0)
		value = v->cr0;
	else if (i->reg == 2)
		value = v->cr2;
	else if (i->reg == 3)
		value = v->cr3;
	else if (i->reg == 4)
		value = v->cr4;
	else if (i->reg == 8)
		value = apic_read_cr8(v);
	*operand_register(v->frame, i->rm) = value;
	emulate_done(v, i);
}

static void read_msr(struct vcpu *v, const struct insn *i)
{
	u64 value;

	if (!msr_read(v, (u32)v->frame->rcx, &value)) {
		deliver_fault(v, VECTOR_GP, 0);
		return;
	}
	v->frame->rax = (u32)value;
	v->frame->rdx = value >> 32;
	emulate_done(v, i);
}

static void write_msr(struct vcpu *v, const struct insn *i)
{
	u64 value = (u32)v->frame->rax | v->frame->rdx << 32;

	if (msr_write(v, (u32)v->frame->rcx, value))
		emulate_done(v, i);
	else
		deliver_fault(v, VECTOR_GP, 0);
}

static void load_table(struct vcpu *v, const struct insn *i)
{
	struct table_register value;

	if (!operand_read(v, i, sizeof(value), &value))
		return;
	if (!is_canonical(value.base)) {
		deliver_fault(v, VECTOR_GP, 0);
		return;
	}
	if (i->op == INSN_LGDT) {
		v->gdt = value;
		if (!segments_mirror(v))
			vcpu_crash(v, "its GDT is larger than Vellum can mirror, or not mapped");
		fast_update(v);
	} else {
		v->idt = value;
		access_forget_all(v); /* fault_entry */
		segments_mirror_gates(v);
	}
	emulate_done(v, i);
}

/* SGDT, SIDT, SLDT, STR, SMSW: they trap where the guest uses UMIP, and then a kernel that runs
 * them (to fix a user's up) must see its own tables. */
static void store_table(struct vcpu *v, const struct insn *i)
{
	const u64 values[] = {
		[0] = v->ldt.selector,
		[1] = v->tr.selector,
		[2] = v->cr0,
	};
	size_t register_size = i->size == 2 ? 2 : i->size;
	bool ok;

	if (i->op == INSN_SGDT)
		ok = operand_write(v, i, &v->gdt, sizeof(v->gdt), 0);
	else if (i->op == INSN_SIDT)
		ok = operand_write(v, i, &v->idt, sizeof(v->idt), 0);
	else if (i->op == INSN_SLDT)
		ok = operand_write(v, i, &values[0], 2, register_size);
	else if (i->op == INSN_STR)
		ok = operand_write(v, i, &values[1], 2, register_size);
	else
		ok = operand_write(v, i, &values[2], 2, register_size);
	if (ok)
		emulate_done(v, i);
}

/* Load LDTR or TR from the guest's GDT; LTR marks the descriptor busy, as the processor does. */
static void load_system_segment(struct vcpu *v, const struct insn *i, struct system_segment *to)
{
	u64 want = i->op == INSN_LTR ? TYPE_TSS_AVAILABLE : TYPE_LDT;
	u16 selector;
	u64 d[2], va, base;
	struct exception fault;

	if (!operand_read(v, i, sizeof(selector), &selector))
		return;
	if ((selector & ~3) == 0 && i->op == INSN_LLDT) {
		*to = (struct system_segment){.selector = selector};
		emulate_done(v, i);
		return;
	}
	va = v->gdt.base + (selector & ~7u);
	if ((selector & ~3) == 0 || (selector & 4) || (selector | 7u) + 8 > v->gdt.limit ||
	    !guest_read(v, va, d, sizeof(d), 0, &fault) || (d[0] >> 40 & 0x1f) != want) {
		deliver_fault(v, VECTOR_GP, selector & ~3u);
		return;
	}
	if (!(d[0] & DESCRIPTOR_P)) {
		deliver_fault(v, VECTOR_NP, selector & ~3u);
		return;
	}
	base = (d[0] >> 16 & 0xffffff) | (d[0] >> 56) << 24 | d[1] << 32;
	if (!is_canonical(base)) {
		deliver_fault(v, VECTOR_GP, selector & ~3u);
		return;
	}
	if (i->op == INSN_LTR) {
		d[0] |= DESCRIPTOR_BUSY;
		if (!guest_write(v, va, &d[0], sizeof(d[0]), 0, &fault)) {
			deliver(v, fault, EVENT_EXCEPTION);
			return;
		}
	}
	access_forget_all(v); /* fault_entry */
	to->selector = selector;
	to->base = base;
	to->limit = (u32)((d[0] & 0xffff) | (d[0] >> 48 & 0xf) << 16);
	emulate_done(v, i);
}

#define READ_DR(n)  __asm__ volatile("mov %%db" #n ", %0" : "=r"(value))
#define WRITE_DR(n) __asm__ volatile("mov %0, %%db" #n : : "r"(value) : "memory")

static u64 read_debug_register(u8 n)
{
	u64 value;

	switch (n) {
	case 0:
		READ_DR(0);
		break;
	case 1:
		READ_DR(1);
		break;
	case 2:
		READ_DR(2);
		break;
	case 3:
		READ_DR(3);
		break;
	case 4:
	case 6:
		READ_DR(6);
		break;
	default:
		READ_DR(7);
		break;
	}
	return value;
}

static void write_debug_register(u8 n, u64 value)
{
	switch (n) {
	case 0:
		WRITE_DR(0);
		break;
	case 1:
		WRITE_DR(1);
		break;
	case 2:
		WRITE_DR(2);
		break;
	case 3:
		WRITE_DR(3);
		break;
	case 4:
	case 6:
		WRITE_DR(6);
		break;
	default:
		WRITE_DR(7);
		break;
	}
}

/* The debug registers are the guest's own. A breakpoint inside Vellum's slots would be #DB in
 * Vellum: such an address is a bare one that is never reached, so zero has the same effect. */
static void mov_dr(struct vcpu *v, const struct insn *i)
{
	u64 value = *operand_register(v->frame, i->rm);

	if ((i->reg == 4 || i->reg == 5) && (v->cr4 & CR4_DE)) {
		deliver(v, (struct exception){.vector = VECTOR_UD}, EVENT_EXCEPTION);
		return;
	}
	if (i->op == INSN_MOV_FROM_DR) {
		*operand_register(v->frame, i->rm) = read_debug_register(i->reg);
		emulate_done(v, i);
		return;
	}
	if (i->reg >= 4 && value >> 32 != 0) {
		deliver_fault(v, VECTOR_GP, 0);
		return;
	}
	if (i->reg < 4 && is_own_va(value))
		value = 0;
	write_debug_register(i->reg, i->reg < 4 ? value : value & ~DR7_GD);
	emulate_done(v, i);
}

static void invalidate(struct vcpu *v, const struct insn *i)
{
	vcpu_invalidate(v, operand_address(v, i));
	emulate_done(v, i);
}

static void invalidate_pcid(struct vcpu *v, const struct insn *i)
{
	u64 type = *operand_register(v->frame, i->reg);
	u64 descriptor[2];

	if (!operand_read(v, i, sizeof(descriptor), descriptor))
		return;
	if (vcpu_invpcid(v, type, descriptor[0], descriptor[1]))
		emulate_done(v, i);
	else
		deliver_fault(v, VECTOR_GP, 0);
}

static void set_extended_control(struct vcpu *v, const struct insn *i)
{
	if (xsetbv_safe((u32)v->frame->rcx, (u32)v->frame->rax | v->frame->rdx << 32))
		emulate_done(v, i);
	else
		deliver_fault(v, VECTOR_GP, 0);
}

/* A user's CR4.TSD is real while the guest kernel runs too, and ring 0 may read the counter. */
static void read_tsc(struct vcpu *v, const struct insn *i)
{
	u64 value = rdtsc();

	v->frame->rax = (u32)value;
	v->frame->rdx = value >> 32;
	if (i->op == INSN_RDTSCP)
		v->frame->rcx = (u32)rdmsr(MSR_TSC_AUX);
	emulate_done(v, i);
}

/* A domain without devices has nobody who would see what is in a cache. INVD would lose what is
 * others'. */
static bool write_back(struct vcpu *v, const struct insn *i)
{
	if (i->op == INSN_INVD && !has_platform(v))
		return false;
	if (!has_platform(v))
		__asm__ volatile("wbinvd" : : : "memory");
	emulate_done(v, i);
	return true;
}

bool emulate_system(struct vcpu *v, const struct insn *i)
{
	switch (i->op) {
	case INSN_MOV_TO_CR:
		mov_to_cr(v, i);
		return true;
	case INSN_MOV_FROM_CR:
		mov_from_cr(v, i);
		return true;
	case INSN_CLTS:
		write_guest_cr0(v, v->cr0 & ~CR0_TS);
		emulate_done(v, i);
		return true;
	case INSN_RDMSR:
		read_msr(v, i);
		return true;
	case INSN_WRMSR:
		write_msr(v, i);
		return true;
	case INSN_LGDT:
	case INSN_LIDT:
		load_table(v, i);
		return true;
	case INSN_RDTSC:
	case INSN_RDTSCP:
		read_tsc(v, i);
		return true;
	case INSN_SGDT:
	case INSN_SIDT:
	case INSN_SLDT:
	case INSN_STR:
	case INSN_SMSW:
		store_table(v, i);
		return true;
	case INSN_LLDT:
		load_system_segment(v, i, &v->ldt);
		segments_mirror_ldt(v);
		fast_update(v);
		return true;
	case INSN_LTR:
		load_system_segment(v, i, &v->tr);
		return true;
	case INSN_MOV_TO_DR:
	case INSN_MOV_FROM_DR:
		mov_dr(v, i);
		return true;
	case INSN_INVLPG:
		invalidate(v, i);
		return true;
	case INSN_INVPCID:
		invalidate_pcid(v, i);
		return true;
	case INSN_XSETBV:
		set_extended_control(v, i);
		return true;
	case INSN_WBINVD:
	case INSN_INVD:
		return write_back(v, i);
	default:
		return false;
	}
}
