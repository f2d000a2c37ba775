/* SPDX-License-Identifier: MIT */
/*
 * Vcpus of the domains in a world of text, see world.h.
 */
#include "tests/cli/world.h"

#include <stdio.h>
#include <string.h>

enum {
	MAX_VCPUS = 64,
};

static struct {
	uint64_t domid, vcpu;
	struct vl_vcpu_status status;
} known[MAX_VCPUS];
static size_t count;

int64_t world_vcpu_status(const uint64_t *arg, void *page, uint32_t size)
{
	if (count == 0)
		return -VL_ENOSYS;
	for (size_t i = 0; i < count; i++)
		if (known[i].domid == arg[0] && known[i].vcpu == arg[1])
			return world_fill(page, size, &known[i].status, sizeof(known[i].status));
	return -VL_ENOENT;
}

/* `letters` has o: online, r: running, b: halted. */
int world_vcpu_statement(const char *what, const char *rest)
{
	unsigned long long domid, vcpu, run, waited;
	char letters[8];
	unsigned int cpu;

	if (strcmp(what, "vcpu") != 0)
		return 0;
	if (count == MAX_VCPUS || sscanf(rest, "%llu %llu %u %7s %llu %llu", &domid, &vcpu, &cpu,
					 letters, &run, &waited) != 6)
		world_die("not a vcpu: `%s`", rest);
	known[count].domid = domid;
	known[count].vcpu = vcpu;
	known[count++].status = (struct vl_vcpu_status){
		.cpu = cpu,
		.flags = (strchr(letters, 'o') ? VL_VCPU_ONLINE : 0) |
			 (strchr(letters, 'r') ? VL_VCPU_RUNNING : 0) |
			 (strchr(letters, 'b') ? VL_VCPU_HALTED : 0),
		.run = run,
		.waited = waited,
	};
	return 1;
}
