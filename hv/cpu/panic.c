// SPDX-License-Identifier: MIT
/*
 * The panic screen. Everything that it reads may be damaged, so it walks frame
 * pointers only inside the CPU's own stack, and a panic inside a panic stops
 * at once.
 */
#include "cpu/panic.h"

#include "cpu/percpu.h"
#include "cpu/stop.h"
#include "cpu/symbols.h"
#include "lib/print.h"

#define MAX_DEPTH        24
#define NR_OTHERS_EVENTS 8

static const struct log_sink *panic_sink[2];
static bool panicking;

void panic_set_sinks(const struct log_sink *first, const struct log_sink *second)
{
	panic_sink[0] = first;
	panic_sink[1] = second;
}

void panic_open_console(void)
{
	log_set_sinks(panic_sink[0], panic_sink[1]);
}

/* `back`: 1 for a return address, since a call that does not return may be its function's last
 * instruction, and the address then the next function's; else 0. */
static void print_address(const char *what, u64 va, u64 back)
{
	char name[SYMBOL_SIZE];
	u64 offset;

	if (symbol_find(va - back, name, &offset))
		log_print("vellum:   %s %016lx %s+0x%lx\n", what, va, name, offset + back);
	else
		log_print("vellum:   %s %016lx\n", what, va);
}

/* Three to a line: four are more than the 80 columns of the VGA screen. */
static void print_registers(const struct trap_frame *f)
{
	log_print("vellum: rax %016lx rbx %016lx rcx %016lx\n", f->rax, f->rbx, f->rcx);
	log_print("vellum: rdx %016lx rsi %016lx rdi %016lx\n", f->rdx, f->rsi, f->rdi);
	log_print("vellum: rbp %016lx rsp %016lx r8  %016lx\n", f->rbp, f->rsp, f->r8);
	log_print("vellum: r9  %016lx r10 %016lx r11 %016lx\n", f->r9, f->r10, f->r11);
	log_print("vellum: r12 %016lx r13 %016lx r14 %016lx\n", f->r12, f->r13, f->r14);
	log_print("vellum: r15 %016lx rip %016lx rflags %08lx\n", f->r15, f->rip, f->rflags);
	log_print("vellum: cs %04lx ss %04lx\n", f->cs, f->ss);
}

static void print_backtrace(const struct trap_frame *f, u64 rbp)
{
	u64 bottom = (u64)this_cpu() + sizeof(struct cpu);
	u64 top = (u64)this_cpu() + STACK_SIZE;

	log_print("vellum: backtrace:\n");
	if (f != NULL)
		print_address("in  ", f->rip, 0);
	for (int depth = 0; depth < MAX_DEPTH; depth++) {
		const u64 *frame = (const u64 *)rbp;

		if (rbp < bottom || rbp > top - 16 || rbp % 8 != 0)
			break;
		print_address("from", frame[1], 1);
		if (frame[0] <= rbp)
			break;
		rbp = frame[0];
	}
}

static void print_events(const struct cpu *cpu, u32 count)
{
	static const char *const names[] = {
		[EVENT_HYPERCALL] = "hypercall",
		[EVENT_NMI] = "nmi at",
	};

	for (u32 i = NR_EVENTS - count; i < NR_EVENTS; i++) {
		const struct event *e = &cpu->event[(cpu->next_event + i) % NR_EVENTS];

		if (e->kind != EVENT_NONE && e->kind < ARRAY_SIZE(names))
			log_print("vellum:   tsc %lu %s 0x%lx -> 0x%lx\n", e->tsc, names[e->kind],
				  e->a, e->b);
	}
}

static void print_other(const struct cpu *cpu)
{
	static const char *const where[] = {
		[CPU_NOT_STOPPED] = "does not stop",
		[CPU_STOPPED_IN_VELLUM] = "was in Vellum",
		[CPU_STOPPED_IN_GUEST] = "was in the guest",
		[CPU_STOPPED_BY_INIT] = "was the guest's",
	};
	u32 how = cpu->stopped.how % ARRAY_SIZE(where);

	log_print("vellum: CPU %u, APIC id %u, %s\n", cpu->index, cpu->apic_id, where[how]);
	if (how == CPU_STOPPED_IN_VELLUM || how == CPU_STOPPED_IN_GUEST)
		print_address("at  ", cpu->stopped.rip, 0);
	print_events(cpu, NR_OTHERS_EVENTS);
}

/* The other CPUs are stopped first, so that they change nothing of what is printed. */
static void print_others(void)
{
	stop_others();
	for (u32 i = 0; i < cpu_count(); i++)
		if (cpu_by_index(i) != this_cpu()->host)
			print_other(cpu_by_index(i));
	if (cpu_count() > 1)
		log_print("vellum: this is CPU %u, APIC id %u\n", this_cpu()->index,
			  this_cpu()->apic_id);
}

static void __attribute__((noreturn, format(printf, 3, 0)))
panic_va(const struct trap_frame *frame, u64 rbp, const char *fmt, va_list ap)
{
	char text[192];

	if (__atomic_exchange_n(&panicking, true, __ATOMIC_SEQ_CST))
		halt_forever();
	log_without_lock();
	panic_open_console();
	vl_vsnprintf(text, sizeof(text), fmt, ap);
	log_print("\nvellum: panic: %s\n", text);
	/* The events come first, being the longest part: what stays on a VGA screen is the end. */
	print_others();
	log_print("vellum: recent events, oldest first:\n");
	print_events(this_cpu(), NR_EVENTS);
	log_print("vellum: cr0 %08lx cr2 %016lx cr3 %016lx cr4 %08lx\n", read_cr0(), read_cr2(),
		  read_cr3(), read_cr4());
	if (frame != NULL)
		print_registers(frame);
	print_backtrace(frame, rbp);
	log_print("vellum: halted: %s\n", text);
	log_print("vellum: this is a bug in Vellum, please report the lines above\n");
	halt_forever();
}

void panic_frame(const struct trap_frame *frame, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	panic_va(frame, frame->rbp, fmt, ap);
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	panic_va(NULL, (u64)__builtin_frame_address(0), fmt, ap);
}
