// SPDX-License-Identifier: MIT
/*
 * unpack KERNEL OUT: the ELF file inside a bzImage, as vl unpacks it. For
 * tests that compare it with what it should be.
 */
#include <stdio.h>

#include "dom-tools/image/kernel.h"
#include "dom-tools/lib/file.h"

static int write_file(const char *path, const void *data, size_t size)
{
	FILE *f = fopen(path, "wb");
	int good = f != NULL && fwrite(data, 1, size, f) == size;

	return f != NULL && fclose(f) == 0 && good ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct file_map file = {0};
	struct kernel kernel;
	struct vl_error e;

	if (argc != 3)
		return 2;
	if (file_map(argv[1], &file, &e) || kernel_examine(file.data, file.size, &kernel, &e)) {
		fprintf(stderr, "unpack: %s\n", e.text);
		return 1;
	}
	if (write_file(argv[2], kernel.elf_file, kernel.elf_size)) {
		perror(argv[2]);
		return 1;
	}
	kernel_free(&kernel);
	file_unmap(&file);
	return 0;
}
