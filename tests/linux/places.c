// SPDX-License-Identifier: MIT
/*
 * What a page fault costs by the page's place: its address has 16 values of the bits that caches of
 * translations are often found by. The page is flushed before each, as an INVLPG flushes it. Time
 * stamps are instructions under -icount; the least of a few counts.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <x86intrin.h>

#define PAGE   4096
#define PLACES 16
#define ROUNDS 20

static uint64_t fault(volatile char *page)
{
	uint64_t start;

	if (madvise((void *)(uintptr_t)page, PAGE, MADV_DONTNEED) != 0)
		return 0;
	start = __rdtsc();
	*page = 1;
	return __rdtsc() - start;
}

int main(void)
{
	char *area = mmap((void *)0x20000000, PLACES * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (area == MAP_FAILED)
		return 1;
	for (int place = 0; place < PLACES; place++) {
		uint64_t least = UINT64_MAX;

		for (int i = 0; i < ROUNDS; i++) {
			uint64_t ticks = fault(area + place * PAGE);

			if (ticks < least)
				least = ticks;
		}
		printf("place %d ticks %llu\n", place, (unsigned long long)least);
	}
	return 0;
}
