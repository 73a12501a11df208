/*
 * query.h - Dovecot's %-variables, in queries and in other settings.
 *
 * In a query a variable never becomes text of the query: '%u' (with its quotes) and a bare %u become "?", and
 * '%n@%d' becomes one "?" whose value is put together. Pure.
 */
#ifndef AUTHD_QUERY_H
#define AUTHD_QUERY_H

#include "base/arena.h"
#include "base/buf.h"

struct vars {								  /* values of one request; "" not known */
	struct str user, username, domain;				  /* %u %n %d */
	struct str service, local_ip, remote_ip, local_port, remote_port; /* %s %l %r %a %b */
	struct str mechanism, secured, session, pass;			  /* %m %c %{session} %w; pass is a secret */
	struct str orig_user;						  /* as the client sent it */
	struct str home, local_name;
};

struct template_part {
	struct str text; /* literal, when var is NULL */
	const struct var *var;
	bool lower, upper;
	struct template_part *next;
};
struct template
{
	struct template_part *first;
	struct template *next;
};
struct query {
	const char *sql;	/* with "?"; NULL: not set */
	struct template *param; /* in order */
	size_t n_params;
};

/* Returns 0, or -1 with *why: what is wrong (English, in the arena). The result is in the arena. */
int template_compile(struct str text, struct arena *mem, struct template *out, const char **why);
int query_compile(struct str text, struct arena *mem, struct query *out, const char **why);
/* In the arena. */
struct str template_expand(const struct template *t, const struct vars *v, struct arena *mem);
/* Array of n_params values, in the arena. */
struct str *query_params(const struct query *q, const struct vars *v, struct arena *mem);
/* Set user, username and domain from `user` (borrowed). */
void vars_set_user(struct vars *v, struct str user);

#endif
