/* SPDX-License-Identifier: MIT */
/*
 * A later guest whose devices come and go while it uses them (mini/role.h).
 */
#ifndef MINI_ROLE_BUSY_H
#define MINI_ROLE_BUSY_H

/* The byte that each sector of its disks is filled with when it sees them; or 0, with zeros=1. */
#define BUSY_BYTE(sector) ((unsigned char)(0x5a + (sector)))

/** For ever: begins to drive what comes, and says so; keeps all of it busy, kicks more often than
 * there is anything, and resets what is to go. What goes without being asked it forgets. */
void role_busy(void);

#endif
