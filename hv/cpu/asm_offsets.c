// SPDX-License-Identifier: MIT
/*
 * Offsets and constants for assembly, generated: the build compiles this to
 * assembly and turns each `->NAME value` line into a #define of
 * build/gen/cpu/asm_offsets.h, so that C and assembly cannot disagree.
 */
#include "cpu/descriptors.h"
#include "cpu/fast.h"
#include "cpu/percpu.h"
#include "cpu/real_tables.h"
#include "cpu/vcpu.h"
#include "domain/start_area.h"
#include "hypercall/hypercall.h"
#include "mem/own_tables.h"
#include "public/hypercall.h"

#define DEFINE(name, value)                                                                        \
	__asm__ volatile("\n.ascii \"->" #name " %c0\"\n" : : "i"((long)(value)))

void asm_offsets(void);

void asm_offsets(void)
{
	DEFINE(FIRST_SLOT, VL_FIRST_SLOT);
	DEFINE(MAX_SLOTS, VL_MAX_SLOTS);
	DEFINE(COUNT_ENTRY, (VL_COUNT_SLOT - VL_FIRST_SLOT) * 8);
	DEFINE(COUNT_LOCK, OWN_COUNT_LOCK);
	DEFINE(HYPERCALL_DATA, VL_HYPERCALL_DATA_OFFSET);
	DEFINE(DATA_DIRECT_MAP, offsetof(struct vl_hypercall_data, direct_map));
	DEFINE(DATA_ENTRY, offsetof(struct vl_hypercall_data, entry));
	DEFINE(DATA_NR_SLOTS, offsetof(struct vl_hypercall_data, nr_slots));
	DEFINE(DATA_SLOT, offsetof(struct vl_hypercall_data, slot));
	DEFINE(FRAME_RAX, offsetof(struct trap_frame, rax));
	DEFINE(FRAME_RBX, offsetof(struct trap_frame, rbx));
	DEFINE(FRAME_RSP, offsetof(struct trap_frame, rsp));
	DEFINE(HYPERCALL_NMI, HYPERCALL_NMI);
	DEFINE(HYPERCALL_VIRTUALIZED, HYPERCALL_VIRTUALIZED);
	DEFINE(FIRST_INTERRUPT, FIRST_INTERRUPT);
	DEFINE(EXCEPTION_STUB, EXCEPTION_STUB);
	DEFINE(INTERRUPT_STUB, INTERRUPT_STUB);
	DEFINE(FRAME_CS, offsetof(struct trap_frame, cs));
	DEFINE(FRAME_VECTOR, offsetof(struct trap_frame, vector));
	DEFINE(FRAME_SIZE, sizeof(struct trap_frame));
	DEFINE(VECTOR_NMI, VECTOR_NMI);
	DEFINE(VECTOR_MC, VECTOR_MC);
	DEFINE(ENODEV, VL_ENODEV);
	DEFINE(CPU_STACK_TOP, offsetof(struct cpu, stack_top));
	DEFINE(BLOCK_TABLES, BLOCK_TABLES);
	DEFINE(FAST_CROSSING, offsetof(struct cpu, fast.crossing));
	DEFINE(FAST_CPL, offsetof(struct cpu, fast.crossing.cpl));
	DEFINE(CROSSING_USER, 3);
	DEFINE(CROSSING_KERNEL, 0);
	DEFINE(CROSSING_KERNEL_BY_SYSCALL, 1 << 8 * offsetof(struct crossing, by_syscall));
	DEFINE(FAST_USER_TOP, offsetof(struct cpu, fast.top[0]));
	DEFINE(FAST_KERNEL_TOP, offsetof(struct cpu, fast.top[1]));
	DEFINE(FAST_FAULTS, offsetof(struct cpu, fast.faults));
	DEFINE(FAST_VCPU, offsetof(struct cpu, vcpu));
	DEFINE(FAST_PREFILL, offsetof(struct cpu, fast.prefill));
	DEFINE(FAST_INFO, offsetof(struct cpu, fast.info));
	DEFINE(FAST_SYSRET_SITE, offsetof(struct cpu, fast.sysret_site));
	DEFINE(FAST_IRET_SITE, offsetof(struct cpu, fast.iret_site));
	DEFINE(FAST_SWAPGS_SITE, offsetof(struct cpu, fast.swapgs_site));
	DEFINE(NR_PLAIN_SITES, NR_PLAIN_SITES);
	DEFINE(FAST_KERNEL_IRET_SITE, offsetof(struct cpu, fast.kernel_iret_site));
	DEFINE(FAST_KERNEL_CS, offsetof(struct cpu, fast.kernel_cs));
	DEFINE(FAST_KERNEL_SS, offsetof(struct cpu, fast.kernel_ss));
	DEFINE(FAST_BY_IRET, offsetof(struct cpu, fast.crossing.by_iret));
	DEFINE(INFO_PENDING, offsetof(struct vl_vcpu_info, pending));
	DEFINE(FAST_CALL_SITE, offsetof(struct cpu, fast.call_site));
	DEFINE(FAST_ENTRY, offsetof(struct cpu, fast.entry));
	DEFINE(FAST_ENTRY_RSP, offsetof(struct cpu, fast.entry.rsp));
	DEFINE(ACCESS_GUEST_CS, REAL_ACCESS_OFFSET(REAL_GUEST_CS));
	DEFINE(ACCESS_GUEST_SS, REAL_ACCESS_OFFSET(REAL_GUEST_SS));
	DEFINE(ACCESS_USER_CS, REAL_ACCESS_OFFSET(FAST_USER_CS));
	DEFINE(ACCESS_USER_CS32, REAL_ACCESS_OFFSET(FAST_USER_CS32));
	DEFINE(REAL_IOMAP_BASE,
	       offsetof(struct real_tables, tss) + offsetof(struct tss, iomap_base));
	DEFINE(IOMAP_BASE_CLOSED, IOMAP_CLOSED);
	DEFINE(OWN_SS, REAL_DATA);
	DEFINE(GUEST_CS, REAL_GUEST_CS);
	DEFINE(GUEST_SS, REAL_GUEST_SS);
	DEFINE(USER_CS, FAST_USER_CS);
	DEFINE(USER_SS, FAST_USER_SS);
	DEFINE(NR_FAST_CALLS, NR_FAST_CALLS);
	DEFINE(FAST_CALLS_FIRST, FAST_CALLS_FIRST);
	DEFINE(SYSCALL_CS, 0x33);
	DEFINE(SYSCALL_CS32, 0x23);
	DEFINE(SYSCALL_SS, 0x2b);
	DEFINE(EXIT_SYSCALL_VECTOR, EXIT_VECTOR_SYSCALL);
	DEFINE(EXIT_SYSENTER_VECTOR, EXIT_VECTOR_SYSENTER);
	DEFINE(EXIT_SYSCALL32_VECTOR, EXIT_VECTOR_SYSCALL32);
	DEFINE(START_GDT_REGISTER, offsetof(struct start_head, gdt_register));
	DEFINE(START_IDT_REGISTER, offsetof(struct start_head, idt_register));
	DEFINE(START_STACK,
	       offsetof(struct start_head, stack) + sizeof(((struct start_head *)0)->stack));
	DEFINE(START_TRAMPOLINE, offsetof(struct start_head, trampoline));
	DEFINE(START_TRAMPOLINE_SIZE, sizeof(((struct start_head *)0)->trampoline));
	DEFINE(START_INFO, offsetof(struct start_head, info));
	DEFINE(START_GUEST_CS, START_GUEST_CS);
	DEFINE(START_GUEST_DS, START_GUEST_DS);
}
