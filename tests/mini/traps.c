// SPDX-License-Identifier: MIT
/*
 * What happens on an exception or interrupt. In order: interrupts go to their
 * handler; anything else from ring 3 ends user_run(); an exception at ring 0
 * ends the innermost trap_catch(); without one it ends the run.
 */
#include "mini/traps.h"

#include "lib/print.h"
#include "mini/cpu.h"
#include "mini/exit.h"
#include "mini/layout.h"
#include "mini/segments.h"
#include "mini/smp.h"
#include "mini/user.h"

#define GATE_INTERRUPT 0x8e /* present, DPL 0, interrupts off */
#define GATE_USER      0xee /* the same with DPL 3 */
#define STUB_SIZE      16

/* One for each trap_catch() that has not returned, innermost first. */
struct catcher {
	struct catcher *outer;
	u64 rsp;
	struct trap_info *info;
};

static struct trap_gate idt[NR_VECTORS];
static trap_handler handlers[NR_VECTORS];

extern const char trap_stubs[];                                /* traps.S */
u64 catch_call(u64 *saved_rsp, void (*fn)(void *), void *arg); /* catch.S */
void catch_resume(u64 saved_rsp) __attribute__((noreturn));

static void set_gate(size_t vector, u8 type, u8 ist)
{
	u64 stub = (u64)trap_stubs + vector * STUB_SIZE;

	idt[vector] = (struct trap_gate){
		.offset_low = (u16)stub,
		.selector = KERNEL_CS,
		.ist = ist,
		.type = type,
		.offset_middle = (u16)(stub >> 16),
		.offset_high = (u32)(stub >> 32),
	};
}

struct trap_gate *trap_gate(u8 vector)
{
	return &idt[vector];
}

void traps_init(void)
{
	for (size_t v = 0; v < NR_VECTORS; v++)
		set_gate(v, GATE_INTERRUPT, 0);
	set_gate(TRAP_NMI, GATE_INTERRUPT, IST_NMI);
	set_gate(TRAP_DF, GATE_INTERRUPT, IST_DOUBLE_FAULT);
	set_gate(TRAP_MC, GATE_INTERRUPT, IST_MACHINE_CHECK);
	set_gate(TRAP_BP, GATE_USER, 0);
	set_gate(VECTOR_GATE, GATE_USER, 0);
	traps_load();
}

void traps_load(void)
{
	struct table_register idtr = {sizeof(idt) - 1, (u64)idt};

	asm volatile("lidt %0" ::"m"(idtr) : "memory");
}

/* Each CPU has one, found by its stack. */
static struct catcher **innermost_at(const void *on_stack)
{
	return (struct catcher **)smp_catcher(on_stack);
}

bool trap_catch(void (*fn)(void *), void *arg, struct trap_info *info)
{
	struct catcher here = {.info = info};
	struct catcher **innermost = innermost_at(&here);
	u64 caught;

	here.outer = *innermost;
	*innermost = &here;
	caught = catch_call(&here.rsp, fn, arg);
	*innermost_at(&here) = here.outer;
	return caught != 0;
}

static void resume(struct catcher *innermost, const struct trap_info *info)
{
	*innermost->info = *info;
	catch_resume(innermost->rsp);
}

void trap_throw(u64 vector)
{
	struct trap_info info = {.vector = vector};

	struct catcher *innermost = *innermost_at(&info);

	if (innermost == NULL)
		panic("nothing to throw %lu to", vector);
	resume(innermost, &info);
	__builtin_unreachable();
}

void trap_set_handler(u8 vector, trap_handler handler)
{
	handlers[vector] = handler;
}

const char *trap_name(u64 vector)
{
	static const char names[][4] = {
		[TRAP_DE] = "#DE", [TRAP_DB] = "#DB", [TRAP_NMI] = "NMI", [TRAP_BP] = "#BP",
		[TRAP_UD] = "#UD", [TRAP_NM] = "#NM", [TRAP_DF] = "#DF",  [TRAP_TS] = "#TS",
		[TRAP_NP] = "#NP", [TRAP_SS] = "#SS", [TRAP_GP] = "#GP",  [TRAP_PF] = "#PF",
		[TRAP_MC] = "#MC"};
	static char number[24];

	if (vector < ARRAY_SIZE(names) && names[vector][0] != 0)
		return names[vector];
	vl_snprintf(number, sizeof(number), "vector %lu", vector);
	return number;
}

static void die(const struct trap_frame *f)
{
	panic("%s error %#lx at %#lx, cr2 %#lx cr3 %#lx\n"
	      "# cs %#lx rflags %#lx ss:rsp %#lx:%#lx\n"
	      "# rax %lx rbx %lx rcx %lx rdx %lx\n# rsi %lx rdi %lx rbp %lx r8 %lx\n"
	      "# r9 %lx r10 %lx r11 %lx r12 %lx\n# r13 %lx r14 %lx r15 %lx",
	      trap_name(f->vector), f->error, f->rip, read_cr2(), read_cr3(), f->cs, f->rflags,
	      f->ss, f->rsp, f->rax, f->rbx, f->rcx, f->rdx, f->rsi, f->rdi, f->rbp, f->r8, f->r9,
	      f->r10, f->r11, f->r12, f->r13, f->r14, f->r15);
}

void trap_dispatch(struct trap_frame *frame)
{
	struct trap_info info = {
		.vector = frame->vector,
		.error = frame->error,
		.cr2 = frame->vector == TRAP_PF ? read_cr2() : 0,
		.rip = frame->rip,
	};

	struct catcher *innermost = *innermost_at(&info);

	if (frame->vector < NR_VECTORS && handlers[frame->vector] != NULL) {
		handlers[frame->vector](frame);
		return;
	}
	if ((frame->cs & 3) == 3)
		user_leave(frame, &info);
	if (frame->vector >= NR_EXCEPTIONS || innermost == NULL)
		die(frame);
	resume(innermost, &info);
}
