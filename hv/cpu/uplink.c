// SPDX-License-Identifier: MIT
/*
 * See cpu/uplink.h. The card is under the lock of the switch, held for a few
 * frames at a time; making and ending it is not, and is done while it is no port.
 */
#include "cpu/uplink.h"

#include "cpu/apic.h"
#include "cpu/domain_io.h"
#include "cpu/domain_platform.h"
#include "cpu/pci_owner.h"
#include "cpu/sched_host.h"
#include "io/e1000.h"
#include "irq/clock.h"
#include "lib/string.h"
#include "mem/frames.h"
#include "mem/layout.h"
#include "mem/own_tables.h"
#include "public/errno.h"

#define FRAMES_A_HOLD 4u    /* of the lock */
#define POLLS         1000u /* a second, if nothing comes; else each exit */

_Static_assert(E1000_FRAME_MOST == FRAME_MOST, "what one takes the other gives");

/* What is allocated for it. */
struct memory {
	u8 card[E1000_MEMORY];
	struct switch_queue queue;
	u8 frame[FRAME_MOST];
} __attribute__((aligned(4096)));
#define FRAMES (sizeof(struct memory) >> PAGE_SHIFT)

static struct {
	struct memory *memory; /* NULL: there is no uplink */
	u64 due;
	u32 function, port;
	struct e1000 card;
} uplink = {.due = CLOCK_NEVER};

static u32 card_read(void *context, u32 offset)
{
	return ((volatile u32 *)context)[offset / sizeof(u32)];
}

static void card_write(void *context, u32 offset, u32 value)
{
	((volatile u32 *)context)[offset / sizeof(u32)] = value;
}

static void card_pause(void *context)
{
	u64 start = rdtsc();

	(void)context;
	while (rdtsc() - start < domain_clocks_tsc_khz() / 1000)
		cpu_relax();
}

static u64 second(void)
{
	return (u64)domain_clocks_tsc_khz() * 1000;
}

/* --- frames --- */

void uplink_transmit(struct net_switch *s)
{
	u64 now = rdtsc();

	for (u32 i = 0; i < FRAMES_A_HOLD && e1000_has_room(&uplink.card, now); i++) {
		u32 size = switch_take(s, uplink.port, uplink.memory->frame);

		if (size == 0)
			return;
		e1000_send(&uplink.card, uplink.memory->frame, size, now);
	}
}

static bool copy_frame(void *context, u8 *to, u32 size)
{
	memcpy(to, context, size);
	return true;
}

static void receive(const u8 *frame, u32 size)
{
	struct frame_source f = {
		.size = size, .copy = copy_frame, .context = (void *)(uintptr_t)frame};

	memcpy(f.head, frame, FRAME_HEADER);
	domain_io_send(uplink.port, &f);
}

/* Whether there may be more. */
static bool poll(struct net_switch *s)
{
	const u8 *frame;
	size_t size;
	bool waits;

	uplink_transmit(s);
	waits = switch_peek(&uplink.memory->queue) != NULL && e1000_has_room(&uplink.card, rdtsc());
	for (u32 i = 0; i < FRAMES_A_HOLD; i++) {
		size = e1000_receive(&uplink.card, &frame);
		if (size == 0)
			return waits;
		receive(frame, (u32)size);
		e1000_received(&uplink.card);
	}
	return true;
}

u64 uplink_due(void)
{
	return __atomic_load_n(&uplink.due, __ATOMIC_RELAXED);
}

static bool poll_once(void)
{
	struct net_switch *s = domain_io_switch();
	bool more = uplink.memory != NULL && poll(s);

	domain_io_switch_done();
	return more;
}

void uplink_poll(void)
{
	bool more = poll_once();

	domain_io_switch();
	if (uplink.memory != NULL) {
		e1000_check(&uplink.card, rdtsc());
		uplink.due = rdtsc() + (more ? 0 : second() / POLLS);
	}
	domain_io_switch_done();
}

/* --- on and off --- */

static void release(struct memory *m)
{
	mfn_t first = ma_to_mfn((ma_t){(u64)m - DIRECT_BASE});

	for (u64 i = 0; i < FRAMES; i++)
		frame_free((mfn_t){first.v + i});
}

static s64 start_card(const struct pci_function *f, struct memory *m)
{
	bool has_registers = range_size(f->memory[0]) >= E1000_REGISTERS;
	volatile u32 *registers = has_registers ? own_device(f->memory[0]) : NULL;
	const struct e1000_access access = {card_read, card_write, card_pause, (void *)registers};
	s64 err;

	if (registers == NULL)
		return -VL_ENOMEM;
	pci_owner_use(f->function, VL_PCI_NET);
	err = e1000_start(&uplink.card, &access, m->card, (u64)m->card - DIRECT_BASE, second(),
			  rdtsc());
	if (err < 0)
		pci_owner_unuse(f->function);
	return err;
}

static void stop_card(u32 function)
{
	e1000_stop(&uplink.card);
	pci_owner_unuse(function);
}

/* From here on others see it. */
static s64 connect(u32 function, const char *bridge, struct memory *m)
{
	static const u8 none[MAC_SIZE]; /* the card's own may be that of the first guest's port */
	const struct switch_wish wish = {none, bridge, true, NULL, &m->queue};
	int port = switch_attach(domain_io_switch(), &wish);

	if (port >= 0) {
		uplink.function = function;
		uplink.port = (u32)port;
		uplink.memory = m;
		uplink.due = rdtsc();
	}
	domain_io_switch_done();
	return port < 0 ? port : 0;
}

static s64 make(const struct pci_function *f, const char *bridge)
{
	struct memory *m;
	mfn_t mfn;
	s64 err;

	if (!frame_alloc_run(FRAMES, &mfn))
		return -VL_ENOMEM;
	m = memset(direct(mfn_to_ma(mfn)), 0, sizeof(*m));
	err = start_card(f, m);
	if (err == 0) {
		err = connect(f->function, bridge, m);
		if (err < 0)
			stop_card(f->function);
	}
	if (err < 0)
		release(m);
	return err;
}

/* Those that wait have not set Vellum's timer for it. */
static void tell_all(void)
{
	for (u32 i = 0; i < cpu_count(); i++)
		if (cpu_by_index(i)->vcpu != NULL)
			sched_tell(cpu_by_index(i));
}

static const struct pci_function *find(u32 function)
{
	const struct pci_set *set = pci_owner_set();

	for (u32 i = 0; i < set->count; i++)
		if (set->function[i].function == function && set->function[i].kind == VL_PCI_NET)
			return &set->function[i];
	return NULL;
}

s64 uplink_on(const struct vcpu *v, u32 function, const char *bridge)
{
	const struct pci_function *f = find(function);
	s64 err;

	if (!domain_io_bridge_is_good(bridge))
		return -VL_EINVAL;
	if (f == NULL)
		return -VL_ENOENT;
	if (uplink.memory != NULL)
		return uplink.function == function ? -VL_EEXIST : -VL_ENOSPC;
	if (!apic_can_own_timer(v))
		return -VL_EOPNOTSUPP;
	err = make(f, bridge);
	if (err == 0)
		tell_all();
	return err;
}

s64 uplink_tell(u32 function, struct vl_uplink *out)
{
	const struct e1000_counts *c = &uplink.card.counts;
	const struct net_switch *s;

	if (uplink.memory == NULL || uplink.function != function)
		return -VL_ENOENT;
	s = domain_io_switch();
	e1000_check(&uplink.card, rdtsc()); /* nobody may have looked for long */
	*out = (struct vl_uplink){.link = uplink.card.link,
				  .received = c->received,
				  .received_bytes = c->received_bytes,
				  .sent = c->sent,
				  .sent_bytes = c->sent_bytes,
				  .dropped = c->dropped + s->port[uplink.port].counts.dropped,
				  .missed = c->missed,
				  .errors = c->errors,
				  .timeouts = c->timeouts};
	memcpy(out->bridge, s->port[uplink.port].name, sizeof(out->bridge));
	memcpy(out->mac, uplink.card.mac, sizeof(out->mac));
	domain_io_switch_done();
	return 0;
}

/* What came since the last look. The caller's vcpu may be who it is for, and does not run now; of
 * others, what does not fit their queues is lost. */
static void take_the_rest(void)
{
	struct vcpu *v = current_vcpu();

	domain_io_switch();
	e1000_end_receiving(&uplink.card);
	domain_io_switch_done();
	for (u32 i = 0; i <= E1000_RECEIVE / FRAMES_A_HOLD && poll_once(); i++)
		if (v != NULL)
			domain_platform_work(v);
}

void uplink_end(void)
{
	struct memory *m = uplink.memory;

	if (m == NULL)
		return;
	switch_detach(domain_io_switch(), uplink.port);
	uplink.memory = NULL;
	uplink.due = CLOCK_NEVER;
	domain_io_switch_done();
	stop_card(uplink.function);
	release(m);
}

void uplink_off(void)
{
	take_the_rest();
	uplink_end();
}
