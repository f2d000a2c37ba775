/* SPDX-License-Identifier: MIT */
/*
 * Completion. The shell's part (vl.bash) passes the words after `vl` up to
 * the cursor; here, where the command table is, they become candidates for
 * the last one. Live names and ids of domains are offered where the table
 * says that a domain goes. It never fails: without Vellum there are none.
 */
#include "dom-tools/vl/command.h"

#include <stdio.h>
#include <string.h>

#include "dom-tools/lib/device.h"
#include "dom-tools/lib/devices.h"
#include "dom-tools/lib/domains.h"
#include "dom-tools/lib/pci.h"
#include "dom-tools/lib/pci_host.h"
#include "dom-tools/vl/options.h"
#include "dom-tools/vl/output.h"

static void offer(const char *candidate, const char *typed)
{
	if (strncmp(candidate, typed, strlen(typed)) == 0)
		puts(candidate);
}

static void offer_commands(const char *typed)
{
	for (const struct command *c = commands; c->name; c++)
		if (!c->hidden)
			offer(c->name, typed);
}

static void offer_long(const char *name, const char *typed)
{
	char word[64];

	snprintf(word, sizeof(word), "--%s", name);
	offer(word, typed);
}

static void offer_options(const struct command *c, const char *typed)
{
	for (const struct option_spec *o = c->options; o->name; o++)
		offer_long(o->name, typed);
	offer_long("help", typed);
}

/* Whether a shell can insert the name as it is; others are left to their ids. */
static bool is_plain(const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._+-";

	return *name && strspn(name, plain) == strlen(name);
}

static void offer_domains(const char *typed)
{
	struct vl_device_file dev;
	struct vl_client client;
	struct vl_domain_list list;
	struct vl_error ignored;
	char id[16];

	if (vl_device_open(&dev, &ignored))
		return;
	if (vl_connect(&client, &dev.transport, &ignored) == 0 &&
	    vl_list_domains(&client, &list, &ignored) == 0) {
		for (size_t i = 0; i < list.count; i++) {
			snprintf(id, sizeof(id), "%u", list.domain[i].domid);
			offer(id, typed);
			if (is_plain(list.domain[i].name))
				offer(list.domain[i].name, typed);
		}
		vl_free_domains(&list);
	}
	dev.transport.ops->close(&dev.transport);
}

/* Whether the word is an option whose argument is the next one. */
static bool takes_next(const struct command *c, const char *word)
{
	const struct option_spec *spec = c->options;

	for (size_t i = 0; word[0] == '-' && spec[i].name; i++)
		if (spec[i].argument && (word[1] == '-' ? strcmp(word + 2, spec[i].name) == 0
							: word[strlen(word) - 1] == spec[i].letter))
			return true;
	return false;
}

/* Operands among the words between the command and the one under the cursor. */
static int count_operands(const struct command *c, char **words, int n)
{
	int operands = 0;

	for (int i = 0; i < n; i++)
		if (takes_next(c, words[i]))
			i++;
		else
			operands += words[i][0] != '-';
	return operands;
}

/* Those of the domain that the word names. */
static void offer_devices(const char *domain, uint32_t kind, const char *typed)
{
	struct vl_device_file dev;
	struct vl_client client;
	struct vl_domain_info info;
	struct vl_devices devices;
	struct vl_error ignored;
	char index[16];

	if (vl_device_open(&dev, &ignored))
		return;
	if (vl_connect(&client, &dev.transport, &ignored) == 0 &&
	    vl_find_domain(&client, domain, &info, &ignored) == 0 &&
	    vl_get_devices(&client, info.domid, &devices, &ignored) == 0)
		for (uint32_t i = 0; i < VL_MAX_DEVICES; i++) {
			snprintf(index, sizeof(index), "%u", i);
			if (devices.there[i] && devices.device[i].kind == kind)
				offer(index, typed);
		}
	dev.transport.ops->close(&dev.transport);
}

static void offer_taken(const struct vl_pci_taken *taken, const char *typed)
{
	char name[PCI_NAME_SIZE];

	for (uint32_t i = 0; i < taken->count; i++)
		offer(vl_pci_name(name, taken->function[i].function), typed);
}

static bool is_taken(const struct vl_pci_taken *taken, uint32_t function)
{
	for (uint32_t i = 0; i < taken->count; i++)
		if (taken->function[i].function == function)
			return true;
	return false;
}

/* Those that this guest has. */
static void offer_own(const struct vl_pci_taken *taken, const char *typed)
{
	struct pci_host_list list;
	struct vl_error ignored;
	char name[PCI_NAME_SIZE];

	if (pci_host_list(&list, &ignored))
		return;
	for (size_t i = 0; i < list.count; i++)
		if (!is_taken(taken, list.function[i].function))
			offer(vl_pci_name(name, list.function[i].function), typed);
}

static void offer_functions(void (*offer_which)(const struct vl_pci_taken *, const char *),
			    const char *typed)
{
	struct vl_device_file dev;
	struct vl_client client;
	struct vl_pci_taken taken;
	struct vl_error ignored;

	if (vl_device_open(&dev, &ignored))
		return;
	if (vl_connect(&client, &dev.transport, &ignored) == 0 &&
	    vl_pci_taken(&client, &taken, &ignored) == 0)
		offer_which(&taken, typed);
	dev.transport.ops->close(&dev.transport);
}

static void offer_words(const char *typed)
{
	static const char *const words[] = {"on", "off", "stats"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strncmp(words[i], typed, strlen(typed)) == 0)
			puts(words[i]);
}

static void offer_arguments(const struct command *c, char **words, int n, const char *typed)
{
	int position = count_operands(c, words, n);

	if (n > 0 && takes_next(c, words[n - 1]))
		return;
	if (typed[0] == '-') {
		offer_options(c, typed);
		return;
	}
	if (position >= operands_most(c))
		return;
	if (c->operand[position].kind == OPERAND_DOMAIN)
		offer_domains(typed);
	else if (c->operand[position].kind == OPERAND_COMMAND)
		offer_commands(typed);
	else if (c->operand[position].kind == OPERAND_FILE)
		puts(":file"); /* the shell knows better how to complete these */
	else if (c->operand[position].kind == OPERAND_NET_DEVICE)
		offer_devices(words[n - 1], VL_DEVICE_NET, typed);
	else if (c->operand[position].kind == OPERAND_BLOCK_DEVICE)
		offer_devices(words[n - 1], VL_DEVICE_BLOCK, typed);
	else if (c->operand[position].kind == OPERAND_SHARE)
		offer_words(typed);
	else if (c->operand[position].kind == OPERAND_PCI)
		offer_functions(offer_own, typed);
	else if (c->operand[position].kind == OPERAND_PCI_TAKEN)
		offer_functions(offer_taken, typed);
}

int cmd_complete(struct invocation *inv, struct vl_error *e)
{
	int n = inv->nr_operands;
	const struct command *c;

	(void)e;
	if (n == 0)
		return 0;
	if (n == 1) {
		offer_commands(inv->operands[0]);
		if (inv->operands[0][0] == '-') {
			offer_long("help", inv->operands[0]);
			offer_long("version", inv->operands[0]);
		}
		return 0;
	}
	c = find_command(inv->operands[0]);
	if (c && !c->hidden)
		offer_arguments(c, inv->operands + 1, n - 2, inv->operands[n - 1]);
	return 0;
}
