/* SPDX-License-Identifier: MIT */
/*
 * What vl says about itself, all of it derived from the command table.
 */
#ifndef DOM_TOOLS_VL_HELP_H
#define DOM_TOOLS_VL_HELP_H

#include <stdio.h>

#include "dom-tools/vl/command.h"

/** Print `usage: vl NAME [-o | --option] ...`, one line. */
void print_usage(FILE *out, const struct command *c);

/** Print the usage line of vl itself. */
void print_general_usage(FILE *out);

/** Print what `vl help NAME` shows. */
void print_command_help(FILE *out, const struct command *c);

/** Print what `vl help` shows. */
void print_help(FILE *out);

/** -VL_USAGE with the sentence for a word that is no command, which offers the nearest one. */
int unknown_command(const char *word, struct vl_error *e);

/** How an operand is called in usage lines. */
const char *operand_label(enum operand_kind kind);

#endif
