/* SPDX-License-Identifier: MIT */
/*
 * Parsing of options and operands, see options.h.
 */
#include "dom-tools/vl/options.h"

#include <string.h>

int operands_most(const struct command *c)
{
	int n = 0;

	while (n < MAX_OPERANDS && c->operand[n].kind != OPERAND_NONE)
		n++;
	return n;
}

int operands_least(const struct command *c)
{
	int n = 0;

	while (n < operands_most(c) && !c->operand[n].optional)
		n++;
	return n;
}

static int long_option(struct invocation *inv, const char *word, bool *help, struct vl_error *e)
{
	const struct option_spec *spec = inv->command->options;

	if (strcmp(word, "--help") == 0) {
		*help = true;
		return 0;
	}
	for (size_t i = 0; spec[i].name; i++)
		if (strcmp(spec[i].name, word + 2) == 0) {
			inv->option[i] = true;
			return 0;
		}
	return vl_fail(e, VL_USAGE, "%s: unknown option `%s`", inv->command->name, word);
}

static int short_option(struct invocation *inv, char letter, bool *help, struct vl_error *e)
{
	const struct option_spec *spec = inv->command->options;

	if (letter == 'h') {
		*help = true;
		return 0;
	}
	for (size_t i = 0; spec[i].name; i++)
		if (spec[i].letter == letter) {
			inv->option[i] = true;
			return 0;
		}
	return vl_fail(e, VL_USAGE, "%s: unknown option `-%c`", inv->command->name, letter);
}

static int option_word(struct invocation *inv, const char *word, bool *help, struct vl_error *e)
{
	int rc = 0;

	if (word[1] == '-')
		return long_option(inv, word, help, e);
	for (const char *letter = word + 1; *letter && rc == 0; letter++)
		rc = short_option(inv, *letter, help, e);
	return rc;
}

static int check_operands(const struct invocation *inv, struct vl_error *e)
{
	const struct command *c = inv->command;

	if (inv->nr_operands < operands_least(c))
		return vl_fail(e, VL_USAGE, "%s: too few arguments", c->name);
	if (inv->nr_operands > operands_most(c))
		return vl_fail(e, VL_USAGE, "%s: unexpected argument `%s`", c->name,
			       inv->operands[operands_most(c)]);
	return 0;
}

int parse_options(struct invocation *inv, int argc, char **argv, bool *help, struct vl_error *e)
{
	bool only_operands = false;

	inv->operands = argv;
	for (int i = 0; i < argc; i++) {
		char *word = argv[i];
		int rc = 0;

		if (only_operands || word[0] != '-' || !word[1])
			argv[inv->nr_operands++] = word;
		else if (strcmp(word, "--") == 0)
			only_operands = true;
		else
			rc = option_word(inv, word, help, e);
		if (rc)
			return rc;
	}
	return *help ? 0 : check_operands(inv, e);
}
