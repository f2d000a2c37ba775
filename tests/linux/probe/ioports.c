// SPDX-License-Identifier: MIT
/*
 * Port permissions of a process: the bitmap of ioperm(), iopl() and what user code sees of it. The
 * ports used answer alike at any time: 0x80 (POST codes) is written, 0x61 and unclaimed ones only
 * read for permission, their values are not printed.
 */
#include "probe.h"

#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void port_access(const char *when, const char *name, const char *hex, unsigned port,
			unsigned cs)
{
	struct event ev;
	struct shot s;
	char text[48];
	size_t end = code_hex(hex);

	shot_init(&s);
	shot_cs_ss(&s, cs, USER_DS);
	s.g[REG_RDX] = (greg_t)port;
	shot_run(&s, &ev);
	out("%s: %d %s %x: %s fl=%lx", when, cs == USER_CS ? 64 : 32, name, port,
	    event_short(&ev, end, text), (uint64_t)ev.g[REG_EFL]);
}

static void ports_around(const char *when)
{
	static const unsigned ports[] = {0x60, 0x61, 0x62, 0x7f, 0x80, 0x81, 0x83, 0x3fff, 0xffff};

	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		/* Reading 0x60 would take a byte from the keyboard controller. */
		if (ports[i] != 0x60)
			port_access(when, "inb", "ec", ports[i], USER_CS);
		if (ports[i] >= 0x7f && ports[i] <= 0x83) {
			port_access(when, "inw", "66 ed", ports[i], USER_CS);
			port_access(when, "inl", "ed", ports[i], USER_CS);
			port_access(when, "inb", "ec", ports[i], USER32_CS);
		}
	}
	port_access(when, "outb", "ee", 0x80, USER_CS);
	port_access(when, "outsb", "6e", 0x80, USER_CS);
	port_access(when, "in imm", "e4 80", 0, USER_CS);
	port_access(when, "cli", "fa", 0, USER_CS);
	port_access(when, "sti", "fb", 0, USER_CS);
	port_access(when, "pushf", "9c 58", 0, USER_CS);
	port_access(when, "popf cli", "6a 02 9d 9c 58", 0, USER_CS);
	port_access(when, "hlt", "f4", 0, USER_CS);
}

static void flags_word(const char *when)
{
	struct event ev;
	struct shot s;
	size_t end = code_hex("9c 58");
	char text[48];

	shot_init(&s);
	shot_run(&s, &ev);
	out("%s: %s pushf shows %lx", when, event_short(&ev, end, text), (uint64_t)ev.g[REG_RAX]);
}

static long set_ports(const char *what, unsigned from, unsigned count, int on)
{
	long rc = RAW3(SYS_ioperm, from, count, on);
	char text[24];

	out("ioperm %s %x+%x %d: %s", what, from, count, on, rc_text(rc, text));
	return rc;
}

static void in_child(const char *when)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		ports_around(when);
		set_ports("child", 0x81, 1, 1);
		ports_around("child changed");
		_exit(0);
	}
	waitpid(pid, &status, 0);
}

/* ioperm is handed on to the child; its changes must not come back. */
void subject_ioports(void)
{
	char text[24];
	long rc;

	ports_around("none");
	rc = set_ports("one", 0x80, 1, 1);
	ports_around("one");
	if (rc == 0)
		in_child("child");
	ports_around("after child");
	set_ports("more", 0x61, 1, 1);
	set_ports("run", 0x7f, 6, 1);
	ports_around("run");
	set_ports("off", 0x80, 1, 0);
	ports_around("off");
	set_ports("beyond", 0xffff, 2, 1);
	set_ports("last", 0xffff, 1, 1);
	ports_around("last");
	for (long level = 0; level < 5; level++) {
		rc = RAW1(SYS_iopl, level);
		out("iopl %ld: %s", level, rc_text(rc, text));
		flags_word("iopl");
	}
	if (RAW1(SYS_iopl, 3) == 0) {
		ports_around("iopl 3");
		in_child("iopl 3 child");
	}
	RAW1(SYS_iopl, 0);
	ports_around("iopl 0");
}
