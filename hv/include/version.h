/* SPDX-License-Identifier: MIT */
/*
 * Vellum's version and how it was built.
 */
#ifndef VELLUM_VERSION_H
#define VELLUM_VERSION_H

#define VELLUM_VERSION "0.1.0"

#ifdef __clang__
#define VELLUM_COMPILER "clang " __clang_version__
#else
#define VELLUM_COMPILER "gcc " __VERSION__
#endif

#ifndef VELLUM_BUILD_KIND
#define VELLUM_BUILD_KIND "release"
#endif

#define VELLUM_BUILD VELLUM_BUILD_KIND ", " VELLUM_COMPILER

#endif
