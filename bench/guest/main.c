// SPDX-License-Identifier: MIT
/*
 * The benchmark in the guest. Without arguments the basic rows; `bench GROUP...` those groups
 * (basic, micro, macro, io); `-c` before them prints Vellum's counters of each row. `bench quit`
 * does nothing: the rows of processes execute it.
 */
#include <stdio.h>
#include <string.h>

#include "bench/guest/measure.h"
#include "bench/guest/rows.h"

static const struct {
	const char *name;
	void (*rows)(void);
} groups[] = {
	{"basic", basic_rows},
	{"micro", micro_rows},
	{"macro", macro_rows},
	{"io", io_rows},
};

#define NR_GROUPS (sizeof(groups) / sizeof(groups[0]))

static int run_group(const char *name)
{
	for (size_t i = 0; i < NR_GROUPS; i++)
		if (strcmp(groups[i].name, name) == 0) {
			groups[i].rows();
			return 0;
		}
	fprintf(stderr, "bench: no group is called %s\n", name);
	return 2;
}

int main(int argc, char *argv[])
{
	int i = 1, status = 0;

	if (argc == 2 && strcmp(argv[1], "quit") == 0)
		return 0;
	if (i < argc && strcmp(argv[i], "-c") == 0) {
		measure_counters();
		i++;
	}
	if (i == argc)
		return run_group("basic");
	for (; i < argc && status == 0; i++)
		status = run_group(argv[i]);
	return status;
}
