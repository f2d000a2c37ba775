/* SPDX-License-Identifier: MIT */
/*
 * Model of the PC's real-time clock (Motorola MC146818A data sheet) with its
 * memory: calendar, periodic, alarm and update interrupts on line 8. Pure: the
 * time is the TSC, which never goes back from call to call.
 */
#ifndef VELLUM_IRQ_RTC_H
#define VELLUM_IRQ_RTC_H

#include "irq/clock.h"
#include "irq/pic_hardware.h"

#define RTC_INDEX 0x70 /* bit 7 is not the clock's */
#define RTC_DATA  0x71
#define RTC_HZ    32768

/* Its registers; the rest is memory. */
#define RTC_SECONDS       0x00
#define RTC_SECONDS_ALARM 0x01
#define RTC_MINUTES       0x02
#define RTC_MINUTES_ALARM 0x03
#define RTC_HOURS         0x04
#define RTC_HOURS_ALARM   0x05
#define RTC_WEEKDAY       0x06 /* 1 is Sunday */
#define RTC_DAY           0x07
#define RTC_MONTH         0x08
#define RTC_YEAR          0x09 /* two digits */
#define RTC_A             0x0a
#define RTC_B             0x0b
#define RTC_C             0x0c
#define RTC_D             0x0d
#define RTC_CENTURY       0x32
#define NR_RTC_REGISTERS  128

#define RTC_A_UPDATING 0x80
#define RTC_B_SET      0x80 /* no updates while it is set */
#define RTC_B_PERIODIC 0x40
#define RTC_B_ALARM    0x20
#define RTC_B_UPDATE   0x10
#define RTC_B_BINARY   0x04
#define RTC_B_24H      0x02
#define RTC_C_REQUEST  0x80 /* and bits 6:4 as in B */
#define RTC_D_VALID    0x80

struct rtc {
	struct clock clock; /* RTC_HZ */
	u8 index;
	u8 reg[NR_RTC_REGISTERS]; /* calendar as of the last update */
	u64 update;               /* tick of the next update */
	u64 periodic;             /* tick up to which periods were counted */
};

/** A clock that shows the given second since 1970 at `now`; binary, 24 hours, no interrupts. */
void rtc_reset(struct rtc *r, struct clock clock, u64 seconds, u64 now);

/** A byte to or from one of the two ports. Reading C ends the request. */
void rtc_write(struct rtc *r, u16 port, u8 value, u64 now);
u8 rtc_read(struct rtc *r, u16 port, u64 now);

/** Seconds since 1970 that it shows; 0: no date, or one before that. */
u64 rtc_seconds(struct rtc *r, u64 now);

/** Line 8. */
bool rtc_line(struct rtc *r, u64 now);

/** The TSC at which it may rise next; CLOCK_NEVER: not by itself. */
u64 rtc_deadline(struct rtc *r, u64 now);

/**
 * Capture the real one, its memory included. Register C, whose reading has an effect, is taken as
 * `request`: what its reader got, 0 if nobody read it. Where within its second the clock is shows
 * in the update flag only; the model's second starts at `now`.
 */
void rtc_capture(struct rtc *r, const struct port_access *hardware, u8 request, u64 now);

/** Give registers and memory to the real one, whose second goes on as it was. */
void rtc_restore(struct rtc *r, const struct port_access *hardware, u64 now);

/** Registers alone: the machine's memory stays what it is. What it has requested is ended. */
void rtc_restore_registers(struct rtc *r, const struct port_access *hardware, u64 now);

#endif
