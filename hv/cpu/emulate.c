// SPDX-License-Identifier: MIT
/*
 * Privileged instructions of a guest kernel that runs at ring 3. Each function
 * does what the processor does at ring 0, on the vcpu's state; RIP moves on
 * only when the instruction completes, so that a fault in it has the address
 * that the guest expects.
 */
#include "cpu/fast.h"

#include "cpu/decode.h"
#include "cpu/emulate.h"
#include "cpu/percpu.h"
#include "cpu/ports.h"
#include "cpu/remote.h"
#include "cpu/sched.h"
#include "lib/string.h"
#include "mem/layout.h"
#include "mem/own_tables.h"
#include "shadow/walk.h"

#define OPCODE_HLT 0xf4u

#define DESCRIPTOR_P    ((u64)1 << 47)
#define DESCRIPTOR_RW   ((u64)1 << 41)
#define DESCRIPTOR_CODE ((u64)1 << 43)
#define DESCRIPTOR_S    ((u64)1 << 44)

size_t emulate_fetch(struct vcpu *v, u64 rip, u8 *bytes, size_t n)
{
	size_t first = (size_t)min_u64(n, PAGE_SIZE - rip % PAGE_SIZE);
	u32 access = PF_FETCH | (v->cpl == 3 ? PF_USER : 0);
	struct exception fault;

	/* An instruction may end right before a page that is not there. */
	if (!guest_read(v, rip, bytes, first, access, &fault))
		return 0;
	if (first < n && !guest_read(v, rip + first, bytes + first, n - first, access, &fault))
		return first;
	return n;
}

/* Follow the code behind a swapgs to the return to user mode that it prepares, if it does. */
static bool find_return(struct vcpu *v, u64 rip, struct return_site *site)
{
	u8 window[64];
	int answer;

	memset(site, 0, sizeof(*site));
	do {
		size_t n = emulate_fetch(v, rip + (u64)site->offset, window, sizeof(window));

		answer = n == 0 ? DECODE_UNKNOWN : decode_return_site(window, n, site);
	} while (answer == DECODE_MORE);
	return answer == 0;
}

/* Whether the frame that IRET will pop has its SS in the LDT: then the espfix way is taken. */
static bool takes_espfix(struct vcpu *v, const struct return_site *site)
{
	struct exception fault;
	u16 ss = 0;

	return site->tests_ss &&
	       (!guest_read(v, v->frame->rsp + 32, &ss, sizeof(ss), 0, &fault) || (ss & 4));
}

/*
 * STI holds interrupts off for one more instruction. Kernels rely on it before HLT: an interrupt
 * that is delivered between the two would be slept over. So HLT is done together with its STI.
 */
static void set_interrupt_flag(struct vcpu *v, const struct insn *i)
{
	static const u8 mwait[3] = {0x0f, 0x01, 0xc9};
	bool shadow = !(v->frame->rflags & RFLAGS_IF);
	u8 next[3];

	v->frame->rflags |= RFLAGS_IF;
	emulate_done(v, i);
	if (!shadow || emulate_fetch(v, v->frame->rip, next, sizeof(next)) < sizeof(next))
		return;
	if (next[0] == OPCODE_HLT)
		emulate_hlt(v, &(struct insn){.op = INSN_HLT, .length = 1});
	else if (memcmp(next, mwait, sizeof(mwait)) == 0)
		emulate_mwait(v, &(struct insn){.op = INSN_MWAIT, .length = sizeof(mwait)});
}

/*
 * SWAPGS and, where it is the last step before user mode, the return behind it in one: an IRETQ of
 * the guest must not run by itself, since a user's sigreturn frame may name Vellum's own selector
 * for guest-kernel code, with which it would succeed silently (S7). Where more stands between the
 * two, RFLAGS.NT makes the IRETQ trap (vcpu_to_real_view()). What was found is noted for fast.S.
 * Both GS bases are the guest's own.
 */
static void swap_gs(struct vcpu *v, const struct insn *i)
{
	u64 rip = v->frame->rip;
	struct return_site site;

	__asm__ volatile("swapgs" : : : "memory");
	v->gs_user = !v->gs_user;
	emulate_done(v, i);
	if (!find_return(v, v->frame->rip, &site)) {
		fast_note_site(v, VL_FAST_SWAPGS, rip);
		return;
	}
	if (site.effects || takes_espfix(v, &site))
		return;
	v->frame->rip += (u64)site.offset;
	if (site.end.op == INSN_IRET) {
		if (site.end.size == 8)
			fast_note_site(v, VL_FAST_IRET, rip);
		emulate_iret(v, site.end.size);
	} else {
		if (site.end.size == 8)
			fast_note_site(v, VL_FAST_SYSRET, rip);
		emulate_sysret(v, site.end.size == 8);
	}
}

/* Whether the guest's GDT has a present data segment (or readable code) of ring 0 there. */
static bool is_kernel_data(struct vcpu *v, u16 selector)
{
	u64 va = v->gdt.base + (selector & ~7u), d;
	struct exception fault;

	if ((selector & 7) != 0 || (selector | 7u) > v->gdt.limit)
		return false;
	if (!guest_read(v, va, &d, sizeof(d), 0, &fault) || !(d & DESCRIPTOR_P))
		return false;
	return (d & DESCRIPTOR_S) && (!(d & DESCRIPTOR_CODE) || (d & DESCRIPTOR_RW));
}

/*
 * A selector of ring 0, which ring 3 cannot hold: null takes its place, the value is kept. Or one
 * that the guest's GDT has and the mirror has not yet: a switch of processes stores the next one's
 * TLS descriptors and loads FS and GS without leaving ring 0. Then the instruction runs again.
 */
static bool load_data_segment(struct vcpu *v, const struct insn *i)
{
	u16 selector;

	if (segments_refresh(v))
		return true;
	if (!operand_read(v, i, sizeof(selector), &selector))
		return true;
	if (i->reg != SEG_SS && segments_load_hidden(v, i->reg, selector)) {
		emulate_done(v, i);
		return true;
	}
	if ((selector & ~3) == 0 ? i->reg != SEG_SS || selector != 0 : !is_kernel_data(v, selector))
		return false;
	if (i->reg == SEG_SS)
		v->frame->ss = selector;
	else if (i->reg == SEG_DS)
		__asm__ volatile("movl %0, %%ds" : : "r"(0) : "memory");
	else if (i->reg == SEG_ES)
		__asm__ volatile("movl %0, %%es" : : "r"(0) : "memory");
	else
		return false;
	emulate_done(v, i);
	return true;
}

/* RETF and IRET's little brother: to ring 0 only, with the guest's own selector. */
static void far_return(struct vcpu *v, const struct insn *i)
{
	u64 words[2] = {0};
	u8 raw[16];
	struct exception fault;

	if (!guest_read(v, v->frame->rsp, raw, (size_t)2 * i->size, 0, &fault)) {
		deliver(v, fault, EVENT_EXCEPTION);
		return;
	}
	memcpy(&words[0], raw, i->size);
	memcpy(&words[1], raw + i->size, i->size);
	if ((words[1] & 3) != 0 || (words[1] & 0xfffc) == 0) {
		deliver_fault(v, VECTOR_GP, words[1] & 0xfffc);
		return;
	}
	v->frame->rip = words[0];
	v->frame->cs = words[1] & 0xffff;
	v->frame->rsp += (u64)2 * i->size + i->imm;
}

/* INTO comes here only if it overflowed; -1: no such instruction. */
static int vector_of(const struct insn *i)
{
	switch (i->op) {
	case INSN_INT:
		return (u8)i->imm;
	case INSN_INT3:
		return VECTOR_BP;
	case INSN_INTO:
		return VECTOR_OF;
	default:
		return -1;
	}
}

bool emulate_user_int(struct vcpu *v)
{
	struct exception fault;
	struct insn i;
	u8 bytes[INSN_MAX_LENGTH];
	size_t n = sizeof(bytes);
	u64 base;
	enum decode_mode mode = segments_code_mode((u16)v->frame->cs, &base);

	/* It may stand at the end of a page. */
	while (n > 0 && !guest_read(v, base + v->frame->rip, bytes, n, PF_FETCH | PF_USER, &fault))
		n--;
	if (decode(bytes, n, mode, &i) != 0 || vector_of(&i) < 0 ||
	    !gate_is_for_users(v, (u8)vector_of(&i)))
		return false;
	deliver_software(v, (u8)vector_of(&i), i.length);
	return true;
}

static bool emulate_flow(struct vcpu *v, const struct insn *i)
{
	switch (i->op) {
	case INSN_CLI:
		v->frame->rflags &= ~RFLAGS_IF;
		emulate_done(v, i);
		return true;
	case INSN_STI:
		set_interrupt_flag(v, i);
		return true;
	case INSN_HLT:
		emulate_hlt(v, i);
		return true;
	case INSN_MWAIT:
		return emulate_mwait(v, i);
	case INSN_MONITOR:
		return emulate_monitor(v, i);
	case INSN_STAC:
	case INSN_CLAC:
		if (!(v->cr4 & CR4_SMAP))
			return false;
		v->frame->rflags &= ~RFLAGS_AC;
		v->frame->rflags |= i->op == INSN_STAC ? RFLAGS_AC : 0;
		emulate_done(v, i);
		return true;
	case INSN_SWAPGS:
		swap_gs(v, i);
		return true;
	case INSN_IRET:
		emulate_iret(v, i->size);
		return true;
	case INSN_SYSRET:
		emulate_sysret(v, i->size == 8);
		return true;
	case INSN_INT:
	case INSN_INT3:
		deliver_software(v, (u8)vector_of(i), i->length);
		return true;
	case INSN_RET_FAR:
		far_return(v, i);
		return true;
	case INSN_MOV_TO_SREG:
		return load_data_segment(v, i);
	default:
		return false;
	}
}

bool emulate(struct vcpu *v)
{
	u8 bytes[INSN_MAX_LENGTH];
	size_t n = emulate_fetch(v, v->frame->rip, bytes, sizeof(bytes));
	struct insn i;

	if (decode(bytes, n, DECODE_64, &i) != 0)
		return false;
	return emulate_flow(v, &i) || emulate_system(v, &i) || ports_emulate(v, &i);
}
