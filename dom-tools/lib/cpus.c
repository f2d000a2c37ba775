// SPDX-License-Identifier: MIT
/*
 * Processors by sysfs, see cpus.h. One that cannot be taken offline has no file
 * `online`, which the kernel leaves out for the first.
 */
#include "dom-tools/lib/cpus.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "dom-tools/lib/error.h"

#define ONLINE "/sys/devices/system/cpu/cpu%u/online"
#define MOST   64u

static FILE *open_cpu(unsigned int cpu, const char *mode)
{
	char path[64];

	snprintf(path, sizeof(path), ONLINE, cpu);
	return fopen(path, mode);
}

static int is_online(unsigned int cpu)
{
	FILE *f = open_cpu(cpu, "re");
	int c = f ? fgetc(f) : EOF;

	if (f)
		fclose(f);
	return c == '1';
}

/* 0 or an errno; the kernel answers when the bytes leave the buffer. */
static int set_online(unsigned int cpu, char state)
{
	FILE *f = open_cpu(cpu, "we");
	int rc;

	if (!f)
		return errno;
	errno = 0;
	fputc(state, f);
	rc = fflush(f) ? errno : 0;
	fclose(f);
	return rc;
}

void cpus_bring_back(uint64_t taken)
{
	for (unsigned int cpu = 1; cpu < MOST; cpu++)
		if (taken >> cpu & 1)
			set_online(cpu, '1');
}

int cpus_take_offline(uint64_t *taken, struct vl_error *e)
{
	*taken = 0;
	for (unsigned int cpu = 1; cpu < MOST; cpu++) {
		int rc = is_online(cpu) ? set_online(cpu, '0') : -1;

		if (rc == 0)
			*taken |= (uint64_t)1 << cpu;
		if (rc <= 0)
			continue;
		cpus_bring_back(*taken);
		*taken = 0;
		return vl_fail(e, EBUSY,
			       "processor %u does not go offline (%s), and the machine is left by "
			       "its first one alone",
			       cpu, strerror(rc));
	}
	return 0;
}

void cpus_use_first(void)
{
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof(first), &first);
}
