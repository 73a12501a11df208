/*
 * authd - the authentication service: Dovecot's auth protocol on UNIX sockets, users in SQL. Manual: man/authd.8.
 *
 * uid: auth_owner. chroot: the directory of its databases, when they are local files in one. Landlock: reads and
 * writes that directory (SQLite's journal), or those; for a database behind a socket, what its library reads (names of
 * hosts, certificates, plug-ins). seccomp: no exec, no fork. Its configuration and the names of accounts are read, and
 * the files of what it counts opened, before. Peers: master (child.h); fetchd; whoever the mode and owner of its sockets
 * let in; root, over public/auth.
 */
#include "authd/authd.h"

#include "auth/password.h"
#include "authd/db.h"
#include "authd/last_use.h"
#include "authd/db_ldap.h"
#include "authd/ldap_conn.h"
#include "authd/try.h"
#include "base/jail.h"
#include "base/log.h"
#include "child/network_files.h"
#include "sql/sql_connect.h"

#include <libgen.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATHS_MAX = 128 };

static struct authd the_authd; /* one per process; zeroed */

static void on_stop(struct child *child, enum stop_how how)
{
	struct authd *a = container_of(child, struct authd, child);
	bool busy = false;

	server_stop(a);
	control_stop();
	state_file_leave(a->state_file);
	for (const struct client *c = a->clients; c; c = c->next)
		busy |= c->n_logins > 0;
	if (how == STOP_NOW || !busy || a->is_stopping) {
		child_exit(child);
		return;
	}
	/* Logins under way are answered; each client leaves, or is left, as it has none any more. */
	a->is_stopping = true;
	for (struct client *c = a->clients, *next; c; c = next) {
		next = c->next;
		if (c->n_logins == 0)
			client_end(c, NULL);
	}
}

static void on_peer(struct child *child, enum role role, unsigned index, int fd)
{
	struct authd *a = container_of(child, struct authd, child);

	(void)index;
	if (role == ROLE_FETCHD && a->fetch)
		fetch_peer(a->fetch, fd);
	else if (role == ROLE_AUTHPAM)
		pam_peer(a, index, fd);
	else
		close(fd);
}

static void on_status(struct child *child, struct buf *json)
{
	const struct authd *a = container_of(child, struct authd, child);
	uint64_t lookups = 0, failed = 0;

	for (size_t i = 0; i < a->set->n_passdbs; i++) {
		lookups += a->passdb[i].n_lookups;
		failed += a->passdb[i].n_failed;
	}
	buf_addf(json, "\"clients\":%zu,\"ok\":%llu,\"failed\":%llu,\"temporary\":%llu,\"remembered\":%llu,",
		a->n_clients, (unsigned long long)a->n_ok, (unsigned long long)a->n_fail, (unsigned long long)a->n_temp,
		(unsigned long long)a->n_verdict_hits);
	buf_addf(json, "\"hashes\":%llu,\"hashes_running\":%u,\"hashes_waiting\":%u,\"hashes_refused\":%llu,",
		(unsigned long long)a->hashes.n_run, a->hashes.running, a->hashes.waiting,
		(unsigned long long)(a->hashes.n_refused + a->hashes.n_dropped));
	buf_addf(json, "\"held\":%u,\"refused\":%llu,\"failures_counted\":%llu,\"failures_repeated\":%llu,",
		a->defence.n_held, (unsigned long long)a->defence.n_refused, (unsigned long long)a->defence.n_counted,
		(unsigned long long)a->defence.n_repeated);
	buf_addf(json, "\"lookups\":%llu,\"lookups_failed\":%llu", (unsigned long long)lookups,
		(unsigned long long)failed);
}

static void say_lines(struct buf *lines, void (*say)(const char *fmt, ...))
{
	struct str rest = buf_str(lines), line;

	while (str_field(&rest, "\n", &line))
		if (line.n)
			say("%.*s", STR_ARG(line));
	buf_free(lines);
}

static void load_settings(struct authd *a)
{
	struct buf errors = BUF_INIT(1024 * 1024), warnings = BUF_INIT(1024 * 1024);
	const char *file = conf_str(a->child.main, "auth_conf_file");

	a->set = settings_load(file, &errors, &warnings);
	say_lines(&warnings, log_warn);
	if (a->set == NULL) {
		say_lines(&errors, log_error);
		fatal("authd cannot start: %s has errors", file);
	}
}

static unsigned processors(void)
{
	unsigned n = uv_available_parallelism();

	return n > 64 ? 64 : n ? n : 1;
}

/* Of a database that is a local file; NULL: another one, or none. */
static const char *database_path(struct authd *a, const struct sql_settings *sql)
{
	if (sql->file == NULL || sql->driver == NULL || sql->driver->path == NULL)
		return NULL;
	return sql->driver->path(sql->connect, a->set->mem);
}

/* Can the database be opened with `*dir` as the root directory? Where *dir is NULL its own directory is put there. */
static bool lies_in(struct authd *a, const struct db *db, char **dir)
{
	const char *path = database_path(a, &db->sql);
	struct stat st;
	char *own;

	if (db->kind == DB_STATIC || db->kind == DB_PASSWD || db->kind == DB_PAM || db->kind == DB_OAUTH2)
		return true;
	if (path == NULL || *path != '/' || (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)))
		return false;
	own = dirname(arena_cdup(a->set->mem, str_c(path)));
	if (*dir == NULL)
		*dir = own;
	return strcmp(own, *dir) == 0;
}

/* Redis on another machine by its name: that is looked up by files which a root directory would hide. */
static bool needs_files(const struct share_settings *s)
{
	struct network network;

	return s->host && (s->path || !network_parse(str_c(s->host), &network));
}

/*
 * The directory that holds all databases, when there is one: it can be locked in there, and needs no permission to
 * enter the directories above. Otherwise "", and it opens the files by their paths, under its own account.
 */
static const char *choose_root(struct authd *a)
{
	char *dir = NULL;
	bool one = a->child.root && !needs_files(&a->set->share);
	struct stat st;

	for (size_t i = 0; i < a->set->n_passdbs; i++)
		one = one && lies_in(a, &a->set->passdb[i], &dir);
	for (size_t i = 0; i < a->set->n_userdbs; i++)
		one = one && lies_in(a, &a->set->userdb[i], &dir);
	if (!one || dir == NULL || strcmp(dir, "/") == 0 || stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
		return "";
	return dir;
}

/* The keys of its tables are the same after a restart, and nobody outside can find names that fall together. */
static void open_defence(struct authd *a)
{
	unsigned char key[EVP_MAX_MD_SIZE];

	if (HMAC(EVP_sha256(), a->secret, sizeof a->secret, (const unsigned char *)"failed logins", 13, key, NULL) ==
		NULL)
		panic("no HMAC-SHA-256 in libcrypto");
	defence_init(&a->defence, &a->set->defence, DEFENCE_ENTRIES, key);
	a->state_file = state_file_open(a->child.queue_directory, &a->defence);
}

/* The database that a block names: one, however many blocks name it. */
static struct database *database_of(struct authd *a, const struct sql_settings *sql)
{
	struct database *db = a->database;

	for (; db < a->database + a->n_databases; db++)
		if (db->set->driver == sql->driver && strcmp(db->set->connect, sql->connect) == 0)
			return db;
	a->n_threads += database_init(db, sql, a->root, a->child.loop, SQL_WAITING, HASH_WAIT_MS);
	a->n_databases++;
	return db;
}

static void open_databases(struct authd *a)
{
	const struct settings *set = a->set;
	unsigned index = 0;

	a->n_threads = processors() + 1; /* one writes what is counted of failed logins */
	pool_init(&a->hashes, a->child.loop, processors(), HASHES_WAITING, HASH_WAIT_MS);
	a->hashes.is_background = true; /* hashing yields to the loop that answers everybody else */
	a->cache = row_cache_new(set->cache_octets, set->cache_ttl_ms, set->cache_negative_ttl_ms);
	a->verdicts = verdicts_new();
	a->last_uses = last_uses_new(a);
	for (size_t i = 0; i < set->n_passdbs; i++, index++) {
		if (set->passdb[i].sql.driver)
			source_init(&a->passdb[i], &set->passdb[i].sql, database_of(a, &set->passdb[i].sql), a->cache,
				index);
		if (set->passdb[i].sql.credentials_query.sql)
			source_init(&a->credentials[i], &set->passdb[i].credentials,
				database_of(a, &set->passdb[i].sql), NULL, index);
		db_preload(a, &set->passdb[i]);
		dummy_make(a, i);
	}
	for (size_t i = 0; i < set->n_userdbs; i++, index++) {
		if (set->userdb[i].sql.driver)
			source_init(&a->userdb[i], &set->userdb[i].sql, database_of(a, &set->userdb[i].sql), a->cache,
				index);
		db_preload(a, &set->userdb[i]);
	}
}

/* What will not work is said now, and not at the first login; the service comes up all the same. */
static void check_databases(struct authd *a)
{
	struct arena *mem = arena_new(0);

	for (size_t i = 0; i < a->set->n_passdbs; i++)
		if (a->set->passdb[i].kind == DB_SQL)
			source_check(&a->passdb[i], "password_query", &a->set->passdb[i].sql.password_query, mem);
		else if (a->set->passdb[i].kind == DB_LDAP)
			db_ldap_check(a, true, i, mem);
	for (size_t i = 0; i < a->set->n_passdbs; i++)
		source_check(&a->credentials[i], "credentials_query", &a->set->passdb[i].sql.credentials_query, mem);
	for (size_t i = 0; i < a->set->n_userdbs; i++)
		if (a->set->userdb[i].kind == DB_SQL) {
			source_check(&a->userdb[i], "user_query", &a->set->userdb[i].sql.user_query, mem);
			source_check(&a->userdb[i], "iterate_query", &a->set->userdb[i].sql.iterate_query, mem);
		} else if (a->set->userdb[i].kind == DB_LDAP) {
			db_ldap_check(a, false, i, mem);
		}
	arena_wipe(&mem);
}

/* ---- the jail ---- */

struct paths {
	struct arena *mem;
	const char *list[PATHS_MAX + 1];
	size_t n;
};

static void add_path(struct paths *p, const char *path)
{
	if (path && p->n < PATHS_MAX)
		p->list[p->n++] = path;
}

/* A database behind a socket: the files of its own words are read under our own account too. */
static void add_words(struct paths *p, const struct sql_settings *sql)
{
	static const char *const secrets[] = { "password=", "user=", "dbname=" };
	struct str rest = str_c(sql->connect), field, word;

	while (str_word(&rest, " \t\n", &field)) {
		bool is_file = true;

		for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
			is_file = is_file && !str_has_prefix(field, str_c(secrets[i]));
		while (is_file && str_word(&field, "='", &word))
			if (word.p[0] == '/')
				add_path(p, arena_cdup(p->mem, word));
	}
}

/* The ports that it may be at, ended by 0; NULL: another file says where it is. */
static const uint16_t *outer_ports(struct authd *a)
{
	static uint16_t ports[(2 * DB_MAX + 1) * CONNECT_HOSTS + 3];
	size_t n = 0;

	ports[n++] = NETWORK_DNS_PORT;
	if (a->set->share.host && a->set->share.path == NULL)
		ports[n++] = a->set->share.port;
	for (size_t i = 0; i < a->n_databases; i++) {
		const struct sql_settings *sql = a->database[i].set;
		struct sql_connect c;
		uint64_t port = sql->driver->port;

		if (sql->driver->is_local)
			continue;
		if (sql->driver->ports) {
			n += sql->driver->ports(
				sql->connect, ports + n, sizeof ports / sizeof *ports - 1 - n, a->set->mem);
			continue;
		}
		sql_connect_parse(sql->connect, sql->driver->dialect == SQL_DOLLAR, a->set->mem, &c);
		if (sql_connect_get(&c, "option_file", NULL) || sql_connect_get(&c, "service", NULL))
			return NULL;
		str_u64(str_c(sql_connect_get(&c, "port", "")), &port);
		ports[n++] = (uint16_t)(port ? port : sql->driver->port);
	}
	return ports;
}

/* The directory of a database, or the nearest one above it that is there yet. */
static void add_database(struct authd *a, struct paths *p, const struct sql_settings *sql)
{
	struct stat st;
	const char *path = database_path(a, sql);
	char *dir;

	if (path == NULL || *path == '\0')
		return;
	dir = arena_cdup(a->set->mem, str_c(path));
	do
		dir = dirname(dir);
	while (stat(dir, &st) != 0 && strcmp(dir, "/") != 0 && strcmp(dir, ".") != 0);
	if (strcmp(dir, "/") != 0)
		add_path(p, dir);
}

static const char *enter_jail(struct authd *a)
{
	bool needs_network = a->set->share.host != NULL;
	struct paths readable = { .mem = a->set->mem }, writable = { .mem = a->set->mem };
	struct jail jail = { .role = JAIL_AUTHD,
		.root = a->child.root,
		.uid = a->child.uid,
		.gid = a->child.gid,
		.chroot_dir = *a->root ? a->root : NULL };

	for (size_t i = 0; i < a->set->n_passdbs; i++) {
		add_database(a, &writable, &a->set->passdb[i].sql);
		add_path(&readable, db_directory(&a->set->passdb[i], a->set->mem));
	}
	for (size_t i = 0; i < a->set->n_userdbs; i++) {
		add_database(a, &writable, &a->set->userdb[i].sql);
		add_path(&readable, db_directory(&a->set->userdb[i], a->set->mem));
	}
	for (size_t i = 0; i < a->n_databases; i++)
		if (!a->database[i].set->driver->is_local) {
			add_words(&readable, a->database[i].set);
			needs_network = true;
		}
	if (needs_network) {
		for (size_t i = 0; network_files[i]; i++)
			add_path(&readable, network_files[i]);
		jail.role = JAIL_AUTHD_NET;
		jail.connect_ports = outer_ports(a);
	}
	add_path(&readable, "/dev/urandom"); /* SQLite's */
	jail.readable = readable.list;
	jail.writable = writable.list;
	return jail_enter(&jail);
}

static bool wants_shadow(const struct authd *a)
{
	bool wanted = false;

	for (size_t i = 0; i < a->set->n_passdbs; i++)
		wanted |= a->set->passdb[i].kind == DB_PASSWD;
	return wanted;
}

int main(int argc, char **argv)
{
	struct authd *a = &the_authd;
	const char *jail;

	if (argc == 6 && strcmp(argv[1], "-t") == 0)
		return try_settings(argv[2], argv[3], argv[4], argv[5]);
	a->child = (struct child){ .role = ROLE_AUTHD,
		.on_peer = on_peer,
		.on_stop = on_stop,
		.on_status = on_status,
		.on_who = who_tell_logins };
	child_begin(&a->child);
	load_settings(a);
	accounts_open(&a->accounts, wants_shadow(a));
	a->passwd_files = passwd_files_new();
	password_load();
#ifdef HAVE_LDAP
	ldap_conn_init();
#endif
	a->root = choose_root(a);
	key_secret_load(a);
	open_defence(a);
	server_bind(a);
	control_bind(a);
	open_databases(a);
	if (a->set->fetch.n) {
		a->fetch = fetch_new(a->child.loop, &a->set->fetch);
		child_need(&a->child, ROLE_FETCHD);
	}
	jail = enter_jail(a);
	check_databases(a);
	oauth2_start(a);
	server_start(a);
	control_start(a);
	redis_start(a);
	state_file_start(a->state_file, a->child.loop);
	child_ready(&a->child, jail);
	return child_run(&a->child);
}
