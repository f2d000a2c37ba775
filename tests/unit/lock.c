// SPDX-License-Identifier: MIT
/*
 * Locks (lib/lock.h) as debug builds have them: threads exclude each other and
 * come in turn, each mistake in order and ownership is a panic, the longest
 * hold and the random delays are what they say.
 */
#include "tests/unit/check.h"

#include <pthread.h>
#include <sched.h>

#include "lib/lock.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/x86.h"

#define THREADS 4u

static _Thread_local struct lock_watch watch;
static _Thread_local jmp_buf panicked;
static _Thread_local char reason[128];

struct lock_watch *lock_watch(void)
{
	return &watch;
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	longjmp(panicked, 1);
}

void log_print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint_message(fmt, ap);
	va_end(ap);
}

#define assert_panics(statement, part)                                                             \
	do {                                                                                       \
		if (setjmp(panicked) == 0) {                                                       \
			statement;                                                                 \
			stop_test("no panic: " #statement);                                        \
		}                                                                                  \
		if (strstr(reason, (part)) == NULL)                                                \
			stop_test("\"%s\" lacks \"%s\"", reason, (part));                          \
	} while (0)

static int reset(void **state)
{
	(void)state;
	watch = (struct lock_watch){0};
	lock_set_delays(0, 0);
	for (u32 i = 0; i < NR_LOCK_RANKS; i++)
		lock_longest(i);
	return 0;
}

static void takes_in_ascending_order(void **state)
{
	struct lock lock[NR_LOCK_RANKS];

	(void)state;
	for (u32 i = 0; i < NR_LOCK_RANKS; i++) {
		lock[i] = (struct lock)LOCK_INIT(i);
		lock_take(&lock[i]);
		assert_true(lock_is_held(&lock[i]));
	}
	/* Given back in any order. */
	for (u32 i = 0; i < NR_LOCK_RANKS; i++)
		lock_release(&lock[i]);
	for (u32 i = 0; i < NR_LOCK_RANKS; i++)
		assert_false(lock_is_held(&lock[i]));
	lock_debug_none_held();
}

static void refuses_another_order(void **state)
{
	struct lock frames = LOCK_INIT(LOCK_FRAMES), domain = LOCK_INIT(LOCK_DOMAIN);
	struct lock other = LOCK_INIT(LOCK_FRAMES);

	(void)state;
	lock_take(&frames);
	assert_panics(lock_take(&domain), "domain is taken while frames is held");
	assert_panics(lock_try(&domain), "domain is taken while frames is held");
	assert_panics(lock_take(&other), "frames is taken while frames is held");
	assert_panics(lock_take(&frames), "frames is taken while frames is held");
	lock_release(&frames);
}

static void notices_wrong_owners(void **state)
{
	struct lock log = LOCK_INIT(LOCK_LOG), other = LOCK_INIT(LOCK_LOG);

	(void)state;
	assert_panics(lock_release(&log), "does not hold it");
	lock_take(&log);
	assert_panics(lock_release(&other), "does not hold it");
	assert_panics(lock_debug_none_held(), "log is still held");
	lock_release(&log);
}

static void tries(void **state)
{
	struct lock irq = LOCK_INIT(LOCK_IRQ);
	struct lock_watch mine;

	(void)state;
	assert_true(lock_try(&irq));
	mine = watch;
	watch = (struct lock_watch){0}; /* another CPU's */
	assert_false(lock_try(&irq));
	watch = mine;
	lock_release(&irq);
	assert_true(lock_try(&irq));
	lock_release(&irq);
}

static void wraps(void **state)
{
	struct lock log = LOCK_INIT(LOCK_LOG);

	(void)state;
	for (u32 i = 0; i < 200000; i++) {
		if (i % 2 == 0)
			lock_take(&log);
		else
			assert_true(lock_try(&log));
		lock_release(&log);
	}
	assert_false(lock_is_held(&log));
}

static void measures_the_longest(void **state)
{
	struct lock irq = LOCK_INIT(LOCK_IRQ);
	u64 start, wanted = 3000000;

	(void)state;
	for (u32 i = 0; i < 3; i++) {
		lock_take(&irq);
		start = rdtsc();
		while (i == 1 && rdtsc() - start < wanted)
			;
		lock_release(&irq);
	}
	assert_true(lock_longest(LOCK_IRQ) >= wanted);
	assert_true(lock_longest(LOCK_IRQ) == 0); /* since the last call */
	assert_true(lock_longest(LOCK_LOG) == 0);
}

static void delays(void **state)
{
	u64 limit = 1000000, most = 0, rounds = 64;
	u32 without = 0;

	(void)state;
	lock_set_delays(limit, 0);
	for (u64 i = 0; i < rounds; i++) {
		u64 start = rdtsc(), took;

		lock_debug_delay();
		took = rdtsc() - start;
		most = took > most ? took : most;
		without += took < limit / 64;
	}
	assert_in_range(without, rounds / 8, rounds * 7 / 8);
	assert_true(most > limit / 4);
}

/* The state behind some waits, by a CPU that has made none before. */
static u64 random_with(u64 seed)
{
	watch = (struct lock_watch){0};
	lock_set_delays(1, seed);
	for (u32 i = 0; i < 8; i++)
		lock_debug_delay();
	return watch.random;
}

static void delays_repeat(void **state)
{
	(void)state;
	assert_true(random_with(7) == random_with(7));
	assert_true(random_with(7) != random_with(8));
	assert_true(random_with(0) != random_with(0));
}

/* --- threads --- */

static struct {
	struct lock outer, inner;
	u64 counter, other; /* each under its lock, changed by plain loads and stores */
	volatile u32 ready;
	u32 rounds;
	bool tries;
} shared;

static void add_one(u64 *counter)
{
	volatile u64 *v = counter;
	u64 now = *v;

	for (u32 i = 0; i < 16; i++)
		cpu_relax();
	*v = now + 1;
}

static void take(struct lock *l)
{
	if (!shared.tries) {
		lock_take(l);
		return;
	}
	while (!lock_try(l))
		sched_yield();
}

static void *work(void *argument)
{
	(void)argument;
	if (setjmp(panicked) != 0)
		return reason;
	__atomic_add_fetch(&shared.ready, 1, __ATOMIC_SEQ_CST);
	while (shared.ready < THREADS)
		sched_yield();
	for (u32 i = 0; i < shared.rounds; i++) {
		take(&shared.outer);
		add_one(&shared.counter);
		if (i % 3 == 0) {
			take(&shared.inner);
			add_one(&shared.other);
			lock_release(&shared.inner);
		}
		lock_release(&shared.outer);
		take(&shared.inner);
		add_one(&shared.other);
		lock_release(&shared.inner);
	}
	lock_debug_none_held();
	return NULL;
}

static void exclude(u32 rounds, bool tries_, u64 delay)
{
	pthread_t thread[THREADS];

	memset(&shared, 0, sizeof(shared));
	shared.outer = (struct lock)LOCK_INIT(LOCK_DOMAIN);
	shared.inner = (struct lock)LOCK_INIT(LOCK_FRAMES);
	shared.rounds = rounds;
	shared.tries = tries_;
	lock_set_delays(delay, 0);
	for (u32 i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, work, NULL), 0);
	for (u32 i = 0; i < THREADS; i++) {
		void *why;

		assert_int_equal(pthread_join(thread[i], &why), 0);
		assert_null(why);
	}
	assert_int_equal(shared.counter, THREADS * rounds);
	assert_int_equal(shared.other, THREADS * (rounds + (rounds + 2) / 3));
	assert_false(lock_is_held(&shared.outer));
	assert_false(lock_is_held(&shared.inner));
}

static void threads_exclude_each_other(void **state)
{
	(void)state;
	/* With two cores each handover may cost a time slice: tickets are strict. */
	exclude(200, false, 0);
	exclude(20000, true, 0);
	exclude(100, true, 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(takes_in_ascending_order, reset),
		cmocka_unit_test_setup(refuses_another_order, reset),
		cmocka_unit_test_setup(notices_wrong_owners, reset),
		cmocka_unit_test_setup(tries, reset),
		cmocka_unit_test_setup(wraps, reset),
		cmocka_unit_test_setup(measures_the_longest, reset),
		cmocka_unit_test_setup(delays, reset),
		cmocka_unit_test_setup(delays_repeat, reset),
		cmocka_unit_test_setup(threads_exclude_each_other, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
