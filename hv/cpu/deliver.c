// SPDX-License-Identifier: MIT
/*
 * Delivery of exceptions and interrupts to a virtual CPU (SDM volume 3,
 * section 6.14): the guest's IDT, its TSS, its stack, its own selector values,
 * so that nothing on a kernel stack differs from what hardware would have
 * pushed and any point of execution can be a switch point.
 */
#include "cpu/vcpu.h"

#include "cpu/apic.h"
#include "cpu/domain_pic.h"
#include "cpu/domain_platform.h"
#include "cpu/percpu.h"
#include "mem/layout.h"

#define ERROR_EXTERNAL 1u
#define ERROR_IDT      2u

#define GATE_TYPE      0x1fu
#define GATE_INTERRUPT 0x0eu
#define GATE_TRAP      0x0fu
#define GATE_PRESENT   0x80u

/* A fault on the way of a delivery. */
struct outcome {
	bool ok;
	struct exception fault;
};

static const struct outcome success = {.ok = true};

static struct outcome failure_of(u8 vector, u32 error)
{
	return (struct outcome){.fault = {.vector = vector, .has_error = true, .error = error}};
}

static struct outcome read_system(struct vcpu *v, u64 va, void *to, size_t size)
{
	struct outcome o = success;

	o.ok = guest_read(v, va, to, size, 0, &o.fault);
	return o;
}

static struct outcome read_gate(struct vcpu *v, struct exception e, enum event_source source,
				struct gate *gate)
{
	u32 error = (u32)e.vector * 8 + ERROR_IDT + (source == EVENT_SOFTWARE ? 0 : ERROR_EXTERNAL);
	u32 offset = (u32)e.vector * sizeof(*gate);
	struct outcome o;

	if (offset + sizeof(*gate) - 1 > v->idt.limit)
		return failure_of(VECTOR_GP, error);
	o = read_system(v, v->idt.base + offset, gate, sizeof(*gate));
	if (!o.ok)
		return o;
	if ((gate->type & GATE_TYPE) != GATE_INTERRUPT && (gate->type & GATE_TYPE) != GATE_TRAP)
		return failure_of(VECTOR_GP, error);
	if (source == EVENT_SOFTWARE && (gate->type >> 5 & 3) < v->cpl)
		return failure_of(VECTOR_GP, error);
	if (!(gate->type & GATE_PRESENT))
		return failure_of(VECTOR_NP, error);
	return success;
}

/* The stack that the gate and the privilege change ask for; cpl is the one before. */
static struct outcome new_stack(struct vcpu *v, const struct gate *gate, u64 *rsp)
{
	u32 ist = gate->ist & 7;
	u32 offset = ist != 0 ? 36 + (ist - 1) * 8 : 4;
	struct outcome o = success;

	if (ist == 0 && v->cpl == 0) {
		*rsp = v->frame->rsp;
		return o;
	}
	if (offset + 7 > v->tr.limit)
		return failure_of(VECTOR_TS, v->tr.selector & ~3u);
	o = read_system(v, v->tr.base + offset, rsp, sizeof(*rsp));
	return o;
}

/* From high addresses to low, as the processor pushes: so the first word that fails is the one that
 * it would report. */
static struct outcome push_words(struct vcpu *v, u64 rsp, const u64 *words, size_t count)
{
	struct outcome o = success;

	while (o.ok && count-- > 0)
		o.ok = guest_write(v, rsp + count * 8, &words[count], 8, 0, &o.fault);
	if (!o.ok && o.fault.vector == VECTOR_GP)
		o.fault.vector = VECTOR_SS; /* not canonical */
	return o;
}

static struct outcome push_frame(struct vcpu *v, struct exception e, u64 rsp)
{
	const struct trap_frame *f = v->frame;
	const u64 words[] = {e.error, f->rip, f->cs, f->rflags, f->rsp, f->ss};
	size_t skip = e.has_error ? 0 : 1;
	size_t count = ARRAY_SIZE(words) - skip;
	struct outcome o = success;

	if (rsp % PAGE_SIZE + count * 8 > PAGE_SIZE || !is_canonical(rsp))
		return push_words(v, rsp, words + skip, count);
	o.ok = guest_write(v, rsp, words + skip, count * 8, 0, &o.fault);
	if (!o.ok)
		o.fault.cr2 = rsp + (count - 1) * 8;
	return o;
}

static struct outcome try_deliver(struct vcpu *v, struct exception e, enum event_source source)
{
	u32 external = source == EVENT_SOFTWARE ? 0 : ERROR_EXTERNAL;
	struct trap_frame *f = v->frame;
	struct gate gate;
	u64 rsp = 0, offset;
	struct outcome o = read_gate(v, e, source, &gate);

	if (o.ok)
		o.ok = gate_selector_allowed(
			v, gate.selector, source == EVENT_SOFTWARE ? 0 : ERROR_EXTERNAL, &o.fault);
	if (o.ok)
		o = new_stack(v, &gate, &rsp);
	if (!o.ok)
		return o;
	offset = gate.offset_low | (u64)gate.offset_middle << 16 | (u64)gate.offset_high << 32;
	if (!is_canonical(rsp))
		return failure_of(VECTOR_SS, 0);
	if (!is_canonical(offset))
		return failure_of(VECTOR_GP, external);
	rsp = (rsp & ~(u64)15) - (e.has_error ? 48 : 40);
	o = push_frame(v, e, rsp);
	if (!o.ok)
		return o;
	if (v->cpl != 0)
		f->ss = 0; /* SDM: a null selector with the new CPL as RPL */
	segments_set_cpl(v, 0);
	f->rsp = rsp;
	f->cs = gate.selector & ~3u;
	f->rip = offset;
	f->rflags &= ~(RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM);
	if ((gate.type & GATE_TYPE) == GATE_INTERRUPT)
		f->rflags &= ~RFLAGS_IF;
	if (e.vector == VECTOR_PF)
		v->cr2 = e.cr2;
	return o;
}

/* SDM volume 3, table 6-5: two contributory exceptions, or a page fault and one, are #DF. */
static bool is_contributory(u8 vector)
{
	return vector == 0 || (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

void deliver(struct vcpu *v, struct exception e, enum event_source source)
{
	bool first_contributory = source == EVENT_EXCEPTION && is_contributory(e.vector);
	bool first_page_fault = source == EVENT_EXCEPTION && e.vector == VECTOR_PF;
	struct outcome o = try_deliver(v, e, source);

	if (o.ok)
		return;
	if (e.vector == VECTOR_DF && source == EVENT_EXCEPTION)
		vcpu_crash(v, "triple fault: its double-fault handler cannot be reached");
	if ((first_contributory && is_contributory(o.fault.vector)) ||
	    (first_page_fault && (is_contributory(o.fault.vector) || o.fault.vector == VECTOR_PF)))
		o.fault = (struct exception){.vector = VECTOR_DF, .has_error = true};
	deliver(v, o.fault, EVENT_EXCEPTION);
}

void deliver_software(struct vcpu *v, u8 vector, u8 length)
{
	struct outcome o;

	v->frame->rip += length;
	o = try_deliver(v, (struct exception){.vector = vector}, EVENT_SOFTWARE);
	if (o.ok)
		return;
	v->frame->rip -= length;
	deliver(v, o.fault, EVENT_EXCEPTION);
}

bool gate_is_for_users(struct vcpu *v, u8 vector)
{
	u32 offset = (u32)vector * sizeof(struct gate);
	struct exception fault;
	struct gate gate;

	return offset + sizeof(gate) - 1 <= v->idt.limit &&
	       guest_read(v, v->idt.base + offset, &gate, sizeof(gate), 0, &fault) &&
	       (gate.type >> 5 & 3) == 3;
}

bool vcpu_interrupt_waits(struct vcpu *v)
{
	if (has_platform(v))
		return domain_platform_waits(v);
	return apic_request(v) >= 0 || (!pic_is_idle(v) && pic_waits(v));
}

/* The local APIC's first: a processor asks the 8259s only if that has none. */
static int take_interrupt(struct vcpu *v)
{
	int vector;

	if (has_platform(v))
		return domain_platform_take(v);
	vector = apic_take(v);
	return vector >= 0 ? vector : pic_take_vector(v);
}

void deliver_pending(struct vcpu *v)
{
	int vector;

	if (v->nmi_pending && !v->nmi_blocked) {
		v->nmi_pending = false;
		v->nmi_blocked = true;
		deliver(v, (struct exception){.vector = VECTOR_NMI}, EVENT_EXTERNAL);
		return;
	}
	domain_platform_work(v);
	if (has_platform(v) ? !domain_platform_waits(v) : apic_request(v) < 0 && pic_is_idle(v))
		return;
	if (!(v->frame->rflags & RFLAGS_IF)) {
		if (!has_platform(v))
			pic_hold(v);
		return;
	}
	vector = take_interrupt(v);
	if (vector >= 0)
		deliver(v, (struct exception){.vector = (u8)vector}, EVENT_EXTERNAL);
}
