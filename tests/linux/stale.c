// SPDX-License-Identifier: MIT
/*
 * Looks for stale translations: a thread on each CPU uses pages of one address space for as long as
 * it lasts, while another, which moves from CPU to CPU, changes what they are: other frames, other
 * addresses, no access, nothing at all, copies after a fork. Whoever saw the change announced must
 * not use what was before.
 *
 *   stale GO             until the file GO is gone; then says how many rounds there were
 *   stale ROUNDS         so many; with nothing else to do on the machine, each change meets a
 * thread that has just used the page and goes on with it stale ROUNDS break   the same on a debug
 * build of Vellum, which skips the flushes that other CPUs ask for: there must be an error
 *
 * Each check has an epoch, odd in one state of its page and even in the other, which is published
 * when the system call that changes the state has returned. While it changes nothing is judged, as
 * with a sequence lock: an access between two equal and even values of `sequence` was in the state
 * of that epoch.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "public/calls.h"
#include "public/device.h"

#define MAX_CPUS 64
#define PAGE     4096ul
#define LARGE    (2ul << 20)
#define FRAMES   64ul

struct check {
	const char *name;
	void (*change)(struct check *c, uint64_t epoch); /* to the state of this epoch */
	void (*access)(struct check *c, unsigned cpu);
	size_t size;
	uint8_t *at;
	volatile uint64_t sequence; /* twice the epoch, and 1 while it changes */
	volatile uint64_t looks;    /* accesses that were judged, about */
};

static uint64_t *frames; /* `remapped` shows one of these */
static int frames_fd;
static volatile bool done;
static unsigned nr_threads;
static __thread sigjmp_buf back;
static __thread uint64_t random_state;

static void __attribute__((format(printf, 1, 2), noreturn)) fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("not ok: stale: ");
	vprintf(format, args);
	printf("\n");
	fflush(stdout);
	va_end(args);
	_exit(1);
}

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* --- accesses that may fault --- */

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static bool read_works(const volatile uint64_t *at, uint64_t *value)
{
	if (sigsetjmp(back, 0) != 0)
		return false;
	*value = *at;
	return true;
}

static bool write_works(volatile uint64_t *at, uint64_t value)
{
	if (sigsetjmp(back, 0) != 0)
		return false;
	*at = value;
	return true;
}

static bool is_judged(const struct check *c, uint64_t sequence)
{
	return sequence % 2 == 0 && sequence == c->sequence;
}

/* A word of the page that is this thread's own; in a large one, anywhere. */
static volatile uint64_t *own_word(const struct check *c, unsigned cpu)
{
	uint64_t page = c->size > PAGE ? next_random() % (c->size / PAGE) : 0;

	return (volatile uint64_t *)(c->at + page * PAGE) + cpu;
}

/* --- one frame after the other at the same address --- */

static void change_frame(struct check *c, uint64_t epoch)
{
	uint64_t i = epoch % FRAMES;

	frames[i * PAGE / 8] = epoch;
	if (mmap(c->at, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, frames_fd, (off_t)(i * PAGE)) !=
	    c->at)
		fail("mmap: %s", strerror(errno));
}

static void look_at_frame(struct check *c, unsigned cpu)
{
	uint64_t least = c->sequence / 2, is = *(volatile uint64_t *)c->at;

	if (is < least)
		fail("%s, CPU %u: frame %lu after %lu was announced", c->name, cpu, is, least);
	c->looks++;
}

/* --- zeroes or a number --- */

static void change_content(struct check *c, uint64_t epoch)
{
	if (epoch % 2 == 0)
		*(volatile uint64_t *)c->at = epoch;
	else if (madvise(c->at, PAGE, MADV_DONTNEED) != 0)
		fail("madvise: %s", strerror(errno));
}

static void look_at_content(struct check *c, unsigned cpu)
{
	uint64_t sequence = c->sequence, epoch = sequence / 2, is = *(volatile uint64_t *)c->at;

	if (!is_judged(c, sequence))
		return;
	if (is != (epoch % 2 == 0 ? epoch : 0))
		fail("%s, CPU %u: %lu in epoch %lu", c->name, cpu, is, epoch);
	c->looks++;
}

/* --- writable or not --- */

static void change_rights(struct check *c, uint64_t epoch)
{
	if (mprotect(c->at, c->size, epoch % 2 == 0 ? PROT_READ | PROT_WRITE : PROT_READ) != 0)
		fail("mprotect: %s", strerror(errno));
}

static void write_somewhere(struct check *c, unsigned cpu)
{
	volatile uint64_t *word = own_word(c, cpu);
	uint64_t sequence = c->sequence, epoch = sequence / 2;
	bool works = write_works(word, epoch);

	if (!is_judged(c, sequence))
		return;
	if (works != (epoch % 2 == 0))
		fail("%s, CPU %u: a write %s in epoch %lu", c->name, cpu,
		     works ? "works" : "faults", epoch);
	c->looks++;
}

/* --- there or not --- */

static void change_mapping(struct check *c, uint64_t epoch)
{
	if (epoch % 2 != 0) {
		if (munmap(c->at, PAGE) != 0)
			fail("munmap: %s", strerror(errno));
	} else if (mmap(c->at, PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != c->at) {
		fail("mmap: %s", strerror(errno));
	}
}

/* A write whose page changed between the look at the epoch and the store may have reached the page
 * of a later epoch, which then has an old number with good reason. 0: there is no such write. */
static __thread uint64_t late;

static void use_mapping(struct check *c, unsigned cpu)
{
	volatile uint64_t *word = own_word(c, cpu);
	uint64_t sequence = c->sequence, epoch = sequence / 2, value = 0;
	bool writes = next_random() % 2 != 0;
	bool works = writes ? write_works(word, epoch) : read_works(word, &value);

	if (!is_judged(c, sequence)) {
		late = writes && works ? epoch : late;
		return;
	}
	if (works != (epoch % 2 == 0))
		fail("%s, CPU %u: a %s %s in epoch %lu", c->name, cpu, writes ? "write" : "read",
		     works ? "works" : "faults", epoch);
	if (works && !writes && value != 0 && value != epoch && value != late)
		fail("%s, CPU %u: %lu in epoch %lu", c->name, cpu, value, epoch);
	if (works && (writes || value == 0))
		late = 0;
	c->looks++;
}

/* --- here or there --- */

static uint8_t *elsewhere(const struct check *c)
{
	return c->at + PAGE;
}

static void change_place(struct check *c, uint64_t epoch)
{
	uint8_t *from = epoch % 2 == 0 ? elsewhere(c) : c->at;
	uint8_t *to = epoch % 2 == 0 ? c->at : elsewhere(c);

	if (mremap(from, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		fail("mremap: %s", strerror(errno));
}

static void use_either(struct check *c, unsigned cpu)
{
	bool here = next_random() % 2 != 0;
	volatile uint64_t *word = (volatile uint64_t *)(here ? c->at : elsewhere(c)) + cpu;
	uint64_t sequence = c->sequence, epoch = sequence / 2;
	bool works = write_works(word, epoch);

	if (!is_judged(c, sequence))
		return;
	if (works != (here == (epoch % 2 == 0)))
		fail("%s, CPU %u: a write %s %s in epoch %lu", c->name, cpu,
		     here ? "here" : "there", works ? "works" : "faults", epoch);
	c->looks++;
}

/* --- copies --- */

/* The child's page must not change any more, whoever still writes to the parent's. */
static void __attribute__((noreturn)) be_child(const struct check *c)
{
	uint64_t words[MAX_CPUS];

	memcpy(words, c->at, sizeof(words));
	for (int i = 0; i < 20; i++) {
		sched_yield();
		if (memcmp(words, c->at, sizeof(words)) != 0)
			_exit(1);
	}
	_exit(0);
}

static void change_owner(struct check *c, uint64_t epoch)
{
	pid_t child = fork();
	int status;

	(void)epoch;
	if (child == 0)
		be_child(c);
	if (child < 0 || waitpid(child, &status, 0) != child)
		fail("fork: %s", strerror(errno));
	if (status != 0)
		fail("%s: a child's copy changed (%#x)", c->name, status);
}

static void count_up(struct check *c, unsigned cpu)
{
	static __thread uint64_t count;
	volatile uint64_t *word = (volatile uint64_t *)c->at + cpu;

	if (*word != count)
		fail("%s, CPU %u: %lu, not %lu: a write is lost", c->name, cpu, *word, count);
	*word = ++count;
	c->looks++;
}

static struct check checks[] = {
	{.name = "remapped", .change = change_frame, .access = look_at_frame, .size = PAGE},
	{.name = "dropped", .change = change_content, .access = look_at_content, .size = PAGE},
	{.name = "protected", .change = change_rights, .access = write_somewhere, .size = PAGE},
	{.name = "protected, many",
	 .change = change_rights,
	 .access = write_somewhere,
	 .size = 24 * PAGE},
	{.name = "protected, large",
	 .change = change_rights,
	 .access = write_somewhere,
	 .size = 2 * LARGE},
	{.name = "moved", .change = change_place, .access = use_either, .size = PAGE},
	{.name = "unmapped", .change = change_mapping, .access = use_mapping, .size = PAGE},
	{.name = "copied", .change = change_owner, .access = count_up, .size = PAGE},
};

#define NR_CHECKS (sizeof(checks) / sizeof(checks[0]))

/* --- threads --- */

static void go_to(unsigned cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	/* It fails if the CPU was unplugged. */
	sched_setaffinity(0, sizeof(one), &one);
}

static void *use_pages(void *arg)
{
	unsigned cpu = (unsigned)(uintptr_t)arg;

	random_state = 88172645463325252ull + cpu;
	go_to(cpu);
	while (!done)
		for (unsigned i = 0; i < NR_CHECKS; i++)
			for (unsigned n = 0; n < 50; n++)
				checks[i].access(&checks[i], cpu);
	return NULL;
}

static void prepare(struct check *c)
{
	uint8_t *at = mmap(NULL, c->size + LARGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	c->at = (uint8_t *)(((uintptr_t)at + LARGE - 1) & ~(LARGE - 1));
	if (c->size > LARGE)
		madvise(c->at, c->size, MADV_HUGEPAGE);
	c->change(c, 2);
	c->sequence = 4;
}

/* A round changes each page twice. */
static void change_pages(uint64_t round)
{
	for (unsigned i = 0; i < NR_CHECKS; i++) {
		struct check *c = &checks[i];

		go_to((unsigned)(round + i) % nr_threads);
		for (int n = 0; n < 2; n++) {
			uint64_t epoch = c->sequence / 2 + 1;

			c->sequence++;
			c->change(c, epoch);
			c->sequence++;
			/* Asleep, so that it is not behind the threads in the queue. */
			usleep(100);
		}
	}
}

static void make_pages(void)
{
	struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};

	nr_threads = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	frames_fd = memfd_create("frames", 0);
	if (frames_fd < 0 || ftruncate(frames_fd, (off_t)(FRAMES * PAGE)) != 0)
		fail("memfd: %s", strerror(errno));
	frames = mmap(NULL, FRAMES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, frames_fd, 0);
	sigaction(SIGSEGV, &action, NULL);
	for (unsigned i = 0; i < NR_CHECKS; i++)
		prepare(&checks[i]);
}

/* See set_failpoint. It is used up by the next transition. */
static void break_flushes(void)
{
	struct vl_ioctl_call call = {.nr = VL_CALL_SET_FAILPOINT, .arg = {(uint64_t)1 << 32}};
	int device = open("/dev/vellum", O_RDWR);

	if (device < 0 || ioctl(device, VL_IOCTL_CALL, &call) != 0 || call.result != 0)
		fail("set_failpoint: %ld, %s", (long)call.result, strerror(errno));
	close(device);
}

/* How many rounds there were. */
static uint64_t use_and_change(const char *until)
{
	uint64_t wanted = strtoull(until, NULL, 10), round = 0;
	pthread_t threads[MAX_CPUS];

	for (unsigned i = 0; i < nr_threads; i++)
		if (pthread_create(&threads[i], NULL, use_pages, (void *)(uintptr_t)i) != 0)
			fail("pthread_create");
	for (; wanted != 0 ? round < wanted : access(until, F_OK) == 0; round++)
		change_pages(round);
	done = true;
	for (unsigned i = 0; i < nr_threads; i++)
		pthread_join(threads[i], NULL);
	return round;
}

int main(int argc, char **argv)
{
	uint64_t round;

	if (argc < 2 || argc > 3 || (argc == 3 && strcmp(argv[2], "break") != 0))
		fail("usage: stale GO | ROUNDS [break]");
	make_pages();
	if (argc == 3)
		break_flushes();
	round = use_and_change(argv[1]);
	printf("stale: %lu rounds on %u CPUs;", round, nr_threads);
	for (unsigned i = 0; i < NR_CHECKS; i++) {
		printf(" %s %lu", checks[i].name, checks[i].looks);
		if (checks[i].looks == 0)
			fail("%s was never looked at", checks[i].name);
	}
	printf("\n");
	return round > 0 ? 0 : 1;
}
