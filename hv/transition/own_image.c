// SPDX-License-Identifier: MIT
/*
 * The checksum of Vellum's text and constants, and the call that verifies it.
 * It is a guard against accidents: a guest that means harm in passthrough is
 * the machine's owner. Owns invariant S9.
 */
#include "transition/own_image.h"

#include "lib/lock.h"
#include "lib/x86.h"
#include "mem/image_sum.h"
#include "mem/layout.h"
#include "mem/own_tables.h"
#include "hypercall_handlers.h"

#define CPUID_SSE42 (1u << 20)

static struct image_sum sum;
static struct lock lock = LOCK_INIT(LOCK_TRANSITION); /* several CPUs may verify */

void own_image_init(void)
{
	image_sum_init(&sum, image_start, own_text_size(), (cpuid(1, 0).ecx & CPUID_SSE42) != 0);
}

bool own_image_is_verified(void)
{
	return sum.whole;
}

void own_image_forget(void)
{
	image_sum_forget(&sum);
}

s64 call_verify_image(struct domain *d)
{
	s64 left;

	(void)d;
	lock_take(&lock);
	left = image_sum_step(&sum);
	lock_release(&lock);
	return left;
}
