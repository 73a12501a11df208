#include "map/sql_settings.h"
#include "map/map_text.h"

#include <errno.h>

enum { ALL = SQL_FILE_SQLITE | SQL_FILE_MYSQL | SQL_FILE_PGSQL, SERVERS = SQL_FILE_MYSQL | SQL_FILE_PGSQL };
enum { FILE_MAX = 1 << 20, CONNECT_MAX = 65536 };

/* What a file says, before anything is made of it. */
struct lines {
	struct sql_settings *set;
	struct table *table;
	enum sql_file_type type;
	const char *dbpath, *query, *result_format, *domain, *expansion_limit, *hosts;
	const char *select_field, *from_table, *where_field, *additional_conditions, *select_function;
	struct buf words;  /* of connect, a line each */
	struct buf *fault; /* what is wrong with the file */
};

/* The names; charset is utf8mb4 always. */
static const struct setting {
	const char *name;
	unsigned types;
	const char *word; /* of the driver's connect that it is; NULL: none. One that ends in "?" is yes or no. */
	size_t at; /* in struct lines, where it is kept as text; 0: not, and where it is no word either, it has no effect */
} settings[] = {
	{ "dbpath", SQL_FILE_SQLITE, NULL, offsetof(struct lines, dbpath) },
	{ "hosts", SERVERS, NULL, offsetof(struct lines, hosts) },
	{ "user", SERVERS, "user", 0 },
	{ "password", SERVERS, "password", 0 },
	{ "dbname", SERVERS, "dbname", 0 },
	{ "query", ALL, NULL, offsetof(struct lines, query) },
	{ "result_format", ALL, NULL, offsetof(struct lines, result_format) },
	{ "domain", ALL, NULL, offsetof(struct lines, domain) },
	{ "expansion_limit", ALL, NULL, offsetof(struct lines, expansion_limit) },
	{ "select_field", ALL, NULL, offsetof(struct lines, select_field) },
	{ "table", ALL, NULL, offsetof(struct lines, from_table) },
	{ "where_field", ALL, NULL, offsetof(struct lines, where_field) },
	{ "additional_conditions", ALL, NULL, offsetof(struct lines, additional_conditions) },
	{ "select_function", SQL_FILE_PGSQL, NULL, offsetof(struct lines, select_function) },
	{ "encoding", SQL_FILE_PGSQL, "client_encoding", 0 },
	{ "option_file", SQL_FILE_MYSQL, "option_file", 0 },
	{ "option_group", SQL_FILE_MYSQL, "option_group", 0 },
	{ "tls_CAfile", SQL_FILE_MYSQL, "ssl_ca", 0 },
	{ "tls_CApath", SQL_FILE_MYSQL, "ssl_ca_path", 0 },
	{ "tls_cert_file", SQL_FILE_MYSQL, "ssl_cert", 0 },
	{ "tls_key_file", SQL_FILE_MYSQL, "ssl_key", 0 },
	{ "tls_ciphers", SQL_FILE_MYSQL, "ssl_cipher", 0 },
	{ "tls_verify_cert", SQL_FILE_MYSQL, "ssl_verify_server_cert?", 0 },
	{ "charset", SQL_FILE_MYSQL, NULL, 0 },
	{ "require_result_set", SQL_FILE_MYSQL, NULL, 0 },
	{ "idle_interval", SERVERS, NULL, 0 },
	{ "retry_interval", SERVERS, NULL, 0 },
};

void sql_settings_drop(struct sql_settings *s)
{
	match_list_free(&s->domains);
	if (s->mem)
		arena_wipe(&s->mem); /* a password */
	*s = (struct sql_settings){ .mem = NULL };
}

/* ---- the lines ---- */

static void take_word(struct lines *l, const struct setting *set, struct str value)
{
	struct str word = str_c(set->word);
	bool is_switch = str_has_suffix(word, STR("?")), is_option = str_has_prefix(word, STR("option_"));

	if (is_switch && !str_ieq(value, STR("yes")) && !str_ieq(value, STR("no")))
		buf_addf(l->fault, "%s = %.*s; it should be yes or no", set->name, STR_ARG(value));
	l->set->has_options |= is_option;
	if ((is_option || str_has_prefix(word, STR("ssl_"))) && str_has_prefix(value, STR("/")) &&
		l->set->n_files < TABLE_FILES)
		l->set->files[l->set->n_files++] = arena_cdup(l->set->mem, value);
	buf_addf(&l->words, "\n%.*s=%.*s", STR_ARG(str_sub(word, 0, word.n - is_switch)), STR_ARG(value));
}

static void take_setting(struct lines *l, const struct setting *set, struct str value)
{
	if (set->at)
		*(const char **)(void *)((char *)l + set->at) = arena_cdup(l->set->mem, value);
	else if (set->word && value.n)
		take_word(l, set, value);
}

static const struct setting *find_setting(struct str name, enum sql_file_type type)
{
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		if ((settings[i].types & (unsigned)type) && str_eq(name, str_c(settings[i].name)))
			return &settings[i];
	return NULL;
}

static void read_lines(struct lines *l, struct str text)
{
	struct map_lines lines;
	struct str line, name, value;

	map_lines_begin(&lines, text);
	while (map_lines_next(&lines, &line)) {
		bool is_setting = map_setting_parse(line, &name, &value);
		const struct setting *set = is_setting ? find_setting(name, l->type) : NULL;

		if (set)
			take_setting(l, set, value);
		else if (is_setting) /* never its value, which may be a password */
			table_notice(l->table, "%s, line %u: \"%.*s\" is no setting of a %s table; it is ignored",
				l->table->name, lines.line, STR_ARG(name), l->table->type->name);
		else
			table_notice(
				l->table, "%s, line %u: it has no \"=\"; it is ignored", l->table->name, lines.line);
	}
	map_lines_end(&lines);
}

/* ---- hosts ---- */

/* "host", "host:port", "[address]:port", "inet:…", "unix:/path"; port: with its colon. */
static void split_host(struct str word, struct str *host, struct str *port)
{
	struct str s = str_from(word, str_has_prefix(word, STR("unix:")) || str_has_prefix(word, STR("inet:")) ? 5 : 0);
	ptrdiff_t colon = str_chr(s, ':'), bracket = str_chr(s, ']');

	*host = s;
	*port = STR("");
	if (str_has_prefix(s, STR("[")) && bracket > 0) {
		*host = str_sub(s, 1, (size_t)bracket - 1);
		*port = str_from(s, (size_t)bracket + 1);
	} else if (colon >= 0 && colon == str_rchr(s, ':') && s.p[0] != '/') {
		*host = str_sub(s, 0, (size_t)colon);
		*port = str_from(s, (size_t)colon);
	}
}

/* 0: none, and there should be one. */
static uint16_t port_number(struct str port)
{
	uint64_t number;

	return port.p[0] == ':' && str_u64(str_from(port, 1), &number) && number <= 65535 ? (uint16_t)number : 0;
}

/* False with why. */
static bool take_host(struct lines *l, struct str word)
{
	struct sql_settings *s = l->set;
	struct str host, port;

	if (str_has_prefix(word, STR("postgres://")) || str_has_prefix(word, STR("postgresql://"))) {
		buf_addf(l->fault,
			"hosts = %.*s…: there are host names here, and user, password and dbname beside them",
			(int)(str_chr(word, ':') + 1), word.p);
		return false;
	}
	split_host(word, &host, &port);
	if (host.n == 0 || str_chr(host, '@') >= 0 || (port.n && port_number(port) == 0)) {
		/* Who writes "user:password@host" is not quoted. */
		buf_addf(l->fault, "hosts: \"%.*s\" is no host; write HOST, HOST:PORT or unix:/PATH",
			STR_ARG(str_from(word, (size_t)(str_rchr(word, '@') + 1))));
		return false;
	}
	if (s->n_hosts == SQL_HOSTS_MAX) {
		buf_addf(l->fault, "more than %d hosts", SQL_HOSTS_MAX);
		return false;
	}
	s->port[s->n_hosts] = port.n ? port_number(port) : 0;
	s->host[s->n_hosts++] = arena_cdup(s->mem, host);
	return true;
}

static const char *connect_of(struct lines *l, size_t i)
{
	struct buf text = BUF_SECRET(CONNECT_MAX);
	const char *connect;

	buf_addf(&text, "\nhost=%s", l->set->host[i]);
	if (l->set->port[i])
		buf_addf(&text, "\nport=%u", l->set->port[i]);
	buf_add_str(&text, buf_str(&l->words));
	connect = arena_cdup(l->set->mem, buf_str(&text));
	buf_wipe(&text);
	return connect;
}

static bool take_hosts(struct lines *l)
{
	struct str rest = str_c(l->hosts ? l->hosts : ""), word;

	while (map_word(&rest, &word))
		if (!take_host(l, word))
			return false;
	if (l->set->n_hosts == 0 && !take_host(l, STR("localhost")))
		return false;
	for (size_t i = 0; i < l->set->n_hosts; i++)
		l->set->connect[i] = connect_of(l, i);
	return true;
}

/* ---- the whole ---- */

/* How queries were said before "query =" was: pieces of one. */
static const char *older_query(const struct lines *l)
{
	struct arena *mem = l->set->mem;

	if (l->select_function)
		return arena_printf(mem, "SELECT %s('%%s')", l->select_function);
	if (l->select_field == NULL || l->from_table == NULL || l->where_field == NULL)
		return NULL;
	return arena_printf(mem, "SELECT %s FROM %s WHERE %s = '%%s' %s", l->select_field, l->from_table,
		l->where_field, l->additional_conditions);
}

static enum sql_dialect dialect_of(enum sql_file_type type)
{
	return type == SQL_FILE_MYSQL ? SQL_BACKSLASH : type == SQL_FILE_PGSQL ? SQL_DOLLAR : SQL_QUESTION;
}

static void make_of_lines(struct lines *l)
{
	struct sql_settings *s = l->set;
	const char *query = l->query && *l->query ? l->query : older_query(l);

	if (l->fault->n)
		return;
	if (l->type == SQL_FILE_SQLITE && (l->dbpath == NULL || query == NULL))
		buf_addf(l->fault, "there is no \"%s =\"; it needs dbpath and query", l->dbpath ? "query" : "dbpath");
	else if (query == NULL)
		buf_addf(l->fault, "there is no \"query =\"; it needs hosts, user, password, dbname and query");
	else if (!sql_format_is_good(str_c(l->result_format)))
		buf_addf(l->fault, "result_format = %s: \"%%\" must be %%s %%u %%d %%S %%U %%D %%1…%%9 or %%%%",
			l->result_format);
	else if (!str_u64(str_c(l->expansion_limit), &s->limit))
		buf_addf(l->fault, "expansion_limit = %s is not a number", l->expansion_limit);
	else if (l->type != SQL_FILE_SQLITE && !take_hosts(l))
		return;
	else if (sql_query_parse(str_c(query), dialect_of(l->type), s->mem, &s->query, l->fault) == 0 && l->domain)
		s->domains = match_list_make(str_c(l->domain), l->table->set, MATCH_EXACT);
	s->dbpath = l->dbpath;
	s->result_format = l->result_format;
}

static void read_settings(
	struct sql_settings *s, struct table *t, enum sql_file_type type, struct str text, struct buf *fault)
{
	struct lines l = { .set = s,
		.table = t,
		.type = type,
		.result_format = "%s",
		.expansion_limit = "0",
		.additional_conditions = "",
		.words = BUF_SECRET(CONNECT_MAX / 2),
		.fault = fault };

	s->mem = arena_new(1024);
	read_lines(&l, text);
	make_of_lines(&l);
	buf_wipe(&l.words);
}

void sql_settings_refuse(struct sql_settings *s, const struct table *t, const char *fault)
{
	struct table_file file = s->file;
	struct arena *mem = arena_new(1024);
	const char *kept = arena_printf(mem, "%s: in %s: %s", t->spec, t->name, fault);

	sql_settings_drop(s);
	*s = (struct sql_settings){ .mem = mem, .file = file, .fault = kept };
}

static void read_file(
	struct sql_settings *s, struct table *t, enum sql_file_type type, struct table_file file, struct buf *why)
{
	struct buf text = BUF_SECRET(FILE_MAX), fault = BUF_INIT(TABLE_WHY_MAX);

	if (table_read_file(t, t->name, &text, why)) {
		read_settings(s, t, type, buf_str(&text), &fault);
		s->file = file;
		if (fault.n)
			sql_settings_refuse(s, t, fault.p);
	}
	buf_wipe(&text);
	buf_free(&fault);
}

bool sql_settings_current(
	struct sql_settings *s, struct table *t, enum sql_file_type type, bool *changed, struct buf *why)
{
	struct table_file file = s->file;
	int r = table_file_changed(t, &file, t->name);

	*changed = r != 0;
	if (r == 0) {
		s->file = file;
	} else {
		sql_settings_drop(s);
		if (r > 0)
			read_file(s, t, type, file, why);
		else
			buf_addf(why, "%s: cannot read %s: %s; create it, or take the table out of main.cf", t->spec,
				t->name, strerror(errno));
	}
	if (s->fault)
		buf_add_c(why, s->fault);
	return s->mem && s->fault == NULL;
}

/* ---- keys and answers ---- */

enum map_status sql_settings_has_key(const struct sql_settings *s, struct str key, struct buf *why)
{
	ptrdiff_t at = str_rchr(key, '@');

	if (s->domains == NULL)
		return MAP_FOUND;
	if (at <= 0)
		return MAP_NOT_FOUND;
	return match_list_find(s->domains, str_from(key, (size_t)at + 1), NULL, why);
}

bool sql_settings_add(const struct sql_settings *s, const struct table *t, struct str key, struct str cell,
	uint64_t *count, struct buf *value, struct buf *why)
{
	size_t before = value->n;
	int added;

	if (cell.n == 0)
		return true;
	added = before && buf_add_char(value, ',') != 0 ? -1 : sql_format(str_c(s->result_format), key, cell, value);
	if (added == 0)
		value->n = before;
	if (added == 0 || (added > 0 && (++*count <= s->limit || s->limit == 0)))
		return true;
	if (added < 0)
		buf_addf(why, "%s: the answer for \"%.*s\" is longer than %d octets", t->spec, STR_ARG(key),
			TABLE_VALUE_MAX);
	else
		buf_addf(why, "%s: more than expansion_limit = %llu results for \"%.*s\"", t->spec,
			(unsigned long long)s->limit, STR_ARG(key));
	return false;
}
