// SPDX-License-Identifier: MIT
/*
 * Rows of one thing each beyond the basic ones: a token that goes round a ring of processes, a
 * shell, calls that change the address space, memory alone, and how late a timer wakes a sleeper.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/guest/measure.h"
#include "bench/guest/rows.h"

/* A ring of processes: each waits for the token, reads its own data, passes the token on. */

#define MAX_RING  16
#define RING_DATA (16 * 1024)

struct ring {
	int size;
	int pipe[MAX_RING][2]; /* pipe i brings the token to process i */
	pid_t child[MAX_RING]; /* process 0 is the benchmark itself */
};

static uint64_t ring_data[RING_DATA / sizeof(uint64_t)];

static void read_data(void)
{
	volatile uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(ring_data) / sizeof(ring_data[0]); i += 8)
		sum += ring_data[i];
}

static void ring_member(const struct ring *r, int i)
{
	int from = r->pipe[i][0], to = r->pipe[(i + 1) % r->size][1];
	char token;

	memset(ring_data, i, sizeof(ring_data)); /* pages of its own */
	while (read(from, &token, 1) == 1) {
		read_data();
		if (write(to, &token, 1) != 1)
			break;
	}
	_exit(0);
}

static void start_ring(struct ring *r, int size)
{
	r->size = size;
	memset(ring_data, 0, sizeof(ring_data));
	for (int i = 0; i < size; i++)
		if (pipe(r->pipe[i]) != 0)
			die("pipe");
	for (int i = 1; i < size; i++) {
		r->child[i] = fork();
		if (r->child[i] < 0)
			die("fork");
		if (r->child[i] == 0)
			ring_member(r, i);
	}
}

static void stop_ring(const struct ring *r)
{
	for (int i = 1; i < r->size; i++) {
		kill(r->child[i], SIGKILL);
		waitpid(r->child[i], NULL, 0);
	}
	for (int i = 0; i < r->size; i++) {
		close(r->pipe[i][0]);
		close(r->pipe[i][1]);
	}
}

static void ring_round(void *arg)
{
	const struct ring *r = arg;
	char token = 't';

	if (write(r->pipe[1][1], &token, 1) != 1 || read(r->pipe[0][0], &token, 1) != 1)
		die("ring");
	read_data();
}

static void measure_ring(const char *name, int size, int reps)
{
	struct ring ring;

	if (!wanted(name))
		return;
	start_ring(&ring, size);
	measure(name, ring_round, &ring, reps);
	stop_ring(&ring);
}

static void shell(void *arg)
{
	char *const argv[] = {"sh", "-c", "ls / >/dev/null; x=$(echo a)", NULL};

	(void)arg;
	run_program("/bin/sh", argv);
}

/* Map and unmap 64 KiB that are never touched. */
static void map_unmap(void *arg)
{
	void *area =
		mmap(NULL, 16L * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	if (area == MAP_FAILED || munmap(area, 16L * PAGE) != 0)
		die("mmap");
}

/* The break up by 16 pages, one of them touched, and down again. */
static void move_break(void *arg)
{
	char *old = sbrk(16L * PAGE);

	(void)arg;
	if (old == (void *)-1)
		die("sbrk");
	*(volatile char *)old = 1;
	if (sbrk(-16L * PAGE) == (void *)-1)
		die("sbrk");
}

/* A write fault on a page of a shared file mapping that is in memory. */
static void file_write_fault(void *arg)
{
	char **next = arg;

	**(volatile char **)next = 1;
	*next += PAGE;
}

static void measure_file_writes(void)
{
	size_t pages = WARM_UP + MAX_REPS;
	int fd = memfd_create("bench", 0);
	char *map, *next;

	if (fd < 0 || ftruncate(fd, (off_t)(pages * PAGE)) != 0)
		die("memfd");
	for (size_t i = 0; i < pages; i++)
		if (pwrite(fd, "x", 1, (off_t)(i * PAGE)) != 1)
			die("pwrite");
	map = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die("mmap");
	next = map;
	measure("file_write_fault", file_write_fault, &next, MAX_REPS);
	munmap(map, pages * PAGE);
	close(fd);
}

#define COPY_PAGES 256
#define WALK_PAGES 4096

struct copy {
	char *from;
	char *to;
};

static void copy_mib(void *arg)
{
	const struct copy *c = arg;

	memcpy(c->to, c->from, (size_t)COPY_PAGES * PAGE);
	__asm__ volatile("" : : "r"(c->to) : "memory");
}

/* One read in each page, never two neighbours in a row: more pages than a TLB has entries. */
static void walk_pages(void *arg)
{
	const char *area = arg;

	for (size_t i = 0, page = 0; i < WALK_PAGES; i++) {
		(void)*(const volatile char *)(area + page * PAGE + (page % 64) * 64);
		page = (page + 1021) % WALK_PAGES;
	}
}

static void measure_plain_memory(void)
{
	struct copy copy = {fresh_area(COPY_PAGES), fresh_area(COPY_PAGES)};
	char *area = fresh_area(WALK_PAGES);

	memset(copy.from, 1, (size_t)COPY_PAGES * PAGE);
	memset(area, 1, (size_t)WALK_PAGES * PAGE);
	measure("memcpy_mib", copy_mib, &copy, 100);
	measure("tlb_walk", walk_pages, area, 100);
	munmap(copy.from, (size_t)COPY_PAGES * PAGE);
	munmap(copy.to, (size_t)COPY_PAGES * PAGE);
	munmap(area, (size_t)WALK_PAGES * PAGE);
}

#define SECOND 1000000000L
#define NAP    300000L

static uint64_t nanoseconds(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * (uint64_t)SECOND + (uint64_t)t->tv_nsec;
}

/* How many nanoseconds after its time a sleeper runs again. */
static uint64_t wake_up(void *arg)
{
	struct timespec until, now;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += NAP;
	if (until.tv_nsec >= SECOND) {
		until.tv_nsec -= SECOND;
		until.tv_sec++;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return nanoseconds(&now) - nanoseconds(&until);
}

void micro_rows(void)
{
	measure_ring("context_2", 2, 200);
	measure_ring("context_16", 16, 50);
	measure("shell", shell, NULL, 20);
	measure("mmap_munmap", map_unmap, NULL, 400);
	measure("brk", move_break, NULL, 400);
	measure_file_writes();
	measure_plain_memory();
	prctl(PR_SET_TIMERSLACK, 1UL);
	measure_timed("timer_wakeup", wake_up, NULL, 200);
}
