/* SPDX-License-Identifier: MIT */
/*
 * A guest whose memory moves under it (role=heir, live).
 */
#ifndef MINI_LIVE_H
#define MINI_LIVE_H

/** Fill the piece of memory with what is checked later. */
void live_begin(void);

/**
 * While Vellum brings this kernel's memory home: check and change all of a large piece of it, again
 * and again, until it is said to be at home; with interrupts off but for a moment each page. Prints
 * next to nothing: a line of text takes a tick of the timer and more.
 */
void live_home(void);

/**
 * Prints how much was changed meanwhile, and for how long nothing was, and checks all once more;
 * panics if anything is wrong.
 */
void live_check(void);

#endif
