// SPDX-License-Identifier: MIT
/*
 * Data breakpoints where Vellum reads guest memory for the guest. DR0 to DR3 and DR7 are the
 * guest's own, but Vellum reads at an address of its own, so the processor does not see the match
 * (SDM volume 3, 17.2.5). Done for the frame that IRET pops, which the fast paths read at the
 * guest's address; pushes of an event that is delivered are not matched, nor are descriptor tables.
 */
#include "cpu/vcpu.h"
#include "lib/types.h"
#include "lib/x86.h"

#define NR_BREAKPOINTS 4
#define DR7_ENABLED    0xff
#define DR7_READ_WRITE 3

static u64 address(u32 n)
{
	switch (n) {
	case 0:
		return read_dr0();
	case 1:
		return read_dr1();
	case 2:
		return read_dr2();
	default:
		return read_dr3();
	}
}

/* Figure 17-1: the addresses are aligned to the lengths. */
static bool matches(u64 dr7, u32 n, u64 va, size_t size)
{
	static const u8 lengths[] = {1, 2, 8, 4};
	u32 how = (u32)(dr7 >> (16 + 4 * n)) & 3;
	u64 length = lengths[dr7 >> (18 + 4 * n) & 3];
	u64 first = address(n) & ~(length - 1);

	return (dr7 >> 2 * n & 3) != 0 && how == DR7_READ_WRITE && first < va + size &&
	       va < first + length;
}

void watch_read(struct vcpu *v, u64 va, size_t size)
{
	u64 dr7 = read_dr7(), hits = 0;

	if (!(dr7 & DR7_ENABLED))
		return;
	for (u32 n = 0; n < NR_BREAKPOINTS; n++)
		hits |= matches(dr7, n, va, size) ? (u64)1 << n : 0;
	if (hits == 0)
		return;
	write_dr6(read_dr6() | hits);
	v->debug_pending = true;
}
