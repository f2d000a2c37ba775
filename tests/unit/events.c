// SPDX-License-Identifier: MIT
/*
 * Event channels between domains: bits and interrupts, both ends of a channel,
 * ends that go, and at random the invariant that two bound ends name each
 * other.
 */
/* shows: I4 */
#include "tests/unit/check.h"

#include "domain/domain.h"
#include "lib/lock.h"
#include "lib/log.h"
#include "lib/panic.h"

#define NR_DOMAINS 4
#define VECTOR     0x50

static struct domain domains[NR_DOMAINS];
static struct vl_event_page pages[NR_DOMAINS];
static u32 interrupts[NR_DOMAINS];
static u32 next_domid;
static struct lock_watch watch;

struct lock_watch *lock_watch(void)
{
	return &watch;
}

void panic(const char *fmt, ...)
{
	stop_test("panic: %s", fmt);
	abort();
}

void log_print(const char *fmt, ...)
{
	(void)fmt;
}

/* Each domain has one page of events, at this address. */
static u64 page_of(const struct domain *d)
{
	return 0x1000 + (u64)(d - domains) * 64;
}

void *domain_buffer(const struct domain *d, pa_t pa, u64 size)
{
	assert_int_equal(size, sizeof(struct vl_event_page));
	return pa.v == page_of(d) ? &pages[d - domains] : NULL;
}

static void upcall(struct domain *d, u32 cpu, u8 vector)
{
	assert_int_equal(vector, VECTOR);
	assert_int_equal(cpu, 3);
	assert_true(d->events.live);
	interrupts[d - domains]++;
}

static void begin(struct domain *d)
{
	d->domid = next_domid++;
	events_begin(d, upcall);
	memset(&pages[d - domains], 0, sizeof(pages[0]));
	interrupts[d - domains] = 0;
	assert_int_equal(events_setup(d, (pa_t){page_of(d)}, VECTOR, 3), 0);
}

static void begin_all(void)
{
	next_domid = 0;
	for (u32 i = 0; i < NR_DOMAINS; i++)
		begin(&domains[i]);
}

static bool is_pending(u32 domain, s64 port)
{
	return (pages[domain].pending[port / 64] >> port % 64 & 1) != 0;
}

static void clear(u32 domain, s64 port)
{
	pages[domain].pending[port / 64] &= ~((u64)1 << port % 64);
}

static void test_setup(void **state)
{
	struct domain *d = &domains[0];

	(void)state;
	begin_all();
	assert_int_equal(events_setup(d, (pa_t){0x1008}, VECTOR, 0), -VL_EINVAL);
	assert_int_equal(events_setup(d, (pa_t){0x1000}, 31, 0), -VL_EINVAL);
	assert_int_equal(events_setup(d, (pa_t){0x1000}, 256, 0), -VL_EINVAL);
	assert_int_equal(events_setup(d, (pa_t){0x4000}, VECTOR, 0), -VL_EFAULT);
	assert_true(events_use(d, (pfn_t){1}));
	assert_int_equal(events_setup(d, (pa_t){0}, 0, 0), 0);
	assert_false(events_use(d, (pfn_t){1}));
	/* without a page events wait for it */
	events_notify(d);
	assert_false(is_pending(0, VL_EVENT_VELLUM));
	assert_int_equal(events_setup(d, (pa_t){page_of(d)}, VECTOR, 3), 0);
	assert_true(is_pending(0, VL_EVENT_VELLUM));
	assert_int_equal(interrupts[0], 1);
	/* and without a vector they are bits alone */
	assert_int_equal(events_setup(d, (pa_t){page_of(d)}, 0, 3), 0);
	clear(0, 0);
	events_notify(d);
	assert_true(is_pending(0, 0));
	assert_int_equal(interrupts[0], 1);
}

static void test_channel(void **state)
{
	s64 a, b;

	(void)state;
	begin_all();
	a = events_open(&domains[0], &domains[1]);
	assert_int_equal(a, 1);
	assert_int_equal(events_send(&domains[0], 1), -VL_ENOENT);
	assert_int_equal(events_bind(&domains[2], &domains[0], (u64)a), -VL_ENOENT);
	assert_int_equal(events_bind(&domains[1], &domains[0], 2), -VL_ENOENT);
	assert_int_equal(events_bind(&domains[1], &domains[0], ~(u64)0), -VL_ENOENT);
	b = events_bind(&domains[1], &domains[0], (u64)a);
	assert_int_equal(b, 1);
	assert_true(is_pending(0, a)); /* it hears of that */
	assert_int_equal(interrupts[0], 1);
	assert_int_equal(events_bind(&domains[1], &domains[0], (u64)a), -VL_ENOENT);

	/* one interrupt for each bit that rises */
	assert_int_equal(events_send(&domains[0], (u64)a), 0);
	assert_int_equal(events_send(&domains[0], (u64)a), 0);
	assert_true(is_pending(1, b));
	assert_int_equal(interrupts[1], 1);
	clear(1, b);
	assert_int_equal(events_send(&domains[0], (u64)a), 0);
	assert_int_equal(interrupts[1], 2);
	/* none while it is masked */
	clear(1, b);
	pages[1].mask[0] = (u64)1 << b;
	assert_int_equal(events_send(&domains[0], (u64)a), 0);
	assert_true(is_pending(1, b));
	assert_int_equal(interrupts[1], 2);

	assert_int_equal(events_close(&domains[1], (u64)b), 0);
	assert_int_equal(events_close(&domains[1], (u64)b), -VL_ENOENT);
	assert_int_equal(events_send(&domains[0], (u64)a), -VL_ENOENT);
	assert_int_equal(events_close(&domains[0], (u64)a), 0);
	assert_int_equal(events_close(&domains[0], 0), -VL_ENOENT); /* Vellum's own */
	assert_int_equal(events_close(&domains[0], 256), -VL_ENOENT);
}

/* A domain may talk to itself, and use up its ports, but for nobody else's. */
static void test_ports(void **state)
{
	s64 port = 0;

	(void)state;
	begin_all();
	for (u32 i = 1; i < NR_EVENT_PORTS - 1; i++)
		assert_int_equal(port = events_open(&domains[0], &domains[0]), i);
	assert_int_equal(events_bind(&domains[0], &domains[0], (u64)port), NR_EVENT_PORTS - 1);
	assert_int_equal(events_open(&domains[0], &domains[1]), -VL_ENOSPC);
	assert_int_equal(events_open(&domains[1], &domains[0]), 1);
	assert_int_equal(events_bind(&domains[0], &domains[1], 1), -VL_ENOSPC);
	assert_int_equal(events_send(&domains[0], (u64)port), 0);
	assert_true(is_pending(0, NR_EVENT_PORTS - 1));
	events_end(&domains[0]);
	begin(&domains[0]);
	assert_int_equal(events_open(&domains[0], &domains[0]), 1);
}

static void test_end(void **state)
{
	s64 a, b, waiting;

	(void)state;
	begin_all();
	waiting = events_open(&domains[0], &domains[1]);
	a = events_open(&domains[0], &domains[1]);
	b = events_bind(&domains[1], &domains[0], (u64)a);
	clear(0, a);
	events_end(&domains[1]);
	assert_true(is_pending(0, a));
	assert_int_equal(events_send(&domains[0], (u64)a), -VL_ENOENT);
	assert_int_equal(events_open(&domains[0], &domains[1]), -VL_EOPNOTSUPP);
	assert_int_equal(events_setup(&domains[1], (pa_t){page_of(&domains[1])}, 0, 0),
			 -VL_EOPNOTSUPP);
	/* Another domain at its place is not the one that was waited for. */
	begin(&domains[1]);
	assert_int_equal(events_bind(&domains[1], &domains[0], (u64)waiting), -VL_ENOENT);
	assert_int_equal(events_bind(&domains[1], &domains[0], (u64)a), -VL_ENOENT);
	assert_int_equal(events_send(&domains[1], (u64)b), -VL_ENOENT);
	assert_int_equal(events_close(&domains[0], (u64)a), 0);
	assert_int_equal(events_close(&domains[0], (u64)waiting), 0);
}

static void test_asked(void **state)
{
	(void)state;
	begin_all();
	assert_int_equal(events_asked(&domains[2]), VL_SHUTDOWN_NONE);
	events_ask(&domains[2], VL_SHUTDOWN_REBOOT);
	assert_true(is_pending(2, VL_EVENT_VELLUM));
	assert_int_equal(events_asked(&domains[2]), VL_SHUTDOWN_REBOOT);
	assert_int_equal(events_asked(&domains[2]), VL_SHUTDOWN_NONE);
}

static void check_ends(void)
{
	for (u32 i = 0; i < NR_DOMAINS; i++) {
		for (u32 port = 0; port < NR_EVENT_PORTS; port++) {
			const struct event_port *p = &domains[i].events.port[port], *other;

			if (p->state != EVENT_BOUND)
				continue;
			assert_true(domains[i].events.live && p->peer->events.live);
			assert_int_equal(p->peer->domid, p->domid);
			other = &p->peer->events.port[p->port];
			assert_int_equal(other->state, EVENT_BOUND);
			assert_ptr_equal(other->peer, &domains[i]);
			assert_int_equal(other->port, port);
		}
		assert_int_equal(domains[i].events.port[0].state, EVENT_FREE);
	}
}

static void test_random(void **state)
{
	struct rng rng = {4711};

	(void)state;
	begin_all();
	for (u32 n = random_cases(20000); n > 0; n--) {
		struct domain *d = &domains[rng_below(&rng, NR_DOMAINS)];
		struct domain *peer = &domains[rng_below(&rng, NR_DOMAINS)];
		u64 port = rng_below(&rng, 24);

		switch (rng_below(&rng, 32)) {
		case 0:
			if (d->events.live)
				events_end(d);
			break;
		case 1:
		case 2:
			if (!d->events.live)
				begin(d);
			break;
		case 3 ... 9:
			events_open(d, peer);
			break;
		case 10 ... 20:
			events_bind(d, peer, port);
			break;
		case 21 ... 26:
			events_send(d, port);
			break;
		default:
			events_close(d, port);
			break;
		}
		if (n % 16 == 0)
			check_ends();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_setup), cmocka_unit_test(test_channel),
		cmocka_unit_test(test_ports), cmocka_unit_test(test_end),
		cmocka_unit_test(test_asked), cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
