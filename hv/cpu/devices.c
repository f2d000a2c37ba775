// SPDX-License-Identifier: MIT
/*
 * Which port is which device's, and the real devices behind the models.
 *
 * Debug builds use the devices themselves after each access of the guest's: a
 * model that kept some of the guest's state in the hardware would show it then.
 */
#include "cpu/devices.h"

#include "cpu/vcpu.h"
#include "cpu/ports.h"
#include "irq/pit_hardware.h"
#include "irq/rtc_hardware.h"
#include "irq/uart_hardware.h"
#include "lib/debug.h"
#include "lib/lock.h"
#include "lib/x86.h"

#define UART_BASE 0x3f8

static struct {
	struct pit_hardware pit;
	struct rtc_hardware rtc;
	struct uart_hardware uart;
} devices;

/* Between the bytes of one access. */
static struct lock lock = LOCK_INIT(LOCK_IRQ);

void devices_capture(void)
{
	pit_hardware_enter(&devices.pit, &machine_ports);
	rtc_hardware_enter(&devices.rtc, &machine_ports);
	uart_hardware_enter(&devices.uart, &machine_ports, UART_BASE);
}

void devices_leave(void)
{
	pit_hardware_leave(&devices.pit);
	rtc_hardware_leave(&devices.rtc);
	uart_hardware_leave(&devices.uart);
}

bool devices_can_leave(void)
{
	return pit_hardware_can_leave(&devices.pit);
}

void devices_trap(bool trapped)
{
	segments_trap_ports(PIT_COUNTER, NR_PIT_COUNTERS + 1, trapped);
	segments_trap_ports(PIT_GATE, 1, trapped);
	segments_trap_ports(RTC_INDEX, 2, trapped);
	if (devices.uart.ports != NULL || !trapped)
		segments_trap_ports(UART_BASE, NR_UART_PORTS, trapped);
}

static bool is_pit(u16 port)
{
	return devices.pit.ports != NULL &&
	       ((port >= PIT_COUNTER && port <= PIT_CONTROL) || port == PIT_GATE);
}

static bool is_rtc(u16 port)
{
	return devices.rtc.ports != NULL && (port == RTC_INDEX || port == RTC_DATA);
}

static bool is_uart(u16 port)
{
	return devices.uart.ports != NULL && port >= UART_BASE && port < UART_BASE + NR_UART_PORTS;
}

bool devices_have(u16 port)
{
	return is_pit(port) || is_rtc(port) || is_uart(port);
}

static void disturb(void)
{
	if (!is_debug_build())
		return;
	for (u32 i = 0; i < NR_PIT_COUNTERS; i++)
		pit_hardware_look(&devices.pit, i);
	rtc_hardware_look(&devices.rtc, RTC_D);
	uart_hardware_look(&devices.uart);
}

u8 devices_read(u16 port)
{
	u8 value;

	lock_take(&lock);
	if (is_pit(port))
		value = pit_hardware_read(&devices.pit, port);
	else if (is_rtc(port))
		value = rtc_hardware_read(&devices.rtc, port);
	else
		value = uart_hardware_read(&devices.uart, (u8)(port - UART_BASE));
	disturb();
	lock_release(&lock);
	return value;
}

void devices_write(u16 port, u8 value)
{
	lock_take(&lock);
	if (is_pit(port))
		pit_hardware_write(&devices.pit, port, value);
	else if (is_rtc(port))
		rtc_hardware_write(&devices.rtc, port, value);
	else
		uart_hardware_write(&devices.uart, (u8)(port - UART_BASE), value);
	disturb();
	lock_release(&lock);
}
