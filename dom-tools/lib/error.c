/* SPDX-License-Identifier: MIT */
/*
 * Recording of a failure, see error.h. A sentence that is too long is cut,
 * never refused: half a reason is better than none.
 */
#include "dom-tools/lib/error.h"

#include <stdarg.h>
#include <stdio.h>

int vl_fail(struct vl_error *e, int err, const char *fmt, ...)
{
	va_list ap;

	e->err = err;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return -err;
}
