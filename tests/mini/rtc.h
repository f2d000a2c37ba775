/* SPDX-License-Identifier: MIT */
/*
 * The real-time clock, as a source of interrupts: its line goes up with an
 * interrupt and stays there until register C is read.
 */
#ifndef MINI_RTC_H
#define MINI_RTC_H

#include "mini/cpu.h"

#define RTC_INDEX   0x70
#define RTC_DATA    0x71
#define RTC_A       0x0a
#define RTC_B       0x0b
#define RTC_C       0x0c
#define RTC_RATE    0x26 /* 1024 Hz */
#define RTC_PIE     0x40
#define RTC_NMI_OFF 0x80
#define LINE_RTC    8

static inline u8 rtc_read(u8 reg)
{
	out8(RTC_INDEX, RTC_NMI_OFF | reg);
	return in8(RTC_DATA);
}

static inline void rtc_write(u8 reg, u8 value)
{
	out8(RTC_INDEX, RTC_NMI_OFF | reg);
	out8(RTC_DATA, value);
}

/** Switch the periodic interrupt on, 1024 times a second, or off; the line is low then. */
static inline void rtc_set_periodic(bool on)
{
	rtc_write(RTC_A, RTC_RATE);
	rtc_write(RTC_B, on ? rtc_read(RTC_B) | RTC_PIE : rtc_read(RTC_B) & (u8)~RTC_PIE);
	rtc_read(RTC_C);
}

#endif
