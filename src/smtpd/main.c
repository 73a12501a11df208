/*
 * smtpd - the SMTP server: one process per core, all sessions of it in one event loop.
 *
 * Runs as mail_owner, chrooted to queue_directory, without new privileges; seccomp leaves no call that opens, makes,
 * renames or removes a file, that executes or forks; Landlock no TCP but to the ports of the configuration (ports.c) and
 * of DNS. Open before that: listeners, certificates, the log. Peers: master (orders), queued (lends segments of the log, is
 * told how far they are committed, flushes queues), mapd (lookups), keyd (signs with the private keys of TLS), the
 * authentication service at smtpd_sasl_path (a UNIX socket below the chroot, or TCP), policy services, milters, DNS.
 * man/smtpd.8 is the manual.
 */
#include "smtpd/smtpd.h"
#include "base/jail.h"

#include <malloc.h>

static uv_timer_t trim_timer;
enum { TRIM_MS = 5000, TRIM_SESSIONS = 100 };

static void on_status(struct child *c, struct buf *json)
{
	(void)c;
	buf_addf(json, "\"sessions\":%zu,\"accepted\":%llu,\"messages\":%llu,\"recipients\":%llu,\"ready\":%s",
		smtpd.n_sessions, (unsigned long long)smtpd.n_accepted, (unsigned long long)smtpd.n_messages,
		(unsigned long long)smtpd.n_recipients, spool_writer_is_ready(smtpd.writer) ? "true" : "false");
}

static void on_stop(struct child *c, enum stop_how how)
{
	if (smtpd.stopping && how != STOP_NOW)
		return;
	if (how != STOP_NOW)
		listen_drain();
	smtpd.stopping = true;
	listen_stop();
	if (how == STOP_NOW)
		sessions_end_all();
	if (how == STOP_NOW || smtpd.n_sessions == 0)
		child_exit(c);
}

/*
 * A handshake takes three times the memory that its session keeps, and a burst of them leaves the heap full of holes. They
 * are given back when such a burst is over.
 */
static void on_trim_timer(uv_timer_t *timer)
{
	static uint64_t trimmed_at;

	(void)timer;
	if (smtpd.n_accepted - trimmed_at < TRIM_SESSIONS)
		return;
	trimmed_at = smtpd.n_accepted;
	malloc_trim(0);
}

static void on_tickets(struct child *c, struct str secrets)
{
	(void)c;
	tls_tickets_secrets(secrets);
	services_forget_tickets();
}

int main(void)
{
	const char *jail;

	smtpd.child = (struct child){ .role = ROLE_SMTPD,
		.on_peer = peer_open,
		.on_stop = on_stop,
		.on_status = on_status,
		.on_who = who_tell_sessions,
		.on_tickets = on_tickets };
	tls_memory_init();
	mallopt(M_ARENA_MAX,
		1); /* one of another thread would look into /proc when it shrinks: the jail refuses that */
	child_begin(&smtpd.child);
	smtpd.scratch = BUF_INIT(4 * READ_OCTETS + 64);
	smtpd.counts = counts_open(smtpd.child.counts_fd, smtpd.child.counts_table);
	keys_open();
	services_open();
	keys_opened();
	listen_limit();
	smtpd.dns = dns_new(smtpd.child.loop, 5);
	smtpd.map = map_client_new(smtpd.child.loop, smtpd.child.conf);
	writer_open();
	jail = jail_enter(&(struct jail){ .role = JAIL_SMTPD,
		.root = smtpd.child.root,
		.uid = smtpd.child.uid,
		.gid = smtpd.child.gid,
		.chroot_dir = smtpd.child.queue_directory,
		.connect_ports = ports_to_connect() });
	services_connect();
	uv_timer_init(smtpd.child.loop, &trim_timer);
	uv_timer_start(&trim_timer, on_trim_timer, TRIM_MS, TRIM_MS);
	listen_open();
	child_ready(&smtpd.child, jail);
	return child_run(&smtpd.child);
}
