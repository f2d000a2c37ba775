/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of a CPU whose guest owns the machine: the guest's view of
 * service and priority, the hardware that raises the requests, and the one
 * timer that guest and Vellum share.
 */
#ifndef VELLUM_IRQ_LAPIC_HARDWARE_H
#define VELLUM_IRQ_LAPIC_HARDWARE_H

#include "irq/lapic.h"

/** The real registers, by their offsets in xAPIC mode; tests put a model behind it. */
struct lapic_access {
	u32 (*read)(void *context, u32 offset);
	void (*write)(void *context, u32 offset, u32 value);
	/* The interrupt command register as one, destination in the upper half; NULL in xAPIC mode,
	 * where it is two. */
	u64 (*read_icr)(void *context);
	void (*write_icr)(void *context, u64 icr);
	/* IA32_TSC_DEADLINE; NULL if the processor has none */
	u64 (*read_deadline)(void *context);
	void (*write_deadline)(void *context, u64 tsc);
	void *context;
};

/** Vector of Vellum's own timer. Free in Linux 6.1; a guest's interrupt on it is told apart. */
#define LAPIC_OWN_VECTOR 0xf5

struct lapic_hardware {
	const struct lapic_access *access; /* NULL: the hardware is left to the guest */
	u32 held[LAPIC_WORDS];             /* in service in the hardware */
	u32 taken[LAPIC_WORDS];            /* of those: in service for the guest */
	u32 ended[LAPIC_WORDS]; /* of those: ended by the guest, behind something that is not */
	u32 tickets;            /* how many are held, and neither taken nor ended */
	u32 tpr;
	bool stray;  /* an interrupt of Vellum's timer is still to arrive after it was stopped */
	bool shared; /* the real timer is Vellum's, which keeps the guest's: */
	bool late;   /* it had interrupted already when it was loaded anew */
	struct lapic_timer timer; /* that, and always the clock */
	u64 lost; /* counts by which a periodic timer was late after it was shared, below a period
		   */
	u32 lvt_timer, svr; /* as the guest believes them to be */
	bool icr_kept;      /* so is the next, since Vellum has sent messages of its own: */
	u64 icr;            /* destination in the upper half, as in x2APIC mode */
	u32 ldr, dfr;       /* how other CPUs address this one, xAPIC mode */
	u64 armed;          /* what the real timer is loaded for, a TSC or CLOCK_NEVER */
	u64 own_deadline;   /* Vellum's, a TSC; CLOCK_NEVER: none */
};

/**
 * Capture the hardware's state; from here on Vellum acknowledges its interrupts. Reads only.
 * `bus` is the timer's clock; one of rate 0 says that the timer cannot be shared. Interrupts must
 * be off, as for all functions here; `now` is the TSC.
 */
void lapic_hardware_enter(struct lapic_hardware *h, const struct lapic_access *access,
			  struct clock bus);

/**
 * After that, on hardware that is silent: its registers become as those of `model`, without
 * hardware behind it, were. Vectors in service or requested are the caller's to send, the former
 * before this, the latter after.
 */
void lapic_hardware_begin(struct lapic_hardware *h, struct lapic *model, u64 now);

/** The part of that which the hardware alone keeps. */
void lapic_hardware_copy(struct lapic_hardware *h, const struct lapic *model);

/** Send `vector` to the CPU itself, for Vellum: the guest sees nothing of it in its registers. */
void lapic_hardware_send_self(struct lapic_hardware *h, u8 vector);

/** The highest vector in service at the APIC, which the guest has ended or which goes back, is no
 * more. */
void lapic_hardware_end(struct lapic_hardware *h, u8 vector);

/** Nothing comes from the hardware itself any more: its local entries are masked, its priority is
 * 0. False: something is requested or in service, of which one is ended. The CPU is to take
 * interrupts between two calls. */
bool lapic_hardware_silence(const struct lapic_access *access);

/** What the CPU has acknowledged and the guest has not is requested in the hardware again, as on
 * the bare CPU, whose flag is off. Not requests of level-triggered lines, nor what one of those, or
 * a vector that the guest serves, keeps in service below it; nothing while the guest has switched
 * its APIC off. */
void lapic_hardware_send_back(struct lapic_hardware *h);

/** Whether it can be given back: no request waits that the CPU has acknowledged already, and
 * Vellum's timer is off and its last interrupt has arrived. */
bool lapic_hardware_can_leave(const struct lapic_hardware *h);

/** Give it back: the hardware is what the guest believes it to be. Only if that is true. */
void lapic_hardware_leave(struct lapic_hardware *h);

enum lapic_arrival {
	LAPIC_NOTHING,   /* not in service: a spurious one, or an INT instruction */
	LAPIC_INTERRUPT, /* dealt with */
	LAPIC_OWN_TIMER, /* the same, and the deadline of lapic_hardware_set_timer() is over */
};

/** The CPU came through this vector's gate, and not for an 8259. */
enum lapic_arrival lapic_hardware_arrived(struct lapic_hardware *h, u8 vector, u64 now);

/** The vector that the guest would take with its IF set; LAPIC_NO_VECTOR: none. */
int lapic_hardware_request(const struct lapic_hardware *h);

/** The guest takes it. */
int lapic_hardware_take(struct lapic_hardware *h);

/** The guest's accesses; see lapic_read(). */
u32 lapic_hardware_read(const struct lapic_hardware *h, u32 offset, u64 now);
void lapic_hardware_write(struct lapic_hardware *h, u32 offset, u32 value, u64 now);

/** The end of an interrupt alone, which is the frequent one. */
void lapic_hardware_eoi(struct lapic_hardware *h);

/** Vellum is about to send a message: what the guest reads of its own last one is kept from here
 * on. Not needed for the other functions here. */
void lapic_hardware_keep_icr(struct lapic_hardware *h);

/** The guest's message; in xAPIC mode the upper half of `icr` is in the hardware already. */
void lapic_hardware_send(struct lapic_hardware *h, u64 icr);

/** The guest believes to have sent it, and Vellum deals with it. */
void lapic_hardware_sent(struct lapic_hardware *h, u64 icr);

/** Whether a message in xAPIC mode with this destination, but no shorthand, is for the APIC with
 * this id. */
bool lapic_hardware_is_destination(const struct lapic_hardware *h, u8 id, u8 destination,
				   bool logical);

/** IA32_TSC_DEADLINE of the guest. */
u64 lapic_hardware_read_deadline(const struct lapic_hardware *h);
void lapic_hardware_write_deadline(struct lapic_hardware *h, u64 deadline, u64 now);

/**
 * Vellum's own timer: an interrupt at the TSC `deadline`, once; CLOCK_NEVER: none any more. The
 * real timer is the guest's as long as Vellum has no deadline. False if it cannot be shared.
 */
bool lapic_hardware_set_timer(struct lapic_hardware *h, u64 deadline, u64 now);

#endif
