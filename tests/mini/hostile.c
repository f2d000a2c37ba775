// SPDX-License-Identifier: MIT
/*
 * A guest that tries everything that is none of its business: memory that is
 * not its own, ports, MSRs, other CPUs, calls that are the first guest's. What
 * may work says so here, one by one; whatever else does is printed, and counts.
 * The guests that it tries to reach look at the same time whether it did.
 */
#include "lib/string.h"
#include "mini/console.h"
#include "mini/frames.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/irq.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/role.h"
#include "mini/traps.h"

#define WINDOW_VA  0x0000030000000000ul
#define REACH      (4 * GIB) /* where the machine's memory and devices are */
#define STEP       (4 * PAGE_SIZE)
#define ONES       (~(u64)0)
#define SHOWN      5u /* of what worked, in each kind */
#define LAPIC_PA   0xfee00000u
#define LAPIC_ICR  0x300u
#define LAPIC_ICR2 0x310u
#define ICR_INIT   0x4500u
#define ICR_NMI    0x4400u
#define ICR_SIPI   0x4600u
#define ICR_ALL    0xc0000u /* but this one */
#define ICR_EACH   0x80000u

static u32 worked;

static bool is_shown(u32 before)
{
	worked++;
	return worked - before <= SHOWN;
}

/* --- memory --- */

static bool is_own(u64 pa)
{
	return memory_is_ram(pa, 8) || (pa & ~(u64)(PAGE_SIZE - 1)) == LAPIC_PA;
}

/* What a place that has nothing reads as: in a window without a device the registers of no device.
 */
static u64 nothing_at(u64 pa)
{
	return pa >= VL_DEVICE_BASE && pa < VL_DEVICE_ADDRESS(VL_MAX_DEVICES) ? 0 : ONES;
}

/* What is written may stay where it is, as long as it is nobody's. */
static void try_word(u64 pa, u32 before)
{
	volatile u64 *word = (volatile u64 *)(WINDOW_VA + pa);
	u64 value = *word;

	if (value != nothing_at(pa) && is_shown(before))
		print("%#lx shows %#lx\n", pa, value);
	*word = 0x6572656820736177ull;
	*word = ONES;
}

static void try_memory(void)
{
	static struct space space;
	u32 before = worked;

	if (space_create(&space) != 0) {
		worked++;
		return;
	}
	for (u64 pa = 0; pa < REACH; pa += LARGE_SIZE)
		if (space_map(&space, (va_t){WINDOW_VA + pa}, (pa_t){pa}, LARGE_SIZE, PTE_W) != 0)
			worked++;
	space_load(&space);
	for (u64 pa = 0; pa < REACH; pa += pa < GIB ? STEP : 16 * STEP)
		if (!is_own(pa + 64))
			try_word(pa + 64, before);
	space_load(&kernel_space);
	space_destroy(&space);
}

/* --- ports --- */

/* Its own board answers at these; at the last ones it would end. */
static bool is_board(u32 port)
{
	return port == 0x64 || port == 0x92 || port == 0xcf9 || (port & 0xfff8) == 0x3f8;
}

static void try_ports(void)
{
	for (u32 port = 0; port <= 0xffff; port++) {
		in8((u16)port);
		if (is_board(port))
			continue;
		out8((u16)port, 0xff);
		out8((u16)port, 0);
	}
	console_init();
	irq_init();
}

/* --- MSRs --- */

static u32 msr;
static u64 msr_value;

static void do_read_msr(void *unused)
{
	(void)unused;
	msr_value = read_msr(msr);
}

static void do_write_msr(void *unused)
{
	(void)unused;
	write_msr(msr, msr_value);
}

/* What each CPU has for itself, and a guest may have as it likes. */
static bool is_own_msr(u32 nr)
{
	return nr == MSR_APIC_BASE || (nr >= 0x174 && nr <= 0x176) || nr == 0x277 || nr == 0x6e0 ||
	       (nr >= 0x800 && nr <= 0x8ff) || (nr >= MSR_EFER && nr <= MSR_SFMASK) ||
	       (nr >= MSR_FS_BASE && nr <= MSR_KERNEL_GS_BASE + 1);
}

static void try_msr(u32 nr, u32 before)
{
	struct trap_info trap;
	u64 is;

	msr = nr;
	if (is_own_msr(nr) || trap_catch(do_read_msr, NULL, &trap))
		return;
	is = msr_value;
	msr_value = is ^ 1;
	if (trap_catch(do_write_msr, NULL, &trap))
		return;
	/* A write that changes nothing is as good as a fault. */
	if (!trap_catch(do_read_msr, NULL, &trap) && msr_value != is && nr != 0x10 &&
	    is_shown(before))
		print("MSR %#x took %#lx for %#lx\n", nr, msr_value, is);
}

static void try_msrs(void)
{
	static const u32 starts[] = {0, 0xc0000000, 0xc0010000};
	u32 before = worked;

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		for (u32 k = 0; k < 0x1000; k++)
			try_msr(starts[i] + k, before);
}

/* --- other CPUs --- */

static void try_cpus(void)
{
	static const u32 commands[] = {
		ICR_NMI | ICR_ALL, ICR_INIT | ICR_ALL, ICR_SIPI | ICR_ALL, ICR_NMI,
		ICR_INIT,          ICR_SIPI,           ICR_ALL | 0x20,     0x20};
	volatile u32 *lapic = mmio_map((pa_t){LAPIC_PA}, PAGE_SIZE);

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		for (u32 to = 1; to < 8; to++) {
			lapic[LAPIC_ICR2 / 4] = to << 24;
			lapic[LAPIC_ICR / 4] = commands[i];
		}
}

/* --- calls --- */

static const u32 first_guests[] = {
	VL_CALL_CONSOLE_READ,        VL_CALL_VIRTUALIZE,
	VL_CALL_DEVIRTUALIZE,        VL_CALL_P2M_READ,
	VL_CALL_TEST_MOVE_PAGE,      VL_CALL_SET_FAILPOINT,
	VL_CALL_TEST_SPOIL_SHADOW,   VL_CALL_ADD_CPU,
	VL_CALL_DOMAIN_RENAME,       VL_CALL_DOMAIN_CREATE,
	VL_CALL_MEMORY_GIVE,         VL_CALL_DOMAIN_DESTROY,
	VL_CALL_DOMAIN_CONSOLE_READ, VL_CALL_DOMAIN_CONSOLE_WRITE,
	VL_CALL_VCPU_START,          VL_CALL_DOMAIN_PAUSE,
	VL_CALL_DOMAIN_UNPAUSE,      VL_CALL_DOMAIN_WEIGHT,
	VL_CALL_DOMAIN_SHUTDOWN,     VL_CALL_DOMAIN_SCHED_INFO,
	VL_CALL_TEST_SCATTER,        VL_CALL_TEST_REMAP,
	VL_CALL_HAND_OVER,           VL_CALL_HOME,
	VL_CALL_DEVICE_ADD,          VL_CALL_DISK_WRITE,
	VL_CALL_MEMORY_CLAIM,        VL_CALL_VCPU_STATUS,
};

/* That one it may make: for its own vcpus. */
static bool starts_own(u32 nr, u64 domid)
{
	return nr == VL_CALL_VCPU_START && domid == start_info->domid;
}

static void try_calls(void)
{
	static u64 page[NR_ENTRIES] __attribute__((aligned(4096)));
	u32 before = worked;

	for (size_t i = 0; i < ARRAY_SIZE(first_guests); i++)
		for (u64 domid = 0; domid < 4; domid++) {
			s64 answer = starts_own(first_guests[i], domid)
					     ? -VL_EPERM
					     : hypercall_page(first_guests[i], domid,
							      ptr_to_pa(page).v, sizeof(page),
							      ptr_to_pa(page).v, sizeof(page));

			if (answer != -VL_EPERM && is_shown(before))
				print("call %u of domain %lu: %ld\n", first_guests[i], domid,
				      answer);
		}
	for (u64 domid = 0; domid < 4; domid++) {
		s64 answer = domid == start_info->domid
				     ? -VL_EPERM
				     : vl_call_memory_take(hypercall_page, domid, 0x1000, 16);

		if (answer >= 0 && is_shown(before))
			print("memory_take of domain %lu: %ld\n", domid, answer);
	}
}

bool hostile_all(void)
{
	static const struct {
		const char *what;
		void (*attempt)(void);
	} all[] = {
		{"calls", try_calls}, {"memory", try_memory}, {"MSRs", try_msrs},
		{"CPUs", try_cpus},   {"ports", try_ports},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		u32 before = worked;

		print("trying %s\n", all[i].what);
		all[i].attempt();
		interrupts_off();
		print("%u of %s worked\n", worked - before, all[i].what);
	}
	return worked == 0;
}
