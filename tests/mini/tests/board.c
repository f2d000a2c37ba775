// SPDX-License-Identifier: MIT
/*
 * The platform of a domain that runs: its guest (board_code.inc) drives each device
 * and tells on its console how far it came; this one types, and answers its
 * event.
 */
#include "lib/string.h"
#include "mini/apic.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/tap.h"
#include "mini/tests/domains.h"
#include "mini/tests/later.h"
#include "mini/ticks.h"
#include "mini/timer.h"
#include "mini/virtual.h"

#define LIMIT_MS 5000u

static struct vl_event_page page __attribute__((aligned(sizeof(struct vl_event_page))));
static struct {
	struct vl_console_read head;
	char text[64];
} console __attribute__((aligned(128)));

/* All that it has printed; a word that is too long shows as wrong. */
static void read_console(u64 domid)
{
	s64 answer;

	memset(&console, 0, sizeof(console));
	answer = vl_call_domain_console_read(hypercall_page, domid, ptr_to_pa(&console).v,
					     sizeof(console) - 1);
	CHECK(answer >= 0, "domain_console_read answered %ld", answer);
}

static void wait_for_text(u64 domid, const char *text)
{
	u64 begin = rdtsc(), limit = LIMIT_MS * tsc_per_ms();

	do {
		later_spend(tsc_per_ms());
		read_console(domid);
	} while (strcmp(console.text, text) != 0 && rdtsc() - begin < limit);
	CHECK(strcmp(console.text, text) == 0, "it printed `%s', not `%s'; state %u", console.text,
	      text, later_state(domid));
}

static void type(u64 domid, const char *text)
{
	static char copy[64] __attribute__((aligned(64)));
	s64 answer;

	memcpy(copy, text, strlen(text));
	answer = vl_call_domain_console_write(hypercall_page, domid, ptr_to_pa(copy).v,
					      strlen(text));
	CHECK(answer == (s64)strlen(text), "domain_console_write answered %ld", answer);
}

TEST_ON_REQUEST(later_platform, "I4 I8 U4")
{
	static const char *const words[] = {"x", "hello ", "you there, 0123456789"};
	char expected[64] = "abcde";
	u64 begin, domid, port;
	s64 answer;

	guests_go_in();
	guests_take_frames(LATER_PAGES);
	memset(&page, 0, sizeof(page));
	CHECK(vl_call_event_setup(hypercall_page, ptr_to_pa(&page).v, 0) == 0, "event_setup");
	domid = later_create(0, 256);
	answer = vl_call_event_open(hypercall_page, domid);
	CHECK(answer > 0 && answer < 64, "event_open answered %ld", answer);
	port = (u64)answer;
	later_ready(domid, LATER_DEVICES, port, 0);
	CHECK(vl_call_domain_unpause(hypercall_page, domid) == 0, "unpause failed");
	wait_for_text(domid, "abc");
	CHECK(page.pending[0] >> port & 1, "no event: %#lx", page.pending[0]);
	CHECK(vl_call_event_send(hypercall_page, port) == 0, "event_send failed");
	wait_for_text(domid, "abcde");
	page.pending[0] = 0;
	for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
		type(domid, words[i]);
		memcpy(expected + strlen(expected), words[i], strlen(words[i]) + 1);
		wait_for_text(domid, expected);
	}
	CHECK(page.pending[0] & 1, "nobody told that the console has something new");
	type(domid, "q");
	begin = rdtsc();
	while (later_state(domid) != VL_STATE_SHUTDOWN && rdtsc() - begin < LIMIT_MS * tsc_per_ms())
		later_spend(tsc_per_ms());
	CHECK(later_state(domid) == VL_STATE_SHUTDOWN && guest_info.shutdown == VL_SHUTDOWN_REBOOT,
	      "state %u, reason %u", guest_info.state, guest_info.shutdown);
	guest_destroy(domid);
	CHECK(vl_call_event_send(hypercall_page, port) == -VL_ENOENT, "sent to nobody");
	CHECK(vl_call_event_close(hypercall_page, port) == 0, "event_close failed");
	CHECK(vl_call_event_setup(hypercall_page, 0, 0) == 0, "event_setup failed");
	guests_free_frames(LATER_PAGES);
	answer = devirtualize();
	CHECK(answer == 0, "devirtualize answered %ld", answer);
}
