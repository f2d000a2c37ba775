// SPDX-License-Identifier: MIT
/*
 * Fuzzer of frames that are to be cut: whatever sender and frame say, pieces are frames
 * of the same addresses, and nothing outside of them is read or written.
 */
#include "tests/fuzz/damage.h"

#include <stdlib.h>
#include <string.h>

#include "io/frame.h"

static void check_pieces(const struct frame *f)
{
	u32 pieces = frame_pieces(f), bytes = 0;
	u8 *piece = malloc(FRAME_MOST); /* its end is watched */

	must(pieces >= 1 && pieces <= FRAME_SEGMENTS);
	for (u32 i = 0; i < pieces; i++) {
		u32 size = frame_piece(f, i, piece);

		must(size <= FRAME_MOST && size > f->offload.headers);
		must(memcmp(piece, f->bytes, FRAME_HEADER) == 0);
		bytes += size - f->offload.headers;
	}
	must(bytes == f->size - f->offload.headers);
	free(piece);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const u8 tcp[] = {8,  0, 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0,   1,
				 10, 0, 0,    2, 0, 7, 0, 7, 0,    0, 0,  0, 0, 0, 0,  0, 0x50};
	const size_t begin = sizeof(struct offload) + 1;
	u32 repeat, n;
	struct frame *f;

	if (size < begin + FRAME_HEADER)
		return 0;
	/* The last byte is repeated, so that short inputs are long frames. */
	repeat = (u32)data[0] * 250;
	n = (u32)(size - begin) + repeat;
	if (n > FRAME_LONGEST)
		return 0;
	f = malloc(sizeof(*f) + n);
	f->size = n;
	memcpy(&f->offload, data + 1, sizeof(f->offload));
	memcpy(f->bytes, data + begin, size - begin);
	memset(f->bytes + size - begin, data[size - 1], repeat);
	if ((data[0] & 1) && n > sizeof(tcp) + 60) {
		memcpy(f->bytes + 12, tcp, sizeof(tcp));
		f->offload.flags = OFFLOAD_SUM;
		f->offload.kind = OFFLOAD_TCP4;
		f->offload.sum_from = 34;
		f->offload.sum_offset = 16;
	}
	if (frame_is_good(f))
		check_pieces(f);
	free(f);
	return 0;
}
