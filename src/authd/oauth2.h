/*
 * oauth2.h - tokens in the place of passwords (OAUTHBEARER, XOAUTH2): what auth.conf says of them, and their check, by their
 * signature or by asking the server that issued them.
 *
 *	oauth2_blocks.c    where settings stand, in Dovecot 2.3 and 2.4
 *	oauth2_settings.c  what they say (oauth2_places.h)
 *	oauth2_words.c     what is none of them
 *	oauth2.c           a login: which way, and what is made of it
 *	oauth2_grant.c     … of a password, which the server is shown (use_grant_password)
 *	oauth2_ask.c       the server is asked (tokeninfo, introspection: RFC 7662), and its answer kept for a while
 *	oauth2_keys.c      the keys of signatures, from a URL
 *	oauth2_files.c     … from files
 */
#ifndef AUTHD_OAUTH2_H
#define AUTHD_OAUTH2_H

#include "auth/jwt.h"
#include "authd/template.h"

enum oauth2_mode {   /* how introspection_url is asked */
	OAUTH2_AUTH, /* GET, the token in Authorization: Bearer */
	OAUTH2_GET,  /* GET, the token behind the URL */
	OAUTH2_POST, /* POST, token=… (RFC 7662) */
	OAUTH2_LOCAL /* not at all: by signature */
};
enum { OAUTH2_NO_SITE = -1 };

struct db_fields;
struct oauth2 {
	bool is_set;		/* there is such a passdb, or such settings */
	const char *file;	/* where it stands, for messages */
	const char *mechanisms; /* "": all that show a token */
	uint64_t timeout_ms;
	struct template username_format; /* in this form the client's name and the token's are the same */
	struct db_fields *fields;	 /* more of a passdb's fields, of what the token says */
	const char *openid_configuration_url;
	bool is_grant;	/* of a passdb with use_grant_password: passwords are shown to grant_url, and no token to us */
	int grant_site; /* of fetch.h */
	/* by signature */
	bool has_keys;
	const char *jwks; /* file or URL; "": not there */
	int jwks_site;	  /* of fetch.h, when it is a URL */
	struct jwt_demands demands;
	struct jwt_keys *keys; /* of files */
	/* by asking */
	enum oauth2_mode mode;
	int tokeninfo_site, introspection_site;
	bool forces_introspection, sends_headers;
	bool has_user; /* the introspection_url has one, with its password */
	const char *client_id, *client_secret;
	struct jwt_demands answer_demands;
};

struct loader;
struct authd;
struct login;
struct dovecot_node;
struct db;

/* Is there something that takes tokens? */
bool oauth2_is_named(const struct loader *l);
/* "passdb { driver = oauth2 args = FILE }" of 2.3, or settings oauth2_… and "oauth2 { }" of 2.4; then the keys. */
void load_oauth2(struct loader *l);
/* Is that passdb { driver = oauth2 } one for passwords? */
bool oauth2_is_grant(const struct loader *l, const struct dovecot_node *passdb);
/* Its settings, as those of other drivers: db->grant. */
void load_grant(struct loader *l, const struct dovecot_node *block, bool is_passdb, struct db *db);
/* In the jail: what is behind URLs is fetched from now on. */
void oauth2_start(struct authd *a);
/* Is l->vars.pass, a token, good? login_key() follows, with the name that it gives, or with an empty key; or the login ends. */
void oauth2_check(struct login *l);
/*
 * Is l->vars.pass the password of l->vars.user, says the server of passdb l->passdb? verify_grant_answer() follows. What was
 * asked is copied.
 */
void oauth2_grant(struct login *l);

/* ---- between the files of it ---- */

struct oauth2_work { /* one token that is looked at, in the login's arena */
	struct login *login;
	const struct oauth2 *set;
	struct str token;
	json_t *claims;		       /* what was said of it; freed by oauth2_end() */
	struct oauth2_work *next;      /* of those that wait for the same */
	struct oauth2_work *followers; /* who showed the same token while the server was asked about it */
	const char *cache_key;
	bool is_second; /* keys were fetched for it, or the second server is asked */
	bool is_grant;	/* it was issued for a password: oauth2_grant_judged() is told, and nothing is kept */
};

/* The claims stand, and are right when why is NULL. */
void oauth2_judge(struct oauth2_work *w, const char *why, const struct jwt_demands *d);
/* Not to be known now. */
void oauth2_end_temporary(struct oauth2_work *w);

/*
 * oauth2_words.c: complain of what is no setting of tokens. is_all: of each that stands in the list; else of those that begin
 * with "oauth2_".
 */
void oauth2_check_words(struct loader *l, const struct dovecot_node *list, bool is_all);
/* oauth2_files.c: a JWK set. Faults are lines of l->errors. NULL: there was one. */
struct jwt_keys *oauth2_jwks_load(struct loader *l, const char *path);
/*
 * Keys in a file each, of "fs:posix:prefix=/FOLDER/" or that path. Faults are lines of l->errors. Never NULL; freed with
 * jwt_keys_free().
 */
struct jwt_keys *oauth2_dict_load(struct loader *l, const char *dict);

/* oauth2_ask.c */
void oauth2_ask(struct oauth2_work *w);
/* introspection_url has the last word about w->token; w->claims is what is known so far. */
void oauth2_ask_more(struct oauth2_work *w);
/* Is there all that is wanted of it? */
bool oauth2_has_all(const struct oauth2_work *w);
/* Append "&name=value", where there is a value, and what is asked with it anyway (send_auth_headers). */
void oauth2_add_parameter(struct buf *b, const char *name, const char *value);
void oauth2_add_headers(struct buf *b, const struct vars *v);
/* oauth2_keys.c: those of now; NULL: none yet. */
const struct jwt_keys *oauth2_keys(const struct authd *a);
/* False: the server that has them did not answer the last time. */
bool oauth2_keys_are_current(const struct authd *a);
/*
 * Its token is signed by a key that we have not: fetch them. True: oauth2_by_signature() is called again when they are there
 * (or not). False: they were fetched a moment ago.
 */
bool oauth2_keys_wait(struct oauth2_work *w);
/* oauth2_grant.c: why NULL: it is his password; not known (is_known false): why is not looked at. */
void oauth2_grant_judged(struct oauth2_work *w, const char *why, bool is_known);
/* oauth2.c: the fields of pass_attrs, of what the token says; in the login's arena. */
struct sql_row *oauth2_fields(const struct oauth2_work *w);
void oauth2_by_signature(struct oauth2_work *w);

#endif
