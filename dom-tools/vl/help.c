/* SPDX-License-Identifier: MIT */
/*
 * Usage lines, `vl help` and the offer of a near command, see help.h.
 */
#include "dom-tools/vl/help.h"

#include <string.h>

#include "dom-tools/lib/spell.h"

const char *operand_label(enum operand_kind kind)
{
	switch (kind) {
	case OPERAND_DOMAIN:
		return "ID | NAME";
	case OPERAND_COMMAND:
		return "COMMAND";
	case OPERAND_FILE:
		return "FILE";
	case OPERAND_MEMORY:
		return "MEMORY";
	case OPERAND_RANGE:
		return "RANGE";
	case OPERAND_PCI:
	case OPERAND_PCI_TAKEN:
		return "BUS:DEVICE.FUNCTION";
	case OPERAND_SHARE:
		return "on | off | stats";
	case OPERAND_VIF:
		return "VIF";
	case OPERAND_DISK:
		return "DISK";
	case OPERAND_NET_DEVICE:
		return "INDEX | MAC";
	case OPERAND_BLOCK_DEVICE:
		return "INDEX";
	case OPERAND_NEW_NAME:
		return "NEW-NAME";
	case OPERAND_NONE:
		break;
	}
	return "";
}

void print_usage(FILE *out, const struct command *c)
{
	fprintf(out, "usage: vl %s", c->name);
	for (const struct option_spec *o = c->options; o->name; o++) {
		if (o->letter)
			fprintf(out, " [-%c | --%s%s%s]", o->letter, o->name,
				o->argument ? " " : "", o->argument ? o->argument : "");
		else if (o->argument)
			fprintf(out, " [--%s %s]", o->name, o->argument);
		else
			fprintf(out, " [--%s]", o->name);
	}
	for (int i = 0; i < MAX_OPERANDS && c->operand[i].kind != OPERAND_NONE; i++)
		fprintf(out, c->operand[i].optional ? " [%s]" : " {%s}",
			operand_label(c->operand[i].kind));
	fputc('\n', out);
}

void print_general_usage(FILE *out)
{
	fputs("usage: vl COMMAND [OPTION ...] [ARGUMENT ...]\n"
	      "       vl {-h | --help | --version}\n",
	      out);
}

void print_command_help(FILE *out, const struct command *c)
{
	print_usage(out, c);
	fprintf(out, "\n%s: %s.\n", c->name, c->summary);
	if (c->details)
		fputs(c->details, out);
	fputc('\n', out);
	for (const struct option_spec *o = c->options; o->name; o++) {
		if (o->letter)
			fprintf(out, "  -%c, --%-12s %s\n", o->letter, o->name, o->help);
		else
			fprintf(out, "      --%-12s %s\n", o->name, o->help);
	}
	fprintf(out, "  -h, --%-12s %s\n", "help", "print this and do nothing else");
}

void print_help(FILE *out)
{
	print_general_usage(out);
	fputs("\nThe commands:\n", out);
	for (const struct command *c = commands; c->name; c++)
		if (!c->hidden)
			fprintf(out, "  %-14s %s\n", c->name, c->summary);
	fputs("\n`vl help COMMAND` explains one, vl(1) all of them.\n"
	      "Exit codes: 0 done, 1 failed, 2 wrong usage.\n",
	      out);
}

int unknown_command(const char *word, struct vl_error *e)
{
	const struct command *nearest = NULL;
	size_t best = SPELL_NEAR + 1;

	for (const struct command *c = commands; c->name; c++) {
		size_t d = spell_distance(word, c->name);

		if (!c->hidden && d < best && d < strlen(c->name)) {
			best = d;
			nearest = c;
		}
	}
	if (nearest)
		return vl_fail(e, VL_USAGE, "unknown command `%s`; did you mean `%s`?", word,
			       nearest->name);
	return vl_fail(e, VL_USAGE, "unknown command `%s`; `vl help` lists them", word);
}

int cmd_help(struct invocation *inv, struct vl_error *e)
{
	const struct command *c;

	if (inv->nr_operands == 0) {
		print_help(stdout);
		return 0;
	}
	c = find_command(inv->operands[0]);
	if (!c)
		return unknown_command(inv->operands[0], e);
	print_command_help(stdout, c);
	return 0;
}
