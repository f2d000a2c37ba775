// SPDX-License-Identifier: MIT
#include "mini/ide.h"

#include "mini/cpu.h"
#include "mini/timer.h"

#define ALTERNATE 0x3f6
#define BUSY      0x80u
#define REQUEST   0x08u
#define ERROR     0x01u

/* Until these bits of the status have that value, at most a second: the host reads a file. */
static void wait_for(u8 bits, u8 value)
{
	u64 late = rdtsc() + 1000 * tsc_per_ms();

	while ((in8(ALTERNATE) & bits) != value && rdtsc() < late)
		;
}

bool ide_read_natively(u64 lba, u8 *sector, u8 *status)
{
	u16 *words = (u16 *)(void *)sector;

	wait_for(BUSY, 0);
	out8(0x1f6, (u8)(0xf0 | lba >> 24));
	wait_for(BUSY, 0);
	out8(0x1f2, 1);
	out8(0x1f3, (u8)lba);
	out8(0x1f4, (u8)(lba >> 8));
	out8(0x1f5, (u8)(lba >> 16));
	out8(0x1f7, 0x20);
	wait_for(BUSY | REQUEST, REQUEST);
	*status = in8(0x1f7);
	if ((*status & (BUSY | REQUEST | ERROR)) != REQUEST)
		return false;
	for (u32 i = 0; i < IDE_SECTOR / 2; i++)
		words[i] = in16(0x1f0);
	return true;
}
