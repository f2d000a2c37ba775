// SPDX-License-Identifier: MIT
/*
 * MSRs of a virtualized guest. The registers that Vellum uses itself live in
 * struct vcpu; the one guest that owns the machine reads all others as they
 * are, and writes those that Vellum has no stake in. Refused are values for
 * what could reach Vellum or is the firmware's: debug stores and traces, which
 * write where they are told, microcode, SMM, VMX and SVM, CET.
 */
#include "cpu/apic.h"
#include "cpu/vcpu.h"

#include "cpu/domain_platform.h"
#include "cpu/fast.h"
#include "cpu/msr_later.h"
#include "mem/layout.h"
#include "mem/own_tables.h"

#define MSR_TSC      0x10u
#define MSR_MPERF    0xe7u
#define MSR_APERF    0xe8u
#define MSR_DEBUGCTL 0x1d9u
#define MSR_PAT      0x277u

/* What a domain that does not own the machine may set; TCE is AMD's. */
#define EFER_TCE   ((u64)1 << 15)
#define LATER_EFER (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_FFXSR | EFER_TCE)

/* The guest's own copy of a register that Vellum uses itself; NULL for others. */
static u64 *own_copy(struct vcpu *v, u32 msr)
{
	switch (msr) {
	case MSR_STAR:
		return &v->star;
	case MSR_LSTAR:
		return &v->lstar;
	case MSR_CSTAR:
		return &v->cstar;
	case MSR_SFMASK:
		return &v->sfmask;
	case MSR_SYSENTER_CS:
		return &v->sysenter_cs;
	case MSR_SYSENTER_ESP:
		return &v->sysenter_esp;
	case MSR_SYSENTER_EIP:
		return &v->sysenter_eip;
	case MSR_EFER:
		return &v->efer;
	default:
		return NULL;
	}
}

/* What kernels program long after they have booted, from here to there. */
static const struct {
	u32 first, last;
} owners[] = {
	{0x3b, 0x3b},   /* TSC_ADJUST */
	{0x48, 0x49},   /* SPEC_CTRL, PRED_CMD */
	{0xc1, 0xc8},   /* performance counters */
	{0xe1, 0xe1},   /* UMWAIT_CONTROL */
	{0x10b, 0x10b}, /* FLUSH_CMD */
	{0x122, 0x123}, /* TSX_CTRL, MCU_OPT_CTRL */
	{0x17a, 0x17b}, /* MCG_STATUS, MCG_CTL */
	{0x186, 0x18d}, /* events of the counters */
	{0x199, 0x19c}, /* PERF_CTL, clock modulation, thermal interrupts */
	{0x1b0, 0x1b2}, /* ENERGY_PERF_BIAS, the package's thermal interrupts */
	{0x200, 0x21f}, /* MTRRs of variable ranges */
	{0x250, 0x250}, /* MTRRs of fixed ranges */
	{0x258, 0x259},
	{0x268, 0x26f},
	{0x280, 0x29f}, /* MCi_CTL2 */
	{0x2ff, 0x2ff}, /* MTRR_DEF_TYPE */
	{0x309, 0x318}, /* fixed counters */
	{0x38d, 0x397}, /* their control, that of all, and of those outside of the cores */
	{0x400, 0x47f}, /* machine-check banks */
	{0x4c1, 0x4c8}, /* counters in full width */
	{0x770, 0x777}, /* HWP */
	{0xc0000300, 0xc0000303}, /* AMD: control of all counters */
	{0xc0000408, 0xc000040f}, /* machine-check thresholds */
	{0xc0002000, 0xc0002fff}, /* scalable machine-check banks */
	{0xc0010000, 0xc0010007}, /* counters and their events */
	{0xc0010062, 0xc0010062}, /* P-state */
	{0xc001011f, 0xc001011f}, /* VIRT_SPEC_CTRL */
	{0xc0010200, 0xc001020b}, /* counters and their events */
	{0xc00102b0, 0xc00102b4}, /* CPPC */
};

static bool is_owners(u32 msr)
{
	for (size_t i = 0; i < ARRAY_SIZE(owners); i++)
		if (msr >= owners[i].first && msr <= owners[i].last)
			return true;
	return false;
}

static bool passed_on(u32 msr)
{
	switch (msr) {
	case MSR_TSC:
	case MSR_MPERF:
	case MSR_APERF:
	case MSR_DEBUGCTL:
	case MSR_PAT:
	case MSR_FS_BASE:
	case MSR_GS_BASE:
	case MSR_KERNEL_GS_BASE:
	case MSR_TSC_AUX:
		return true;
	default:
		return is_owners(msr);
	}
}

static bool is_address(u32 msr)
{
	return msr == MSR_LSTAR || msr == MSR_CSTAR || msr == MSR_FS_BASE || msr == MSR_GS_BASE ||
	       msr == MSR_KERNEL_GS_BASE || msr == MSR_SYSENTER_ESP || msr == MSR_SYSENTER_EIP;
}

bool msr_read(struct vcpu *v, u32 msr, u64 *value)
{
	const u64 *copy = own_copy(v, msr);

	if (apic_has_msr(msr))
		return apic_read_msr(v, msr, value);
	if (copy == NULL)
		return has_platform(v) ? msr_later_read(msr, value) : rdmsr_safe(msr, value);
	*value = *copy;
	return true;
}

/* The real one is the guest's, with NXE if there is such a thing: the processor itself says which
 * values it takes. */
static bool write_efer(struct vcpu *v, u64 value)
{
	u64 own = cpu_has_nx() ? EFER_NXE : 0;

	if (has_platform(v) && (value & ~LATER_EFER) != 0)
		return false;
	if (!wrmsr_safe(MSR_EFER, value | own))
		return false;
	v->efer = (rdmsr(MSR_EFER) & ~own) | (value & own);
	vcpu_flush(v);
	fast_update(v);
	return true;
}

/* A register that stays Vellum's or the firmware's may be given the value that it has. */
static bool has_value(u32 msr, u64 value)
{
	u64 now;

	return rdmsr_safe(msr, &now) && now == value;
}

/* Whether the processor takes the value, and what it makes of it; the real register stays. */
static bool judged(u32 msr, u64 *value)
{
	u64 real = rdmsr(msr);
	bool ok = wrmsr_safe(msr, *value);

	*value = rdmsr(msr);
	wrmsr(msr, real);
	return ok;
}

bool msr_write(struct vcpu *v, u32 msr, u64 value)
{
	u64 *copy = own_copy(v, msr);

	if (apic_has_msr(msr))
		return apic_write_msr(v, msr, value);
	if (is_address(msr) && !is_canonical(value))
		return false;
	if (msr == MSR_EFER)
		return write_efer(v, value);
	if (copy == NULL && has_platform(v))
		return msr_later_write(msr, value);
	if (copy == NULL && !passed_on(msr))
		return has_value(msr, value);
	if (copy == NULL)
		return wrmsr_safe(msr, value);
	if (msr != MSR_KERNEL_GS_BASE && !judged(msr, &value))
		return false;
	*copy = value;
	if (msr == MSR_STAR)
		wrmsr(MSR_STAR, (rdmsr(MSR_STAR) & 0xffffffffffffull) | (value >> 48) << 48);
	if (msr == MSR_SYSENTER_CS)
		segments_update_sysenter(v);
	if (msr == MSR_STAR || msr == MSR_LSTAR || msr == MSR_SFMASK)
		fast_update(v);
	return true;
}
