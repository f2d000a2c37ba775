// SPDX-License-Identifier: MIT
/*
 * The errors that each call may answer, written down a second time, by hand: the
 * definition is what the reference is made from, and this is what is compared.
 */
#include "tests/fuzz/machine/answers.h"

#include "public/calls.h"
#include "public/errno.h"

#define E(name) ((u64)1 << VL_##name)

/* E(EOPNOTSUPP) is bit 95: the two above 63 have places of their own. */
#define OPNOTSUPP ((u64)1 << 62)

static const u64 errors[VL_CALL_LIMIT] = {
	[VL_CALL_HV_INFO] = E(EFAULT) | E(EINVAL),
	[VL_CALL_DOMAIN_INFO] = E(ENOENT) | E(EFAULT) | E(EINVAL) | E(EPERM),
	[VL_CALL_DOMAIN_NEXT] = E(ENOENT) | E(EINVAL),
	[VL_CALL_CONSOLE_READ] = E(EFAULT) | E(EINVAL) | E(EPERM),
	[VL_CALL_SET_ALIAS] = E(EINVAL) | E(EFAULT),
	[VL_CALL_SET_VCPU_INFO] = E(EINVAL) | E(EFAULT) | E(EBUSY),
	[VL_CALL_SET_FEATURES] = E(EINVAL) | E(EBUSY),
	[VL_CALL_MMU_LOAD] = E(EINVAL) | E(EPERM),
	[VL_CALL_MMU_FLUSH] = E(EINVAL) | E(EPERM),
	[VL_CALL_DESCRIPTORS] = E(EPERM),
	[VL_CALL_P2M_READ] = E(ENOENT) | OPNOTSUPP | E(EFAULT) | E(EINVAL) | E(EPERM),
	[VL_CALL_DOMAIN_COUNTERS] = E(ENOENT) | E(EFAULT) | E(EINVAL) | E(EPERM),
	[VL_CALL_MMU_FLUSH_REMOTE] = E(EINVAL) | E(EPERM),
	[VL_CALL_ADD_CPU] = E(EINVAL) | E(ENOSPC) | E(ENOMEM) | E(EPERM),
	[VL_CALL_DOMAIN_RENAME] = E(ENOENT) | E(EEXIST) | E(EFAULT) | E(EINVAL) | E(EPERM),
	[VL_CALL_DOMAIN_CREATE] =
		E(EFAULT) | E(EINVAL) | E(ERANGE) | OPNOTSUPP | E(EEXIST) | E(ENOMEM) | E(EPERM),
	[VL_CALL_MEMORY_GIVE] =
		E(ENOENT) | E(EFAULT) | E(EINVAL) | E(EBUSY) | E(EEXIST) | E(ENOMEM) | E(EPERM),
	[VL_CALL_DOMAIN_DESTROY] = E(ENOENT) | E(EPERM),
	[VL_CALL_MEMORY_TAKE] = E(ENOENT) | E(EFAULT) | E(EINVAL) | E(EBUSY) | E(EPERM),
	[VL_CALL_VCPU_START] = E(ENOENT) | E(EFAULT) | E(EINVAL) | E(EBUSY) | E(ENOMEM) | E(EPERM),
	[VL_CALL_DOMAIN_PAUSE] = E(ENOENT) | E(EBUSY) | E(EPERM),
	[VL_CALL_DOMAIN_UNPAUSE] = E(ENOENT) | E(EINVAL) | E(EBUSY) | E(EPERM),
	[VL_CALL_DOMAIN_WEIGHT] = E(ENOENT) | E(EINVAL) | E(EPERM),
	[VL_CALL_SHUTDOWN] = E(EINVAL) | E(EPERM),
	[VL_CALL_DOMAIN_SHUTDOWN] = E(ENOENT) | E(EINVAL) | E(EBUSY) | E(EPERM),
	[VL_CALL_DOMAIN_SCHED_INFO] = E(ENOENT) | E(EFAULT) | E(EINVAL) | E(EPERM),
	[VL_CALL_GRANT_OFFER] = E(ENOENT) | E(EFAULT) | E(EINVAL) | E(ENOSPC) | E(ENOMEM),
	[VL_CALL_GRANT_MAP] =
		E(ENOENT) | E(EFAULT) | E(EBUSY) | E(EINVAL) | E(EEXIST) | E(ENOSPC) | E(ENOMEM),
	[VL_CALL_GRANT_UNMAP] = E(ENOENT),
	[VL_CALL_GRANT_REVOKE] = E(ENOENT) | E(EBUSY),
	[VL_CALL_TEST_MOVE_PAGE] =
		E(EBUSY) | OPNOTSUPP | E(EFAULT) | E(EINVAL) | E(ENOMEM) | E(EPERM),
	[VL_CALL_MEMORY_TARGET] = E(ENOENT) | E(EINVAL) | E(EPERM),
	[VL_CALL_DOMAIN_CONSOLE_READ] = E(ENOENT) | OPNOTSUPP | E(EFAULT) | E(EINVAL) | E(EPERM),
	[VL_CALL_DOMAIN_CONSOLE_WRITE] = E(ENOENT) | OPNOTSUPP | E(EFAULT) | E(EPERM),
	[VL_CALL_CONSOLE_PUT] = OPNOTSUPP | E(EFAULT),
	[VL_CALL_CONSOLE_GET] = OPNOTSUPP | E(EFAULT),
	[VL_CALL_EVENT_SETUP] = E(EINVAL) | E(EFAULT) | OPNOTSUPP,
	[VL_CALL_EVENT_OPEN] = E(ENOENT) | E(ENOSPC) | OPNOTSUPP,
	[VL_CALL_EVENT_BIND] = E(ENOENT) | E(ENOSPC) | OPNOTSUPP,
	[VL_CALL_EVENT_SEND] = E(ENOENT),
	[VL_CALL_EVENT_CLOSE] = E(ENOENT),
};

bool answer_is_elsewhere(u64 nr)
{
	return nr == VL_CALL_VIRTUALIZE || nr == VL_CALL_DEVIRTUALIZE ||
	       nr == VL_CALL_VERIFY_IMAGE || nr == VL_CALL_SET_FAILPOINT ||
	       nr == VL_CALL_TEST_SPOIL_SHADOW;
}

/* The numbers that are set aside. */
static bool is_unused(u64 nr)
{
	return nr >= VL_CALL_LIMIT;
}

bool answer_is_defined(u64 nr, s64 r)
{
	if (r >= 0)
		return !is_unused(nr);
	if (is_unused(nr))
		return r == -VL_ENOSYS;
	if (r == -VL_EOPNOTSUPP)
		return (errors[nr] & OPNOTSUPP) != 0;
	return -r < 62 && (errors[nr] >> -r & 1) != 0;
}
