// SPDX-License-Identifier: MIT
#include "mini/lwip/dual.h"

#include "lib/string.h"
#include "mini/cmdline.h"
#include "mini/exit.h"
#include "mini/hypercall.h"
#include "mini/lwip/stack.h"
#include "mini/memory.h"

#define BRIDGE "net0"
#define LINE   5u /* of the device's, which makes no interrupts */

static const struct nic *card;
static u32 function; /* of the card */
static bool wanted, lent;

static s64 must(const char *what, s64 answer)
{
	if (answer < 0)
		panic("%s answered %ld", what, answer);
	return answer;
}

void dual_start(const struct nic *nic)
{
	char word[8] = "";

	wanted = cmdline_get("dual", word, sizeof(word));
	card = nic;
	if (wanted && strcmp(word, "reset") != 0)
		e1000_hear_all();
}

bool dual_is_wanted(void)
{
	return wanted;
}

static const struct nic *add_virtual(void)
{
	static struct vl_device device __attribute__((aligned(128)));
	const struct nic *nic;

	device = (struct vl_device){.kind = VL_DEVICE_NET, .bridge = BRIDGE, .line = LINE};
	memcpy(device.mac, card->mac, sizeof(device.mac));
	must("device_add",
	     vl_call_device_add(hypercall_page, 0, ptr_to_pa(&device).v, sizeof(device)));
	nic = virtio_net_start(true);
	if (nic == NULL)
		panic("the virtual card is not there");
	return nic;
}

void dual_take(void)
{
	static struct vl_pci_taken taken __attribute__((aligned(256)));
	static struct vl_uplink uplink __attribute__((aligned(128))) = {.bridge = BRIDGE};
	const struct nic *nic = add_virtual();

	function = e1000_lend();
	must("pci_take",
	     vl_call_pci_take(hypercall_page, function, ptr_to_pa(&taken).v, sizeof(taken)));
	must("uplink", vl_call_uplink(hypercall_page, function, VL_UPLINK_ON, ptr_to_pa(&uplink).v,
				      sizeof(uplink)));
	stack_go_on(nic);
	lent = true;
}

void dual_return(void)
{
	static struct vl_uplink uplink __attribute__((aligned(128)));

	must("uplink off", vl_call_uplink(hypercall_page, function, VL_UPLINK_OFF,
					  ptr_to_pa(&uplink).v, sizeof(uplink)));
	must("pci_return", vl_call_pci_return(hypercall_page, function));
	e1000_resume();
	stack_go_on(card);
	while (must("device_remove", vl_call_device_remove(hypercall_page, 0, 0, VL_REMOVE_NOW)) >
	       0)
		;
	lent = false;
}

bool dual_polls(void)
{
	return lent;
}
