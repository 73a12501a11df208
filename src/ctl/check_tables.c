/*
 * check_tables.c - the lookup tables that parameters name: a type that this build lacks is a fault (every lookup would
 * fail, and mail with it), and so is a table in SQL whose settings say nothing to ask; a file that is not there, or has no absolute path, is worth a warning.
 */
#include "ctl/check.h"
#include "map/sql_settings.h"

#include <stdlib.h>
#include <unistd.h>

/* Types whose name is a file, what stands behind the file's name, and what it is when it has settings. */
static const struct {
	const char *type, *suffix, *make;
	unsigned settings; /* enum sql_file_type; 0: none */
} file_types[] = { { "hash", ".lmdb", "postmap", 0 }, { "btree", ".lmdb", "postmap", 0 },
	{ "lmdb", ".lmdb", "postmap", 0 }, { "texthash", "", NULL, 0 }, { "regexp", "", NULL, 0 },
	{ "pcre", "", NULL, 0 }, { "cidr", "", NULL, 0 }, { "sqlite", "", NULL, SQL_FILE_SQLITE },
	{ "mysql", "", NULL, SQL_FILE_MYSQL }, { "pgsql", "", NULL, SQL_FILE_PGSQL } };

/* Words of such parameters are tables where they look like one. */
static bool names_tables(const struct param *p)
{
	static const char *const endings[] = { "_maps", "_restrictions", "_domains", "_checks", "_networks", "_table",
		"_clients", "_hosts", "_access", "mynetworks", "mydestination", "_users" };

	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if (p->acts != KNOWN && p->type != PARAM_RAW && str_has_suffix(str_c(p->name), str_c(endings[i])))
			return true;
	return false;
}

static bool is_there(const char *path, const char *suffix)
{
	struct buf file = BUF_INIT(8192);
	bool there;

	buf_addf(&file, "%s%s", path, suffix);
	there = access(path, F_OK) == 0 || access(file.p, F_OK) == 0;
	buf_free(&file);
	return there;
}

/* Returns the number of faults. */
static unsigned look_at_settings(const struct checked *c, const char *name, struct str spec, enum sql_file_type type)
{
	struct table_set *set = table_set_new(TABLES_ALL, "");
	struct buf lines = BUF_INIT(65536), why = BUF_INIT(TABLE_WHY_MAX);
	struct sql_settings settings = { .mem = NULL };
	struct str rest, line;
	unsigned faults;
	bool changed;

	sql_settings_current(&settings, table_get(set, spec), type, &changed, &why);
	table_set_notices(set, &lines);
	rest = buf_str(&lines);
	while (str_word(&rest, "\n", &line))
		buf_addf(c->warnings, "%s: %s: %.*s\n", c->where, name, STR_ARG(line));
	if (why.n)
		buf_addf(c->lines, "%s: %s: %s\n", c->where, name, why.p);
	faults = why.n > 0;
	sql_settings_drop(&settings);
	buf_free(&lines);
	buf_free(&why);
	table_set_free(&set);
	return faults;
}

static unsigned look_at_file(
	const struct checked *c, const char *name, struct str word, struct str spec, struct str type)
{
	unsigned faults = 0;

	for (size_t i = 0; i < sizeof file_types / sizeof *file_types; i++) {
		struct str rest = str_from(spec, type.n + 1);
		char *path;

		if (!str_eq(type, str_c(file_types[i].type)) || str_has_prefix(rest, STR("{")))
			continue;
		path = xstrndup(rest);
		if (path[0] != '/')
			buf_addf(c->warnings, "%s: %s = … %.*s …: the path must be absolute\n", c->where, name,
				STR_ARG(word));
		else if (!is_there(path, file_types[i].suffix))
			buf_addf(c->warnings, "%s: %s = … %.*s …: there is no file %s%s\n", c->where, name,
				STR_ARG(word), path,
				file_types[i].make ? " (after writing it, run postmap on it)" : "");
		else if (file_types[i].settings)
			faults += look_at_settings(c, name, spec, (enum sql_file_type)file_types[i].settings);
		free(path);
	}
	return faults;
}

/* "type:rest" behind any "proxy:". Returns the number of faults. */
static unsigned look_at_table(const struct checked *c, const char *name, struct str word)
{
	struct str spec = word, type;

	while (str_has_prefix(spec, STR("proxy:")) || str_has_prefix(spec, STR("proxywrite:")))
		spec = str_from(spec, (size_t)str_chr(spec, ':') + 1);
	type = str_sub(spec, 0, table_is_spec(spec) ? (size_t)str_chr(spec, ':') : 0);
	if (type.n == 0)
		return 0;
	if (table_type_find(type)) {
		return look_at_file(c, name, word, spec, type);
	}
	buf_addf(c->lines,
		"%s: %s = … %.*s …: this build has no tables of the type \"%.*s\"; `postconf -m` lists those that it "
		"has (users "
		"can be asked for through authd: userdb:private/auth-userdb)\n",
		c->where, name, STR_ARG(word), STR_ARG(type));
	return 1;
}

/* IPv6 addresses, and sockets of a policy service, have a colon and are no tables. */
static bool is_no_table(struct str before, struct str word)
{
	if (str_chr(word, '[') >= 0 || str_ieq(before, STR("check_policy_service")))
		return true;
	for (size_t i = 0; i < word.n; i++)
		if (strchr("0123456789abcdefABCDEF:/.", word.p[i]) == NULL)
			return false;
	return str_chr(str_from(word, (size_t)str_chr(word, ':') + 1), ':') >= 0; /* 2001:db8::/32 */
}

static unsigned check_value(const struct checked *c, const char *name)
{
	struct arena *mem = arena_new(4096);
	struct str *words, before = STR("");
	size_t n = conf_words(str_c(conf_str(c->view, name)), mem, &words);
	unsigned faults = 0;

	for (size_t i = 0; i < n; before = words[i++]) {
		struct str word = words[i];

		if (word.n && word.p[0] == '!')
			word = str_from(word, 1);
		if (table_is_spec(word) && !is_no_table(before, word))
			faults += look_at_table(c, name, word);
	}
	arena_free(&mem);
	return faults;
}

unsigned check_tables(const struct checked *c)
{
	const struct param *const *rows;
	size_t n = params_all(&rows);
	unsigned faults = 0;

	for (size_t i = 0; i < n; i++)
		if (names_tables(rows[i]) && conf_is_set(c->view, rows[i]->name))
			faults += check_value(c, rows[i]->name);
	return faults;
}
