// SPDX-License-Identifier: MIT
/*
 * Vellum's command line: whatever stands there, the options are within their
 * bounds afterwards. The input is the text; so that interesting words come up,
 * bytes from 128 on stand for whole words.
 */
#include "domain/options.h"

#include <stdlib.h>
#include <string.h>

#include "public/hypercall.h"
#include "tests/fuzz/damage.h"

static const char *const words[] = {
	"vellum_mem=",
	"mem=",
	"console=",
	"serial=",
	"kernel_crc=",
	"apic=",
	"own_timer=",
	"shadow=",
	"fast=",
	"all,-prefill",
	"-cached_roots,",
	"large,walk_cache",
	"-syscall,faults",
	"trapped",
	"direct",
	"debug",
	"all",
	"contiguous",
	"vga",
	"both",
	"none",
	"on",
	"off",
	"0x3f8,",
	"115200",
	"64M",
	"4T",
	"16777216",
	"0xffffffff",
	"000000",
	"9999999999",
	"18446744073709551615",
	" /boot/vellum.elf ",
};

static char *make_text(const u8 *data, size_t size)
{
	char *text = malloc(size * 24 + 1);
	char *exact;
	size_t length = 0;

	must(text != NULL);
	for (size_t i = 0; i < size; i++) {
		const char *word = words[data[i] % ARRAY_SIZE(words)];

		if (data[i] < 128) {
			text[length++] = (char)data[i];
			continue;
		}
		memcpy(text + length, word, strlen(word));
		length += strlen(word);
	}
	text[length] = 0;
	exact = strdup(text);
	free(text);
	return exact;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	char *text = make_text(data, size);
	struct failure f = {0};
	struct options o;
	int err = options_parse(text, &o, &f);

	free(text);
	must(err == 0 || (err == -f.err && f.text[0] != 0));
	must(o.partition_size == 0 || (o.partition_size >= OPTIONS_PARTITION_MIN &&
				       o.partition_size <= OPTIONS_PARTITION_MAX));
	must(o.memory <= MEM_ALL);
	must((o.console & ~(CONSOLE_SERIAL | CONSOLE_VGA)) == 0);
	must(o.serial_port > 0 && o.serial_port <= 0xfff8);
	must((o.shadow & ~VL_SHADOW_ALL) == 0 && (o.fast & ~VL_FAST_ALL) == 0);
	must(o.serial_baud > 0 && 115200 % o.serial_baud == 0);
	return 0;
}
