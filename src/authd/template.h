/*
 * template.h - text with Dovecot's %-variables, compiled once and expanded for each request.
 *
 * 2.3: %u, %{user}, with [offset.]width and modifiers in between (%Lu, %1.3n, %-2.u, %2.256Nu), %{sha256;rounds=2:user},
 * %{if;%u;eq;a;b;c}. 2.4: %{user | domain | upper}, %{user | md5 % 16 | hex(2)}, %{if(user, 'eq', 'a', 'b', 'c')}. Both
 * stand beside each other. A filter that cannot do its work (letters where a number is wanted, nothing at that position)
 * leaves nothing, and `default` after it helps. Pure, but for %{env:…}, %{pid} and %{hostname}.
 */
#ifndef AUTHD_TEMPLATE_H
#define AUTHD_TEMPLATE_H

#include "authd/vars.h"

struct step;
struct template_part {
	bool is_text;
	struct str text;
	const struct var *var; /* what the steps begin with; NULL: nothing */
	struct str field;
	struct step *steps;
	long offset, width; /* 2.3's */
	bool is_padded;
	struct template_part *next;
};
struct template
{
	struct template_part *first;
	struct template *next;
	bool has_vars;
	bool is_free; /* a client can choose something of it */
};

/* Returns 0, or -1 with *why: what is wrong (English, in the arena). The result is in the arena. */
int template_compile(struct str text, struct arena *mem, struct template *out, const char **why);
/*
 * One variable at the start of s, which begins with "%". Returns its length in octets and fills *part ("%%" is the text
 * "%"); 0: it is not understood, with *why.
 */
size_t template_var(struct str s, struct arena *mem, struct template_part *part, const char **why);
/*
 * For a text in which some octets have a meaning: what a variable becomes is data in it. `value` makes it so. What the
 * filter `ldap_dn` works on goes through `name` before that; then through `value` only with escapes_names.
 */
struct template_escape {
	struct str (*value)(struct arena *mem, struct str s);
	struct str (*name)(struct arena *mem, struct str s);
	bool escapes_names;
};
/* e may be NULL. In the arena. */
struct str template_expand_as(
	const struct template *t, const struct vars *v, const struct template_escape *e, struct arena *mem);
/* In the arena. */
struct str template_expand(const struct template *t, const struct vars *v, struct arena *mem);

#endif
