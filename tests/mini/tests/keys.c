// SPDX-License-Identifier: MIT
/*
 * Protection keys: what ring 3 denies itself stays ring 3's. The kernel's own
 * pages have no key, and go on whatever PKRU says; the kernel's accesses to
 * user pages do obey it.
 */
#include "mini/cpu.h"
#include "mini/memory.h"
#include "mini/tap.h"
#include "mini/tests/expect.h"
#include "mini/tests/keys.h"
#include "mini/tests/user_program.h"

#define XCR0_PKRU_BIT 9
#define CPUID_1_XSAVE (1u << 26)
#define CR4_OSXSAVE   0x40000u

#define DENY_ALL   0x55555555u
#define DENY_KEY_0 1u
#define READ_KEY_0 2u /* and not write */

static void need_keys(void)
{
	if (!keys_exist())
		test_skip("the CPU has no protection keys");
	write_cr4(read_cr4() | CR4_PKE);
}

static void done(struct user_program *p)
{
	write_pkru(0);
	write_cr4(read_cr4() & ~(u64)CR4_PKE);
	user_program_unload(p);
}

static struct trap_info set_in_user(struct user_program *p, u32 pkru)
{
	p->regs = user_frame((va_t){USER_CODE}, (va_t){USER_STACK});
	p->regs.rax = pkru;
	p->regs.rdi = USER_DATA;
	return user_run(&p->regs, USER_IRET);
}

TEST(keys_user_denies_itself, "M5 I1 I2")
{
	static const u32 values[] = {DENY_KEY_0, DENY_ALL, 0xffffffff, 0, READ_KEY_0, DENY_KEY_0};
	static volatile u64 own[512];
	struct user_program p;

	need_keys();
	USER_PROGRAM_LOAD(&p, set_pkru);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		struct trap_info info = set_in_user(&p, values[i]);

		CHECK(info.vector == VECTOR_GATE, "%#x ended by %s error %#lx", values[i],
		      trap_name(info.vector), info.error);
		for (size_t k = 0; k < ARRAY_SIZE(own); k++)
			own[k] += k;
		CHECK(read_pkru() == values[i], "PKRU is %#x, ring 3 set %#x", read_pkru(),
		      values[i]);
	}
	done(&p);
}

/* What a kernel saves of its user: PKRU, and the register's part of an XSAVE area. */
TEST(keys_user_is_saved_exactly, "I1 I2")
{
	static u8 area[4096] __attribute__((aligned(64)));
	u64 cr4 = read_cr4();
	struct user_program p;
	u32 low, offset;

	need_keys();
	if (!(cpuid(1).ecx & CPUID_1_XSAVE))
		test_skip("the CPU has no XSAVE");
	asm volatile("cpuid" : "=b"(offset), "=a"(low) : "a"(0xd), "c"(XCR0_PKRU_BIT) : "edx");
	write_cr4(read_cr4() | CR4_OSXSAVE | CR4_OSFXSR);
	asm volatile("xsetbv" ::"c"(0), "a"(1 | 1u << XCR0_PKRU_BIT), "d"(0) : "memory");
	USER_PROGRAM_LOAD(&p, set_pkru);
	set_in_user(&p, DENY_ALL);
	asm volatile("xsave %0" : "+m"(area) : "a"(1u << XCR0_PKRU_BIT), "d"(0) : "memory");
	CHECK(*(u32 *)(area + offset) == DENY_ALL, "XSAVE stored %#x", *(u32 *)(area + offset));
	CHECK(read_pkru() == DENY_ALL, "RDPKRU read %#x", read_pkru());
	write_pkru(0);
	asm volatile("xsetbv" ::"c"(0), "a"(1), "d"(0) : "memory");
	done(&p);
	write_cr4(cr4);
}

TEST(keys_user_faults, "M5 I2")
{
	struct user_program p;
	struct trap_info info;

	need_keys();
	USER_PROGRAM_LOAD(&p, pkru_then_write);
	for (int round = 0; round < 3; round++) {
		info = set_in_user(&p, DENY_KEY_0);
		CHECK(info.vector == TRAP_PF && info.error == (PF_P | PF_W | PF_U | PF_K) &&
			      info.cr2 == USER_DATA,
		      "denied: %s error %#lx", trap_name(info.vector), info.error);
		info = set_in_user(&p, 0);
		CHECK(info.vector == VECTOR_GATE, "allowed: %s error %#lx", trap_name(info.vector),
		      info.error);
	}
	done(&p);
}

TEST(keys_kernel_obeys, "M5 I2")
{
	volatile u64 *data = (void *)USER_DATA;
	struct user_program p;

	need_keys();
	USER_PROGRAM_LOAD(&p, set_pkru);
	for (int round = 0; round < 3; round++) {
		write_pkru(0);
		*data = 1;
		write_pkru(DENY_KEY_0);
		expect_read_fault((va_t){USER_DATA}, PF_P | PF_K);
		expect_write_fault((va_t){USER_DATA}, PF_P | PF_W | PF_K);
		CHECK(read_pkru() == DENY_KEY_0, "PKRU is %#x", read_pkru());
		write_pkru(READ_KEY_0);
		CHECK(*data == 1, "reads %lu", *data);
		expect_write_fault((va_t){USER_DATA}, PF_P | PF_W | PF_K);
		set_in_user(&p, DENY_ALL);
		expect_read_fault((va_t){USER_DATA}, PF_P | PF_K);
		set_in_user(&p, 0);
		CHECK(*data == 1, "reads %lu", *data);
		*data = 2;
		set_in_user(&p, READ_KEY_0);
		expect_write_fault((va_t){USER_DATA}, PF_P | PF_W | PF_K);
	}
	done(&p);
}
