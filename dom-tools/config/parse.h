/* SPDX-License-Identifier: MIT */
/*
 * What scanner and grammar share while they read one text. Owns the rule that
 * makes errors local: a line inside brackets that starts with a name, or the
 * end of the text there, means that the bracket was not closed. parse_token()
 * says so and closes it, so that the statement behind is read as usual.
 */
#ifndef DOM_TOOLS_CONFIG_PARSE_H
#define DOM_TOOLS_CONFIG_PARSE_H

#include "dom-tools/config/syntax.h"

/** A token's value: the text of those that have one. */
union token_value {
	const char *text;
	struct value *value;
	struct setting *setting;
	bool add;
};

struct parse {
	struct tree *tree;
	struct problems *problems;
	bool out_of_memory;
	void *scanner;
	struct position at;     /* of the last token */
	struct position behind; /* and of what follows it */
	struct setting **end;   /* where the next setting goes */
	/* Brackets that are open, and where the outermost is. */
	unsigned int depth;
	struct position bracket;
	/* A token that has to wait until `missing` closing brackets, and maybe a newline, are out.
	 */
	unsigned int missing;
	bool newline_first;
	bool holds;
	int held;
	union token_value held_value;
	struct position held_at;
	int last; /* token that parse_token() returned */
};

/** Memory of the tree, zeroed; NULL sets out_of_memory. */
void *parse_alloc(struct parse *p, size_t size);

/** The bytes as a string of the tree's, or NULL. */
const char *parse_copy(struct parse *p, const char *text, size_t size);

/** A string literal with its quotes: what it means, or NULL. Reports wrong escapes. */
const char *parse_string(struct parse *p, struct position at, const char *text, size_t size);

/** Check a number; returns it as text of the tree, or NULL. Reports one that is none. */
const char *parse_number(struct parse *p, struct position at, const char *text, size_t size);

/** The scanner itself (scanner.l): the next token of the text, 0 at its end. */
int parse_scan(union token_value *value, struct parse *p);

/** The grammar's yylex(): the next token, brackets closed. */
int parse_token(union token_value *value, struct position *at, struct parse *p);

/** The grammar (grammar.y). 0: read, with or without problems; 2: its stack was too small. */
int parse_grammar(struct parse *p);

/** Start and end a scanner over the bytes. 0, or not 0: no memory. */
int parse_scanner_start(struct parse *p, const char *text, size_t size);
void parse_scanner_end(struct parse *p);

#endif
