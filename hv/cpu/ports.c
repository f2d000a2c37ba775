// SPDX-License-Identifier: MIT
/*
 * IN and OUT of a guest kernel, for the ports that trap. Decode, then perform:
 * nothing is read from a port before what can fault has not. A wide access
 * that touches a port of Vellum's is made of bytes, as the ISA bus makes it of
 * a device's 8-bit ports; any other access is the machine's, whole.
 */
#include "cpu/ports.h"

#include "cpu/devices.h"
#include "cpu/domain_pic.h"
#include "cpu/domain_platform.h"
#include "cpu/emulate.h"
#include "cpu/pci_owner.h"

/* Each is followed by another. */
static const u16 pic_ports[] = {PIC_MASTER, PIC_SLAVE, PIC_ELCR};

static bool is_pic_port(const struct vcpu *v, u16 port)
{
	if (v->domain->pic.ports != NULL)
		for (u32 i = 0; i < ARRAY_SIZE(pic_ports); i++)
			if (pic_ports[i] == (port & ~1))
				return true;
	return false;
}

static u8 hardware_in(void *context, u16 port)
{
	(void)context;
	return inb(port);
}

static void hardware_out(void *context, u16 port, u8 value)
{
	(void)context;
	outb(port, value);
}

const struct port_access machine_ports = {.in = hardware_in, .out = hardware_out};

static void trap_pic(bool trapped)
{
	segments_trap_ports(PIC_MASTER, 2, trapped);
	segments_trap_ports(PIC_SLAVE, 2, trapped);
	segments_trap_ports(PIC_ELCR, 2, trapped);
}

void ports_enter(struct vcpu *v)
{
	if (!v->iopl3)
		pic_enter(v, &machine_ports);
	trap_pic(!v->iopl3);
}

void ports_begin(struct vcpu *v, const struct pic *model, u32 owed)
{
	pic_begin(v, &machine_ports, model, owed);
	trap_pic(true);
}

void ports_leave(struct vcpu *v)
{
	pic_leave(v);
	trap_pic(false);
}

static bool touches_device(const struct vcpu *v, u16 port, u8 size)
{
	for (u8 i = 0; i < size; i++)
		if (is_pic_port(v, (u16)(port + i)) || devices_have((u16)(port + i)))
			return true;
	return false;
}

u32 ports_machine_in(u16 port, u8 size)
{
	u32 value = 0;

	if (size == 1)
		value = inb(port);
	else if (size == 2)
		__asm__ volatile("inw %w1, %w0" : "+a"(value) : "Nd"(port) : "memory");
	else
		__asm__ volatile("inl %w1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

void ports_machine_out(u16 port, u8 size, u32 value)
{
	if (size == 1)
		outb(port, (u8)value);
	else if (size == 2)
		__asm__ volatile("outw %w0, %w1" : : "a"(value), "Nd"(port) : "memory");
	else
		__asm__ volatile("outl %0, %w1" : : "a"(value), "Nd"(port) : "memory");
}

static void count_access(struct vcpu *v)
{
	__atomic_fetch_add(&v->domain->counters.io_accesses, 1, __ATOMIC_RELAXED);
}

static u8 byte_in(struct vcpu *v, u16 port)
{
	if (is_pic_port(v, port))
		return pic_in(v, port);
	if (!devices_have(port))
		return inb(port);
	count_access(v);
	return devices_read(port);
}

static void byte_out(struct vcpu *v, u16 port, u8 value)
{
	if (is_pic_port(v, port)) {
		pic_out(v, port, value);
	} else if (devices_have(port)) {
		count_access(v);
		devices_write(port, value);
	} else {
		outb(port, value);
	}
}

static u32 port_in(struct vcpu *v, u16 port, u8 size)
{
	u32 value = 0;

	if (has_platform(v))
		return domain_platform_in(v, port, size);
	if (pci_owner_in(port, size, &value))
		return value;
	if (!touches_device(v, port, size))
		return ports_machine_in(port, size);
	for (u8 i = 0; i < size; i++)
		value |= (u32)byte_in(v, (u16)(port + i)) << 8 * i;
	return value;
}

static void port_out(struct vcpu *v, u16 port, u8 size, u32 value)
{
	if (has_platform(v)) {
		domain_platform_out(v, port, size, value);
		return;
	}
	if (pci_owner_out(port, size, value))
		return;
	if (!touches_device(v, port, size)) {
		ports_machine_out(port, size, value);
		return;
	}
	for (u8 i = 0; i < size; i++)
		byte_out(v, (u16)(port + i), (u8)(value >> 8 * i));
}

static u64 low_bytes(u64 value, u8 size)
{
	return size == 8 ? value : value & (((u64)1 << 8 * size) - 1);
}

/* A register of which an instruction uses `size` bytes: 4 clear the upper half, 2 keep the rest. */
static void put(u64 *reg, u8 size, u64 value)
{
	if (size >= 4)
		*reg = low_bytes(value, size);
	else
		*reg = (*reg & ~low_bytes(~(u64)0, size)) | low_bytes(value, size);
}

static u32 rights(const struct vcpu *v)
{
	return v->cpl == 3 ? PF_USER : 0;
}

/* One element of INS; the port is read only once the memory is known to take it. */
static bool in_string(struct vcpu *v, u16 port, u8 size, u64 va, struct exception *fault)
{
	u32 value;

	if (!guest_read(v, va, &value, size, rights(v), fault) ||
	    !guest_write(v, va, &value, size, rights(v), fault))
		return false;
	value = port_in(v, port, size);
	return guest_write(v, va, &value, size, rights(v), fault);
}

static bool out_string(struct vcpu *v, u16 port, u8 size, u64 va, struct exception *fault)
{
	u32 value = 0;

	if (!guest_read(v, va, &value, size, rights(v), fault))
		return false;
	port_out(v, port, size, value);
	return true;
}

/* One element an exit: with REP, RIP stays until the count is used up, as for an interrupt. */
static void string(struct vcpu *v, const struct insn *i)
{
	struct trap_frame *f = v->frame;
	u64 *index = i->op == INSN_INS ? &f->rdi : &f->rsi;
	u64 va = low_bytes(*index, i->addr_size) + operand_segment_base(i);
	u64 count = low_bytes(f->rcx, i->addr_size);
	struct exception fault;
	bool ok;

	if (i->rep != 0 && count == 0) {
		f->rip += i->length;
		return;
	}
	ok = i->op == INSN_INS ? in_string(v, (u16)f->rdx, i->size, va, &fault)
			       : out_string(v, (u16)f->rdx, i->size, va, &fault);
	if (!ok) {
		deliver(v, fault, EVENT_EXCEPTION);
		return;
	}
	put(index, i->addr_size, *index + (f->rflags & RFLAGS_DF ? -(u64)i->size : i->size));
	if (i->rep != 0)
		put(&f->rcx, i->addr_size, count - 1);
	if (i->rep == 0 || count == 1)
		f->rip += i->length;
}

bool ports_emulate(struct vcpu *v, const struct insn *i)
{
	struct trap_frame *f = v->frame;
	u16 port = i->form == INSN_FORM_IMM ? (u16)i->imm : (u16)f->rdx;

	switch (i->op) {
	case INSN_IN:
		put(&f->rax, i->size, port_in(v, port, i->size));
		f->rip += i->length;
		return true;
	case INSN_OUT:
		port_out(v, port, i->size, (u32)f->rax);
		f->rip += i->length;
		return true;
	case INSN_INS:
	case INSN_OUTS:
		string(v, i);
		return true;
	default:
		return false;
	}
}
