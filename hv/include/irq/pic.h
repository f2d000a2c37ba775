/* SPDX-License-Identifier: MIT */
/*
 * Model of the PC's two cascaded 8259A interrupt controllers (Intel 8259A data
 * sheet, order number 231468) with the edge/level registers that the PIIX
 * added. Pure: it has lines, ports and the INT output, and no idea of a CPU.
 */
#ifndef VELLUM_IRQ_PIC_H
#define VELLUM_IRQ_PIC_H

#include "lib/types.h"

#define PIC_MASTER       0x20 /* command port; the data port is the next one */
#define PIC_SLAVE        0xa0
#define PIC_ELCR         0x4d0 /* edge/level control of the master; the slave's is the next one */
#define PIC_CASCADE      2     /* the master's line on which the slave sits */
#define NR_PIC_LINES     16
#define PIC_LINES_A_CHIP 8

/* Commands: bits 4 and 3 tell them apart. */
#define PIC_COMMAND_KIND        0x18
#define PIC_OCW2                0x00
#define PIC_OCW2_ACTION         0xe0
#define PIC_OCW2_EOI            0x20
#define PIC_OCW2_EOI_LINE       0x60 /* | line of the chip */
#define PIC_OCW2_AUTO_ROTATE    0x80
#define PIC_OCW2_SET_LOWEST     0xc0 /* | line of the chip */
#define PIC_OCW3                0x08
#define PIC_OCW3_READ_IRR       0x0a
#define PIC_OCW3_READ_ISR       0x0b
#define PIC_OCW3_POLL           0x0c
#define PIC_OCW3_SETS_MASK_MODE 0x40
#define PIC_OCW3_SPECIAL_MASK   0x68

#define PIC_POLL_REQUEST 0x80 /* in what a poll reads: there is one, bits 2:0 are its line */

/** One 8259A. Bit n of a byte belongs to line n of the chip. */
struct pic_chip {
	u8 line;     /* the inputs as they are */
	u8 edge;     /* risen, not yet acknowledged, not gone low since */
	u8 isr;      /* in service */
	u8 imr;      /* masked */
	u8 elcr;     /* level-triggered */
	u8 vector;   /* of line 0; ICW2 */
	u8 lowest;   /* line with the lowest priority; 7 unless rotated */
	u8 next_icw; /* initialisation word that the data port expects: 2, 3, 4; 0: none */
	bool wants_icw4;
	bool single;       /* ICW1: no cascade */
	bool level;        /* ICW1: all lines level-triggered */
	bool cascaded;     /* master, ICW3: the slave is on PIC_CASCADE */
	bool auto_eoi;     /* ICW4 */
	bool fully_nested; /* ICW4: special fully nested mode, for a master */
	bool auto_rotate;  /* OCW2: rotate at each automatic EOI */
	bool special_mask; /* OCW3 */
	bool read_isr;     /* OCW3: the command port reads ISR, else IRR */
	bool poll;         /* OCW3: the next read is an acknowledge */
};

/** The pair; chip[0] is the master. */
struct pic {
	struct pic_chip chip[2];
};

/** What a BIOS leaves: vectors 0x08 and 0x70, cascaded, all lines masked and edge-triggered. */
void pic_reset(struct pic *pic);

/** Set line 0 .. 15 high or low; line 2 is the cascade and is ignored. */
void pic_set_line(struct pic *pic, u8 line, bool high);

/** The chip, 0 or 1, that one of the six ports belongs to. */
static inline u32 pic_chip_of(u16 port)
{
	return port >= PIC_ELCR ? port - PIC_ELCR : port >= PIC_SLAVE;
}

/** A byte written to or read from one of the six ports. Reads have effects in poll mode. */
void pic_write(struct pic *pic, u16 port, u8 value);
u8 pic_read(struct pic *pic, u16 port);

/** The INT output to the CPU. */
bool pic_output(const struct pic *pic);

/** The CPU's acknowledge sequence: the vector. Without a request it is that of a line 7. */
u8 pic_acknowledge(struct pic *pic);

/** Put a line of one chip into service, as its acknowledge does, whether it requests or not. */
void pic_take(struct pic_chip *chip, u8 line);

/** The line of one chip that it requests an interrupt for; -1: none. */
int pic_request(const struct pic_chip *chip);

/** Interrupt request register of one chip. */
u8 pic_irr(const struct pic_chip *chip);

#endif
