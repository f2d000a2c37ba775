// SPDX-License-Identifier: MIT
/*
 * Runs a few bytes of code with any register contents and tells how they ended. A signal handler
 * replaces its own return frame (so sigreturn loads CS, SS, RIP, RSP and flags), and the next
 * signal brings the registers back the same way; that works from 16-, 32- and 64-bit code alike.
 * Invariants: handlers use no thread-local storage (the code under test may have changed FS), and
 * everything they touch is mapped and written before, so that no demand fault shows up as RF.
 */
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <asm/prctl.h>
#include <unistd.h>

#define UC_SIGCONTEXT_SS     0x2ul
#define UC_STRICT_RESTORE_SS 0x4ul

static const struct shot *shot_now;
static struct event *event_now;
static greg_t home[NGREG];
static volatile bool running;
uint16_t shot_selectors[4];

long raw(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long rc;

	__asm__ volatile("syscall"
			 : "=a"(rc)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return rc;
}

static void on_launch(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signo;
	(void)info;
	if (running)
		return;
	running = true;
	memcpy(home, uc->uc_mcontext.gregs, sizeof(home));
	memcpy(uc->uc_mcontext.gregs, shot_now->g, sizeof(home));
	if (shot_now->lax_ss)
		uc->uc_flags &= ~UC_STRICT_RESTORE_SS;
	else
		uc->uc_flags |= UC_STRICT_RESTORE_SS;
}

static void record(struct event *ev, int signo, const siginfo_t *info, const ucontext_t *uc)
{
	ev->signo = signo;
	ev->code = info->si_code;
	ev->addr = (uint64_t)(uintptr_t)info->si_addr;
	memcpy(ev->g, uc->uc_mcontext.gregs, sizeof(ev->g));
	ev->uc_flags = uc->uc_flags;
	if (!uc->uc_mcontext.fpregs)
		return;
	ev->mxcsr = uc->uc_mcontext.fpregs->mxcsr;
	ev->x87_status = uc->uc_mcontext.fpregs->swd;
}

static void read_selectors(void)
{
	__asm__ volatile("mov %%ds, %0\n\tmov %%es, %1\n\tmov %%fs, %2\n\tmov %%gs, %3"
			 : "=r"(shot_selectors[0]), "=r"(shot_selectors[1]),
			   "=r"(shot_selectors[2]), "=r"(shot_selectors[3]));
}

/* The kernel leaves AC as it was: handlers must not take alignment faults of their own. */
__asm__(".text\nevent_entry:\n\tpushfq\n\tandl $~0x40000, (%rsp)\n\tpopfq\n\tjmp on_event\n");
void event_entry(int signo, siginfo_t *info, void *context);
void on_event(int signo, siginfo_t *info, void *context);

void on_event(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	if (!running) {
		/* The probe itself failed: end by the same signal, which the parent reports. */
		struct sigaction dfl = {.sa_handler = SIG_DFL};

		sigaction(signo, &dfl, NULL);
		return;
	}
	read_selectors();
	record(event_now, signo, info, uc);
	if (shot_now->on_event && shot_now->on_event(event_now, uc->uc_mcontext.gregs)) {
		uc->uc_flags |= UC_STRICT_RESTORE_SS;
		return;
	}
	running = false;
	memcpy(uc->uc_mcontext.gregs, home, sizeof(home));
	uc->uc_flags |= UC_STRICT_RESTORE_SS;
}

static void map_fixed(unsigned long at, size_t size, int prot)
{
	void *p = mmap((void *)at, size, prot,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE, -1, 0);

	if (p != (void *)at) {
		out("probe: cannot map %#lx", at);
		exit(2);
	}
	memset(p, 0, size);
}

void engine_setup(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
	struct sigaction sa = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
	stack_t alt = {.ss_sp = (void *)SIGSTACK_AT, .ss_size = SIGSTACK_SZ};

	map_fixed(CODE_AT, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC);
	map_fixed(STACK_AT, STACK_SIZE, PROT_READ | PROT_WRITE);
	map_fixed(DATA_AT, DATA_SIZE, PROT_READ | PROT_WRITE);
	map_fixed(SIGSTACK_AT, SIGSTACK_SZ, PROT_READ | PROT_WRITE);
	sigaltstack(&alt, NULL);
	sa.sa_sigaction = event_entry;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &sa, NULL);
	sa.sa_sigaction = on_launch;
	sa.sa_flags = SA_SIGINFO;
	sigaction(SIGUSR1, &sa, NULL);
}

void shot_cs_ss(struct shot *s, unsigned cs, unsigned ss)
{
	uint64_t word = (uint64_t)(cs & 0xffffu) | (uint64_t)(ss & 0xffffu) << 48;

	s->g[REG_CSGSFS] = (greg_t)word;
}

unsigned greg_cs(const greg_t *g)
{
	return (unsigned)(uint64_t)g[REG_CSGSFS] & 0xffffu;
}

unsigned greg_ss(const greg_t *g)
{
	return (unsigned)((uint64_t)g[REG_CSGSFS] >> 48);
}

void shot_init(struct shot *s)
{
	memset(s, 0, sizeof(*s));
	shot_cs_ss(s, USER_CS, USER_DS);
	s->g[REG_RIP] = (greg_t)CODE_AT;
	s->g[REG_RSP] = (greg_t)STACK_TOP;
	s->g[REG_RBP] = (greg_t)STACK_TOP;
	s->g[REG_RBX] = (greg_t)DATA_AT;
	s->g[REG_RSI] = (greg_t)DATA_AT;
	s->g[REG_RDI] = (greg_t)(DATA_AT + 0x800);
	s->g[REG_EFL] = (greg_t)(FL_IF | 2);
}

static void restore_environment(unsigned long fs_base)
{
	static const uint32_t mxcsr = 0x1f80;

	__asm__ volatile("fninit\n\tldmxcsr %0\n\tmov %1, %%ds\n\tmov %1, %%es\n\tmov %1, %%fs\n\t"
			 "mov %1, %%gs"
			 :
			 : "m"(mxcsr), "r"(0)
			 : "memory");
	raw(SYS_arch_prctl, ARCH_SET_FS, (long)fs_base, 0, 0, 0, 0);
	raw(SYS_arch_prctl, ARCH_SET_GS, 0, 0, 0, 0, 0);
}

void shot_run(const struct shot *s, struct event *ev)
{
	unsigned long fs_base = 0;

	memset(ev, 0, sizeof(*ev));
	raw(SYS_arch_prctl, ARCH_GET_FS, (long)&fs_base, 0, 0, 0, 0);
	shot_now = s;
	event_now = ev;
	running = false;
	if (greg_cs(s->g) != USER_CS)
		__asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(USER_DS) : "memory");
	raw(SYS_tgkill, RAW0(SYS_getpid), RAW0(SYS_gettid), SIGUSR1, 0, 0, 0);
	restore_environment(fs_base);
}

size_t code_at(size_t at, const char *hex)
{
	uint8_t *code = (uint8_t *)CODE_AT;
	char *end = NULL;

	for (;;) {
		unsigned long byte = strtoul(hex, &end, 16);

		if (end == hex)
			return at;
		code[at++] = (uint8_t)byte;
		hex = end;
	}
}

size_t code_u32(size_t at, uint32_t value)
{
	memcpy((uint8_t *)CODE_AT + at, &value, sizeof(value));
	return at + sizeof(value);
}

size_t code_hex(const char *hex)
{
	memset((void *)CODE_AT, 0xcc, CODE_SIZE);
	return code_at(0, hex);
}

void data_clear(void)
{
	memset((void *)DATA_AT, 0, DATA_SIZE);
	memset((void *)STACK_AT, 0, STACK_SIZE);
}

bool event_done(const struct event *ev, size_t end)
{
	return ev->signo == SIGTRAP && ev->g[REG_TRAPNO] == 3 &&
	       ev->g[REG_RIP] == (greg_t)(CODE_AT + end + 1);
}

static void rip_text(uint64_t rip, char buf[32])
{
	if (rip >= CODE_AT && rip < CODE_AT + CODE_SIZE)
		snprintf(buf, 32, "+%lx", rip - CODE_AT);
	else
		snprintf(buf, 32, "%lx", rip);
}

const char *event_text(const struct event *ev, size_t end, char buf[200])
{
	const greg_t *g = ev->g;
	char rip[32];

	rip_text((uint64_t)g[REG_RIP], rip);
	if (!ev->signo)
		snprintf(buf, 200, "no event");
	else if (event_done(ev, end))
		snprintf(buf, 200, "done cs=%x ss=%x sp=%lx fl=%lx", greg_cs(g), greg_ss(g),
			 (uint64_t)g[REG_RSP], (uint64_t)g[REG_EFL]);
	else
		snprintf(buf, 200,
			 "%s code=%d addr=%lx trap=%ld err=%lx cr2=%lx cs=%x ss=%x rip=%s sp=%lx "
			 "fl=%lx",
			 signal_text(ev->signo), ev->code, ev->addr, (long)g[REG_TRAPNO],
			 (uint64_t)g[REG_ERR], (uint64_t)g[REG_CR2], greg_cs(g), greg_ss(g), rip,
			 (uint64_t)g[REG_RSP], (uint64_t)g[REG_EFL]);
	return buf;
}

const char *event_short(const struct event *ev, size_t end, char buf[48])
{
	if (event_done(ev, end))
		snprintf(buf, 48, "ok");
	else
		snprintf(buf, 48, "%s#%ld/%lx@%lx", signal_text(ev->signo), (long)ev->g[REG_TRAPNO],
			 (uint64_t)ev->g[REG_ERR], (uint64_t)ev->g[REG_RIP] - CODE_AT);
	return buf;
}

void hide_sysenter_flags(const char *hex, struct event *ev)
{
	if (strstr(hex, "0f 34"))
		ev->g[REG_EFL] &= ~(greg_t)FL_ARITHMETIC;
}

void try_hex(const char *name, const char *hex, const struct shot *s)
{
	struct shot plain;
	struct event ev;
	char text[200];
	size_t end;

	if (!s) {
		shot_init(&plain);
		s = &plain;
	}
	end = code_hex(hex);
	shot_run(s, &ev);
	hide_sysenter_flags(hex, &ev);
	out("%s: %s ax=%lx dx=%lx", name, event_text(&ev, end, text), (uint64_t)ev.g[REG_RAX],
	    (uint64_t)ev.g[REG_RDX]);
}
