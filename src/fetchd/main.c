/*
 * fetchd - HTTP for authd: it asks the servers that auth.conf names, and says what they answered. Manual: man/fetchd.8.
 *
 * uid:      relay_owner (when master runs as root)
 * chroot:   queue_directory/empty, which stays empty
 * Landlock: no file; TCP to the ports of those servers and of DNS
 * syscalls: no open(), no exec, no fork
 * peers:    authd (calls), the network
 *
 * It is started when authd says that its configuration has a URL, and enters the jail when authd has said which: before that it
 * reads no octet from the network. authd, which has the passwords, meets neither TCP nor TLS nor HTTP of a stranger.
 */
#include "fetchd/fetchd.h"

#include "base/jail.h"
#include "base/log.h"

#include <malloc.h>
#include <stdio.h>

enum { DNS_TIMEOUT_S = 10, DNS_PORT = 53 };

struct fetchd fetchd;

void fetchd_exit_if_unused(void)
{
	if (fetchd.is_stopping && fetchd.peers == NULL)
		child_exit(&fetchd.child);
}

static void on_peer(struct child *c, enum role role, unsigned index, int fd)
{
	(void)c;
	(void)role; /* master has one edge for it */
	peer_open(index, fd);
}

/* The authd that leaves may still have logins to end; its channel ends with it. */
static void on_stop(struct child *c, enum stop_how how)
{
	fetchd.is_stopping = true;
	if (how != STOP_REPLACED)
		child_exit(c);
	fetchd_exit_if_unused();
}

static void on_status(struct child *c, struct buf *json)
{
	size_t away = 0;

	(void)c;
	for (size_t i = 0; i < fetchd.n_sites; i++)
		away += fetchd.site[i].is_away;
	buf_addf(json, "\"servers\":%zu,\"away\":%zu,\"calls\":%zu,\"answered\":%llu,\"failed\":%llu", fetchd.n_sites,
		away, fetchd.n_calls, (unsigned long long)fetchd.n_answered, (unsigned long long)fetchd.n_failed);
}

void fetchd_enter_jail(void)
{
	static uint16_t ports[FETCH_SITES_MAX + 2];
	struct child *c = &fetchd.child;
	char empty[4096];

	ports[0] = DNS_PORT;
	for (size_t i = 0; i < fetchd.n_sites; i++)
		ports[i + 1] = fetchd.site[i].parsed.port;
	snprintf(empty, sizeof empty, "%s/empty", c->queue_directory);
	child_ready(c, jail_enter(&(struct jail){ .role = JAIL_FETCHD,
			       .root = c->root,
			       .uid = c->uid,
			       .gid = c->gid,
			       .chroot_dir = empty,
			       .connect_ports = ports }));
}

int main(void)
{
	struct child *c = &fetchd.child;

	mallopt(M_ARENA_MAX, 1); /* as in relay: one of another thread would look into /proc, which the jail refuses */
	c->role = ROLE_FETCHD;
	c->on_peer = on_peer;
	c->on_stop = on_stop;
	c->on_status = on_status;
	child_begin(c);
	fetchd.setup = IPC_BUF;
	fetchd.dns = dns_new(c->loop, DNS_TIMEOUT_S);
	loop_open();
	return child_run(c);
}
