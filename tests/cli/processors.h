/* SPDX-License-Identifier: MIT */
/*
 * The pretended machine's processors, see processors.c.
 */
#ifndef TESTS_CLI_PROCESSORS_H
#define TESTS_CLI_PROCESSORS_H

#include <stdio.h>

#include "tests/cli/world.h"

/** Whether the path is one of theirs; and what fopen() answers then. */
int is_processor(const char *path);
FILE *processor_open(const struct world *w, const char *path, const char *mode);

#endif
