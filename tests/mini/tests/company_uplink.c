// SPDX-License-Identifier: MIT
/*
 * A network card that is Vellum's, as the uplink of other guests.
 */
#include "lib/string.h"
#include "mini/console.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/other.h"
#include "mini/paging.h"
#include "mini/pci.h"
#include "mini/role_io.h"
#include "mini/role_ping.h"
#include "mini/tap.h"
#include "mini/virtual.h"
#include "public/errno.h"

#define LIMIT   120000u /* ms */
#define SIZE    0x20000u
#define RECEIVE (0x100u / 4) /* registers of the card, words */
#define STATUS  (0x008u / 4)
#define LINK    2u

static struct vl_uplink uplink __attribute__((aligned(128)));
static struct vl_pci_taken taken __attribute__((aligned(256)));
static struct vl_device device __attribute__((aligned(128)));

static s64 call(u64 function, u64 how, const char *bridge)
{
	memset(uplink.bridge, 0, sizeof(uplink.bridge));
	memcpy(uplink.bridge, bridge, strlen(bridge));
	return vl_call_uplink(hypercall_page, function, how, ptr_to_pa(&uplink).v, sizeof(uplink));
}

static void answers(u64 function, u64 how, const char *bridge, s64 wanted)
{
	s64 answer = call(function, how, bridge);

	CHECK(answer == wanted, "uplink(%#lx, %lu, %s) answered %ld, not %ld", function, how,
	      bridge, answer, wanted);
}

static void take(u32 function)
{
	s64 answer;

	pci_write(function, PCI_COMMAND, PCI_DECODES);
	answer = vl_call_pci_take(hypercall_page, function, ptr_to_pa(&taken).v, sizeof(taken));
	CHECK(answer == 0, "pci_take answered %ld", answer);
}

static void give_back(u32 function, volatile u32 *registers)
{
	s64 answer = vl_call_pci_return(hypercall_page, function);

	CHECK(answer == 0, "pci_return answered %ld", answer);
	CHECK((pci_read(function, PCI_COMMAND) & 0xffff) == PCI_DECODES, "its commands: %#x",
	      pci_read(function, PCI_COMMAND));
	CHECK(registers[RECEIVE] == 0 && (registers[STATUS] & LINK), "registers: %#x, %#x",
	      registers[RECEIVE], registers[STATUS]);
}

static u64 partition_free(void)
{
	static struct vl_hv_info hv __attribute__((aligned(256)));

	vl_call_hv_info(hypercall_page, ptr_to_pa(&hv).v, sizeof(hv));
	return hv.partition_free;
}

/* Each argument, and that what was refused has left nothing. */
TEST_ON_REQUEST(company_uplink_calls, "U3 I7")
{
	u32 function = pci_find_card();
	volatile u32 *registers = mmio_map((pa_t){pci_read(function, PCI_BAR0) & ~15u}, SIZE);
	u64 free_before;

	answers(function, VL_UPLINK_ON, "net0", -VL_ENOENT);
	CHECK(virtualize(0) == 0, "virtualize");
	answers(function, VL_UPLINK_ON, "net0", -VL_ENOENT);
	take(function);
	free_before = partition_free();
	answers(function, 3, "net0", -VL_EINVAL);
	answers(function, VL_UPLINK_ON, "", -VL_EINVAL);
	answers(function, VL_UPLINK_KEEP, "", -VL_ENOENT);
	answers(function, VL_UPLINK_OFF, "", -VL_ENOENT);
	answers(function + 1, VL_UPLINK_ON, "net0", -VL_ENOENT);
	answers(VL_PCI_NONE, VL_UPLINK_ON, "net0", -VL_ENOENT);
	CHECK(vl_call_uplink(hypercall_page, function, VL_UPLINK_ON, ~(u64)0, sizeof(uplink)) ==
		      -VL_EFAULT,
	      "no buffer");
	CHECK(partition_free() == free_before, "a refusal took memory");
	for (u32 i = 0; i < 3; i++) {
		answers(function, VL_UPLINK_ON, "net0", 0);
		CHECK(uplink.link == 1 && uplink.mac[0] == 0x52 && uplink.received == 0,
		      "link %u, address %x", uplink.link, uplink.mac[0]);
		answers(function, VL_UPLINK_ON, "net1", -VL_EEXIST);
		CHECK(vl_call_pci_return(hypercall_page, function) == -VL_EBUSY, "in use");
		CHECK(devirtualize() == -VL_EBUSY, "devirtualize");
		answers(function, VL_UPLINK_KEEP, "", 0);
		CHECK(strcmp(uplink.bridge, "net0") == 0, "the bridge is %s", uplink.bridge);
		answers(function, VL_UPLINK_OFF, "", 0);
		CHECK(partition_free() == free_before, "memory is missing");
	}
	give_back(function, registers);
	CHECK(devirtualize() == 0, "devirtualize");
}

static void add_device(struct other *g)
{
	static const u8 prefix[] = MAC_PREFIX;

	device = (struct vl_device){.kind = VL_DEVICE_NET, .bridge = "net0"};
	memcpy(device.mac, prefix, sizeof(prefix));
	device.mac[5] = PING_MAC;
	CHECK(vl_call_device_add(hypercall_page, g->domid, ptr_to_pa(&device).v, sizeof(device)) ==
		      0,
	      "device_add");
}

TEST_ON_REQUEST(company_uplink_ping, "U3 I7")
{
	u32 function = pci_find_card();
	volatile u32 *registers = mmio_map((pa_t){pci_read(function, PCI_BAR0) & ~15u}, SIZE);
	struct other *g = other(0);

	for (u32 round = 0; round < 2; round++) {
		other_make(g, "ping", "role=ping");
		take(function);
		answers(function, VL_UPLINK_ON, "net0", 0);
		add_device(g);
		CHECK(vl_call_domain_unpause(hypercall_page, g->domid) == 0, "unpause");
		other_await(g, VL_STATE_SHUTDOWN, LIMIT);
		other_print(g);
		CHECK(other_said(g, "pinged 50 times"), "it said \"%s\"", g->text);
		answers(function, VL_UPLINK_OFF, "", 0);
		CHECK(uplink.sent == PING_COUNT + 1 && uplink.received >= PING_COUNT + 1 &&
			      uplink.dropped + uplink.missed + uplink.errors + uplink.timeouts == 0,
		      "%lu sent, %lu received, %lu dropped", uplink.sent, uplink.received,
		      uplink.dropped);
		give_back(function, registers);
		other_destroy(g);
		CHECK(devirtualize() == 0, "devirtualize");
	}
}
