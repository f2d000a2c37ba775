// SPDX-License-Identifier: MIT
/*
 * The p2m's tables are frames of the partition.
 */
#include "p2m/memory.h"

#include "lib/panic.h"
#include "lib/string.h"
#include "mem/frames.h"
#include "mem/layout.h"

static void *alloc(void *context)
{
	mfn_t mfn;

	(void)context;
	return frame_alloc(&mfn) ? direct(mfn_to_ma(mfn)) : NULL;
}

static void release(void *context, void *page)
{
	(void)context;
	frame_free(ma_to_mfn((ma_t){(u64)page - DIRECT_BASE}));
}

const struct p2m_memory p2m_frames = {.alloc = alloc, .free = release};

static mfn_t ones;

void p2m_memory_renew(void)
{
	memset(direct(mfn_to_ma(ones)), 0xff, PAGE_SIZE);
}

void p2m_memory_init(void)
{
	if (!frame_alloc(&ones))
		panic("the partition cannot hold one frame"); /* options.c sets the minimum */
	p2m_memory_renew();
	p2m_set_machine(frames_partition(), mfn_to_ma(ones));
}
