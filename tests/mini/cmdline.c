// SPDX-License-Identifier: MIT
/*
 * Looking things up in the command line.
 */
#include "mini/cmdline.h"

#include "lib/string.h"
#include "mini/memory.h"

const char *cmdline(void)
{
	return start_info->cmdline != 0 ? pa_to_ptr((pa_t){start_info->cmdline}) : "";
}

static size_t word_length(const char *word)
{
	size_t n = 0;

	while (word[n] != 0 && word[n] != ' ')
		n++;
	return n;
}

bool cmdline_get(const char *name, char *value, size_t size)
{
	size_t name_length = strlen(name);
	const char *word = cmdline();
	size_t n, i;

	for (; *word != 0; word += *word == ' ' ? 1 : word_length(word)) {
		n = word_length(word);
		if (n < name_length || memcmp(word, name, name_length) != 0 ||
		    (n > name_length && word[name_length] != '='))
			continue;
		for (i = name_length + 1; i < n && i - name_length < size; i++)
			value[i - name_length - 1] = word[i];
		value[i - name_length - 1] = 0;
		return true;
	}
	return false;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 'a' ^ 'A';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool cmdline_get_hex(const char *name, u64 *value)
{
	char text[24];
	const char *p = text;

	if (!cmdline_get(name, text, sizeof(text)))
		return false;
	if (p[0] == '0' && p[1] == 'x')
		p += 2;
	if (*p == 0)
		return false;
	for (*value = 0; *p != 0; p++) {
		if (hex_digit(*p) < 0)
			return false;
		*value = *value << 4 | (u64)hex_digit(*p);
	}
	return true;
}
