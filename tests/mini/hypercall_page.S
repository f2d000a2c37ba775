/* SPDX-License-Identifier: MIT */
/*
 * The place for our copy of Vellum's hypercall page: a page of its own in the
 * kernel's text, because it has to be executable and mapped in every space.
 * Offset 0 is the function (public/hypercall.h). Filled by hypercall_init().
 */
	.text
	.balign 4096
	.globl hypercall_page
	.type hypercall_page, @function
hypercall_page:
	.fill 4096, 1, 0xcc
	.size hypercall_page, 4096
