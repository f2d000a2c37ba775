// SPDX-License-Identifier: MIT
/*
 * What the machine and kernel underneath offer, and small helpers around processes and descriptor
 * tables. Everything here only decides which cases run; the same kernel on the same emulator gives
 * the same answers whether it is virtualized or not.
 */
#include "probe.h"

#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HWCAP2_FSGSBASE_BIT 0x2ul

bool cpu_has_fsgsbase(void)
{
	return (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT) != 0;
}

bool cpuinfo_flag(const char *flag)
{
	static char text[16384];
	char word[64];
	FILE *f = fopen("/proc/cpuinfo", "r");
	bool found = false;

	if (!f)
		return false;
	snprintf(word, sizeof(word), " %s ", flag);
	while (!found && fgets(text, sizeof(text), f)) {
		char *newline = strchr(text, '\n');

		if (strncmp(text, "flags", 5))
			continue;
		if (newline)
			*newline = ' ';
		found = strstr(text, word) != NULL;
	}
	fclose(f);
	return found;
}

bool cpu_is_tcg(void)
{
	unsigned a, b, c, d;
	char name[13] = "";

	__cpuid(1, a, b, c, d);
	if (!(c & (1u << 31)))
		return false;
	__cpuid(0x40000000, a, b, c, d);
	memcpy(name, &b, 4);
	memcpy(name + 4, &c, 4);
	memcpy(name + 8, &d, 4);
	return !strcmp(name, "TCGTCGTCGTCG");
}

bool far_stack_unsafe(void)
{
	return cpu_is_tcg() && cpuinfo_flag("smap");
}

bool kernel_has_int80(void)
{
	struct shot s;
	struct event ev;
	size_t end = code_hex("cd 80");

	shot_init(&s);
	s.g[REG_RAX] = 0xfff;
	shot_run(&s, &ev);
	return event_done(&ev, end);
}

int isolated(const char *name, void (*fn)(const void *arg), const void *arg)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0) {
		out("%s: fork %d", name, errno);
		return -1;
	}
	if (!pid) {
		alarm(20);
		fn(arg);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		out("%s: died of %s", name, signal_text(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		out("%s: exit %d", name, WEXITSTATUS(status));
	return status;
}

long ldt_set(int func, unsigned entry, uint32_t base, uint32_t limit, uint32_t flags)
{
	struct user_desc_word d = {entry, base, limit, flags};

	return RAW3(SYS_modify_ldt, func, &d, sizeof(d));
}

long ldt_standard(void)
{
	static const struct user_desc_word table[] = {
		{LDT_CODE32, 0, 0xfffff, UD_32BIT | UD_CODE | UD_PAGES | UD_USEABLE},
		{LDT_DATA32, 0, 0xfffff, UD_32BIT | UD_DATA | UD_PAGES},
		{LDT_CODE16, CODE_AT, 0xffff, UD_CODE},
		{LDT_DATA16, STACK_AT, 0xffff, UD_DATA},
		{LDT_CODE32_ABSENT, 0, 0xfffff, UD_32BIT | UD_CODE | UD_PAGES | UD_NOT_PRESENT},
		{LDT_DATA32_ABSENT, 0, 0xfffff, UD_32BIT | UD_DATA | UD_PAGES | UD_NOT_PRESENT},
		{LDT_CODE_CONFORMING, 0, 0xfffff, UD_32BIT | UD_CONFORMING | UD_PAGES},
		{LDT_CODE_XONLY, 0, 0xfffff, UD_32BIT | UD_CODE | UD_READONLY | UD_PAGES},
		{LDT_DATA_RO, 0, 0xfffff, UD_32BIT | UD_DATA | UD_READONLY | UD_PAGES},
		{LDT_DATA_DOWN, 0, 0x1ffff, UD_32BIT | UD_EXPAND_DOWN | UD_PAGES},
		{LDT_CODE_LIMITED, CODE_AT, 0xfff, UD_32BIT | UD_CODE},
		{LDT_DATA_LIMITED, DATA_AT, 0xfff, UD_32BIT | UD_DATA},
		{LDT_STACK16_DOWN, STACK_AT, 0x0fff, UD_EXPAND_DOWN},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct user_desc_word *d = &table[i];
		long rc = ldt_set(0x11, d->entry, d->base, d->limit, d->flags);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* All of the GDT and what lies behind it with each RPL, the LDT, and some far out. */
const uint16_t *selector_list(size_t *count)
{
	static uint16_t list[512];
	static const uint16_t far_out[] = {0x100,  0x103,  0x104,  0x107,  0x3fb,  0x3ff,
					   0x1003, 0x7ffb, 0x7fff, 0x8003, 0xe033, 0xe02b,
					   0xfff8, 0xfffb, 0xfffc, 0xffff};
	size_t n = 0;

	for (unsigned sel = 0; sel < 0x88; sel++)
		list[n++] = (uint16_t)sel;
	for (size_t i = 0; i < sizeof(far_out) / sizeof(far_out[0]); i++)
		list[n++] = far_out[i];
	*count = n;
	return list;
}
