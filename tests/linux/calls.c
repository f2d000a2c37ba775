// SPDX-License-Identifier: MIT
/*
 * Hypercalls from every CPU at a time, by threads of one process: they share an address space, so
 * one's call may come and go while another's is under way on the same page tables. Each answer is
 * checked.
 *
 *   calls N    N calls on each CPU that is online
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "public/calls.h"
#include "public/device.h"

#define MAX_CPUS 64
#define PAGE     4096ul

struct caller {
	pthread_t thread;
	int cpu;
	uint64_t calls;
	uint64_t elsewhere; /* calls after which the thread was on another CPU: its own was
			       unplugged */
	uint64_t last_tsc, last_hypercalls;
};

static struct caller callers[MAX_CPUS];
static uint64_t wanted;
static pthread_barrier_t start;
static int device;

static void __attribute__((noreturn)) die(const char *what)
{
	printf("not ok: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The answer is the first domain's, and what it counts never goes back on one CPU. */
static void check(struct caller *c, const struct vl_ioctl_call *call,
		  const struct vl_domain_info *info)
{
	if (call->result <= 0 || info->domid != 0 ||
	    strnlen(info->name, sizeof(info->name)) == sizeof(info->name)) {
		printf("not ok: cpu %d, call %lu: result %ld, domid %u\n", c->cpu, c->calls,
		       (long)call->result, info->domid);
		exit(1);
	}
	if (info->hypercalls <= c->last_hypercalls || info->tsc_now <= c->last_tsc) {
		printf("not ok: cpu %d, call %lu: %lu calls after %lu, TSC %lu after %lu\n", c->cpu,
		       c->calls, info->hypercalls, c->last_hypercalls, info->tsc_now, c->last_tsc);
		exit(1);
	}
	c->last_hypercalls = info->hypercalls;
	c->last_tsc = info->tsc_now;
}

static void *run(void *arg)
{
	struct caller *c = arg;
	struct vl_domain_info info;

	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((unsigned)c->cpu, &one);
	/* It fails if the CPU has just been unplugged. */
	pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
	pthread_barrier_wait(&start);
	for (; c->calls < wanted; c->calls++) {
		struct vl_ioctl_call call = {.nr = VL_CALL_DOMAIN_INFO,
					     .arg = {VL_DOMID_SELF, 0, sizeof(info)},
					     .buffer = (uint64_t)&info,
					     .buffer_size = sizeof(info),
					     .buffer_arg = 1};
		/* New page tables beside the old: the call's root changes under it in other slots.
		 */
		void *fresh = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);

		memset(&info, 0xff, sizeof(info));
		if (ioctl(device, VL_IOCTL_CALL, &call) != 0)
			die("ioctl");
		check(c, &call, &info);
		*(volatile int *)fresh = 1;
		munmap(fresh, PAGE);
		c->elsewhere += sched_getcpu() != c->cpu;
	}
	return NULL;
}

static void start_on(struct caller *c, unsigned cpu)
{
	c->cpu = (int)cpu;
	if (pthread_create(&c->thread, NULL, run, c) != 0)
		die("pthread_create");
}

int main(int argc, char **argv)
{
	cpu_set_t all;
	unsigned count = 0;

	wanted = strtoul(argc == 2 ? argv[1] : "0", NULL, 10);
	device = open("/dev/vellum", O_RDWR);
	if (wanted == 0 || device < 0 || sched_getaffinity(0, sizeof(all), &all) != 0)
		die("calls N, and /dev/vellum");
	pthread_barrier_init(&start, NULL, (unsigned)CPU_COUNT(&all));
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		if (CPU_ISSET(cpu, &all))
			start_on(&callers[count++], cpu);
	for (unsigned i = 0; i < count; i++) {
		pthread_join(callers[i].thread, NULL);
		printf("calls: cpu %d %lu calls, %lu elsewhere\n", callers[i].cpu, callers[i].calls,
		       callers[i].elsewhere);
	}
	return 0;
}
