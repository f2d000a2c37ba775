// SPDX-License-Identifier: MIT
/*
 * Values of control registers and MSRs that a processor may refuse: which it
 * takes, what it then shows, and that a refused one changes nothing. Each bit
 * of each register is tried alone, and put back.
 */
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/tap.h"
#include "mini/tests/expect.h"
#include "mini/tests/observe.h"
#include "mini/virtual.h"

#define CR4_PCIDE_BIT   17 /* not to be changed while virtualized (docs/design.md) */
#define CR4_PKS_BIT     24 /* the same */
#define CR4_LA57        0x1000u
#define CR4_OSXSAVE     0x40000u
#define CPUID_1_XSAVE   (1u << 26)
#define MSR_SYSENTER_CS 0x174u
#define MSR_PAT         0x277u
#define MSR_TSC         0x10u
#define MSR_MPERF       0xe7u
#define MSR_APERF       0xe8u
#define MSR_X2APIC      0x800u

struct write {
	u64 reg; /* MSR number */
	u64 value;
};

static void to_cr0(void *arg)
{
	write_cr0(((struct write *)arg)->value);
}

static void to_cr4(void *arg)
{
	write_cr4(((struct write *)arg)->value);
}

static void to_msr(void *arg)
{
	const struct write *w = arg;

	write_msr((u32)w->reg, w->value);
}

static void to_xcr(void *arg)
{
	const struct write *w = arg;

	asm volatile("xsetbv" ::"c"((u32)w->reg), "a"((u32)w->value), "d"((u32)(w->value >> 32))
		     : "memory");
}

static u64 xcr0(void)
{
	u32 low, high;

	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (u64)high << 32 | low;
}

TEST_ON_REQUEST(exact_control_cr0, "I2 I4")
{
	u64 before = read_cr0();

	for (u32 bit = 0; bit < 64; bit++) {
		struct write w = {.value = before ^ (u64)1 << bit};
		struct outcome o;
		u64 seen;

		if (((u64)1 << bit & (CR0_PG | CR0_PE)) != 0)
			continue; /* QEMU does it, and is lost */
		o = observe_kernel(to_cr0, &w);
		seen = read_cr0();

		write_cr0(before);
		print("= cr0 bit %u: %s, reads %#lx\n", bit, outcome_text(&o), seen);
	}
}

/* Leaving long mode or paging is #GP in 64-bit code; QEMU alone lets the bare kernel do it. */
TEST(control_long_mode_stays, "I2 I4")
{
	struct write w = {.value = read_cr0() & ~(u64)CR0_PG};

	if (!is_virtualized())
		test_skip("QEMU's bare CPU leaves paging");
	expect_trap(to_cr0, &w, TRAP_GP, 0);
	w.value = read_cr0() & ~(u64)CR0_PE;
	expect_trap(to_cr0, &w, TRAP_GP, 0);
	w.value = read_cr4() & ~(u64)CR4_PAE;
	expect_trap(to_cr4, &w, TRAP_GP, 0);
	w.value = read_cr4() ^ CR4_LA57;
	expect_trap(to_cr4, &w, TRAP_GP, 0);
	for (u32 bit = 32; bit < 64; bit++) {
		u64 before = read_cr4();

		w.value = before | (u64)1 << bit;
		expect_trap(to_cr4, &w, TRAP_GP, 0);
		CHECK(read_cr4() == before, "a refused value of CR4 changed it");
	}
}

TEST_ON_REQUEST(exact_control_cr4, "I2 I4")
{
	u64 before = read_cr4(), bits = ~(u64)0;

	/* QEMU's bare CPU hangs on a bit that it does not have. */
	cmdline_get_hex("cr4_bits", &bits);
	for (u32 bit = 0; bit < 64; bit++) {
		struct write w = {.value = before ^ (u64)1 << bit};
		struct outcome o;
		u64 seen;

		if (!(bits >> bit & 1))
			continue;
		if (bit == CR4_PCIDE_BIT || bit == CR4_PKS_BIT ||
		    ((u64)1 << bit & (CR4_PAE | CR4_LA57)) != 0)
			continue;
		o = observe_kernel(to_cr4, &w);
		seen = read_cr4();
		write_cr4(before);
		print("= cr4 bit %u: %s, reads %#lx\n", bit, outcome_text(&o), seen);
	}
}

TEST_ON_REQUEST(exact_control_efer, "I2 I4")
{
	u64 before = read_msr(MSR_EFER);

	for (u32 bit = 0; bit < 64; bit++) {
		struct write w = {MSR_EFER, before ^ (u64)1 << bit};
		struct outcome o;
		u64 seen;

		if (w.value == (before & ~(u64)EFER_NXE))
			continue; /* the kernel's own map has NX */
		o = observe_kernel(to_msr, &w);
		seen = read_msr(MSR_EFER);
		write_msr(MSR_EFER, before);
		print("= efer bit %u: %s, reads %#lx\n", bit, outcome_text(&o), seen);
	}
}

TEST_ON_REQUEST(exact_control_xcr0, "I2 I4")
{
	u64 cr4 = read_cr4(), before;

	if (!(cpuid(1).ecx & CPUID_1_XSAVE))
		test_skip("the CPU has no XSAVE");
	write_cr4(cr4 | CR4_OSXSAVE);
	before = xcr0();
	for (u32 bit = 0; bit < 64; bit++) {
		struct write w = {0, before ^ (u64)1 << bit};
		struct outcome o = observe_kernel(to_xcr, &w);

		print("= xcr0 bit %u: %s, reads %#lx\n", bit, outcome_text(&o), xcr0());
		to_xcr(&(struct write){0, before});
	}
	for (u32 index = 1; index < 4; index++) {
		struct outcome o = observe_kernel(to_xcr, &(struct write){index, before});

		print("= xcr%u: %s\n", index, outcome_text(&o));
	}
	write_cr4(cr4);
}

static bool is_canonical(u64 va)
{
	return (u64)((s64)(va << 16) >> 16) == va;
}

static void one_msr(u32 msr, u64 value)
{
	u64 before = read_msr(msr), seen;
	struct outcome o = observe_kernel(to_msr, &(struct write){msr, value});

	seen = read_msr(msr);
	write_msr(msr, before);
	print("= msr %#x value %#lx: %s, reads %#lx\n", msr, value, outcome_text(&o), seen);
}

TEST_ON_REQUEST(exact_control_msrs, "I2 I4")
{
	static const u32 msrs[] = {
		MSR_STAR,
		MSR_LSTAR,
		MSR_CSTAR,
		MSR_SFMASK,
		MSR_FS_BASE,
		MSR_GS_BASE,
		MSR_KERNEL_GS_BASE,
		MSR_SYSENTER_CS,
		MSR_SYSENTER_CS + 1,
		MSR_SYSENTER_CS + 2,
		MSR_PAT,
	};
	static const u64 values[] = {
		0,
		0x00007fffffffffff,
		0x0000800000000000,
		0xffff7fffffffffff,
		0xffff800000000000,
		0xffff800000100000,
		0xffffffffffffffff,
		0x8000000000000000,
		0x0807060504030201,
		0x0606060606060606,
	};
	char word[2];
	/* QEMU takes any address. */
	bool canonical = cmdline_get("canonical", word, sizeof(word));

	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++)
		for (size_t k = 0; k < ARRAY_SIZE(values); k++)
			if (!canonical || is_canonical(values[k]))
				one_msr(msrs[i], values[k]);
}

static void from_msr(void *arg)
{
	struct write *w = arg;

	w->value = read_msr((u32)w->reg);
}

struct answer {
	struct outcome outcome;
	u64 value;
};

static struct answer ask(u32 msr)
{
	struct write w = {.reg = msr};
	struct answer a = {0};

	/* Not what counts by itself, nor the local APIC's, which have tests of their own. */
	if (msr == MSR_TSC || msr == MSR_MPERF || msr == MSR_APERF ||
	    (msr >= MSR_X2APIC && msr < MSR_X2APIC + 0x100))
		return a;
	a.outcome = observe_kernel(from_msr, &w);
	a.value = w.value;
	return a;
}

/* One line for each run of registers that answer the same. */
static void read_msrs(u32 first, u32 last)
{
	struct answer run = ask(first);
	u32 start = first;

	for (u32 msr = first + 1; msr <= last; msr++) {
		struct answer a = ask(msr);

		if (a.value == run.value &&
		    observe_fold_outcome(0, &a.outcome) == observe_fold_outcome(0, &run.outcome))
			continue;
		print("= msrs %#x to %#x: %s, %#lx\n", start, msr - 1, outcome_text(&run.outcome),
		      run.value);
		run = a;
		start = msr;
	}
	print("= msrs %#x to %#x: %s, %#lx\n", start, last, outcome_text(&run.outcome), run.value);
}

/* A kernel may look for any register, and reads its machine checks every five minutes. */
TEST_ON_REQUEST(exact_control_msr_reads, "I2 I4")
{
	read_msrs(0, 0xfff);
	read_msrs(0xc0000000, 0xc00001ff);
	read_msrs(0xc0010000, 0xc00102ff);
}

/* What kernels write long after they have booted: machine checks, MTRRs, speculation, counters. */
TEST_ON_REQUEST(exact_control_msr_writes, "I2 I4")
{
	static const u32 msrs[] = {
		0x3b,  0x48,  0x49,  0xc1,  0x10b,      0x17a,      0x186,      0x199,
		0x19a, 0x19b, 0x1b0, 0x200, 0x201,      0x250,      0x268,      0x2ff,
		0x309, 0x38d, 0x38f, 0x390, 0x400,      0x401,      0x402,      0x403,
		0x404, 0x405, 0x770, 0x774, 0xc0010000, 0xc0010004, 0xc0010200,
	};
	static const u64 values[] = {0, 1, 6, 0x806, 0xffffffffffffffff};

	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++)
		for (size_t k = 0; k < ARRAY_SIZE(values); k++)
			one_msr(msrs[i], values[k]);
}
