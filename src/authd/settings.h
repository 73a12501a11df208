/*
 * settings.h - auth.conf and the dovecot-sql.conf.ext files that it names, read and checked: what of Dovecot's
 * configuration concerns an authentication service. Sections and settings of other services are skipped.
 */
#ifndef AUTHD_SETTINGS_H
#define AUTHD_SETTINGS_H

#include "authd/oauth2.h"
#include "authd/query.h"
#include "authd/sql.h"
#include "sasl/sasl_mech.h"

#include <sys/types.h>

enum { MECHS_MAX = 24, DB_MAX = 8, LISTENERS_MAX = 16, STATIC_MAX = 16 };

struct sql_settings {
	const char *file; /* where the queries stand, for messages; NULL: this block has no SQL */
	const struct sql_driver *driver;
	const char *connect; /* may hold a password */
	const char *scheme;  /* default_pass_scheme */
	struct query password_query, user_query, iterate_query;
};

struct passdb {
	struct sql_settings sql;
};

struct static_field {
	const char *key;
	struct template value;
};
struct userdb {
	struct sql_settings sql; /* sql.file == NULL: static */
	struct static_field field[STATIC_MAX];
	size_t n_fields;
};

enum listener_type { LISTEN_AUTH, LISTEN_LOGIN, LISTEN_USERDB, LISTEN_MASTER };
struct listener_settings {
	const char *path; /* of a socket: absolute, or relative to queue_directory; of TCP: its name */
	const char *host; /* TCP: "" is all addresses; NULL: a socket's file */
	uint16_t port;
	enum listener_type type;
	mode_t mode;
	uid_t uid; /* (uid_t)-1: as it comes */
	gid_t gid;
	const char *file; /* where it stands, for messages */
	unsigned line;
};

struct settings {
	struct arena *mem;
	const struct sasl_mech *mech[MECHS_MAX];
	size_t n_mechs;
	struct passdb passdb[DB_MAX];
	size_t n_passdbs;
	struct userdb userdb[DB_MAX];
	size_t n_userdbs;
	struct listener_settings listener[LISTENERS_MAX];
	size_t n_listeners;
	struct template username_format;
	const char *username_chars;	  /* "": all */
	const char *username_translation; /* pairs: from, to */
	const char *default_realm;
	uint64_t failure_delay_ms;
	uint64_t cache_octets, cache_ttl_ms, cache_negative_ttl_ms;
	bool verbose, allow_weak;
	bool user_from_cert, require_cert; /* auth_ssl_username_from_cert, auth_ssl_require_client_cert */
	const char *anonymous_user;
	struct oauth2 oauth2;
	const char *new_scheme; /* of passwords that `gatepost user` makes */
};

/*
 * Read `file`. Every fault is one line "FILE, line N: what; what would be right\n" in *errors, every doubt one in
 * *warnings. Returns the settings; NULL when there were errors.
 */
struct settings *settings_load(const char *file, struct buf *errors, struct buf *warnings);
void settings_free(struct settings **s);

#endif
