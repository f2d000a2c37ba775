// SPDX-License-Identifier: MIT
/*
 * The other end of company_events: what an event takes from one guest to another and
 * back.
 */
#include "mini/role_answer.h"

#include "mini/apic.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/exit.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/traps.h"

#define VECTOR 0x52

static struct vl_event_page events __attribute__((aligned(sizeof(struct vl_event_page))));

static void on_event(const struct trap_frame *frame)
{
	(void)frame;
	apic_write(APIC_EOI, 0);
}

void role_answer(void)
{
	s64 port;

	if (!apic_enable())
		panic("there is no local APIC");
	trap_set_handler(VECTOR, on_event);
	if (vl_call_event_setup(hypercall_page, ptr_to_pa(&events).v, VECTOR) != 0)
		panic("it gets no events");
	port = vl_call_event_open(hypercall_page, 0);
	if (port < 0 || port >= 64)
		panic("event_open answered %ld", port);
	print("port %ld\n", port);
	for (;;) {
		if (__atomic_fetch_and(&events.pending[0], ~((u64)1 << port), __ATOMIC_SEQ_CST) >>
			    port &
		    1)
			vl_call_event_send(hypercall_page, (u64)port);
		else
			interrupts_on_and_halt();
		interrupts_off();
	}
}
