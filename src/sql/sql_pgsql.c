/* PostgreSQL through libpq's non-blocking calls, so that every wait has an end. */
#include "sql/sql.h"
#include "sql/sql_connect.h"

#include <poll.h>
#include <postgresql/libpq-fe.h>
#include <stdlib.h>
#include <time.h>

enum { CONNECT_MS = 5000, PARAMS_MAX = 64, TYPED = 8, TEXT_OID = 25 };

struct pgsql_conn {
	const struct sql_driver *driver;
	struct arena *mem;
	struct sql_connect set;
	size_t host; /* that is, or was last, connected to */
	unsigned connect_ms;
	PGconn *db;
	const char *typed[TYPED]; /* queries whose values have to be said to be text */
	size_t next_typed;
};

static struct pgsql_conn *of(struct sql_conn *c)
{
	return (struct pgsql_conn *)(void *)c;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct sql_conn *pgsql_open(const char *connect, const char *root)
{
	struct pgsql_conn *c = xcalloc(1, sizeof *c);
	uint64_t s;

	(void)root;
	c->driver = &sql_pgsql;
	c->mem = arena_new(0);
	sql_connect_parse(connect, true, c->mem, &c->set);
	c->connect_ms = CONNECT_MS;
	if (str_u64(str_c(sql_connect_get(&c->set, "connect_timeout", "")), &s) && s > 0 && s < 3600)
		c->connect_ms = (unsigned)s * 1000;
	return (struct sql_conn *)(void *)c;
}

static void disconnect(struct pgsql_conn *c)
{
	PQfinish(c->db);
	c->db = NULL;
}

static void pgsql_close(struct sql_conn **at)
{
	struct pgsql_conn *c = of(*at);

	*at = NULL;
	if (c == NULL)
		return;
	disconnect(c);
	arena_wipe(&c->mem); /* a password */
	free(c);
}

/* The names that this libpq knows are libpq's to say. */
static const char *pgsql_check(const char *connect, struct arena *mem)
{
	PQconninfoOption *all = PQconndefaults();
	struct sql_connect c;
	const char *why = sql_connect_parse(connect, true, mem, &c);
	for (size_t i = 0; all && why == NULL && i < c.n; i++) {
		const PQconninfoOption *o = all;

		while (o->keyword && strcmp(o->keyword, c.word[i].key) != 0)
			o++;
		if (o->keyword == NULL)
			why = arena_printf(mem, "%s= is no word of PostgreSQL's", c.word[i].key);
	}
	PQconninfoFree(all);
	return why;
}

/* libpq ends its messages in LF, and may have several lines. */
static const char *one_line(struct arena *mem, const char *text)
{
	char *s = arena_cdup(mem, str_trim(str_c(text)));

	for (char *p = s; *p; p++)
		if (*p == '\n' || *p == '\t')
			*p = ' ';
	return s;
}

static const char *place(const struct pgsql_conn *c)
{
	return c->set.n_hosts ? c->set.host[c->host] : "the local socket";
}

/* Wait for the connection's socket. Returns false when the time is over. */
static bool wait_socket(const struct pgsql_conn *c, short events, uint64_t deadline)
{
	struct pollfd p = { .fd = PQsocket(c->db), .events = events };
	uint64_t now;

	do {
		now = now_ms();
		if (now >= deadline)
			return false;
	} while (poll(&p, 1, (int)(deadline - now)) < 0);
	return p.revents != 0;
}

static void start(struct pgsql_conn *c)
{
	const char *keys[CONNECT_WORDS + 6], *values[CONNECT_WORDS + 6];
	size_t n = 0;

	/* First ours, which a word of the same name overrules: libpq takes the last. */
	keys[n] = "application_name", values[n++] = "gatepost";
	keys[n] = "client_encoding", values[n++] = "UTF8";
	keys[n] = "gssencmode", values[n++] = "disable"; /* it looks for tickets in files that are out of reach */
	if (c->set.n_hosts)
		keys[n] = "host", values[n++] = c->set.host[c->host];
	for (size_t i = 0; i < c->set.n; i++)
		if (strcmp(c->set.word[i].key, "connect_timeout") != 0)
			keys[n] = c->set.word[i].key, values[n++] = c->set.word[i].value;
	keys[n] = values[n] = NULL;
	c->db = PQconnectStartParams(keys, values, 0);
}

static bool connect_host(struct pgsql_conn *c, uint64_t deadline, struct arena *mem, const char **why)
{
	PostgresPollingStatusType s = PGRES_POLLING_WRITING;

	start(c);
	if (c->db && PQstatus(c->db) != CONNECTION_BAD)
		while (s == PGRES_POLLING_READING || s == PGRES_POLLING_WRITING) {
			if (!wait_socket(c, s == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline)) {
				*why = arena_printf(mem, "%s: no answer to the connection", place(c));
				disconnect(c);
				return false;
			}
			s = PQconnectPoll(c->db);
		}
	if (c->db && PQstatus(c->db) == CONNECTION_OK && PQsetnonblocking(c->db, 1) == 0)
		return true;
	*why = arena_printf(mem, "%s: %s", place(c), one_line(mem, c->db ? PQerrorMessage(c->db) : "no memory"));
	disconnect(c);
	return false;
}

/* The host of before first, then the others. */
static int connect_now(struct pgsql_conn *c, uint64_t deadline, struct arena *mem, const char **why)
{
	size_t n = c->set.n_hosts ? c->set.n_hosts : 1;

	for (size_t i = 0; i < n; i++) {
		uint64_t end = now_ms() + c->connect_ms;

		if (connect_host(c, end < deadline ? end : deadline, mem, why))
			return 0;
		c->host = (c->host + 1) % n;
	}
	return -SQL_EDOWN;
}

static void take_rows(const PGresult *r, size_t max_rows, struct arena *mem, struct sql_row **rows)
{
	int n = PQntuples(r), columns = PQnfields(r);

	for (int i = 0; i < n && (max_rows == 0 || (size_t)i < max_rows); i++) {
		struct sql_row *row = arena_alloc(mem, sizeof *row);

		row->n = (size_t)columns;
		row->field = arena_array(mem, row->n, sizeof *row->field);
		for (int k = 0; k < columns; k++) {
			struct sql_field *f = &row->field[k];

			f->name = arena_dup(mem, str_c(PQfname(r, k)));
			f->is_null = PQgetisnull(r, i, k) != 0;
			f->value = arena_dup(mem, str_pn(PQgetvalue(r, i, k), (size_t)PQgetlength(r, i, k)));
		}
		*rows = row;
		rows = &row->next;
	}
}

/* The next result; NULL at the end, and (with *late) when it does not come in time. */
static PGresult *next_result(struct pgsql_conn *c, uint64_t deadline, bool *late)
{
	int flush = PQflush(c->db);

	while (flush > 0 || PQisBusy(c->db)) {
		if (!wait_socket(c, flush > 0 ? POLLIN | POLLOUT : POLLIN, deadline)) {
			*late = true;
			return NULL;
		}
		if (PQconsumeInput(c->db) == 0)
			break;
		flush = flush > 0 ? PQflush(c->db) : 0;
	}
	return PQgetResult(c->db);
}

/* One bad query, or one that may not read a table, says nothing of the others that this database answers. */
static int refused(const struct pgsql_conn *c, const PGresult *r, struct arena *mem, const char **why)
{
	*why = one_line(mem, PQresultErrorMessage(r));
	return PQstatus(c->db) == CONNECTION_OK ? sql_fault(PQresultErrorField(r, PG_DIAG_SQLSTATE)) : -SQL_EDOWN;
}

static bool is_typed(const struct pgsql_conn *c, const char *sql)
{
	for (size_t i = 0; i < TYPED; i++)
		if (c->typed[i] == sql)
			return true;
	return false;
}

/*
 * A value has the type that its place wants, as a literal has. Where the place takes any, as in concat(), a literal is text, and a
 * value without a type is refused (42P18, indeterminate_datatype).
 */
static bool wants_types(struct pgsql_conn *c, const char *sql, const PGresult *r)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);

	if (state == NULL || strcmp(state, "42P18") != 0 || is_typed(c, sql))
		return false;
	c->typed[c->next_typed++ % TYPED] = sql;
	return true;
}

static int run_once(struct pgsql_conn *c, const char *sql, const struct str *params, size_t n, uint64_t deadline,
	size_t max_rows, struct arena *mem, struct sql_row **rows, const char **why)
{
	const char *values[PARAMS_MAX];
	Oid types[PARAMS_MAX];
	bool late = false, again = false;
	PGresult *r;
	int result = 0;

	for (size_t i = 0; i < n; i++) {
		values[i] = arena_cdup(mem, params[i]);
		types[i] = TEXT_OID;
	}
	if (PQsendQueryParams(c->db, sql, (int)n, is_typed(c, sql) ? types : NULL, values, NULL, NULL, 0) != 1) {
		*why = arena_printf(mem, "%s: %s", place(c), one_line(mem, PQerrorMessage(c->db)));
		return -SQL_EDOWN;
	}
	while ((r = next_result(c, deadline, &late)) != NULL) {
		if (PQresultStatus(r) == PGRES_TUPLES_OK)
			take_rows(r, max_rows, mem, rows);
		else if (PQresultStatus(r) != PGRES_COMMAND_OK) {
			again = again || wants_types(c, sql, r);
			result = refused(c, r, mem, why);
		}
		PQclear(r);
	}
	if (late) {
		*why = arena_printf(mem, "%s: no answer to the query", place(c));
		disconnect(c);
		return -SQL_EDOWN;
	}
	if (result == 0 && PQstatus(c->db) != CONNECTION_OK) {
		*why = arena_printf(mem, "%s: %s", place(c), one_line(mem, PQerrorMessage(c->db)));
		result = -SQL_EDOWN;
	}
	if (result < 0)
		*rows = NULL;
	return again && !late && result == -SQL_EQUERY ? run_once(c, sql, params, n, deadline, max_rows, mem, rows, why)
						       : result;
}

static bool has_nul(const struct str *params, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_chr(params[i], '\0') >= 0)
			return true;
	return false;
}

static int pgsql_run(struct sql_conn *conn, const char *sql, const struct str *params, size_t n, unsigned wait_ms,
	size_t max_rows, struct arena *mem, struct sql_row **rows, const char **why)
{
	struct pgsql_conn *c = of(conn);
	uint64_t deadline = now_ms() + wait_ms;
	int r;

	*rows = NULL;
	if (n > PARAMS_MAX || has_nul(params, n)) {
		*why = n > PARAMS_MAX ? "more variables than 64" : "a value has a NUL";
		return -SQL_EINPUT;
	}
	/* One that was idle may have been closed by the server: then once more on a fresh one. */
	if (c->db) {
		r = run_once(c, sql, params, n, deadline, max_rows, mem, rows, why);
		if (r != -SQL_EDOWN || c->db == NULL || PQstatus(c->db) == CONNECTION_OK)
			return r;
		disconnect(c);
	}
	if (connect_now(c, deadline, mem, why) < 0)
		return -SQL_EDOWN;
	r = run_once(c, sql, params, n, deadline, max_rows, mem, rows, why);
	if (c->db && PQstatus(c->db) != CONNECTION_OK)
		disconnect(c);
	return r;
}

const struct sql_driver sql_pgsql = { "pgsql", false, SQL_DOLLAR, pgsql_open, pgsql_close, pgsql_run, NULL, NULL,
	pgsql_check, 5432, NULL, NULL };
