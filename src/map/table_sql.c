#include "map/table_sql.h"
#include "base/utf8.h"
#include "map/sql_settings.h"
#include "sql/sql.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * A host that fails is left alone, twice as long each time, so that one that is away does not hold up every lookup. Who asks mapd
 * waits for ten seconds: all hosts together have less.
 */
enum { ANSWER_MS = 4000, LOOKUP_MS = 8000, REST_MS = 5000, REST_MAX_MS = 60000 };

struct sql_table {
	struct table table;
	struct sql_settings set;
	const struct sql_driver *driver;
	struct {
		struct sql_conn *conn;
		uint64_t rests_until_ms, rest_ms; /* 0: it does not */
	} host[SQL_HOSTS_MAX];
	size_t current; /* the host that answered last */
	char fault[1024];
};

static const struct sql_driver *(*find_driver)(const char *name);

void table_sql_drivers(const struct sql_driver *(*find)(const char *name))
{
	find_driver = find;
}

static struct sql_table *sql_of(struct table *t)
{
	return container_of(t, struct sql_table, table);
}

static struct table *sql_make(void)
{
	struct sql_table *s = xcalloc(1, sizeof *s);

	return &s->table;
}

static void hang_up(struct sql_table *s)
{
	for (size_t i = 0; i < SQL_HOSTS_MAX; i++) {
		if (s->host[i].conn)
			s->driver->close(&s->host[i].conn);
		s->host[i].rests_until_ms = s->host[i].rest_ms = 0;
	}
	s->current = 0;
}

static void sql_free(struct table *t)
{
	struct sql_table *s = sql_of(t);

	hang_up(s);
	sql_settings_drop(&s->set);
	free(s);
}

static enum sql_file_type type_of(const struct table *t)
{
	return t->type == &table_mysql ? SQL_FILE_MYSQL : SQL_FILE_PGSQL;
}

/* What the library knows of its words is its own to say. */
static void check_words(struct sql_table *s)
{
	struct arena *mem = arena_new(1024);
	const char *wrong = s->driver->check(s->set.connect[0], mem);

	if (wrong)
		sql_settings_refuse(&s->set, &s->table, wrong);
	arena_wipe(&mem);
}

static bool settings_current(struct sql_table *s, struct buf *why)
{
	bool changed, is_good = sql_settings_current(&s->set, &s->table, type_of(&s->table), &changed, why);

	if (changed)
		hang_up(s);
	s->driver = find_driver ? find_driver(s->table.type->name) : NULL;
	if (!is_good)
		return false;
	if (s->driver == NULL) {
		buf_addf(why, "%s: this program asks no database; mapd and postmap do", s->table.spec);
		return false;
	}
	if (changed)
		check_words(s);
	if (s->set.fault)
		buf_add_c(why, s->set.fault);
	return s->set.fault == NULL;
}

/* What is asked for; NULL: the key lacks a part of it, and is not in the table. */
static struct str *params_of(const struct sql_query *q, struct str key, struct arena *mem)
{
	struct str *params = arena_array(mem, q->n + 1, sizeof *params);
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	bool has_all = true;

	for (size_t i = 0; i < q->n && has_all; i++) {
		buf_reset(&value);
		has_all = sql_param(q->param[i], key, &value);
		params[i] = arena_dup(mem, buf_str(&value));
	}
	buf_free(&value);
	return has_all ? params : NULL;
}

static enum map_status take_rows(
	struct sql_table *s, struct str key, const struct sql_row *rows, struct buf *value, struct buf *why)
{
	uint64_t count = 0;

	for (const struct sql_row *row = rows; row; row = row->next)
		for (size_t i = 0; i < row->n; i++)
			if (!row->field[i].is_null &&
				!sql_settings_add(&s->set, &s->table, key, row->field[i].value, &count, value, why))
				return MAP_TEMPORARY;
	return value->n ? MAP_FOUND : MAP_NOT_FOUND;
}

static void let_rest(struct sql_table *s, size_t i)
{
	uint64_t twice = 2 * s->host[i].rest_ms;

	s->host[i].rest_ms = twice == 0 ? REST_MS : twice < REST_MAX_MS ? twice : REST_MAX_MS;
	s->host[i].rests_until_ms = table_now_ms() + s->host[i].rest_ms;
}

/* 0, or a driver's error with *why. */
static int ask_host(struct sql_table *s, size_t i, const struct str *params, uint64_t until_ms, struct arena *mem,
	struct sql_row **rows, const char **why)
{
	const struct sql_query *q = &s->set.query;
	uint64_t now = table_now_ms();
	unsigned wait_ms = now >= until_ms ? 0 : until_ms - now < ANSWER_MS ? (unsigned)(until_ms - now) : ANSWER_MS;
	int r;

	if (wait_ms == 0 || now < s->host[i].rests_until_ms)
		return -SQL_EDOWN;
	if (s->host[i].conn == NULL)
		s->host[i].conn = s->driver->open(s->set.connect[i], "");
	r = s->driver->run(s->host[i].conn, q->text, params, q->n, wait_ms, 0, mem, rows, why);
	if (r == 0)
		s->current = i;
	if (r == -SQL_EDOWN) {
		let_rest(s, i);
		snprintf(s->fault, sizeof s->fault, "the database cannot be asked: %s", *why);
	} else {
		s->host[i].rests_until_ms = s->host[i].rest_ms = 0;
	}
	return r;
}

/* The host of before first, then the others. */
static enum map_status ask(struct sql_table *s, struct str key, const struct str *params, struct arena *mem,
	struct buf *value, struct buf *why)
{
	uint64_t until_ms = table_now_ms() + LOOKUP_MS;
	size_t first = s->current;
	const char *refused = NULL;

	for (size_t k = 0; k < s->set.n_hosts; k++) {
		size_t i = (first + k) % s->set.n_hosts;
		struct sql_row *rows = NULL;
		const char *fault;
		int r = ask_host(s, i, params, until_ms, mem, &rows, &fault);

		if (r == 0)
			return take_rows(s, key, rows, value, why);
		/* One that answers and refuses may lag behind the others, or be cut off from them. */
		if (r != -SQL_EDOWN && refused == NULL)
			refused = fault;
	}
	if (refused)
		buf_addf(why, "%s: the query of %s: %s", s->table.spec, s->table.name, refused);
	else
		buf_addf(why, "%s: %s", s->table.spec, s->fault);
	return MAP_TEMPORARY;
}

static enum map_status sql_find(struct table *t, struct str key, struct buf *value, struct buf *why)
{
	struct sql_table *s = sql_of(t);
	enum map_status status;
	struct arena *mem;
	struct str *params;

	if (!settings_current(s, why))
		return MAP_TEMPORARY;
	if (!utf8_is_valid(key))
		return MAP_NOT_FOUND; /* the databases have UTF-8 */
	status = sql_settings_has_key(&s->set, key, why);
	if (status != MAP_FOUND)
		return status;
	mem = arena_new(4096);
	params = params_of(&s->set.query, key, mem);
	status = params ? ask(s, key, params, mem, value, why) : MAP_NOT_FOUND;
	arena_free(&mem);
	return status;
}

/* ---- for a jail ---- */

static void add_port(struct table_needs *out, uint16_t port)
{
	if (port > 0)
		out->port[out->n_ports++] = port;
}

/* MySQL takes "localhost" for its socket. */
static bool is_by_tcp(const struct sql_table *s, size_t i)
{
	return s->set.host[i][0] != '/' &&
	       (s->table.type != &table_mysql || s->set.port[i] || strcmp(s->set.host[i], "localhost") != 0);
}

static void sql_needs(struct table *t, struct table_needs *out)
{
	struct buf why = BUF_INIT(TABLE_WHY_MAX);
	struct sql_table *s = sql_of(t);

	settings_current(s, &why); /* what is wrong the lookups say */
	buf_free(&why);
	out->by_tcp = s->set.n_hosts == 0; /* who knows what will stand there */
	out->any_port = s->set.has_options;
	if (s->driver)
		add_port(out, s->driver->port);
	for (size_t i = 0; i < s->set.n_hosts; i++) {
		out->by_tcp |= is_by_tcp(s, i);
		add_port(out, s->set.port[i]);
	}
	out->n_files = s->set.n_files;
	memcpy(out->file, s->set.files, sizeof out->file);
}

const struct table_type table_mysql = { "mysql", TABLE_FILE | TABLE_LIVE | TABLE_REMOTE, sql_make, sql_find, sql_free,
	NULL, sql_needs };
const struct table_type table_pgsql = { "pgsql", TABLE_FILE | TABLE_LIVE | TABLE_REMOTE, sql_make, sql_find, sql_free,
	NULL, sql_needs };

_Static_assert((int)TABLE_PORTS > (int)SQL_HOSTS_MAX, "a port for each host, and the usual one");
