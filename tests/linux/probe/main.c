// SPDX-License-Identifier: MIT
/*
 * Command line of the probe and the frame around its subjects: each runs in a child of its own
 * with a time limit, so that one crash costs only the rest of that subject. Owns the line format
 * around subjects and the final hash, which leaves out lines marked "#hw".
 *
 *   probe            run all subjects
 *   probe -q ...     print only the line and hash of each subject
 *   probe -l         list the subjects
 *   probe NAME...    run these, in the order of the list
 */
#include "probe.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SUBJECT_SECONDS 120

struct subject {
	const char *name;
	void (*run)(void);
	const char *about;
};

static const struct subject subjects[] = {
	{"descriptors", subject_descriptors,
	 "LAR LSL VERR VERW of all selectors, bare and with LDT"},
	{"segread", subject_segread, "segment registers, SLDT STR SGDT SIDT SMSW"},
	{"segload", subject_segload, "loads of DS ES FS GS SS by mov, pop, lfs, lgs, lss"},
	{"segload32", subject_segload32, "the same in 32-bit code, lds and les too"},
	{"farjump", subject_farjump, "far jumps and calls to every selector of interest"},
	{"farreturn", subject_farreturn, "lret and iret to every selector of interest"},
	{"farmode32", subject_farmode32, "far transfers out of 32-bit code"},
	{"privileged", subject_privileged, "privileged instructions"},
	{"invalid", subject_invalid, "invalid encodings, optional extensions"},
	{"unprivileged", subject_unprivileged, "instructions of user code near privilege"},
	{"intn", subject_intn, "int n for every n"},
	{"arith", subject_arith, "divide, overflow and bound errors"},
	{"pages", subject_pages, "page protections for read, write, execute"},
	{"kerneladdr", subject_kerneladdr, "kernel addresses"},
	{"canonical", subject_canonical, "non-canonical addresses and stack faults"},
	{"align", subject_align, "alignment checks"},
	{"vsyscall", subject_vsyscall, "the vsyscall page"},
	{"step", subject_step, "single step by the trap flag"},
	{"ptstep", subject_ptstep, "single step by ptrace"},
	{"ptregs", subject_ptregs, "registers read and written by ptrace"},
	{"ptsyscall", subject_ptsyscall, "system call stops"},
	{"debugregs", subject_debugregs, "hardware breakpoints and watchpoints"},
	{"movss", subject_movss, "watchpoints in the shadow of mov ss"},
	{"sigcs", subject_sigcs, "sigreturn to every CS"},
	{"sigss", subject_sigss, "sigreturn to every SS"},
	{"sigflags", subject_sigflags, "sigreturn with every flag"},
	{"sigaddr", subject_sigaddr, "sigreturn with odd RIP and RSP"},
	{"sysflags", subject_sysflags, "system calls with odd flags"},
	{"sysregs", subject_sysregs, "registers across system calls"},
	{"bases", subject_bases, "FS and GS bases and selectors"},
	{"tls", subject_tls, "set_thread_area descriptors"},
	{"ldt", subject_ldt, "modify_ldt descriptors"},
	{"code16", subject_code16, "16-bit code"},
	{"espfix", subject_espfix, "16-bit stacks across kernel entries"},
	{"code32", subject_code32, "32-bit code and its system calls in a 64-bit process"},
	{"ioports", subject_ioports, "ioperm and iopl"},
	{"fpuexc", subject_fpuexc, "x87 and SSE exceptions"},
	{"fpustate", subject_fpustate, "FPU, SSE and AVX state across signals and switches"},
	{"cpuid", subject_cpuid, "CPUID, XCR0, auxiliary vector"},
	{"time", subject_time, "TSC and CPU number"},
	{"rseq", subject_rseq, "restartable sequences, membarrier"},
	{"seccomp", subject_seccomp, "seccomp actions"},
	{"clone", subject_clone, "clone and vfork flavours"},
	{"altstack", subject_altstack, "alternate signal stacks"},
	{"nested", subject_nested, "nested and blocked signals"},
	{"uffd", subject_uffd, "userfaultfd"},
	{"probe32", subject_probe32, "a 32-bit process: int 0x80, SYSENTER, SYSCALL32"},
};

#define SUBJECTS (sizeof(subjects) / sizeof(subjects[0]))

struct tally {
	unsigned lines;
	uint64_t hash;
};

static bool quiet;
static struct tally total = {0, HASH_START};

static void count_line(struct tally *tally, const char *line, size_t size)
{
	if (!strncmp(line, "#hw ", 4))
		return;
	tally->lines++;
	tally->hash = hash_bytes(tally->hash, line, size);
}

/* Splits what a subject printed into lines, counts them, passes them on. */
static void take(struct tally *tally, char *buf, size_t *used)
{
	char *line = buf;
	char *end;

	while ((end = memchr(line, '\n', (size_t)(buf + *used - line)))) {
		size_t size = (size_t)(end + 1 - line);

		count_line(tally, line, size);
		count_line(&total, line, size);
		if (!quiet && write(STDOUT_FILENO, line, size) < 0)
			exit(3);
		line = end + 1;
	}
	*used -= (size_t)(line - buf);
	memmove(buf, line, *used);
}

static long seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - start->tv_sec;
}

/* Passes the subject's lines on until it closes its pipe; false when its time was over. */
static bool drain(int fd, struct tally *tally)
{
	static char buf[65536];
	size_t used = 0;
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (seconds_since(&start) < SUBJECT_SECONDS) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (poll(&p, 1, 1000) <= 0)
			continue;
		n = read(fd, buf + used, sizeof(buf) - used);
		if (n <= 0)
			return true;
		used += (size_t)n;
		take(tally, buf, &used);
	}
	return false;
}

static void subject_child(const struct subject *subject, const int *fds)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(fds[1], STDOUT_FILENO);
	close(fds[0]);
	close(fds[1]);
	engine_setup();
	subject->run();
	_exit(0);
}

static void say(struct tally *tally, const char *line)
{
	count_line(tally, line, strlen(line));
	count_line(&total, line, strlen(line));
	if (!quiet)
		fputs(line, stdout);
	fflush(stdout);
}

static void run_subject(const struct subject *subject)
{
	struct tally tally = {0, HASH_START};
	char line[160];
	int fds[2];
	int status = 0;
	pid_t pid;

	snprintf(line, sizeof(line), "== %s: %s\n", subject->name, subject->about);
	say(&tally, line);
	if (pipe(fds) < 0 || (pid = fork()) < 0) {
		perror("probe");
		exit(3);
	}
	if (!pid)
		subject_child(subject, fds);
	close(fds[1]);
	if (!drain(fds[0], &tally))
		say(&tally, "-- time limit\n");
	close(fds[0]);
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status)) {
		snprintf(line, sizeof(line), "-- died of %s\n", signal_text(WTERMSIG(status)));
		say(&tally, line);
	}
	printf("#subject %s lines %u hash %016lx\n", subject->name, tally.lines, tally.hash);
	fflush(stdout);
}

/* One CPU: its number shows in RDTSCP, RDPID, LSL and rseq. */
static void one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static const struct subject *find_subject(const char *name)
{
	for (size_t i = 0; i < SUBJECTS; i++)
		if (!strcmp(subjects[i].name, name))
			return &subjects[i];
	return NULL;
}

/* Randomized addresses would show up in every line: start over without them. */
static void no_randomization(char **argv)
{
	int now = personality(0xffffffff);

	if (now < 0 || (now & ADDR_NO_RANDOMIZE))
		return;
	if (personality((unsigned long)(now | ADDR_NO_RANDOMIZE)) < 0)
		return;
	execv("/proc/self/exe", argv);
	perror("probe: /proc/self/exe");
	exit(3);
}

static bool wanted(int argc, char **argv, const char *name)
{
	for (int i = 0; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc == 0;
}

static int list(void)
{
	for (size_t i = 0; i < SUBJECTS; i++)
		printf("%-12s %s\n", subjects[i].name, subjects[i].about);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct rlimit no_core = {0, 0};
	int at = 1;

	if (argc > 1 && !strcmp(argv[1], "-l"))
		return list();
	no_randomization(argv);
	one_cpu();
	setrlimit(RLIMIT_CORE, &no_core);
	if (argc > 1 && !strcmp(argv[1], "-q")) {
		quiet = true;
		at = 2;
	}
	for (int i = at; i < argc; i++) {
		if (!find_subject(argv[i])) {
			fprintf(stderr, "probe: no subject %s (see probe -l)\n", argv[i]);
			return 2;
		}
	}
	for (size_t i = 0; i < SUBJECTS; i++)
		if (wanted(argc - at, argv + at, subjects[i].name))
			run_subject(&subjects[i]);
	printf("probe end %u lines hash %016lx\n", total.lines, total.hash);
	return 0;
}
