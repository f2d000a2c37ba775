// SPDX-License-Identifier: MIT
/*
 * Measuring and printing (measure.h). With BENCH_ROW=NAME,... in the environment, those rows alone.
 * Vellum is asked between the warm-up and the repetitions and after them, never inside.
 */
#include "bench/guest/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#include "dom-tools/lib/client.h"
#include "dom-tools/lib/device.h"

static uint64_t times[MAX_REPS];
static int counting;

void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

int wanted(const char *name)
{
	const char *only = getenv("BENCH_ROW");
	size_t length = strlen(name);

	if (only == NULL)
		return 1;
	for (const char *at = only; at != NULL; at = strchr(at, ','), at += at != NULL)
		if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0'))
			return 1;
	return 0;
}

char *fresh_area(size_t pages)
{
	char *area = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (area == MAP_FAILED)
		die("mmap");
	if (madvise(area, pages * PAGE, MADV_NOHUGEPAGE) != 0 && errno != EINVAL)
		die("madvise");
	return area;
}

void run_program(const char *path, char *const argv[])
{
	pid_t child = fork();
	int status;

	if (child < 0)
		die("fork");
	if (child == 0) {
		int null = open("/dev/null", O_RDWR);

		if (null >= 0 && dup2(null, 0) == 0 && dup2(null, 1) == 1)
			execv(path, argv);
		_exit(127);
	}
	if (waitpid(child, &status, 0) != child)
		die("waitpid");
	if (status != 0) {
		fprintf(stderr, "bench: %s ended with status %#x\n", path, (unsigned int)status);
		exit(1);
	}
}

/* What is printed of Vellum's counters. */
#define COUNTER(field)                                                                             \
	{                                                                                          \
#field, offsetof(struct vl_domain_counters, field)                                 \
	}

static const struct {
	const char *name;
	size_t offset;
} fields[] = {
	COUNTER(exits_hypercall),    COUNTER(exits_syscall),     COUNTER(exits_interrupt),
	COUNTER(exits_hidden_fault), COUNTER(exits_guest_fault), COUNTER(exits_emulated),
	COUNTER(exits_reflected),    COUNTER(shadow_fills),      COUNTER(shadow_flushes),
	COUNTER(shadow_evictions),
};

void measure_counters(void)
{
	counting = 1;
}

/* False where there is no Vellum, or none under this guest now. */
static int read_counters(struct vl_domain_counters *now)
{
	struct vl_device_file device;
	struct vl_client client;
	struct vl_error error;
	int known;

	if (!counting || vl_device_open(&device, &error) != 0)
		return 0;
	known = vl_connect(&client, &device.transport, &error) == 0 &&
		vl_get_counters(&client, VL_DOMID_SELF, now, &error) == 0 &&
		(now->layers & VL_LAYER_CPU) != 0;
	device.transport.ops->close(&device.transport);
	return known;
}

static uint64_t field(const struct vl_domain_counters *c, size_t i)
{
	return *(const uint64_t *)((const char *)c + fields[i].offset);
}

static void print_counters(const char *name, const struct vl_domain_counters *before, int reps)
{
	struct vl_domain_counters after;

	if (!read_counters(&after))
		return;
	printf("counters %s reps %d", name, reps);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		printf(" %s=%llu", fields[i].name,
		       (unsigned long long)(field(&after, i) - field(before, i)));
	printf("\n");
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void print(const char *name, int reps)
{
	qsort(times, (size_t)reps, sizeof(times[0]), compare);
	printf("bench %s min %llu median %llu reps %d\n", name, (unsigned long long)times[0],
	       (unsigned long long)times[reps / 2], reps);
	fflush(stdout);
}

void measure_long(const char *name, unit_fn *unit, void *arg, int warm_up, int reps)
{
	struct vl_domain_counters before;
	int known;

	if (!wanted(name))
		return;
	for (int i = 0; i < warm_up; i++)
		unit(arg);
	known = read_counters(&before);
	for (int i = 0; i < reps; i++) {
		uint64_t start = __rdtsc();

		unit(arg);
		times[i] = __rdtsc() - start;
	}
	if (known)
		print_counters(name, &before, reps);
	print(name, reps);
}

void measure(const char *name, unit_fn *unit, void *arg, int reps)
{
	measure_long(name, unit, arg, WARM_UP, reps);
}

void measure_timed(const char *name, timed_fn *unit, void *arg, int reps)
{
	struct vl_domain_counters before;
	int known;

	if (!wanted(name))
		return;
	for (int i = 0; i < WARM_UP; i++)
		unit(arg);
	known = read_counters(&before);
	for (int i = 0; i < reps; i++)
		times[i] = unit(arg);
	if (known)
		print_counters(name, &before, reps);
	print(name, reps);
}
