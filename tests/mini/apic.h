/* SPDX-License-Identifier: MIT */
/*
 * The local APIC's registers, by their offsets in xAPIC mode.
 */
#ifndef MINI_APIC_H
#define MINI_APIC_H

#include "lib/types.h"

#define APIC_TPR       0x080u
#define APIC_PPR       0x0a0u
#define APIC_EOI       0x0b0u
#define APIC_SVR       0x0f0u
#define APIC_ISR       0x100u /* eight words, 16 bytes apart */
#define APIC_IRR       0x200u
#define APIC_ICR       0x300u
#define APIC_ICR_HIGH  0x310u /* not in x2APIC mode */
#define APIC_LVT_TIMER 0x320u
#define APIC_LVT_LINT0 0x350u
#define APIC_INITIAL   0x380u
#define APIC_CURRENT   0x390u
#define APIC_DIVIDE    0x3e0u

#define APIC_ICR_SELF     0x40000u
#define APIC_LVT_MASKED   0x10000u
#define APIC_LVT_PERIODIC 0x20000u
#define APIC_DIVIDE_BY_1  0xbu

u32 apic_read(u32 reg);
void apic_write(u32 reg, u32 value);

/** Send what the lower half of the ICR says to a destination (SDM volume 3, 11.6 and 11.12.9). */
void apic_send(u32 destination, u32 command);

/** Whether the registers are reached as MSRs, by all CPUs: `x2apic` on the command line. */
bool apic_is_x2apic(void);

/** On a CPU that has been started: reach the registers as the first one does. */
void apic_enable_too(void);

/** Reach the registers and switch the APIC on, with the 8259s still connected; false if there is
 * none or the firmware has switched it off. */
bool apic_enable(void);

/** Timer counts in 10 ms, undivided; leaves the timer masked. */
u32 apic_measure(void);

#endif
