// SPDX-License-Identifier: MIT
/*
 * The tree's memory, the meaning of literals, and the tokens as the grammar
 * gets them, see syntax.h and parse.h.
 */
#include "dom-tools/config/syntax.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dom-tools/config/parse.h"
#include "grammar.h"

/* A file this long is not a configuration; the scanner counts bytes in an int. */
#define MAX_SIZE (1024 * 1024)

struct tree_block {
	struct tree_block *next;
	_Alignas(max_align_t) char data[];
};

static void *tree_alloc(struct tree *tree, size_t size)
{
	struct tree_block *b = calloc(1, sizeof(*b) + size);

	if (b == NULL)
		return NULL;
	b->next = tree->blocks;
	tree->blocks = b;
	return b->data;
}

void *parse_alloc(struct parse *p, size_t size)
{
	void *memory = tree_alloc(p->tree, size);

	if (memory == NULL)
		p->out_of_memory = true;
	return memory;
}

const char *tree_join(struct tree *tree, const char *a, const char *b)
{
	char *both = tree_alloc(tree, strlen(a) + strlen(b) + 1);

	return both != NULL ? strcat(strcpy(both, a), b) : NULL;
}

const char *parse_copy(struct parse *p, const char *text, size_t size)
{
	char *copy = parse_alloc(p, size + 1);

	if (copy != NULL)
		memcpy(copy, text, size);
	return copy;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* Up to `most` digits at *in, which moves behind them; -1 if there is none. */
static int digits(const char **in, int base, int most)
{
	int n = -1;

	for (int i = 0; i < most && digit(**in) < base; i++)
		n = (n < 0 ? 0 : n) * base + digit(*(*in)++);
	return n;
}

/* The byte that the escape behind a backslash stands for, -1 if none. */
static int escape(const char **in)
{
	static const char letters[] = "abfnrtv\\'\"", bytes[] = "\a\b\f\n\r\t\v\\'\"";
	const char *found;

	if (digit(**in) < 8)
		return digits(in, 8, 3);
	if (**in == 'x') {
		++*in;
		return digits(in, 16, 2);
	}
	found = strchr(letters, *(*in)++);
	return found != NULL && *found ? bytes[found - letters] : -1;
}

static void bad_string(struct parse *p, struct position at, size_t offset, const char *what)
{
	at.column += (uint32_t)offset;
	problem_add(p->problems, PROBLEM_ERROR, at, "%s", what);
}

const char *parse_string(struct parse *p, struct position at, const char *text, size_t size)
{
	const char *in = text + 1, *end = text + size - 1;
	char *copy = parse_alloc(p, size), *out = copy;
	bool good = true;

	while (copy != NULL && in < end) {
		size_t offset = (size_t)(in - text);
		bool escaped = *in == '\\';
		int c;

		in += escaped;
		c = escaped ? escape(&in) : (unsigned char)*in++;
		if (c < 0)
			bad_string(p, at, offset, "there is no such escape; \\\\ is a backslash");
		else if (c == 0 || c > 255)
			bad_string(p, at, offset, "a string cannot hold this byte");
		good = good && c > 0 && c <= 255;
		*out++ = (char)c;
	}
	return good ? copy : NULL;
}

const char *parse_number(struct parse *p, struct position at, const char *text, size_t size)
{
	bool hex = size > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

	for (size_t i = hex ? 2 : 0; i < size; i++)
		if (digit(text[i]) >= (hex ? 16 : 10)) {
			at.column += (uint32_t)i;
			problem_add(p->problems, PROBLEM_ERROR, at,
				    "this is not a digit; a number has no unit, and text stands in "
				    "quotes");
			return NULL;
		}
	if (size > 1 && text[0] == '0' && !hex) {
		problem_add(p->problems, PROBLEM_ERROR, at,
			    "a number that starts with 0 is octal in some tools and not in others; "
			    "leave the 0 out");
		return NULL;
	}
	return parse_copy(p, text, size);
}

static void hold(struct parse *p, int token, const union token_value *value)
{
	p->holds = true;
	p->held = token;
	p->held_value = *value;
	p->held_at = p->at;
}

/* A statement or the end inside of brackets: close them, and the statement before. */
static void close_brackets(struct parse *p)
{
	problem_add(p->problems, PROBLEM_ERROR, p->bracket,
		    "this list is not closed; `]` is missing");
	p->missing = p->depth;
	p->depth = 0;
	p->newline_first = true;
}

/* Hand the held token out, after what has to come first. */
static int release(union token_value *value, struct parse *p)
{
	if (p->missing > 0) {
		p->missing--;
		return ']';
	}
	if (p->newline_first) {
		p->newline_first = false;
		return NEWLINE;
	}
	p->holds = false;
	*value = p->held_value;
	return p->held;
}

int parse_token(union token_value *value, struct position *at, struct parse *p)
{
	int token;

	if (!p->holds) {
		uint32_t line = p->at.line;

		token = parse_scan(value, p);
		if (p->depth > 0 && (token == END || (token == NAME && p->at.line > line)))
			close_brackets(p);
		/* The last line may lack its newline. */
		if (token == END && p->last != NEWLINE && p->last != END)
			p->newline_first = true;
		if (!p->newline_first) {
			*at = p->at;
			return p->last = token;
		}
		hold(p, token, value);
	}
	*at = p->held_at;
	return p->last = release(value, p);
}

int tree_parse(const char *text, size_t size, struct tree *tree, struct problems *p)
{
	struct parse parse = {.tree = tree, .problems = p, .behind = {1, 1}, .last = NEWLINE};
	bool started;
	int rc = 0;

	*tree = (struct tree){0};
	parse.end = &tree->settings;
	if (size > MAX_SIZE) {
		problem_add(p, PROBLEM_ERROR, (struct position){0},
			    "the file has %zu bytes; a configuration is shorter than a MiB", size);
		return -E2BIG;
	}
	started = parse_scanner_start(&parse, text, size) == 0;
	if (started)
		rc = parse_grammar(&parse);
	parse_scanner_end(&parse);
	if (!started || parse.out_of_memory)
		return -ENOMEM;
	return rc == 2 ? -E2BIG : 0;
}

void tree_free(struct tree *tree)
{
	while (tree->blocks != NULL) {
		struct tree_block *b = tree->blocks;

		tree->blocks = b->next;
		free(b);
	}
	tree->settings = NULL;
}
