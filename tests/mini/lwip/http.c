// SPDX-License-Identifier: MIT
/*
 * A web server with one page, which is made for each request, and one request a connection.
 */
#include <lwip/tcp.h>

#include "lib/print.h"
#include "lib/string.h"
#include "mini/cpu.h"
#include "mini/exit.h"
#include "mini/lwip/rounds.h"
#include "mini/lwip/services.h"
#include "mini/lwip/stack.h"
#include "mini/virtual.h"

#define PAGE_MOST 1024u

static bool end_wanted;

bool http_wants_end(void)
{
	return end_wanted;
}

static int make_page(char *page)
{
	return vl_snprintf(
		page, PAGE_MOST,
		"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
		"<!DOCTYPE html>\n<title>Vellum's mini guest</title>\n<h1>lwIP on "
		"Vellum</h1>\n<pre>\n"
		"mode: %s\nuptime: %lu ms\nrounds: %u\nframes: %lu in, %lu out, %lu lost\n"
		"stream: %u blocks in, %u out\nstall: %lu us\nwrong: %s\n</pre>\n",
		is_virtualized() ? "virtualized" : "passthrough", stack_ms(), rounds_done(),
		stack_frames_in(), stack_frames_out(), stack_frames_lost(), stream_state.blocks_in,
		stream_state.blocks_out, rounds_us(stream_state.stall),
		stream_state.wrong != NULL ? stream_state.wrong : "nothing");
}

static void answer(struct tcp_pcb *pcb, const char *request)
{
	static const char none[] =
		"HTTP/1.0 404 Not Found\r\nConnection: close\r\n\r\nThere is one page: /\n";
	static char page[PAGE_MOST];
	bool end = strncmp(request, "GET /end ", 9) == 0;
	err_t error;

	if (end || strncmp(request, "GET / ", 6) == 0)
		error = tcp_write(pcb, page, (u16_t)make_page(page), TCP_WRITE_FLAG_COPY);
	else
		error = tcp_write(pcb, none, sizeof(none) - 1, 0);
	if (error != ERR_OK || tcp_close(pcb) != ERR_OK)
		panic("lwIP cannot send a page");
	end_wanted |= end;
}

/* A request whose first line does not come in one piece is none of a browser's. */
static err_t receive(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	char request[16] = "";

	(void)arg;
	(void)error;
	tcp_recv(pcb, NULL);
	if (p != NULL) {
		pbuf_copy_partial(p, request, sizeof(request) - 1, 0);
		tcp_recved(pcb, p->tot_len);
		pbuf_free(p);
	}
	answer(pcb, request);
	return ERR_OK;
}

static err_t accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
	(void)arg;
	if (error != ERR_OK || pcb == NULL)
		return ERR_VAL;
	tcp_recv(pcb, receive);
	return ERR_OK;
}

void http_start(void)
{
	stack_listen(PORT_HTTP, accept);
}
