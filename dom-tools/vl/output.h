/* SPDX-License-Identifier: MIT */
/*
 * Output rules that all commands share. Text that came from the hypervisor or
 * from another guest may hold anything; nothing of it reaches a terminal or a
 * JSON string but printable ASCII, the rest is written as \xNN.
 */
#ifndef DOM_TOOLS_VL_OUTPUT_H
#define DOM_TOOLS_VL_OUTPUT_H

#include <json-c/json.h>
#include <stdint.h>
#include <stdio.h>

/** Print one byte of untrusted text. */
void print_byte(FILE *out, unsigned char c);

/** Bytes that a zero-terminated name of an ABI structure can take when it is made printable. */
#define PRINTABLE_SIZE (4 * 64 + 1)

/** Make an untrusted name of up to 64 bytes printable, in `to` of PRINTABLE_SIZE bytes. */
const char *printable(char *to, const char *name);

/* JSON building that cannot fail: without memory vl ends with a sentence and exit code 1. */
struct json_object *json_new_object(void);
struct json_object *json_new_array(void);
void json_add(struct json_object *object, const char *key, struct json_object *value);
void json_append(struct json_object *array, struct json_object *value);
void json_add_u64(struct json_object *object, const char *key, uint64_t value);
/** With three digits behind the point. */
void json_add_seconds(struct json_object *object, const char *key, double seconds);
/** `text` is untrusted, `size` bytes, and is made printable. */
void json_add_text(struct json_object *object, const char *key, const char *text);
struct json_object *json_new_text(const char *text, size_t size);

/** Print the value with a newline, and free it. */
void json_print(FILE *out, struct json_object *value);

#endif
