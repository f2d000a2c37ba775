// SPDX-License-Identifier: MIT
/*
 * MSRs of a virtualized guest. The registers that Vellum uses itself live in
 * struct vcpu; what the one guest that owns the machine may program is passed
 * on; anything else is #GP, as on a processor that does not have it.
 */
#include "cpu/apic.h"
#include "cpu/vcpu.h"

#include "cpu/fast.h"
#include "mem/layout.h"
#include "mem/own_tables.h"

#define MSR_TSC      0x10u
#define MSR_MPERF    0xe7u
#define MSR_APERF    0xe8u
#define MSR_DEBUGCTL 0x1d9u
#define MSR_PAT      0x277u

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
		return false;
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
	if (copy == NULL && !passed_on(msr))
		return false;
	if (copy == NULL)
		return rdmsr_safe(msr, value);
	*value = *copy;
	return true;
}

/* The real one is the guest's with SCE, and NXE if there is such a thing: the processor itself says
 * which values it takes. */
static bool write_efer(struct vcpu *v, u64 value)
{
	u64 own = EFER_SCE | (cpu_has_nx() ? EFER_NXE : 0);

	if (!wrmsr_safe(MSR_EFER, value | own))
		return false;
	v->efer = (rdmsr(MSR_EFER) & ~own) | (value & own);
	vcpu_flush(v);
	return true;
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
	if (copy == NULL && !passed_on(msr))
		return false;
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
