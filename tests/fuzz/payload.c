// SPDX-License-Identifier: MIT
/*
 * Kernels on damaged files, down into the payload: the libraries that unpack
 * are used as they want it, and what comes out lies in memory of its own. The
 * first byte chooses the format; the checksum is mended, as an attacker would.
 */
/* shows: U2 */
#include "dom-tools/image/kernel.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/damage.h"
#include "tests/unit/packed.h"
#include "tests/unit/samples.h"

static u8 sample[NR_PAYLOAD_FORMATS][PACKED_ROOM(SAMPLE_MAX)];
static size_t sample_size[NR_PAYLOAD_FORMATS];

static void make_samples(void)
{
	static u8 elf[SAMPLE_MAX];
	size_t size = sample_elf(elf);

	for (unsigned int i = 0; i < NR_PAYLOAD_FORMATS; i++)
		sample_size[i] = packed_bzimage((enum payload_format)i, elf, size, sample[i]);
}

static void check(const struct kernel *k, size_t size)
{
	must(k->elf.count > 0 && k->elf.span.start < k->elf.span.end);
	must(kernel_span(k) > 0 && strlen(k->release) < sizeof(k->release));
	if (!k->packed) {
		must(k->unpacked == NULL && k->elf_size == size && k->elf.has_note);
		return;
	}
	must(k->unpacked != NULL && k->elf_size == k->payload.unpacked_size);
	must(k->payload.unpacked_size <= k->bzimage.init_size);
	for (u32 i = 0; i < k->elf.count; i++)
		must(k->elf.segment[i].file_offset + k->elf.segment[i].file_size <= k->elf_size);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	unsigned int format = size > 0 ? data[0] % NR_PAYLOAD_FORMATS : 0;
	struct kernel kernel;
	struct vl_error e = {0};
	size_t damaged_size;
	u8 *damaged;

	if (sample_size[0] == 0)
		make_samples();
	damaged = damage(data + (size > 0), size - (size > 0), sample[format], sample_size[format],
			 &damaged_size);
	/* No more than 64 MiB, so that the fuzzer finds what is wrong and not what is large. */
	if (damaged_size >= 0x264) {
		u32 init_size;

		memcpy(&init_size, damaged + 0x260, 4);
		init_size &= 0x3ffffff;
		memcpy(damaged + 0x260, &init_size, 4);
		sample_bzimage_seal(damaged, damaged_size);
	}
	if (kernel_examine(damaged, damaged_size, &kernel, &e) == 0) {
		check(&kernel, damaged_size);
		kernel_free(&kernel);
	} else {
		must(e.text[0] != 0);
	}
	free(damaged);
	return 0;
}
