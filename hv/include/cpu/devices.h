/* SPDX-License-Identifier: MIT */
/*
 * The layer of I/O: PIT, real-time clock and first serial port of the guest
 * that owns the machine, at models that stand before the real ones. There is
 * one of each in a machine, so there is one such layer.
 */
#ifndef VELLUM_CPU_DEVICES_H
#define VELLUM_CPU_DEVICES_H

#include "lib/types.h"

/** The models start from what the devices are; nothing that anybody can notice has happened. */
void devices_capture(void);

/** Undo that, or end the layer: the devices are what the guest believes them to be. */
void devices_leave(void);

/** Whether they can be made so. False while the guest is in the middle of something. */
bool devices_can_leave(void);

/** The ports of the devices that were captured trap on this CPU, or are the machine's. */
void devices_trap(bool trapped);

/** Whether a port belongs to a device that is captured. */
bool devices_have(u16 port);

/** The guest's access to one of these. */
u8 devices_read(u16 port);
void devices_write(u16 port, u8 value);

#endif
