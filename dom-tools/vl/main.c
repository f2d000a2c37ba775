/* SPDX-License-Identifier: MIT */
/*
 * vl: parse, connect, run, report. This is the only place that prints a
 * failure and that turns it into an exit code: 0 done, 1 failed, 2 usage.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dom-tools/lib/device.h"
#include "dom-tools/vl/command.h"
#include "dom-tools/vl/help.h"
#include "dom-tools/vl/options.h"
#include "dom-tools/vl/version.h"

static int run_connected(struct invocation *inv, struct vl_error *e)
{
	struct vl_device_file dev;
	int rc = vl_device_open(&dev, e);

	if (rc)
		return rc;
	rc = vl_connect(&inv->client, &dev.transport, e);
	if (rc == 0)
		rc = inv->command->run(inv, e);
	dev.transport.ops->close(&dev.transport);
	return rc;
}

static int run_command(const struct command *c, int argc, char **argv, struct vl_error *e)
{
	struct invocation inv = {.command = c, .nr_operands = argc, .operands = argv};
	bool help = false;
	int rc;

	if (!c->raw) {
		inv.nr_operands = 0;
		rc = parse_options(&inv, argc, argv, &help, e);
		if (rc)
			return rc;
	}
	if (help) {
		print_command_help(stdout, c);
		return 0;
	}
	return c->needs_vellum ? run_connected(&inv, e) : c->run(&inv, e);
}

/* A full disk or a closed pipe is a failure even if the command went well. */
static int finish_output(struct vl_error *e)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return vl_fail(e, EIO, "cannot write the output (%s)",
		       errno ? strerror(errno) : "an earlier write failed");
}

static int run(int argc, char **argv, const struct command **c, struct vl_error *e)
{
	if (argc < 2)
		return vl_fail(e, VL_USAGE, "no command given; `vl help` lists them");
	if (strcmp(argv[1], "--version") == 0) {
		print_tool_version();
		return 0;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return 0;
	}
	*c = find_command(argv[1]);
	if (!*c)
		return unknown_command(argv[1], e);
	return run_command(*c, argc - 2, argv + 2, e);
}

static int report(int rc, const struct command *c, const struct vl_error *e)
{
	if (rc == 0)
		return VL_EXIT_OK;
	fprintf(stderr, "vl: %s\n", e->text);
	if (rc != -VL_USAGE)
		return VL_EXIT_FAILED;
	if (c)
		print_usage(stderr, c);
	else
		print_general_usage(stderr);
	return VL_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	const struct command *c = NULL;
	struct vl_error e = {0};
	int rc = run(argc, argv, &c, &e);

	if (rc == 0)
		rc = finish_output(&e);
	return report(rc, c, &e);
}
