/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of a virtualized guest that owns the machine, and Vellum's
 * own timer in it. Two ways, chosen by the option apic=: `direct` leaves the
 * registers to the guest, `trapped` keeps what irq/lapic_hardware.h does.
 */
#ifndef VELLUM_CPU_APIC_H
#define VELLUM_CPU_APIC_H

#include "cpu/vcpu.h"

/**
 * Once, on Vellum's own tables and with interrupts off: measure the timer's clock. `own_period`
 * (TSC ticks, 0: none) is a debugging aid: Vellum's timer interrupts so often while virtualized.
 */
void apic_init(bool trapped, u64 own_period);

/** The guest becomes virtualized: capture, if it is to be trapped and the guest has it on. */
void apic_enter(struct vcpu *v);

/** Before the hardware goes back: Vellum's timer is off after it. False, and nothing has changed,
 * if the guest has to take an interrupt first. */
bool apic_prepare_leave(struct vcpu *v);

/** After apic_prepare_leave(): the hardware goes back, or stays with Vellum after all. */
void apic_leave(struct vcpu *v);
void apic_stay(struct vcpu *v);

/** The CPU came through this vector's gate, and not for an 8259. False if it is no interrupt that
 * the APIC knows of; never while the APIC is not trapped. */
bool apic_arrived(struct vcpu *v, u8 vector);

/** The vector that the guest would take with its IF set, or takes; negative: none. */
int apic_request(const struct vcpu *v);
int apic_take(struct vcpu *v);

/** The guest's CR8. */
u64 apic_read_cr8(const struct vcpu *v);
void apic_write_cr8(struct vcpu *v, u64 value);

/** Whether this MSR is the local APIC's; if so, the guest's access to it: false is #GP(0). */
bool apic_has_msr(u32 msr);
bool apic_read_msr(struct vcpu *v, u32 msr, u64 *value);
bool apic_write_msr(struct vcpu *v, u32 msr, u64 value);

/** The guest's accesses to its page of registers, see cpu/mmio.h. */
bool apic_traps_page(const struct vcpu *v);
bool apic_is_x2apic(const struct vcpu *v);

/** Whether the machine's cannot leave the x2APIC mode: WRMSR would be #GP
 * (IA32_XAPIC_DISABLE_STATUS). */
bool apic_is_x2apic_for_good(void);
u32 apic_mmio_read(struct vcpu *v, u32 offset);
void apic_mmio_write(struct vcpu *v, u32 offset, u32 value);

#define APIC_PAGE 0xfee00000u /* ma; a guest that moves it has it direct */

/** Send an NMI to another CPU, by its APIC id, for Vellum's own purposes: the guest sees nothing of
 * it in its registers. */
void apic_send_nmi(struct vcpu *v, u32 apic_id);

/** The same for an interrupt, by its vector or as the low half of an IOAPIC's entry says it: `v` is
 * the vcpu of the first guest whose registers this CPU's are. */
void apic_send_like(struct vcpu *v, u32 destination, u32 entry);
static inline void apic_send_vector(struct vcpu *v, u32 apic_id, u8 vector)
{
	apic_send_like(v, apic_id, (u32)LAPIC_FIXED << 8 | vector);
}

/** Send a message for good: the guest's own use of the register is not looked after. */
void apic_send(u32 apic_id, enum lapic_delivery what);

/** INIT to all CPUs but this one: they wait to be started (SIPI), wherever they were. */
void apic_init_others(void);

/**
 * The machine changes hands: nothing comes from this CPU's local APIC any more, nor is anything in
 * service there, and it is in xAPIC mode. `v` has it, trapped; afterwards nobody has. Lets
 * interrupts in, which are lost. Devices are silent already.
 */
void apic_silence(struct vcpu *v);

/** After that `v` has it, trapped: as `model` was, with all that that has requested and in service.
 */
void apic_begin(struct vcpu *v, struct lapic *model);

/** Its timer's clock, as measured at boot; of rate 0: it was not. */
struct clock apic_bus_clock(void);

/** Vellum's timer: one interrupt at the TSC `deadline`, CLOCK_NEVER: none. False if there is none
 * to be had. */
bool apic_set_own_timer(struct vcpu *v, u64 deadline);

/** Whether there is one to be had; none any more, but for own_timer=. */
bool apic_can_own_timer(const struct vcpu *v);
void apic_end_own_timer(struct vcpu *v);

/** Whether something is in service that Vellum's timer has to wait for. */
bool apic_delays_own_timer(const struct vcpu *v);

#endif
