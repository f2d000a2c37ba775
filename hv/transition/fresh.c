// SPDX-License-Identifier: MIT
/*
 * A vcpu that begins at ring 3 (transition/fresh.h). It is made in two parts:
 * what can be said on any CPU, and what only the block's own stack can do,
 * since there the real tables are found.
 *
 * DS and ES begin as null: ring 3 cannot hold the selectors that a bare kernel
 * begins with, and a guest that reads them finds null whatever Vellum says.
 */
#include "transition/fresh.h"

#include "cpu/block.h"
#include "cpu/fast.h"
#include "cpu/remote.h"
#include "domain/domain.h"
#include "domain/start_area.h"
#include "hypercall/guest_call.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mem/layout.h"
#include "mem/own_tables.h"
#include "mem/pagetable.h"
#include "public/errno.h"
#include "transition/enter.h"
#include "transition/interrupts.h"
#include "transition/tidy.h"

#define FIRST_LAYERS VL_LAYER_ALL

static s64 check(const struct domain *d, const struct vl_vcpu_start *s)
{
	if (!is_canonical(s->rip) || is_own_va(s->rip) || (s->cr3 & ~PTE_ADDR) != 0)
		return -VL_EINVAL;
	if ((s->reserved[0] | s->reserved[1] | s->reserved[2]) != 0)
		return -VL_EINVAL;
	if (!is_canonical(s->gdt_base) || (u64)s->gdt_limit + 1 > REAL_CODE ||
	    s->gdt_limit < (START_GUEST_DS | 7))
		return -VL_EINVAL;
	return domain_buffer(d, (pa_t){s->cr3}, PAGE_SIZE) != NULL ? 0 : -VL_EFAULT;
}

/* As public/start.h says; nothing of these is the processor's that this runs on. */
static void fill_system(struct vcpu *v, const struct vl_vcpu_start *s)
{
	v->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	v->cr3 = s->cr3;
	v->cr4 = CR4_PAE;
	v->efer = EFER_LME | EFER_LMA | (cpu_has_nx() ? EFER_NXE : 0);
	v->gdt = (struct table_register){.base = s->gdt_base, .limit = s->gdt_limit};
	v->cs = START_GUEST_CS;
	v->ss = START_GUEST_DS;
	vcpu_update_mode(v);
}

static struct trap_frame *first_frame(struct cpu_block *b)
{
	return (struct trap_frame *)b->stack.cpu.stack_top - 1;
}

static void fill_frame(struct trap_frame *f, const struct vl_vcpu_start *s)
{
	*f = (struct trap_frame){
		.rip = s->rip,
		.cs = START_GUEST_CS,
		.rflags = RFLAGS_FIXED,
		.ss = START_GUEST_DS,
		.rdi = s->rdi,
		.rsi = s->rsi,
	};
}

s64 vcpu_prepare_fresh(struct cpu_block *b, struct domain *d, u32 index,
		       const struct vl_vcpu_start *s)
{
	struct vcpu *v = &b->vcpu;
	struct failure f;
	s64 err = check(d, s);

	memset(v, 0, sizeof(*v));
	if (err < 0)
		return err;
	vcpu_init(v, d, index);
	fast_init(v);
	v->call = guest_call;
	v->frame = first_frame(b);
	fill_frame(v->frame, s);
	fill_system(v, s);
	if (transition_make_shadow(b, &f) < 0) {
		memset(v, 0, sizeof(*v));
		return -f.err;
	}
	shadow_begin(&v->shadow, v->mode[0].root.v, 0);
	return 0;
}

/* The frame is where exits of the guest have theirs; what stands on the stack now is gone. */
static __attribute__((noreturn)) void resume(struct trap_frame *frame)
{
	__asm__ volatile("movq %0, %%rsp\n\t"
			 "jmp resume_frame"
			 :
			 : "r"(frame)
			 : "memory");
	__builtin_unreachable();
}

void vcpu_begin_fresh(void)
{
	struct vcpu *v = &this_block()->vcpu;
	bool good;

	/* Up to remote_enter() nobody who changes what its memory is would find it. */
	remote_begin_alone(NULL);
	good = segments_capture(v);
	if (good)
		transition_enter_cpu(v);
	access_forget_all(v); /* flushes of siblings have not reached it so far */
	remote_end_alone(NULL);
	if (!good) {
		this_cpu()->vcpu = v;
		vcpu_crash(v, "it begins with a GDT that it cannot read");
	}
	transition_enter_done(v);
	resume(v->frame);
}

static void begin_first_on_stack(void)
{
	struct vcpu *v = &this_block()->vcpu;

	transition_enter_domain(v->domain, FIRST_LAYERS);
	interrupts_layer_enter(v);
	vcpu_begin_fresh();
}

void first_begin_fresh(const struct vl_vcpu_start *start)
{
	struct cpu_block *b = block_of(cpu_by_index(0));

	b->left.in_use = true;
	if (vcpu_prepare_fresh(b, domain_first(), 0, start) < 0)
		panic("the first guest cannot begin virtualized");
	__asm__ volatile("movq %0, %%rsp\n\t"
			 "xorl %%ebp, %%ebp\n\t"
			 "call *%1"
			 :
			 : "r"(b->vcpu.frame), "r"(begin_first_on_stack)
			 : "memory");
	__builtin_unreachable();
}
