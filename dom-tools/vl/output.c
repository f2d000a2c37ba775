/* SPDX-License-Identifier: MIT */
/*
 * Printable text and JSON, see output.h.
 */
#include "dom-tools/vl/output.h"

#include <stdlib.h>
#include <string.h>

#include "dom-tools/vl/command.h"

static void *or_die(void *p)
{
	if (!p) {
		fputs("vl: out of memory while building JSON; free some and try again\n", stderr);
		exit(VL_EXIT_FAILED);
	}
	return p;
}

static int is_printable(unsigned char c)
{
	return c >= 0x20 && c < 0x7f;
}

void print_byte(FILE *out, unsigned char c)
{
	if (is_printable(c) || c == '\n' || c == '\t')
		fputc(c, out);
	else
		fprintf(out, "\\x%02x", c);
}

/* Returns the number of bytes written, at most 4. */
static size_t put_printable(char *to, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

	if (is_printable(c)) {
		to[0] = (char)c;
		return 1;
	}
	memcpy(to, "\\x", 2);
	to[2] = hex[c >> 4];
	to[3] = hex[c & 15];
	return 4;
}

const char *printable(char *to, const char *name)
{
	size_t used = 0;

	for (; *name && used + 4 < PRINTABLE_SIZE; name++)
		used += put_printable(to + used, (unsigned char)*name);
	to[used] = 0;
	return to;
}

struct json_object *json_new_object(void)
{
	return or_die(json_object_new_object());
}

struct json_object *json_new_array(void)
{
	return or_die(json_object_new_array());
}

void json_add(struct json_object *object, const char *key, struct json_object *value)
{
	if (json_object_object_add(object, key, value))
		or_die(NULL);
}

void json_append(struct json_object *array, struct json_object *value)
{
	if (json_object_array_add(array, value))
		or_die(NULL);
}

void json_add_u64(struct json_object *object, const char *key, uint64_t value)
{
	json_add(object, key, or_die(json_object_new_uint64(value)));
}

void json_add_seconds(struct json_object *object, const char *key, double seconds)
{
	char text[32];

	snprintf(text, sizeof(text), "%.3f", seconds);
	json_add(object, key, or_die(json_object_new_double_s(seconds, text)));
}

struct json_object *json_new_text(const char *text, size_t size)
{
	char *clean = or_die(malloc(4 * size + 1));
	struct json_object *value;
	size_t used = 0;

	for (size_t i = 0; i < size; i++)
		used += put_printable(clean + used, (unsigned char)text[i]);
	value = or_die(json_object_new_string_len(clean, (int)used));
	free(clean);
	return value;
}

void json_add_text(struct json_object *object, const char *key, const char *text)
{
	json_add(object, key, json_new_text(text, strlen(text)));
}

void json_print(FILE *out, struct json_object *value)
{
	int flags =
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE;

	fprintf(out, "%s\n",
		(const char *)or_die(
			(void *)(uintptr_t)json_object_to_json_string_ext(value, flags)));
	json_object_put(value);
}
