// SPDX-License-Identifier: MIT
/*
 * Where the CPUs of a transition meet (transition/together.h). There is one
 * meeting at a time. It is open until all are there, or it has failed; then
 * closed, until the last one has gone. Who comes for another one waits for that.
 */
#include "transition/together.h"

#include "cpu/percpu.h"
#include "cpu/remote.h"
#include "lib/lock.h"
#include "public/errno.h"

static struct {
	struct lock lock; /* guards all but `passed` and what only changes before that */
	bool on, closed;
	u64 what, layers, wanted;
	u64 here, gone;
	u32 first;   /* index of the CPU that came first */
	s64 came;    /* whether all have come: constant once it is closed */
	s64 err;     /* what they agree on */
	u64 waiting; /* at the barrier that was passed so many times: */
	u64 passed;
} meeting = {.lock = LOCK_INIT(LOCK_TRANSITION)};

static void open_meeting(u64 what, u64 layers, u64 wanted)
{
	meeting.on = true;
	meeting.what = what;
	meeting.layers = layers;
	meeting.wanted = wanted;
	meeting.here = meeting.gone = 0;
	meeting.first = this_cpu()->index;
	meeting.err = 0;
	meeting.closed = false;
}

static void close_meeting(s64 came)
{
	meeting.came = came;
	__atomic_store_n(&meeting.closed, true, __ATOMIC_RELEASE);
}

/* The meeting's lock is held. -VL_EAGAIN: the last one is not over. */
static s64 come(u64 what, u64 layers, u64 wanted)
{
	if (meeting.on && meeting.closed)
		return -VL_EAGAIN;
	if (!meeting.on)
		open_meeting(what, layers, wanted);
	if (meeting.what != what || meeting.layers != layers || meeting.wanted != wanted) {
		close_meeting(-VL_EINVAL);
		return -VL_EINVAL;
	}
	if (++meeting.here == wanted)
		close_meeting(0);
	return 0;
}

static void give_up(void)
{
	lock_take(&meeting.lock);
	if (!meeting.closed)
		close_meeting(-VL_ETIMEDOUT);
	lock_release(&meeting.lock);
}

static void go(void)
{
	lock_take(&meeting.lock);
	if (++meeting.gone == meeting.here)
		meeting.on = false;
	lock_release(&meeting.lock);
}

/* Who has not come yet may wait for one who has: for a flush, or to have it stand still. Once all
 * are here, nobody does. */
static void wait_a_moment(void)
{
	struct vcpu *v = current_vcpu();

	if (v != NULL && remote_waits(&v->remote))
		remote_serve(v);
	cpu_relax();
}

s64 together_begin(u64 what, u64 layers, u64 cpus)
{
	u64 wanted = cpus > 1 ? cpus : 1, start;
	s64 err;

	for (;;) {
		lock_take(&meeting.lock);
		err = come(what, layers, wanted);
		lock_release(&meeting.lock);
		if (err != -VL_EAGAIN)
			break;
		wait_a_moment();
	}
	if (err < 0)
		return err;
	start = rdtsc();
	while (!__atomic_load_n(&meeting.closed, __ATOMIC_ACQUIRE)) {
		wait_a_moment();
		if (rdtsc() - start > VL_TOGETHER_CYCLES)
			give_up();
	}
	err = meeting.came; /* not meeting.err: another may be further on */
	if (err < 0)
		go();
	return err;
}

bool together_is_first(void)
{
	return meeting.first == this_cpu()->index;
}

u64 together_count(void)
{
	return meeting.wanted;
}

void together_wait(void)
{
	u64 passed = __atomic_load_n(&meeting.passed, __ATOMIC_ACQUIRE);

	if (meeting.wanted == 1)
		return;
	lock_delay();
	if (__atomic_add_fetch(&meeting.waiting, 1, __ATOMIC_ACQ_REL) == meeting.wanted) {
		meeting.waiting = 0;
		__atomic_store_n(&meeting.passed, passed + 1, __ATOMIC_RELEASE);
		return;
	}
	while (__atomic_load_n(&meeting.passed, __ATOMIC_ACQUIRE) == passed)
		cpu_relax();
}

s64 together_agree(s64 err)
{
	lock_take(&meeting.lock);
	if (err < 0 && (meeting.err == 0 || meeting.err == -VL_EAGAIN))
		meeting.err = err;
	lock_release(&meeting.lock);
	together_wait();
	return meeting.err;
}

void together_end(void)
{
	together_wait();
	go();
}
