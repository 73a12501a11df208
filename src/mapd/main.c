/*
 * mapd - reads lookup tables for those who may not open files: smtpd, queued, relay and deliver ask it what is in a
 * table, what a recipient is, and where an address goes.
 *
 * Runs as its own account, with the capability to read any file only when a table is closed to that account. Jail:
 * Landlock (read-only, the directories of the tables that the configuration names, and what account names and SQLite
 * need), which bounds that capability; seccomp: no program is ever executed. No network, but where a table is in MySQL or
 * PostgreSQL behind TCP: then to their ports; userdb tables use UNIX sockets. Nothing of the queue. Peers: master
 * (descriptor 3), the processes above (peer.c has what they may ask).
 */
#include "mapd/mapd.h"
#include "base/jail.h"
#include "base/log.h"
#include "map/table_sql.h"
#include "sql/sql.h"

#include <pwd.h>
#include <stdlib.h>

enum { THREADS_MAX = 32 };

static struct mapd *mapd_of(struct child *c)
{
	return container_of(c, struct mapd, child);
}

static void on_peer(struct child *c, enum role role, unsigned index, int fd)
{
	peer_open(mapd_of(c), role, index, fd);
}

static void on_stop(struct child *c, enum stop_how how)
{
	struct mapd *m = mapd_of(c);

	m->stopping = true;
	if (how == STOP_NOW || m->under_way == 0)
		child_exit(c);
}

static void on_status(struct child *c, struct buf *json)
{
	const struct mapd *m = mapd_of(c);

	buf_addf(json, "\"tables\":%zu,\"questions\":%llu,\"temporary\":%llu,\"under_way\":%u",
		table_set_count(m->tables), (unsigned long long)m->questions, (unsigned long long)m->temporary,
		m->under_way);
}

/* What the C library would open when it is first needed: after this, the files alone are enough. */
static void load_name_service(void)
{
	struct passwd pw, *hit;
	char room[16384];

	getpwnam_r("postmaster", &pw, room, sizeof room, &hit);
}

/* A lookup may wait for a disk or a socket: a few threads, and one for each table that somebody else answers. */
static void set_threads(size_t n_remote)
{
	char text[16];

	snprintf(text, sizeof text, "%zu", n_remote + 4 < THREADS_MAX ? n_remote + 4 : (size_t)THREADS_MAX);
	setenv("UV_THREADPOOL_SIZE", text, 0);
}

int main(void)
{
	static struct mapd m = {
		.child = { .role = ROLE_MAPD, .on_peer = on_peer, .on_stop = on_stop, .on_status = on_status }
	};
	struct arena *mem = arena_new(4096);
	struct jail jail = { .role = JAIL_MAPD };
	struct tables_needs needs;
	static const char *const none[] = { NULL };

	child_begin(&m.child);
	/* child_begin() went to queue_directory, where the sockets of userdb tables are: no directory above it matters. */
	m.tables = table_set_new(TABLES_ALL, "");
	resolve_settings_load(&m.settings, m.child.main);
	m.resolver = resolver_new(&m.settings, m.tables);
	tables_of_conf(m.tables, m.child.conf);
	table_set_seal(m.tables);
	table_sql_drivers(sql_driver_find);
	tables_needs(m.tables, mem, &needs);
	set_threads(needs.n_remote);
	load_name_service();
	jail.root = m.child.root;
	jail.uid = m.child.uid;
	jail.gid = m.child.gid;
	if (needs.by_tcp)
		jail.role = JAIL_MAPD_NET;
	jail.connect_ports = needs.ports;
	jail.readable = tables_paths(m.tables, m.child.queue_directory, &needs, mem);
	jail.writable = none;
	/* Postfix reads its tables as root: those that hold passwords ("chmod 600") are nobody else's. */
	jail.reads_all = jail.root && tables_need_root(m.tables, &needs, m.child.uid, m.child.gid, mem);
	child_ready(&m.child, jail_enter(&jail));
	arena_free(&mem);
	return child_run(&m.child);
}
