/*
 * source.h - lookups in one database of one passdb or userdb block: which thread does it, what is cached, and what is
 * said when the database goes away and comes back.
 */
#ifndef AUTHD_SOURCE_H
#define AUTHD_SOURCE_H

#include "authd/pool.h"
#include "authd/settings.h"

enum {
	SPARE_CONNS = 32,
	LOCAL_CONNS = 2,
	SQL_WAIT_MS = 2000,   /* for a lock of a local database */
	SQL_ANSWER_MS = 8000, /* for one behind a socket: less than its client waits */
	SQL_AGAIN_MS = 1000,  /* one that is down is tried again so often */
	SQL_MAX_ROWS = 2,
	SQL_WRITES_MAX = 256 /* that wait for their turn */
};

struct row_cache;

struct database { /* shared by all sources with the same driver and connect = */
	const struct sql_settings *set;
	const char *root;
	struct pool pool;	  /* for what would block; as many threads as there may be connections */
	struct sql_conn *in_loop; /* NULL: the driver has none */
	uv_prepare_t end_of_turn; /* active: in_loop was asked in this turn of the loop */
	bool is_held;		  /* in_loop is, until that */
	uv_mutex_t lock;	  /* of spare */
	struct sql_conn *spare[SPARE_CONNS];
	size_t n_spare;
	bool is_down;	/* said so in the log */
	unsigned phase; /* of working and not working: an answer to a question of an earlier one says nothing of now */
	bool is_tried;	/* while it is down: a lookup is under way that will show whether it still is */
	uint64_t again_ms;
	_Atomic bool fails_at_once; /* is_down, for those that wait in the pool */

	/* A local one, which is locked as a whole while somebody writes: threads take turns, readers first, and one writes at
	 * a time, so that no login waits for more than one. */
	uv_rwlock_t turn;
	struct lookup *writing, *next_to_write, *last_to_write;
	unsigned n_to_write;
};

struct source {
	const struct sql_settings *set;
	struct database *db;
	struct row_cache *cache; /* shared by all sources; NULL: off */
	unsigned index;		 /* of the source: part of the cache's key */
	uint64_t n_lookups, n_failed;
};

enum lookup_result { LOOKUP_DONE, LOOKUP_FAILED /* the database does not work: a temporary failure */ };

enum lookup_cache {
	LOOKUP_CACHED, /* a cached answer will do */
	LOOKUP_FRESH,
	LOOKUP_SECRET /* a parameter is a password: nothing is kept */
};

struct lookup_question {
	const char *what; /* "password_query", for messages */
	const char *sql;
	struct str *params;
	size_t n_params;
};

struct lookup { /* embedded; zeroed before lookup_start() */
	/* Not from within lookup_start(). rows, in mem, may be NULL: nobody by that name. */
	void (*done)(struct lookup *l);
	enum lookup_result result;
	struct sql_row *rows;
	bool from_cache;
	struct str dn; /* of the entry, where rows are made of one */
	/* db_ldap.c's */
	void (*then)(struct lookup *l);
	const struct db *db;
	const struct vars *vars;
	/* source.c's */
	struct source *source;
	const char *what; /* "password_query" */
	const char *sql;
	size_t n_params;
	struct str *params;
	size_t max_rows;
	struct arena *mem;
	struct str key, user; /* of the cache */
	const char *why;
	int error;	/* 0, or -enum sql_err */
	unsigned phase; /* the database's when it was asked */
	bool is_trial;	/* it shows whether the database still is down */
	struct job job;
	struct lookup *next; /* in database.next_to_write */
	struct str address;  /* of whom it is */
};

/* root: as in struct sql_driver.open; borrowed. Returns how many threads its lookups may want. */
unsigned database_init(struct database *db, const struct sql_settings *set, const char *root, uv_loop_t *loop,
	unsigned max_waiting, uint64_t max_wait_ms);
/* No lookup may be under way. The loop has to run once more before *db goes. */
void database_end(struct database *db);
void source_init(
	struct source *s, const struct sql_settings *set, struct database *db, struct row_cache *cache, unsigned index);
/*
 * Look it up; everything is allocated in mem. `user` and `address` are for fairness. use_cache: a cached answer will
 * do. Returns 1: l->result is there already; 0: done comes later (mem must live until then).
 */
int lookup_start(struct lookup *l, struct source *s, const char *what, const struct query *q, const struct vars *v,
	struct arena *mem, size_t max_rows, bool use_cache);
/* The same with parameters that are made already, for v->user from v->remote_ip. They live as long as mem. */
int lookup_ask(struct lookup *l, struct source *s, const struct lookup_question *q, const struct vars *v,
	struct arena *mem, size_t max_rows, enum lookup_cache how);
/*
 * Run a query that changes something, on a connection of its own, in a thread; l->done comes later. Returns 0, or -1: not
 * now (too many wait, or the database is away), and done is not called. *v lives as long as mem.
 */
int lookup_write(struct lookup *l, struct source *s, const char *what, const struct query *q, const struct vars *v,
	struct arena *mem);
/* Try the query against the tables once, at start, to say early what will not work. */
void source_check(struct source *s, const char *what, const struct query *q, struct arena *mem);
void source_try(struct source *s, const struct lookup_question *q, struct arena *mem);

#endif
