// SPDX-License-Identifier: MIT
/*
 * Process features of the kernel that lean on exact registers at kernel entries: restartable
 * sequences, seccomp, clone in its flavours, alternate stacks, nested signals, userfaultfd.
 */
#include "probe.h"

#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- restartable sequences ---- */

static struct rseq *own_rseq(void)
{
	char *thread;

	__asm__("mov %%fs:0, %0" : "=r"(thread));
	return __rseq_size ? (struct rseq *)(thread + __rseq_offset) : NULL;
}

/* A critical section in the code area whose first instruction faults: the frame shows the abort. */
static void rseq_abort(const char *name, const char *hex, unsigned length, bool signature)
{
	static struct rseq_cs cs __attribute__((aligned(32)));
	struct rseq *area = own_rseq();
	struct event ev;
	struct shot s;
	char text[200];
	uint32_t word = signature ? RSEQ_SIG : 0;

	/* mov [r12], r13 arms it: delivery of the launching signal would disarm it again. */
	code_hex("4d 89 2c 24");
	code_at(4, hex);
	memcpy((uint8_t *)CODE_AT + 0x100 - 4, &word, sizeof(word));
	cs.start_ip = CODE_AT + 4;
	cs.post_commit_offset = length;
	cs.abort_ip = CODE_AT + 0x100;
	shot_init(&s);
	s.g[REG_R12] = (greg_t)(uintptr_t)&area->rseq_cs;
	s.g[REG_R13] = (greg_t)(uintptr_t)&cs;
	shot_run(&s, &ev);
	area->rseq_cs = 0;
	out("%s: %s", name, event_text(&ev, 0x1000, text));
}

static void rseq_bad_child(const void *unused)
{
	(void)unused;
	rseq_abort("bad signature", "31 db 8b 03 90", 5, false);
}

void subject_rseq(void)
{
	static const int commands[] = {MEMBARRIER_CMD_QUERY,
				       MEMBARRIER_CMD_GLOBAL,
				       MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
				       MEMBARRIER_CMD_PRIVATE_EXPEDITED,
				       MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
				       MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE};
	char text[24];

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		long rc = RAW2(SYS_membarrier, commands[i], 0);

		out("membarrier %d: %s %lx", commands[i], rc_text(rc, text), rc < 0 ? 0 : rc);
	}
	out("rseq area %u bytes", __rseq_size);
	if (!own_rseq())
		return;
	out("rseq cpu %u %u", own_rseq()->cpu_id_start, own_rseq()->cpu_id);
	rseq_abort("fault in section", "31 db 8b 03 90", 5, true);
	rseq_abort("int3 in section", "90 cc 90", 3, true);
	rseq_abort("int3 behind section", "90 cc 90", 1, true);
	rseq_abort("syscall in section", "b8 ff 0f 00 00 0f 05", 7, true);
	isolated("bad signature", rseq_bad_child, NULL);
}

/* ---- seccomp ---- */

static void seccomp_filter(uint32_t nr, uint32_t action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {4, code};
	char text[24];
	long rc = RAW4(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0);

	rc = rc ? rc : RAW3(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
	out("filter: %s", rc_text(rc, text));
}

struct seccomp_case {
	const char *name;
	const char *hex;
	uint32_t nr;
	uint32_t action;
	unsigned cs;
};

static siginfo_t sys_info;

static bool on_sys(struct event *ev, greg_t *g)
{
	(void)g;
	return ev->signo == SIGSYS; /* then go on behind the call */
}

static void seccomp_child(const void *arg)
{
	const struct seccomp_case *c = arg;
	struct event ev;
	struct shot s;
	char text[200];
	size_t end = code_hex(c->hex);

	seccomp_filter(c->nr, c->action);
	shot_init(&s);
	shot_cs_ss(&s, c->cs, USER_DS);
	shot_run(&s, &ev);
	out("%s: %s ax=%lx cx=%lx r11=%lx", c->name, event_text(&ev, end, text),
	    (uint64_t)ev.g[REG_RAX], (uint64_t)ev.g[REG_RCX], (uint64_t)ev.g[REG_R11]);
	if (ev.signo != SIGSYS)
		return;
	s.on_event = on_sys;
	shot_run(&s, &ev);
	out("%s resumed: %s ax=%lx", c->name, event_text(&ev, end, text), (uint64_t)ev.g[REG_RAX]);
}

static void on_sigsys(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	sys_info = *info;
}

static void seccomp_fields(const void *unused)
{
	struct sigaction sa = {.sa_flags = SA_SIGINFO};

	(void)unused;
	sa.sa_sigaction = on_sigsys;
	sigaction(SIGSYS, &sa, NULL);
	seccomp_filter(0xffe, SECCOMP_RET_TRAP | 0x123);
	out("call returns %lx", RAW0(0xffe));
	out("SIGSYS code %d errno %d syscall %x arch %x", sys_info.si_code, sys_info.si_errno,
	    (unsigned)sys_info.si_syscall, sys_info.si_arch);
}

void subject_seccomp(void)
{
	static const char call[] = "b8 fe 0f 00 00 0f 05 90";
	static const char gate[] = "b8 fe 0f 00 00 cd 80 90";
	static const struct seccomp_case cases[] = {
		{"trap", call, 0xffe, SECCOMP_RET_TRAP | 7, USER_CS},
		{"errno", call, 0xffe, SECCOMP_RET_ERRNO | 33, USER_CS},
		{"trace without tracer", call, 0xffe, SECCOMP_RET_TRACE, USER_CS},
		{"kill process", call, 0xffe, SECCOMP_RET_KILL_PROCESS, USER_CS},
		{"int80 trap", gate, 0xffe, SECCOMP_RET_TRAP | 7, USER_CS},
		{"int80 32 trap", gate, 0xffe, SECCOMP_RET_TRAP | 7, USER32_CS},
		{"int80 errno", gate, 0xffe, SECCOMP_RET_ERRNO | 33, USER_CS},
	};

	isolated("fields", seccomp_fields, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		isolated(cases[i].name, seccomp_child, &cases[i]);
}

/* ---- clone ---- */

static int shared_word;

static int clone_body(void *arg)
{
	shared_word += (int)(intptr_t)arg;
	return (int)(intptr_t)arg;
}

static void clone_with(const char *name, int flags)
{
	int status = -1;
	int pid;

	shared_word = 1;
	pid = clone(clone_body, (void *)(STACK_TOP + 0x4000), flags | SIGCHLD, (void *)5);
	if (pid < 0) {
		out("%s: %s", name, strerrorname_np(errno));
		return;
	}
	waitpid(pid, &status, __WALL);
	out("%s: status %x word %d", name, status, shared_word);
}

static void vfork_exec(void)
{
	static char *const argv[] = {(char *)"probe", (char *)"-l", NULL};
	static char *const envp[] = {NULL};
	int status = -1;
	pid_t pid = vfork();

	if (!pid) {
		close(STDOUT_FILENO);
		execve("/proc/self/exe", argv, envp);
		_exit(9);
	}
	waitpid(pid, &status, 0);
	out("vfork exec: status %x", status);
}

/* The child's registers after a raw fork by each entry: flags and what SYSCALL leaves. */
static void fork_registers(const char *name, const char *hex, long nr)
{
	struct event ev;
	struct shot s;
	char text[200];
	pid_t self = getpid();
	size_t end = code_hex(hex);

	shot_init(&s);
	s.g[REG_RAX] = nr;
	s.g[REG_EFL] |= (greg_t)(FL_CF | FL_ID);
	shot_run(&s, &ev);
	if (getpid() != self) {
		out("%s child: %s ax=%lx cx=%lx r11=%lx", name, event_text(&ev, end, text),
		    (uint64_t)ev.g[REG_RAX], (uint64_t)ev.g[REG_RCX], (uint64_t)ev.g[REG_R11]);
		_exit(0);
	}
	waitpid(-1, NULL, 0);
	out("%s parent: %s cx=%lx r11=%lx", name, event_text(&ev, end, text),
	    (uint64_t)ev.g[REG_RCX], (uint64_t)ev.g[REG_R11]);
}

/* A copy of the process with another FS base from the start. */
static void clone_settls(void)
{
	unsigned long own = 0, base = 0;
	long pid;

	raw(SYS_arch_prctl, ARCH_GET_FS, (long)&own, 0, 0, 0, 0);
	pid = raw(SYS_clone, CLONE_SETTLS | SIGCHLD, 0, 0, 0, DATA_AT + 0x40, 0);
	if (!pid) {
		raw(SYS_arch_prctl, ARCH_GET_FS, (long)&base, 0, 0, 0, 0);
		raw(SYS_arch_prctl, ARCH_SET_FS, (long)own, 0, 0, 0, 0);
		out("settls: child's base %lx", base);
		_exit(0);
	}
	raw(SYS_arch_prctl, ARCH_GET_FS, (long)&base, 0, 0, 0, 0);
	waitpid((pid_t)pid, NULL, 0);
	out("settls: parent's base kept %d", base == own);
}

void subject_clone(void)
{
	clone_with("plain", 0);
	clone_with("vm", CLONE_VM);
	clone_with("vm vfork", CLONE_VM | CLONE_VFORK);
	clone_with("vm files sighand", CLONE_VM | CLONE_FILES | CLONE_SIGHAND);
	clone_with("sighand alone", CLONE_SIGHAND);
	clone_settls();
	vfork_exec();
	fork_registers("syscall", "0f 05 90", SYS_fork);
	fork_registers("int80", "cd 80 90", 2);
}

/* ---- alternate stacks ---- */

static int small_flags;
static size_t small_size;

/* Does not print: that would need more stack than is tried here. */
static void on_small(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signo;
	(void)info;
	small_flags = uc->uc_stack.ss_flags;
	small_size = uc->uc_stack.ss_size;
}

static void stack_of(size_t size, int flags, bool at_end)
{
	stack_t alt = {.ss_sp = (void *)SPARE_AT, .ss_size = size, .ss_flags = flags};
	struct sigaction sa = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
	char text[24];
	long rc;

	mmap((void *)SPARE_AT, 0x10000, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (at_end)
		alt.ss_sp = (void *)(SPARE_AT + 0x10000);
	rc = RAW2(SYS_sigaltstack, &alt, 0);
	out("sigaltstack %lx flags %x%s: %s", size, (unsigned)flags, at_end ? " unmapped" : "",
	    rc_text(rc, text));
	if (rc < 0)
		return;
	sa.sa_sigaction = on_small;
	sigaction(SIGUSR2, &sa, NULL);
	RAW2(SYS_kill, RAW0(SYS_getpid), SIGUSR2);
	out("handler: stack flags %d size %lx", small_flags, small_size);
}

struct stack_case {
	size_t size;
	int flags;
	bool at_end;
};

static void stack_child(const void *arg)
{
	const struct stack_case *c = arg;

	stack_of(c->size, c->flags, c->at_end);
}

void subject_altstack(void)
{
	static const struct stack_case cases[] = {
		{0, 0, false},     {2047, 0, false},         {2048, 0, false},
		{2500, 0, false},  {3000, 0, false},         {4096, 0, false},
		{8192, 0, false},  {8192, INT32_MIN, false}, {8192, SS_DISABLE, false},
		{8192, 77, false}, {8192, 0, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[32];

		snprintf(name, sizeof(name), "stack %zu", i);
		isolated(name, stack_child, &cases[i]);
	}
}

/* ---- nested signals ---- */

static int depth;

static void on_nested(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	int now = ++depth;

	out("depth %d: %s code %d addr %lx trap %ld err %lx", now, signal_text(signo),
	    info->si_code, (unsigned long)(uintptr_t)info->si_addr,
	    (long)uc->uc_mcontext.gregs[REG_TRAPNO], (unsigned long)uc->uc_mcontext.gregs[REG_ERR]);
	if (now == 1)
		*(volatile int *)(SPARE_AT + 0x1000) = 1;
	if (now == 2)
		__asm__ volatile("ud2");
	if (now == 3)
		__asm__ volatile("int3");
	out("back to depth %d", now);
	/* Step over the fault: mov imm to memory is found by its length table of one. */
	if (signo == SIGILL)
		uc->uc_mcontext.gregs[REG_RIP] += 2;
	if (signo == SIGSEGV)
		mmap((void *)((uintptr_t)info->si_addr & ~4095ul), 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void nested_with(int flags)
{
	static const int signals[] = {SIGSEGV, SIGILL, SIGTRAP};
	struct sigaction sa = {.sa_flags = SA_SIGINFO | flags};

	depth = 0;
	sa.sa_sigaction = on_nested;
	for (int i = 0; i < 3; i++)
		sigaction(signals[i], &sa, NULL);
	*(volatile int *)SPARE_AT = 1;
	out("through with flags %x", (unsigned)flags);
}

static void nested_defer(const void *unused)
{
	(void)unused;
	nested_with(0);
}

static void nested_nodefer(const void *unused)
{
	(void)unused;
	nested_with(SA_NODEFER);
}

static void nested_reset(const void *unused)
{
	(void)unused;
	nested_with((int)SA_RESETHAND | SA_NODEFER);
}

void subject_nested(void)
{
	isolated("nodefer", nested_nodefer, NULL);
	isolated("blocked", nested_defer, NULL);
	isolated("reset", nested_reset, NULL);
}

/* ---- userfaultfd ---- */

static void uffd_access(const char *when, const char *hex)
{
	struct event ev;
	struct shot s;
	char text[200];
	size_t end = code_hex(hex);

	shot_init(&s);
	s.g[REG_RBX] = (greg_t)SPARE_AT;
	shot_run(&s, &ev);
	out("%s: %s", when, event_text(&ev, end, text));
}

void subject_uffd(void)
{
	struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_SIGBUS};
	struct uffdio_register area = {.range = {SPARE_AT, 8192},
				       .mode = UFFDIO_REGISTER_MODE_MISSING};
	struct uffdio_zeropage zero = {.range = {SPARE_AT, 4096}};
	long fd = RAW1(SYS_userfaultfd, O_CLOEXEC);
	char text[24];

	out("userfaultfd: %s", rc_text(fd, text));
	if (fd < 0)
		return;
	mmap((void *)SPARE_AT, 8192, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	out("api: %s", rc_text(RAW3(SYS_ioctl, fd, UFFDIO_API, &api), text));
	out("register: %s", rc_text(RAW3(SYS_ioctl, fd, UFFDIO_REGISTER, &area), text));
	uffd_access("read missing", "8b 03");
	uffd_access("write missing", "89 03");
	out("zeropage: %s", rc_text(RAW3(SYS_ioctl, fd, UFFDIO_ZEROPAGE, &zero), text));
	uffd_access("read", "8b 03");
	uffd_access("write", "89 03");
	uffd_access("across into missing", "48 8b 83 fd 0f 00 00");
}
