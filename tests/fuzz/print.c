// SPDX-License-Identifier: MIT
/*
 * The formatter: buffer sizes and arguments from the input, every conversion,
 * compared with the C library where the two agree by contract.
 */
#include "lib/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/damage.h"

#define FORMATS(x)                                                                                 \
	x("%d|%5d|%-5d|%05d", (int)a, (int)b, (int)a, (int)b);                                     \
	x("%u|%x|%X|%8x|%-8x|%08x", (u32)a, (u32)b, (u32)a, (u32)b, (u32)a, (u32)b);               \
	x("%ld|%lu|%lx|%lX", (long)a, a, b, b);                                                    \
	x("%20ld|%-20lu|%020lx", (long)a, b, a);                                                   \
	x("%#lx|%#x|%#020lx", a | 1, (u32)b | 1, b | 1);                                           \
	x("%*d|%-*u|%0*lx", width, (int)a, width, (u32)b, width, a);                               \
	x("%s|%10s|%-10s|%.3s|%.*s|%*.*s", s, s, s, s, precision, s, width, precision, s);         \
	x("%c%%%c|%zu", (int)(a % 95) + 32, (int)(b % 95) + 32, (size_t)a)

#define compare(...)                                                                               \
	do {                                                                                       \
		int length_ = snprintf(want, room, __VA_ARGS__);                                   \
		char *got_ = malloc(room);                                                         \
		must(vl_snprintf(got_, room, __VA_ARGS__) == length_);                             \
		must(room == 0 || strcmp(got_, want) == 0);                                        \
		free(got_);                                                                        \
	} while (0)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static char want[256];
	u64 a, b;
	size_t room;
	int width, precision;
	char *s;

	if (size < 20)
		return 0;
	memcpy(&a, data, 8);
	memcpy(&b, data + 8, 8);
	a >>= data[16] & 63;
	b >>= data[17] & 63;
	room = data[16] ^ data[19];
	width = data[18] % 64;
	precision = data[19] % 32;
	s = strndup((const char *)data + 20, size - 20);
	FORMATS(compare);
	free(s);
	return 0;
}
