// SPDX-License-Identifier: MIT
/*
 * bzImage on damaged files, and boot_params from what it accepts: every offset
 * must lie in the file, and the header must not reach into other fields.
 */
#include "domain/bzimage.h"

#include <stdlib.h>
#include <string.h>

#include "domain/bootparams.h"
#include "domain/image.h"
#include "public/errno.h"
#include "tests/fuzz/damage.h"
#include "tests/unit/samples.h"

static struct memmap guest;

static void check_params(const struct bzimage *bz, const u8 *image)
{
	static struct linux_boot_params page;
	struct bootparams_request req = {.guest = &guest, .bzimage = bz, .image = image};
	struct failure f;

	must(bootparams_fill(&page, &req, &f) == 0);
	must(page.hdr.header == 0x53726448 && page.sentinel == 0 && page.e820_entries == 0);
	for (size_t i = 0x290; i < sizeof(page); i++)
		must(((const u8 *)&page)[i] == 0);
}

static void check(const struct bzimage *bz, const u8 *image, size_t size)
{
	must(image_kind(image, size) == IMAGE_BZIMAGE);
	must(bz->payload_offset <= size && bz->payload_size <= size - bz->payload_offset);
	must(bz->payload_size > BZIMAGE_ENTRY_OFFSET && bz->init_size >= bz->payload_size);
	must(bz->header_offset + bz->header_size <= bz->payload_offset);
	must(!bz->relocatable ||
	     (bz->alignment != 0 && (bz->alignment & (bz->alignment - 1)) == 0));
	must(bz->pref_address % PAGE_SIZE == 0);
	check_params(bz, image);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct crc32_tables tables;
	static u8 sample[SAMPLE_MAX];
	static size_t sample_size;
	struct failure f = {0};
	struct bzimage bz;
	size_t damaged_size;
	u8 *damaged;
	int err, with_crc;

	if (sample_size == 0) {
		sample_size = sample_bzimage(sample);
		crc32_init(&tables);
	}
	damaged = damage(data, size, sample, sample_size, &damaged_size);
	err = bzimage_parse(damaged, damaged_size, NULL, &bz, &f);
	must(err == 0 || (err == -f.err && f.text[0] != 0));
	with_crc = bzimage_parse(damaged, damaged_size, &tables, &bz, &f);
	must(err == 0 ? with_crc == 0 || with_crc == -VL_EBADMSG : with_crc == err);
	if (err == 0)
		check(&bz, damaged, damaged_size);
	free(damaged);
	return 0;
}
