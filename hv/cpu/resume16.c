// SPDX-License-Identifier: MIT
/*
 * Returning to a 16-bit stack segment. The processor keeps the upper bits of
 * RSP then, so the last IRETQ has to run with an RSP whose upper 48 bits are
 * the ones that the guest should see. They can be any address: a page there is
 * mapped for Vellum in the user view until the guest touches it. What a user
 * cannot have in RSP legitimately (non-canonical, Vellum's slots) stays
 * Vellum's, and shows nothing but its link address.
 */
#include "cpu/vcpu.h"

#include "mem/frames.h"
#include "mem/layout.h"

#define REGION     0xffffull
#define OFFSET     0x8000ull /* of the page in the 64 KiB that share the upper bits */
#define FRAME_SIZE 40

static bool usable(u64 va)
{
	return is_canonical(va) && !is_own_va(va);
}

static bool prepare_page(struct vcpu *v, u64 va)
{
	mfn_t mfn;

	if (v->stack16.v == 0) {
		if (!frame_alloc(&mfn))
			return false;
		v->stack16 = mfn_to_ma(mfn);
	}
	return shadow_map_own(&v->shadow, SHADOW_USER, va, v->stack16);
}

void vcpu_resume16(struct vcpu *v, struct trap_frame *f)
{
	u64 va = (f->rsp & ~REGION) + OFFSET;
	u64 *frame;
	u64 base;

	f->vector = 0;
	if (v->cpl != 3 || segments_code_mode((u16)f->cs, &base) == DECODE_64 ||
	    !segments_is_stack16((u16)f->ss) || !usable(va) || !prepare_page(v, va))
		return;
	invlpg(va);
	frame = direct((ma_t){v->stack16.v + PAGE_SIZE - FRAME_SIZE});
	__builtin_memcpy(frame, &f->rip, FRAME_SIZE);
	f->vector = va + PAGE_SIZE - FRAME_SIZE;
}
