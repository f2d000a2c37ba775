/* SPDX-License-Identifier: MIT */
/*
 * bzImages with a payload, packed in each of the formats that Linux knows and
 * laid out as its build does.
 */
#ifndef VELLUM_TESTS_UNIT_PACKED_H
#define VELLUM_TESTS_UNIT_PACKED_H

#include "dom-tools/image/payload.h"

/** Where the payload of packed_bzimage() starts, in the file. */
#define PACKED_PAYLOAD 0x900

/** Room that the packed form of `size` bytes may need, and the bzImage around it. */
#define PACKED_ROOM(size) ((size) + (size) / 4 + 8192)

/**
 * Pack `size` bytes at `data` into `out`, which has PACKED_ROOM(size). Returns the packed size. The
 * size field is behind the data where Linux puts it there.
 */
size_t packed(enum payload_format format, const void *data, size_t size, uint8_t *out);

/** The same inside a bzImage with right checksum; returns the size of that. */
size_t packed_bzimage(enum payload_format format, const void *data, size_t size, uint8_t *out);

#endif
