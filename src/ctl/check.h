/*
 * check.h - the parts of `gatepost check`: each looks at one view of the configuration (main.cf, or a row of master.cf
 * with its -o), appends faults and warnings as lines, and returns the number of faults.
 */
#ifndef CTL_CHECK_H
#define CTL_CHECK_H

#include "auth/auth_client.h"
#include "base/arena.h"
#include "conf/conf.h"
#include "conf/params.h"

#include <time.h>

struct checked {
	const struct conf_view *view;
	const struct conf_view *main;
	const struct conf_service *service; /* NULL: main.cf itself */
	const char *where;		    /* "DIR/main.cf", "DIR/master.cf, line 3: service smtp" */
	struct buf *lines, *warnings;
	struct arena *mem;
	time_t now;	/* one for all that is said */
	bool is_strict; /* what a start can do without is a fault too */
};

/* Lookup tables that parameters name. */
unsigned check_tables(const struct checked *c);
/* smtpd's restriction lists: names that nobody knows, and a service on which any stranger might relay. */
unsigned check_restrictions(const struct checked *c);
/* The names that the server goes by: of hosts, and ASCII. */
unsigned check_names(const struct checked *c);
/* Warnings of times of the queue that contradict each other. */
void check_times(const struct checked *c);
/* TLS of an smtpd: files, and whether they belong together. */
unsigned check_tls(const struct checked *c);
/*
 * Warnings of the certificates in the files that this parameter names: how long they are good, and whether the chain is
 * in order; of a server's also whether the chain is whole and for its name.
 */
void check_certificates(const struct checked *c, const char *parameter, bool is_server);
/* What relay would refuse to start with. */
unsigned check_client(const struct checked *c);
/*
 * Logins: auth.conf, as authd reads it; whether the authentication service is where smtpd_sasl_path looks, and offers a
 * mechanism that smtpd may offer. Whether a service that is no authd of ours can be reached, and whether a running one can, is
 * found out with `asks`.
 */
unsigned check_auth(const struct checked *c, const struct conf *conf, bool asks);

/* Transports that name a row of master.cf by which nothing is delivered. */
void check_transports(const struct checked *c, const struct conf *conf);

/* auth_ask.c: what a service offers. */
enum { OFFERS_MAX = 64 };
struct auth_offers {
	struct arena *mem;
	struct auth_mech mech[OFFERS_MAX];
	size_t n_mech;
	struct str listener[OFFERS_MAX]; /* of auth.conf, as written there */
	size_t n_listener;
	struct str userdb[OFFERS_MAX]; /* those for questions about users */
	size_t n_userdb;
	struct buf faults, warnings; /* a line each */
};
void auth_offers_free(struct auth_offers *o);
/* What authd would offer with auth_conf_file, which is there. */
void auth_offers_read(struct auth_offers *o, const struct conf_view *v);
/*
 * What the service at smtpd_sasl_path offers, asked with the rights and from the directory that smtpd has. Takes three seconds
 * at most.
 */
void auth_offers_ask(struct auth_offers *o, const struct conf_view *v);
/* smtpd_sasl_path without "unix:", and from queue_directory on where it is below it. Ends in NUL. */
struct str sasl_path_below_queue(const struct conf_view *v);

/*
 * Tables of the type userdb. `own`: what authd offers, NULL without one; `asks`: the service should run, so that its socket is
 * connected to, as mapd would.
 */
void check_userdb(const struct checked *c, const struct auth_offers *own, bool asks);

#endif
