/* SPDX-License-Identifier: MIT */
/*
 * The processor's instructions that C has no words for, one accessor each, and
 * the names of the bits in its registers (SDM volume 3, chapter 2 and 4;
 * volume 4 for MSRs). Accessors that order memory have a "memory" clobber: the
 * compiler otherwise moves plain stores across them.
 */
#ifndef VELLUM_LIB_X86_H
#define VELLUM_LIB_X86_H

#include "lib/types.h"

#define CR0_PE ((u64)1 << 0)
#define CR0_MP ((u64)1 << 1)
#define CR0_ET ((u64)1 << 4)
#define CR0_NE ((u64)1 << 5)
#define CR0_WP ((u64)1 << 16)
#define CR0_TS ((u64)1 << 3)
#define CR0_AM ((u64)1 << 18)
#define CR0_NW ((u64)1 << 29)
#define CR0_CD ((u64)1 << 30)
#define CR0_PG ((u64)1 << 31)

#define CR4_PVI   ((u64)1 << 1)
#define CR4_PAE   ((u64)1 << 5)
#define CR4_MCE   ((u64)1 << 6)
#define CR4_PGE   ((u64)1 << 7)
#define CR4_LA57  ((u64)1 << 12)
#define CR4_DE    ((u64)1 << 3)
#define CR4_PCE   ((u64)1 << 8)
#define CR4_UMIP  ((u64)1 << 11)
#define CR4_PCIDE ((u64)1 << 17)
#define CR4_SMEP  ((u64)1 << 20)
#define CR4_SMAP  ((u64)1 << 21)
#define CR4_PKE   ((u64)1 << 22)

#define DR6_BS ((u64)1 << 14)

#define MSR_MCG_STATUS     0x17au
#define MCG_IN_PROGRESS    ((u64)1 << 2)
#define MSR_SYSENTER_CS    0x174u
#define MSR_SYSENTER_ESP   0x175u
#define MSR_SYSENTER_EIP   0x176u
#define MSR_STAR           0xc0000081u
#define MSR_LSTAR          0xc0000082u
#define MSR_CSTAR          0xc0000083u
#define MSR_SFMASK         0xc0000084u
#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX        0xc0000103u

#define MSR_EFER   0xc0000080u
#define EFER_SCE   ((u64)1 << 0)
#define EFER_LME   ((u64)1 << 8)
#define EFER_LMA   ((u64)1 << 10)
#define EFER_NXE   ((u64)1 << 11)
#define EFER_FFXSR ((u64)1 << 14) /* AMD: FXSAVE at ring 0 leaves out XMM */

#define RFLAGS_FIXED ((u64)1 << 1)
#define RFLAGS_TF    ((u64)1 << 8)
#define RFLAGS_IF    ((u64)1 << 9)
#define RFLAGS_DF    ((u64)1 << 10)
#define RFLAGS_IOPL  ((u64)3 << 12)
#define RFLAGS_NT    ((u64)1 << 14)
#define RFLAGS_RF    ((u64)1 << 16)
#define RFLAGS_VM    ((u64)1 << 17)
#define RFLAGS_AC    ((u64)1 << 18)

/* Vectors that Vellum names (SDM volume 3, table 6-1). */
#define VECTOR_DB     1
#define VECTOR_NMI    2
#define VECTOR_BP     3
#define VECTOR_OF     4
#define VECTOR_UD     6
#define VECTOR_DF     8
#define VECTOR_TS     10
#define VECTOR_NP     11
#define VECTOR_SS     12
#define VECTOR_GP     13
#define VECTOR_PF     14
#define VECTOR_AC     17
#define VECTOR_MC     18
#define NR_EXCEPTIONS 32

/** Operand of LGDT/SGDT/LIDT/SIDT in 64-bit mode. */
struct table_register {
	u16 limit; /* bytes - 1 */
	u64 base;  /* va */
} __attribute__((packed));
_Static_assert(sizeof(struct table_register) == 10, "hardware layout");

static inline void outb(u16 port, u8 value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline u8 inb(u16 port)
{
	u8 value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void outl(u16 port, u32 value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline u32 inl(u16 port)
{
	u32 value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline u64 rdmsr(u32 msr)
{
	u32 low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (u64)high << 32 | low;
}

static inline void wrmsr(u32 msr, u64 value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

/**
 * As rdmsr() and wrmsr(), for registers that the processor may not have and values that it may
 * refuse: false after its #GP, which hv/cpu/trap.c turns into a jump to the second label.
 * hv/cpu/safe.S.
 */
bool rdmsr_safe(u32 msr, u64 *value);
bool wrmsr_safe(u32 msr, u64 value);
bool write_cr0_safe(u64 value);
bool write_cr4_safe(u64 value);
bool xsetbv_safe(u32 index, u64 value);

/** Load a segment register; false, and it is as it was: the processor has no such segment. */
bool load_es_safe(u32 selector);
bool load_ds_safe(u32 selector);
bool load_fs_safe(u32 selector);
bool load_gs_safe(u32 selector);

/** In a loop that waits for another CPU. */
static inline void cpu_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline u64 rdtsc(void)
{
	u32 low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (u64)high << 32 | low;
}

struct cpuid {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

#define DEFINE_READ(name, insn)                                                                    \
	static inline u64 name(void)                                                               \
	{                                                                                          \
		u64 value;                                                                         \
                                                                                                   \
		__asm__ volatile(insn : "=r"(value) : : "memory");                                 \
		return value;                                                                      \
	}
#define DEFINE_WRITE(name, insn)                                                                   \
	static inline void name(u64 value)                                                         \
	{                                                                                          \
		__asm__ volatile(insn : : "r"(value) : "memory");                                  \
	}
DEFINE_READ(read_cr0, "mov %%cr0, %0")
DEFINE_READ(read_cr2, "mov %%cr2, %0")
DEFINE_READ(read_cr3, "mov %%cr3, %0")
DEFINE_READ(read_cr4, "mov %%cr4, %0")
DEFINE_READ(read_dr0, "mov %%db0, %0")
DEFINE_READ(read_dr1, "mov %%db1, %0")
DEFINE_READ(read_dr2, "mov %%db2, %0")
DEFINE_READ(read_dr3, "mov %%db3, %0")
DEFINE_READ(read_dr6, "mov %%db6, %0")
DEFINE_READ(read_dr7, "mov %%db7, %0")
DEFINE_WRITE(write_cr0, "mov %0, %%cr0")
DEFINE_WRITE(write_cr2, "mov %0, %%cr2")
DEFINE_WRITE(write_cr3, "mov %0, %%cr3")
DEFINE_WRITE(write_cr4, "mov %0, %%cr4")
DEFINE_WRITE(write_dr6, "mov %0, %%db6")
#undef DEFINE_READ
#undef DEFINE_WRITE

/** Only with CR4.PKE set. */
static inline u32 read_pkru(void)
{
	u32 low;

	__asm__ volatile("rdpkru" : "=a"(low) : "c"(0) : "edx");
	return low;
}

static inline void write_pkru(u32 value)
{
	__asm__ volatile("wrpkru" : : "a"(value), "c"(0), "d"(0) : "memory");
}

static inline void lgdt(const struct table_register *r)
{
	__asm__ volatile("lgdt %0" : : "m"(*r) : "memory");
}

static inline void lidt(const struct table_register *r)
{
	__asm__ volatile("lidt %0" : : "m"(*r) : "memory");
}

static inline void ltr(u16 selector)
{
	__asm__ volatile("ltr %0" : : "r"(selector) : "memory");
}

static inline void invlpg(u64 va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/** Stop this CPU for good: no interrupt, no way on. */
static inline __attribute__((noreturn)) void halt_forever(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

#endif
