// SPDX-License-Identifier: MIT
/*
 * FPU, SSE and AVX registers: kept across signals, system calls, forks and context switches, and
 * the state that a signal frame carries. Frames are told by fields and hashes; the hash
 * leaves out the x87 instruction and data pointers, which CPUs drop at unequal occasions.
 */
#include "probe.h"

#include <cpuid.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define XSTATE_BYTES 4096

static uint64_t xcr0(void)
{
	uint32_t a, d;

	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (uint64_t)d << 32 | a;
}

static bool have_xsave(void)
{
	unsigned a, b, c, d;

	__cpuid(1, a, b, c, d);
	return (c & (1u << 27)) != 0;
}

static bool have_avx(void)
{
	return have_xsave() && (xcr0() & 6) == 6;
}

/* Loads each vector and x87 register with a value of its own, from memory at seed. */
static void load_vectors(const uint8_t *seed, bool avx)
{
	if (avx)
		__asm__ volatile("vmovups (%0), %%ymm0\n\tvmovups 32(%0), %%ymm1\n\t"
				 "vmovups 64(%0), %%ymm7\n\tvmovups 96(%0), %%ymm15"
				 :
				 : "r"(seed)
				 : "memory");
	else
		__asm__ volatile("movups (%0), %%xmm0\n\tmovups 32(%0), %%xmm1\n\t"
				 "movups 64(%0), %%xmm7\n\tmovups 96(%0), %%xmm15"
				 :
				 : "r"(seed)
				 : "memory");
	__asm__ volatile("fninit\n\tfldpi\n\tfld1\n\tfldl2e\n\tfldl 8(%0)" : : "r"(seed));
}

static void save_vectors(uint8_t *to, bool avx)
{
	if (avx)
		__asm__ volatile("vmovups %%ymm0, (%0)\n\tvmovups %%ymm1, 32(%0)\n\t"
				 "vmovups %%ymm7, 64(%0)\n\tvmovups %%ymm15, 96(%0)"
				 :
				 : "r"(to)
				 : "memory");
	else
		__asm__ volatile("movups %%xmm0, (%0)\n\tmovups %%xmm1, 32(%0)\n\t"
				 "movups %%xmm7, 64(%0)\n\tmovups %%xmm15, 96(%0)"
				 :
				 : "r"(to)
				 : "memory");
	__asm__ volatile("fnsave 128(%0)" : : "r"(to) : "memory");
}

struct vectors {
	uint8_t bytes[256];
} __attribute__((aligned(64)));

static void seed_vectors(struct vectors *v, unsigned salt)
{
	for (size_t i = 0; i < sizeof(v->bytes); i++)
		v->bytes[i] = (uint8_t)(i * 7 + salt * 31 + 1);
}

/* Hash of the vector part and of the fnsave image without its pointers (bytes 12 to 27). */
static uint64_t hash_vectors(const struct vectors *v)
{
	uint64_t hash = hash_bytes(HASH_START, v->bytes, 128 + 12);

	return hash_bytes(hash, v->bytes + 128 + 28, 80);
}

/* Registers before and after something that enters the kernel; the call is raw, no library. */
static uint64_t across(unsigned salt, long nr, long a, int rounds)
{
	static struct vectors in, back;
	bool avx = have_avx();
	long rc;

	seed_vectors(&in, salt);
	memset(&back, 0, sizeof(back));
	load_vectors(in.bytes, avx);
	for (int i = 0; i < rounds; i++)
		__asm__ volatile("syscall"
				 : "=a"(rc)
				 : "0"(nr), "D"(a), "S"(0)
				 : "rcx", "r11", "memory");
	save_vectors(back.bytes, avx);
	return hash_vectors(&back);
}

static void switching(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		alarm(20);
		for (unsigned i = 0;; i++)
			across(i, SYS_sched_yield, 0, 10);
	}
	for (unsigned salt = 0; salt < 5; salt++)
		out("across 50 switches: %016lx", across(salt, SYS_sched_yield, 0, 50));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

static void forked(void)
{
	static struct vectors in, back;
	bool avx = have_avx();
	long pid;
	int status;

	seed_vectors(&in, 77);
	load_vectors(in.bytes, avx);
	__asm__ volatile("syscall" : "=a"(pid) : "0"((long)SYS_fork) : "rcx", "r11", "memory");
	save_vectors(back.bytes, avx);
	if (pid)
		waitpid((pid_t)pid, &status, 0);
	out("%s: %016lx", pid ? "parent" : "child", hash_vectors(&back));
	if (!pid)
		_exit(0);
}

struct frame_view {
	uint8_t bytes[XSTATE_BYTES];
	unsigned size;
	bool seen;
};

static struct frame_view view;

static void on_frame(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	const uint8_t *fp = (const uint8_t *)uc->uc_mcontext.fpregs;
	uint32_t extended;

	(void)signo;
	(void)info;
	view.seen = fp != NULL;
	if (!fp)
		return;
	/* sw_reserved: magic1, extended_size, xfeatures (8), xstate_size */
	memcpy(&extended, fp + 464 + 16, sizeof(extended));
	view.size = extended && extended <= XSTATE_BYTES ? extended : 512;
	memcpy(view.bytes, fp, view.size);
	memset(view.bytes + 8, 0, 16); /* the x87 pointers, as above */
	/* The handler clobbers what the frame must bring back. */
	__asm__ volatile("fninit\n\tfld1\n\tpcmpeqd %%xmm0, %%xmm0\n\tpcmpeqd %%xmm7, %%xmm7"
			 :
			 :
			 : "xmm0", "xmm7");
}

static void print_frame(void)
{
	uint32_t magic[5];
	uint64_t xstate_bv = 0;

	memcpy(magic, view.bytes + 464, sizeof(magic));
	if (view.size > 576)
		memcpy(&xstate_bv, view.bytes + 512, sizeof(xstate_bv));
	out("frame: magic %x extended %x features %x:%x size %x bv %lx", magic[0], magic[1],
	    magic[3], magic[2], magic[4], xstate_bv);
	for (unsigned at = 0; at < view.size; at += 32) {
		char hex[72] = "";

		for (unsigned i = 0; i < 32; i++)
			snprintf(hex + 2 * i, 3, "%02x", view.bytes[at + i]);
		if (strspn(hex, "0") < 64)
			out("frame %03x: %s", at, hex);
	}
}

static void signal_frame(void)
{
	static struct vectors in, back;
	struct sigaction sa = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
	bool avx = have_avx();
	long pid = RAW0(SYS_getpid);
	long rc;

	sa.sa_sigaction = on_frame;
	sigaction(SIGUSR2, &sa, NULL);
	seed_vectors(&in, 9);
	load_vectors(in.bytes, avx);
	__asm__ volatile("syscall"
			 : "=a"(rc)
			 : "0"((long)SYS_kill), "D"(pid), "S"((long)SIGUSR2)
			 : "rcx", "r11", "memory");
	save_vectors(back.bytes, avx);
	out("after the handler: %016lx", hash_vectors(&back));
	if (view.seen)
		print_frame();
}

void subject_fpustate(void)
{
	uint64_t features = have_xsave() ? xcr0() : 0;

	out("xsave %d xcr0 %lx avx %d", have_xsave(), features, have_avx());
	out("plain: %016lx", across(1, SYS_getppid, 0, 1));
	switching();
	forked();
	signal_frame();
	try_hex("fninit state", "db e3 9b d9 33 8b 03 8b 53 04", NULL);
	try_hex("fxsave default", "0f ae 03 8b 43 18 8b 13", NULL);
}
