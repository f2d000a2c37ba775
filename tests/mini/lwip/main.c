// SPDX-License-Identifier: MIT
/*
 * The mini guest with lwIP: a kernel that serves by TCP, and what is done to it meanwhile its
 * command line says. It takes the place of role.c: instead of running tests it serves.
 */
#include "mini/cmdline.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/exit.h"
#include "mini/hypercall.h"
#include "mini/lwip/dual.h"
#include "mini/lwip/rounds.h"
#include "mini/lwip/services.h"
#include "mini/lwip/stack.h"
#include "mini/memory.h"
#include "mini/role.h"
#include "mini/timer.h"
#include "mini/virtual.h"

#define HZ     100u
#define BLOCKS 2000u
#define LOOK   5u /* ms between two looks at whose the machine is */

static bool owns_machine; /* by now */

bool is_later_guest(void)
{
	return (start_info->flags & VL_START_LATER) != 0 && !owns_machine;
}

static void wait_for_interrupt(void)
{
	interrupts_on_and_halt();
	interrupts_off();
}

/* The card that such a guest has; the machine's with this address, or its own. */
static const struct nic *start_nic(const u8 *mac)
{
	const struct nic *nic = is_later_guest() ? virtio_net_start(false) : e1000_start(mac);

	if (nic == NULL)
		panic("there is no network card");
	return nic;
}

static void print_address(const struct nic *nic)
{
	u32 a = stack_address();

	print("lwip: %u.%u.%u.%u by %s, %02x:%02x:%02x:%02x:%02x:%02x, line %u\n", a >> 24,
	      a >> 16 & 255, a >> 8 & 255, a & 255, nic->name, nic->mac[0], nic->mac[1],
	      nic->mac[2], nic->mac[3], nic->mac[4], nic->mac[5], nic->line);
}

static void __attribute__((noreturn)) end(void)
{
	disk_end();
	print("lwip: %u rounds, stream of %u blocks in, %u out, stall %lu us, a way %lu us, frames "
	      "%lu in, %lu out, %lu lost, "
	      "wrong: %s\n",
	      rounds_done(), stream_state.blocks_in, stream_state.blocks_out,
	      rounds_us(stream_state.stall), rounds_us(rounds_longest()), stack_frames_in(),
	      stack_frames_out(), stack_frames_lost(),
	      stream_state.wrong != NULL ? stream_state.wrong : "nothing");
	machine_exit(stream_state.wrong == NULL);
}

/* A guest that connects to another one ends with its stream. */
static bool has_done_all(bool client)
{
	return (client ? stream_state.ended > 0 : http_wants_end()) && stack_is_idle();
}

/* The heir of a first guest that is gone has lost its virtual card with that, and has the machine
 * instead: the stack goes on with the real one. The card reaches memory by its machine addresses,
 * so first all of it comes home. */
static void inherit(const struct nic *old)
{
	u64 start = rdtsc(), home;
	const struct nic *nic;
	s64 answer;

	if (vl_call_verify_image(hypercall_page) == -VL_EPERM)
		return;
	disk_end();
	answer = devirtualize();
	if (answer != 0)
		panic("devirtualize answered %ld", answer);
	home = rdtsc();
	owns_machine = true;
	nic = start_nic(old->mac);
	stack_switch(nic);
	print_address(nic);
	print("lwip: home in %lu us, the card and what is sent anew in %lu us\n",
	      rounds_us(home - start), rounds_us(rdtsc() - home));
}

/* What is done beside serving: it comes with the time, whether there is something to serve or not.
 */
static bool turn(const struct nic *nic, bool heir)
{
	static u64 looked;

	if (!is_later_guest())
		return rounds_step();
	if (heir && stack_ms() > looked + LOOK) {
		looked = stack_ms();
		inherit(nic);
	}
	return false;
}

static void serve(const struct nic *nic, bool client)
{
	char word[2];
	bool heir = cmdline_get("heir", word, sizeof(word));

	while (!has_done_all(client)) {
		bool worked = stack_poll();

		disk_poll();
		if (!turn(nic, heir) && !worked && !dual_polls())
			wait_for_interrupt();
	}
	end();
}

void role_play(void)
{
	u64 peer = 0, blocks = BLOCKS;
	const struct nic *nic = start_nic(NULL);
	bool client = cmdline_get_hex("peer", &peer);

	timer_start(HZ);
	stack_start(nic);
	while (stack_address() == 0)
		if (!stack_poll())
			wait_for_interrupt();
	rounds_start();
	if (!is_later_guest())
		dual_start(nic);
	echo_start();
	http_start();
	stream_listen();
	disk_start();
	print_address(nic);
	cmdline_get_hex("blocks", &blocks);
	if (client)
		stream_connect((u32)peer, (u32)blocks);
	serve(nic, client);
}
