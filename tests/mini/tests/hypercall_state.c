// SPDX-License-Identifier: MIT
/*
 * What a hypercall leaves behind: nothing. Registers, flags, system registers
 * and FPU state are as before, and nothing of Vellum stays mapped.
 */
#include "lib/string.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/snapshot.h"
#include "mini/tap.h"
#include "mini/tests/expect.h"
#include "mini/tests/hypercall_probe.h"
#include "mini/virtual.h"

#define NR_KEPT    6
#define CANARY     0xc0ffee0000000000ull
#define ARITHMETIC 0x8d5u /* CF PF AF ZF SF OF: the caller expects nothing of them */
#define ID_FLAG    0x200000u
#define SOME_CR2   0x7fff12345678ul

static u8 page[PAGE_SIZE] __attribute__((aligned(4096)));

static void check_probe(u64 nr, u64 flags)
{
	struct hypercall_probe p = {
		.arg = {nr, ptr_to_pa(page).v, sizeof(page), 3, 4, 5},
		.rflags = RFLAGS_FIXED | flags,
	};

	for (u64 i = 0; i < NR_KEPT; i++)
		p.kept[i] = CANARY + i;
	if (flags & RFLAGS_IF)
		interrupts_on(); /* at ring 3, POPFQ does not */
	hypercall_probe(&p);
	interrupts_off();
	if (is_virtualized())
		p.rflags = (p.rflags & ~(u64)RFLAGS_IF) | (p.shared & RFLAGS_IF);
	for (u64 i = 0; i < NR_KEPT; i++)
		CHECK(p.kept[i] == CANARY + i, "call %lu: callee-saved register %lu is %#lx", nr, i,
		      p.kept[i]);
	CHECK(p.kept[NR_KEPT] == 0, "call %lu: RSP moved by %ld", nr, (s64)p.kept[NR_KEPT]);
	CHECK((p.rflags & ~(u64)ARITHMETIC) == ((RFLAGS_FIXED | flags) & ~(u64)ARITHMETIC),
	      "call %lu: RFLAGS %#lx, %#lx before", nr, p.rflags, RFLAGS_FIXED | flags);
}

TEST(hypercall_keeps_registers, "I1 U3")
{
	const u64 numbers[] = {VL_CALL_VERSION,
			       VL_CALL_HV_INFO,
			       VL_CALL_DOMAIN_INFO,
			       VL_CALL_DOMAIN_NEXT,
			       VL_CALL_CONSOLE_READ,
			       VL_CALL_LIMIT,
			       ~(u64)0};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		memset(page, 0, sizeof(page));
		check_probe(numbers[i], 0);
		check_probe(numbers[i], RFLAGS_IF);
		check_probe(numbers[i], RFLAGS_AC);
		check_probe(numbers[i], RFLAGS_IF | ID_FLAG | ARITHMETIC);
	}
}

TEST(hypercall_keeps_system_registers, "I1")
{
	struct snapshot before, after;
	const char *what;

	for (u64 nr = 0; nr <= VL_CALL_LIMIT; nr++) {
		if (is_transition(nr))
			continue;
		memset(page, 0, sizeof(page));
		write_cr2(SOME_CR2);
		snapshot_take(&before);
		hypercall_page(nr, ptr_to_pa(page).v, sizeof(page), 0, 0, 0);
		snapshot_take(&after);
		what = snapshot_difference(&before, &after);
		CHECK(what == NULL, "call %lu changed %s", nr, what);
	}
}

/* A kernel's own FPU registers hold its user's values: the call may not use them. */
TEST(hypercall_keeps_fpu, "I1")
{
	static u8 before[512] __attribute__((aligned(16))), after[512] __attribute__((aligned(16)));
	u64 cr4 = read_cr4();

	write_cr4(cr4 | CR4_OSFXSR | CR4_OSXMMEXCPT);
	asm volatile("fninit; fldpi; fldl2e" ::: "memory");
	asm volatile("fxsave64 %0" : "=m"(before)::"memory");
	for (size_t i = 160; i < 416; i++) /* XMM0 .. XMM15 */
		before[i] = (u8)(i * 7);
	asm volatile("fxrstor64 %0; fxsave64 %0" : "+m"(before)::"memory");
	for (u64 nr = 0; nr <= VL_CALL_LIMIT; nr++)
		if (!is_transition(nr))
			hypercall_page(nr, ptr_to_pa(page).v, sizeof(page), 0, 0, 0);
	asm volatile("fxsave64 %0" : "=m"(after)::"memory");
	write_cr4(cr4);
	CHECK(memcmp(before, after, 416) == 0, "the FPU's state changed");
}

static void check_slots(const struct space *space)
{
	const u64 *root = pa_to_ptr(space->root);

	for (size_t i = VL_FIRST_SLOT; i < VL_FIRST_SLOT + VL_MAX_SLOTS; i++)
		CHECK(root[i] == 0, "slot %zu of the root is %#lx after a call", i, root[i]);
	/* Not even in the TLB. */
	expect_read_fault((va_t){hypercall_data()->entry}, 0);
	expect_call_fault((va_t){hypercall_data()->entry}, paging_nx() != 0 ? PF_I : 0);
}

TEST(hypercall_leaves_nothing_mapped, "I1 M1")
{
	struct space space;

	expect_read_fault((va_t){hypercall_data()->entry}, 0);
	vl_call_version(hypercall_page);
	check_slots(&kernel_space);
	CHECK(space_create(&space) == 0, "no frames for a space");
	space_load(&space);
	vl_call_hv_info(hypercall_page, ptr_to_pa(page).v, sizeof(page));
	check_slots(&space);
	space_load(&kernel_space);
	space_destroy(&space);
}

/* The least stack that the ABI promises to be enough, between two canaries. */
TEST(hypercall_needs_little_stack, "U3")
{
	static u64 stack[64 + 32] __attribute__((aligned(16)));
	u64 *top = stack + ARRAY_SIZE(stack);
	s64 result;

	for (size_t i = 0; i < ARRAY_SIZE(stack); i++)
		stack[i] = CANARY + i;
	interrupts_off();
	asm volatile("mov %%rsp, %%rbx\n\t"
		     "mov %1, %%rsp\n\t"
		     "call hypercall_page\n\t"
		     "mov %%rbx, %%rsp"
		     : "=a"(result), "+r"(top)
		     : "D"((u64)VL_CALL_HV_INFO), "S"(ptr_to_pa(page).v), "d"(sizeof(page))
		     : "rbx", "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
	CHECK(result == sizeof(struct vl_hv_info), "result %ld", result);
	for (size_t i = 0; i < 64; i++)
		CHECK(stack[i] == CANARY + i, "more than 256 bytes of stack were used");
}
