// SPDX-License-Identifier: MIT
/*
 * Examining kernels, see kernel.h.
 */
#include "dom-tools/image/kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "domain/image.h"
#include "lib/load.h"
#include "public/errno.h"

/* Setup header: where the version text is, from the end of the first sector on. */
#define KERNEL_VERSION 0x20e
#define SECTOR         512

/* The hypervisor's sentences start with a capital and end with a stop. */
static int borrow(const struct failure *f, struct vl_error *e)
{
	size_t n = strlen(f->text);

	while (n > 0 && f->text[n - 1] == '.')
		n--;
	return vl_fail(e, f->err, "%c%.*s", f->text[0] | 0x20, n > 0 ? (int)n - 1 : 0, f->text + 1);
}

/* The first word of the version text, which starts in the setup part or is not there. */
static void read_release(const uint8_t *image, const struct bzimage *bz, char *to, size_t size)
{
	uint64_t at = load16(image + KERNEL_VERSION);
	size_t n = 0;

	for (at = at ? at + SECTOR : bz->payload_offset; at < bz->payload_offset; at++) {
		if (image[at] <= ' ' || image[at] > '~' || n + 1 == size)
			break;
		to[n++] = (char)image[at];
	}
	to[n] = 0;
}

static int unpack(struct kernel *k, struct vl_error *e)
{
	int rc;

	k->unpacked = malloc(k->payload.unpacked_size);
	if (k->unpacked == NULL)
		return vl_fail(e, ENOMEM, "not enough memory to unpack the kernel");
	rc = payload_unpack(&k->payload, k->unpacked, e);
	k->elf_file = k->unpacked;
	k->elf_size = k->payload.unpacked_size;
	return rc;
}

static int examine_bzimage(const void *image, size_t size, struct kernel *k, struct vl_error *e)
{
	static struct crc32_tables crc;
	struct failure f;
	int rc;

	crc32_init(&crc);
	k->packed = true;
	rc = bzimage_parse(image, size, &crc, &k->bzimage, &f);
	if (rc == -VL_EBADMSG)
		return vl_fail(e, EBADMSG,
			       "the kernel is damaged: the bzImage's checksum is wrong; copy it "
			       "again");
	if (rc)
		return borrow(&f, e);
	read_release(image, &k->bzimage, k->release, sizeof(k->release));
	rc = payload_find(image, size, &k->bzimage, &k->payload, e);
	if (rc == 0)
		rc = unpack(k, e);
	if (rc)
		return rc;
	return elf64_layout(k->elf_file, k->elf_size, &k->elf, &f) ? borrow(&f, e) : 0;
}

static int examine_elf(const void *image, size_t size, struct kernel *k, struct vl_error *e)
{
	struct failure f;

	k->elf_file = image;
	k->elf_size = size;
	return elf64_parse(image, size, &k->elf, &f) ? borrow(&f, e) : 0;
}

int kernel_examine(const void *image, size_t size, struct kernel *kernel, struct vl_error *e)
{
	int rc;

	*kernel = (struct kernel){0};
	if (image_kind(image, size) == IMAGE_ELF)
		rc = examine_elf(image, size, kernel, e);
	else
		rc = examine_bzimage(image, size, kernel, e);
	if (rc)
		kernel_free(kernel);
	return rc;
}

void kernel_free(struct kernel *kernel)
{
	free(kernel->unpacked);
	kernel->unpacked = NULL;
}

uint64_t kernel_span(const struct kernel *kernel)
{
	return kernel->elf.span.end - kernel->elf.span.start;
}
