// SPDX-License-Identifier: MIT
/*
 * Other domains, and CPUs of the first guest that are not where the others are:
 * one that is in passthrough still, one that is offline, and one that types at a
 * domain while another one ends it.
 */
#include "lib/string.h"
#include "mini/apic.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/smp.h"
#include "mini/tap.h"
#include "mini/tests/domains.h"
#include "mini/tests/later.h"
#include "mini/timer.h"
#include "mini/traps.h"
#include "mini/virtual.h"

#define VECTOR         0x51
#define APIC_ICR_HIGH  0x310u
#define ICR_ASSERT     0x4000u
#define ICR_NMI        0x400u
#define ROUNDS         150u
#define OFFLINE_ROUNDS 8u

static struct vl_event_page events __attribute__((aligned(sizeof(struct vl_event_page))));
static struct vl_domain_counters counters __attribute__((aligned(256)));
static u8 text[8] __attribute__((aligned(8)));
static u64 domids[SMP_MAX_CPUS];
static u64 target;
static bool over;

static void take_event(const struct trap_frame *frame)
{
	(void)frame;
	apic_write(APIC_EOI, 0);
}

/* --- in passthrough, while the others are virtualized --- */

static void go_in(void *arg)
{
	s64 *answers = arg;

	answers[smp_index()] = vl_call_virtualize(hypercall_page, VL_LAYER_ALL, smp_count() - 1);
}

static void check_answer(const char *what, s64 answer, bool good)
{
	CHECK(good, "%s of CPU %u, in passthrough, answered %ld", what, smp_index(), answer);
}

static void steer(u64 domid)
{
	s64 r = vl_call_domain_pause(hypercall_page, domid);

	check_answer("pause", r, r == 0);
	r = vl_call_domain_weight(hypercall_page, domid, 300);
	check_answer("weight", r, r == 300);
	r = vl_call_domain_unpause(hypercall_page, domid);
	check_answer("unpause", r, r == 0);
	r = vl_call_domain_counters(hypercall_page, domid, ptr_to_pa(&counters).v,
				    sizeof(counters));
	check_answer("counters", r, r == sizeof(counters));
	r = vl_call_domain_console_write(hypercall_page, domid, ptr_to_pa(text).v, sizeof(text));
	check_answer("console_write", r, r == sizeof(text));
	r = vl_call_domain_shutdown(hypercall_page, domid, VL_SHUTDOWN_POWEROFF);
	check_answer("shutdown", r, r == 0);
	r = vl_call_domain_destroy(hypercall_page, domid);
	check_answer("destroy", r, r == -VL_ENOENT);
}

/* The event goes to CPU 0, by an interrupt. */
static void send_event(void)
{
	s64 a = vl_call_event_open(hypercall_page, VL_DOMID_SELF), b;

	check_answer("event_open", a, a > 0);
	b = vl_call_event_bind(hypercall_page, VL_DOMID_SELF, (u64)a);
	check_answer("event_bind", b, b > 0);
	check_answer("event_send", 0, vl_call_event_send(hypercall_page, (u64)b) == 0);
	check_answer("event_close", 0, vl_call_event_close(hypercall_page, (u64)a) == 0);
	check_answer("event_close", 0, vl_call_event_close(hypercall_page, (u64)b) == 0);
}

static void from_outside(void *arg)
{
	(void)arg;
	CHECK(!is_virtualized(), "CPU %u is virtualized", smp_index());
	for (u32 round = 0; round < 3; round++)
		for (u32 i = 0; i < smp_count() - 1; i++)
			steer(domids[i]);
	send_event();
}

static void join(void *arg)
{
	*(s64 *)arg = vl_call_virtualize(hypercall_page, VL_LAYER_ALL, 0);
}

static void begin_guests(u32 what, u32 n)
{
	guests_take_frames(n * LATER_PAGES);
	for (u32 i = 0; i < n; i++)
		domids[i] = later_begin(what, i * LATER_PAGES, VL_WEIGHT_USUAL);
}

static void end_guests(u32 n)
{
	for (u32 i = 0; i < n; i++)
		guest_destroy(domids[i]);
	guests_free_frames(n * LATER_PAGES);
}

TEST_ON_REQUEST(smp_guests_outside, "U7 I4 U3")
{
	s64 answers[SMP_MAX_CPUS], joined = 1;
	u32 n, last;

	if (is_virtualized())
		CHECK(devirtualize() == 0, "devirtualize failed");
	n = smp_start();
	last = n - 1;
	if (n < 3 || !apic_enable())
		test_skip("this takes three CPUs and a local APIC");
	CHECK(verify_image() == 0, "the image cannot be verified");
	smp_run_first(last, go_in, answers);
	CHECK(answers[0] == 0, "virtualize without the last answered %ld", answers[0]);
	trap_set_handler(VECTOR, take_event);
	CHECK(vl_call_event_setup(hypercall_page, ptr_to_pa(&events).v, VECTOR) == 0, "no events");
	begin_guests(LATER_SPINS, last);
	smp_run(last, from_outside, NULL);
	end_guests(last);
	smp_let_interrupts_in(last);
	CHECK(vl_call_event_setup(hypercall_page, 0, 0) == 0, "no events");
	smp_run(last, join, &joined);
	CHECK(joined == 0, "to join got %ld", joined);
	CHECK(smp_change_all(false) == 0, "not devirtualized");
	trap_set_handler(VECTOR, NULL);
}

/* --- offline, with guests on that CPU --- */

static void halt_for_good(void *arg)
{
	*(volatile bool *)arg = true;
	for (;;)
		asm volatile("cli; hlt" ::: "memory");
}

static void go_out(void *arg)
{
	s64 *answers = arg;

	answers[smp_index()] = vl_call_devirtualize(hypercall_page, VL_LAYER_ALL, smp_count() - 1);
}

static void go_out_without_last(void)
{
	s64 answers[SMP_MAX_CPUS] = {-VL_EBUSY};

	/* At once: the last one may still be on its way to a HLT for good. */
	for (u32 i = 0; i < SMP_TRIES && answers[0] != 0; i++) {
		smp_run_first(smp_count() - 1, go_out, answers);
		if (answers[0] == -VL_EAGAIN)
			smp_let_interrupts_in(smp_count() - 1);
		else if (answers[0] != 0)
			smp_delay(10);
	}
	CHECK(answers[0] == 0, "devirtualize without the last answered %ld", answers[0]);
}

static void note_id(void *arg)
{
	*(u32 *)arg = cpuid(1).ebx >> 24;
}

/* What nobody wants of a CPU that is offline. */
static void disturb(u32 id)
{
	for (u32 i = 0; i < 10; i++) {
		apic_write(APIC_ICR_HIGH, id << 24);
		apic_write(APIC_ICR, ICR_ASSERT | (i % 2 == 0 ? ICR_NMI : VECTOR));
		smp_delay(2);
	}
}

static void await_end(u64 domid)
{
	for (u32 i = 0; later_state(domid) != VL_STATE_SHUTDOWN; i++) {
		CHECK(i < 500, "domain %lu does not run", domid);
		smp_delay(2);
	}
}

/* The last CPU has guests when it goes offline; when they are gone it is offline like any other. */
static void offline_and_on(u32 n, u32 id)
{
	volatile bool halts = false;

	CHECK(smp_change_all(true) == 0, "not virtualized");
	begin_guests(LATER_PARKS, n);
	smp_begin(n - 1, halt_for_good, (void *)(uintptr_t)&halts);
	while (!halts)
		smp_relax();
	smp_delay(5);
	end_guests(n);
	go_out_without_last();
	disturb(id);
	smp_restart(n - 1);
	CHECK(smp_change_all(true) == 0, "not virtualized again");
	begin_guests(LATER_ENDS, n);
	for (u32 i = 0; i < n; i++)
		await_end(domids[i]);
	end_guests(n);
	CHECK(smp_change_all(false) == 0, "not devirtualized");
}

TEST_ON_REQUEST(smp_guests_offline, "U7 I4 M8")
{
	u32 n, id = 0;

	if (is_virtualized())
		CHECK(devirtualize() == 0, "devirtualize failed");
	n = smp_start();
	if (!apic_enable())
		test_skip("no local APIC");
	smp_run(n - 1, note_id, &id);
	for (u32 i = 0; i < OFFLINE_ROUNDS; i++)
		offline_and_on(n, id);
}

/* --- typing at what ends --- */

static void type(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		u64 domid = __atomic_load_n(&target, __ATOMIC_ACQUIRE);
		s64 r = vl_call_domain_console_write(hypercall_page, domid, ptr_to_pa(text).v, 1);

		CHECK(r >= 0 || r == -VL_ENOENT || r == -VL_EOPNOTSUPP, "console_write: %ld", r);
	}
}

TEST_ON_REQUEST(smp_guests_typed, "U7 I4")
{
	u32 n;

	if (is_virtualized())
		CHECK(devirtualize() == 0, "devirtualize failed");
	n = smp_start();
	CHECK(smp_change_all(true) == 0, "not virtualized");
	over = false;
	target = 1;
	for (u32 i = 1; i < n; i++)
		smp_begin(i, type, NULL);
	for (u32 i = 0; i < ROUNDS; i++) {
		u64 domid = guest_make("typed at", 1);

		__atomic_store_n(&target, domid, __ATOMIC_RELEASE);
		smp_delay(1);
		guest_destroy(domid);
	}
	__atomic_store_n(&over, true, __ATOMIC_RELEASE);
	for (u32 i = 1; i < n; i++)
		smp_wait(i);
	CHECK(smp_change_all(false) == 0, "not devirtualized");
}
