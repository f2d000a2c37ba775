// SPDX-License-Identifier: MIT
/*
 * SYSCALL, SYSRET and IRET between the virtual rings (SDM volume 2, and for
 * the order of IRET's checks its pseudo-code). A user's return frame is
 * untrusted: selectors are checked here against the guest's own rules before
 * they reach the real IRETQ.
 */
#include "cpu/vcpu.h"

#include "cpu/fast.h"
#include "cpu/percpu.h"
#include "mem/layout.h"

/* What IRET and SYSRET take at ring 0: ID VIP VIF AC RF NT IOPL OF DF IF TF SF ZF AF PF CF. */
#define RFLAGS_LOADED ((u64)0x3d7fd5)

#define DESCRIPTOR_W          ((u64)1 << 41)
#define DESCRIPTOR_CONFORMING ((u64)1 << 42)
#define DESCRIPTOR_CODE       ((u64)1 << 43)
#define DESCRIPTOR_S          ((u64)1 << 44)
#define DESCRIPTOR_P          ((u64)1 << 47)
#define DESCRIPTOR_L          ((u64)1 << 53)
#define DESCRIPTOR_D          ((u64)1 << 54)

void emulate_syscall(struct vcpu *v, u64 target)
{
	struct trap_frame *f = v->frame;

	f->rcx = f->rip;
	f->r11 = f->rflags & ~RFLAGS_RF;
	f->rip = target;
	f->rflags = (f->rflags & ~v->sfmask & ~RFLAGS_RF) | RFLAGS_FIXED;
	f->cs = (v->star >> 32) & 0xfffc;
	f->ss = f->cs + 8;
	segments_set_cpl(v, 0);
}

void emulate_sysenter(struct vcpu *v)
{
	struct trap_frame *f = v->frame;

	f->cs = v->sysenter_cs & 0xfffc;
	f->ss = f->cs + 8;
	f->rip = v->sysenter_eip;
	f->rsp = v->sysenter_esp;
	f->rflags &= ~(RFLAGS_IF | RFLAGS_RF);
	f->rflags |= v->step_pending ? RFLAGS_TF : 0; /* SYSENTER leaves TF alone */
	segments_set_cpl(v, 0);
}

/* AMD's processors load any RIP, and the user's next fetch is #GP; the others fault in SYSRET. */
static bool sysret_checks_rip(void)
{
	static enum { UNKNOWN, YES, NO } checks;

	if (checks == UNKNOWN) {
		u32 vendor = cpuid(0, 0).ebx; /* its first four letters */

		checks = vendor == 0x68747541 || vendor == 0x6f677948 ? NO : YES;
	}
	return checks == YES;
}

void emulate_sysret(struct vcpu *v, bool to_64bit)
{
	struct trap_frame *f = v->frame;
	u16 base = (u16)(v->star >> 48);
	bool bad_rip = to_64bit && !is_canonical(f->rcx);

	if (!(v->efer & EFER_SCE)) {
		deliver(v, (struct exception){.vector = VECTOR_UD}, EVENT_EXCEPTION);
		return;
	}
	if (bad_rip && sysret_checks_rip()) {
		deliver_fault(v, VECTOR_GP, 0);
		return;
	}
	f->rip = to_64bit ? f->rcx : (u32)f->rcx;
	f->rflags = (f->r11 & RFLAGS_LOADED & ~RFLAGS_RF) | RFLAGS_FIXED;
	f->cs = (u16)((base + (to_64bit ? 16 : 0)) | 3);
	f->ss = (u16)((base + 8) | 3);
	segments_set_cpl(v, 3);
	/* No IRETQ can go there; and unlike IRET, SYSRET with TF traps before the next instruction.
	 */
	if (bad_rip) {
		deliver_fault(v, VECTOR_GP, 0);
	} else if (f->rflags & RFLAGS_TF) {
		write_dr6(read_dr6() | DR6_BS);
		deliver(v, (struct exception){.vector = VECTOR_DB}, EVENT_EXCEPTION);
	}
}

static bool pop_frame(struct vcpu *v, u8 size, u64 out[5])
{
	struct exception fault;
	u8 raw[40];
	u8 words = 5; /* 64-bit code always pops SS:RSP */

	if (!guest_read(v, v->frame->rsp, raw, (size_t)words * size, 0, &fault)) {
		deliver(v, fault, EVENT_EXCEPTION);
		return false;
	}
	for (u8 i = 0; i < words; i++) {
		out[i] = 0;
		__builtin_memcpy(&out[i], raw + i * size, size);
	}
	return true;
}

/* What IRET finds behind a selector in the guest's own tables. */
struct descriptor {
	u64 raw;
	struct exception fault; /* when it cannot be read */
};

static struct exception selector_fault(u8 vector, u16 selector)
{
	return (struct exception){.vector = vector, .has_error = true, .error = selector & 0xfffcu};
}

static bool read_descriptor(struct vcpu *v, u16 selector, struct descriptor *d)
{
	u64 base = selector & 4 ? v->ldt.base : v->gdt.base;
	u64 limit = selector & 4 ? v->ldt.limit : v->gdt.limit;
	bool usable = !(selector & 4) || (v->ldt.selector & ~3) != 0;

	d->fault = selector_fault(VECTOR_GP, selector);
	if (!usable || (selector | 7u) > limit)
		return false;
	return guest_read(v, base + (selector & ~7u), &d->raw, sizeof(d->raw), 0, &d->fault);
}

/* IRET's checks of the code segment (SDM: IA-32e-MODE return, then RETURN-TO-...). */
static bool check_code(struct vcpu *v, u16 cs, struct exception *fault)
{
	struct descriptor d;
	u8 dpl;

	*fault = selector_fault(VECTOR_GP, cs & ~3 ? cs : 0);
	if ((cs & ~3) == 0)
		return false;
	if (!read_descriptor(v, cs, &d)) {
		*fault = d.fault;
		return false;
	}
	dpl = (u8)(d.raw >> 45 & 3);
	if (!(d.raw & DESCRIPTOR_S) || !(d.raw & DESCRIPTOR_CODE))
		return false;
	if ((d.raw & DESCRIPTOR_CONFORMING) ? dpl > (cs & 3) : dpl != (cs & 3))
		return false;
	if ((d.raw & DESCRIPTOR_L) && (d.raw & DESCRIPTOR_D))
		return false;
	*fault = selector_fault(VECTOR_NP, cs);
	return (d.raw & DESCRIPTOR_P) != 0;
}

static bool is_code64(struct vcpu *v, u16 cs)
{
	struct descriptor d;

	return read_descriptor(v, cs, &d) && (d.raw & DESCRIPTOR_L);
}

bool gate_selector_allowed(struct vcpu *v, u16 selector, u32 external, struct exception *fault)
{
	struct descriptor d;

	if ((selector & ~3) == v->gate_cs && v->gate_cs != 0)
		return true;
	*fault = selector_fault(VECTOR_GP, selector);
	fault->error |= external;
	if ((selector & ~3) == 0 || !read_descriptor(v, selector, &d)) {
		if ((selector & ~3) != 0 && d.fault.vector == VECTOR_PF)
			*fault = d.fault;
		return false;
	}
	if ((d.raw & (DESCRIPTOR_S | DESCRIPTOR_CODE | DESCRIPTOR_L)) !=
		    (DESCRIPTOR_S | DESCRIPTOR_CODE | DESCRIPTOR_L) ||
	    (d.raw & DESCRIPTOR_D) || (d.raw >> 45 & 3) != 0)
		return false;
	fault->vector = VECTOR_NP;
	if (!(d.raw & DESCRIPTOR_P))
		return false;
	v->gate_cs = selector & 0xfffc;
	return true;
}

static bool check_stack(struct vcpu *v, u16 cs, u16 ss, struct exception *fault)
{
	struct descriptor d;
	u8 rpl = cs & 3;

	if ((ss & ~3) == 0) {
		*fault = selector_fault(VECTOR_GP, 0);
		return rpl != 3 && (ss & 3) == rpl && is_code64(v, cs);
	}
	*fault = selector_fault(VECTOR_GP, ss);
	if ((ss & 3) != rpl)
		return false;
	if (!read_descriptor(v, ss, &d)) {
		*fault = d.fault;
		return false;
	}
	if (!(d.raw & DESCRIPTOR_S) || (d.raw & DESCRIPTOR_CODE) || !(d.raw & DESCRIPTOR_W) ||
	    (d.raw >> 45 & 3) != rpl)
		return false;
	*fault = selector_fault(VECTOR_SS, ss);
	return (d.raw & DESCRIPTOR_P) != 0;
}

bool iret_allowed(struct vcpu *v, u16 cs, u16 ss, u64 rip, struct exception *fault)
{
	if (!check_code(v, cs, fault) || !check_stack(v, cs, ss, fault))
		return false;
	*fault = selector_fault(VECTOR_GP, 0);
	return !is_code64(v, cs) || is_canonical(rip);
}

void emulate_iret(struct vcpu *v, u8 size)
{
	struct trap_frame *f = v->frame;
	struct exception fault;
	u64 pop[5];
	u16 cs, ss;
	bool stack16;

	if (f->rflags & RFLAGS_NT) {
		deliver_fault(v, VECTOR_GP, 0);
		return;
	}
	if (!pop_frame(v, size, pop))
		return;
	watch_read(v, f->rsp, (size_t)5 * size);
	cs = (u16)pop[1];
	ss = (u16)pop[4];
	/* To ring 3 the real IRETQ does the checking, see vcpu_return_failed(); but not from the
	 * stack of vcpu_resume16(). */
	stack16 = (cs & 3) == 3 && segments_is_stack16(ss) && !is_code64(v, cs);
	v->before_return = *f;
	v->returning = (cs & 3) == 3 && !stack16;
	if (!v->returning && !iret_allowed(v, cs, ss, pop[0], &fault)) {
		deliver(v, fault, EVENT_EXCEPTION);
		return;
	}
	if (size == 8 && (cs & 3) == 0)
		fast_note_site(v, VL_FAST_KERNEL_IRET, f->rip);
	v->nmi_blocked = false;
	f->rip = pop[0];
	f->cs = cs;
	f->rflags = (pop[2] & RFLAGS_LOADED) | RFLAGS_FIXED;
	/* A 16-bit stack gets SP; the rest stays what it was (espfix counts on that). */
	f->rsp = stack16 ? (f->rsp & ~(u64)0xffff) | (pop[3] & 0xffff) : pop[3];
	f->ss = ss;
	/* The debugging aid shows the kernel IOPL 3, and its flags reach frames for users. */
	if (v->iopl3 && (cs & 3) == 3)
		f->rflags &= ~RFLAGS_IOPL;
	segments_set_cpl(v, cs & 3);
}
