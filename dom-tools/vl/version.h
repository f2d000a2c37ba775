/* SPDX-License-Identifier: MIT */
/*
 * The tool's own version, which is that of the tree it was built from.
 */
#ifndef DOM_TOOLS_VL_VERSION_H
#define DOM_TOOLS_VL_VERSION_H

/** Print the line that `vl --version` prints. */
void print_tool_version(void);

#endif
