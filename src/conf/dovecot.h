/*
 * dovecot.h - the configuration syntax of Dovecot 2.3, and of 2.4 as far as it has the same shape: "key = value",
 * "section name { … }" (also on one line), !include and !include_try with patterns, "#" comments, "\" at the end of a
 * line, quotes, "</path" (the value is the content of a file), "$key" (the earlier value of a key); of 2.4 also "$SET:key",
 * "<<END" (the value is the lines up to END) and sections that are lists, which become settings.
 *
 * The result is a tree of nodes in the order of the text; what a section means, and which are of interest, is the
 * reader's matter: those that nobody asks for are skipped in that way.
 */
#ifndef CONF_DOVECOT_H
#define CONF_DOVECOT_H

#include "base/arena.h"
#include "base/buf.h"

struct dovecot_node {
	const char *key;   /* "auth_mechanisms", or the section's first word: "passdb", "service" */
	const char *name;  /* a section's name ("auth" of "service auth {"), "" without one; NULL: not a section */
	const char *value; /* of a key, quotes and $ resolved; "" for a section */
	const char *file;  /* where it stands */
	unsigned line;
	struct dovecot_node *child; /* first in a section */
	struct dovecot_node *next;
};

struct dovecot_conf {
	struct arena *mem; /* holds everything */
	struct dovecot_node *first;
	struct buf warnings; /* a line each, as of errors: what is read in another way than it may be meant */
};

/*
 * Read a file and all that it includes. Every fault is appended to *errors as one line "FILE, line N: what is wrong;
 * what would be right\n": all of them at once. The result is never NULL (what could be read), so that a reader can add
 * its own complaints to the same list.
 */
struct dovecot_conf *dovecot_load(const char *file, struct buf *errors);
/* The same from text; `file` names it in messages, and relative includes are relative to its directory. */
struct dovecot_conf *dovecot_parse(const char *file, struct str text, struct buf *errors);
/*
 * A file of "key = value" lines without sections or includes (dovecot-sql.conf.ext): "$" and "<" have no meaning.
 */
struct dovecot_conf *dovecot_load_flat(const char *file, struct buf *errors);
struct dovecot_conf *dovecot_parse_flat(const char *file, struct str text, struct buf *errors);
void dovecot_free(struct dovecot_conf **c);

/* The last node of that key, not a section, in a list of siblings; NULL: none. */
const struct dovecot_node *dovecot_get(const struct dovecot_node *list, const char *key);
/* Its value, or `otherwise`. */
const char *dovecot_value(const struct dovecot_node *list, const char *key, const char *otherwise);
/* The first section of that key at or behind `list` among siblings; go on with node->next. NULL: none. */
const struct dovecot_node *dovecot_section(const struct dovecot_node *list, const char *key);

/* "yes", "y", "no" … to *out. Returns 0 or -1. */
int dovecot_bool(const char *value, bool *out);
/*
 * "2 secs", "150s", "10 mins", "1 hour", "1 day", "500 ms" to milliseconds; a bare number is seconds, "infinite" a year of
 * 366 days. 0 or -1.
 */
int dovecot_time_ms(const char *value, uint64_t *out);
/* "10M", "512 kB", "1024" to octets. 0 or -1. */
int dovecot_size(const char *value, uint64_t *out);

#endif
