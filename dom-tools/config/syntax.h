/* SPDX-License-Identifier: MIT */
/*
 * Configuration files as text: the syntax of xl.cfg(5), without any knowledge
 * of keys. Statements `name = value` and `name += value` end with their line
 * or a semicolon; a value is a string in single or double quotes, a number,
 * or a list in brackets, over several lines if need be; # starts a comment.
 *
 * The scanner (scanner.l) and the grammar (grammar.y) make a tree of it that
 * owns all of its memory. They report every error with its place and go on at
 * the next statement.
 */
#ifndef DOM_TOOLS_CONFIG_SYNTAX_H
#define DOM_TOOLS_CONFIG_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

#include "dom-tools/config/problems.h"

enum value_kind {
	VALUE_STRING,
	VALUE_NUMBER,
	VALUE_LIST,
};

struct value {
	enum value_kind kind;
	struct position at;
	const char *text; /* of a string, without quotes and escapes; of a number, as it stands */
	struct value *first; /* of a list */
	struct value *last;
	struct value *next; /* in the list that this one is in */
};

/** One statement. */
struct setting {
	const char *name;
	struct position at;   /* of the name */
	bool add;             /* += */
	struct value *value;  /* NULL: it had an error */
	struct setting *next; /* in the file's order */
};

struct tree_block;

struct tree {
	struct setting *settings;
	struct tree_block *blocks; /* all memory of the tree */
};

/**
 * Read `size` bytes of text. What is wrong goes to `p`, and what could be read of the rest to the
 * tree, which is to be freed by tree_free() in any case. Returns 0, -ENOMEM, or
 * -E2BIG: it went beyond a limit, which is among the problems, and the tree ends there.
 */
int tree_parse(const char *text, size_t size, struct tree *tree, struct problems *p);

/** The two strings behind each other, in the tree's memory; NULL: no memory. */
const char *tree_join(struct tree *tree, const char *a, const char *b);

void tree_free(struct tree *tree);

#endif
