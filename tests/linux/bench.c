// SPDX-License-Identifier: MIT
/*
 * A small benchmark for guest Linux, made to be counted: the time stamp counter is read around each
 * repetition, and under QEMU's -icount one tick is one instruction, so two runs of the same kernel
 * can be compared to a few instructions. Each row is repeated after a warm-up; minimum and median
 * are printed, and the median is what to compare, because a timer interrupt may fall into any
 * repetition.
 *
 * Output, one line a row:  bench NAME min N median N reps N
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#define MAX_REPS 400
#define WARM_UP  20

static uint64_t times[MAX_REPS];

static void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The units of work: one call is one repetition, `arg` is the row's own state. */

static void null_syscall(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++)
		syscall(SYS_getppid);
}

static void fork_exit(void *arg)
{
	(void)arg;
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (child == 0)
		_exit(0);
	if (waitpid(child, NULL, 0) != child)
		die("waitpid");
}

#define PAGE 4096

/* One anonymous fault: the first write to the next page of a fresh area. */
static void page_fault(void *arg)
{
	char **next = arg;

	**(volatile char **)next = 1;
	*next += PAGE;
}

static char *fresh_area(size_t pages)
{
	char *area = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (area == MAP_FAILED)
		die("mmap");
	if (madvise(area, pages * PAGE, MADV_NOHUGEPAGE) != 0 && errno != EINVAL)
		die("madvise");
	return area;
}

struct pipes {
	int there[2];
	int back[2];
};

static void pipe_round_trip(void *arg)
{
	const struct pipes *p = arg;
	char byte = 'x';

	if (write(p->there[1], &byte, 1) != 1 || read(p->back[0], &byte, 1) != 1)
		die("pipe");
}

/* The other end: echoes bytes until the pipe closes. */
static pid_t start_echo(struct pipes *p)
{
	if (pipe(p->there) != 0 || pipe(p->back) != 0)
		die("pipe");
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (child != 0) {
		close(p->there[0]);
		close(p->back[1]);
		return child;
	}
	close(p->there[1]);
	close(p->back[0]);
	char byte;

	while (read(p->there[0], &byte, 1) == 1 && write(p->back[1], &byte, 1) == 1)
		;
	_exit(0);
}

static void measure(const char *name, void (*unit)(void *), void *arg, int reps)
{
	for (int i = 0; i < WARM_UP; i++)
		unit(arg);
	for (int i = 0; i < reps; i++) {
		uint64_t start = __rdtsc();

		unit(arg);
		times[i] = __rdtsc() - start;
	}
	qsort(times, (size_t)reps, sizeof(times[0]), compare);
	printf("bench %s min %llu median %llu reps %d\n", name, (unsigned long long)times[0],
	       (unsigned long long)times[reps / 2], reps);
	fflush(stdout);
}

int main(void)
{
	struct pipes pipes;
	char *area = fresh_area(WARM_UP + MAX_REPS);
	char *next = area;

	measure("null_syscall", null_syscall, NULL, 400);
	measure("page_fault", page_fault, &next, 400);
	munmap(area, (WARM_UP + MAX_REPS) * PAGE); /* fork is not to copy it */
	measure("fork_exit", fork_exit, NULL, 200);

	pid_t echo = start_echo(&pipes);

	measure("pipe", pipe_round_trip, &pipes, 400);
	close(pipes.there[1]);
	waitpid(echo, NULL, 0);
	return 0;
}
