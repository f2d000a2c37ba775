// SPDX-License-Identifier: MIT
/*
 * Fuzzer of the instruction decoder and the look-ahead from swapgs. The bytes
 * stand at the end of an allocation, so that reading past them is seen. Beyond
 * that it checks the promises of cpu/decode.h: deterministic, monotonic, a
 * length that is neither too long nor dependent on what follows, and fields
 * that an emulator can index with.
 */
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

/* decode() on exactly `n` bytes, into a structure that holds `fill` before. */
static int decode_alone(const u8 *bytes, size_t n, enum decode_mode mode, int fill,
			struct insn *out)
{
	u8 *copy = malloc(n ? n : 1);
	int err;

	check(copy != NULL);
	memcpy(copy, bytes, n);
	memset(out, fill, sizeof(*out));
	err = decode(n ? copy : copy + 1, n, mode, out);
	free(copy);
	return err;
}

static void check_answer(int err, size_t n)
{
	switch (err) {
	case 0:
	case DECODE_UNKNOWN:
	case DECODE_INVALID:
		break;
	case DECODE_MORE:
		check(n < INSN_MAX_LENGTH);
		break;
	case DECODE_TOO_LONG:
		check(n > 0);
		break;
	default:
		abort();
	}
}

static void check_fields(const struct insn *i, size_t n)
{
	static const u64 regs[16] = {1, (u64)1 << 63, (u64)-1, 3};

	check(i->length >= 1 && i->length <= INSN_MAX_LENGTH && i->length <= n);
	check(i->op > INSN_NONE && i->op < INSN_OP_COUNT && i->form <= INSN_FORM_REG);
	check(i->addr_size == 2 || i->addr_size == 4 || i->addr_size == 8);
	check(i->size <= 8 && (i->size & (i->size - 1)) == 0);
	check(i->reg <= REG_BH && i->rm <= REG_BH && i->segment <= SEG_GS);
	check(i->base < 16 || i->base == REG_NONE);
	check(i->index < 16 || i->index == REG_NONE);
	check(i->rep == 0 || i->rep == 0xf2 || i->rep == 0xf3);
	check(!i->lock || i->memory);
	if (i->memory)
		insn_address(i, regs, 0x1000, 0x2000);
}

static void check_decode(const u8 *bytes, size_t n, enum decode_mode mode)
{
	struct insn whole, part;
	int err = decode_alone(bytes, n, mode, 0, &whole);
	bool settled = false;

	check_answer(err, n);
	if (!err)
		check_fields(&whole, n);
	for (size_t k = 0; k <= n && k <= INSN_MAX_LENGTH + 1; k++) {
		int part_err = decode_alone(bytes, k, mode, 0xff, &part);

		settled = settled || part_err != DECODE_MORE;
		if (settled)
			check(part_err == err && memcmp(&part, &whole, sizeof(part)) == 0);
		if (!err)
			check(settled == (k >= whole.length));
	}
}

static void check_return_site(const u8 *bytes, size_t n)
{
	struct return_site site = {0};
	u8 *copy = malloc(n ? n : 1);
	int err = DECODE_MORE;

	check(copy != NULL);
	memcpy(copy, bytes, n);
	for (int calls = 0; err == DECODE_MORE && site.offset >= 0 && (size_t)site.offset < n;
	     calls++) {
		check(calls < 1000);
		err = decode_return_site(copy + site.offset, n - (size_t)site.offset, &site);
	}
	check(err == 0 || err == DECODE_MORE || err == DECODE_UNKNOWN);
	check((err == 0) == (site.end.op == INSN_IRET || site.end.op == INSN_SYSRET));
	free(copy);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	if (size == 0)
		return 0;
	check_decode(data + 1, size - 1, (enum decode_mode)(data[0] % 3));
	check_return_site(data + 1, size - 1);
	return 0;
}
