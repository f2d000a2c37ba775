// SPDX-License-Identifier: MIT
/*
 * The one way an error sentence comes into being (see lib/failure.h). Pure.
 */
#include "lib/failure.h"

#include "lib/print.h"

int fail(struct failure *f, int err, const char *fmt, ...)
{
	va_list ap;

	f->err = err;
	va_start(ap, fmt);
	vl_vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	return -err;
}
