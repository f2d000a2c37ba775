// SPDX-License-Identifier: MIT
/*
 * The rows that the tests compare in each mode (tests/emu/passthrough.py): what enters and leaves
 * the kernel, faults and changes of translations, processes. They come first, in this order, so
 * that what `bench` prints without arguments depends on nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/guest/measure.h"
#include "bench/guest/rows.h"

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

/* One anonymous fault: the first write to the next page of a fresh area. */
static void page_fault(void *arg)
{
	char **next = arg;

	**(volatile char **)next = 1;
	*next += PAGE;
}

/* One copy-on-write fault: pages that a child shares. */
static void cow_fault(void *arg)
{
	page_fault(arg);
}

static void read_byte(void *arg)
{
	char byte;

	for (int i = 0; i < 100; i++)
		if (pread(*(int *)arg, &byte, 1, 0) != 1)
			die("pread");
}

static void on_signal(int number)
{
	(void)number;
}

static void signal_self(void *arg)
{
	(void)arg;
	raise(SIGUSR1);
}

static char *guarded;

static void on_fault(int number)
{
	(void)number;
	if (mprotect(guarded, PAGE, PROT_READ | PROT_WRITE) != 0)
		_exit(1);
}

static void fault_and_unprotect(void *arg)
{
	(void)arg;
	*(volatile char *)guarded = 1;
	if (mprotect(guarded, PAGE, PROT_READ) != 0)
		die("mprotect");
}

struct area {
	char *at;
	size_t size;
};

static void protect(void *arg)
{
	const struct area *a = arg;

	if (mprotect(a->at, a->size, PROT_READ) != 0 ||
	    mprotect(a->at, a->size, PROT_READ | PROT_WRITE) != 0)
		die("mprotect");
}

/* Map, touch and unmap 1 MiB. */
static void map_touch_unmap(void *arg)
{
	char *area = fresh_area(256);

	(void)arg;
	for (size_t i = 0; i < 256; i++)
		*(volatile char *)(area + i * PAGE) = 1;
	munmap(area, 256 * PAGE);
}

/* A fault on a page of a file that is in memory, without fault-around. */
static void file_fault(void *arg)
{
	const char **next = arg;

	(void)**(volatile const char **)next;
	*next += 64L * PAGE;
}

static void fork_exec(void *arg)
{
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (child == 0) {
		execl(arg, "bench", "quit", (char *)NULL);
		_exit(1);
	}
	int status;

	if (waitpid(child, &status, 0) != child || status != 0)
		die("exec");
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

static void measure_faults(void)
{
	size_t pages = WARM_UP + MAX_REPS;
	char *area = fresh_area(pages);
	char *next = area;

	measure("page_fault", page_fault, &next, MAX_REPS);
	/* A child that sleeps shares all pages: writes copy them. */
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (child == 0) {
		pause();
		_exit(0);
	}
	next = area;
	measure("cow_fault", cow_fault, &next, MAX_REPS);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	munmap(area, pages * PAGE); /* fork is not to copy it */
}

#define FILE_REPS 40

static void measure_file_faults(int fd)
{
	size_t size = (size_t)(WARM_UP + FILE_REPS) * 64 * PAGE;

	for (size_t i = 0; i < size; i += PAGE)
		if (pwrite(fd, "x", 1, (off_t)i) != 1)
			die("pwrite");
	const char *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	const char *next = map;

	if (map == MAP_FAILED)
		die("mmap");
	measure("file_fault", file_fault, &next, FILE_REPS);
	munmap((void *)(uintptr_t)map, size);
	if (ftruncate(fd, PAGE) != 0)
		die("ftruncate");
}

static void measure_memory(void)
{
	struct area page = {fresh_area(1), PAGE};
	struct area mib = {fresh_area(256), 256L * PAGE};

	memset(page.at, 1, page.size);
	memset(mib.at, 1, mib.size);
	measure("mprotect_page", protect, &page, 200);
	measure("mprotect_mib", protect, &mib, 50);
	munmap(mib.at, mib.size);
	measure("map_touch_mib", map_touch_unmap, NULL, 50);
	guarded = page.at;
	signal(SIGSEGV, on_fault);
	protect(&page);
	mprotect(page.at, PAGE, PROT_READ);
	measure("segv_mprotect", fault_and_unprotect, NULL, 200);
}

void basic_rows(void)
{
	struct pipes pipes;
	int fd = open("/tmp/bench.data", O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, "x", 1) != 1)
		die("/tmp/bench.data");
	signal(SIGUSR1, on_signal);
	measure("null_syscall", null_syscall, NULL, 400);
	measure("read", read_byte, &fd, 400);
	measure("signal", signal_self, NULL, 400);
	measure_faults();
	measure_file_faults(fd);
	measure_memory();
	measure("fork_exit", fork_exit, NULL, 200);
	measure("fork_exec", fork_exec, "/proc/self/exe", 100);

	pid_t echo = start_echo(&pipes);

	measure("pipe", pipe_round_trip, &pipes, 400);
	close(pipes.there[1]);
	waitpid(echo, NULL, 0);
	close(pipes.back[0]);
	close(fd);
}
