// SPDX-License-Identifier: MIT
/*
 * The Multiboot2 walk on damaged information. What it accepts must keep the
 * promises of struct boot_info.
 */
#include "boot/bootinfo.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/damage.h"
#include "tests/unit/samples.h"

static void check(const struct boot_info *info)
{
	must(info->memory_count > 0 && info->memory_count <= BOOT_MAX_MEMORY);
	must(info->module_count <= BOOT_MAX_MODULES);
	for (u32 i = 0; i < info->module_count; i++) {
		must(info->module[i].mem.start <= info->module[i].mem.end);
		must(memchr(info->module[i].cmdline, 0, BOOT_MODULE_CMDLINE_SIZE) != NULL);
	}
	must(memchr(info->loader, 0, BOOT_LOADER_SIZE) != NULL);
	must(info->rsdp_size <= BOOT_RSDP_SIZE);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u64 sample[SAMPLE_MAX / 8];
	static u32 sample_size;
	static struct boot_info info;
	struct failure f = {0};
	size_t damaged_size;
	u8 *damaged;
	int err;

	if (sample_size == 0)
		sample_size = sample_mbi(sample);
	damaged = damage(data, size, (const u8 *)sample, sample_size, &damaged_size);
	err = boot_info_parse(damaged, damaged_size, &info, &f);
	free(damaged);
	must(memchr(info.cmdline, 0, BOOT_CMDLINE_SIZE) != NULL);
	must(err == 0 || (err == -f.err && f.text[0] != 0));
	if (err == 0)
		check(&info);
	return 0;
}
