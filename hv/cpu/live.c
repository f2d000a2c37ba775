// SPDX-License-Identifier: MIT
/*
 * The processor's own part of a vcpu (cpu/live.h).
 *
 * XSAVE saves what XCR0 names, and the guest chooses XCR0: an SSE register is
 * live with XCR0's bit clear, or without XSAVE at all. So all that the
 * processor has is turned on around both instructions, and the guest's XCR0 is
 * a register like any other. Extended feature disable (AMX) is one of those,
 * and must be 0 meanwhile.
 *
 * Segment registers are loaded again from the mirrored tables. What is hidden
 * there (S6) is shown for that moment; a selector whose descriptor is gone by
 * now becomes null.
 */
#include "cpu/live.h"

#include "cpu/segments.h"
#include "lib/string.h"
#include "mem/frames.h"
#include "mem/own_tables.h"
#include "mem/pagetable.h"

#define CR0_EM       ((u64)1 << 2)
#define CR4_OSFXSR   ((u64)1 << 9)
#define CR4_OSXSAVE  ((u64)1 << 18)
#define DR6_RESET    0xffff0ff0u
#define DR7_RESET    0x400u
#define PAT_RESET    0x0007040600070406ull
#define FCW_RESET    0x37fu
#define MXCSR_RESET  0x1f80u
#define MXCSR_OFFSET 24
#define FXSAVE_SIZE  512u
#define XCR0_RESET   1u

#define MSR_XFD 0x1c4u

/* The bases come last: loading a selector changes them. */
static const u32 msrs[NR_LIVE_MSRS] = {
	0x277,              /* PAT */
	MSR_TSC_AUX,        /* */
	0x48,               /* SPEC_CTRL */
	0x1d9,              /* DEBUGCTL */
	MSR_XFD,            /* */
	0xc001011f,         /* VIRT_SPEC_CTRL */
	MSR_FS_BASE,        /* */
	MSR_GS_BASE,        /* */
	MSR_KERNEL_GS_BASE, /* */
};
#define PLACE_PAT  0
#define FIRST_BASE (NR_LIVE_MSRS - 3)

/* Facts of the processors; `known` once they are stored. */
static struct {
	u64 components; /* all that XCR0 can have; 0: no XSAVE */
	u64 size;       /* bytes that they take */
	u32 msrs;       /* bit n: msrs[n] is there */
	bool known;
} facts;

static void learn(void)
{
	struct cpuid x = cpuid(0xd, 0);
	u64 value;

	if (facts.known)
		return;
	facts.size = FXSAVE_SIZE;
	if (cpuid(1, 0).ecx & (1u << 26)) {
		facts.components = (u64)x.edx << 32 | x.eax;
		facts.size = x.ecx;
	}
	for (u32 i = 0; i < NR_LIVE_MSRS; i++)
		facts.msrs |= (u32)rdmsr_safe(msrs[i], &value) << i;
	facts.known = true;
}

static u64 frames(void)
{
	return round_up(facts.size, PAGE_SIZE) >> PAGE_SHIFT;
}

bool live_alloc(struct live_state *l)
{
	mfn_t mfn;

	learn();
	if (l->extended != NULL)
		return true;
	if (!frame_alloc_run(frames(), &mfn))
		return false;
	*l = (struct live_state){.xcr0 = XCR0_RESET, .dr6 = DR6_RESET, .dr7 = DR7_RESET};
	l->msr[PLACE_PAT] = PAT_RESET;
	l->extended = direct(mfn_to_ma(mfn));
	memset(l->extended, 0, frames() << PAGE_SHIFT);
	*(u16 *)l->extended = FCW_RESET;
	*(u32 *)((u8 *)l->extended + MXCSR_OFFSET) = MXCSR_RESET;
	return true;
}

void live_free(struct live_state *l)
{
	mfn_t mfn = ma_to_mfn((ma_t){(u64)l->extended - DIRECT_BASE});

	if (l->extended == NULL)
		return;
	for (u64 i = frames(); i-- > 0;)
		frame_free((mfn_t){mfn.v + i});
	l->extended = NULL;
}

/* --- FPU --- */

static u64 xgetbv(void)
{
	u32 low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (u64)high << 32 | low;
}

static void xsetbv(u64 value)
{
	__asm__ volatile("xsetbv" : : "a"((u32)value), "d"((u32)(value >> 32)), "c"(0) : "memory");
}

/* All of the FPU can be saved and restored: also by FXSAVE, which AMD's processors have leave out
 * the XMM registers if a guest says so. */
static void open_fpu(void)
{
	u64 efer = facts.components == 0 ? rdmsr(MSR_EFER) : 0;

	if (efer & EFER_FFXSR)
		wrmsr(MSR_EFER, efer & ~EFER_FFXSR);
	write_cr0(read_cr0() & ~(CR0_TS | CR0_EM));
	write_cr4(read_cr4() | (facts.components != 0 ? CR4_OSXSAVE : CR4_OSFXSR));
}

static void save_fpu(struct live_state *l)
{
	if (facts.components == 0) {
		__asm__ volatile("fxsave64 (%0)" : : "r"(l->extended) : "memory");
		return;
	}
	l->xcr0 = xgetbv();
	if (l->xcr0 != facts.components)
		xsetbv(facts.components);
	__asm__ volatile("xsave64 (%0)" : : "r"(l->extended), "a"(-1), "d"(-1) : "memory");
}

static void load_fpu(const struct live_state *l)
{
	if (facts.components == 0) {
		__asm__ volatile("fxrstor64 (%0)" : : "r"(l->extended) : "memory");
		return;
	}
	xsetbv(facts.components);
	__asm__ volatile("xrstor64 (%0)" : : "r"(l->extended), "a"(-1), "d"(-1) : "memory");
	if (l->xcr0 != facts.components)
		xsetbv(l->xcr0);
}

/* --- MSRs and debug registers --- */

static void save_msrs(struct live_state *l)
{
	for (u32 i = 0; i < NR_LIVE_MSRS; i++)
		if (facts.msrs >> i & 1)
			l->msr[i] = rdmsr(msrs[i]);
}

static void load_msrs(const struct live_state *l, u32 first, u32 end)
{
	for (u32 i = first; i < end; i++)
		if (facts.msrs >> i & 1)
			wrmsr(msrs[i], l->msr[i]);
}

static void close_features(void)
{
	for (u32 i = 0; i < NR_LIVE_MSRS; i++)
		if (msrs[i] == MSR_XFD && (facts.msrs >> i & 1))
			wrmsr(MSR_XFD, 0);
}

/* No breakpoint of the one hits the other, or Vellum in between. */
static void save_debug(struct live_state *l)
{
	l->dr7 = read_dr7();
	__asm__ volatile("mov %0, %%db7" : : "r"((u64)DR7_RESET) : "memory");
	l->dr[0] = read_dr0();
	l->dr[1] = read_dr1();
	l->dr[2] = read_dr2();
	l->dr[3] = read_dr3();
	l->dr6 = read_dr6();
}

static void load_debug(const struct live_state *l)
{
	__asm__ volatile("mov %0, %%db0" : : "r"(l->dr[0]) : "memory");
	__asm__ volatile("mov %0, %%db1" : : "r"(l->dr[1]) : "memory");
	__asm__ volatile("mov %0, %%db2" : : "r"(l->dr[2]) : "memory");
	__asm__ volatile("mov %0, %%db3" : : "r"(l->dr[3]) : "memory");
	write_dr6(l->dr6);
	__asm__ volatile("mov %0, %%db7" : : "r"(l->dr7) : "memory");
}

/* --- all --- */

static void save_selectors(struct live_state *l)
{
	__asm__ volatile("mov %%es, %0" : "=r"(l->selector[0]));
	__asm__ volatile("mov %%ds, %0" : "=r"(l->selector[1]));
	__asm__ volatile("mov %%fs, %0" : "=r"(l->selector[2]));
	__asm__ volatile("mov %%gs, %0" : "=r"(l->selector[3]));
}

void live_save(struct live_state *l)
{
	save_debug(l);
	save_selectors(l);
	save_msrs(l);
	l->cr0 = read_cr0();
	l->cr3 = read_cr3();
	l->cr4 = read_cr4();
	l->efer = rdmsr(MSR_EFER);
	open_fpu();
	close_features();
	save_fpu(l);
}

void live_load(struct cpu_block *b)
{
	const struct live_state *l = &b->sched.live;

	open_fpu();
	load_fpu(l);
	wrmsr(MSR_EFER, l->efer);
	load_msrs(l, 0, FIRST_BASE);
	write_cr3(l->cr3);
	segments_switch(b);
	segments_load_data(b, l->selector);
	load_msrs(l, FIRST_BASE, NR_LIVE_MSRS);
	write_cr4(l->cr4);
	write_cr0(l->cr0);
	load_debug(l);
}

void live_load_first(struct cpu_block *b)
{
	static const u16 null[4];
	const struct live_state *l = &b->sched.live;

	open_fpu();
	load_fpu(l);
	load_msrs(l, 0, FIRST_BASE);
	write_cr3(own_root().v);
	segments_switch(b);
	segments_load_data(b, null);
	load_msrs(l, FIRST_BASE, NR_LIVE_MSRS);
	load_debug(l);
}
