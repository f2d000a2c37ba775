// SPDX-License-Identifier: MIT
/*
 * The shadow made wrong on purpose: the audit of a debug build must not let it
 * pass. On request only, since Vellum's panic ends it.
 */
#include "mini/cmdline.h"
#include "mini/cpu.h"
#include "mini/hypercall.h"
#include "mini/memory.h"
#include "mini/tap.h"
#include "mini/virtual.h"
#include "public/calls.h"
#include "public/errno.h"

static const u64 constant[512] __attribute__((aligned(4096))) = {1};
static u64 variable[512] __attribute__((aligned(4096)));

static void spoil(const u64 *page, u64 how)
{
	s64 r;

	variable[1] = 1;
	(void)*(const volatile u64 *)page;
	r = vl_call_test_spoil_shadow(hypercall_page, (u64)page, how);
	CHECK(r == 0, "test_spoil_shadow answered %ld", r);
	CHECK(devirtualize() == 0, "devirtualize");
}

TEST(spoiled_shadow_refused, "I6 M5")
{
	s64 r = vl_call_test_spoil_shadow(hypercall_page, (u64)variable, VL_SPOIL_USER + 1);

	/* In this order: a release build, passthrough, an unknown way. */
	CHECK(r == -VL_EOPNOTSUPP || r == (is_virtualized() ? -VL_EINVAL : -VL_EPERM),
	      "answered %ld", r);
}

TEST_ON_REQUEST(spoiled_frame, "M5 M6")
{
	spoil(variable, VL_SPOIL_FRAME);
}

TEST_ON_REQUEST(spoiled_rights, "M5 M6")
{
	spoil(constant, VL_SPOIL_WRITABLE);
}

TEST_ON_REQUEST(spoiled_users, "M5 M6")
{
	spoil(variable, VL_SPOIL_USER);
}
