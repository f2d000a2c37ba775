// SPDX-License-Identifier: MIT
/*
 * Start, output and signal machinery of the 32-bit probe, on bare INT 0x80. Invariant as in the
 * 64-bit engine: nothing printed depends on randomized addresses, so the vdso appears as offsets.
 */
#include "probe32.h"

#include <stdarg.h>

#define NR_EXIT         1
#define NR_WRITE        4
#define NR_GETPID       20
#define NR_KILL         37
#define NR_SIGALTSTACK  186
#define NR_RT_SIGACTION 174
#define NR_MMAP2        192

#define SA_SIGINFO_  0x4u
#define SA_RESTORER_ 0x04000000u
#define SA_ONSTACK_  0x08000000u

struct action32 {
	uint32_t handler, flags, restorer, mask[2];
};

struct ucontext32 {
	uint32_t flags, link, stack[3];
	struct context32 c;
};

struct siginfo32 {
	uint32_t signo, error;
	int32_t code;
	uint32_t addr;
};

uint32_t vdso_at, vdso_entry;

static const struct shot32 *shot_now;
static struct event32 *event_now;
static struct context32 home;
static volatile bool running;

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
void start32(uint32_t *stack) __attribute__((noreturn, used));
void probe32_main(void);

__asm__(".globl _start\n_start:\n\tmov %esp, %eax\n\tand $-16, %esp\n\tpush %eax\n\tcall start32\n"
	".globl restorer32\nrestorer32:\n\tmov $173, %eax\n\tint $0x80\n");
extern char restorer32[];

void *memcpy(void *to, const void *from, size_t size)
{
	uint8_t *t = to;
	const uint8_t *f = from;

	while (size--)
		*t++ = *f++;
	return to;
}

void *memset(void *to, int value, size_t size)
{
	uint8_t *t = to;

	while (size--)
		*t++ = (uint8_t)value;
	return to;
}

long call32(uint32_t nr, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e)
{
	long rc;

	__asm__ volatile("int $0x80"
			 : "=a"(rc)
			 : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory");
	return rc;
}

/* ---- output ---- */

static char *put_hex(char *to, uint32_t value)
{
	int shift = 28;

	while (shift > 0 && !(value >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*to++ = "0123456789abcdef"[(value >> shift) & 15];
	return to;
}

static char *put_dec(char *to, int32_t value)
{
	char digits[12];
	int n = 0;
	uint32_t rest = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;

	if (value < 0)
		*to++ = '-';
	do {
		digits[n++] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	while (n)
		*to++ = digits[--n];
	return to;
}

static char *put_text(char *to, const char *text)
{
	while (*text)
		*to++ = *text++;
	return to;
}

void say32(const char *fmt, ...)
{
	char line[1024];
	char *at = line;
	va_list args;

	va_start(args, fmt);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			*at++ = *fmt;
			continue;
		}
		fmt++;
		if (*fmt == 's')
			at = put_text(at, va_arg(args, const char *));
		else if (*fmt == 'd')
			at = put_dec(at, va_arg(args, int));
		else
			at = put_hex(at, va_arg(args, uint32_t));
	}
	va_end(args);
	*at++ = '\n';
	call32(NR_WRITE, 1, (uint32_t)line, (uint32_t)(at - line), 0, 0);
}

const char *where32(uint32_t ip, char buf[24])
{
	char *to = buf;

	if (ip - CODE_AT < CODE_SIZE) {
		*to++ = '+';
		ip -= CODE_AT;
	} else if (vdso_at && ip - vdso_at < 0x2000) {
		to = put_text(to, "vdso+");
		ip -= vdso_at;
	}
	*put_hex(to, ip) = 0;
	return buf;
}

void say_event(const char *name, const struct event32 *ev)
{
	const struct context32 *c = &ev->c;
	char ip[24], addr[24];

	say32("%s: sig=%d code=%d addr=%s trap=%d err=%x cs=%x ss=%x ip=%s sp=%x fl=%x ax=%x cx=%x "
	      "dx=%x bp=%x",
	      name, (int)ev->signo, (int)ev->code, where32(ev->addr, addr), (int)c->trapno, c->err,
	      (unsigned)c->cs, (unsigned)c->ss, where32(c->ip, ip), c->sp, c->flags, c->ax, c->cx,
	      c->dx, c->bp);
}

/* ---- running code ---- */

static void on_launch(int signo, struct siginfo32 *info, struct ucontext32 *uc)
{
	(void)signo;
	(void)info;
	if (running)
		return;
	running = true;
	home = uc->c;
	uc->c = shot_now->c;
	uc->c.fpstate = home.fpstate;
	uc->c.oldmask = home.oldmask;
}

/* The kernel leaves AC as it was: handlers must not take alignment faults of their own. */
__asm__(".text\nevent_entry:\n\tpushfl\n\tandl $~0x40000, (%esp)\n\tpopfl\n\tjmp on_event\n");
void event_entry(int signo, struct siginfo32 *info, struct ucontext32 *uc);
void on_event(int signo, struct siginfo32 *info, struct ucontext32 *uc);

void on_event(int signo, struct siginfo32 *info, struct ucontext32 *uc)
{
	if (!running)
		call32(NR_EXIT, 7, 0, 0, 0, 0);
	event_now->signo = (uint32_t)signo;
	event_now->code = info->code;
	event_now->addr = info->addr;
	event_now->c = uc->c;
	if (shot_now->on_event && shot_now->on_event(event_now, &uc->c))
		return;
	running = false;
	home.fpstate = uc->c.fpstate;
	uc->c = home;
}

static void handle(uint32_t signo, uint32_t handler, uint32_t flags)
{
	struct action32 action = {
		handler, flags | SA_SIGINFO_ | SA_RESTORER_, (uint32_t)restorer32, {0, 0}};

	call32(NR_RT_SIGACTION, signo, (uint32_t)&action, 0, 8, 0);
}

static void map(uint32_t at, uint32_t size)
{
	/* mmap2(addr, len, RWX, PRIVATE | FIXED | ANONYMOUS | POPULATE, -1, 0): ebp is 0 here. */
	long rc;

	__asm__ volatile("push %%ebp\n\txor %%ebp, %%ebp\n\tint $0x80\n\tpop %%ebp"
			 : "=a"(rc)
			 : "0"(NR_MMAP2), "b"(at), "c"(size), "d"(7), "S"(0x8032), "D"(-1)
			 : "memory");
	if ((uint32_t)rc != at)
		call32(NR_EXIT, 8, 0, 0, 0, 0);
	memset((void *)at, 0, size);
}

void setup32(void)
{
	static const uint8_t signals[] = {4, 5, 7, 8, 11, 31};
	uint32_t alt[3] = {SIGSTACK_AT, 0, SIGSTACK_SZ};

	map(CODE_AT, CODE_SIZE);
	map(STACK_AT, STACK_SIZE);
	map(DATA_AT, DATA_SIZE);
	map(SIGSTACK_AT, SIGSTACK_SZ);
	call32(NR_SIGALTSTACK, (uint32_t)alt, 0, 0, 0, 0);
	for (size_t i = 0; i < sizeof(signals); i++)
		handle(signals[i], (uint32_t)event_entry, SA_ONSTACK_);
	handle(10, (uint32_t)on_launch, 0);
}

void shot32_init(struct shot32 *s)
{
	memset(s, 0, sizeof(*s));
	s->c.ds = s->c.es = s->c.ss = USER_DS;
	s->c.cs = USER32_CS;
	s->c.ip = CODE_AT;
	s->c.sp = s->c.bp = STACK_TOP;
	s->c.bx = s->c.si = DATA_AT;
	s->c.di = DATA_AT + 0x800;
	s->c.flags = 0x202;
}

void shot32_run(const struct shot32 *s, struct event32 *ev)
{
	memset(ev, 0, sizeof(*ev));
	shot_now = s;
	event_now = ev;
	running = false;
	call32(NR_KILL, (uint32_t)call32(NR_GETPID, 0, 0, 0, 0, 0), 10, 0, 0, 0);
}

static uint32_t nibble(char c)
{
	return (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

uint32_t code32_hex(const char *hex)
{
	uint8_t *to = (uint8_t *)CODE_AT;

	memset(to, 0xcc, CODE_SIZE);
	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		*to++ = (uint8_t)(nibble(hex[0]) << 4 | nibble(hex[1]));
		hex++;
	}
	return (uint32_t)to - CODE_AT;
}

void start32(uint32_t *stack)
{
	uint32_t *at = stack + 1 + stack[0] + 1;

	while (*at++)
		;
	for (; at[0]; at += 2) {
		if (at[0] == 32)
			vdso_entry = at[1];
		if (at[0] == 33)
			vdso_at = at[1];
	}
	setup32();
	probe32_main();
	call32(NR_EXIT, 0, 0, 0, 0, 0);
	__builtin_unreachable();
}
