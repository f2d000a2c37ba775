/* SPDX-License-Identifier: MIT */
/*
 * The two 8259 interrupt controllers.
 */
#ifndef MINI_IRQ_H
#define MINI_IRQ_H

#include "mini/traps.h"

#define IRQ_TIMER 0

/** Reset both controllers: vectors from VECTOR_IRQ on, all lines masked. */
void irq_init(void);

/** Call `handler` on each interrupt of line 0 .. 15 and unmask the line; NULL masks it. The
 * end-of-interrupt command is given before the handler runs. */
void irq_set_handler(u8 line, trap_handler handler);

/** Let a request of the masked line that came while it was masked go by: the 8259 keeps such a
 * one, and would deliver it at the next unmasking. To be called with interrupts off. */
void irq_drain(u8 line);

/** Whether the line is requested and not yet delivered. */
bool irq_is_pending(u8 line);

#endif
