// SPDX-License-Identifier: MIT
/*
 * The 8259s, in passthrough the real ones: an interrupt goes through the
 * guest's own IDT to the guest's own handler, and Vellum has no part in it.
 */
#include "mini/irq.h"

#include "mini/cpu.h"

#define MASTER        0x20
#define SLAVE         0xa0
#define DATA          1 /* offset of the mask register */
#define ICW1_INIT     0x11
#define ICW4_8086     0x01
#define CASCADE       2 /* the master's line on which the slave sits */
#define OCW2_EOI      0x20
#define OCW3_READ_IRR 0x0a
#define OCW3_READ_ISR 0x0b
#define NR_LINES      16
#define SPURIOUS      7 /* line of a request that went away, on both chips */

static trap_handler line_handlers[NR_LINES];

static u16 chip_of(u8 line)
{
	return line < 8 ? MASTER : SLAVE;
}

static bool read_bit(u8 line, u8 which)
{
	out8(chip_of(line), which);
	return (in8(chip_of(line)) >> (line % 8) & 1) != 0;
}

static void set_masked(u8 line, bool masked)
{
	u16 port = (u16)(chip_of(line) + DATA);
	u8 bit = (u8)(1u << (line % 8));
	u8 mask = in8(port);

	out8(port, masked ? mask | bit : mask & (u8)~bit);
}

static void interrupt(const struct trap_frame *frame)
{
	u8 line = (u8)(frame->vector - VECTOR_IRQ);

	if (line % 8 == SPURIOUS && !read_bit(line, OCW3_READ_ISR)) {
		if (line >= 8)
			out8(MASTER, OCW2_EOI);
		return;
	}
	if (line >= 8)
		out8(SLAVE, OCW2_EOI);
	out8(MASTER, OCW2_EOI);
	if (line_handlers[line] != NULL)
		line_handlers[line](frame);
}

static void init_chip(u16 chip, u8 vector, u8 cascade)
{
	out8(chip, ICW1_INIT);
	out8(chip + DATA, vector);
	out8(chip + DATA, cascade);
	out8(chip + DATA, ICW4_8086);
	out8(chip + DATA, 0xff);
}

void irq_init(void)
{
	init_chip(MASTER, VECTOR_IRQ, 1 << CASCADE);
	init_chip(SLAVE, VECTOR_IRQ + 8, CASCADE);
	for (u8 line = 0; line < NR_LINES; line++)
		trap_set_handler((u8)(VECTOR_IRQ + line), interrupt);
	set_masked(CASCADE, false);
}

void irq_set_handler(u8 line, trap_handler handler)
{
	line_handlers[line] = handler;
	set_masked(line, handler == NULL);
}

void irq_drain(u8 line)
{
	set_masked(line, false);
	asm volatile("sti; nop; cli" ::: "memory");
	set_masked(line, true);
}

bool irq_is_pending(u8 line)
{
	return read_bit(line, OCW3_READ_IRR);
}
