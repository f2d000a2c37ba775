/* SPDX-License-Identifier: MIT */
/*
 * Parsing of options and operands, see options.h.
 */
#include "dom-tools/vl/options.h"

#include <errno.h>
#include <stdlib.h>
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

/*
 * The options of a word like -ab, `letters` being what follows the dash. What takes an argument
 * ends it: the rest is the argument, or the next word.
 */
static int short_options(struct invocation *inv, const char *letters, const char *next, bool *used,
			 bool *help, struct vl_error *e)
{
	const struct option_spec *spec = inv->command->options;

	for (const char *letter = letters; *letter; letter++) {
		size_t i = 0;

		if (*letter == 'h') {
			*help = true;
			continue;
		}
		while (spec[i].name && spec[i].letter != *letter)
			i++;
		if (!spec[i].name)
			return vl_fail(e, VL_USAGE, "%s: unknown option `-%c`", inv->command->name,
				       *letter);
		inv->option[i] = true;
		if (!spec[i].argument)
			continue;
		if (!letter[1] && !next)
			return vl_fail(e, VL_USAGE, "%s: option `-%c` needs an argument, %s",
				       inv->command->name, *letter, spec[i].argument);
		*used = !letter[1];
		inv->value[i] = letter[1] ? letter + 1 : next;
		break;
	}
	return 0;
}

static int option_word(struct invocation *inv, const char *word, const char *next, bool *used,
		       bool *help, struct vl_error *e)
{
	if (word[1] == '-')
		return long_option(inv, word, next, used, help, e);
	return short_options(inv, word + 1, next, used, help, e);
}

int option_number(const struct invocation *inv, const char *name, uint64_t least, uint64_t most,
		  uint64_t *n, struct vl_error *e)
{
	const char *text = option_value(inv, name);
	uint64_t value;

	if (!text)
		return 0;
	errno = 0;
	value = strtoull(text, NULL, 10);
	if (!*text || text[strspn(text, "0123456789")] || errno || value < least || value > most)
		return vl_fail(e, VL_USAGE, "%s: --%s wants a number from %ju to %ju, not `%s`",
			       inv->command->name, name, (uintmax_t)least, (uintmax_t)most, text);
	*n = value;
	return 0;
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
