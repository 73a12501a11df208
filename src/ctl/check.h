/*
 * check.h - the parts of `gatepost check`: each looks at one view of the configuration (main.cf, or a row of master.cf
 * with its -o), appends faults and warnings as lines, and returns the number of faults.
 */
#ifndef CTL_CHECK_H
#define CTL_CHECK_H

#include "conf/conf.h"
#include "conf/params.h"

struct checked {
	const struct conf_view *view;
	const struct conf_view *main;
	const struct conf_service *service; /* NULL: main.cf itself */
	const char *where;		    /* "DIR/main.cf", "DIR/master.cf, line 3: service smtp" */
	struct buf *lines, *warnings;
};

/* Lookup tables that parameters name. */
unsigned check_tables(const struct checked *c);
/* smtpd's restriction lists: names that nobody knows, and a service on which any stranger might relay. */
unsigned check_restrictions(const struct checked *c);
/* TLS of an smtpd: files, and whether they belong together. */
unsigned check_tls(const struct checked *c);
/*
 * Warnings of the certificates in the files that this parameter names: how long they are good, and whether the chain is
 * in order; of a server's also whether the chain is whole and for its name.
 */
void check_certificates(const struct checked *c, const char *parameter, bool is_server);
/* What relay would refuse to start with. */
unsigned check_client(const struct checked *c);
/* auth.conf: its syntax. */
unsigned check_auth_conf(const struct checked *c);

#endif
