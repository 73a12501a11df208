/*
 * deliver - final delivery: Maildir and mbox files of virtual and local users, and LMTP.
 *
 * uid:    root until it takes the recipient's uid, in a process per delivery (worker.c); LMTP is spoken by a process of
 *         its own, as mail_owner (half.c)
 * chroot: none; Landlock: virtual_mailbox_base, mail_spool_directory, home directories, queue_directory/private
 * peers:  queued (jobs, segments; peer.c), mapd (tables)
 * Manual: deliver(8).
 */
#include "deliver/deliver.h"
#include "deliver/half.h"
#include "deliver/names.h"
#include "base/jail.h"
#include "base/log.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void on_peer(struct child *c, enum role role, unsigned index, int fd)
{
	struct deliver *d = container_of(c, struct deliver, child);

	(void)index;
	if (role == ROLE_QUEUED)
		queued_open(d, fd);
	else if (role == ROLE_MAPD)
		map_client_peer(d->map, fd);
	else
		close(fd);
}

static void on_stop(struct child *c, enum stop_how how)
{
	struct deliver *d = container_of(c, struct deliver, child);

	d->stopping = true;
	lmtp_stop(d);
	if (how == STOP_NOW || d->jobs == 0)
		child_exit(c);
}

static void on_status(struct child *c, struct buf *json)
{
	const struct deliver *d = container_of(c, struct deliver, child);

	buf_addf(json,
		"\"jobs\":%u,\"deliveries\":%u,\"waiting\":%u,\"lmtp_connections\":%zu,"
		"\"sent\":%llu,\"deferred\":%llu,\"bounced\":%llu",
		d->jobs, workers_running(), workers_waiting(), lmtp_connections(d), (unsigned long long)d->sent,
		(unsigned long long)d->deferred, (unsigned long long)d->bounced);
	if (d->has_half)
		buf_addf(json, ",\"lmtp_jail\":\"%s\",\"names_jail\":\"%s\"", d->half_jail, d->names_jail);
}

/* Names of Maildir files must not hold "/" or ":" (maildir(5)). */
static void set_names(struct deliver *d)
{
	snprintf(d->host, sizeof d->host, "%s", conf_str(d->child.main, "myhostname"));
	for (char *p = d->host; *p != '\0'; p++)
		if (*p == '/' || *p == ':')
			*p = '_';
	snprintf(d->program, sizeof d->program, "%s/deliver", conf_str(d->child.main, "syslog_name"));
}

/* "static:5000" as a number; 0: another table, known only per recipient. */
static unsigned long static_id(const struct child *c, const char *parameter)
{
	const char *value = conf_str(c->main, parameter);

	return strncmp(value, "static:", 7) == 0 ? strtoul(value + 7, NULL, 10) : 0;
}

/* The base directory itself has no recipient yet to make it; Landlock permits only what is there. */
static void make_base(const struct child *c)
{
	const char *base = conf_str(c->main, "virtual_mailbox_base");
	unsigned long uid = static_id(c, "virtual_uid_maps"), gid = static_id(c, "virtual_gid_maps");

	if (*base != '/' || access(base, F_OK) == 0)
		return;
	if (mkdir(base, 0700) != 0)
		log_warn("virtual_mailbox_base %s is missing and cannot be made: %s", base, strerror(errno));
	else if (c->root && uid > 0 && chown(base, (uid_t)uid, (gid_t)(gid > 0 ? gid : uid)) != 0)
		log_warn("cannot give virtual_mailbox_base %s to uid %lu: %s", base, uid, strerror(errno));
	else
		log_info("made virtual_mailbox_base %s", base);
}

enum { PATHS_MAX = 64 };

static void add_path(const char **list, size_t *n, const char *path)
{
	if (*path != '/')
		return;
	for (size_t i = 0; i < *n; i++)
		if (strcmp(list[i], path) == 0)
			return;
	if (*n == PATHS_MAX - 1)
		fatal("master.cf: more than %d directories that services deliver to", PATHS_MAX - 1);
	list[(*n)++] = path;
}

/* Where the services of master.cf write, each with its own "-o" options. */
static void add_service_paths(const struct child *c, const char **list, size_t *n)
{
	const struct conf_service *s;
	size_t n_services = conf_services(c->conf, &s);

	for (size_t i = 0; i < n_services; i++) {
		if (strcmp(s[i].command, "virtual") == 0)
			add_path(list, n, conf_str(s[i].view, "virtual_mailbox_base"));
		if (strcmp(s[i].command, "local") != 0)
			continue;
		if (*conf_str(s[i].view, "home_mailbox") == '\0') {
			add_path(list, n, conf_str(s[i].view, "mail_spool_directory"));
			continue;
		}
		add_path(list, n, "/home");
		add_path(list, n, "/root");
	}
}

static const char *enter_jail(const struct child *c)
{
	static const char *const nothing[] = { "/dev/null", NULL };
	static const char *const alone[] = { "/etc", "/lib", "/usr/lib", "/lib64", "/usr/share/zoneinfo",
		"/run/systemd", "/run/nscd", "/proc/self", "/dev/null", "/dev/urandom", NULL };
	const char *writable[PATHS_MAX] = { NULL };
	size_t n = 0;
	char private_dir[4096];

	snprintf(private_dir, sizeof private_dir, "%s/private", c->queue_directory);
	add_path(writable, &n, private_dir);
	add_service_paths(c, writable, &n);
	if (!c->root)
		getpwnam("."); /* nobody: so all that the look-up of users needs is loaded, not files alone */
	return jail_enter(&(struct jail){ .role = c->root ? JAIL_DELIVER : JAIL_DELIVER_ALONE,
		.root = c->root,
		.uid = c->uid,
		.gid = c->gid,
		.readable = c->root ? nothing : alone,
		.writable = writable });
}

int main(void)
{
	static struct deliver d = {
		.child = { .role = ROLE_DELIVER, .on_peer = on_peer, .on_stop = on_stop, .on_status = on_status }
	};

	child_begin(&d.child);
	set_names(&d);
	make_base(&d.child);
	half_start(&d);
	d.names_jail = names_start(&d.child);
	d.map = map_client_new(d.child.loop, d.child.conf);
	child_ready(&d.child, enter_jail(&d.child));
	return child_run(&d.child);
}
