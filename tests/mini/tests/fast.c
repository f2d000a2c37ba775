// SPDX-License-Identifier: MIT
/*
 * The guest in the state in which Vellum serves crossings, page faults and
 * hypercalls without an exit (hv/cpu/fast.c), doing what no good kernel does
 * there: nothing may differ from what the long way answers, and nothing may
 * hurt Vellum.
 */
#include "lib/string.h"
#include "mini/cpu.h"
#include "mini/frames.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/segments.h"
#include "mini/tap.h"
#include "mini/tests/expect.h"
#include "mini/tests/observe.h"
#include "mini/tests/user_program.h"
#include "mini/virtual.h"

#define SFMASK_ALL  0x257fd5u /* flags that Linux has SYSCALL clear */
#define USER_CS32   0x23
#define SEGMENT_32  0x00cffb000000ffffull
#define DESC_P      (1ul << 47)
#define SEGMENT_S16 0x008ff3000000ffffull /* a stack of 16 bits, DPL 3 */
#define S16_SEL     0x53
#define SWAPGS      "\x0f\x01\xf8"
#define LAST_PAGE   0x00007ffffffff000ul
#define LARGE_VA    0xffffffffe0000000ul

extern const char fast_call_site[];
s64 fast_call(u64 number, u64 a1, u64 a2, u64 a3);
void fast_enter(const u64 frame[5]);
void fast_iret_self(u64 ss);
void fast_other_handler(void);

static struct user_program program;
static u64 old_sfmask, old_lstar;

/* What IRETQ pops, with room below for what a fault there pushes. */
static struct {
	u8 room[4096];
	u64 frame[5]; /* rip, cs, rflags, rsp, ss */
} island __attribute__((aligned(16)));

static u64 *gdt(void)
{
	u16 limit;

	return segments_gdt(&limit);
}

/* The common state, on the program's space. */
static void begin(void)
{
	s64 answer = is_virtualized() ? devirtualize() : 0;

	CHECK(answer == 0, "devirtualize answered %ld", answer);
	gdt()[USER_CS32 / 8] = SEGMENT_32;
	old_sfmask = read_msr(MSR_SFMASK);
	old_lstar = read_msr(MSR_LSTAR);
	write_msr(MSR_SFMASK, SFMASK_ALL);
	answer = vl_call_set_features(hypercall_page, VL_FEATURE_DESCRIPTORS, (u64)fast_call_site);
	CHECK(answer == 0, "set_features answered %ld", answer);
	answer = virtualize(0);
	CHECK(answer == 0, "virtualize answered %ld", answer);
}

static void end(void)
{
	s64 answer = devirtualize();

	CHECK(answer == 0, "devirtualize answered %ld", answer);
	vl_call_set_features(hypercall_page, 0, 0);
	write_msr(MSR_SFMASK, old_sfmask);
	write_msr(MSR_LSTAR, old_lstar);
	gdt()[USER_CS32 / 8] = 0;
}

static void enter(void *frame)
{
	fast_enter(frame);
}

/* program.regs to ring 3 by SWAPGS; IRETQ. The vector that ended it is in program.regs then. */
static struct outcome enter_user(void)
{
	struct outcome o = {0};

	memcpy(island.frame, &program.regs.rip, sizeof(island.frame));
	o.trapped = trap_catch(enter, island.frame, &o.info);
	if (o.trapped)
		asm volatile("swapgs" ::: "memory");
	else
		o = (struct outcome){true,
				     3,
				     {.vector = program.regs.vector,
				      .error = program.regs.error,
				      .rip = program.regs.rip}};
	return o;
}

/* user_leave() writes to what user_run() was last given. */
static void warm_up(void)
{
	struct trap_frame start = program.regs;

	user_run(&program.regs, USER_IRET);
	program.regs = start;
	for (int i = 0; i < 3; i++) {
		enter_user();
		program.regs = start;
	}
}

TEST(fast_call_after_long_return, "I1 I4")
{
	USER_PROGRAM_LOAD(&program, syscalls);
	begin();
	for (int i = 0; i < 3; i++) {
		struct trap_info info = user_run(&program.regs, USER_IRET);

		CHECK(info.vector == VECTOR_SYSCALL, "ended by %s", trap_name(info.vector));
		CHECK(fast_call(VL_CALL_DESCRIPTORS, 0, 0, 0) == 0, "descriptors");
		user_run(&program.regs, USER_IRET);
		CHECK(fast_call(VL_CALL_MMU_LOAD, program.space.root.v, 1, 0) == 0, "mmu_load");
	}
	end();
	user_program_unload(&program);
}

/* No place in the kernel is at 0 because none is known yet. */
TEST(fast_user_at_zero, "I1 I4")
{
	struct trap_info info;
	pa_t page;

	USER_PROGRAM_LOAD(&program, syscalls);
	page = user_program_page(&program, 0, 0);
	*(u8 *)pa_to_ptr(page) = 0xf4; /* HLT */
	begin();
	program.regs = user_frame((va_t){0}, (va_t){USER_STACK});
	program.regs.rcx = USER_CODE;
	program.regs.r11 = RFLAGS_FIXED | RFLAGS_IF;
	info = user_run(&program.regs, USER_IRET);
	CHECK(info.vector == TRAP_GP && info.rip == 0, "HLT at 0: %s at %#lx",
	      trap_name(info.vector), info.rip);
	end();
	user_program_unload(&program);
	frame_free(page);
}

/* Descriptors that the kernel took away between two returns by the same instructions. */
TEST(fast_return_descriptors, "I1 I4")
{
	static const struct {
		u8 index;
		u64 value;
		u8 vector;
		u16 error;
	} cases[] = {
		{USER_DS / 8, 0, TRAP_GP, USER_DS & ~3},
		{USER_DS / 8, SEGMENT_32 & ~DESC_P, TRAP_GP, USER_DS & ~3},
		{USER_CS / 8, 0, TRAP_GP, USER_CS & ~3},
		{USER_CS / 8, 0x00affb000000fffful & ~DESC_P, TRAP_NP, USER_CS & ~3},
	};

	USER_PROGRAM_LOAD(&program, gates);
	begin();
	warm_up();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 *entry = &gdt()[cases[i].index], old = *entry;
		struct outcome o;

		*entry = cases[i].value;
		fast_call(VL_CALL_DESCRIPTORS, 0, 0, 0);
		o = enter_user();
		CHECK(o.ring == 0 && o.info.vector == cases[i].vector &&
			      o.info.error == cases[i].error,
		      "case %zu: %s", i, outcome_text(&o));
		*entry = old;
		fast_call(VL_CALL_DESCRIPTORS, 0, 0, 0);
		warm_up();
	}
	end();
	user_program_unload(&program);
}

static void jump(void *to)
{
	((void (*)(void))to)();
}

/* SWAPGS as the last instruction of the lower half: as SYSCALL's handler, and by itself. */
TEST(fast_swapgs_at_the_edge, "I1 I4")
{
	u64 at = LAST_PAGE + PAGE_SIZE - 3;
	pa_t page = frame_alloc_zeroed();
	struct outcome o;

	USER_PROGRAM_LOAD(&program, syscalls);
	CHECK(space_map(&program.space, (va_t){LAST_PAGE}, page, PAGE_SIZE, 0) == 0, "map");
	memcpy((u8 *)pa_to_ptr(page) + PAGE_SIZE - 3, SWAPGS, 3);
	begin();
	warm_up();
	for (int i = 0; i < 3; i++) {
		expect_trap(jump, (void *)at, TRAP_GP, 0);
		asm volatile("swapgs" ::: "memory");
	}
	write_msr(MSR_LSTAR, at);
	for (int i = 0; i < 3; i++) {
		o = enter_user();
		asm volatile("swapgs" ::: "memory"); /* its handler did that already */
		CHECK(o.ring == 0 && o.info.vector == TRAP_GP && o.info.error == 0, "%s",
		      outcome_text(&o));
	}
	end();
	user_program_unload(&program);
	frame_free(page);
}

static void iret_self(void *ss)
{
	fast_iret_self((u64)ss);
}

TEST(fast_kernel_iret_ss, "I1 I2")
{
	static const u16 bad[] = {USER_DS, KERNEL_CS, 0x1234, 3, TSS_SEL};

	begin();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fast_iret_self(KERNEL_DS);
		fast_iret_self(0);
		expect_trap(iret_self, (void *)(u64)bad[i], TRAP_GP, bad[i] & ~3u);
	}
	end();
}

/* A page fault of Vellum's own, on a stack of 16 bits: the upper half of ESP is not Vellum's. */
TEST(fast_stack16, "I1 I2")
{
	USER_PROGRAM_LOAD(&program, esp32);
	gdt()[S16_SEL / 8] = SEGMENT_S16;
	begin();
	warm_up();
	for (int i = 0; i < 3; i++) {
		struct outcome o;

		fast_call(VL_CALL_MMU_FLUSH, VL_MMU_FLUSH_ALL, 0, 0);
		program.regs = user_frame((va_t){USER_CODE}, (va_t){0x8000});
		program.regs.cs = USER_CS32;
		program.regs.ss = S16_SEL;
		o = enter_user();
		CHECK(o.ring == 3 && o.info.vector == VECTOR_GATE, "%s", outcome_text(&o));
		CHECK(program.regs.rbx == program.regs.rcx, "ESP was %#lx, is %#lx",
		      program.regs.rbx, program.regs.rcx);
	}
	end();
	gdt()[S16_SEL / 8] = 0;
	user_program_unload(&program);
}

/* The first page that is touched after virtualize is a user's at the low end. */
TEST(fast_first_fault, "I1 I4")
{
	struct trap_info info;
	pa_t page;

	USER_PROGRAM_LOAD(&program, syscalls);
	page = user_program_page(&program, 0x1000, 0);
	memcpy(pa_to_ptr(page), pa_to_ptr(program.code), PAGE_SIZE);
	begin();
	program.regs.rip = 0x1000;
	info = user_run(&program.regs, USER_IRET);
	CHECK(info.vector == VECTOR_SYSCALL, "ended by %s", trap_name(info.vector));
	end();
	user_program_unload(&program);
	frame_free(page);
}

static pa_t large_frame(void)
{
	for (u64 pa = 64 * MIB; pa < 128 * MIB; pa += LARGE_SIZE)
		if (memory_is_ram(pa, LARGE_SIZE))
			return (pa_t){pa};
	test_skip("no large page of RAM");
}

/* A large page, one piece of which is another by an alias: the rest of it is as it was. */
TEST(fast_alias_in_large_page, "M5 M6")
{
	pa_t large = large_frame();

	CHECK(space_map(&kernel_space, (va_t){LARGE_VA}, large, LARGE_SIZE, paging_nx()) == 0,
	      "map");
	CHECK(vl_call_set_alias(hypercall_page, 3, LARGE_VA, ptr_to_pa(&island).v & ~0xffful,
				PAGE_SIZE) == 0,
	      "alias");
	begin();
	for (u64 at = LARGE_SIZE - PAGE_SIZE; at >= PAGE_SIZE; at -= PAGE_SIZE) {
		u64 *direct = pa_to_ptr((pa_t){large.v + at}), old = *direct;
		u64 seen;

		*direct = at ^ 0x5a5a;
		seen = *(volatile u64 *)(LARGE_VA + at);
		*direct = old;
		CHECK(seen == (at ^ 0x5a5a), "at %#lx of the page is %#lx", at, seen);
	}
	end();
	vl_call_set_alias(hypercall_page, 3, 0, 0, 0);
	space_unmap(&kernel_space, (va_t){LARGE_VA});
}

/* The page with the interrupt flag is seen at a second address, in passthrough not, and what lies
 * around it there is as it was. */
TEST(fast_info_page_elsewhere, "M5 M6 U7")
{
	pa_t large = large_frame(), info = ptr_to_pa(&vcpu_info);
	u64 at = LARGE_VA + 3 * PAGE_SIZE, *before = pa_to_ptr((pa_t){large.v + 2 * PAGE_SIZE});
	struct vl_vcpu_info *there = (struct vl_vcpu_info *)(at + info.v % PAGE_SIZE);
	u64 old = *before, seen;

	CHECK(!is_virtualized() || devirtualize() == 0, "devirtualize");
	CHECK(vl_call_set_vcpu_info(hypercall_page, info.v, at + 1) == -VL_EINVAL, "unaligned");
	CHECK(vl_call_set_vcpu_info(hypercall_page, info.v, USER_CODE) == -VL_EINVAL, "a user's");
	CHECK(vl_call_set_vcpu_info(hypercall_page, info.v, 0xffff800000000000) == -VL_EINVAL,
	      "Vellum's");
	CHECK(vl_call_set_vcpu_info(hypercall_page, 0, at) == -VL_EINVAL, "of nothing");
	CHECK(space_map(&kernel_space, (va_t){LARGE_VA}, large, LARGE_SIZE, paging_nx()) == 0,
	      "map");
	CHECK(vl_call_set_vcpu_info(hypercall_page, info.v, at) == 0, "set_vcpu_info");
	begin();
	*before = 0x1234;
	for (u64 round = 1; round < 4; round++) {
		vcpu_info.reserved[0] = (u8)round;
		seen = ((volatile struct vl_vcpu_info *)there)->reserved[0];
		CHECK(seen == round, "round %lu: the page at the second address has %lu", round,
		      seen);
		seen = *(volatile u64 *)(at - PAGE_SIZE);
		CHECK(seen == 0x1234, "the page before it has %#lx", seen);
		CHECK(((volatile struct vl_vcpu_info *)there)->flags == vcpu_info.flags,
		      "the flag");
	}
	*before = old;
	end();
	vcpu_info.reserved[0] = 0;
	CHECK(there->reserved[0] == *((u8 *)pa_to_ptr((pa_t){large.v + 3 * PAGE_SIZE}) +
				      info.v % PAGE_SIZE + offsetof(struct vl_vcpu_info, reserved)),
	      "in passthrough it is what the tables say");
	CHECK(vl_call_set_vcpu_info(hypercall_page, info.v, 0) == 0, "set_vcpu_info back");
	space_unmap(&kernel_space, (va_t){LARGE_VA});
}

static struct trap_info access_user(u64 how)
{
	program.regs = user_frame((va_t){USER_CODE}, (va_t){USER_STACK});
	program.regs.rdi = 0x40000000;
	program.regs.rax = how;
	return user_run(&program.regs, USER_IRET);
}

/* A right that a table gets without a flush: one more fault at most, which ends what was cached. */
TEST(fast_rights_without_flush, "M5 M6 I2")
{
	struct trap_info info;
	u64 *entry, *table;
	pa_t page;

	USER_PROGRAM_LOAD(&program, access);
	page = user_program_page(&program, 0x40000000, PTE_W | PTE_A | PTE_D);
	begin();
	/* Of the level above the leaf: the first entry of the space's third table. */
	table = pa_to_ptr(program.space.root);
	table = pa_to_ptr((pa_t){table[0] & PTE_ADDRESS});
	table = pa_to_ptr((pa_t){table[1] & PTE_ADDRESS});
	entry = &table[0];
	*entry &= ~PTE_W;
	space_load(&program.space);
	info = access_user(0);
	CHECK(info.vector == VECTOR_GATE, "read: %s", trap_name(info.vector));
	for (int i = 0; i < 3; i++) {
		info = access_user(1);
		CHECK(info.vector == TRAP_PF && info.error == (PF_P | PF_W | PF_U), "%s error %#lx",
		      trap_name(info.vector), info.error);
	}
	*entry |= PTE_W;
	access_user(1);
	info = access_user(1);
	CHECK(info.vector == VECTOR_GATE, "%s error %#lx again", trap_name(info.vector),
	      info.error);
	end();
	user_program_unload(&program);
	frame_free(page);
}

/* The first return fails in the kernel, whose stack is not there; the handler of SYSCALL is not
 * what fast paths know. */
TEST(fast_other_handler, "I1 I2")
{
	struct trap_info info = {0};
	struct outcome o;

	USER_PROGRAM_LOAD(&program, syscalls);
	user_run(&program.regs, USER_IRET);
	begin();
	devirtualize();
	write_msr(MSR_LSTAR, (u64)fast_other_handler);
	CHECK(virtualize(0) == 0, "virtualize");
	CHECK(trap_catch(enter, (void *)LARGE_VA, &info) && info.vector == TRAP_DF, "%s",
	      trap_name(info.vector));
	asm volatile("swapgs" ::: "memory");
	for (int i = 0; i < 3; i++) {
		program.regs = user_frame((va_t){USER_CODE}, (va_t){USER_STACK});
		o = enter_user();
		CHECK(o.ring == 3 && o.info.vector == VECTOR_SYSCALL && program.regs.r15 == 1,
		      "%s, R15 %lu", outcome_text(&o), program.regs.r15);
	}
	end();
	user_program_unload(&program);
}

static void load_cr3(void *value)
{
	write_cr3((u64)value);
}

/* What CR3 does not take would be loaded by devirtualize. (QEMU's takes it, and is lost then.) */
TEST(cr3_reserved, "I1 I4 M1")
{
	u64 cr3 = read_cr3();

	if (!is_virtualized())
		CHECK(virtualize(0) == 0, "virtualize");
	for (u32 bit = 52; bit < 64; bit++)
		expect_trap(load_cr3, (void *)(cr3 | 1ul << bit), TRAP_GP, 0);
	CHECK(read_cr3() == cr3, "CR3 is %#lx", read_cr3());
	CHECK(devirtualize() == 0, "devirtualize");
}

static void load_ldt(void *selector)
{
	asm volatile("lldt (%0)" ::"r"(selector) : "memory");
}

/* INVLPG anywhere in a large page is for all of it, and for what Vellum itself reads there. */
TEST(tlb_large_page_one_invlpg, "M5 I2")
{
	pa_t first = large_frame(), second = {first.v + LARGE_SIZE};
	u8 *at = (void *)(LARGE_VA + 5 * PAGE_SIZE);
	int level;

	CHECK(memory_is_ram(second.v, LARGE_SIZE), "no second large page");
	if (!is_virtualized())
		CHECK(virtualize(0) == 0, "virtualize");
	CHECK(space_map(&kernel_space, (va_t){LARGE_VA}, first, LARGE_SIZE,
			PTE_W | paging_nx() | PTE_G) == 0,
	      "map");
	*(u16 *)at = 0;
	*(u16 *)pa_to_ptr((pa_t){second.v + 5 * PAGE_SIZE}) = USER_DS & ~3;
	load_ldt(at);
	*space_entry(&kernel_space, (va_t){LARGE_VA}, &level) += LARGE_SIZE;
	invlpg(LARGE_VA);
	expect_trap(load_ldt, at, TRAP_GP, USER_DS & ~3);
	space_unmap(&kernel_space, (va_t){LARGE_VA});
	CHECK(devirtualize() == 0, "devirtualize");
}

#define DR7_WATCH_0 0xb0001u /* reads and writes of 8 bytes */

/* A data breakpoint on what IRETQ pops is a trap behind it. */
TEST(fast_return_watched, "I1 I2")
{
	USER_PROGRAM_LOAD(&program, gates);
	begin();
	warm_up();
	for (int i = 0; i < 3; i++) {
		struct trap_info info = {0};

		memcpy(island.frame, &program.regs.rip, sizeof(island.frame));
		asm volatile("mov %0, %%db0" ::"r"(&island.frame[i]) : "memory");
		write_dr7(DR7_WATCH_0);
		trap_catch(enter, island.frame, &info);
		write_dr7(0);
		CHECK(info.vector == 0, "%s in the kernel", trap_name(info.vector));
		CHECK(program.regs.vector == TRAP_DB && program.regs.rip == USER_CODE &&
			      (read_dr6() & 1),
		      "word %d: %s at %#lx", i, trap_name(program.regs.vector), program.regs.rip);
		write_dr6(0);
		warm_up();
	}
	end();
	user_program_unload(&program);
}

/* Without EFER.SCE, SYSCALL and SYSRET are no instructions. */
TEST(syscall_off, "I1 I2")
{
	struct trap_frame start;
	struct trap_info info;
	struct outcome o;

	USER_PROGRAM_LOAD(&program, syscalls);
	start = program.regs;
	start.rcx = 0x1234;
	program.regs = start;
	write_msr(MSR_EFER, read_msr(MSR_EFER) & ~(u64)EFER_SCE);
	info = user_run(&program.regs, USER_IRET);
	o = observe_user(&start, USER_SYSRET, NULL);
	write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_SCE);
	CHECK(info.vector == TRAP_UD && program.regs.rip == USER_CODE && program.regs.rcx == 0x1234,
	      "SYSCALL: %s, RCX %#lx", trap_name(info.vector), program.regs.rcx);
	CHECK(o.ring == 0 && o.info.vector == TRAP_UD, "SYSRET: %s", outcome_text(&o));
	user_program_unload(&program);
}

static struct vl_domain_counters counters;

static u64 tables_in_use(void)
{
	vl_call_domain_counters(hypercall_page, VL_DOMID_SELF, ptr_to_pa(&counters).v,
				sizeof(counters));
	return counters.shadow_tables;
}

/* The `i`-th of many regions that each want a table of the shadow, all by the same three of ours.
 */
static void touch(u64 i)
{
	(void)*(volatile u8 *)(USER_END / 2 + i * LARGE_SIZE);
}

static void map_many(struct space *space)
{
	pa_t table[4] = {space->root};
	u64 next = USER_END / 2 >> 39;

	for (int level = 1; level < 4; level++) {
		u64 *above = pa_to_ptr(table[level - 1]);

		table[level] = frame_alloc_zeroed();
		CHECK(table[level].v != 0, "no frames");
		for (u64 i = level == 1 ? next : 0; i < (level == 1 ? next + 1 : NR_ENTRIES); i++)
			above[i] = table[level].v | PTE_P | PTE_W | PTE_U;
	}
	*(u64 *)pa_to_ptr(table[3]) = table[3].v | PTE_P;
}

/* Address spaces are loaded when the last table for the shadow has just been taken. */
TEST(shadow_full_at_load, "M5 I4")
{
	u64 most = 0, used, i = 0;
	struct user_program other;
	struct space many;

	if (!is_virtualized())
		CHECK(virtualize(0) == 0, "virtualize");
	CHECK(space_create(&many) == 0, "no frames");
	map_many(&many);
	USER_PROGRAM_LOAD(&other, gates);
	space_load(&many);
	for (used = tables_in_use(); used >= most; used = tables_in_use()) {
		most = used;
		touch(i++);
	}
	for (u32 asid = 1; asid < 4; asid++) {
		while (tables_in_use() < most)
			touch(i++);
		CHECK(vl_call_mmu_load(hypercall_page, other.space.root.v, asid, 0) == 0, "load");
		for (int n = 0; n < 3; n++) {
			struct trap_info info = user_run(&other.regs, USER_IRET);

			CHECK(info.vector == VECTOR_GATE, "ended by %s", trap_name(info.vector));
		}
		CHECK(vl_call_mmu_load(hypercall_page, many.root.v, 0, 0) == 0, "load");
	}
	space_load(&kernel_space);
	CHECK(devirtualize() == 0, "devirtualize");
	user_program_unload(&other);
}
