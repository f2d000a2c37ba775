// SPDX-License-Identifier: MIT
/*
 * GDT, TSS and IDT of one CPU. Owns invariant S1: whatever tables are loaded,
 * an NMI at any instruction finds a gate, a code segment and a stack that fit
 * together.
 */
#include "cpu/descriptors.h"

#define GATE_INTERRUPT 0x8e /* present, DPL 0, 64-bit interrupt gate */
#define DESC_CODE64    0x00af9b000000ffffull
#define DESC_DATA      0x00cf93000000ffffull
#define DESC_TSS       0x89 /* present, available 64-bit TSS */
#define IST_DOUBLE     1
#define IST_NMI        2
#define IST_MACHINE    3

extern const char exception_stubs[], interrupt_stubs[];

u64 exception_entry(u32 vector)
{
	if (vector < FIRST_INTERRUPT)
		return (u64)(exception_stubs + vector * EXCEPTION_STUB);
	return (u64)(interrupt_stubs + (vector - FIRST_INTERRUPT) * INTERRUPT_STUB);
}

static void set_gate(struct gate *gate, u32 vector, u8 ist)
{
	u64 entry = exception_entry(vector);

	*gate = (struct gate){
		.offset_low = (u16)entry,
		.selector = GDT_CODE,
		.ist = ist,
		.type = GATE_INTERRUPT,
		.offset_middle = (u16)(entry >> 16),
		.offset_high = (u32)(entry >> 32),
	};
}

static u8 ist_of(u32 vector)
{
	switch (vector) {
	case VECTOR_DF:
		return IST_DOUBLE;
	case VECTOR_NMI:
		return IST_NMI;
	case VECTOR_MC:
		return IST_MACHINE;
	default:
		return 0;
	}
}

static void fill_gdt(struct cpu *cpu)
{
	u64 base = (u64)&cpu->tss;

	cpu->gdt[GDT_CODE / 8] = DESC_CODE64;
	cpu->gdt[GDT_DATA / 8] = DESC_DATA;
	cpu->gdt[GDT_TSS / 8] = (sizeof(cpu->tss) - 1) | (base & 0xffffff) << 16 |
				(u64)DESC_TSS << 40 | (base >> 24 & 0xff) << 56;
	cpu->gdt[GDT_TSS / 8 + 1] = base >> 32;
	cpu->gdt_register.base = (u64)cpu->gdt;
	cpu->gdt_register.limit = sizeof(cpu->gdt) - 1;
}

static void fill_idt(struct cpu *cpu)
{
	for (u32 vector = 0; vector < NR_EXCEPTIONS; vector++) {
		set_gate(&cpu->idt[0][vector], vector, ist_of(vector));
		set_gate(&cpu->idt[1][vector], vector, 0);
	}
	for (u32 i = 0; i < ARRAY_SIZE(cpu->idt); i++) {
		cpu->idt_register[i].base = (u64)cpu->idt[i];
		cpu->idt_register[i].limit = sizeof(cpu->idt[i]) - 1;
	}
}

static void reload_code_segment(void)
{
	__asm__ volatile("pushq %0\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:"
			 :
			 : "i"(GDT_CODE)
			 : "rax", "memory");
}

void descriptors_fill(struct cpu *cpu)
{
	for (u32 i = 0; i < NR_IST; i++)
		cpu->tss.ist[i] = (u64)(cpu->ist_stack[i] + IST_STACK_SIZE);
	cpu->tss.iomap_base = sizeof(cpu->tss);
	fill_gdt(cpu);
	fill_idt(cpu);
}

void descriptors_init(struct cpu *cpu)
{
	cpu->host = cpu;
	descriptors_fill(cpu);
	lgdt(&cpu->gdt_register);
	reload_code_segment();
	lidt(&cpu->idt_register[0]);
	ltr(GDT_TSS);
}

void descriptors_enter(struct cpu *cpu, u16 guest_cs, struct table_register *saved)
{
	if (cpu->idt[1][0].selector != guest_cs)
		for (u32 vector = 0; vector < NR_EXCEPTIONS; vector++)
			cpu->idt[1][vector].selector = guest_cs;
	__asm__ volatile("sidt %0" : "=m"(*saved) : : "memory");
	lidt(&cpu->idt_register[1]);
}

void descriptors_leave(const struct table_register *saved)
{
	lidt(saved);
}
