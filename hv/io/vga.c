// SPDX-License-Identifier: MIT
/*
 * The VGA text screen, 80 x 25 cells of (attribute, character). Scrolls by
 * copying; keeps the hardware cursor where the text ends, so that the guest's
 * console goes on below.
 */
#include "io/console.h"

#include "lib/x86.h"

#define COLUMNS     80
#define ROWS        25
#define BLANK       0x0720 /* light grey on black, a space */
#define CRTC_INDEX  0x3d4
#define CRTC_DATA   0x3d5
#define START_HIGH  0x0c
#define START_LOW   0x0d
#define CURSOR_HIGH 0x0e
#define CURSOR_LOW  0x0f

static volatile u16 *screen;
static u32 cursor; /* cell that the next character goes to */

static void crtc_write(u8 index, u8 value)
{
	outb(CRTC_INDEX, index);
	outb(CRTC_DATA, value);
}

/* The start address, too: a guest scrolls by moving it, and a panic must be seen nevertheless. */
static void show_cursor(void)
{
	crtc_write(START_HIGH, 0);
	crtc_write(START_LOW, 0);
	crtc_write(CURSOR_HIGH, (u8)(cursor >> 8));
	crtc_write(CURSOR_LOW, (u8)cursor);
}

void vga_init(volatile u16 *cells)
{
	screen = cells;
	cursor = 0;
	for (u32 i = 0; i < COLUMNS * ROWS; i++)
		screen[i] = BLANK;
	show_cursor();
}

void vga_move(volatile u16 *cells)
{
	if (screen != NULL)
		screen = cells;
}

static void scroll(void)
{
	for (u32 i = 0; i < COLUMNS * (ROWS - 1); i++)
		screen[i] = screen[i + COLUMNS];
	for (u32 i = COLUMNS * (ROWS - 1); i < COLUMNS * ROWS; i++)
		screen[i] = BLANK;
	cursor -= COLUMNS;
}

/* Blanks the rest of the line: in a panic it may hold a guest's text. */
static void end_line(void)
{
	do
		screen[cursor++] = BLANK;
	while (cursor % COLUMNS != 0);
}

static void vga_put(char c)
{
	if (screen == NULL)
		return;
	if (c == '\n')
		end_line();
	else
		screen[cursor++] = (u16)((BLANK & 0xff00) | (u8)c);
	if (cursor >= COLUMNS * ROWS)
		scroll();
	if (c == '\n')
		show_cursor();
}

const struct log_sink vga_sink = {.put = vga_put};
