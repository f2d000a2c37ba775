/* SPDX-License-Identifier: MIT */
/*
 * The grammar of configuration files, see syntax.h. An error is told in words
 * of the file (what stands there, what could have stood there) and ends with
 * the statement, or with the list that it is in.
 */
%code requires {
#include "dom-tools/config/parse.h"
}

%code top {
/* What bison writes is not ours to change. */
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wundef"
}

%code {
#include <stdio.h>
#include <string.h>

#define MAX_EXPECTED 5

static void grammar_error(const struct position *at, struct parse *p, const char *text);
static struct value *new_value(struct parse *p, enum value_kind kind, struct position at);
static struct value *new_atom(struct parse *p, enum value_kind kind, struct position at,
			      const char *text);
static struct value *place(struct position at, struct value *list);
static void append_value(struct value *list, struct value *value);
static void append_setting(struct parse *p, const char *name, struct position at, bool add,
			   struct value *value);
}

%define api.pure full
%define api.prefix {grammar_}
%define api.value.type {union token_value}
%define api.location.type {struct position}
%define parse.error custom
%define parse.lac full
%locations
%param {struct parse *p}

%code {
static int grammar_lex(union token_value *value, struct position *at, struct parse *p)
{
	return parse_token(value, at, p);
}

/* The place of a rule is that of its first part. */
#define YYLLOC_DEFAULT(current, parts, n)                                                          \
	do {                                                                                       \
		(current) = YYRHSLOC(parts, (n) > 0 ? 1 : 0);                                      \
	} while (0)
}

%token <text> NAME "a name"
%token <text> STRING "a string"
%token <text> NUMBER "a number"
%token <text> WORD "a bare word"
%token NEWLINE "the end of the line"
%token ADD "`+=`"
%token '=' "`=`"
%token '[' "`[`"
%token ']' "`]`"
%token ',' "`,`"
%token ';' "`;`"
%token END 0 "the end of the file"

%type <value> value atom list values
%type <add> assign

%%

file:
	%empty
	| file statement
	;

statement:
	end
	| NAME assign value end		{ append_setting(p, $1, @1, $2, $3); }
	| NAME assign error end		{ append_setting(p, $1, @1, $2, NULL); yyerrok; }
	| NAME assign value error end	{ append_setting(p, $1, @1, $2, NULL); yyerrok; }
	| error end			{ yyerrok; }
	;

end:
	NEWLINE
	| ';'
	;

assign:
	'='				{ $$ = false; }
	| ADD				{ $$ = true; }
	;

value:
	atom
	| list
	;

atom:
	STRING				{ $$ = new_atom(p, VALUE_STRING, @1, $1); }
	| NUMBER			{ $$ = new_atom(p, VALUE_NUMBER, @1, $1); }
	;

list:
	'[' ']'				{ $$ = new_value(p, VALUE_LIST, @1); }
	| '[' values ']'		{ $$ = place(@1, $2); }
	| '[' values ',' ']'		{ $$ = place(@1, $2); }
	| '[' error ']'			{ $$ = NULL; yyerrok; }
	;

values:
	value {
		$$ = new_value(p, VALUE_LIST, @1);
		append_value($$, $1);
	}
	| values ',' value {
		$$ = $1;
		append_value($$, $3);
	}
	;

%%

static void grammar_error(const struct position *at, struct parse *p, const char *text)
{
	/* Not for syntax, which is below: the parser's stack is at its end. */
	(void)text;
	problem_add(p->problems, PROBLEM_ERROR, *at, "lists are nested too deeply here");
}

static bool has(const yysymbol_kind_t *set, int n, yysymbol_kind_t symbol)
{
	for (int i = 0; i < n; i++)
		if (set[i] == symbol)
			return true;
	return false;
}

/* What a person would expect: where a statement may start, not that there may be none. */
static int simplify(yysymbol_kind_t *set, int n)
{
	if (has(set, n, YYSYMBOL_NAME)) {
		set[0] = YYSYMBOL_NAME;
		return 1;
	}
	return n;
}

static void list_expected(char *to, size_t size, const yysymbol_kind_t *set, int n)
{
	size_t used = 0;

	to[0] = 0;
	for (int i = 0; i < n; i++)
		used += (size_t)snprintf(to + used, size - used, "%s%s",
					 i == 0 ? "" : i == n - 1 ? " or " : ", ",
					 yysymbol_name(set[i]));
}

static int yyreport_syntax_error(const yypcontext_t *context, struct parse *p)
{
	yysymbol_kind_t got = yypcontext_token(context), expected[MAX_EXPECTED];
	int n = simplify(expected, yypcontext_expected_tokens(context, expected, MAX_EXPECTED));
	bool bare = got == YYSYMBOL_WORD || got == YYSYMBOL_NAME;
	char list[128];

	list_expected(list, sizeof(list), expected, n);
	if (n <= 0)
		problem_add(p->problems, PROBLEM_ERROR, *yypcontext_location(context),
			    "%s has no place here", yysymbol_name(got));
	else
		problem_add(p->problems, PROBLEM_ERROR, *yypcontext_location(context),
			    "%s stands where %s should be%s", yysymbol_name(got), list,
			    bare && has(expected, n, YYSYMBOL_STRING) ? "; text stands in quotes"
								      : "");
	return 0;
}

static struct value *new_value(struct parse *p, enum value_kind kind, struct position at)
{
	struct value *v = parse_alloc(p, sizeof(*v));

	if (v != NULL) {
		v->kind = kind;
		v->at = at;
	}
	return v;
}

/* Without a text, which is reported already, there is no value either. */
static struct value *new_atom(struct parse *p, enum value_kind kind, struct position at,
			      const char *text)
{
	struct value *v = text != NULL ? new_value(p, kind, at) : NULL;

	if (v != NULL)
		v->text = text;
	return v;
}

/* A list starts at its bracket. */
static struct value *place(struct position at, struct value *list)
{
	if (list != NULL)
		list->at = at;
	return list;
}

static void append_value(struct value *list, struct value *value)
{
	if (list == NULL || value == NULL)
		return;
	if (list->last != NULL)
		list->last->next = value;
	else
		list->first = value;
	list->last = value;
}

static void append_setting(struct parse *p, const char *name, struct position at, bool add,
			   struct value *value)
{
	struct setting *s = parse_alloc(p, sizeof(*s));

	if (s == NULL)
		return;
	*s = (struct setting){.name = name, .at = at, .add = add, .value = value};
	*p->end = s;
	p->end = &s->next;
}

int parse_grammar(struct parse *p)
{
	return grammar_parse(p);
}
