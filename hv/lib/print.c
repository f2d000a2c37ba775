// SPDX-License-Identifier: MIT
/*
 * printf-style formatting into a buffer. Pure code: the console, the panic
 * screen and the error sentences all come through here, so it must not
 * allocate, lock or fail.
 */
#include "lib/print.h"

#include "lib/string.h"
#include "lib/types.h"

/* Where the text goes: characters past `size` are counted but not stored. */
struct sink {
	char *buf;
	size_t size;
	size_t len;
};

struct spec {
	bool zero;
	bool left;
	bool alternate;
	int width;
	int precision; /* -1: none */
	int longs;     /* number of l; z counts as one */
};

static void put(struct sink *s, char c)
{
	if (s->len + 1 < s->size)
		s->buf[s->len] = c;
	s->len++;
}

static void put_padded(struct sink *s, const char *prefix, const char *text, size_t n,
		       const struct spec *spec)
{
	size_t used = strlen(prefix) + n;
	size_t pad = spec->width > 0 && (size_t)spec->width > used ? (size_t)spec->width - used : 0;

	for (; pad > 0 && !spec->left && !spec->zero; pad--)
		put(s, ' ');
	while (*prefix)
		put(s, *prefix++);
	for (; pad > 0 && !spec->left; pad--)
		put(s, '0');
	while (n-- > 0)
		put(s, *text++);
	for (; pad > 0; pad--)
		put(s, ' ');
}

static void put_number(struct sink *s, const char *prefix, u64 value, unsigned int base, bool upper,
		       const struct spec *spec)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	size_t at = sizeof(text);

	do {
		text[--at] = digits[value % base];
		value /= base;
	} while (value != 0);
	put_padded(s, prefix, text + at, sizeof(text) - at, spec);
}

static u64 next_unsigned(va_list *ap, const struct spec *spec)
{
	return spec->longs > 0 ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned int);
}

static void put_signed(struct sink *s, va_list *ap, const struct spec *spec)
{
	s64 value = spec->longs > 0 ? va_arg(*ap, long) : va_arg(*ap, int);

	if (value < 0)
		put_number(s, "-", 0 - (u64)value, 10, false, spec);
	else
		put_number(s, "", (u64)value, 10, false, spec);
}

static void put_string(struct sink *s, const char *text, const struct spec *spec)
{
	size_t n = 0;

	if (text == NULL)
		text = "(null)";
	while ((spec->precision < 0 || n < (size_t)spec->precision) && text[n] != 0)
		n++;
	put_padded(s, "", text, n, spec);
}

static int parse_number(const char **fmt, va_list *ap)
{
	int n = 0;

	if (**fmt == '*') {
		(*fmt)++;
		return va_arg(*ap, int);
	}
	for (; **fmt >= '0' && **fmt <= '9'; (*fmt)++)
		n = n * 10 + (**fmt - '0');
	return n;
}

static struct spec parse_spec(const char **fmt, va_list *ap)
{
	struct spec spec = {.precision = -1};

	for (;; (*fmt)++) {
		if (**fmt == '0')
			spec.zero = true;
		else if (**fmt == '-')
			spec.left = true;
		else if (**fmt == '#')
			spec.alternate = true;
		else
			break;
	}
	spec.width = parse_number(fmt, ap);
	if (**fmt == '.') {
		(*fmt)++;
		spec.precision = parse_number(fmt, ap);
	}
	for (; **fmt == 'l' || **fmt == 'z'; (*fmt)++)
		spec.longs++;
	return spec;
}

static void put_conversion(struct sink *s, char c, va_list *ap, struct spec *spec)
{
	char one;

	switch (c) {
	case 'd':
	case 'i':
		put_signed(s, ap, spec);
		break;
	case 'u':
		put_number(s, "", next_unsigned(ap, spec), 10, false, spec);
		break;
	case 'x':
	case 'X':
		put_number(s, spec->alternate ? "0x" : "", next_unsigned(ap, spec), 16, c == 'X',
			   spec);
		break;
	case 'p':
		put_number(s, "0x", (uintptr_t)va_arg(*ap, void *), 16, false, spec);
		break;
	case 's':
		spec->zero = false;
		put_string(s, va_arg(*ap, const char *), spec);
		break;
	case 'c':
		one = (char)va_arg(*ap, int);
		put_padded(s, "", &one, 1, spec);
		break;
	default:
		put(s, c);
		break;
	}
}

int vl_vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	struct sink s = {.buf = buf, .size = size};
	va_list ap;

	va_copy(ap, args);
	while (*fmt != 0) {
		struct spec spec;

		if (*fmt != '%') {
			put(&s, *fmt++);
			continue;
		}
		fmt++;
		spec = parse_spec(&fmt, &ap);
		if (*fmt == 0)
			break;
		put_conversion(&s, *fmt++, &ap, &spec);
	}
	va_end(ap);
	if (size > 0)
		buf[s.len < size ? s.len : size - 1] = 0;
	return (int)s.len;
}

int vl_snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vl_vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
