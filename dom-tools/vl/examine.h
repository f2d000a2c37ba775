/* SPDX-License-Identifier: MIT */
/*
 * A configuration, the files that it names and the machine, examined: would a
 * guest start from it, here and now? `vl check` shows what is found, `vl
 * create` goes on from there.
 */
#ifndef DOM_TOOLS_VL_EXAMINE_H
#define DOM_TOOLS_VL_EXAMINE_H

#include "dom-tools/config/config.h"
#include "dom-tools/guest/plan.h"
#include "dom-tools/image/kernel.h"
#include "dom-tools/lib/client.h"
#include "dom-tools/lib/file.h"

struct check {
	const char *path;
	struct file_map file;
	struct problems problems;
	struct config config;
	bool has_kernel; /* it is good, and `kernel` filled */
	struct file_map kernel_file;
	struct kernel kernel;
	struct file_map ramdisk;                   /* size 0: none */
	struct file_map disk[CONFIG_DEVICES_MOST]; /* of those with contents */
	struct guest_parts parts;                  /* if has_kernel */
	bool has_machine;
	struct vl_ioctl_memory machine; /* if has_machine */
	uint64_t memory_least;          /* 0: not known */
	uint64_t memory_available;      /* 0: not known */
};

/**
 * Read the configuration at `path`. Problems go to c->problems. Returns 0 and a check for
 * check_free(), or a negative errno with its sentence in `e` and nothing to free.
 */
int check_load(const char *path, struct check *c, struct vl_error *e);

/** Examine the files that it names, which stay mapped. */
void check_files(struct check *c);

/** Examine the machine; through `client`, unless that is NULL because there is no Vellum. */
void check_machine(struct check *c, struct vl_client *client);

/** All problems, one a line, on stdout. */
void check_print_problems(struct check *c);

/** 0 if there is no error, else the sentence in `e`. */
int check_verdict(const struct check *c, struct vl_error *e);

void check_free(struct check *c);

/** Bytes as MiB, rounded up. */
uint64_t to_mib(uint64_t bytes);

#endif
