// SPDX-License-Identifier: MIT
/*
 * Event channels of the first guest, with itself and with a domain that does
 * not run, and such a domain's console; and what an event to a domain that runs
 * takes. What is the other side's is tested where it runs (`later`).
 */
#include "lib/string.h"
#include "mini/apic.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/other.h"
#include "mini/tap.h"
#include "mini/tests/domains.h"
#include "mini/timer.h"
#include "mini/traps.h"
#include "mini/virtual.h"

#define VECTOR 0x51

static struct vl_event_page page __attribute__((aligned(sizeof(struct vl_event_page))));
static volatile u32 interrupts;

static void on_event(const struct trap_frame *frame)
{
	(void)frame;
	interrupts++;
	apic_write(APIC_EOI, 0);
}

static void let_in(void)
{
	asm volatile("sti; nop; nop; cli" ::: "memory");
}

/* What the local APIC was sent has arrived when its delivery is over; a little later, elsewhere. */
static u32 arrived(u32 expected)
{
	for (u32 i = 0; i < 100000 && interrupts < expected; i++)
		let_in();
	let_in();
	return interrupts;
}

static bool pending(s64 port)
{
	return (__atomic_load_n(&page.pending[port / 64], __ATOMIC_SEQ_CST) >> port % 64 & 1) != 0;
}

static void clear(s64 port)
{
	__atomic_fetch_and(&page.pending[port / 64], ~((u64)1 << port % 64), __ATOMIC_SEQ_CST);
}

static s64 set_up(u64 vector)
{
	return vl_call_event_setup(hypercall_page, ptr_to_pa(&page).v, vector);
}

static void begin(void)
{
	if (!apic_enable())
		test_skip("no local APIC");
	trap_set_handler(VECTOR, on_event);
	memset(&page, 0, sizeof(page));
	interrupts = 0;
	CHECK(set_up(VECTOR) == 0, "event_setup failed");
	/* What happened before. */
	clear(VL_EVENT_VELLUM);
	arrived(1);
	interrupts = 0;
}

static void end(void)
{
	CHECK(vl_call_event_setup(hypercall_page, 0, 0) == 0, "event_setup failed");
	trap_set_handler(VECTOR, NULL);
}

TEST(events_refused, "I4 U3")
{
	u64 pa = ptr_to_pa(&page).v;

	CHECK(vl_call_event_setup(hypercall_page, pa + 8, VECTOR) == -VL_EINVAL, "unaligned");
	CHECK(vl_call_event_setup(hypercall_page, pa, 31) == -VL_EINVAL, "an exception's vector");
	CHECK(vl_call_event_setup(hypercall_page, pa, 256) == -VL_EINVAL, "vector 256");
	CHECK(vl_call_event_setup(hypercall_page, (u64)1 << 51, VECTOR) == -VL_EFAULT, "no memory");
	CHECK(vl_call_event_send(hypercall_page, 0) == -VL_ENOENT, "sent to Vellum");
	CHECK(vl_call_event_send(hypercall_page, 256) == -VL_ENOENT, "sent from no port");
	CHECK(vl_call_event_close(hypercall_page, 0) == -VL_ENOENT, "closed Vellum's port");
	CHECK(vl_call_event_bind(hypercall_page, VL_DOMID_SELF, 5) == -VL_ENOENT, "bound to none");
	CHECK(vl_call_event_open(hypercall_page, 77) == -VL_ENOENT, "for no domain");
	CHECK(vl_call_console_put(hypercall_page, pa, 8) == -VL_EOPNOTSUPP, "console_put");
	CHECK(vl_call_console_get(hypercall_page, pa, 8) == -VL_EOPNOTSUPP, "console_get");
	CHECK(vl_call_domain_console_write(hypercall_page, VL_DOMID_SELF, pa, 8) == -VL_EOPNOTSUPP,
	      "domain_console_write");
}

/* To itself: bits always, interrupts while virtualized, through the real local APIC. */
TEST(events_own, "I4")
{
	bool was = is_virtualized();
	s64 a, b;

	guests_go_in();
	begin();
	a = vl_call_event_open(hypercall_page, VL_DOMID_SELF);
	CHECK(a > 0 && a < VL_EVENT_PORTS, "open answered %ld", a);
	b = vl_call_event_bind(hypercall_page, VL_DOMID_SELF, (u64)a);
	CHECK(b > 0 && b < VL_EVENT_PORTS && b != a, "bind answered %ld", b);
	CHECK(pending(a) && arrived(1) == 1, "it did not hear of it: %u interrupts", interrupts);
	clear(a);
	for (u32 i = 2; i < 50; i++) {
		CHECK(vl_call_event_send(hypercall_page, (u64)a) == 0, "send failed");
		CHECK(vl_call_event_send(hypercall_page, (u64)a) == 0, "send failed");
		CHECK(pending(b) && !pending(a), "the wrong bits: %#lx", page.pending[0]);
		CHECK(arrived(i) == i, "%u interrupts after %u events", interrupts, i);
		clear(b);
	}
	page.mask[b / 64] = (u64)1 << b % 64;
	CHECK(vl_call_event_send(hypercall_page, (u64)a) == 0, "send failed");
	CHECK(pending(b) && arrived(50) == 49, "masked: %u interrupts", interrupts);
	page.mask[b / 64] = 0;
	clear(b);
	CHECK(devirtualize() == 0, "devirtualize failed");
	CHECK(vl_call_event_send(hypercall_page, (u64)a) == 0, "send failed");
	CHECK(pending(b) && arrived(50) == 49, "in passthrough: %u interrupts", interrupts);
	clear(b);
	guests_go_in();
	CHECK(vl_call_event_send(hypercall_page, (u64)a) == 0, "send failed");
	CHECK(pending(b) && arrived(50) == 50, "%u interrupts", interrupts);
	clear(a);
	CHECK(vl_call_event_close(hypercall_page, (u64)b) == 0, "close failed");
	CHECK(pending(a) && arrived(51) == 51, "the other end did not hear of it");
	CHECK(vl_call_event_send(hypercall_page, (u64)a) == -VL_ENOENT, "sent to nobody");
	CHECK(vl_call_event_close(hypercall_page, (u64)a) == 0, "close failed");
	end();
	if (!was)
		CHECK(devirtualize() == 0, "devirtualize failed");
}

/* The page of events stays where it is; a domain takes its end with it. */
TEST(events_and_domains, "I4 I9")
{
	static struct {
		struct vl_console_read head;
		char text[8];
	} io __attribute__((aligned(64)));
	static char typed[1024] __attribute__((aligned(1024)));
	u64 domid;
	s64 port, answer;

	guests_go_in();
	begin();
	domid = guest_make("events", 16);
	CHECK(arrived(1) == 1 && pending(VL_EVENT_VELLUM), "nobody told of the new domain");
	clear(VL_EVENT_VELLUM);
	guests_list.pfn[0] = ptr_to_pa(&page).v >> PAGE_SHIFT;
	answer = guest_give(domid, guests_first_pfn(), 1);
	CHECK(answer == -VL_EBUSY, "the page of events: give answered %ld", answer);
	port = vl_call_event_open(hypercall_page, domid);
	CHECK(port > 0, "open answered %ld", port);
	CHECK(vl_call_event_bind(hypercall_page, domid, (u64)port) == -VL_ENOENT, "bound to it");
	io.head.pos = 1;
	answer = vl_call_domain_console_read(hypercall_page, domid, ptr_to_pa(&io).v, sizeof(io));
	CHECK(answer == -VL_EINVAL, "beyond the newest byte: %ld", answer);
	io.head.pos = 0;
	answer = vl_call_domain_console_read(hypercall_page, domid, ptr_to_pa(&io).v, sizeof(io));
	CHECK(answer == 0 && io.head.end == 0 && io.head.size == 0, "console: %ld", answer);
	answer = vl_call_domain_console_write(hypercall_page, domid, ptr_to_pa(&typed).v, 1000);
	CHECK(answer == 1000, "typed %ld", answer);
	answer = vl_call_domain_console_write(hypercall_page, domid, ptr_to_pa(&typed).v, 1000);
	CHECK(answer == 24, "and typed %ld", answer);
	guest_destroy(domid);
	CHECK(arrived(2) == 2 && pending(VL_EVENT_VELLUM), "nobody told of its end");
	CHECK(vl_call_event_close(hypercall_page, (u64)port) == 0, "close failed");
	end();
	CHECK(devirtualize() == 0, "devirtualize failed");
}

/* The TSC as Vellum measured it at boot, against the interval timer. */
TEST(tsc_frequency, "I8")
{
	u64 khz = tsc_per_ms();

	guests_read_hv();
	CHECK(guests_hv.tsc_khz > khz - khz / 50 && guests_hv.tsc_khz < khz + khz / 50,
	      "%u kHz, %lu measured", guests_hv.tsc_khz, khz);
}

/* --- with another guest --- */

#define ROUNDS 200
#define LIMIT  20000 /* ms */

/* Of the line "port N". */
static u64 port_of(const struct other *g)
{
	u64 port = 0;
	u32 at = 0;

	while (at < g->length && memcmp(g->text + at, "port ", 5) != 0)
		at++;
	for (at += 5; at < g->length && g->text[at] >= '0' && g->text[at] <= '9'; at++)
		port = port * 10 + (u64)(g->text[at] - '0');
	CHECK(port > 0, "it said \"%s\"", g->text);
	return port;
}

/* What an event takes there, through the other guest, and back: both halt until it comes. */
TEST_ON_REQUEST(company_events, "U3 U4")
{
	struct other *g = other(0);
	u64 took = 0, worst = 0;
	s64 port;

	begin();
	other_start(g, "answer", "role=answer");
	other_await_text(g, "port ", LIMIT);
	other_let_run(100); /* to the end of its line, and to its HLT */
	port = vl_call_event_bind(hypercall_page, g->domid, port_of(g));
	CHECK(port > 0, "event_bind answered %ld", port);
	for (u32 i = 0; i < ROUNDS; i++) {
		u64 start = rdtsc();

		CHECK(vl_call_event_send(hypercall_page, (u64)port) == 0, "event_send");
		while (!pending(port)) {
			interrupts_on_and_halt();
			interrupts_off();
		}
		clear(port);
		start = rdtsc() - start;
		took += start;
		worst = max_u64(worst, start);
	}
	print("# an event to another domain and its answer take %lu ticks, %lu at worst\n",
	      took / ROUNDS, worst);
	CHECK(vl_call_event_close(hypercall_page, (u64)port) == 0, "event_close");
	other_destroy(g);
	end();
}
