/* SPDX-License-Identifier: MIT */
/*
 * Whether Vellum's code is still what was booted: in passthrough the guest
 * could have overwritten it, and a changed hypervisor must refuse to start.
 */
#ifndef VELLUM_TRANSITION_OWN_IMAGE_H
#define VELLUM_TRANSITION_OWN_IMAGE_H

#include <stdbool.h>

/** Take the checksum; once, when the image is where it stays. */
void own_image_init(void);

/** Whether verify_image found all of it unchanged since own_image_forget(). */
bool own_image_is_verified(void);

/** A transition of the CPU's layer: it has to be verified again. */
void own_image_forget(void);

#endif
