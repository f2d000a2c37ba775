// SPDX-License-Identifier: MIT
/*
 * Work for tests that look at a guest from outside: processes, pipes, page faults,
 * files. Each round also runs a loop of a known number of instructions and then says so, which
 * gives the observer a lower bound for the instructions that the guest has executed. It never
 * sleeps.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOP_TURNS        10000000ul
#define LOOP_INSTRUCTIONS (2 * LOOP_TURNS)
#define AREA              (64 * 4096ul)

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Two instructions a turn, counted by hand and not to be optimized. */
static void spin(void)
{
	unsigned long turns = LOOP_TURNS;

	asm volatile("1: dec %0\n\tjnz 1b" : "+r"(turns)::"cc");
}

static void fault(void)
{
	char *area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		die("mmap");
	memset(area, 1, AREA);
	munmap(area, AREA);
}

/* A child writes into a pipe, its parent reads: fork, switch, pipe, exit. */
static void child_and_pipe(void)
{
	int ends[2];
	char data[512];

	if (pipe(ends) != 0)
		die("pipe");
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (child == 0) {
		memset(data, 'x', sizeof(data));
		for (int i = 0; i < 64; i++)
			if (write(ends[1], data, sizeof(data)) < 0)
				_exit(1);
		_exit(0);
	}
	close(ends[1]);
	while (read(ends[0], data, sizeof(data)) > 0)
		;
	close(ends[0]);
	waitpid(child, NULL, 0);
}

static void read_file(const char *name)
{
	char data[4096];
	int fd = open(name, O_RDONLY);

	if (fd < 0)
		die(name);
	while (read(fd, data, sizeof(data)) > 0)
		;
	close(fd);
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ~0ul;

	for (unsigned long round = 1; round <= rounds; round++) {
		spin();
		for (int i = 0; i < 10; i++) {
			fault();
			child_and_pipe();
			read_file("/proc/self/maps");
		}
		printf("load: round %lu loop %lu\n", round, LOOP_INSTRUCTIONS);
		fflush(stdout);
	}
	return 0;
}
