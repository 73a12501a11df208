/*
 * authd.h - the state of the authentication service, and what its parts ask of each other.
 *
 *	server_bind.c  listening sockets
 *	server.c  connections, octets in and out
 *	login.c   one struct login per request: its life, its answers, their delay
 *	exchange.c  AUTH, CONT, CANCEL on a client socket, and the mechanism behind them
 *	admit.c   may its password be looked at now (defence.h)
 *	check.c   is this name and password right: databases; check_hash.c, the hashes; check_admit.c, what the fields permit
 *	key.c     the stored key for a mechanism that shows no password, and that of nobody
 *	credentials.c  what else a user may log in with: keys beside a hash, app passwords; last_use.c  when they were used;
 *	renew.c   keys that are missing are made
 *	users.c   USER, PASS, LIST … on a userdb or master socket
 *	trace.c   the steps of one login, for the control socket and for the log
 */
#ifndef AUTHD_AUTHD_H
#define AUTHD_AUTHD_H

#include "authd/accounts.h"
#include "authd/defence.h"
#include "authd/fetch.h"
#include "authd/pam.h"
#include "authd/passwd_file.h"
#include "authd/pool.h"
#include "authd/row_cache.h"
#include "authd/settings.h"
#include "authd/source.h"
#include "authd/state_file.h"
#include "authd/ticker.h"
#include "authd/verdicts.h"
#include "authd/waiting.h"
#include "base/door.h"
#include "child/child.h"

enum {
	LOGIN_BUCKETS = 64,
	LOGINS_MAX = 8192,		  /* under way on one connection; one more gets a temporary failure */
	CLIENT_OUT_MAX = 4 * 1024 * 1024, /* octets that a client may be behind */
	LIST_CHUNK = 256 * 1024,
	LOGIN_TIMEOUT_MS = 150 * 1000, /* for the client to answer a challenge */
	GRACE_MS = 250,		       /* a client that waits for us to speak first gets the rest then */
	REPLY_GRID_MS = 500,	       /* failures leave on this grid, so that their time tells nothing */
	CHALLENGE_GRID_MS = 2,	       /* challenges that depend on what is stored, on this one */
	DEFENCE_ENTRIES = 65536,
	HASHES_WAITING = 256,
	HASH_WAIT_MS = 10 * 1000, /* a client has given up by then */
	SQL_WAITING = 1024,
	WATCHED_MIN = 16, /* octets of a session that is watched: nobody guesses it */
	WATCHED_MAX = 64,
	COOKIE_OCTETS = 16
};

struct authd;
struct client;
struct login;
struct ask;
struct last_uses;
struct handover;

struct listener {
	struct door door;
	struct authd *authd;
	const struct listener_settings *set;
	int fd;
	uid_t uid; /* owner of the socket file */
	gid_t gid;
	bool has_told; /* that an authentication client has come to a socket of another kind: it comes again each second */
};

struct listing { /* a LIST under way */
	struct lookup lookup;
	struct arena *mem;
	struct client *client; /* NULL: gone, drop the answer */
	struct sql_row *next;
	struct str mask;
	uint32_t id;
	size_t userdb;
	bool failed, ready;
};

struct client { /* one connection */
	uv_poll_t poll;
	uv_timer_t grace;
	unsigned handles; /* to be closed before the memory may go */
	struct authd *authd;
	struct listener *listener;
	struct client *next, *prev;
	struct client *next_dirty;
	int fd, events; /* events: that are waited for */
	bool is_dirty, has_version, has_cpid, is_greeted, is_ended;
	bool is_shown_binding; /* the greeting listed what needs channel binding */
	bool is_restricted;    /* socket of mode 0666 and not its owner's: sees only its own uid */
	bool is_told;	       /* that was said in the log */
	uid_t peer_uid;
	unsigned minor;
	uint32_t cuid, cpid;
	struct buf in, out;
	struct login *login[LOGIN_BUCKETS];
	size_t n_logins;
	struct listing *listing;
	struct ask *asks;	     /* USER and PASS under way */
	struct client *next_watcher; /* trace.c's */
	char watched[WATCHED_MAX + 1];
	uint32_t watch_id;
	unsigned char cookie[COOKIE_OCTETS]; /* of the greeting */
	struct handover *handovers;
	size_t n_handovers;
};

struct authd {
	struct child child;
	struct settings *set;
	struct accounts accounts;
	struct passwd_files *passwd_files;
	const char *root; /* its root directory in the jail: where the users databases are; "": none */
	struct pool hashes;
	struct database database[2 * DB_MAX];
	size_t n_databases;
	unsigned n_threads;		/* as many as all pools together may run */
	struct oauth2_work *asking;	/* tokens that a server is asked about */
	bool is_oauth2_bad;		/* that the server of tokens is of no use was said in the log */
	bool is_grant_bad;		/* … that of passwords */
	struct oauth2_keyring *keyring; /* NULL: no keys behind a URL */
	struct fetch *fetch;		/* NULL: auth.conf names no URL */
	bool is_policy_bad;		/* that the policy server does not answer was said in the log */
	struct row_cache *cache;
	struct verdicts *verdicts;
	struct last_uses *last_uses;
	struct source credentials[DB_MAX];
	struct pam_link pam;
	struct login *hashing;	  /* whose hash is waited for */
	unsigned char secret[32]; /* keys the salts that are made up: see key.c */
	struct source passdb[DB_MAX], userdb[DB_MAX];
	struct buf dummy[DB_MAX]; /* what an unknown user's password is compared with; see dummy_make() */
	struct buf key_like;	  /* as what the last SCRAM key was made of: so is a key of nobody; n == 0: none yet */
	struct listener listener[LISTENERS_MAX + 1]; /* and the control socket */
	size_t n_listeners;
	struct client *clients, *dirty, *watchers;
	uv_prepare_t flush;
	uv_timer_t tick; /* delayed replies, where there is no ticker */
	struct ticker ticker;
	uv_timer_t sweep; /* logins whose client went silent */
	struct waiting waiting;
	struct defence defence;
	struct state_file *state_file; /* NULL: nothing is kept */
	uint32_t last_cuid;
	size_t n_clients, n_upgrades, n_renewals;
	bool is_stopping;
	uint64_t n_ok, n_fail, n_temp, n_verdict_hits;
};

/* server_bind.c: bind all listeners (with master's rights); what goes wrong is fatal. */
void server_bind(struct authd *a);

/* ---- server.c ---- */

/* Accept on them. */
void server_start(struct authd *a);
/* Accept no more; the sockets' files stay for the successor. */
void server_stop(struct authd *a);
/* c->out has grown: it leaves at the end of this turn of the loop. */
void client_send_soon(struct client *c);
/* End a connection. why: for the log, NULL: none. The struct lives on until the loop has let go of it. */
void client_end(struct client *c, const char *why);

/* ---- login.c ---- */

/* The time of what waits may have come. */
void login_tick(struct authd *a);

/* The rest of the greeting: MECH … DONE. */
void login_greet(struct client *c);
/* One line of a client socket, after the handshake. Returns 0, or -1: the client broke the protocol, and was ended. */
int login_line(struct client *c, struct str word, struct str rest);
/* The client is gone: forget all that it asked. */
void login_drop_all(struct client *c);
/* Every few seconds: end what waits for a silent client. */
void login_sweep(struct client *c);

/* ---- check_hash.c ---- */

/*
 * What the password of a user whom passdb number i does not know is compared with, so that he costs what others cost: at
 * first a hash of gatepost_new_password_scheme, then whatever the user had who was checked last.
 */
void dummy_make(struct authd *a, size_t i);
void dummy_follow(struct authd *a, size_t i, struct str stored);

/* ---- key.c ---- */

/* The secret of salts that are made up: kept in a file below queue_directory, made at the first start. Before the jail. */
void key_secret_load(struct authd *a);

/* ---- who.c ---- */

/* For `gatepost auth who`: who failed to log in too often. */
void who_tell_logins(struct child *child);

/* ---- control.c ---- */

/* Make queue_directory/public/auth, where `gatepost auth unblock` asks (with master's rights); what goes wrong is fatal. */
void control_bind(struct authd *a);
void control_start(struct authd *a);
void control_stop(void);

/* ---- users.c ---- */

int users_line(struct client *c, struct str word, struct str rest);
/* Goes on with a long LIST as the client takes it. */
void users_more(struct client *c);
void users_drop(struct client *c);

#endif
