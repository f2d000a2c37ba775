// SPDX-License-Identifier: MIT
/*
 * Rows of real work: a mix of HTTP requests, tcc compiling a file of C, busybox packing a tree.
 * The RAM disk of the benchmark has the compiler, and its file below /bench (bench/build.mk); the
 * files that are served and packed are made here, the same in each run.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/guest/http.h"
#include "bench/guest/measure.h"
#include "bench/guest/rows.h"

#define SITE "/tmp/bench.www"
#define TREE "/tmp/bench.tree"

/* Text of words: it packs about as well as sources do. */
static void make_file(const char *path, size_t size)
{
	static const char *const words[] = {
		"int", "static", "return", "(void)", "\n\t", "if ",   "struct ", "page",
		" = ", "0x",     ";\n",    "flags",  " -> ", "count", "{",       "}"};
	uint32_t state = (uint32_t)size;
	FILE *out = fopen(path, "w");

	if (out == NULL)
		die(path);
	while ((size_t)ftell(out) < size) {
		state = state * 1664525 + 1013904223;
		fprintf(out, "%s%x", words[state >> 28], (state >> 20) & 0xf);
	}
	fclose(out);
	if (truncate(path, (off_t)size) != 0)
		die(path);
}

/* What a visitor gets: a page, its images and one download. */
static const struct {
	const char *name;
	size_t size;
	int times;
} site[] = {
	{"index.html", 4096, 4},
	{"image.png", 16384, 5},
	{"archive.bin", 262144, 1},
};

#define NR_FILES (sizeof(site) / sizeof(site[0]))

static void http_mix(void *arg)
{
	const uint16_t *port = arg;

	for (size_t i = 0; i < NR_FILES; i++)
		for (int k = 0; k < site[i].times; k++)
			http_get(*port, site[i].name, site[i].size);
}

static void measure_http(void)
{
	uint16_t port;
	char path[64];

	if (!wanted("http"))
		return;
	if (mkdir(SITE, 0755) != 0)
		die(SITE);
	for (size_t i = 0; i < NR_FILES; i++) {
		snprintf(path, sizeof(path), SITE "/%s", site[i].name);
		make_file(path, site[i].size);
	}
	http_loopback();

	pid_t server = http_start(SITE, &port);

	measure_long("http", http_mix, &port, 3, 20);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

static void compile(void *arg)
{
	char *const argv[] = {"tcc",           "-c", "-nostdinc", "-o", "/tmp/bench.o",
			      "/bench/unit.c", NULL};

	(void)arg;
	run_program("/bin/tcc", argv);
}

static void archive(void *arg)
{
	char *const argv[] = {"sh", "-c", "tar -c -C " TREE " . | gzip -c >/dev/null", NULL};

	(void)arg;
	run_program("/bin/sh", argv);
}

static void make_tree(void)
{
	char path[64];

	if (mkdir(TREE, 0755) != 0)
		die(TREE);
	for (unsigned int i = 0; i < 32; i++) {
		snprintf(path, sizeof(path), TREE "/%u", i);
		if (i % 8 == 0 && mkdir(path, 0755) != 0)
			die(path);
		snprintf(path, sizeof(path), TREE "/%u/file%u", i & ~7U, i);
		make_file(path, 4096 + 256 * i);
	}
}

void macro_rows(void)
{
	measure_http();
	measure_long("compile", compile, NULL, 2, 10);
	if (wanted("archive")) {
		make_tree();
		measure_long("archive", archive, NULL, 1, 5);
	}
}
