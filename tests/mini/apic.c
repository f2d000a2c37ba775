// SPDX-License-Identifier: MIT
/*
 * The local APIC's timer, as a second source of ticks. The 8259s stay in use
 * next to it: LINT0 passes their interrupts through (virtual wire).
 */
#include "mini/apic.h"

#include "mini/cmdline.h"
#include "mini/cpu.h"
#include "mini/memory.h"
#include "mini/paging.h"
#include "mini/ticks.h"
#include "mini/timer.h"

#define CPUID1_ECX_X2APIC 0x200000u
#define CPUID1_EDX_APIC   0x200u
#define BASE_ENABLED      0x800u
#define BASE_X2APIC       0x400u
#define BASE_ADDRESS      0x000ffffffffff000ull

#define MSR_X2APIC      0x800u
#define SVR_ENABLE      0x1ffu /* and the spurious vector 0xff */
#define LVT_EXTINT      0x700u
#define VECTOR_SPURIOUS 0xff

static volatile u32 *registers; /* NULL in x2APIC mode */

u32 apic_read(u32 reg)
{
	return registers != NULL ? registers[reg / 4] : (u32)read_msr(MSR_X2APIC + reg / 16);
}

void apic_write(u32 reg, u32 value)
{
	if (registers != NULL)
		registers[reg / 4] = value;
	else
		write_msr(MSR_X2APIC + reg / 16, value);
}

bool apic_is_x2apic(void)
{
	return registers == NULL;
}

void apic_send(u32 destination, u32 command)
{
	if (apic_is_x2apic()) {
		write_msr(MSR_X2APIC + APIC_ICR / 16, (u64)destination << 32 | command);
		return;
	}
	apic_write(APIC_ICR_HIGH, destination << 24);
	apic_write(APIC_ICR, command);
}

void apic_enable_too(void)
{
	u64 base = read_msr(MSR_APIC_BASE);

	if (apic_is_x2apic() && !(base & BASE_X2APIC))
		write_msr(MSR_APIC_BASE, base | BASE_X2APIC);
}

static void tick(const struct trap_frame *frame)
{
	apic_write(APIC_EOI, 0);
	ticks_count(frame);
}

static void ignore(const struct trap_frame *frame)
{
	(void)frame;
}

/* With `x2apic` on the command line the registers are reached as MSRs where the processor can;
 * there is no way back from that. */
static u64 choose_mode(u64 base)
{
	char value[2];

	if (!cmdline_get("x2apic", value, sizeof(value)) || (base & BASE_X2APIC) ||
	    !(cpuid(1).ecx & CPUID1_ECX_X2APIC))
		return base;
	registers = NULL;
	write_msr(MSR_APIC_BASE, base | BASE_X2APIC);
	return read_msr(MSR_APIC_BASE);
}

bool apic_enable(void)
{
	u64 base;

	if (!(cpuid(1).edx & CPUID1_EDX_APIC))
		return false;
	base = read_msr(MSR_APIC_BASE);
	if (!(base & BASE_ENABLED))
		return false;
	base = choose_mode(base);
	if (!(base & BASE_X2APIC) && registers == NULL)
		registers = mmio_map((pa_t){base & BASE_ADDRESS}, PAGE_SIZE);
	trap_set_handler(VECTOR_SPURIOUS, ignore);
	if ((apic_read(APIC_SVR) & SVR_ENABLE) != SVR_ENABLE) {
		apic_write(APIC_SVR, SVR_ENABLE);
		apic_write(APIC_LVT_LINT0, LVT_EXTINT);
	}
	return true;
}

u32 apic_measure(void)
{
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | VECTOR_TIMER);
	apic_write(APIC_DIVIDE, APIC_DIVIDE_BY_1);
	apic_write(APIC_INITIAL, 0xffffffff);
	delay_ms(10);
	return 0xffffffff - apic_read(APIC_CURRENT);
}

bool apic_timer_start(u32 hz)
{
	u32 count;

	if (!apic_enable())
		return false;
	tsc_per_ms(); /* so that it is not measured within it */
	count = apic_measure() / hz * 100;
	ticks_reset();
	trap_set_handler(VECTOR_TIMER, tick);
	apic_write(APIC_LVT_TIMER, APIC_LVT_PERIODIC | VECTOR_TIMER);
	apic_write(APIC_INITIAL, count);
	return true;
}

void apic_timer_stop(void)
{
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | VECTOR_TIMER);
	apic_write(APIC_INITIAL, 0);
}
