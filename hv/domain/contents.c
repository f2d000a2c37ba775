// SPDX-License-Identifier: MIT
/*
 * See domain/contents.h. The hash decides only who is compared with whom, so it
 * is to be quick, and no guest gains anything by collisions: they cost the
 * comparison that finds them.
 */
#include "domain/contents.h"

#include "lib/string.h"
#include "mem/layout.h"

#define WORDS  (PAGE_SIZE / sizeof(u64))
#define FACTOR 0x9e3779b97f4a7c15ull

static u64 *words_of(mfn_t mfn)
{
	return direct(mfn_to_ma(mfn));
}

void contents_copy(mfn_t to, mfn_t from)
{
	memcpy(words_of(to), words_of(from), PAGE_SIZE);
}

bool contents_equal(mfn_t a, mfn_t b)
{
	const u64 *x = words_of(a), *y = words_of(b);
	u64 i = 0;

	while (i < WORDS && x[i] == y[i])
		i++;
	return i == WORDS;
}

bool contents_zero(mfn_t mfn, u64 *hash)
{
	const u64 *word = words_of(mfn);
	u64 sum = 0, any = 0;

	for (u64 i = 0; i < WORDS; i++) {
		any |= word[i];
		sum = ((sum << 5 | sum >> 59) ^ word[i]) * FACTOR;
	}
	*hash = sum ^ sum >> 32;
	return any == 0;
}
