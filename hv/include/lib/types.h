/* SPDX-License-Identifier: MIT */
/*
 * Integers, and the address spaces as types. A virtual, a physical and a
 * machine address are all 64-bit numbers, and mixing them up is the classic
 * bug of a hypervisor; as one-member structures they do not convert into each
 * other, and cost nothing. Where two spaces are equal by construction (Vellum
 * in passthrough, p2m identity) the place that says so converts by name.
 */
#ifndef VELLUM_LIB_TYPES_H
#define VELLUM_LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the compiler's own judgement was measured to be wrong: `inline` says only that it may. */
#define ALWAYS_INLINE __attribute__((always_inline))
#define NEVER_INLINE  __attribute__((noinline))
/* Small before fast, in a file that is compiled to be fast. */
#define RARELY_USED   __attribute__((noinline, cold))

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define PAGE_SHIFT 12
#define PAGE_SIZE  ((u64)1 << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))
#define KIB        ((u64)1 << 10)
#define MIB        ((u64)1 << 20)
#define GIB        ((u64)1 << 30)

/** Virtual address of guest code. */
typedef struct {
	u64 v;
} va_t;
/** Guest-physical address: what a guest believes is RAM. */
typedef struct {
	u64 v;
} pa_t;
/** Machine address: what the hardware's RAM really is. */
typedef struct {
	u64 v;
} ma_t;
/** Frame numbers of the two: address >> PAGE_SHIFT. */
typedef struct {
	u64 v;
} pfn_t;
typedef struct {
	u64 v;
} mfn_t;

static inline ma_t mfn_to_ma(mfn_t f)
{
	return (ma_t){f.v << PAGE_SHIFT};
}

static inline mfn_t ma_to_mfn(ma_t a)
{
	return (mfn_t){a.v >> PAGE_SHIFT};
}

static inline pfn_t pa_to_pfn(pa_t a)
{
	return (pfn_t){a.v >> PAGE_SHIFT};
}

/** Round down or up to `align`, a power of two. round_up() may wrap: check before. */
static inline u64 round_down(u64 x, u64 align)
{
	return x & ~(align - 1);
}

static inline u64 round_up(u64 x, u64 align)
{
	return (x + align - 1) & ~(align - 1);
}

static inline u64 min_u64(u64 a, u64 b)
{
	return a < b ? a : b;
}

static inline u64 max_u64(u64 a, u64 b)
{
	return a > b ? a : b;
}

/** Half-open range of addresses [start, end), bytes; empty when start == end. */
struct range {
	u64 start;
	u64 end;
};

static inline u64 range_size(struct range r)
{
	return r.end - r.start;
}

static inline bool range_overlaps(struct range a, struct range b)
{
	return a.start < b.end && b.start < a.end;
}

/** Whether `inner` lies wholly within `outer`. */
static inline bool range_contains(struct range outer, struct range inner)
{
	return outer.start <= inner.start && inner.start <= inner.end && inner.end <= outer.end;
}

/** Two of them, either of which may be empty: with a hole below 4 GiB, memory is that and little
 * else. */
struct range_pair {
	struct range at[2];
};

static inline bool range_pair_has(const struct range_pair *p, u64 address)
{
	return address - p->at[0].start < range_size(p->at[0]) ||
	       address - p->at[1].start < range_size(p->at[1]);
}

/** Whether [start, start + size) lies in one of them. */
static inline bool range_pair_contains(const struct range_pair *p, u64 start, u64 size)
{
	for (u32 i = 0; i < 2; i++) {
		u64 before = start - p->at[i].start, all = range_size(p->at[i]);

		if (before < all && size <= all - before)
			return true;
	}
	return false;
}

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
