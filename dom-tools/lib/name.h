/* SPDX-License-Identifier: MIT */
/*
 * Which names a domain can be given. Narrower than what the ABI carries:
 * a name has to stand on a command line as it is, beside ids and options.
 */
#ifndef DOM_TOOLS_LIB_NAME_H
#define DOM_TOOLS_LIB_NAME_H

/** NULL if `name` is a good one, else what is wrong, as the end of a sentence "the name ...". */
const char *vl_name_problem(const char *name);

#endif
