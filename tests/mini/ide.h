/* SPDX-License-Identifier: MIT */
/*
 * The machine's own disk as a driver of 1994 reads it: the first channel's second drive.
 */
#ifndef MINI_IDE_H
#define MINI_IDE_H

#include "lib/types.h"

#define IDE_SECTOR 512u

/** Read sector `lba`; false: the drive does not give it, and *status is why. */
bool ide_read_natively(u64 lba, u8 *sector, u8 *status);

#endif
