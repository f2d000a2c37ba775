// SPDX-License-Identifier: MIT
/*
 * The rule for names, see name.h.
 */
#include "dom-tools/lib/name.h"

#include <string.h>

#include "public/hypercall.h"

#define DIGITS "0123456789"

static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "._+-";

const char *vl_name_problem(const char *name)
{
	size_t n = strlen(name);

	if (n == 0)
		return "is empty";
	if (n >= sizeof(((struct vl_domain_info *)0)->name))
		return "is longer than 31 bytes";
	if (strspn(name, allowed) != n)
		return "has other bytes than letters, digits and . _ + -";
	if (name[0] == '-')
		return "starts with a dash, as options do";
	if (strspn(name, DIGITS) == n)
		return "is all digits, as ids are";
	return NULL;
}
