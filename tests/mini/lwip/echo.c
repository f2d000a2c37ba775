// SPDX-License-Identifier: MIT
/*
 * The echo service (RFC 862). What came and cannot be sent yet waits, and the sender's window stays
 * as much smaller.
 */
#include <lwip/tcp.h>

#include "mini/exit.h"
#include "mini/lwip/services.h"
#include "mini/lwip/stack.h"

#define CLIENTS 4u

static struct echo {
	struct tcp_pcb *pcb; /* NULL: nobody */
	struct pbuf *waiting;
	bool ends; /* the other side sends no more */
} clients[CLIENTS];

static void end(struct echo *e)
{
	tcp_arg(e->pcb, NULL);
	tcp_recv(e->pcb, NULL);
	tcp_sent(e->pcb, NULL);
	tcp_err(e->pcb, NULL);
	if (tcp_close(e->pcb) != ERR_OK)
		panic("lwIP cannot close a connection");
	e->pcb = NULL;
}

static void push(struct echo *e)
{
	while (e->waiting != NULL && tcp_write(e->pcb, e->waiting->payload, e->waiting->len,
					       TCP_WRITE_FLAG_COPY) == ERR_OK) {
		struct pbuf *first = e->waiting;

		tcp_recved(e->pcb, first->len);
		e->waiting = first->next;
		/* Only the first one holds the others, and lets them go with itself. */
		if (e->waiting != NULL)
			pbuf_ref(e->waiting);
		pbuf_free(first);
	}
	tcp_output(e->pcb);
	if (e->waiting == NULL && e->ends)
		end(e);
}

static err_t receive(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	struct echo *e = arg;

	(void)pcb;
	(void)error;
	if (p == NULL)
		e->ends = true;
	else if (e->waiting == NULL)
		e->waiting = p;
	else
		pbuf_cat(e->waiting, p);
	push(e);
	return ERR_OK;
}

static err_t sent(void *arg, struct tcp_pcb *pcb, u16_t size)
{
	(void)pcb;
	(void)size;
	push(arg);
	return ERR_OK;
}

static void failed(void *arg, err_t error)
{
	struct echo *e = arg;

	(void)error;
	e->pcb = NULL;
	if (e->waiting != NULL)
		pbuf_free(e->waiting);
	e->waiting = NULL;
}

static err_t accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
	(void)arg;
	if (error != ERR_OK || pcb == NULL)
		return ERR_VAL;
	for (struct echo *e = clients; e < clients + CLIENTS; e++) {
		if (e->pcb != NULL)
			continue;
		*e = (struct echo){.pcb = pcb};
		tcp_arg(pcb, e);
		tcp_recv(pcb, receive);
		tcp_sent(pcb, sent);
		tcp_err(pcb, failed);
		return ERR_OK;
	}
	return ERR_MEM;
}

void echo_start(void)
{
	stack_listen(PORT_ECHO, accept);
}
