// SPDX-License-Identifier: MIT
/*
 * One table says which registers there are and how each is read, so that the
 * two cannot drift apart.
 */
#include "mini/snapshot.h"

#include "lib/string.h"
#include "mini/cpu.h"

#define MSR_SYSENTER_CS  0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u
#define MSR_PAT          0x277u

struct source {
	const char *name;
	u64 (*read)(u32 msr);
	u32 msr;
};

#define READER(name_, insn, type)                                                                  \
	static u64 get_##name_(u32 msr)                                                            \
	{                                                                                          \
		type value = 0;                                                                    \
                                                                                                   \
		(void)msr;                                                                         \
		asm volatile(insn : "=r"(value)::"memory");                                        \
		return value;                                                                      \
	}

READER(cr0, "mov %%cr0, %0", u64)
READER(cr2, "mov %%cr2, %0", u64)
READER(cr3, "mov %%cr3, %0", u64)
READER(cr4, "mov %%cr4, %0", u64)
READER(cr8, "mov %%cr8, %0", u64)
READER(dr0, "mov %%dr0, %0", u64)
READER(dr1, "mov %%dr1, %0", u64)
READER(dr2, "mov %%dr2, %0", u64)
READER(dr3, "mov %%dr3, %0", u64)
READER(dr6, "mov %%dr6, %0", u64)
READER(dr7, "mov %%dr7, %0", u64)
READER(cs, "mov %%cs, %0", u16)
READER(ds, "mov %%ds, %0", u16)
READER(es, "mov %%es, %0", u16)
READER(fs, "mov %%fs, %0", u16)
READER(gs, "mov %%gs, %0", u16)
READER(ss, "mov %%ss, %0", u16)
READER(tr, "str %0", u16)
READER(ldtr, "sldt %0", u16)

#define TABLE_READER(name_, insn)                                                                  \
	static u64 get_##name_##_base(u32 msr)                                                     \
	{                                                                                          \
		struct table_register r;                                                           \
                                                                                                   \
		(void)msr;                                                                         \
		asm volatile(insn : "=m"(r)::"memory");                                            \
		return r.base;                                                                     \
	}                                                                                          \
	static u64 get_##name_##_limit(u32 msr)                                                    \
	{                                                                                          \
		struct table_register r;                                                           \
                                                                                                   \
		(void)msr;                                                                         \
		asm volatile(insn : "=m"(r)::"memory");                                            \
		return r.limit;                                                                    \
	}

TABLE_READER(gdtr, "sgdt %0")
TABLE_READER(idtr, "sidt %0")

static const struct source sources[NR_SNAPSHOT] = {
	{"CR0", get_cr0, 0},
	{"CR2", get_cr2, 0},
	{"CR3", get_cr3, 0},
	{"CR4", get_cr4, 0},
	{"CR8", get_cr8, 0},
	{"DR0", get_dr0, 0},
	{"DR1", get_dr1, 0},
	{"DR2", get_dr2, 0},
	{"DR3", get_dr3, 0},
	{"DR6", get_dr6, 0},
	{"DR7", get_dr7, 0},
	{"CS", get_cs, 0},
	{"DS", get_ds, 0},
	{"ES", get_es, 0},
	{"FS", get_fs, 0},
	{"GS", get_gs, 0},
	{"SS", get_ss, 0},
	{"TR", get_tr, 0},
	{"LDTR", get_ldtr, 0},
	{"GDTR base", get_gdtr_base, 0},
	{"GDTR limit", get_gdtr_limit, 0},
	{"IDTR base", get_idtr_base, 0},
	{"IDTR limit", get_idtr_limit, 0},
	{"EFER", read_msr, MSR_EFER},
	{"STAR", read_msr, MSR_STAR},
	{"LSTAR", read_msr, MSR_LSTAR},
	{"CSTAR", read_msr, MSR_CSTAR},
	{"SFMASK", read_msr, MSR_SFMASK},
	{"FS base", read_msr, MSR_FS_BASE},
	{"GS base", read_msr, MSR_GS_BASE},
	{"kernel GS base", read_msr, MSR_KERNEL_GS_BASE},
	{"SYSENTER CS", read_msr, MSR_SYSENTER_CS},
	{"SYSENTER ESP", read_msr, MSR_SYSENTER_ESP},
	{"SYSENTER EIP", read_msr, MSR_SYSENTER_EIP},
	{"PAT", read_msr, MSR_PAT},
	{"APIC base", read_msr, MSR_APIC_BASE},
};

void snapshot_take(struct snapshot *s)
{
	for (size_t i = 0; i < NR_SNAPSHOT; i++)
		s->value[i] = sources[i].read(sources[i].msr);
}

const char *snapshot_difference(const struct snapshot *a, const struct snapshot *b)
{
	for (size_t i = 0; i < NR_SNAPSHOT; i++) {
		if (a->value[i] != b->value[i])
			return sources[i].name;
	}
	return NULL;
}

void snapshot_copy(struct snapshot *to, const struct snapshot *from, const char *name)
{
	for (size_t i = 0; i < NR_SNAPSHOT; i++)
		if (strncmp(sources[i].name, name, strlen(name)) == 0)
			to->value[i] = from->value[i];
}
