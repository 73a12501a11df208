#include "mapd/mapd.h"

#include "base/log.h"
#include "child/network_files.h"
#include "conf/params.h"
#include "map/map_text.h"
#include "map/table_sql.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DEPTH_MAX = 20 }; /* of braces */

/* Is it "type:name" of a type that we have? "smtp:[host]" is none. */
static bool names_table(struct str word)
{
	while (str_has_prefix(word, STR("proxy:")))
		word = str_from(word, 6);
	return table_is_spec(word) && table_type_find(str_sub(word, 0, (size_t)str_chr(word, ':')));
}

/* Every "type:name" in a value, also inside of braces ("{ check_sender_access hash:/x, reject }"). */
static void walk_value(struct table_set *set, struct str value, unsigned depth)
{
	struct str word, inside;

	while (map_word(&value, &word)) {
		while (word.n && word.p[0] == '!')
			word = str_from(word, 1);
		inside = map_unbrace(word);
		if (inside.n < word.n && depth < DEPTH_MAX) /* "{x}y" is a word like others */
			walk_value(set, inside, depth + 1);
		else if (names_table(word))
			table_get(set, word);
	}
}

/*
 * Nobody asks for a table that only a parameter without effect names. Those of the names in SNI have private keys in
 * them: master alone reads them (or, without keyd, smtpd before its jail).
 */
static bool has_tables(const struct param *p)
{
	if (p->acts == KNOWN || strcmp(p->name, "tls_server_sni_maps") == 0)
		return false;
	return p->type == PARAM_STRING || p->type == PARAM_LIST || p->type == PARAM_RAW;
}

static void walk_view(struct table_set *set, const struct conf_view *v)
{
	const struct param *const *rows;
	size_t n = params_all(&rows);

	for (size_t i = 0; i < n; i++)
		if (has_tables(rows[i]))
			walk_value(set, str_c(conf_str(v, rows[i]->name)), 0);
}

void tables_of_conf(struct table_set *set, const struct conf *conf)
{
	const struct conf_service *service;
	size_t n = conf_services(conf, &service);

	walk_view(set, conf_main(conf));
	for (size_t i = 0; i < n; i++)
		walk_view(set, service[i].view);
}

enum { FIXED_PATHS = 16, SETTINGS_MAX = 1 << 20 };

/* The database that a sqlite table's file names; NULL: none, or the file cannot be read now. */
static const char *database_path(const char *path, struct arena *mem)
{
	struct buf text = BUF_INIT(SETTINGS_MAX);
	FILE *f = fopen(path, "re");
	const char *database = NULL;
	struct map_lines lines;
	struct str line, name, value;
	char *at;

	while (f && (at = buf_reserve(&text, 4096)) != NULL && !feof(f) && !ferror(f))
		buf_commit(&text, fread(at, 1, 4096, f));
	if (f)
		fclose(f);
	map_lines_begin(&lines, buf_str(&text));
	while (map_lines_next(&lines, &line))
		if (map_setting_parse(line, &name, &value) && str_eq(name, STR("dbpath")))
			database = arena_cdup(mem, value);
	map_lines_end(&lines);
	buf_free(&text);
	return database;
}

static size_t count_files(const char *const *files)
{
	size_t n = 0;

	while (files[n])
		n++;
	return n;
}

/* What a jail has to name: the folder, so that a file that is replaced is still within reach; never all of the tree. */
static const char *folder_of(const char *path, struct arena *mem)
{
	const char *folder = dirname(arena_cdup(mem, str_c(path)));

	return strcmp(folder, "/") == 0 ? path : folder;
}

void tables_network(const struct table_set *set, struct arena *mem, struct tables_network *out)
{
	enum { PORTS = sizeof((struct table_sql_needs *)NULL)->port / sizeof(uint16_t), FILES = 8 };
	size_t n_tables = table_set_count(set), n_ports = 0, n_files = 0, n_fixed = count_files(network_files);
	uint16_t *ports = arena_array(mem, PORTS * n_tables + 2, sizeof *ports);
	const char **files = arena_array(mem, FILES * n_tables + n_fixed + 1, sizeof *files);
	bool any_port = false;

	*out = (struct tables_network){ .n = 0 };
	ports[n_ports++] = NETWORK_DNS_PORT;
	for (; n_files < n_fixed; n_files++)
		files[n_files] = network_files[n_files];
	for (struct table *t = table_set_next(set, NULL); t; t = table_set_next(set, t)) {
		struct table_sql_needs needs;

		if (!table_sql_needs(t, mem, &needs))
			continue;
		out->n++;
		out->by_tcp |= needs.by_tcp;
		any_port |= needs.any_port;
		for (size_t i = 0; i < needs.n_ports; i++)
			ports[n_ports++] = needs.port[i];
		for (size_t i = 0; needs.files[i]; i++)
			files[n_files++] = folder_of(needs.files[i], mem);
	}
	out->ports = any_port ? NULL : ports;
	out->files = out->n ? files : files + n_files; /* those, or none */
}

const char *const *tables_paths(const struct table_set *set, const char *queue_directory,
	const struct tables_network *network, struct arena *mem)
{
	static const char *const fixed[] = { "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/localtime",
		"/usr/lib", "/lib", "/lib64", "/dev/urandom", "/run/systemd/userdb" };
	size_t n = 0, n_network = count_files(network->files);
	const char **paths = arena_array(mem, 2 * table_set_count(set) + FIXED_PATHS + n_network, sizeof *paths);

	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		paths[n++] = fixed[i];
	for (size_t i = 0; i < n_network; i++)
		paths[n++] = network->files[i];
	paths[n++] = arena_printf(mem, "%s/private", queue_directory);
	for (const struct table *t = table_set_next(set, NULL); t; t = table_set_next(set, t)) {
		const char *database;
		char *name;

		if (!table_is_file(t))
			continue;
		name = arena_cdup(mem, str_c(t->name));
		paths[n++] = arena_cdup(mem, str_c(dirname(name)));
		database = strcmp(t->type->name, "sqlite") == 0 ? database_path(t->name, mem) : NULL;
		if (database)
			paths[n++] = dirname(arena_cdup(mem, str_c(database)));
	}
	return paths;
}

static bool is_barred(const char *path)
{
	return faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0 && errno == EACCES;
}

static bool table_is_barred(const struct table *t, struct arena *mem)
{
	const char *database;

	if (!table_is_file(t))
		return false;
	if (is_barred(t->name) || is_barred(arena_printf(mem, "%s.lmdb", t->name)))
		return true;
	database = strcmp(t->type->name, "sqlite") == 0 ? database_path(t->name, mem) : NULL;
	return database && is_barred(database);
}

bool tables_need_root(const struct table_set *set, uid_t uid, gid_t gid, struct arena *mem)
{
	bool barred = false;

	if (setegid(gid) != 0 || seteuid(uid) != 0)
		fatal("cannot try the account of mapd: %s", strerror(errno));
	for (const struct table *t = table_set_next(set, NULL); t && !barred; t = table_set_next(set, t))
		barred = table_is_barred(t, mem);
	if (seteuid(0) != 0 || setegid(0) != 0)
		fatal("cannot go back to root: %s", strerror(errno));
	return barred;
}
