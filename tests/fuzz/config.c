// SPDX-License-Identifier: MIT
/*
 * Configuration files of guests: whatever stands there, problems have places
 * inside the file, and without an error the configuration is within its
 * bounds. Bytes from 128 on stand for whole words, so that statements come up.
 */
/* shows: U2 */
#include "dom-tools/config/config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/damage.h"

static const char *const words[] = {
	"name = 'web'\n",
	"kernel = \"/k\"\n",
	"memory = 64\n",
	"ramdisk",
	"extra",
	"memory",
	"vcpus",
	"weight",
	"on_crash",
	"vif",
	"disk",
	"name",
	"kernel",
	"'restart'",
	"'destroy'",
	"[ ",
	" ]",
	"'x', ",
	" += ",
	" = ",
	"'",
	"\"",
	"'''",
	"\\x41",
	"\\777",
	"\\",
	"0x",
	"65535",
	"99999999",
	"# ",
	"\n",
	";",
};

static size_t make_text(const u8 *data, size_t size, char *text)
{
	size_t length = 0;

	for (size_t i = 0; i < size; i++) {
		const char *word = words[data[i] % ARRAY_SIZE(words)];

		if (data[i] < 128) {
			text[length++] = (char)data[i];
			continue;
		}
		memcpy(text + length, word, strlen(word));
		length += strlen(word);
	}
	return length;
}

static void check_problems(const struct problems *p, size_t size)
{
	must(p->count <= MAX_PROBLEMS && p->count <= p->errors + p->warnings);
	for (size_t i = 0; i < p->count; i++) {
		const struct problem *one = &p->list[i];

		must(one->text[0] != 0);
		must(one->at.line <= size + 1 && one->at.column <= size + 1);
		must((one->at.line == 0) == (one->at.column == 0));
		must(i == 0 || one->at.line == 0 || p->list[i - 1].at.line <= one->at.line);
	}
}

static void check_config(const struct config *c)
{
	must(c->name != NULL && c->kernel != NULL && c->extra != NULL);
	must(strlen(c->name) > 0 && strlen(c->name) < 32);
	must(strlen(c->extra) <= CONFIG_TEXT_MOST && strlen(c->kernel) > 0);
	must(c->memory_mib >= 1 && c->memory_mib <= CONFIG_MEMORY_MOST_MIB);
	must(c->vcpus >= 1 && c->vcpus <= CONFIG_VCPUS_MOST);
	must(c->weight >= 1 && c->weight <= CONFIG_WEIGHT_MOST);
	must(c->on_poweroff <= ACTION_PRESERVE && c->on_reboot <= ACTION_PRESERVE &&
	     c->on_crash <= ACTION_PRESERVE);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct problems p;
	struct config config;
	char *text = malloc(size * 16 + 1), *exact;
	size_t length;

	must(text != NULL);
	length = make_text(data, size, text);
	exact = malloc(length ? length : 1);
	must(exact != NULL);
	memcpy(exact, text, length);
	free(text);
	memset(&p, 0, sizeof(p));
	must(config_parse(exact, length, &config, &p) == 0);
	free(exact);
	check_problems(&p, length);
	if (p.errors == 0)
		check_config(&config);
	config_free(&config);
	return 0;
}
