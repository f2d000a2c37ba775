// SPDX-License-Identifier: MIT
/*
 * Moves pages of the running guest, wherever they are in its RAM, away and
 * home at random: `pages COUNT SEED`. Needs a debug build of Vellum and a
 * virtualized guest. Prints how many are away afterwards.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "public/calls.h"
#include "public/device.h"

#define MAX_RANGES 4096

static struct vl_p2m_range ranges[MAX_RANGES];
static size_t nr_ranges;
static int device;

static int64_t call(struct vl_ioctl_call *c)
{
	if (ioctl(device, VL_IOCTL_CALL, c) != 0) {
		perror("pages: hypercall");
		exit(1);
	}
	return c->result;
}

static void die(const char *what, int64_t answer)
{
	fprintf(stderr, "pages: %s: %lld\n", what, (long long)answer);
	exit(1);
}

/* All of the p2m; says how many frames are away. */
static uint64_t read_p2m(void)
{
	static char page[4096];
	struct vl_p2m_read head = {.next = 0};
	uint64_t away = 0;

	nr_ranges = 0;
	do {
		struct vl_ioctl_call c = {.nr = VL_CALL_P2M_READ,
					  .arg = {VL_DOMID_SELF, head.next},
					  .buffer = (uintptr_t)page,
					  .buffer_size = sizeof(page),
					  .buffer_arg = 2};
		int64_t n = call(&c);

		if (n < 0 || nr_ranges + (size_t)n > MAX_RANGES)
			die("p2m_read", n);
		memcpy(&head, page, sizeof(head));
		memcpy(&ranges[nr_ranges], page + sizeof(head), (size_t)n * sizeof(ranges[0]));
		nr_ranges += (size_t)n;
	} while (head.next != UINT64_MAX);
	for (size_t i = 0; i < nr_ranges; i++)
		away += ranges[i].pfn != ranges[i].mfn ? ranges[i].count : 0;
	return away;
}

static uint64_t random_pfn(void)
{
	uint64_t total = 0, n;

	for (size_t i = 0; i < nr_ranges; i++)
		total += ranges[i].count;
	n = (uint64_t)random() % total;
	for (size_t i = 0;; i++) {
		if (n < ranges[i].count)
			return ranges[i].pfn + n;
		n -= ranges[i].count;
	}
}

static void move(uint64_t pfn, uint64_t away)
{
	struct vl_ioctl_call c = {.nr = VL_CALL_TEST_MOVE_PAGE, .arg = {pfn, away}};
	int64_t mfn = call(&c);

	if (mfn < 0 || ((uint64_t)mfn != pfn) != (away != 0))
		die("test_move_page", mfn);
}

int main(int argc, char **argv)
{
	unsigned long count;

	if (argc != 3)
		die("usage: pages COUNT SEED", 0);
	count = strtoul(argv[1], NULL, 0);
	srandom((unsigned int)strtoul(argv[2], NULL, 0));
	device = open("/dev/vellum", O_RDWR);
	if (device < 0)
		die("cannot open /dev/vellum", device);
	read_p2m();
	for (unsigned long i = 0; i < count; i++)
		move(random_pfn(), i % 4 != 3);
	/* Home again: a few of those that are away. */
	read_p2m();
	for (size_t i = 0; i < nr_ranges; i += 7)
		if (ranges[i].pfn != ranges[i].mfn)
			move(ranges[i].pfn, 0);
	printf("%llu\n", (unsigned long long)read_p2m());
	return 0;
}
