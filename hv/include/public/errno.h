/* SPDX-License-Identifier: MIT */
/*
 * Errors of the hypercall ABI. A hypercall returns a value >= 0, or one of
 * these, negated. The numbers are Linux's (and so most guests') own, which is
 * why they are sparse; a number once given never changes its meaning.
 */
#ifndef VELLUM_PUBLIC_ERRNO_H
#define VELLUM_PUBLIC_ERRNO_H

#define VL_EPERM      1   /* the caller may not do this */
#define VL_ENOENT     2   /* no such domain or object */
#define VL_EIO        5   /* the hardware refused */
#define VL_ENXIO      6   /* Vellum has no driver for it */
#define VL_E2BIG      7   /* an argument list or image is too long */
#define VL_ENOEXEC    8   /* not an image that can be started */
#define VL_EAGAIN     11  /* not now; call again */
#define VL_ENOMEM     12  /* Vellum's partition or the guest's memory is too small */
#define VL_EFAULT     14  /* a buffer is not in the caller's own RAM */
#define VL_EBUSY      16  /* the object is in use */
#define VL_EEXIST     17  /* it exists already */
#define VL_ENODEV     19  /* the calling CPU is not known */
#define VL_EINVAL     22  /* an argument is outside its domain */
#define VL_ENOSPC     28  /* the result does not fit into the buffer */
#define VL_ERANGE     34  /* a number is outside what the machine has */
#define VL_ENOSYS     38  /* no such hypercall in this version */
#define VL_EBADMSG    74  /* a checksum does not match */
#define VL_EOPNOTSUPP 95  /* known, but not possible in this mode or on this machine */
#define VL_ETIMEDOUT  110 /* another CPU did not come */
#define VL_EUCLEAN    117 /* Vellum's own image was not verified */

#endif
