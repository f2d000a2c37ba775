/* SPDX-License-Identifier: MIT */
/*
 * The instructions that C has no words for, each as one function. Everything
 * here may be used at CPL 0 only, except where ring 3 is the test's idea.
 */
#ifndef MINI_CPU_H
#define MINI_CPU_H

#include "lib/types.h"

#define CR0_PE 0x1u
#define CR0_MP 0x2u
#define CR0_EM 0x4u
#define CR0_TS 0x8u
#define CR0_ET 0x10u
#define CR0_NE 0x20u
#define CR0_WP 0x10000u
#define CR0_PG 0x80000000u

#define CR4_PAE        0x20u
#define CR4_PGE        0x80u
#define CR4_OSFXSR     0x200u
#define CR4_OSXMMEXCPT 0x400u

#define RFLAGS_FIXED 0x2u /* bit 1, always set */
#define RFLAGS_TF    0x100u
#define RFLAGS_IF    0x200u
#define RFLAGS_DF    0x400u
#define RFLAGS_NT    0x4000u
#define RFLAGS_AC    0x40000u

#define MSR_APIC_BASE      0x1bu
#define MSR_EFER           0xc0000080u
#define MSR_STAR           0xc0000081u
#define MSR_LSTAR          0xc0000082u
#define MSR_CSTAR          0xc0000083u
#define MSR_SFMASK         0xc0000084u
#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

#define EFER_SCE 0x1u
#define EFER_LME 0x100u
#define EFER_LMA 0x400u
#define EFER_NXE 0x800u

/** Operand of LGDT, LIDT and their counterparts. */
struct table_register {
	u16 limit;
	u64 base;
} __attribute__((packed));

struct cpuid {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(u32 leaf)
{
	struct cpuid r;

	asm volatile("cpuid"
		     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
		     : "a"(leaf), "c"(0));
	return r;
}

static inline u64 read_msr(u32 msr)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return (u64)high << 32 | low;
}

static inline void write_msr(u32 msr, u64 value)
{
	asm volatile("wrmsr" ::"c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

#define MINI_REGISTER(reg)                                                                         \
	static inline u64 read_##reg(void)                                                         \
	{                                                                                          \
		u64 value;                                                                         \
                                                                                                   \
		asm volatile("mov %%" #reg ", %0" : "=r"(value)::"memory");                        \
		return value;                                                                      \
	}                                                                                          \
	static inline void write_##reg(u64 value)                                                  \
	{                                                                                          \
		asm volatile("mov %0, %%" #reg ::"r"(value) : "memory");                           \
	}

MINI_REGISTER(cr0)
MINI_REGISTER(cr2)
MINI_REGISTER(cr3)
MINI_REGISTER(cr4)
MINI_REGISTER(dr6)
MINI_REGISTER(dr7)

static inline u64 read_rflags(void)
{
	u64 flags;

	asm volatile("pushfq; popq %0" : "=r"(flags)::"memory");
	return flags;
}

static inline void interrupts_on(void)
{
	asm volatile("sti" ::: "memory");
}

static inline void interrupts_off(void)
{
	asm volatile("cli" ::: "memory");
}

/** Wait for one interrupt; none can slip in between the two instructions. */
static inline void interrupts_on_and_halt(void)
{
	asm volatile("sti; hlt" ::: "memory");
}

static inline void invlpg(u64 va)
{
	asm volatile("invlpg (%0)" ::"r"(va) : "memory");
}

static inline u64 rdtsc(void)
{
	u32 low, high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (u64)high << 32 | low;
}

static inline void out8(u16 port, u8 value)
{
	asm volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline u8 in8(u16 port)
{
	u8 value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline u16 in16(u16 port)
{
	u16 value;

	asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void out32(u16 port, u32 value)
{
	asm volatile("outl %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline u32 in32(u16 port)
{
	u32 value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

#endif
