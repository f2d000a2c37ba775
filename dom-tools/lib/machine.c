// SPDX-License-Identifier: MIT
/*
 * Facts from the kernel, see machine.h.
 */
#include "dom-tools/lib/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#define MEMINFO        "/proc/meminfo"
#define NS             1000000000ull
#define MEASURE_NS     (50 * 1000 * 1000)
#define TSC_RATE_LEAST 1000000ull

int machine_available_memory(uint64_t *bytes, struct vl_error *e)
{
	FILE *f = fopen(MEMINFO, "re");
	char line[128];
	uint64_t kib;
	int found = 0;

	if (!f)
		return vl_fail(e, errno,
			       "cannot read " MEMINFO " (%s); mount it (mount -t proc proc /proc)",
			       strerror(errno));
	while (!found && fgets(line, sizeof(line), f))
		found = sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1;
	fclose(f);
	if (!found || kib > UINT64_MAX / 1024)
		return vl_fail(e, EPROTO, MEMINFO " does not say what memory is available");
	*bytes = kib * 1024;
	return 0;
}

/* One moment by both clocks; the counter is read between two looks at the other. */
static uint64_t moment(uint64_t *tsc)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC_RAW, &a);
	*tsc = __rdtsc();
	clock_gettime(CLOCK_MONOTONIC_RAW, &b);
	return ((uint64_t)a.tv_sec + (uint64_t)b.tv_sec) * (NS / 2) +
	       ((uint64_t)a.tv_nsec + (uint64_t)b.tv_nsec) / 2;
}

uint64_t machine_tsc_rate(void)
{
	struct timespec pause = {.tv_nsec = MEASURE_NS};
	uint64_t tsc, tsc_later, ns = moment(&tsc), passed, rate;

	while (nanosleep(&pause, &pause) < 0 && errno == EINTR)
		;
	passed = moment(&tsc_later) - ns;
	rate = passed ? (uint64_t)((double)(tsc_later - tsc) * (double)NS / (double)passed) : 0;
	/* Callers divide by it. */
	return rate > TSC_RATE_LEAST ? rate : TSC_RATE_LEAST;
}
