/*
 * share.h - failed logins told to other nodes, and heard from them: each is one entry of a stream in Redis, which all
 * nodes write and read (redis.c). What a node decides, it decides by its own memory; the stream only fills that.
 */
#ifndef AUTHD_SHARE_H
#define AUTHD_SHARE_H

#include "authd/defence.h"
#include "base/arena.h"

enum { SHARE_FIELDS = 12 }; /* names and values */

struct share_settings { /* auth_penalty_dict = redis:host=…:port=…:db=…:password=…:prefix=…, or redis:path=… */
	const char *host; /* NULL: there is none */
	const char *path; /* of a UNIX socket; NULL: TCP */
	uint16_t port;
	const char *db, *password; /* "": none */
	const char *stream;	   /* prefix and "auth" */
};

/* Returns 0, or -1 with *why (static, or in mem). */
int share_settings_parse(const char *value, struct arena *mem, struct share_settings *out, const char **why);

/* One entry: names and values in turn, in `mem` or borrowed of *e. */
void share_write(const struct defence_event *e, uint64_t node, struct arena *mem, struct str out[SHARE_FIELDS]);
/* Returns 0, or -1: it is none. The user is borrowed. */
int share_read(const struct str *field, size_t n, struct defence_event *e, uint64_t *node);

/* Is it the name of an entry of a stream ("1700000000000-0") that fits into struct defence's seen? */
bool share_is_id(struct str s);

/* ---- redis.c, where hiredis was there at the build ---- */

struct authd;
/* Connects, and keeps trying; that it cannot is said in the log once. Nothing, when none is wished for. */
void redis_start(struct authd *a);
/* Is it built in? */
bool redis_is_there(void);

#endif
