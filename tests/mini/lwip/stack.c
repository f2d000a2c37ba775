// SPDX-License-Identifier: MIT
/*
 * What lwIP wants of a system, which is little without threads: the time, a network interface, and
 * to be called.
 */
#include "mini/lwip/stack.h"

#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

#include "lib/string.h"
#include "mini/cmdline.h"
#include "mini/cpu.h"
#include "mini/exit.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/tests/random.h"

#define ADDRESS    0x0a00020fu /* of the first machine on QEMU's and Bochs's own networks */
#define NETMASK    0xffffff00u
#define GATEWAY    2u
#define BATCH      32u /* frames before anything else has its turn */
#define SEND_TRIES 1000u
#define SAME_ACKS  4u

static struct netif interface;
static const struct nic *card;
static u64 frames_in, frames_out, frames_lost, khz, began, random_state;

u64 stack_ms(void)
{
	return (rdtsc() - began) / khz;
}

u64 stack_khz(void)
{
	return khz;
}

u32_t sys_now(void)
{
	return (u32_t)stack_ms();
}

unsigned int stack_random(void)
{
	return (unsigned int)(random_next(&random_state) >> 32);
}

int atoi(const char *text); /* lwIP's netif_find() wants it */
int atoi(const char *text)
{
	int value = 0;

	while (*text >= '0' && *text <= '9')
		value = value * 10 + (*text++ - '0');
	return value;
}

/* The card is given a moment; a frame that is dropped then is TCP's to repeat. */
static void *room(void)
{
	void *at = card->room();

	for (u32 i = 0; at == NULL && i < SEND_TRIES; i++) {
		asm volatile("pause");
		at = card->room();
	}
	return at;
}

static err_t output(struct netif *netif, struct pbuf *p)
{
	void *at = room();

	(void)netif;
	if (at == NULL || p->tot_len > FRAME_MOST) {
		frames_lost++;
		return ERR_BUF;
	}
	pbuf_copy_partial(p, at, p->tot_len, 0);
	card->send(p->tot_len);
	frames_out++;
	return ERR_OK;
}

static err_t begin(struct netif *netif)
{
	netif->name[0] = 'v';
	netif->name[1] = 'l';
	netif->output = etharp_output;
	netif->linkoutput = output;
	netif->mtu = 1500;
	netif->hwaddr_len = sizeof(card->mac);
	memcpy(netif->hwaddr, card->mac, sizeof(card->mac));
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP;
	return ERR_OK;
}

static u64 tsc_khz(void)
{
	static struct vl_hv_info info __attribute__((aligned(256)));

	if (vl_call_hv_info(hypercall_page, ptr_to_pa(&info).v, sizeof(info)) < 0 ||
	    info.tsc_khz == 0)
		panic("nobody knows how fast the clock is");
	return info.tsc_khz;
}

void stack_start(const struct nic *nic)
{
	u64 address = ADDRESS;
	ip4_addr_t ip, mask, gateway;
	char word[2];
	bool dhcp = cmdline_get("dhcp", word, sizeof(word));

	card = nic;
	khz = tsc_khz();
	began = rdtsc();
	random_state = began | 1;
	cmdline_get_hex("ip", &address);
	ip.addr = dhcp ? 0 : lwip_htonl((u32_t)address);
	mask.addr = dhcp ? 0 : lwip_htonl(NETMASK);
	gateway.addr = dhcp ? 0 : lwip_htonl(((u32_t)address & NETMASK) | GATEWAY);
	lwip_init();
	if (netif_add(&interface, &ip, &mask, &gateway, NULL, begin, ethernet_input) == NULL)
		panic("lwIP does not take the network card");
	netif_set_default(&interface);
	netif_set_up(&interface);
	if (dhcp && dhcp_start(&interface) != ERR_OK)
		panic("lwIP does not ask for an address");
}

/* What was on its way in the old card is gone. Both sides would find out by their timers, after a
 * second; so this side sends again all that is not acknowledged, and asks for the other's by
 * acknowledgements that are the same (RFC 5681, 3.2). */
static void mend(struct tcp_pcb *pcb)
{
	for (u32 i = 0; i < SAME_ACKS; i++)
		tcp_send_empty_ack(pcb);
	tcp_rexmit_rto(pcb);
}

/* The network learns at once where the address is now. */
void stack_switch(const struct nic *nic)
{
	if (memcmp(interface.hwaddr, nic->mac, sizeof(nic->mac)) != 0)
		panic("%s has not the address of %s", nic->name, card->name);
	card = nic;
	etharp_gratuitous(&interface);
	for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next)
		mend(pcb);
}

u32 stack_address(void)
{
	return lwip_ntohl(netif_ip4_addr(&interface)->addr);
}

struct tcp_pcb *stack_new_connection(void)
{
	struct tcp_pcb *pcb = tcp_new();

	if (pcb == NULL)
		panic("lwIP has no memory for a connection");
	return pcb;
}

void stack_listen(u16 port, tcp_accept_fn accept)
{
	struct tcp_pcb *pcb = stack_new_connection();

	if (tcp_bind(pcb, IP_ADDR_ANY, port) != ERR_OK)
		panic("lwIP does not have port %u", port);
	pcb = tcp_listen(pcb);
	if (pcb == NULL)
		panic("lwIP does not listen at port %u", port);
	tcp_accept(pcb, accept);
}

/* What finds no memory is lost on the way, as on any network. */
static void take(const void *frame, u32 size)
{
	struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)size, PBUF_POOL);

	frames_in++;
	if (p == NULL)
		return;
	pbuf_take(p, frame, (u16_t)size);
	if (interface.input(p, &interface) != ERR_OK)
		pbuf_free(p);
}

static bool take_some(const struct nic *nic)
{
	const void *frame;
	u32 size, n;

	for (n = 0; n < BATCH && (frame = nic->next(&size)) != NULL; n++) {
		take(frame, size);
		nic->give_back();
	}
	return n > 0;
}

bool stack_poll(void)
{
	bool any = take_some(card);

	sys_check_timeouts();
	return any;
}

/* What is answered goes by the new one. */
void stack_go_on(const struct nic *nic)
{
	const struct nic *old = card;

	card = nic;
	while (take_some(old))
		;
}

bool stack_is_idle(void)
{
	return tcp_active_pcbs == NULL;
}

u64 stack_frames_in(void)
{
	return frames_in;
}

u64 stack_frames_out(void)
{
	return frames_out;
}

u64 stack_frames_lost(void)
{
	return frames_lost;
}
