// SPDX-License-Identifier: MIT
/*
 * Virtualizes and devirtualizes the machine N times while workers use all that a transition could
 * damage: user registers, memory, page tables, processes, pipes, timers, a disk, a TCP connection.
 * Each worker is a process that checks what it gets back, byte for byte, and reports into a page
 * that all share; the first error ends the run. What the kernel said meanwhile is the caller's to
 * check.
 *
 *   cycles N MICROSECONDS [DISK [ADDRESS:PORT]]
 *
 * stays MICROSECONDS in each mode; DISK is a block device to be overwritten, ADDRESS:PORT echoes.
 */
#define _GNU_SOURCE // O_DIRECT
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE    4096ul
#define MODE    "/sys/hypervisor/mode"
#define WORKERS 8
#define EAGAINS                                                                                    \
	1000 /* of a devirtualize in a row: the machine holds an interrupt that must go first */
#define PATIENCE 60000000000ul /* for a round of a worker, in ns */
#define PERIOD   5000000l      /* of the timer, in ns */
#define MEMORY   (16ul << 20)
#define DISK_RUN (64 * 1024ul)
#define DISK_END (16ul << 20)
#define TCP_RUN  (16 * 1024ul)

struct worker {
	const char *name;
	void (*round)(void);
	volatile uint64_t rounds;
	pid_t process;
};

static struct shared {
	struct worker worker[WORKERS];
	volatile bool failed;
	char message[256];
} * shared;

static const char *disk_name, *peer;

static void __attribute__((format(printf, 1, 2), noreturn)) fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (!shared->failed)
		vsnprintf(shared->message, sizeof(shared->message), format, args);
	va_end(args);
	shared->failed = true;
	_exit(1);
}

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void fill(void *at, size_t size, uint64_t seed)
{
	uint64_t *word = at;

	for (size_t i = 0; i < size / sizeof(*word); i++)
		word[i] = next(&seed);
}

static void verify(const char *what, const void *at, size_t size, uint64_t seed)
{
	const uint64_t *word = at;

	for (size_t i = 0; i < size / sizeof(*word); i++) {
		uint64_t want = next(&seed);

		if (word[i] != want)
			fail("%s: word %zu is %#lx, not %#lx", what, i, word[i], want);
	}
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *area(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	return at;
}

/* --- registers --- */

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
	__asm__ volatile("pxor %%xmm7, %%xmm7\n\tfninit"
			 :
			 :
			 : "xmm7"); /* the frame must bring them back */
}

static void start_alarms(void)
{
	struct itimerval often = {{0, 3000}, {0, 3000}};

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &often, NULL);
}

struct registers {
	uint64_t word[6 + 2 * 16]; /* R8 to R13, XMM0 to XMM15 */
	long double x87;
	uint32_t mxcsr;
	uint16_t control;
};

/* Load all, spin, store all. */
static void hold_registers(const struct registers *in, struct registers *out, uint64_t turns)
{
	__asm__ volatile("ldmxcsr %[mxcsr]\n\t"
			 "fninit\n\tfldcw %[control]\n\tfldt %[x87]\n\t"
			 :
			 : [mxcsr] "m"(in->mxcsr), [control] "m"(in->control), [x87] "m"(in->x87));
	__asm__ volatile(
		"movq 0(%%rsi), %%r8\n\tmovq 8(%%rsi), %%r9\n\tmovq 16(%%rsi), %%r10\n\t"
		"movq 24(%%rsi), %%r11\n\tmovq 32(%%rsi), %%r12\n\tmovq 40(%%rsi), %%r13\n\t"
		".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
		"movups 48+16*\\n(%%rsi), %%xmm\\n\n\t.endr\n\t"
		"1: dec %%rcx\n\tjnz 1b\n\t"
		"movq %%r8, 0(%%rdi)\n\tmovq %%r9, 8(%%rdi)\n\tmovq %%r10, 16(%%rdi)\n\t"
		"movq %%r11, 24(%%rdi)\n\tmovq %%r12, 32(%%rdi)\n\tmovq %%r13, 40(%%rdi)\n\t"
		".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
		"movups %%xmm\\n, 48+16*\\n(%%rdi)\n\t.endr\n\t"
		: "+c"(turns)
		: "S"(in), "D"(out)
		: "r8", "r9", "r10", "r11", "r12", "r13", "cc", "memory", "xmm0", "xmm1", "xmm2",
		  "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
		  "xmm13", "xmm14", "xmm15");
	__asm__ volatile(
		"fstpt %[x87]\n\tfnstcw %[control]\n\tstmxcsr %[mxcsr]\n\t"
		: [mxcsr] "=m"(out->mxcsr), [control] "=m"(out->control), [x87] "=m"(out->x87));
}

static void round_registers(void)
{
	static uint64_t seed = 88172645463325252ull;
	struct registers in, out;

	if (alarms == 0)
		start_alarms();
	memset(&in, 0, sizeof(in));
	memset(&out, 0, sizeof(out));
	fill(in.word, sizeof(in.word), next(&seed));
	in.x87 = (long double)next(&seed) / 3;
	in.mxcsr = 0x1f80 | (uint32_t)(next(&seed) & 3) << 13;
	in.control = (uint16_t)(0x37f | (next(&seed) & 3) << 10);
	hold_registers(&in, &out, 200000);
	for (size_t i = 0; i < sizeof(in.word) / sizeof(in.word[0]); i++)
		if (in.word[i] != out.word[i])
			fail("registers: word %zu is %#lx, not %#lx", i, out.word[i], in.word[i]);
	if (in.x87 != out.x87 || in.mxcsr != out.mxcsr || in.control != out.control)
		fail("registers: x87 %Lg %Lg, MXCSR %#x %#x, control %#x %#x", in.x87, out.x87,
		     in.mxcsr, out.mxcsr, in.control, out.control);
	if (alarms == 0)
		alarms = 1;
}

/* --- memory and page tables --- */

/* A large area that stays: one sixteenth of it is checked each round and filled anew. */
static void round_memory(void)
{
	static uint8_t *at;
	static uint64_t seed[16], turn;
	size_t part = MEMORY / 16;
	uint64_t i = turn++ % 16;

	if (at == NULL) {
		at = area(MEMORY);
		for (uint64_t n = 0; n < 16; n++)
			fill(at + n * part, part, seed[n] = n + 1);
	}
	verify("memory", at + i * part, part, seed[i]);
	seed[i] += 16;
	fill(at + i * part, part, seed[i]);
}

/* Faults of every kind: fresh pages, read-only ones, copies after a fork, an unmapped hole. */
static void round_faults(void)
{
	size_t size = 96 * PAGE;
	uint8_t *at = area(size);
	int status;

	fill(at, size, 7);
	if (mprotect(at, size / 2, PROT_READ) != 0 || munmap(at + size / 2, size / 4) != 0)
		fail("faults: %s", strerror(errno));
	pid_t child = fork();

	if (child == 0) {
		verify("faults, child", at, size / 2, 7);
		memset(at + size * 3 / 4, 1, size / 4);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		fail("faults: the child ended with %#x (%s)", status, strerror(errno));
	verify("faults", at, size / 2, 7);
	mprotect(at, size / 2, PROT_READ | PROT_WRITE);
	fill(at, size / 2, 9);
	verify("faults, written again", at, size / 2, 9);
	munmap(at, size);
}

/* --- processes and pipes --- */

static void round_processes(void)
{
	int ends[2], status;
	char text[8] = "";

	if (pipe(ends) != 0)
		fail("pipe: %s", strerror(errno));
	pid_t child = fork();

	if (child == 0) {
		dup2(ends[1], 1);
		execl("/proc/self/exe", "cycles", "echo", (char *)NULL);
		_exit(2);
	}
	close(ends[1]);
	ssize_t size = read(ends[0], text, sizeof(text));

	close(ends[0]);
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		fail("processes: the program ended with %#x (%s)", status, strerror(errno));
	if (size != 6 || memcmp(text, "alive\n", 6) != 0)
		fail("processes: %zd bytes came through the pipe", size);
}

static void send_through(int fd)
{
	static uint64_t data[1024];

	for (uint64_t i = 1; i <= 16; i++) {
		fill(data, sizeof(data), i);
		if (write(fd, data, sizeof(data)) != sizeof(data))
			_exit(1);
	}
	_exit(0);
}

static void read_all(const char *what, int fd, void *to, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(fd, (uint8_t *)to + done, size - done);

		if (n <= 0)
			fail("%s: %zu of %zu bytes, then %s", what, done, size,
			     n ? strerror(errno) : "the end");
		done += (size_t)n;
	}
}

static void round_pipe(void)
{
	static uint64_t data[1024];
	int ends[2], status;

	if (pipe(ends) != 0)
		fail("pipe: %s", strerror(errno));
	pid_t child = fork();

	if (child == 0)
		send_through(ends[1]);
	close(ends[1]);
	for (uint64_t i = 1; i <= 16; i++) {
		read_all("pipe", ends[0], data, sizeof(data));
		verify("pipe", data, sizeof(data), i);
	}
	close(ends[0]);
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		fail("pipe: the writer ended with %#x", status);
}

/* --- time --- */

/*
 * A periodic timer must have expired as often as its periods went by, and the clock that ticks keep
 * may be behind the one of the hardware by the tick that is under way and one more. The two clocks
 * are read once more if the process was held up between them.
 */
static void check_clocks(uint64_t tick)
{
	uint64_t before, coarse, after;

	do {
		before = now_ns(CLOCK_MONOTONIC);
		coarse = now_ns(CLOCK_MONOTONIC_COARSE);
		after = now_ns(CLOCK_MONOTONIC);
	} while (after - before > tick / 10);
	if (coarse > after || before - coarse > 2 * tick)
		fail("time: the ticks are %ld us behind", (int64_t)(before - coarse) / 1000);
}

static void round_time(void)
{
	static uint64_t start, expired, last;
	static int timer = -1;
	struct timespec tick;
	uint64_t count, before = now_ns(CLOCK_MONOTONIC);

	if (timer < 0) {
		uint64_t first = (start = before) + PERIOD;
		struct itimerspec periodic = {
			{0, PERIOD}, {(time_t)(first / 1000000000u), (long)(first % 1000000000u)}};

		timer = timerfd_create(CLOCK_MONOTONIC, 0);
		timerfd_settime(timer, TFD_TIMER_ABSTIME, &periodic, NULL);
	}
	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	read_all("timer", timer, &count, sizeof(count));
	expired += count;
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	if (now < before || before < last)
		fail("time: the clock went back from %lu and %lu to %lu", last, before, now);
	last = now;
	/* The read was somewhere between the two times; a low-resolution timer may be late by a
	 * tick. */
	uint64_t least = (before - start) / PERIOD;
	uint64_t slack = 1 + (uint64_t)tick.tv_nsec / PERIOD;

	if (expired > (now - start) / PERIOD || expired + slack < least)
		fail("time: the timer expired %lu times in %lu to %lu periods", expired, least,
		     (now - start) / PERIOD);
	check_clocks((uint64_t)tick.tv_nsec);
}

/* --- devices --- */

static void round_disk(void)
{
	static int fd = -1;
	static uint8_t *data;
	static uint64_t turn, seeds[DISK_END / DISK_RUN];
	uint64_t slot = turn++ % (DISK_END / DISK_RUN);
	off_t offset = (off_t)(slot * DISK_RUN);

	if (fd < 0) {
		fd = open(disk_name, O_RDWR | O_DIRECT);
		data = area(DISK_RUN);
		if (fd < 0)
			fail("%s: %s", disk_name, strerror(errno));
	}
	if (seeds[slot] != 0) {
		if (pread(fd, data, DISK_RUN, offset) != (ssize_t)DISK_RUN)
			fail("disk: read: %s", strerror(errno));
		verify("disk", data, DISK_RUN, seeds[slot]);
	}
	fill(data, DISK_RUN, seeds[slot] = turn);
	if (pwrite(fd, data, DISK_RUN, offset) != (ssize_t)DISK_RUN)
		fail("disk: write: %s", strerror(errno));
}

static int connect_peer(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	char address[32];
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	const char *colon = strchr(peer, ':');

	snprintf(address, sizeof(address), "%.*s", (int)(colon - peer), peer);
	to.sin_port = htons((uint16_t)atoi(colon + 1));
	inet_pton(AF_INET, address, &to.sin_addr);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
		fail("tcp: %s: %s", peer, strerror(errno));
	return fd;
}

/* One connection for the whole run: what goes out must come back. */
static void round_tcp(void)
{
	static uint64_t data[TCP_RUN / 8], turn;
	static int fd = -1;

	if (fd < 0)
		fd = connect_peer();
	fill(data, sizeof(data), ++turn);
	if (write(fd, data, sizeof(data)) != sizeof(data))
		fail("tcp: write: %s", strerror(errno));
	memset(data, 0, sizeof(data));
	read_all("tcp", fd, data, sizeof(data));
	verify("tcp", data, sizeof(data), turn);
}

/* --- the cycles --- */

static void start(size_t i, const char *name, void (*round)(void))
{
	struct worker *w = &shared->worker[i];

	*w = (struct worker){.name = name, .round = round};
	fflush(NULL);
	pid_t child = fork();

	if (child != 0) {
		w->process = child; /* the page is shared: the child must not store its 0 */
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		round();
		w->rounds++;
	}
}

static void start_workers(void)
{
	size_t n = 0;

	start(n++, "registers", round_registers);
	start(n++, "memory", round_memory);
	start(n++, "faults", round_faults);
	start(n++, "processes", round_processes);
	start(n++, "pipe", round_pipe);
	start(n++, "time", round_time);
	if (disk_name != NULL)
		start(n++, "disk", round_disk);
	if (peer != NULL)
		start(n++, "tcp", round_tcp);
}

static bool in_mode(const char *mode)
{
	char text[32] = "";
	int fd = open(MODE, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	return n > 0 && strncmp(text, mode, strlen(mode)) == 0;
}

static unsigned int held_up;

static void switch_to(const char *mode)
{
	int fd = open(MODE, O_WRONLY), tries = 0;
	struct timespec tick = {0, 1000000};

	while (write(fd, mode, strlen(mode)) < 0) {
		if (errno != EAGAIN || ++tries > EAGAINS)
			fail("switch to %s: %s", mode, strerror(errno));
		held_up++;
		nanosleep(&tick, NULL);
	}
	close(fd);
	if (!in_mode(mode))
		fail("the mode is not %s", mode);
}

static void stay(unsigned long microseconds)
{
	struct timespec time = {(time_t)(microseconds / 1000000),
				(long)(microseconds % 1000000) * 1000};

	nanosleep(&time, NULL);
}

static void show_progress(unsigned long cycle)
{
	printf("cycles: %lu done, rounds", cycle);
	for (size_t i = 0; i < WORKERS && shared->worker[i].name != NULL; i++)
		printf(" %s %lu", shared->worker[i].name, shared->worker[i].rounds);
	printf(", %u times held up\n", held_up);
	fflush(stdout);
}

/* Wait until each worker has done a round more; a worker that cannot is stuck or dead. */
static void wait_for_all(const char *when)
{
	for (size_t i = 0; i < WORKERS && shared->worker[i].name != NULL; i++) {
		const struct worker *w = &shared->worker[i];
		uint64_t rounds = w->rounds, until = now_ns(CLOCK_MONOTONIC) + PATIENCE;

		while (w->rounds == rounds && !shared->failed) {
			if (now_ns(CLOCK_MONOTONIC) > until)
				fail("%s is stuck, %s", w->name, when);
			stay(5000);
		}
	}
}

static bool is_good(void)
{
	if (shared->failed)
		printf("not ok: %s\n", shared->message);
	for (size_t i = 0; !shared->failed && i < WORKERS && shared->worker[i].name != NULL; i++)
		if (shared->worker[i].rounds == 0 ||
		    waitpid(shared->worker[i].process, NULL, WNOHANG) != 0) {
			printf("not ok: %s died or did nothing\n", shared->worker[i].name);
			return false;
		}
	return !shared->failed;
}

static void stop_workers(void)
{
	for (size_t i = 0; i < WORKERS && shared->worker[i].name != NULL; i++)
		kill(shared->worker[i].process, SIGKILL);
}

/* In a process of its own, whose _exit() in fail() leaves the workers to be counted. */
static void cycle(unsigned long count, unsigned long microseconds)
{
	unsigned long step = count < 20 ? 1 : count / 20;

	wait_for_all("before the first cycle");
	for (unsigned long i = 1; i <= count && !shared->failed; i++) {
		switch_to("virtualized");
		stay(microseconds);
		switch_to("passthrough");
		stay(microseconds);
		if (i % step == 0)
			show_progress(i);
	}
	wait_for_all("after the last cycle");
	exit(0);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "echo") == 0)
		return write(1, "alive\n", 6) == 6 ? 0 : 1;
	if (argc < 3)
		return 2;
	disk_name = argc > 3 ? argv[3] : NULL;
	peer = argc > 4 ? argv[4] : NULL;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	start_workers();
	fflush(NULL);
	pid_t child = fork();

	if (child == 0)
		cycle(strtoul(argv[1], NULL, 10), strtoul(argv[2], NULL, 10));
	waitpid(child, NULL, 0);
	bool good = is_good();

	stop_workers();
	if (good)
		printf("ok: %s cycles\n", argv[1]);
	return good ? 0 : 1;
}
