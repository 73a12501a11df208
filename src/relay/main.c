/*
 * relay - the SMTP client: takes jobs from queued, delivers them to other hosts, returns a result per recipient.
 *
 * uid:      its own (when master runs as root)
 * chroot:   queue_directory/empty, which stays empty
 * syscalls: no open(), no exec, no fork
 * peers:    queued (jobs, segments of the log read-only), mapd (TLS policy, logins), the network
 *
 * Reads main.cf and master.cf, /etc/resolv.conf, /etc/hosts, certificates; all before the jail. man: relay(8).
 */
#include "relay/relay.h"

#include "base/jail.h"
#include "base/log.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DNS_TIMEOUT_S = 20 };

static void on_peer(struct child *c, enum role role, unsigned index, int fd)
{
	(void)c;
	(void)index;
	if (role == ROLE_QUEUED)
		peer_open(fd);
	else if (role == ROLE_MAPD)
		map_client_peer(relay.maps, fd);
	else
		close(fd);
}

static void on_stop(struct child *c, enum stop_how how)
{
	relay.stopping = true;
	cache_close_all();
	if (how == STOP_INSTANCE)
		deliveries_end_early();
	if (how == STOP_NOW || relay.n_delivery == 0)
		child_exit(c);
}

static void on_status(struct child *c, struct buf *json)
{
	(void)c;
	buf_addf(json,
		"\"deliveries\":%zu,\"connections\":%zu,\"idle_connections\":%zu,\"sent\":%llu,\"deferred\":%llu,"
		"\"bounced\":%llu",
		relay.n_delivery, relay.n_conn, relay.n_idle, (unsigned long long)relay.sent,
		(unsigned long long)relay.deferred, (unsigned long long)relay.bounced);
}

static const char *make_empty_directory(const struct child *c)
{
	struct buf path = BUF_INIT(4096);

	if (!c->root)
		return NULL;
	buf_addf(&path, "%s/empty", c->queue_directory);
	if (mkdir(path.p, 0755) != 0 && errno != EEXIST)
		fatal("cannot make %s, where relay is to be locked in: %s", path.p, strerror(errno));
	return path.p;
}

int main(void)
{
	struct child *c = &relay.child;
	const char *directory;

	mallopt(M_ARENA_MAX,
		1); /* one of another thread would look into /proc when it shrinks: the jail refuses that */
	c->role = ROLE_RELAY;
	c->on_peer = on_peer;
	c->on_stop = on_stop;
	c->on_status = on_status;
	child_begin(c);
	services_load(c->conf);
	relay.segments = segment_set_new();
	relay.maps = map_client_new(c->loop, c->conf);
	relay.dns = dns_new(c->loop, DNS_TIMEOUT_S);
	route_init(c->main);
	directory = make_empty_directory(c);
	child_ready(c,
		jail_enter(&(struct jail){
			.role = JAIL_RELAY, .root = c->root, .uid = c->uid, .gid = c->gid, .chroot_dir = directory }));
	return child_run(c);
}
