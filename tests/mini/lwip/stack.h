/* SPDX-License-Identifier: MIT */
/*
 * lwIP on one network card, with one thread: whoever has nothing else to do calls stack_poll().
 */
#ifndef MINI_LWIP_STACK_H
#define MINI_LWIP_STACK_H

#include "lib/types.h"
#include "mini/lwip/nic.h"

/** Milliseconds since the start. */
u64 stack_ms(void);

/** Ticks of the TSC in one. */
u64 stack_khz(void);

/** Start lwIP on this card: with the address that the command line says (ip=HEX, in a network of 24
 * bits whose address 2 leads to others), or with one from a DHCP server (word `dhcp`). */
void stack_start(const struct nic *nic);

/** Go on with another card that has nothing of what was on its way: the one so far has sent all,
 * and what it has got is taken now. */
void stack_go_on(const struct nic *nic);

/** Go on with another card that has the address of the one so far, so that nobody outside notices.
 * What the old one still has is lost: each connection repeats it. */
void stack_switch(const struct nic *nic);

/** Whether it has an address, and which, in the form 0xa00020f. */
u32 stack_address(void);

/** Have lwIP call `accept` with each connection to this port. (An error of lwIP is a signed char;
 * its headers are not needed to include this one.) */
struct tcp_pcb;
void stack_listen(u16 port, signed char (*accept)(void *, struct tcp_pcb *, signed char));

struct tcp_pcb *stack_new_connection(void);

/** Take the frames that have come and do what has fallen due; false: there was no frame. */
bool stack_poll(void);

/** Whether no connection is open. */
bool stack_is_idle(void);

/** Frames since the start. */
u64 stack_frames_in(void);
u64 stack_frames_out(void);

/** Frames that could not be sent: the card was busy for too long. */
u64 stack_frames_lost(void);

#endif
