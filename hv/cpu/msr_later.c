// SPDX-License-Identifier: MIT
/*
 * MSRs of a domain that does not own the machine. A guest cannot be kept from
 * reading CPUID, so what that promises has to be there where kernels take it for
 * granted, and to be harmless: some registers are the vcpu's (and change with
 * it), some show the machine, some say that there is nothing. Whatever is not
 * in the table is #GP.
 */
#include "cpu/msr_later.h"

#include "lib/x86.h"

#define MSR_PAT 0x277u

enum access {
	OWN,     /* the processor's own register, which goes with the vcpu (hv/cpu/live.c) */
	LIMITED, /* the same, but only these bits can be set */
	SHOWN,   /* the machine's: read, and taken if it is what it is */
	COMMAND, /* nothing to read; what is written has an effect on this CPU alone */
	FIXED,   /* has that value, and takes no other */
};

static const struct rule {
	u32 msr;
	enum access access;
	u64 value;
} rules[] = {
	{MSR_FS_BASE, OWN, 0},        /* */
	{MSR_GS_BASE, OWN, 0},        /* */
	{MSR_KERNEL_GS_BASE, OWN, 0}, /* */
	{MSR_TSC_AUX, OWN, 0},        /* */
	{MSR_PAT, OWN, 0},            /* */
	{0x10, SHOWN, 0},             /* TSC */
	{0x17, SHOWN, 0},             /* PLATFORM_ID */
	{0x3b, FIXED, 0},             /* TSC_ADJUST */
	{0x48, OWN, 0},               /* SPEC_CTRL */
	{0x49, COMMAND, 0},           /* PRED_CMD */
	{0x8b, SHOWN, 0},             /* revision of the microcode */
	{0xce, FIXED, 0},             /* PLATFORM_INFO: no faulting of CPUID */
	{0xcf, FIXED, 0},             /* CORE_CAPABILITIES */
	{0xe7, SHOWN, 0},             /* MPERF */
	{0xe8, SHOWN, 0},             /* APERF */
	{0xfe, FIXED, 0},             /* MTRRCAP: neither fixed nor variable ones, */
	{0x2ff, FIXED, 0x806},        /* MTRR_DEF_TYPE: all memory is write-back */
	{0x10a, SHOWN, 0},            /* ARCH_CAPABILITIES */
	{0x10b, COMMAND, 0},          /* FLUSH_CMD */
	{0x140, FIXED, 0},            /* MISC_FEATURES_ENABLES */
	{0x179, FIXED, 0},            /* MCG_CAP: no banks */
	{0x17a, FIXED, 0},            /* MCG_STATUS */
	{0x1a0, SHOWN, 0},            /* MISC_ENABLE */
	{0x1b0, FIXED, 6},            /* ENERGY_PERF_BIAS: balanced */
	{0x1c4, OWN, 0},              /* XFD */
	{0x1d9, LIMITED, 2},          /* DEBUGCTL: single steps by branches */
	{0x345, FIXED, 0},            /* PERF_CAPABILITIES: of no counters */
	{0xda0, FIXED, 0},            /* XSS */
	{0xc0010010, FIXED, 0},       /* AMD's SYSCFG: no TOP_MEM2 */
	{0xc0010015, SHOWN, 0},       /* HWCR */
	{0xc0010055, FIXED, 0},       /* no message of the C1 state, which Linux looks for */
	{0xc001011f, OWN, 0},         /* VIRT_SPEC_CTRL */
	{0xc0010140, SHOWN, 0},       /* OSVW */
	{0xc0010141, SHOWN, 0},       /* */
	{0xc0011029, SHOWN, 0},       /* DE_CFG */
};

#define MSR_MICROCODE 0x8bu
#define MSR_TSC       0x10u

static const struct rule *find(u32 msr)
{
	for (u32 i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].msr == msr)
			return &rules[i];
	return NULL;
}

bool msr_later_read(u32 msr, u64 *value)
{
	const struct rule *r = find(msr);

	if (r == NULL || r->access == COMMAND)
		return false;
	if (r->access != FIXED)
		return rdmsr_safe(msr, value);
	*value = r->value;
	return true;
}

bool msr_later_write(u32 msr, u64 value)
{
	const struct rule *r = find(msr);
	u64 now;

	if (r == NULL)
		return false;
	switch (r->access) {
	case LIMITED:
		return !(value & ~r->value) && wrmsr_safe(msr, value);
	case OWN:
	case COMMAND:
		return wrmsr_safe(msr, value);
	case SHOWN:
		/* Before it reads the revision of its microcode, software writes 0. */
		if (msr == MSR_MICROCODE && value == 0)
			return true;
		return msr != MSR_TSC && rdmsr_safe(msr, &now) && now == value;
	default:
		return value == r->value;
	}
}
