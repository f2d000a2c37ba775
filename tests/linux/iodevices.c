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
#define STEP_LIMIT 0.02 /* seconds: a process does not run all the time */

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

int main(int argc, char **argv)
{
	double limit = argc > 1 ? atof(argv[1]) : 1, start, passed = 0, last;
	unsigned first, second, looks = 0;
	uint64_t ticks = 0;
	uint16_t value;

	if (ioperm(PIT_2, 2, 1) || ioperm(PIT_GATE, 1, 1) || ioperm(RTC_INDEX, 2, 1) ||
	    ioperm(SCRATCH, 1, 1)) {
		dev_port = open("/dev/port", O_RDWR | O_CLOEXEC);
		if (dev_port < 0)
			die("no leave for the ports", 0, 0);
	}
	start_timer();
	first = second = seconds();
	value = count();
	start = last = now();
	while (passed < limit) {
		uint16_t next = count();
		double at = now(), rest;
		unsigned s = seconds();

		/* What was missed are whole periods, if the process had to wait. */
		ticks += (uint16_t)(value - next);
		value = next;
		rest = (at - start) * PIT_HZ - (double)ticks;
		if (at - last > STEP_LIMIT && rest > 32768)
			ticks += (uint64_t)(rest / 65536 + 0.5) * 65536;
		rest = (at - start) * PIT_HZ - (double)ticks;
		if (rest > 0.005 * PIT_HZ + passed * 500 || rest < -(0.005 * PIT_HZ + passed * 500))
			die("the timer is off by ticks, after seconds", rest, at - start);
		if ((s + 3600 - second) % 3600 > 1 + (unsigned)(at - last))
			die("the clock stepped", second, s);
		second = s;
		last = at;
		passed = at - start;
		port_write((unsigned char)looks, SCRATCH);
		if (port_read(SCRATCH) != (looks & 0xff))
			die("the scratch register", looks & 0xff, port_read(SCRATCH));
		looks++;
		if (looks % 8 == 0)
			usleep(1000);
	}
	if ((double)((second + 3600 - first) % 3600) > passed + 1.1 ||
	    (double)((second + 3600 - first) % 3600) < passed - 1.1)
		die("seconds by the clock, and passed", (second + 3600 - first) % 3600, passed);
	printf("ok: %u looks at the devices in %.1f seconds\n", looks, passed);
	return 0;
}
