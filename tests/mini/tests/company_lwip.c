// SPDX-License-Identifier: MIT
/*
 * The machine's network card is Vellum's, as the uplink of another guest with lwIP (the initrd is
 * its file), which talks to the outside by its virtio device. In the middle of that it inherits the
 * machine, and goes on with the card itself.
 */
#include "lib/string.h"
#include "mini/console.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/other.h"
#include "mini/pci.h"
#include "mini/role_io.h"
#include "mini/tap.h"
#include "public/errno.h"

#define LIMIT  600000u /* ms; the outside has its own time */
#define BRIDGE "net0"

static struct vl_pci_taken taken __attribute__((aligned(256)));
static struct vl_uplink uplink __attribute__((aligned(128)));
static struct vl_device device __attribute__((aligned(128)));

static void make_uplink(void)
{
	u32 function = pci_find_card();
	s64 answer;

	pci_write(function, PCI_COMMAND, PCI_DECODES);
	answer = vl_call_pci_take(hypercall_page, function, ptr_to_pa(&taken).v, sizeof(taken));
	CHECK(answer == 0, "pci_take answered %ld", answer);
	memcpy(uplink.bridge, BRIDGE, sizeof(BRIDGE));
	answer = vl_call_uplink(hypercall_page, function, VL_UPLINK_ON, ptr_to_pa(&uplink).v,
				sizeof(uplink));
	CHECK(answer == 0, "uplink answered %ld", answer);
}

static void add_device(const struct other *g)
{
	static const u8 prefix[] = MAC_PREFIX;
	s64 answer;

	device = (struct vl_device){.kind = VL_DEVICE_NET, .bridge = BRIDGE};
	memcpy(device.mac, prefix, sizeof(prefix));
	device.mac[5] = MAC_ECHO;
	answer = vl_call_device_add(hypercall_page, g->domid, ptr_to_pa(&device).v, sizeof(device));
	CHECK(answer == 0, "device_add answered %ld", answer);
}

TEST_ON_REQUEST(company_lwip_outside, "M19 U6 I7")
{
	struct other *g = other(0);
	s64 answer;

	other_scatter(rdtsc() | 1, OTHER_ANYWHERE);
	other_make(g, "server", "ip=a00020f heir rounds=a stay=a");
	make_uplink();
	add_device(g);
	answer = vl_call_domain_unpause(hypercall_page, g->domid);
	CHECK(answer == 0, "domain_unpause answered %ld", answer);
	other_await_text(g, "by virtio", LIMIT);
	other_print(g);
	other_await_text(g, "stream: 500 blocks", LIMIT);
	do
		answer = vl_call_hand_over(hypercall_page, g->domid, VL_REMAP_USUAL);
	while (answer == -VL_EAGAIN);
	test_fail("hand_over answered %ld", answer);
}
