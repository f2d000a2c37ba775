// SPDX-License-Identifier: MIT
/*
 * The IDE driver, see io/ide.h. In this order: registers; the end of an
 * operation, and what goes wrong; resets; the beginning of one; data by programmed I/O and
 * by bus mastering; what a drive says of itself; the caller's side.
 */
#include "io/ide.h"

#include "lib/string.h"
#include "public/errno.h"

enum ide_state {
	STATE_IDLE,
	STATE_BUS,     /* the drive that was selected last has to let go of the bus */
	STATE_DRIVE,   /* the drive that is wanted now has to be ready */
	STATE_DMA,     /* data goes by bus mastering */
	STATE_IN,      /* a sector is to come, */
	STATE_OUT,     /* or to go, by programmed I/O */
	STATE_END,     /* nothing but the drive's answer is to come */
	STATE_HOLD,    /* the reset bit is set */
	STATE_RECOVER, /* and was cleared */
};

/* Offsets in the command block. */
#define REG_DATA    0
#define REG_ERROR   1
#define REG_COUNT   2
#define REG_LOW     3
#define REG_MID     4
#define REG_HIGH    5
#define REG_DEVICE  6
#define REG_STATUS  7
#define REG_COMMAND 7

#define STATUS_ERROR 0x01u
#define STATUS_DRQ   0x08u
#define STATUS_FAULT 0x20u
#define STATUS_BUSY  0x80u
#define STATUS_NONE  0xffu /* no drive holds the lines */
#define ERROR_CRC    0x80u /* on the cable */

#define CONTROL_USUAL 0x08u /* a bit that was reserved as 1 once */
#define CONTROL_NIEN  0x02u
#define CONTROL_RESET 0x04u

#define DEVICE_LBA 0xe0u
#define SECOND     0x10u

#define MASTER_COMMAND 0
#define MASTER_STATUS  2
#define MASTER_TABLE   4
#define MASTER_START   0x01u
#define MASTER_TO_RAM  0x08u
#define MASTER_ACTIVE  0x01u
#define MASTER_ERROR   0x02u
#define MASTER_INT     0x04u
#define MASTER_DRIVES  0x60u /* what firmware notes there */
#define PRD_LAST       0x80000000u

#define LBA28            ((u64)1 << 28)
#define PATIENCE_MS      10000u
#define HOLD_MS          1u
#define RECOVER_MS       3u
#define MOST_DMA_FAILURE 3u
#define STEPS            6u /* of a poll, as long as none has to wait and no data is copied */

/* --- registers --- */

static u8 get(const struct ide_channel *c, u16 port)
{
	return (u8)c->machine->in(c->machine->context, port, 1);
}

static void put(const struct ide_channel *c, u16 port, u32 value)
{
	c->machine->out(c->machine->context, port, 1, value);
}

/* The one at the control block's place: reading it acknowledges no interrupt, and takes as long as
 * a drive may need to answer (400 ns, a port's access being 100 at least). */
static u8 status(const struct ide_channel *c)
{
	for (u32 i = 0; i < 4; i++)
		get(c, c->control);
	return get(c, c->control);
}

static bool is_ready(u8 s)
{
	return !(s & (STATUS_BUSY | STATUS_DRQ));
}

static u64 in_ms(const struct ide_channel *c, u32 ms)
{
	return c->machine->now(c->machine->context) + ms * c->machine->ticks_per_ms;
}

static bool is_late(const struct ide_channel *c)
{
	return c->machine->now(c->machine->context) >= c->deadline;
}

static void go_to(struct ide_channel *c, enum ide_state state, u32 ms)
{
	c->state = state;
	c->deadline = in_ms(c, ms);
}

/* --- ends --- */

static void unlink_op(struct ide_channel *c, struct ide_op *op)
{
	struct ide_op *before = NULL;

	for (struct ide_op *i = c->first; i != op; i = i->next)
		before = i;
	if (before != NULL)
		before->next = op->next;
	else
		c->first = op->next;
	if (c->last == op)
		c->last = before;
	op->next = NULL;
	op->waits = false;
}

static void finish(struct ide_channel *c, int result)
{
	c->first->result = result;
	unlink_op(c, c->first);
	c->state = STATE_IDLE;
}

static void count(struct ide_channel *c, enum ide_kind kind)
{
	c->counts.reads += kind == IDE_READ;
	c->counts.writes += kind == IDE_WRITE;
	c->counts.flushes += kind == IDE_FLUSH;
}

static void succeed(struct ide_channel *c)
{
	struct ide_op *op = c->first;
	const struct ide_drive *d = &c->drive[op->drive];

	if (op->kind == IDE_WRITE && op->through && d->cached && !op->flushes) {
		op->flushes = true;
		go_to(c, STATE_BUS, PATIENCE_MS);
		return;
	}
	count(c, op->kind);
	finish(c, 0);
}

static void stop_master(const struct ide_channel *c)
{
	if (c->master != 0)
		put(c, c->master + MASTER_COMMAND, 0);
}

static void reset(struct ide_channel *c)
{
	stop_master(c);
	c->counts.resets++;
	put(c, c->control, CONTROL_USUAL | CONTROL_NIEN | CONTROL_RESET);
	go_to(c, STATE_HOLD, HOLD_MS);
}

static bool uses_master(const struct ide_channel *c, const struct ide_op *op)
{
	return c->by_dma && (op->kind == IDE_READ || op->kind == IDE_WRITE) && !op->flushes;
}

/* It is done again without, behind the reset. */
static void dma_failed(struct ide_channel *c)
{
	struct ide_drive *d = &c->drive[c->first->drive];

	c->counts.dma_failures++;
	if (++d->dma_failures >= MOST_DMA_FAILURE)
		d->dma = false;
	c->first->by_pio = true;
	reset(c);
}

static void time_out(struct ide_channel *c)
{
	if (c->state == STATE_DMA) {
		dma_failed(c);
		return;
	}
	c->counts.timeouts++;
	finish(c, -VL_ETIMEDOUT);
	reset(c);
}

static void drive_failed(struct ide_channel *c)
{
	u8 error = get(c, c->command + REG_ERROR);

	stop_master(c);
	if (uses_master(c, c->first) && (error & ERROR_CRC)) {
		dma_failed(c);
		return;
	}
	c->counts.errors += c->first->kind != IDE_IDENTIFY;
	finish(c, c->first->kind == IDE_IDENTIFY ? -VL_ENODEV : -VL_EIO);
}

static bool has_failed(u8 s)
{
	return s & (STATUS_ERROR | STATUS_FAULT);
}

/* --- resets --- */

static void hold(struct ide_channel *c)
{
	if (!is_late(c))
		return;
	put(c, c->control, CONTROL_USUAL | CONTROL_NIEN);
	go_to(c, STATE_RECOVER, PATIENCE_MS);
}

/* For the first milliseconds its status means nothing. A drive that never recovers lets the next
 * operation time out. */
static void recover(struct ide_channel *c)
{
	u64 early = (PATIENCE_MS - RECOVER_MS) * c->machine->ticks_per_ms;

	if (c->machine->now(c->machine->context) + early < c->deadline)
		return;
	if (!(status(c) & STATUS_BUSY) || is_late(c))
		c->state = STATE_IDLE;
}

/* --- beginnings --- */

static void select_drive(struct ide_channel *c)
{
	u8 s = status(c);

	if (is_ready(s) || s == STATUS_NONE) {
		put(c, c->command + REG_DEVICE, DEVICE_LBA | (c->first->drive ? SECOND : 0));
		go_to(c, STATE_DRIVE, PATIENCE_MS);
	}
}

/* In pairs: with a sector's number of 28 bits, and of 48. */
static u8 code_of(const struct ide_channel *c, const struct ide_op *op, bool wide)
{
	static const u8 codes[][2] = {{0x20, 0x24}, {0xc8, 0x25}, {0x30, 0x34}, {0xca, 0x35}};

	if (op->kind == IDE_IDENTIFY)
		return 0xec;
	if (op->kind == IDE_FLUSH || op->flushes)
		return c->drive[op->drive].flush_ext ? 0xea : 0xe7;
	return codes[(op->kind == IDE_WRITE ? 2 : 0) + c->by_dma][wide];
}

static void put_sectors(const struct ide_channel *c, const struct ide_op *op, bool wide)
{
	if (wide) {
		put(c, c->command + REG_COUNT, 0);
		put(c, c->command + REG_LOW, (u8)(op->lba >> 24));
		put(c, c->command + REG_MID, (u8)(op->lba >> 32));
		put(c, c->command + REG_HIGH, (u8)(op->lba >> 40));
	} else {
		put(c, c->command + REG_DEVICE,
		    DEVICE_LBA | (op->drive ? SECOND : 0) | (u32)(op->lba >> 24 & 0xf));
	}
	put(c, c->command + REG_COUNT, op->sectors);
	put(c, c->command + REG_LOW, (u8)op->lba);
	put(c, c->command + REG_MID, (u8)(op->lba >> 8));
	put(c, c->command + REG_HIGH, (u8)(op->lba >> 16));
}

static void prepare_master(const struct ide_channel *c, const struct ide_op *op)
{
	u32 bytes = op->sectors * IDE_SECTOR, n = 0;

	for (u32 at = 0; at < bytes; at += (u32)PAGE_SIZE, n++) {
		u32 size = (u32)min_u64(bytes - at, PAGE_SIZE);

		c->prd[2 * n] = (u32)(op->ma + at);
		c->prd[2 * n + 1] = size | (at + size == bytes ? PRD_LAST : 0);
	}
	put(c, c->master + MASTER_COMMAND, op->kind == IDE_READ ? MASTER_TO_RAM : 0);
	put(c, c->master + MASTER_STATUS,
	    (get(c, c->master + MASTER_STATUS) & MASTER_DRIVES) | MASTER_ERROR | MASTER_INT);
	c->machine->out(c->machine->context, c->master + MASTER_TABLE, 4, (u32)c->prd_ma);
}

static void issue(struct ide_channel *c, struct ide_op *op)
{
	bool has_data = !op->flushes && op->kind != IDE_FLUSH;
	bool wide = op->lba + op->sectors > LBA28;
	enum ide_state state = STATE_END;

	c->at = 0;
	c->by_dma = op->kind != IDE_IDENTIFY && c->master != 0 && c->drive[op->drive].dma &&
		    !op->by_pio;
	if (has_data && op->kind != IDE_IDENTIFY)
		put_sectors(c, op, wide);
	if (has_data)
		state = uses_master(c, op)      ? STATE_DMA
			: op->kind == IDE_WRITE ? STATE_OUT
						: STATE_IN;
	if (state == STATE_DMA)
		prepare_master(c, op);
	put(c, c->command + REG_COMMAND, code_of(c, op, wide));
	if (state == STATE_DMA)
		put(c, c->master + MASTER_COMMAND,
		    MASTER_START | (op->kind == IDE_READ ? MASTER_TO_RAM : 0));
	go_to(c, state, PATIENCE_MS);
}

/* A drive that is not there leaves the lines as they are, or says nothing at all. */
static void start(struct ide_channel *c)
{
	struct ide_op *op = c->first;
	u8 s = status(c);

	if (op->kind == IDE_IDENTIFY && (s == STATUS_NONE || s == 0))
		finish(c, -VL_ENODEV);
	else if (is_ready(s))
		issue(c, op);
}

/* --- data --- */

static u16 get16(const struct ide_channel *c)
{
	return (u16)c->machine->in(c->machine->context, c->command + REG_DATA, 2);
}

static void take_sector(struct ide_channel *c, u8 *to)
{
	for (u32 i = 0; i < IDE_SECTOR; i += 2) {
		u16 word = get16(c);

		memcpy(to + i, &word, sizeof(word));
	}
	c->at++;
}

static void give_sector(struct ide_channel *c, const u8 *from)
{
	for (u32 i = 0; i < IDE_SECTOR; i += 2) {
		u16 word;

		memcpy(&word, from + i, sizeof(word));
		c->machine->out(c->machine->context, c->command + REG_DATA, 2, word);
	}
	c->at++;
}

/* Reading the status ends the drive's interrupt, though it reaches nobody. */
static bool answers(struct ide_channel *c, u8 *s)
{
	if (status(c) & STATUS_BUSY)
		return false;
	*s = get(c, c->command + REG_STATUS);
	return !(*s & STATUS_BUSY);
}

/* It answers, and has not failed. */
static bool goes_on(struct ide_channel *c, u8 *s)
{
	if (!answers(c, s))
		return false;
	if (has_failed(*s))
		drive_failed(c);
	return !has_failed(*s);
}

static void learn(struct ide_channel *c, const struct ide_op *op);

static void data_in(struct ide_channel *c)
{
	struct ide_op *op = c->first;
	u8 s;

	if (!goes_on(c, &s))
		return;
	if (op->kind == IDE_IDENTIFY && s == 0) {
		finish(c, -VL_ENODEV);
	} else if (s & STATUS_DRQ) {
		take_sector(c, op->data + c->at * IDE_SECTOR);
		go_to(c, c->at == op->sectors ? STATE_END : STATE_IN, PATIENCE_MS);
	}
}

static void data_out(struct ide_channel *c)
{
	struct ide_op *op = c->first;
	u8 s;

	if (!goes_on(c, &s) || !(s & STATUS_DRQ))
		return;
	give_sector(c, op->data + c->at * IDE_SECTOR);
	go_to(c, c->at == op->sectors ? STATE_END : STATE_OUT, PATIENCE_MS);
}

static void end(struct ide_channel *c)
{
	u8 s;

	if (!answers(c, &s) || (s & STATUS_DRQ))
		return;
	if (has_failed(s)) {
		drive_failed(c);
		return;
	}
	if (c->first->kind == IDE_IDENTIFY)
		learn(c, c->first);
	succeed(c);
}

/* A drive that wants data when the table has no more was given too little; one that is done while
 * the table has some left has the time to say so. */
static void dma(struct ide_channel *c)
{
	u8 m = get(c, c->master + MASTER_STATUS), s;

	if (!answers(c, &s))
		return;
	if (has_failed(s)) {
		drive_failed(c);
	} else if ((m & MASTER_ERROR) || (!(m & MASTER_ACTIVE) && (s & STATUS_DRQ))) {
		dma_failed(c);
	} else if (is_ready(s) && !(m & MASTER_ACTIVE)) {
		stop_master(c);
		succeed(c);
	}
}

/* --- what a drive says of itself --- */

static u16 word_of(const u8 *data, u32 index)
{
	return (u16)(data[2 * index] | data[2 * index + 1] << 8);
}

static void copy_model(char *to, const u8 *data)
{
	u32 n = IDE_MODEL_SIZE - 1;

	for (u32 i = 0; i < n; i++) {
		char letter = (char)data[54 + (i ^ 1)];

		to[i] = letter > ' ' && letter <= '~' ? letter : ' ';
	}
	while (n > 0 && to[n - 1] == ' ')
		n--;
	to[n] = 0;
}

/* Words as in ATA-7, 6.17; those from 82 on say something only if bits 15 and 14 of 83 are 01. */
static void learn(struct ide_channel *c, const struct ide_op *op)
{
	struct ide_drive *d = &c->drive[op->drive];
	const u8 *data = op->data;
	u16 sets = word_of(data, 83), modes = (word_of(data, 53) & 4) ? word_of(data, 88) : 0;
	bool told = (sets & 0xc000) == 0x4000;

	*d = (struct ide_drive){.present = true};
	copy_model(d->model, data);
	d->sectors = min_u64(word_of(data, 60) | (u32)word_of(data, 61) << 16, LBA28);
	d->lba48 = told && (sets & 1u << 10);
	if (d->lba48)
		d->sectors = word_of(data, 100) | (u64)word_of(data, 101) << 16 |
			     (u64)word_of(data, 102) << 32;
	d->dma = (word_of(data, 49) & 1u << 8) && ((word_of(data, 63) & 0x700) || (modes & 0x7f00));
	d->flush = told && (sets & 1u << 12);
	d->flush_ext = told && (sets & 1u << 13);
	d->cached = !told || (word_of(data, 85) & 1u << 5) || (word_of(data, 82) & 1u << 5);
}

/* --- the caller's side --- */

static void step(struct ide_channel *c)
{
	static void (*const steps[])(struct ide_channel *) = {
		[STATE_BUS] = select_drive, [STATE_DRIVE] = start,     [STATE_DMA] = dma,
		[STATE_IN] = data_in,       [STATE_OUT] = data_out,    [STATE_END] = end,
		[STATE_HOLD] = hold,        [STATE_RECOVER] = recover,
	};
	u32 state = c->state;
	bool late = is_late(c);

	steps[state](c);
	if (late && c->state == state && state != STATE_HOLD && state != STATE_RECOVER)
		time_out(c);
}

bool ide_poll(struct ide_channel *c)
{
	bool moves = true;

	for (u32 i = 0; i < STEPS && moves; i++) {
		u32 state, at = c->at;

		if (c->state == STATE_IDLE && c->first != NULL)
			go_to(c, STATE_BUS, PATIENCE_MS);
		state = c->state;
		if (state != STATE_IDLE)
			step(c);
		moves = c->state != state && c->at <= at;
	}
	return c->state != STATE_IDLE || c->first != NULL;
}

static int check(const struct ide_channel *c, const struct ide_op *op)
{
	const struct ide_drive *d = &c->drive[op->drive % IDE_DRIVES];
	bool moves = op->kind == IDE_READ || op->kind == IDE_WRITE;

	if (op->drive >= IDE_DRIVES || (op->kind != IDE_IDENTIFY && !d->present))
		return -VL_ENODEV;
	if (moves && (op->sectors == 0 || op->sectors > IDE_MOST || op->lba > d->sectors ||
		      op->sectors > d->sectors - op->lba))
		return -VL_EINVAL;
	return 0;
}

static bool must_flush(const struct ide_op *op)
{
	return op->kind == IDE_FLUSH || (op->kind == IDE_WRITE && op->through);
}

int ide_submit(struct ide_channel *c, struct ide_op *op)
{
	const struct ide_drive *d = &c->drive[op->drive % IDE_DRIVES];
	int err = check(c, op);

	if (err < 0)
		return err;
	op->next = NULL;
	op->by_pio = op->flushes = op->waits = false;
	op->result = 0;
	if (must_flush(op) && d->cached && !d->flush && !d->flush_ext) {
		op->result = -VL_EOPNOTSUPP;
		return 0;
	}
	if (op->kind == IDE_FLUSH && !d->cached)
		return 0;
	if (op->kind == IDE_IDENTIFY)
		op->sectors = 1;
	op->waits = true;
	if (c->last != NULL)
		c->last->next = op;
	else
		c->first = op;
	c->last = op;
	return 0;
}

void ide_cancel(struct ide_channel *c, struct ide_op *op)
{
	bool first = op->waits && c->first == op;

	if (op->waits)
		unlink_op(c, op);
	if (first && (c->state == STATE_BUS || c->state == STATE_DRIVE))
		c->state = STATE_IDLE;
	else if (first && c->state >= STATE_DMA && c->state <= STATE_END)
		reset(c);
}

void ide_begin(struct ide_channel *c)
{
	c->first = c->last = NULL;
	c->state = STATE_IDLE;
	stop_master(c);
	put(c, c->control, CONTROL_USUAL | CONTROL_NIEN);
}

void ide_end(struct ide_channel *c)
{
	get(c, c->command + REG_STATUS);
	put(c, c->control, CONTROL_USUAL);
}
