/*
 * relay.h - the state of relay, the SMTP client process. docs: relay(8).
 *
 * A delivery is one job of queued: some recipients of one message for one nexthop. It looks for an open connection to
 * that nexthop (cache.c), else finds out where to connect (route.c) and tries one target after the other (delivery.c).
 * A conn (conn.c) is one TCP connection with its TLS and its engine (smtp/client.h); it serves one delivery at a time.
 * While a delivery has no connection, several may be trying for it (race.c): the first that is up is taken.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "child/child.h"
#include "dns/dns.h"
#include "log/spool_reader.h"
#include "map/map_client.h"
#include "msg/job_msg.h"
#include "relay/nexthop.h"
#include "smtp/client.h"
#include "tls/tls.h"

enum { RACE_MS = 250 /* RFC 8305 sec. 8: Connection Attempt Delay */ };
enum { RELAY_CAPACITY = 200, RELAY_IDLE_MAX = 500, READ_OCTETS = 64 * 1024 };

enum tls_level { LEVEL_NONE, LEVEL_MAY, LEVEL_ENCRYPT, LEVEL_FINGERPRINT, LEVEL_VERIFY, LEVEL_SECURE };

/* What a destination's TLS has to be: smtp_tls_policy_maps, or what main.cf says for all. NULL: as main.cf says. */
struct tls_policy {
	enum tls_level level;
	struct str text;   /* as it stands in the table */
	struct str *match; /* names, "hostname", "nexthop", "dot-nexthop"; fingerprints */
	size_t n_match;
	const char *protocols, *ciphers, *exclude, *servername;
};

/* What main.cf and the -o of one master.cf row say; read once. Times in milliseconds. */
struct service {
	const char *name;
	const struct conf_view *view;
	const char *helo, *myhostname;
	uint64_t connect_ms, reuse_ms, idle_ms, step_ms[CLIENT_STEP_OVER + 1];
	int64_t reuse_count; /* 0: no limit */
	uint16_t port;
	bool want4, want6, prefer4, prefer6, use_mx, wrapper;
	size_t address_limit, session_limit;
	bool has_bind4, has_bind6;
	struct sockaddr_storage bind4, bind6;
	unsigned ignore; /* smtp_discard_ehlo_keywords */
	const char *ignore_maps;
	bool forwards;	       /* smtp_send_xforward_command */
	struct tls_policy tls; /* of main.cf */
	struct arena *mem;     /* what it has beside main.cf; lives as long as the process */
	struct tls_ctx *tls_may, *tls_must;
	int tls_loglevel;
	const char *tls_policy; /* smtp_tls_policy_maps */
	const char *tls_digest; /* of fingerprints */
	bool sasl, sasl_by_sender;
	const char *sasl_maps, *sasl_options, *sasl_tls_options, *sasl_filter;
};

/* tls_policy.c */
/* What main.cf says. What is wrong is fatal. */
void tls_policy_default(struct service *s);
/* "level attribute=value …" of a table. 0; -1: it cannot be kept, and *why says so. */
int tls_policy_parse(
	const struct service *s, struct str value, struct arena *mem, struct tls_policy *p, struct str *why);
/* What to ask of the server `host`, in words of the TLS library; in mem. */
struct tls_peer tls_policy_peer(
	const struct service *s, const struct tls_policy *p, struct str host, struct str nexthop, struct arena *mem);
/* Every service of master.cf whose command is smtp. What is wrong is fatal, with the parameter and the remedy. */
void services_load(const struct conf *conf);
/* That row; it stays to the end. NULL: master.cf has none of that name. */
struct service *service_find(struct str name);

/* One address to try. */
struct target {
	struct str host;	      /* as in the log: name of the MX, or of the address */
	struct sockaddr_storage addr; /* with port */
	socklen_t len;
	uint16_t preference;
	char text[48];	 /* "1.2.3.4", "2001:db8::1" */
	unsigned ignore; /* keywords of its EHLO: bits of enum esmtp_ext */
};

/* Why what is left of a delivery was not delivered. Texts live as long as the delivery. */
struct trouble {
	char dsn[12];
	struct str text, diagnostic, remote_mta;
	bool permanent;	  /* bounce */
	bool dead;	  /* the nexthop as a whole does not answer */
	struct str relay; /* "host[addr]:port", or "none" */
};

struct conn;
struct delivery {
	struct job job;
	struct arena *mem;
	struct service *service; /* NULL: master.cf has none of that name */
	struct nexthop nexthop;
	struct tls_policy tls;
	struct delivery *next, **at; /* all of them */

	struct dns_query dns;
	struct map_request map;
	size_t next_mx; /* whose addresses are asked for */
	struct dns_mx *mx;
	size_t n_mx;
	bool has_mx;
	bool dns_temporary;
	struct target *target;
	size_t n_target, cap_target, next_target;
	size_t n_judged; /* discard.c's: targets whose ignore is known */
	void (*then_discard)(struct delivery *d);
	size_t sessions;	 /* that came as far as a greeting */
	bool plain_only;	 /* the handshake with this target failed: once more without TLS */
	struct conn *racing;	 /* connections that are not up yet */
	const struct target *up; /* that d->conn leads to */

	struct str user, pass; /* login to a smarthost, in secret; n == 0: none */
	struct arena *secret;
	struct str policy_key; /* policy.c's, as is what follows */
	size_t policy_form;    /* of policy_key's host: how many others were asked for */
	void (*then_policy)(struct delivery *d);
	void (*then_login)(struct delivery *d, bool failed);
	const char *sasl_key[3];
	size_t n_sasl_key, next_sasl_key;

	struct smtp_attributes forward; /* of the envelope, for XFORWARD */
	struct conn *conn;
	struct client_message message;
	struct client_rcpt *open; /* recipients still to be delivered; message.rcpt */
	uint32_t *open_index;	  /* which of job.env.rcpt */
	size_t n_open;
	struct rcpt_result *result; /* one per recipient of the job; status 0: none yet */
	struct trouble trouble;	    /* the last one */
	uint64_t read_at;	    /* octets of the wire form read so far */
	int64_t begin_us, up_us;    /* wall clock: job came, session up */
};

struct conn {
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned open_handles;
	int fd;
	int watched; /* events of poll */
	bool connecting, handshaking, want_write, closing, ready;
	bool has_run;		     /* for so long that another may try beside it */
	const struct target *target; /* the delivery's; while it is in its race */
	struct conn *rival;
	struct service *service;
	struct delivery *delivery; /* NULL: idle */
	struct smtp_client client;
	struct tls_conn *tls;
	struct tls_policy policy; /* that it was made for; in mem, but what it has of main.cf */
	struct str nexthop;	  /* key of the cache; in mem */
	struct str login;	  /* name that it is, or will be, logged in with; in mem */
	struct str host;
	char addr[48];
	uint16_t port;
	struct arena *mem;
	struct buf sasl_out;
	struct sasl_client *sasl;
	bool is_second_login;
	uint64_t up_ms;		 /* loop time when the session came up */
	int64_t served;		 /* messages */
	bool answered;		 /* the server has said something since the last message began */
	struct conn *next, **at; /* idle ones */
};

struct relay {
	struct child child;
	struct dns *dns;
	struct map_client *maps;
	struct queued_peer *queued; /* NULL: not there */
	struct segment_set *segments;
	struct delivery *first;
	size_t n_delivery, n_idle, n_conn;
	uint64_t sent, deferred, bounced;
	bool stopping;
	char buffer[READ_OCTETS];
};
extern struct relay relay;

/* The wall clock, microseconds since 1970. */
int64_t now_us(void);

/* peer.c: queued */
/* The channel to queued is there. Takes: fd. */
void peer_open(int fd);
/* All results of a job; nothing when queued has gone. */
void peer_send_result(const struct delivery *d);

/* delivery.c */
/* A job came. 0; -1: malformed. */
int delivery_begin(struct ipc_in *in);
/* Without a result: its look-ups and connections end with it. The last one ends a process that is to stop. */
void delivery_free(struct delivery *d);
void delivery_end_all(void);
/*
 * End those of which the next hop has no content yet: they are tried again after the next start. There is no result, unless
 * some recipients have theirs: then the others are deferred.
 */
void deliveries_end_early(void);
/* Where to connect is known (or d->trouble says why not, with no target). */
void delivery_routed(struct delivery *d);
/* What conn.c tells. The connection is the delivery's until it is told of failure or of the end of the message. */
void delivery_conn_up(struct delivery *d);
void delivery_conn_sent(struct delivery *d);
void delivery_conn_failed(struct delivery *d, const struct trouble *t);
/* TLS did not come about, and this destination may be spoken to without. */
void delivery_conn_no_tls(struct delivery *d);

/* route.c */
/* Where d->nexthop leads to: into d->target, then delivery_routed(). */
void route_find(struct delivery *d);
/* Before the jail: which addresses are ours. */
void route_init(const struct conf_view *v);

/* policy.c: smtp_tls_policy_maps and smtp_sasl_password_maps. Each calls back exactly once. */
void policy_find(struct delivery *d, void (*then)(struct delivery *d));
/* d->user, d->pass; `failed`: the tables cannot be asked now. */
void login_find(struct delivery *d, const struct target *t, void (*then)(struct delivery *d, bool failed));

/* discard.c: d->target[…].ignore of all, by smtp_discard_ehlo_keyword_address_maps; no target is left when it cannot be asked. */
void discard_find(struct delivery *d, void (*then)(struct delivery *d));

/* requiretls.c: mail that goes under verified TLS or not at all (RFC 8689). */
/* Its TLS level is one that verifies. After policy_find(). False: that cannot be set up; d->trouble says why. */
bool tls_required_raise(struct delivery *d);
/* No server was left: when it was for TLS, the mail is returned at once. */
void tls_required_failed(struct delivery *d);

/* race.c: addresses of one host at the same time (RFC 8305 sec. 5). */
/* c begins to try for its delivery. */
void race_enter(struct conn *c);
/* It is connected: it is the delivery's, the others are closed. */
void race_won(struct conn *c);
/* It is no longer one of those that try. False: it was none. */
bool race_leave(struct conn *c);
/* May the next address be tried while others are? */
bool race_may_go_on(const struct delivery *d);
/* The one that was begun last has had its time: the next address is tried beside it. */
void race_go_on(struct delivery *d);
/* None has won: all of them are closed. */
void race_end(struct delivery *d);

/* conn.c */
/* Begin to connect for this delivery, which is told by delivery_conn_…(), perhaps from within. */
void conn_open(struct delivery *d, const struct target *t);
/* Give the connection its next message. */
void conn_send(struct conn *c, struct delivery *d);
/* Look on at its content, before it is sent. */
void conn_look(struct conn *c);
/* The delivery wants no more of it: QUIT when the session is good, close. */
void conn_close(struct conn *c);
/* "host[1.2.3.4]", "host[1.2.3.4]:25" in the delivery's arena. */
struct str conn_name(const struct conn *c, struct arena *mem, bool with_port);

/* conn_io.c */
/* When nothing happens for so long the connection is lost; an idle one is closed. */
void conn_start_timer(struct conn *c, uint64_t ms);
/* Write what the engine has for the server, as much as its turn and the socket permit. */
void conn_flush(struct conn *c);
/* The socket is ready; conn_watch() asks to be told of what the connection waits for now. */
void conn_on_io(uv_poll_t *poll, int status, int events);
void conn_watch(struct conn *c);
/* What the engine said; may free the connection's delivery, never the conn itself at once. */
void conn_event(struct conn *c, enum client_event event);
/* The server is gone, or says nothing. `how` is for the log: "Connection timed out". An idle one is closed. */
void conn_lost(struct conn *c, const char *how);

/* login.c */
/* Log in by the best mechanism that both sides have; without one the session fails. */
void conn_login(struct conn *c);
/* The server has refused the login (535): once more by another mechanism, on the same session. False: there is none. */
bool conn_login_again(struct conn *c);
/* The server has taken the login. Has it proven itself, where the mechanism wants that? If not, the session is ended. */
bool conn_is_proven(struct conn *c);
/* Answer the server's challenge, or cancel the exchange. */
void conn_challenge(struct conn *c);

/* cache.c: idle connections */
/* One that this delivery may use, no longer in the cache; NULL: none. */
struct conn *cache_take(const struct delivery *d);
/* It has no delivery any more: kept for a while, or closed at once. */
void cache_put(struct conn *c);
/* Take it out, if it is there; it is not closed. */
void cache_drop(struct conn *c);
void cache_close_all(void);

/* result.c */
/* The final word on a recipient: noted for queued and logged. `i` counts in job.env.rcpt. */
void result_set(
	struct delivery *d, size_t i, enum rcpt_status status, const struct trouble *t, enum rcpt_relayed relayed);

#endif
