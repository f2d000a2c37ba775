// SPDX-License-Identifier: MIT
/*
 * The real descriptor tables while a guest is virtualized. Owns invariants S5
 * (a user can see exactly the guest's own ring-3 descriptors: Vellum's
 * selector for guest-kernel code has access byte 0 while the virtual CPL is 3)
 * and S6 (while it is 0, the guest's ring-3 code descriptors have access byte
 * 0, so that no IRET of the guest reaches user code without a trap). Data
 * descriptors that the guest's kernel changes by plain stores, as Linux does
 * with those of TLS, are hidden too while it is 0, unless it tells: then a load
 * of one traps, and finds the descriptor as it stands in memory.
 */
#include "cpu/segments.h"

#include "cpu/block.h"

#include "cpu/decode.h"
#include "cpu/descriptors.h"
#include "cpu/percpu.h"
#include "lib/string.h"
#include "domain/switches.h"
#include "mem/layout.h"

#define DESC_CODE64        0x00af9b000000ffffull
#define DESC_DATA          0x00cf93000000ffffull
#define DESC_DPL3          ((u64)3 << 45)
#define DESC_S             ((u64)1 << 44)
#define DESC_CODE          ((u64)1 << 43)
#define DESC_L             ((u64)1 << 53)
#define DESC_D             ((u64)1 << 54)
#define DESC_P             ((u64)1 << 47)
#define DESC_READABLE      ((u64)1 << 41)
#define DESC_ACCESS        ((u64)0xff << 40)
#define DESC_BASE          0xff0000ffffff0000ull
#define ACCESS_P           0x80
#define ACCESS_CODE        0x08
#define ACCESS_RW          0x02
#define DESC_TSS           0x89
#define DESC_BUSY          ((u64)1 << 41)
#define DESC_LDT           0x82
#define GATE_INTERRUPT     0x8e
#define GATE_DPL3          0x60
#define ACCESS_USER_CODE   0xfb /* present, ring 3, code, readable, accessed */
#define ACCESS_USER_STACK  0xf2 /* present, ring 3, data, writable */
#define ACCESS_ACCESSED    0x01
#define ACCESS_EXPAND_DOWN 0x04

extern const char syscall_entry[], syscall_slow[], syscall32_entry[], sysenter_entry[];
extern const char fast_general_protection[], fast_page_fault[]; /* fast.S */

static struct segments *own(void)
{
	return &this_block()->segments;
}

static void set_system_descriptor(u64 *entry, u64 base, u32 limit, u32 type)
{
	entry[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | (u64)type << 40 |
		   (u64)(limit >> 16 & 0xf) << 48 | (base >> 24 & 0xff) << 56;
	entry[1] = base >> 32;
}

static void fill_tss(struct cpu *cpu, struct real_tables *tables)
{
	struct real_tss *tss = &tables->tss;

	tss->tss.rsp[0] = cpu->stack_top;
	for (u32 i = 0; i < NR_IST; i++)
		tss->tss.ist[i] = (u64)(cpu->ist_stack[i] + IST_STACK_SIZE);
	tss->end = 0xff;
	set_system_descriptor(&tables->gdt[REAL_TSS / 8], (u64)tss, sizeof(*tss) - 1, DESC_TSS);
}

/* Vellum's GDT is loaded only while virtualized: before that, segments_load_real() does it. */
static void load_ldt(bool any)
{
	if (this_cpu()->vcpu != NULL)
		__asm__ volatile("lldt %0" : : "r"((u16)(any ? REAL_LDT : 0)) : "memory");
}

/*
 * Data is hidden only where the mirror can be behind the guest's table: the guest's kernel itself
 * uses the others (LSL of Linux's per-CPU descriptor). A base is what TLS has, from the start.
 */
static bool hides(const struct mirror *m, u32 i, u64 d)
{
	if (d & DESC_CODE)
		return true;
	return m->stored != NULL && (d & DESC_P) &&
	       ((d & DESC_BASE) != 0 || (m->stored[i / 64] >> (i % 64) & 1));
}

static void enter_segment(struct mirror *m, u32 i, u64 d)
{
	m->entry[i] = d;
	if (hides(m, i, d)) {
		m->access[i] = (u8)(d >> 40);
		m->hides[i / 64] |= (u64)1 << (i % 64);
	}
}

/* Enter `count` of the guest's descriptors from entry `first` on; its own ring-3 segments only. */
static void mirror_entries(struct mirror *m, u32 first, const u64 *descriptor, u32 count)
{
	for (u32 i = 0; i < count; i++)
		if ((descriptor[i] & (DESC_S | DESC_DPL3)) == (DESC_S | DESC_DPL3))
			enter_segment(m, first + i, descriptor[i]);
}

static void show_hidden(const struct mirror *m, bool visible)
{
	for (u32 word = 0; word < m->words; word++)
		for (u64 bits = m->hides[word]; bits != 0; bits &= bits - 1) {
			u32 i = word * 64 + (u32)__builtin_ctzll(bits);

			m->entry[i] &= ~DESC_ACCESS;
			if (visible)
				m->entry[i] |= (u64)m->access[i] << 40;
		}
}

static bool mirror_gdt(struct vcpu *v)
{
	u32 entries = ((u32)v->gdt.limit + 1) / 8;
	struct segments *s = own();
	struct exception fault;

	if (entries > REAL_CODE / 8 ||
	    !guest_read(v, v->gdt.base, s->guest_gdt, (size_t)entries * 8, 0, &fault))
		return false;
	v->gate_cs = 0;
	memset(s->gdt.entry, 0, (size_t)max_u64(entries, s->guest_gdt_entries) * 8);
	for (u32 i = 0; i < ARRAY_SIZE(s->gdt_hides); i++)
		s->gdt_hides[i] = 0;
	s->gdt.stored = v->domain->features & VL_FEATURE_DESCRIPTORS ? NULL : s->gdt_stored;
	s->guest_gdt_entries = entries;
	if (entries > 1)
		mirror_entries(&s->gdt, 1, &s->guest_gdt[1], entries - 1);
	return true;
}

bool segments_mirror(struct vcpu *v)
{
	if (!mirror_gdt(v))
		return false;
	segments_mirror_ldt(v);
	segments_set_cpl(v, v->cpl);
	return true;
}

/* Its hidden part, by the descriptor; SLDT and STR do not tell it. */
static bool capture_system_segment(struct system_segment *s)
{
	u32 i = s->selector / 8;
	const u64 *d = &own()->guest_gdt[i];

	if ((s->selector & ~3) == 0)
		return true;
	if (i + 2 > own()->guest_gdt_entries)
		return false;
	s->base = (d[0] >> 16 & 0xffffff) | (d[0] >> 56) << 24 | d[1] << 32;
	s->limit = (u32)((d[0] & 0xffff) | (d[0] >> 48 & 0xf) << 16);
	return true;
}

bool segments_capture(struct vcpu *v)
{
	if (!mirror_gdt(v) || !capture_system_segment(&v->ldt) || !capture_system_segment(&v->tr))
		return false;
	segments_mirror_ldt(v);
	segments_set_cpl(v, v->cpl);
	return true;
}

/* What IRETQ takes as SS with 64-bit code, whatever else it is. */
static bool is_stack(u64 d)
{
	const u64 free = (u64)(ACCESS_ACCESSED | ACCESS_EXPAND_DOWN) << 40;

	return (d & DESC_ACCESS & ~free) == (u64)ACCESS_USER_STACK << 40;
}

bool segments_are_plain(void)
{
	const struct segments *s = own();
	const u64 *gdt = s->gdt.entry;

	return s->ldt.words == 0 && is_stack(gdt[FAST_USER_SS / 8]) &&
	       (gdt[FAST_USER_CS / 8] & (DESC_L | DESC_D)) == DESC_L &&
	       s->gdt_hides[0] == (1u << FAST_USER_CS32 / 8 | 1u << FAST_USER_CS / 8) &&
	       (s->gdt_hides[1] | s->gdt_hides[2] | s->gdt_hides[3]) == 0 &&
	       s->gdt_access[FAST_USER_CS32 / 8] == ACCESS_USER_CODE &&
	       s->gdt_access[FAST_USER_CS / 8] == ACCESS_USER_CODE;
}

static void note_stored(const u64 *now, u32 first, u32 count)
{
	struct segments *s = own();

	for (u32 i = first; i < first + count; i++)
		if (now[i - first] != s->guest_gdt[i])
			s->gdt_stored[i / 64] |= (u64)1 << (i % 64);
}

bool segments_refresh(struct vcpu *v)
{
	u64 size = min_u64((u64)v->gdt.limit + 1, REAL_CODE) & ~(u64)7;
	struct exception fault;
	bool changed = false;
	u64 now[16];

	for (u64 at = 0; at < size; at += sizeof(now)) {
		size_t part = (size_t)min_u64(size - at, sizeof(now));

		if (guest_read(v, v->gdt.base + at, now, part, 0, &fault) &&
		    memcmp(now, own()->guest_gdt + at / 8, part) != 0) {
			note_stored(now, (u32)at / 8, (u32)part / 8);
			changed = true;
		}
	}
	if (changed)
		segments_mirror(v);
	return changed;
}

/* A page of the LDT that cannot be read leaves the rest empty: loads from it then fault. */
void segments_mirror_ldt(struct vcpu *v)
{
	u32 entries = (v->ldt.selector & ~3) != 0
			      ? (u32)min_u64((v->ldt.limit + 1) / 8, MIRROR_LDT_ENTRIES)
			      : 0;
	u32 words = (entries + 63) / 64, part;
	struct mirror *ldt = &own()->ldt;
	struct exception fault;
	u64 copy[32];

	if (entries == 0 && ldt->words == 0) {
		load_ldt(false);
		return;
	}
	memset(ldt->entry, 0, (size_t)max_u64(ldt->words, words) * 64 * 8);
	memset(ldt->hides, 0, (size_t)max_u64(ldt->words, words) * 8);
	ldt->words = words;
	for (u32 first = 0; first < entries; first += part) {
		part = (u32)min_u64(entries - first, ARRAY_SIZE(copy));
		if (!guest_read(v, v->ldt.base + (u64)first * 8, copy, (size_t)part * 8, 0, &fault))
			break;
		mirror_entries(ldt, first, copy, part);
	}
	set_system_descriptor(&this_tables()->gdt[REAL_LDT / 8], (u64)ldt->entry, entries * 8 - 1,
			      DESC_LDT);
	if (v->cpl == 0)
		show_hidden(ldt, false);
	load_ldt(entries > 0);
}

static void load_data_register(u8 reg, u16 selector)
{
	u32 value = selector;

	if (reg == SEG_ES)
		__asm__ volatile("movl %0, %%es" : : "r"(value) : "memory");
	else if (reg == SEG_DS)
		__asm__ volatile("movl %0, %%ds" : : "r"(value) : "memory");
	else if (reg == SEG_FS)
		__asm__ volatile("movl %0, %%fs" : : "r"(value) : "memory");
	else
		__asm__ volatile("movl %0, %%gs" : : "r"(value) : "memory");
}

static const struct mirror *mirror_of(u16 selector)
{
	return selector & 4 ? &own()->ldt : &own()->gdt;
}

bool segments_load_hidden(struct vcpu *v, u8 reg, u16 selector)
{
	const struct mirror *m = mirror_of(selector);
	u32 i = selector / 8;

	(void)v;
	if (i / 64 >= m->words || !(m->hides[i / 64] >> (i % 64) & 1))
		return false;
	/* Present, and data or readable, which the processor would check. */
	if (!(m->access[i] & ACCESS_P) || (m->access[i] & (ACCESS_CODE | ACCESS_RW)) == ACCESS_CODE)
		return false;
	show_hidden(m, true);
	load_data_register(reg, selector);
	show_hidden(m, false);
	return true;
}

bool segments_is_stack16(u16 ss)
{
	const struct mirror *m = mirror_of(ss);
	u64 d = (u32)ss / 8 < m->words * 64 ? m->entry[ss / 8] : 0;

	return (ss & ~3) != 0 && (d & DESC_S) && !(d & DESC_CODE) && !(d & DESC_D);
}

enum decode_mode segments_code_mode(u16 cs, u64 *base)
{
	const struct mirror *m = mirror_of(cs);
	u64 d = (u32)cs / 8 < m->words * 64 ? m->entry[cs / 8] : 0;

	*base = 0;
	if (d & DESC_L)
		return DECODE_64;
	*base = (d >> 16 & 0xffffff) | (d >> 56) << 24;
	return d & DESC_D ? DECODE_32 : DECODE_16;
}

void segments_set_cpl(struct vcpu *v, u8 cpl)
{
	struct cpu_block *b = this_block();

	if (v->cpl == 3 && cpl == 0)
		v->gs_user = true;
	v->cpl = cpl;
	/* Hidden by the access byte, as fast.S does it. */
	b->tables.gdt[REAL_GUEST_CS / 8] =
		(DESC_CODE64 | DESC_DPL3) & (cpl == 0 ? ~(u64)0 : ~DESC_ACCESS);
	b->tables.gdt[REAL_GUEST_SS / 8] =
		(DESC_DATA | DESC_DPL3) & (cpl == 0 ? ~(u64)0 : ~DESC_ACCESS);
	show_hidden(&b->segments.gdt, cpl != 0);
	if (b->segments.ldt.words != 0)
		show_hidden(&b->segments.ldt, cpl != 0);
	b->tables.tss.tss.iomap_base =
		cpl == 0 && domain_owns_machine(v->domain) ? IOMAP_OPEN : IOMAP_CLOSED;
}

static RARELY_USED void fill_idt(struct gate *idt)
{
	for (u32 vector = 0; vector < NR_VECTORS; vector++) {
		u64 entry = exception_entry(vector);
		u8 ist = 0;

		if (vector == VECTOR_GP)
			entry = (u64)fast_general_protection;
		if (vector == VECTOR_PF)
			entry = (u64)fast_page_fault;
		if (vector == VECTOR_DF || vector == VECTOR_NMI || vector == VECTOR_MC)
			ist = vector == VECTOR_DF ? 1 : vector == VECTOR_NMI ? 2 : 3;
		else if (vector == VECTOR_DB)
			ist = 3;
		idt[vector] = (struct gate){
			.offset_low = (u16)entry,
			.selector = REAL_CODE,
			.ist = ist,
			.type = GATE_INTERRUPT,
			.offset_middle = (u16)(entry >> 16),
			.offset_high = (u32)(entry >> 32),
		};
	}
}

/* Those of the guest's gates that it may have opened to ring 3. */
static const u8 mirrored_gates[] = {3, 4, 0x80};

static void close_gates(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(mirrored_gates); i++)
		this_tables()->idt[mirrored_gates[i]].type = GATE_INTERRUPT;
}

void segments_mirror_gates(struct vcpu *v)
{
	struct exception fault;

	v->gates_unread = false;
	for (u32 i = 0; i < ARRAY_SIZE(mirrored_gates); i++) {
		u32 offset = (u32)mirrored_gates[i] * sizeof(struct gate);
		struct gate gate = {0};

		if (offset + sizeof(gate) - 1 <= v->idt.limit)
			guest_read(v, v->idt.base + offset, &gate, sizeof(gate), 0, &fault);
		this_tables()->idt[mirrored_gates[i]].type =
			(u8)(GATE_INTERRUPT | (gate.type & GATE_DPL3));
	}
}

bool segments_gate_is_open(u8 vector)
{
	return (this_tables()->idt[vector].type & GATE_DPL3) == GATE_DPL3;
}

void segments_init(struct cpu_block *b)
{
	b->tables.gdt[REAL_CODE / 8] = DESC_CODE64;
	b->tables.gdt[REAL_DATA / 8] = DESC_DATA;
	fill_tss(&b->stack.cpu, &b->tables);
	fill_idt(b->tables.idt);
	b->segments.gdt = (struct mirror){
		.entry = b->tables.gdt,
		.access = b->segments.gdt_access,
		.hides = b->segments.gdt_hides,
		.words = REAL_GDT_ENTRIES / 64,
	};
	b->segments.ldt = (struct mirror){
		.entry = b->ldt,
		.access = b->ldt_access,
		.hides = b->ldt_hides,
	};
}

static void load_code_segment(u64 selector)
{
	__asm__ volatile("pushq %0\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:"
			 :
			 : "r"(selector)
			 : "rax", "memory");
}

/* 0 makes SYSENTER fault, and that must be the guest's choice. */
void segments_update_sysenter(const struct vcpu *v)
{
	wrmsr(MSR_SYSENTER_CS, (v->sysenter_cs & 0xfffc) != 0 ? REAL_CODE : 0);
}

static void load_system_call_msrs(const struct vcpu *v)
{
	wrmsr(MSR_STAR, (v->star >> 48) << 48 | (u64)REAL_CODE << 32);
	wrmsr(MSR_LSTAR, (u64)(switches.fast & VL_FAST_SYSCALL ? syscall_entry : syscall_slow));
	wrmsr(MSR_CSTAR, (u64)syscall32_entry);
	wrmsr(MSR_SFMASK, REAL_SFMASK);
	segments_update_sysenter(v);
	wrmsr(MSR_SYSENTER_ESP, this_cpu()->stack_top);
	wrmsr(MSR_SYSENTER_EIP, (u64)sysenter_entry);
}

/*
 * S1: until LIDT, an NMI goes through a gate that uses no IST and names the guest's code segment.
 * So that is ring 0's in Vellum's GDT, too, as long; and TR comes before the gates that use an IST.
 */
static void load_real_tables(struct real_tables *tables, u16 guest_cs)
{
	struct table_register gdt = {.base = (u64)tables->gdt, .limit = sizeof(tables->gdt) - 1};
	struct table_register idt = {.base = (u64)tables->idt, .limit = sizeof(tables->idt) - 1};
	u64 *at_cs = &tables->gdt[guest_cs / 8], mirrored = *at_cs;
	u16 data = REAL_DATA;

	*at_cs = DESC_CODE64;
	lgdt(&gdt);
	load_code_segment(REAL_CODE);
	__asm__ volatile("movl %0, %%ss" : : "r"((u32)data) : "memory");
	tables->gdt[REAL_TSS / 8] &= ~DESC_BUSY; /* set by the LTR of the last time */
	ltr(REAL_TSS);
	lidt(&idt);
	*at_cs = mirrored;
}

static void load_tables(const struct vcpu *v, u16 nmi_cs)
{
	load_real_tables(this_tables(), nmi_cs);
	__asm__ volatile("lldt %0" : : "r"((u16)(own()->ldt.words != 0 ? REAL_LDT : 0)) : "memory");
	load_system_call_msrs(v);
}

void segments_load_real(struct vcpu *v)
{
	close_gates();
	v->gates_unread = true;
	load_tables(v, (u16)v->frame->cs);
}

void segments_switch(struct cpu_block *b)
{
	load_tables(&b->vcpu, REAL_CODE); /* which the gates of the other block name */
}

void segments_load_data(struct cpu_block *b, const u16 selector[4])
{
	static bool (*const load[4])(u32) = {load_es_safe, load_ds_safe, load_fs_safe,
					     load_gs_safe};

	show_hidden(&b->segments.gdt, true);
	show_hidden(&b->segments.ldt, true);
	for (u32 i = 0; i < ARRAY_SIZE(load); i++)
		if (!load[i](selector[i]))
			load[i](0);
	show_hidden(&b->segments.gdt, b->vcpu.cpl != 0);
	show_hidden(&b->segments.ldt, b->vcpu.cpl != 0);
}

static bool is_data_of_ring0(struct vcpu *v, u16 selector)
{
	struct exception fault;
	u64 d;

	if ((selector & ~3) == 0)
		return true;
	return !(selector & 4) && (selector | 7u) <= v->gdt.limit &&
	       guest_read(v, v->gdt.base + (selector & ~7u), &d, sizeof(d), 0, &fault) &&
	       (d & DESC_S) && (d & DESC_P) && (!(d & DESC_CODE) || (d & DESC_READABLE));
}

bool segments_can_leave(struct vcpu *v)
{
	const struct trap_frame *f = v->frame;
	struct exception fault;

	return iret_allowed(v, (u16)f->cs & 0xfffc, (u16)f->ss & 0xfffc, f->rip, &fault) &&
	       is_data_of_ring0(v, v->data[0]) && is_data_of_ring0(v, v->data[1]);
}

/*
 * LTR writes the busy bit, and the guest's GDT is often loaded through a read-only alias: so TR is
 * loaded from Vellum's GDT, from a copy of the guest's descriptor at the same index, and only then
 * comes the guest's GDT. LDTR likewise: the guest may have changed its descriptor since.
 *
 * S1: before that, the IDT of hypercalls in passthrough, whose gates fit both GDTs as in
 * load_real_tables(), and any TR; and behind it the guest's code segment, to which its own NMI
 * handler can return.
 */
static void load_guest_tables(struct vcpu *v, u64 *gdt, u16 cs)
{
	u32 index = v->tr.selector / 8, ldt_index = v->ldt.selector / 8;
	u64 *at_cs = &gdt[cs / 8], mirrored = *at_cs;
	struct table_register vellums;

	*at_cs = DESC_CODE64;
	descriptors_enter(this_cpu(), cs, &vellums);
	if (index != 0 && index + 1 < REAL_CODE / 8) {
		set_system_descriptor(&gdt[index], v->tr.base, v->tr.limit, DESC_TSS);
		ltr(v->tr.selector);
	}
	if (ldt_index != 0 && ldt_index + 1 < REAL_CODE / 8)
		set_system_descriptor(&gdt[ldt_index], v->ldt.base, v->ldt.limit, DESC_LDT);
	__asm__ volatile("lldt %0" : : "r"(v->ldt.selector) : "memory");
	lgdt(&v->gdt);
	load_code_segment(cs);
	__asm__ volatile("movl %0, %%ss" : : "r"(0) : "memory");
	*at_cs = mirrored;
}

void segments_load_guest(struct vcpu *v)
{
	wrmsr(MSR_STAR, v->star);
	wrmsr(MSR_LSTAR, v->lstar);
	wrmsr(MSR_CSTAR, v->cstar);
	wrmsr(MSR_SFMASK, v->sfmask);
	wrmsr(MSR_SYSENTER_CS, v->sysenter_cs);
	wrmsr(MSR_SYSENTER_ESP, v->sysenter_esp);
	wrmsr(MSR_SYSENTER_EIP, v->sysenter_eip);
	load_guest_tables(v, this_tables()->gdt, (u16)v->frame->cs & 0xfffc);
}
