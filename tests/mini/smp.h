/* SPDX-License-Identifier: MIT */
/*
 * The other CPUs: started by INIT and SIPI as on bare hardware, or by hypercall in
 * a later guest, they wait for functions to run, with interrupts off.
 */
#ifndef MINI_SMP_H
#define MINI_SMP_H

#define SMP_MAX_CPUS   8
#define SMP_TRIES      20 /* an emulator's CPU can stand still for longer than others wait */
#define AP_STACK_SIZE  16384
#define AP_TRAMPOLINE  0x8000 /* a page below 1 MiB: mem=all shows it */
#define AP_ROOT_OFFSET 0xff0  /* in that page: physical address of the first root */
#define AP_EFER_OFFSET 0xff8

#ifndef __ASSEMBLER__

#include "lib/types.h"
#include "public/hypercall.h"

/** Start those that `cpus=` on the command line says there are, and tell Vellum of them; how many
 * CPUs that makes, this one included. Only the first call, in passthrough, does anything. */
u32 smp_start(void);
u32 smp_count(void);

/** As smp_start(), of the number behind another word. */
u32 smp_start_so_many(const char *word);

/** Have that one halt for good with interrupts off, as a CPU that is offline does. */
void smp_put_offline(u32 cpu);

/** All others, and it is as if there had never been any: smp_start() starts them anew. */
void smp_leave(void);

/** What starts vcpu number `vcpu`, in a later guest: the answer of that call. */
s64 smp_start_vcpu(u64 domid, u32 vcpu);

/** The number of the CPU that runs this; 0 was there first. */
u32 smp_index(void);

/** What an AP's first hypercall answered, before Vellum was told of it. */
s64 smp_first_answer(u32 cpu);

/** Its shared page with Vellum. */
volatile struct vl_vcpu_info *smp_vcpu_info(u32 cpu);

/** Let one (1 ..) run fn(arg), and wait until it has. smp_begin() does not wait. A CHECK that fails
 * on another CPU fails the test in smp_wait(). */
void smp_begin(u32 cpu, void (*fn)(void *), void *arg);
void smp_wait(u32 cpu);
void smp_run(u32 cpu, void (*fn)(void *), void *arg);

/** The same on CPUs 0 .. count - 1 at once. */
void smp_run_first(u32 count, void (*fn)(void *), void *arg);
void smp_run_all(void (*fn)(void *), void *arg);

/**
 * For a loop whose rounds wait for other CPUs: whether there is to be another, of up to `rounds`.
 * On a host with no CPU for each of ours every wait may take slices of its time; so when a loop has
 * gone on for `ms`, `least` are enough.
 */
struct smp_rounds {
	u64 rounds, least, ms;
	u64 done, start; /* begin as 0 */
};
bool smp_next_round(struct smp_rounds *r);

/** On CPUs 0 .. how_many - 1: let what waits for the CPU interrupt it. A transition answers each
 * that some CPU has to, not which. */
void smp_let_interrupts_in(u32 how_many);

/** All CPUs virtualize or devirtualize together, with all layers; up to SMP_TRIES times if
 * interrupts wait or one came late. The answer of CPU 0, which calls this with interrupts off. */
s64 smp_change_all(bool in);

/** All others halt with interrupts on, so that whoever shares their CPUs has them; and run on. */
void smp_rest_others(void);
void smp_rouse_others(void);

/** Send INIT, or INIT and SIPI, to one; with the second, wait until it is there again. */
void smp_init(u32 cpu);
void smp_restart(u32 cpu);

/** On an AP: load its GDT with another limit; 0: its own. */
void smp_load_gdt(u16 limit);

/** For traps.c and tap.c: what belongs to the CPU whose stack this is. */
void **smp_catcher(const void *on_stack);

/** Some milliseconds in which the others run, also where an emulator lets CPUs take turns. */
void smp_delay(u32 ms);

/** Wait for a short time, in a loop that waits for another CPU. */
static inline void smp_relax(void)
{
	asm volatile("pause" ::: "memory");
}

#endif
#endif
