/* SPDX-License-Identifier: MIT */
/*
 * The kernel image's borders, as mini.lds.S sets them: text, then read-only
 * data, then data and .bss, each starting on a page of its own.
 */
#ifndef MINI_IMAGE_H
#define MINI_IMAGE_H

extern const char image_start[], text_end[], rodata_end[], image_end[];

#endif
