// SPDX-License-Identifier: MIT
/*
 * The lock around a domain's 8259s (cpu/domain_pic.h). It is taken only where
 * something can be: on machines with APICs all lines are masked, and then
 * nobody comes here.
 */
#include "cpu/domain_pic.h"

#include "cpu/remote.h"

static struct pic_hardware *lock(struct vcpu *v)
{
	lock_take(&v->domain->irq_lock);
	return &v->domain->pic;
}

static void unlock(struct vcpu *v)
{
	lock_release(&v->domain->irq_lock);
}

void pic_enter(struct vcpu *v, const struct port_access *ports)
{
	if (!pic_is_here(v))
		return;
	pic_hardware_enter(lock(v), ports);
	unlock(v);
}

void pic_begin(struct vcpu *v, const struct port_access *ports, const struct pic *model, u32 owed)
{
	pic_hardware_begin(lock(v), ports, model, owed);
	unlock(v);
}

bool pic_can_leave(struct vcpu *v)
{
	bool can;

	if (!pic_is_here(v))
		return true;
	can = pic_hardware_can_leave(lock(v));
	unlock(v);
	return can;
}

void pic_leave(struct vcpu *v)
{
	if (!pic_is_here(v))
		return;
	pic_hardware_leave(lock(v));
	unlock(v);
}

bool pic_arrived(struct vcpu *v, u8 vector)
{
	bool it;

	if (!pic_is_here(v) || pic_hardware_is_silent(&v->domain->pic))
		return false;
	it = pic_hardware_arrived(lock(v), vector);
	unlock(v);
	return it;
}

bool pic_waits(struct vcpu *v)
{
	bool waits;

	if (pic_is_idle(v))
		return false;
	waits = pic_hardware_waits(lock(v));
	unlock(v);
	return waits;
}

int pic_take_vector(struct vcpu *v)
{
	int vector;

	if (pic_is_idle(v))
		return -1;
	vector = pic_hardware_take(lock(v));
	unlock(v);
	return vector;
}

void pic_hold(struct vcpu *v)
{
	if (!pic_is_here(v))
		return;
	pic_hardware_hold(lock(v));
	unlock(v);
}

u8 pic_in(struct vcpu *v, u16 port)
{
	struct pic_hardware *p = lock(v);
	u8 value = p->ports != NULL ? pic_hardware_read(p, port) : inb(port);

	unlock(v);
	return value;
}

/* What another CPU unmasks may be waiting in the model alone: no wire tells its receiver. */
void pic_out(struct vcpu *v, u16 port, u8 value)
{
	struct pic_hardware *p = lock(v);
	bool waits = false;

	if (p->ports != NULL) {
		pic_hardware_write(p, port, value);
		waits = pic_hardware_waits(p);
	} else {
		outb(port, value);
	}
	unlock(v);
	if (waits && !pic_is_here(v))
		remote_look(v, 0);
}
