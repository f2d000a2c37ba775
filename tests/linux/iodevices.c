// SPDX-License-Identifier: MIT
/*
 * A process with leave to use I/O ports, or through /dev/port where the kernel
 * gives none, looks at the interval timer, the
 * real-time clock and the serial port's scratch register for so many seconds,
 * and compares them with the kernel's clock: each has to go on at its rate,
 * without a step, whoever serves the ports.
 *
 *     iodevices SECONDS
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>
#include <time.h>
#include <unistd.h>

#define PIT_HZ     1193182.0
#define PIT_2      0x42
#define PIT_MODE   0x43
#define PIT_GATE   0x61
#define RTC_INDEX  0x70
#define RTC_DATA   0x71
#define RTC_A      0x0a
#define UPDATING   0x80
#define SCRATCH    0x3ff
#define WAIT_LIMIT 0.002  /* seconds */
#define TICKS_OFF  8000.0 /* Linux knows the rate of its clock to some 100 in a million */

static int dev_port = -1;

static unsigned char port_read(unsigned short port)
{
	unsigned char value = 0xff;

	if (dev_port < 0)
		return inb(port);
	if (pread(dev_port, &value, 1, port) != 1)
		printf("not ok: a read of port %#x\n", port);
	return value;
}

static void port_write(unsigned char value, unsigned short port)
{
	if (dev_port < 0)
		outb(value, port);
	else if (pwrite(dev_port, &value, 1, port) != 1)
		printf("not ok: a write to port %#x\n", port);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, double a, double b)
{
	printf("not ok: %s: %f, %f\n", what, a, b);
	exit(1);
}

static unsigned read_clock(unsigned reg)
{
	port_write((unsigned char)reg, RTC_INDEX);
	return port_read(RTC_DATA);
}

static unsigned decimal(unsigned code)
{
	return (code >> 4) * 10 + (code & 15);
}

/* Seconds of the hour, as they stand still. */
static unsigned seconds(void)
{
	unsigned second, minute;

	do {
		while (read_clock(RTC_A) & UPDATING)
			;
		second = read_clock(0);
		minute = read_clock(2);
	} while (second != read_clock(0) || minute != read_clock(2));
	return decimal(minute) * 60 + decimal(second);
}

static uint16_t count(void)
{
	unsigned low;

	port_write(0x80, PIT_MODE);
	low = port_read(PIT_2);
	return (uint16_t)(low | (unsigned)port_read(PIT_2) << 8);
}

static void start_timer(void)
{
	port_write((unsigned char)((port_read(PIT_GATE) & 0xfc) | 1), PIT_GATE);
	port_write(0xb4, PIT_MODE); /* counter 2, mode 2, 65536 */
	port_write(0, PIT_2);
	port_write(0, PIT_2);
}

/* The timer at a moment: again, if the process had to wait meanwhile. */
static uint16_t count_at(double *moment)
{
	for (;;) {
		double before = now();
		uint16_t value = count();

		*moment = now();
		if (*moment - before < WAIT_LIMIT)
			return value;
	}
}

/* By how much the timer, of which only 16 bits are seen, is off after so many seconds. */
static double ticks_off(uint16_t ticks, double seconds_passed)
{
	double want = seconds_passed * PIT_HZ;
	double off = want - 65536.0 * (double)(uint64_t)(want / 65536) - (double)ticks;

	return off > 32768 ? off - 65536 : off < -32768 ? off + 65536 : off;
}

static void open_ports(void)
{
	if (!ioperm(PIT_2, 2, 1) && !ioperm(PIT_GATE, 1, 1) && !ioperm(RTC_INDEX, 2, 1) &&
	    !ioperm(SCRATCH, 1, 1))
		return;
	dev_port = open("/dev/port", O_RDWR | O_CLOEXEC);
	if (dev_port < 0)
		die("no leave for the ports", 0, 0);
}

static void look_at_scratch(unsigned looks)
{
	port_write((unsigned char)looks, SCRATCH);
	if (port_read(SCRATCH) != (looks & 0xff))
		die("the scratch register", looks & 0xff, port_read(SCRATCH));
}

int main(int argc, char **argv)
{
	double limit = argc > 1 ? atof(argv[1]) : 1, start, at, last, shown, off;
	unsigned first, second, looks, bad = 0;
	uint16_t value;

	open_ports();
	start_timer();
	first = second = seconds();
	value = count_at(&start);
	at = last = start;
	for (looks = 1; at - start < limit; looks++) {
		off = ticks_off((uint16_t)(value - count_at(&at)), at - start);
		/* Once is somebody who switched the layer between the bytes of a count, which the
		 * kernel does not hold off for a process. */
		bad = off * off > TICKS_OFF * TICKS_OFF ? bad + 1 : 0;
		if (bad == 3)
			die("the timer is off by ticks, after seconds", off, at - start);
		shown = seconds();
		at = now();
		if ((unsigned)(shown + 3600 - second) % 3600 > 2 + (unsigned)(at - last))
			die("the clock stepped", second, shown);
		second = (unsigned)shown;
		last = at;
		look_at_scratch(looks);
		if (looks % 8 == 0)
			usleep(1000);
	}
	shown = (second + 3600 - first) % 3600;
	if (shown > at - start + 1.5 || shown < at - start - 1.5)
		die("seconds by the clock, and passed", shown, at - start);
	printf("ok: %u looks at the devices in %.1f seconds\n", looks, at - start);
	return 0;
}
