// SPDX-License-Identifier: MIT
/*
 * ELF64 kernels on damaged files: what is accepted lies in the file, is sorted
 * and disjoint in memory, and holds its entry.
 */
#include "domain/elf64.h"

#include <stdlib.h>

#include "domain/image.h"
#include "tests/fuzz/damage.h"
#include "tests/unit/samples.h"

static void check(const struct elf64 *elf, size_t size)
{
	bool holds_entry = false;
	u64 end = 0;

	must(elf->count > 0 && elf->count <= ELF64_MAX_SEGMENTS);
	for (u32 i = 0; i < elf->count; i++) {
		const struct elf64_segment *s = &elf->segment[i];

		must(s->file_offset <= size && s->file_size <= size - s->file_offset);
		must(s->memory_size > 0 && s->file_size <= s->memory_size);
		must(s->pa >= end && s->pa + s->memory_size > s->pa);
		end = s->pa + s->memory_size;
		holds_entry = holds_entry || (elf->entry >= s->pa && elf->entry < end);
	}
	must(holds_entry && elf->span.start == elf->segment[0].pa && elf->span.end == end);
	must(elf->note.abi_major == VL_ABI_MAJOR);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u8 sample[SAMPLE_MAX];
	static size_t sample_size;
	static struct elf64 elf;
	struct failure f = {0};
	size_t damaged_size;
	u8 *damaged;
	int err;

	if (sample_size == 0)
		sample_size = sample_elf(sample);
	damaged = damage(data, size, sample, sample_size, &damaged_size);
	err = elf64_parse(damaged, damaged_size, &elf, &f);
	must(err == 0 || (err == -f.err && f.text[0] != 0));
	if (err == 0) {
		must(image_kind(damaged, damaged_size) == IMAGE_ELF);
		check(&elf, damaged_size);
	}
	free(damaged);
	return 0;
}
