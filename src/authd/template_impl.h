/* template_impl.h - reading one %-variable: what its files share. */
#ifndef AUTHD_TEMPLATE_IMPL_H
#define AUTHD_TEMPLATE_IMPL_H

#include "authd/filter.h"

struct scan {
	struct str rest; /* of what stands in the braces */
	struct arena *mem;
	struct template_part *part; /* that is filled */
	struct step **last;	    /* where the next one goes */
	const char *why;	    /* the first that is wrong; NULL: nothing */
};

/* False, with that as s->why unless there is one. why: English; in the arena, or static. */
bool template_fails(struct scan *s, const char *why);
/* A step behind the others, in the arena. */
struct step *template_add_step(struct scan *s, const struct filter *f);

/* All of s->rest, as 2.4 has it. False: template_fails() has said why. */
bool template_take_new(struct scan *s);
/* … or as 2.3 has it, where it begins like that. */
bool template_take_long(struct scan *s);

#endif
