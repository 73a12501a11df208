#include "mapd/mapd.h"

#include "base/log.h"
#include "child/network_files.h"
#include "conf/params.h"
#include "map/map_text.h"

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

static size_t count_files(const char *const *files)
{
	size_t n = 0;

	while (files[n])
		n++;
	return n;
}

void tables_needs(struct table_set *set, struct arena *mem, struct tables_needs *out)
{
	size_t n_tables, n_ports = 0, n_files = 0;
	const char **files;
	uint16_t *ports;
	bool any_port = false;

	table_set_prepare(set);
	n_tables = table_set_count(set);
	ports = arena_array(mem, TABLE_PORTS * n_tables + 2, sizeof *ports);
	files = arena_array(mem, TABLE_FILES * n_tables + 1, sizeof *files);
	*out = (struct tables_needs){ .ports = ports, .files = files };
	ports[n_ports++] = NETWORK_DNS_PORT;
	for (struct table *t = table_set_next(set, NULL); t; t = table_set_next(set, t)) {
		struct table_needs needs = { .n_ports = 0 };

		out->n_remote += (t->type->flags & TABLE_REMOTE) != 0;
		if (t->type->needs)
			t->type->needs(t, &needs);
		out->by_tcp |= needs.by_tcp;
		out->by_library |= needs.n_ports > 0;
		any_port |= needs.any_port;
		for (size_t i = 0; i < needs.n_ports; i++)
			ports[n_ports++] = needs.port[i];
		for (size_t i = 0; i < needs.n_files; i++)
			files[n_files++] = arena_cdup(mem, str_c(needs.file[i]));
	}
	if (any_port)
		out->ports = NULL;
}

/* What a jail has to name: the folder, so that a file that is replaced is still within reach; never all of the tree. */
static const char *folder_of(const char *path, struct arena *mem)
{
	const char *folder = dirname(arena_cdup(mem, str_c(path)));

	return strcmp(folder, "/") == 0 ? path : folder;
}

enum { FIXED_PATHS = 16 };

const char *const *tables_paths(
	const struct table_set *set, const char *queue_directory, const struct tables_needs *needs, struct arena *mem)
{
	static const char *const fixed[] = { "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/localtime",
		"/usr/lib", "/lib", "/lib64", "/dev/urandom", "/run/systemd/userdb" };
	size_t n = 0, room = table_set_count(set) + count_files(needs->files) + count_files(network_files);
	const char **paths = arena_array(mem, room + FIXED_PATHS, sizeof *paths);

	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		paths[n++] = fixed[i];
	for (size_t i = 0; needs->by_library && network_files[i]; i++)
		paths[n++] = network_files[i];
	for (size_t i = 0; needs->files[i]; i++)
		paths[n++] = folder_of(needs->files[i], mem);
	paths[n++] = arena_printf(mem, "%s/private", queue_directory);
	for (const struct table *t = table_set_next(set, NULL); t; t = table_set_next(set, t))
		if (table_is_file(t))
			paths[n++] = dirname(arena_cdup(mem, str_c(t->name)));
	return paths;
}

static bool is_barred(const char *path)
{
	return faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0 && errno == EACCES;
}

static bool table_is_barred(const struct table *t, struct arena *mem)
{
	return table_is_file(t) && (is_barred(t->name) || is_barred(arena_printf(mem, "%s.lmdb", t->name)));
}

bool tables_need_root(
	const struct table_set *set, const struct tables_needs *needs, uid_t uid, gid_t gid, struct arena *mem)
{
	bool barred = false;

	if (setegid(gid) != 0 || seteuid(uid) != 0)
		fatal("cannot try the account of mapd: %s", strerror(errno));
	for (const struct table *t = table_set_next(set, NULL); t && !barred; t = table_set_next(set, t))
		barred = table_is_barred(t, mem);
	for (size_t i = 0; needs->files[i] && !barred; i++)
		barred = is_barred(needs->files[i]);
	if (seteuid(0) != 0 || setegid(0) != 0)
		fatal("cannot go back to root: %s", strerror(errno));
	return barred;
}
