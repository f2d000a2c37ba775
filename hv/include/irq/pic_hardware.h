/* SPDX-License-Identifier: MIT */
/*
 * The 8259 pair of a virtualized guest that owns the machine: a model of what
 * the guest sees, kept in step with the hardware, which raises the requests.
 */
#ifndef VELLUM_IRQ_PIC_HARDWARE_H
#define VELLUM_IRQ_PIC_HARDWARE_H

#include "irq/pic.h"

/** The machine's ports; tests put a model behind it. */
struct port_access {
	u8 (*in)(void *context, u16 port);
	void (*out)(void *context, u16 port, u8 value);
	void *context;
};

struct pic_hardware {
	const struct port_access *ports; /* NULL: the hardware is left to the guest */
	struct pic model;
	u8 isr[2];    /* of the hardware */
	u8 lowest[2]; /* its priorities, as in struct pic_chip */
	bool ended;   /* something in service there was ended, so it may have a new request */
	bool unread;  /* all is masked, and nothing but that was captured yet */
	u8 fresh;     /* line that arrived since the guest could take one; or NR_PIC_LINES */
	u32 owed;     /* ticks of line 0 that come as soon as the one before is taken */
};

/**
 * Capture the hardware's state; from here on Vellum acknowledges its interrupts. Reads only, but
 * for the choice of the register that the command ports show. Interrupts must be off, as for all
 * functions here.
 */
void pic_hardware_enter(struct pic_hardware *p, const struct port_access *ports);

/**
 * The other way round: the hardware, whose lines are all quiet or masked, is programmed as `model`
 * was, a pair without hardware behind it. What that has requested or in service lives on in the
 * model alone; so do `owed` ticks of line 0, unless it is masked.
 */
void pic_hardware_begin(struct pic_hardware *p, const struct port_access *ports,
			const struct pic *model, u32 owed);

/** Whether the hardware can be given back: false while the model is ahead of it and a line is
 * unmasked. */
bool pic_hardware_can_leave(const struct pic_hardware *p);

/** Give it back: the hardware is what the guest believes it to be. */
void pic_hardware_leave(struct pic_hardware *p);

/** The CPU took an interrupt with this vector. False: it is not from here, or a spurious one. */
bool pic_hardware_arrived(struct pic_hardware *p, u8 vector);

/** Whether the hardware cannot interrupt, since all is masked: then nothing arrives. Saves a port
 * access at each interrupt of the APIC. */
bool pic_hardware_is_silent(const struct pic_hardware *p);

/** Whether it may use a vector of an exception, as a BIOS sets the master up. */
bool pic_hardware_is_low(const struct pic_hardware *p);

/** Nothing waits and nothing is in service: pic_hardware_take() and _hold() would do nothing. */
static inline bool pic_hardware_is_idle(const struct pic_hardware *p)
{
	const struct pic_chip *c = p->model.chip;

	return p->ports == NULL || (c[0].line | c[0].edge | c[0].isr | p->isr[0] | c[1].line |
				    c[1].edge | c[1].isr | p->isr[1]) == 0;
}

/** Whether an interrupt waits for the guest's IF. */
bool pic_hardware_waits(const struct pic_hardware *p);

/** The guest takes an interrupt: its vector, or -1 when none waits, or the CPU gets a better one as
 * soon as it has interrupts on. */
int pic_hardware_take(struct pic_hardware *p);

/** The guest takes none now, although it may wait: its IF is off. */
void pic_hardware_hold(struct pic_hardware *p);

/** A byte that the guest writes to or reads from one of the six ports. */
void pic_hardware_write(struct pic_hardware *p, u16 port, u8 value);
u8 pic_hardware_read(struct pic_hardware *p, u16 port);

#endif
