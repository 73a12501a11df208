/*
 * sql_connect.h - the words of "connect =" for a database behind a socket: "host=a host=b port=5432 user=x …".
 *
 * Several hosts are several servers of the same data: the first that answers is used, and when it goes the next. A
 * text that begins with LF has one word a line (so that a value may have blanks): that is how settings.c hands over the
 * blocks of Dovecot 2.4. Pure.
 */
#ifndef SQL_SQL_CONNECT_H
#define SQL_SQL_CONNECT_H

#include "base/arena.h"

enum { CONNECT_WORDS = 32, CONNECT_HOSTS = 8, CONNECT_CONNS = 5, CONNECT_CONNS_MAX = 32 };

struct sql_connect {
	struct {
		const char *key, *value;
	} word[CONNECT_WORDS]; /* all but host, hostaddr and maxconns */
	size_t n;
	const char *host[CONNECT_HOSTS];
	size_t n_hosts;
	unsigned max_conns; /* 1 … CONNECT_CONNS_MAX */
};

/*
 * Read `text` into *c, all of it in the arena. has_quotes: values may be 'in quotes' with backslashes, as libpq has it;
 * without, a quote is an octet like others, as Dovecot's mysql driver has it. Returns NULL, or what is wrong (English,
 * in the arena; never a value, which may be a password).
 */
const char *sql_connect_parse(const char *text, bool has_quotes, struct arena *mem, struct sql_connect *c);
/* The value of a word (the last one of that key), or `otherwise`. */
const char *sql_connect_get(const struct sql_connect *c, const char *key, const char *otherwise);
/* maxconns of a text that was found good. */
unsigned sql_connect_conns(const char *text, bool has_quotes);

#endif
