// SPDX-License-Identifier: MIT
/*
 * The local APIC's timer, as a second source of ticks. The 8259s stay in use
 * next to it: LINT0 passes their interrupts through (virtual wire).
 */
#include "mini/cpu.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/ticks.h"
#include "mini/timer.h"

#define CPUID1_EDX_APIC 0x200u
#define BASE_ENABLED    0x800u
#define BASE_X2APIC     0x400u
#define BASE_ADDRESS    0x000ffffffffff000ull

#define MSR_X2APIC      0x800u
#define REG_EOI         0x0b0u
#define REG_SVR         0x0f0u
#define REG_LVT_TIMER   0x320u
#define REG_LVT_LINT0   0x350u
#define REG_INITIAL     0x380u
#define REG_CURRENT     0x390u
#define REG_DIVIDE      0x3e0u
#define SVR_ENABLE      0x1ffu /* and the spurious vector 0xff */
#define LVT_MASKED      0x10000u
#define LVT_PERIODIC    0x20000u
#define LVT_EXTINT      0x700u
#define DIVIDE_BY_1     0xbu
#define VECTOR_SPURIOUS 0xff

static volatile u32 *registers; /* NULL in x2APIC mode */

static u32 apic_read(u32 reg)
{
	return registers != NULL ? registers[reg / 4] : (u32)read_msr(MSR_X2APIC + reg / 16);
}

static void apic_write(u32 reg, u32 value)
{
	if (registers != NULL)
		registers[reg / 4] = value;
	else
		write_msr(MSR_X2APIC + reg / 16, value);
}

static void tick(const struct trap_frame *frame)
{
	apic_write(REG_EOI, 0);
	ticks_count(frame);
}

static void ignore(const struct trap_frame *frame)
{
	(void)frame;
}

/* Reach the registers and switch the APIC on, with the 8259s still connected. */
static bool enable(void)
{
	u64 base;

	if (!(cpuid(1).edx & CPUID1_EDX_APIC))
		return false;
	base = read_msr(MSR_APIC_BASE);
	if (!(base & BASE_ENABLED))
		return false;
	if (!(base & BASE_X2APIC) && registers == NULL)
		registers = mmio_map((pa_t){base & BASE_ADDRESS}, PAGE_SIZE);
	trap_set_handler(VECTOR_SPURIOUS, ignore);
	if ((apic_read(REG_SVR) & SVR_ENABLE) != SVR_ENABLE) {
		apic_write(REG_SVR, SVR_ENABLE);
		apic_write(REG_LVT_LINT0, LVT_EXTINT);
	}
	return true;
}

/* Timer counts in 10 ms. */
static u32 measure(void)
{
	apic_write(REG_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	apic_write(REG_DIVIDE, DIVIDE_BY_1);
	apic_write(REG_INITIAL, 0xffffffff);
	delay_ms(10);
	return 0xffffffff - apic_read(REG_CURRENT);
}

bool apic_timer_start(u32 hz)
{
	u32 count;

	if (!enable())
		return false;
	tsc_per_ms(); /* so that it is not measured within measure() */
	count = measure() / hz * 100;
	ticks_reset();
	trap_set_handler(VECTOR_TIMER, tick);
	apic_write(REG_LVT_TIMER, LVT_PERIODIC | VECTOR_TIMER);
	apic_write(REG_INITIAL, count);
	return true;
}

void apic_timer_stop(void)
{
	apic_write(REG_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	apic_write(REG_INITIAL, 0);
}
