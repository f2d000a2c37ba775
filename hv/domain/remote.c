// SPDX-License-Identifier: MIT
/*
 * Requests between CPUs (domain/remote.h). Pure but for atomic operations, so
 * that threads on the host race through the same code.
 */
#include "domain/remote.h"

#include "lib/x86.h"

static void full_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static u32 load(const u32 *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(u32 *word, u32 value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

void remote_init(struct remote *r, u64 loaded, u32 *kicked)
{
	*r = (struct remote){.lock = LOCK_INIT(LOCK_REQUEST), .loaded = loaded, .kicked = kicked};
}

static bool is_same_space(struct remote_flush a, struct remote_flush b)
{
	return a.space == b.space && a.what <= REMOTE_SPACE && b.what <= REMOTE_SPACE;
}

struct remote_flush remote_merge(struct remote_flush a, struct remote_flush b)
{
	struct remote_flush both = {.what = a.what > b.what ? a.what : b.what};

	if (a.what == REMOTE_NOTHING || b.what == REMOTE_NOTHING)
		return a.what == REMOTE_NOTHING ? b : a;
	if (is_same_space(a, b)) {
		both.space = a.space;
		if (both.what == REMOTE_PAGES && a.va == b.va) {
			both.va = a.va;
			both.pages = max_u64(a.pages, b.pages);
			return both;
		}
		both.what = REMOTE_SPACE;
	} else if (both.what < REMOTE_LOCAL) {
		both.what = REMOTE_LOCAL;
	}
	return both;
}

/* Whether the vcpu may be using what is to be dropped. */
static bool concerns(const struct remote *r, const struct remote_flush *f)
{
	if (load(&r->halted))
		return false;
	return f->what > REMOTE_SPACE || f->space == 0 ||
	       f->space == __atomic_load_n(&r->loaded, __ATOMIC_ACQUIRE);
}

u64 remote_post(struct remote *r, const struct remote_flush *f)
{
	u64 ticket;

	lock_take(&r->lock);
	r->request = remote_merge(r->request, *f);
	ticket = ++r->posted;
	store(&r->waits, 1);
	lock_release(&r->lock);
	full_barrier();
	return concerns(r, f) ? ticket : 0;
}

bool remote_is_served(const struct remote *r, u64 ticket)
{
	return __atomic_load_n(&r->served, __ATOMIC_ACQUIRE) >= ticket || load(&r->halted);
}

bool remote_kick(struct remote *r)
{
	return __atomic_exchange_n(r->kicked, 1, __ATOMIC_SEQ_CST) == 0;
}

void remote_post_nmi(struct remote *r)
{
	lock_take(&r->lock);
	store(&r->nmi, 1);
	store(&r->waits, 1);
	lock_release(&r->lock);
}

bool remote_nmi_is_taken(const struct remote *r)
{
	return !load(&r->nmi);
}

bool remote_take_nmi(struct remote *r)
{
	return load(&r->nmi) && __atomic_exchange_n(&r->nmi, 0, __ATOMIC_SEQ_CST) != 0;
}

void remote_hold(struct remote *r)
{
	lock_take(&r->lock);
	/* One in HLT may sleep on until all is over, and would not notice. */
	r->request = (struct remote_flush){.what = REMOTE_ALL};
	r->posted++;
	store(&r->hold, 1);
	store(&r->waits, 1);
	lock_release(&r->lock);
	full_barrier();
}

bool remote_is_held(const struct remote *r)
{
	return load(&r->held) || load(&r->halted);
}

void remote_let_go(struct remote *r)
{
	store(&r->hold, 0);
	/* Or the next holder takes this time's answer for its own. */
	while (load(&r->held))
		cpu_relax();
}

u64 remote_take(struct remote *r, struct remote_flush *f)
{
	u64 ticket;

	lock_take(&r->lock);
	*f = r->request;
	r->request.what = REMOTE_NOTHING;
	ticket = r->posted;
	store(&r->waits, 0);
	lock_release(&r->lock);
	return ticket;
}

void remote_done(struct remote *r, u64 ticket)
{
	__atomic_store_n(&r->served, ticket, __ATOMIC_RELEASE);
}

bool remote_stand_still(struct remote *r)
{
	if (!load(&r->hold))
		return false;
	lock_check_none_held();
	store(&r->held, 1);
	while (load(&r->hold))
		cpu_relax();
	store(&r->held, 0);
	return true;
}

bool remote_kick_is_under_way(const u32 *kicked)
{
	return load(kicked);
}

bool remote_kick_arrived(u32 *kicked)
{
	return __atomic_exchange_n(kicked, 0, __ATOMIC_SEQ_CST) != 0;
}

void remote_halt(struct remote *r)
{
	store(&r->halted, 1);
	full_barrier();
}

void remote_wake(struct remote *r)
{
	store(&r->halted, 0);
	full_barrier();
}
