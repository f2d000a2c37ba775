// SPDX-License-Identifier: MIT
/*
 * Runs the 32-bit part of the probe, a program of its own that lies beside this one; its lines
 * become lines of this subject. A kernel without 32-bit support says so by the errno of execve.
 */
#include "probe.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void exec_probe32(const void *unused)
{
	char path[PATH_MAX];
	char *const argv[] = {path, NULL};
	char *const envp[] = {NULL};
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 8);
	char text[24];

	(void)unused;
	if (n < 0)
		n = 0;
	path[n] = 0;
	/* .../probe -> .../probe32 */
	strcat(path, "32");
	execve(path, argv, envp);
	out("execve: %s", rc_text(-errno, text));
}

void subject_probe32(void)
{
	isolated("probe32", exec_probe32, NULL);
}
