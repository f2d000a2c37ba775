// SPDX-License-Identifier: MIT
#include "tests/unit/e1000_card.h"

#include "tests/unit/check.h"

const u8 address[E1000_MAC_SIZE] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

/* What the card reads or writes by DMA. */
static void *dma(struct card *c, u64 ma, u64 size)
{
	assert_true(ma >= MA && size <= E1000_MEMORY && ma - MA <= E1000_MEMORY - size);
	return c->memory + (ma - MA);
}

struct descriptor *descriptor(struct card *c, u32 ring, u32 i)
{
	u64 base = c->reg[ring + LOW] | (u64)c->reg[ring + HIGH] << 32;

	assert_true(c->reg[ring + LENGTH] % 128 == 0 && i < c->reg[ring + LENGTH] / 16);
	return dma(c, base + i * 16, 16);
}

static u32 next(const struct card *c, u32 ring, u32 i)
{
	return (i + 1) % (c->reg[ring + LENGTH] / 16);
}

void send_all(struct card *c)
{
	while (!c->hangs && (c->reg[TCTL] & ON) && c->reg[TX + HEAD] != c->reg[TX + TAIL]) {
		struct descriptor *d = descriptor(c, TX, c->reg[TX + HEAD]);

		assert_int_equal(d->more[TX_COMMAND], 0x0b);
		assert_true(d->length <= E1000_FRAME_MOST);
		memcpy(c->last, dma(c, d->address, d->length), d->length);
		c->last_size = d->length;
		c->nr_sent++;
		d->more[TX_STATUS] |= 1;
		c->reg[TX + HEAD] = next(c, TX, c->reg[TX + HEAD]);
	}
}

static void reset_card(struct card *c)
{
	u32 status = c->reg[STATUS];

	memset(c->reg, 0, sizeof(c->reg));
	c->reg[STATUS] = status;
	c->reg[CTRL] = (c->is_stuck ? RESET : 0) | c->keeps;
	c->resets++;
	if (c->empty)
		return;
	memcpy(&c->reg[RAL], address, 4);
	c->reg[RAH] = 0x80000000u | address[4] | (u32)address[5] << 8;
}

static u32 card_read(void *context, u32 offset)
{
	struct card *c = context;
	u32 i = offset / 4, value;

	assert_true(offset % 4 == 0 && i < SPACE);
	value = c->gone ? 0xffffffff : c->reg[i];
	if (i == MPC && !c->counts_on)
		c->reg[i] = 0;
	return value;
}

static void card_write(void *context, u32 offset, u32 value)
{
	struct card *c = context;
	u32 i = offset / 4;

	assert_true(offset % 4 == 0 && i < SPACE && i != STATUS && i != IMS);
	c->reg[i] = value;
	if (i == CTRL && (value & RESET))
		reset_card(c);
	if (i == MDIC && (value >> 16) == 0x0820)
		c->reg[i] |= 0x10001000 | (c->sleeps ? 0x0800 : 0);
	if (i == MDIC && (value >> 16) == 0x0420) {
		c->woken++;
		c->reg[i] |= 0x10000000;
		c->sleeps = value & 0x0800;
		c->reg[STATUS] = c->sleeps || !(value & 0x0200) ? 0 : LINK;
	}
	if (i == EERD && !c->dead_rom)
		c->reg[i] = 0x10 | (u32)c->rom[2 * (value >> 8 & 3)] << 16 |
			    (u32)c->rom[2 * (value >> 8 & 3) + 1] << 24;
	if (i == TX + TAIL)
		send_all(c);
}

static void card_pause(void *context)
{
	((struct card *)context)->pauses++;
}

bool arrive(struct card *c, const u8 *frame, u16 size, u8 status, u8 errors)
{
	u32 head = c->reg[RX + HEAD];
	struct descriptor *d;

	if (!(c->reg[RCTL] & ON) || head == c->reg[RX + TAIL]) {
		c->reg[MPC]++;
		return false;
	}
	d = descriptor(c, RX, head);
	if (size <= E1000_BUFFER)
		memcpy(dma(c, d->address, size), frame, size);
	d->length = size;
	d->more[RX_ERRORS] = errors;
	d->more[RX_STATUS] = status;
	c->reg[RX + HEAD] = next(c, RX, head);
	return true;
}

int start(struct fixture *f)
{
	const struct e1000_access access = {card_read, card_write, card_pause, &f->card};

	return e1000_start(&f->e, &access, f->card.memory, MA, SECOND, f->card.now);
}

/* One that its driver before has turned off. */
int start_off(struct fixture *f)
{
	f->card.reg[RCTL] = 0;
	return start(f);
}

struct fixture *begin(void)
{
	struct fixture *f = aligned_alloc(4096, (sizeof(*f) + 4095) / 4096 * 4096);

	memset(f, 0, sizeof(*f));
	memset(f->card.memory, 0xa5, sizeof(f->card.memory));
	f->card.reg[STATUS] = LINK;
	assert_int_equal(start(f), 0);
	return f;
}
