/*
 * filter.h - the steps that a %-variable takes: 2.4's filters, and what of 2.3's modifiers is not one of them.
 */
#ifndef AUTHD_FILTER_H
#define AUTHD_FILTER_H

#include "authd/template.h"

enum { ARGS_MAX = 16 };

struct arg {
	const char *key; /* "rounds" of rounds=2; NULL: by position */
	enum { ARG_TEXT, ARG_NUMBER, ARG_VAR, ARG_TEMPLATE } kind;
	struct str text; /* ARG_TEXT; ARG_NUMBER: as it was written */
	int64_t number;
	const struct var *var; /* ARG_VAR */
	struct str field;
	struct template inner; /* ARG_TEMPLATE: 2.3's %{if;…} */
};

struct filter;
struct step {
	const struct filter *filter;
	struct arg arg[ARGS_MAX];
	size_t n;
	struct step *next;
};

struct filter_state { /* of one variable that is being expanded */
	const struct vars *v;
	struct arena *mem;
	struct str value;
	bool has_value, is_binary;
	long offset, width; /* 2.3's H and N use these up */
};

struct filter {
	const char *name;
	char modifier;		     /* of 2.3; 0: none */
	unsigned min_args, max_args; /* by position */
	const char *keys;	     /* " rounds salt ": names that are allowed; NULL: none */
	bool needs_value;	     /* something must stand in front of it */
	/* Works on st->value. False: it could not. */
	bool (*run)(const struct step *s, struct filter_state *st);
};

const struct filter *filter_by_name(struct str name);
const struct filter *filter_by_modifier(char c);
/* 2.3's md5, sha256 …: NULL: no such digest. The step's arguments are rounds=, truncate=, salt=, format=. */
const struct filter *filter_digest(struct str name);
/* 2.3's %{if;a;op;b;t;f}: five ARG_TEMPLATE. */
extern const struct filter filter_old_if;

/* The value of an argument; 0, or -1: it is a variable that is no number. */
struct str arg_text(const struct arg *a, const struct filter_state *st);
int arg_number(const struct arg *a, const struct filter_state *st, int64_t *out);
/* Argument by name, or NULL. The i-th by position. */
const struct arg *arg_key(const struct step *s, const char *key);

/* Is it the text of one of + - * / %? */
bool filter_is_operator(const struct arg *a);

/* In hexadecimal digits, in the arena. */
struct str filter_hex(struct arena *mem, struct str octets);

/* filter_if.c: %{if(…)} and %{switch(…)}. */
bool filter_if(const struct step *s, struct filter_state *st);
bool filter_switch(const struct step *s, struct filter_state *st);
bool filter_run_old_if(const struct step *s, struct filter_state *st);

#endif
