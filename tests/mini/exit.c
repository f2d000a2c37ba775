// SPDX-License-Identifier: MIT
/*
 * Three ways out of a machine, tried in turn: one that does not know one of the
 * ports ignores the write. A guest that has none asks Vellum.
 */
#include "mini/exit.h"

#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/role.h"

#define QEMU_DEBUG_EXIT 0xf4   /* the process exits with value << 1 | 1 */
#define BOCHS_SHUTDOWN  0x8900 /* wants the word "Shutdown", a byte at a time */

/* A fault with no way to deliver it shuts the CPU down, which resets the machine. */
static void triple_fault(void)
{
	struct table_register none = {0};

	asm volatile("lidt %0; int3" ::"m"(none));
}

void machine_exit(bool ok)
{
	interrupts_off();
	if (start_info != NULL && is_later_guest())
		vl_call_shutdown(hypercall_page, ok ? VL_SHUTDOWN_POWEROFF : VL_SHUTDOWN_CRASH);
	out32(QEMU_DEBUG_EXIT, ok ? 0x10 : 0x11);
	for (const char *p = "Shutdown"; *p != 0; p++)
		out8(BOCHS_SHUTDOWN, (u8)*p);
	for (;;)
		triple_fault();
}

void panic(const char *fmt, ...)
{
	va_list ap;

	interrupts_off();
	print("Bail out! mini guest: ");
	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
	print("\n");
	machine_exit(false);
}
