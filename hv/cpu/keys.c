// SPDX-License-Identifier: MIT
/*
 * Protection keys of a guest (CR4.PKE). PKRU is always the guest's own, so
 * that XSAVE and users see it exactly, and user pages carry their keys into
 * the shadow. But a guest kernel's own pages are user pages to the hardware
 * and have key 0 there: a user that denies itself key 0 would take its
 * kernel's memory away. No kernel wants that of its users, so it costs
 * nothing until it happens: the first fault of this kind turns the real
 * CR4.PKE off until the return to ring 3. Meanwhile the kernel view has only
 * what walk() granted under this PKRU, which only WRPKRU (emulated then) and
 * XRSTOR change.
 */
#include "cpu/vcpu.h"

#include "shadow/walk.h"

static void set_real_keys(bool on)
{
	u64 cr4 = read_cr4();

	write_cr4(on ? cr4 | CR4_PKE : cr4 & ~CR4_PKE);
}

u32 keys_pkru(const struct vcpu *v)
{
	u32 pkru;

	if (!v->keys_off)
		return read_pkru();
	set_real_keys(true);
	pkru = read_pkru();
	set_real_keys(false);
	return pkru;
}

void keys_turn_off(struct vcpu *v)
{
	v->keys_off = true;
	set_real_keys(false);
	/* User pages came into the kernel view under the hardware's check. */
	vcpu_flush(v);
}

void keys_turn_on(struct vcpu *v)
{
	v->keys_off = false;
	set_real_keys(true);
}

bool keys_emulate(struct vcpu *v)
{
	struct trap_frame *f = v->frame;
	struct exception fault;
	u8 code[3];
	bool write;

	if (!v->keys_off || !guest_read(v, f->rip, code, sizeof(code), PF_FETCH, &fault) ||
	    code[0] != 0x0f || code[1] != 0x01 || (code[2] & 0xfe) != 0xee)
		return false;
	write = (code[2] & 1) != 0;
	if ((u32)f->rcx != 0 || (write && (u32)f->rdx != 0)) {
		deliver_fault(v, VECTOR_GP, 0);
		return true;
	}
	keys_turn_on(v);
	f->rip += sizeof(code);
	if (write) {
		write_pkru((u32)f->rax);
		vcpu_flush(v);
	} else {
		f->rax = read_pkru();
		f->rdx = 0;
	}
	return true;
}
