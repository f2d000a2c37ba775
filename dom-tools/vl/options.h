/* SPDX-License-Identifier: MIT */
/*
 * From argv to an invocation by the command's table. Own code instead of
 * getopt(3), because the sentences for wrong options should be ours and name
 * the command, and because the table must stay the only list of options.
 */
#ifndef DOM_TOOLS_VL_OPTIONS_H
#define DOM_TOOLS_VL_OPTIONS_H

#include "dom-tools/vl/command.h"

/**
 * Parse `argv`, the words after the command's name, into inv->option and inv->operands; options
 * and operands mix freely until `--`; an argument is the next word, or the rest of `-xARGUMENT`.
 * The operands are moved to argv's front. `*help` is set if -h or --help is among them, and then
 * nothing else matters. Returns 0, or -VL_USAGE with a sentence in `e`.
 */
int parse_options(struct invocation *inv, int argc, char **argv, bool *help, struct vl_error *e);

/**
 * The number that was given with an option, from `least` to `most`, into *n, which stays as it is
 * without the option. Returns 0, or -VL_USAGE with a sentence in `e`.
 */
int option_number(const struct invocation *inv, const char *name, uint64_t least, uint64_t most,
		  uint64_t *n, struct vl_error *e);

/** Operands that a command takes at least and at most. */
int operands_least(const struct command *c);
int operands_most(const struct command *c);

#endif
