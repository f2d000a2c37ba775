// SPDX-License-Identifier: MIT
/*
 * Work for all CPUs at a time, which checks what it gets back: messages between groups of processes
 * (as hackbench sends them), a storm of forks and one of page faults on each CPU, wake-ups and a
 * TCP stream from CPU to CPU, a timer on each CPU, one clock that all CPUs agree on.
 *
 *   smpload GO    until the file GO is gone; then says how many rounds each worker made
 *
 * Each worker is a process with children of its own. The first error ends the run, and so does a
 * worker that makes no round for a minute.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
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
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE        4096ul
#define MAX_WORKERS 64
#define PATIENCE    60 /* seconds for a round */

#define SENDERS  4
#define MESSAGES 20
#define MESSAGE  100

struct worker {
	char name[16];
	void (*round)(unsigned cpu);
	unsigned cpu;
	pid_t process;
	volatile uint64_t rounds;
};

static struct shared {
	struct worker worker[MAX_WORKERS];
	unsigned count;
	volatile bool failed;
	char message[256];
} * shared;

static unsigned nr_cpus;

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

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void go_to(unsigned cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	/* It fails if the CPU was unplugged. */
	sched_setaffinity(0, sizeof(one), &one);
}

/* Bytes of a message, or a stream, from `seed` on. */
static void fill(uint8_t *at, size_t size, uint64_t seed)
{
	for (size_t i = 0; i < size; i++)
		at[i] = (uint8_t)(seed + i * 7 + (i >> 8));
}

static void verify(const char *what, const uint8_t *at, size_t size, uint64_t seed)
{
	for (size_t i = 0; i < size; i++)
		if (at[i] != (uint8_t)(seed + i * 7 + (i >> 8)))
			fail("%s: byte %zu of %lu is %#x", what, i, seed, at[i]);
}

static void read_all(const char *what, int fd, uint8_t *to, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(fd, to + done, size - done);

		if (n <= 0)
			fail("%s: %zu of %zu bytes, then %s", what, done, size,
			     n ? strerror(errno) : "the end");
		done += (size_t)n;
	}
}

static void write_all(const char *what, int fd, const uint8_t *from, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, from + done, size - done);

		if (n < 0)
			fail("%s: write: %s", what, strerror(errno));
		done += (size_t)n;
	}
}

static pid_t start_child(void)
{
	pid_t child = fork();

	if (child < 0)
		fail("fork: %s", strerror(errno));
	if (child == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child;
}

static void wait_child(const char *what, pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child || status != 0)
		fail("%s: a process ended with %#x", what, status);
}

/* --- messages: each sender to each receiver, all in one group --- */

static void send_messages(int to[SENDERS][2])
{
	uint8_t data[MESSAGE];

	for (uint64_t n = 0; n < MESSAGES; n++) {
		fill(data, sizeof(data), n);
		for (int i = 0; i < SENDERS; i++)
			if (write(to[i][1], data, sizeof(data)) != sizeof(data))
				fail("messages: write: %s", strerror(errno));
	}
	_exit(0);
}

static void receive_messages(int from)
{
	uint8_t data[MESSAGE];
	unsigned seen[MESSAGES] = {0};

	for (int i = 0; i < SENDERS * MESSAGES; i++) {
		if (read(from, data, sizeof(data)) != sizeof(data) || data[0] >= MESSAGES)
			fail("messages: read: %s", strerror(errno));
		verify("messages", data, sizeof(data), data[0]);
		seen[data[0]]++;
	}
	for (int n = 0; n < MESSAGES; n++)
		if (seen[n] != SENDERS)
			fail("messages: %u of message %d", seen[n], n);
	_exit(0);
}

static void round_messages(unsigned cpu)
{
	pid_t process[2 * SENDERS];
	int ends[SENDERS][2];

	(void)cpu;
	for (int i = 0; i < SENDERS; i++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends[i]) != 0)
			fail("socketpair: %s", strerror(errno));
	for (int i = 0; i < 2 * SENDERS; i++) {
		process[i] = start_child();
		if (process[i] == 0 && i < SENDERS)
			receive_messages(ends[i][0]);
		if (process[i] == 0)
			send_messages(ends);
	}
	for (int i = 0; i < 2 * SENDERS; i++)
		wait_child("messages", process[i]);
	for (int i = 0; i < SENDERS; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

/* --- forks and faults --- */

static void *area(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	return at;
}

static void round_forks(unsigned cpu)
{
	uint8_t *data = area(8 * PAGE);
	pid_t child[4];

	(void)cpu;
	fill(data, 8 * PAGE, 3);
	for (int i = 0; i < 4; i++) {
		child[i] = start_child();
		if (child[i] == 0) {
			verify("forks", data, 8 * PAGE, 3);
			fill(data, 8 * PAGE, (uint64_t)i + 9);
			verify("forks, child", data, 8 * PAGE, (uint64_t)i + 9);
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++)
		wait_child("forks", child[i]);
	verify("forks, parent", data, 8 * PAGE, 3);
	munmap(data, 8 * PAGE);
}

static void round_faults(unsigned cpu)
{
	size_t size = 128 * PAGE;
	uint8_t *at = area(size);

	for (size_t i = 0; i < size; i += PAGE)
		fill(at + i, 64, i + cpu);
	if (mprotect(at, size / 2, PROT_READ) != 0 ||
	    madvise(at + size / 2, size / 4, MADV_DONTNEED) != 0)
		fail("faults: %s", strerror(errno));
	for (size_t i = 0; i < size / 2; i += PAGE)
		verify("faults", at + i, 64, i + cpu);
	for (size_t i = size / 2; i < size * 3 / 4; i += PAGE)
		if (at[i] != 0)
			fail("faults: %#x in a page that was dropped", at[i]);
	munmap(at, size);
}

/* --- from CPU to CPU --- */

static void round_wakeups(unsigned cpu)
{
	int there[2], back[2];
	uint64_t value, got;
	pid_t child;

	if (pipe(there) != 0 || pipe(back) != 0)
		fail("pipe: %s", strerror(errno));
	child = start_child();
	if (child == 0) {
		go_to((cpu + 1) % nr_cpus);
		for (value = 0; value < 100; value++) {
			read_all("wake-ups", there[0], (uint8_t *)&got, sizeof(got));
			if (got != value)
				fail("wake-ups: %lu, not %lu", got, value);
			write_all("wake-ups", back[1], (uint8_t *)&got, sizeof(got));
		}
		_exit(0);
	}
	for (value = 0; value < 100; value++) {
		write_all("wake-ups", there[1], (uint8_t *)&value, sizeof(value));
		read_all("wake-ups", back[0], (uint8_t *)&got, sizeof(got));
		if (got != value)
			fail("wake-ups: %lu came back, not %lu", got, value);
	}
	wait_child("wake-ups", child);
	for (int i = 0; i < 2; i++) {
		close(there[i]);
		close(back[i]);
	}
}

static int listen_somewhere(struct sockaddr_in *at)
{
	socklen_t size = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*at = (struct sockaddr_in){.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0 || bind(fd, (struct sockaddr *)at, sizeof(*at)) != 0 || listen(fd, 1) != 0 ||
	    getsockname(fd, (struct sockaddr *)at, &size) != 0)
		fail("tcp: %s", strerror(errno));
	return fd;
}

/* One connection through the loopback device for the whole run; the other CPU sends everything
 * back. */
static void __attribute__((noreturn)) echo(int listener)
{
	static uint8_t data[16384];
	int fd = accept(listener, NULL, NULL);

	for (;;) {
		ssize_t n = read(fd, data, sizeof(data));

		if (n <= 0)
			_exit(0);
		write_all("tcp, echo", fd, data, (size_t)n);
	}
}

static void round_tcp(unsigned cpu)
{
	static uint8_t out[16384], in[16384];
	static uint64_t turn;
	static int fd = -1;

	if (fd < 0) {
		struct sockaddr_in at;
		int listener = listen_somewhere(&at);

		if (start_child() == 0) {
			go_to((cpu + 1) % nr_cpus);
			echo(listener);
		}
		close(listener);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
			fail("tcp: connect: %s", strerror(errno));
	}
	fill(out, sizeof(out), ++turn);
	write_all("tcp", fd, out, sizeof(out));
	read_all("tcp", fd, in, sizeof(in));
	verify("tcp", in, sizeof(in), turn);
}

/* --- time --- */

static volatile uint64_t latest;

/* Nobody reads a time before one that was read elsewhere and told of. */
static void *read_clocks(void *arg)
{
	go_to((unsigned)(uintptr_t)arg);
	for (int i = 0; i < 2000; i++) {
		uint64_t told = latest, is = now();

		if (is < told)
			fail("time, CPU %d: %lu ns behind what another CPU read before",
			     sched_getcpu(), told - is);
		__atomic_compare_exchange_n(&latest, &told, is, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void round_clocks(unsigned cpu)
{
	pthread_t thread[MAX_WORKERS];

	(void)cpu;
	for (unsigned i = 0; i < nr_cpus; i++)
		if (pthread_create(&thread[i], NULL, read_clocks, (void *)(uintptr_t)i) != 0)
			fail("pthread_create");
	for (unsigned i = 0; i < nr_cpus; i++)
		pthread_join(thread[i], NULL);
}

/* A periodic timer of this CPU comes, and not more often than its periods go by. */
static void round_timer(unsigned cpu)
{
	static uint64_t start, expired;
	static int fd = -1;
	struct itimerspec periodic = {{0, 10000000}, {0, 10000000}};
	uint64_t count;

	(void)cpu;
	if (fd < 0) {
		start = now();
		fd = timerfd_create(CLOCK_MONOTONIC, 0);
		timerfd_settime(fd, 0, &periodic, NULL);
	}
	read_all("timer", fd, (uint8_t *)&count, sizeof(count));
	expired += count;
	if (expired > (now() - start) / 10000000)
		fail("timer: expired %lu times in %lu us", expired, (now() - start) / 1000);
}

/* --- the workers --- */

static void start_worker(const char *name, void (*round)(unsigned), unsigned cpu, bool stays)
{
	struct worker *w = &shared->worker[shared->count++];
	pid_t process;

	snprintf(w->name, sizeof(w->name), "%s", name);
	w->round = round;
	w->cpu = cpu;
	process = fork();
	if (process < 0)
		fail("fork: %s", strerror(errno));
	if (process > 0) {
		w->process = process;
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (stays)
		go_to(cpu);
	for (;; w->rounds++)
		round(cpu);
}

static void start_all(void)
{
	start_worker("messages", round_messages, 0, false);
	start_worker("clocks", round_clocks, 0, false);
	start_worker("tcp", round_tcp, 0, true);
	start_worker("wake-ups", round_wakeups, 0, true);
	for (unsigned cpu = 0; cpu < nr_cpus; cpu++) {
		start_worker("forks", round_forks, cpu, true);
		start_worker("faults", round_faults, cpu, true);
		start_worker("timer", round_timer, cpu, true);
	}
}

static bool went_on(uint64_t *before, uint64_t *since)
{
	for (unsigned i = 0; i < shared->count; i++) {
		struct worker *w = &shared->worker[i];

		if (w->rounds != before[i]) {
			before[i] = w->rounds;
			since[i] = now();
		} else if (now() - since[i] > PATIENCE * 1000000000ul) {
			snprintf(shared->message, sizeof(shared->message),
				 "%s on CPU %u hangs in round %lu", w->name, w->cpu, w->rounds);
			return false;
		}
	}
	return !shared->failed;
}

int main(int argc, char **argv)
{
	uint64_t before[MAX_WORKERS] = {0}, since[MAX_WORKERS];
	bool good = argc == 2;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (!good || shared == MAP_FAILED)
		return 2;
	nr_cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	start_all();
	for (unsigned i = 0; i < MAX_WORKERS; i++)
		since[i] = now();
	while (good && access(argv[1], F_OK) == 0) {
		usleep(100000);
		good = went_on(before, since);
	}
	for (unsigned i = 0; i < shared->count; i++)
		kill(shared->worker[i].process, SIGKILL);
	printf(good ? "smpload:" : "not ok: smpload: %s;", shared->message);
	for (unsigned i = 0; i < shared->count; i++)
		printf(" %s %lu", shared->worker[i].name, shared->worker[i].rounds);
	printf("\n");
	return good ? 0 : 1;
}
