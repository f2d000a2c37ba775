/* SPDX-License-Identifier: MIT */
/*
 * I/O ports of a virtualized guest: the few that Vellum has a device for trap,
 * all others are the machine's.
 */
#ifndef VELLUM_CPU_PORTS_H
#define VELLUM_CPU_PORTS_H

#include "cpu/decode.h"
#include "cpu/vcpu.h"

/** The machine's own ports, a byte at a time: what models of devices are captured from. */
extern const struct port_access machine_ports;

/** One access to the machine's own, of 1, 2 or 4 bytes. */
u32 ports_machine_in(u16 port, u8 size);
void ports_machine_out(u16 port, u8 size, u32 value);

/**
 * The guest becomes virtualized: capture the devices and make their ports trap. With `iopl3` no
 * port traps, and the devices stay the guest's.
 */
void ports_enter(struct vcpu *v);

/** The same of a guest that gets the machine's 8259s for a pair of its own: pic_hardware_begin().
 */
void ports_begin(struct vcpu *v, const struct pic *model, u32 owed);

/** Give the devices back; their ports are the machine's again. */
void ports_leave(struct vcpu *v);

/** IN, OUT, INS and OUTS of the guest kernel; false: it is another instruction. */
bool ports_emulate(struct vcpu *v, const struct insn *i);

/**
 * The same for a user's instruction that raised #GP, if the guest's own TSS or IOPL allows it those
 * ports: Vellum's TSS allows a user none, because the guest changes its own without a trap.
 */
bool ports_emulate_user(struct vcpu *v);

#endif
