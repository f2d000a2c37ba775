// SPDX-License-Identifier: MIT
/*
 * I/O ports of user processes (ioperm, iopl). The permission is in the guest's
 * TSS, which it changes without a trap, so it is looked up when an access
 * faults (SDM volume 1, section 19.5.2).
 */
#include "cpu/ports.h"

#include "cpu/percpu.h"
#include "shadow/walk.h"

#define IOMAP_BASE_OFFSET offsetof(struct tss, iomap_base)

/* Two bytes of the bitmap are read, as the processor does: the limit must cover both. */
static bool bitmap_allows(struct vcpu *v, u16 port, u8 size)
{
	struct exception fault;
	u16 base, bits;
	u16 mask = (u16)(((1u << size) - 1) << (port % 8));
	u32 offset;

	if (v->tr.limit < sizeof(struct tss) - 1 ||
	    !guest_read(v, v->tr.base + IOMAP_BASE_OFFSET, &base, sizeof(base), 0, &fault))
		return false;
	offset = (u32)base + port / 8;
	if (offset + 1 > v->tr.limit ||
	    !guest_read(v, v->tr.base + offset, &bits, sizeof(bits), 0, &fault))
		return false;
	return (bits & mask) == 0;
}

static bool is_port_access(const struct insn *i)
{
	return i->op == INSN_IN || i->op == INSN_OUT || i->op == INSN_INS || i->op == INSN_OUTS;
}

static bool decode_user(struct vcpu *v, struct insn *i)
{
	struct exception fault;
	u8 bytes[INSN_MAX_LENGTH];
	u64 base;
	enum decode_mode mode = segments_code_mode((u16)v->frame->cs, &base);

	for (size_t n = 1; n <= sizeof(bytes); n++) {
		int answer;

		if (!guest_read(v, base + v->frame->rip + n - 1, &bytes[n - 1], 1,
				PF_USER | PF_FETCH, &fault))
			return false;
		answer = decode(bytes, n, mode, i);
		if (answer != DECODE_MORE)
			return answer == 0;
	}
	return false;
}

bool ports_emulate_user(struct vcpu *v)
{
	bool iopl = (v->frame->rflags & RFLAGS_IOPL) == RFLAGS_IOPL;
	struct insn i;
	u16 port;

	if (!decode_user(v, &i) || !is_port_access(&i))
		return false;
	port = i.form == INSN_FORM_IMM ? (u16)i.imm : (u16)v->frame->rdx;
	return (iopl || bitmap_allows(v, port, i.size)) && ports_emulate(v, &i);
}
