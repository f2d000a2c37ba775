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

/* `next` is the word behind the option, NULL at the end; *used is set if it is the argument. */
static int long_option(struct invocation *inv, const char *word, const char *next, bool *used,
		       bool *help, struct vl_error *e)
{
	const struct option_spec *spec = inv->command->options;

	if (strcmp(word, "--help") == 0) {
		*help = true;
		return 0;
	}
	for (size_t i = 0; spec[i].name; i++)
		if (strcmp(spec[i].name, word + 2) == 0) {
			if (spec[i].argument && !next)
				return vl_fail(e, VL_USAGE, "%s: option `%s` needs an argument, %s",
					       inv->command->name, word, spec[i].argument);
			inv->option[i] = true;
			*used = spec[i].argument != NULL;
			inv->value[i] = *used ? next : NULL;
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

static int option_word(struct invocation *inv, const char *word, const char *next, bool *used,
		       bool *help, struct vl_error *e)
{
	int rc = 0;

	if (word[1] == '-')
		return long_option(inv, word, next, used, help, e);
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
	bool only_operands = false, used;

	inv->operands = argv;
	for (int i = 0; i < argc; i++) {
		char *word = argv[i];
		int rc = 0;

		used = false;
		if (only_operands || word[0] != '-' || !word[1])
			argv[inv->nr_operands++] = word;
		else if (strcmp(word, "--") == 0)
			only_operands = true;
		else
			rc = option_word(inv, word, i + 1 < argc ? argv[i + 1] : NULL, &used, help,
					 e);
		if (rc)
			return rc;
		i += used;
	}
	return *help ? 0 : check_operands(inv, e);
}
