/*
 * settings.h - auth.conf and the dovecot-sql.conf.ext files that it names, read and checked: what of Dovecot's
 * configuration concerns an authentication service. Sections and settings of other services are skipped.
 */
#ifndef AUTHD_SETTINGS_H
#define AUTHD_SETTINGS_H

#include "authd/defence.h"
#include "authd/fetch.h"
#include "authd/ldap_map.h"
#include "authd/oauth2.h"
#include "authd/policy.h"
#include "authd/query.h"
#include "authd/share.h"
#include "sql/sql.h"
#include "sasl/sasl_mech.h"

#include <sys/types.h>

enum { MECHS_MAX = 24, DB_MAX = 8, LISTENERS_MAX = 16, FIELDS_MAX = 32 };

struct sql_settings {
	const char *file; /* where the queries stand, for messages; NULL: this block has no SQL */
	const struct sql_driver *driver;
	const char *connect; /* may hold a password */
	const char *scheme;  /* default_pass_scheme */
	struct query password_query, user_query, iterate_query, update_query;
	/* More passwords of a user. */
	struct query credentials_query, credentials_used_query, credentials_set_query;
};

struct ldap_settings { /* of one block; its servers are sql.connect */
	struct template base, filter, users_filter;
	const char *search, *list; /* the questions of ldap_conn.c, without their parameters */
	struct ldap_map map, users;
	bool binds;	 /* the server compares the password */
	bool has_userdn; /* … of a name that is known without a search */
	struct template userdn;
};

struct pam_settings {
	struct template service;   /* a file of /etc/pam.d */
	struct template cache_key; /* what an answer depends on, beside user and password; "": no cache */
	bool setcred, session, shows_message;
};

enum db_kind { DB_SQL, DB_STATIC, DB_PASSWD_FILE, DB_PASSWD, DB_LDAP, DB_PAM, DB_OAUTH2 };
/* After a lookup: is that the answer, and does another block have a say? */
enum db_rule { RULE_RETURN_OK, RULE_RETURN, RULE_RETURN_FAIL, RULE_CONTINUE, RULE_CONTINUE_OK, RULE_CONTINUE_FAIL };
enum db_skip { SKIP_NEVER, SKIP_DONE /* after a success before it */, SKIP_NOT_DONE };

struct db_field {
	const char *key;
	struct template value;
};
struct db_fields {
	struct db_field field[FIELDS_MAX];
	size_t n;
};
struct db { /* a passdb or userdb block */
	enum db_kind kind;
	const char *name; /* "sql", for the log */
	const char *file;
	struct sql_settings sql; /* sql.scheme is that of any kind */
	/* Of a passdb: as sql, but for `file`, where credentials_query stands. */
	struct sql_settings credentials;
	struct ldap_settings *ldap; /* DB_LDAP; NULL: another */
	struct pam_settings *pam;   /* DB_PAM; NULL: another */
	struct oauth2 *grant;	    /* DB_OAUTH2; NULL: another */
	struct db_fields fields;    /* DB_STATIC */
	struct db_fields defaults, overrides;
	struct template path, username_format; /* DB_PASSWD_FILE */
	enum db_rule on_success, on_failure, on_internalfail;
	enum db_skip skip;
	bool deny;				  /* who is found in it is refused */
	bool master;				  /* those in it may log in as others */
	const char *mechanisms, *username_filter; /* "": all */
	bool is_quiet;				  /* auth_verbose = no in the block: its failures are not logged */
};

enum listener_type {
	LISTEN_AUTH,
	LISTEN_LOGIN,
	LISTEN_USERDB,
	LISTEN_MASTER,
	LISTEN_TOKEN,  /* of Dovecot; not made */
	LISTEN_CONTROL /* trace.h */
};
struct listener_settings {
	const char *path; /* of a socket: absolute, or relative to queue_directory; of TCP: its name */
	const char *host; /* TCP: "" is all addresses; NULL: a socket's file */
	uint16_t port;
	enum listener_type type;
	bool is_legacy; /* auth-legacy: all of the greeting at once, and nothing with channel binding */
	mode_t mode;
	uid_t uid; /* (uid_t)-1: as it comes */
	gid_t gid;
	const char *file; /* where it stands, for messages */
	unsigned line;
};

enum log_passwords { LOG_PASSWORDS_NO, LOG_PASSWORDS_PLAIN, LOG_PASSWORDS_SHA1 };

struct settings {
	struct arena *mem;
	const struct sasl_mech *mech[MECHS_MAX];
	size_t n_mechs;
	struct db passdb[DB_MAX];
	size_t n_passdbs;
	struct db userdb[DB_MAX];
	size_t n_userdbs;
	bool has_prefetch; /* userdb { driver = prefetch } */
	struct listener_settings listener[LISTENERS_MAX];
	size_t n_listeners;
	struct template username_format;
	const char *username_chars;	  /* "": all */
	const char *username_translation; /* pairs: from, to */
	const char *default_realm;
	const char *master_separator; /* "": none */
	bool has_master;
	uint64_t failure_delay_ms;
	struct defence_settings defence;
	struct share_settings share;
	struct policy_settings policy;
	uint64_t cache_octets, cache_ttl_ms, cache_negative_ttl_ms;
	bool verbose, debug, allow_weak;
	enum log_passwords log_passwords;  /* of failed logins */
	unsigned log_passwords_n;	   /* of how many characters; 0: all */
	bool user_from_cert, require_cert; /* auth_ssl_username_from_cert, auth_ssl_require_client_cert */
	const char *anonymous_user;
	/* Schemes of the keys that are stored beside a hash; "": none. */
	const char *new_credentials;
	struct oauth2 oauth2;
	struct fetch_sites fetch;   /* the URLs that are named */
	const char *upgrade_scheme; /* "": stored passwords stay as they are */
	const char *new_scheme;	    /* of passwords that `gatepost user` makes */
};

/*
 * Read `file`. Every fault is one line "FILE, line N: what; what would be right\n" in *errors, every doubt one in
 * *warnings. Returns the settings; NULL when there were errors.
 */
struct settings *settings_load(const char *file, struct buf *errors, struct buf *warnings);
void settings_free(struct settings **s);

#endif
