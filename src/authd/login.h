/*
 * login.h - one authentication request: AUTH … OK or FAIL. Its states:
 *
 *	CLIENT  a challenge is out; the client's turn (LOGIN_TIMEOUT_MS)
 *	WORK    a database or a hash is at work; a cancelled one is freed when the work is done
 *	HOLD    its password is looked at later (admit.c)
 *	DELAY   failed, or there is a challenge; the reply waits for its time
 */
#ifndef AUTHD_LOGIN_H
#define AUTHD_LOGIN_H

#include "authd/authd.h"
#include "authd/db_chain.h"

/* Its properties as the protocol names them: enum auth_mech_flag. */
unsigned login_mech_flags(const struct sasl_mech *m);

/* fault.c's: how much is known by a reason, and the reason. */
enum fault_knows { FAULT_NOBODY, FAULT_PASSWORD, FAULT_CAUSE };
struct login_fault {
	enum fault_knows knows, line_knows;
	const char *what; /* NULL: nothing was noted */
	const char *line; /* for the log; NULL: none */
	const char *away; /* why a passdb could not say anything; NULL: all could */
};

enum login_state { LOGIN_NEW, LOGIN_CLIENT, LOGIN_WORK, LOGIN_HOLD, LOGIN_DELAY };

struct login {
	struct client *client; /* NULL: cancelled, or the client is gone */
	struct authd *authd;
	struct login *next; /* in the client's bucket */
	size_t waits_at;    /* waiting.h's */
	uint32_t id;
	enum login_state state;
	struct arena *mem; /* wiped at the end */
	const struct sasl_mech *mech;
	struct sasl_xchg *xchg;
	struct buf out; /* the exchange's */
	struct vars vars;
	uint64_t since_ms; /* since it waits for the client; since its check began */
	uint64_t due_ms;
	bool is_traced; /* trace.c's */
	uint64_t began_ns, hash_ns;

	bool has_cert;			  /* the client has shown a certificate that the asker trusts */
	struct str cert_name;		  /* whose it is */
	struct str cert_print, key_print; /* its fingerprint, and that of its key, as the asker says */
	struct str forward;		  /* forward_fields=, unescaped once */
	bool takes_final;		  /* "final-resp-ok": OK and FAIL may carry the mechanism's last word */
	bool hides_time;		  /* the next challenge depends on what is stored: it leaves on a grid */
	bool is_held;			  /* it is what waits in LOGIN_DELAY, in l->challenge */
	struct str challenge;
	bool is_final_sent; /* it went out as a challenge; one empty answer, and the login is done */
	bool wants_binding; /* the client is asked for the data of its TLS channel */
	struct str final;   /* the mechanism's last word, in base64 */

	/* admit.c's */
	struct guard guard;  /* for whom it counts; nobody, until it is known who it is */
	bool has_no_penalty; /* "no-penalty" */
	void (*admitted)(struct login *l);
	void (*on_time)(struct login *l); /* of LOGIN_HOLD */

	/* policy.c's */
	struct fetch_call policy_call;
	void (*policy_then)(struct login *l);
	bool is_policy_asked, is_policy_refused;
	struct str policy_user; /* whose name is in vars.hashed_password */

	/* check.c's */
	bool wants_key; /* the mechanism needs what is stored, and there is no password to compare it with */
	bool is_proven; /* the mechanism is satisfied; no passdb is asked for a password any more */
	struct db_chain chain;
	size_t passdb;		    /* which one is asked */
	const struct sql_row *row;  /* what it says of the user */
	const struct sql_row *kept; /* what those said that took him */
	uint64_t put_off_ms;	    /* before that time, of the loop, no OK leaves (delay_until); 0: at once */
	struct str reason;	    /* of FAIL */
	struct login_fault fault;   /* why it fails, if it does */
	bool no_delay;		    /* of FAIL */
	bool is_fresh;		    /* the passdb was asked once more, past the cache */
	bool is_compared;	    /* the password with l->stored, rather than let in without */
	bool is_hashed;		    /* … by its hash, rather than by what was remembered */
	bool is_unknown;	    /* this passdb does not know the user */
	struct lookup lookup;
	struct lookup bind; /* verify.c's */
	uint32_t pam_id;    /* pam.c's */
	struct login *next_pam;
	struct job job;
	struct str stored; /* what the password is compared with */
	struct verdict_key key;
	struct login *next_hashing;		 /* of authd.hashing */
	struct login *followers, *next_follower; /* who asked the same while its hash was under way */
	int verdict;				 /* of password_verify() */
	struct scram_keys *derived;		 /* key.c's */
	struct str fields;			 /* extra fields of OK, each with a TAB in front */

	/* credentials.c's */
	struct lookup more;    /* what else he may log in with, in this passdb */
	bool has_asked_more;   /* that was looked up */
	struct str *key_names; /* of the records in xchg->key: whose each is; "": the own password's */
	size_t n_keys;
	const char **key_faults;  /* why each is not good now, as credential_fault(); NULL: it is */
	struct str beside;	  /* records of app passwords that go with one that is derived; "": none */
	struct str app, app_user; /* the name of the app password that let him in, and whose it is; "": none */
	size_t app_passdb;
};

/* exchange.c: what is stored for this user, in the mechanism's form; l goes on, or ends. */
void login_key(struct login *l, struct str key);

/*
 * Check vars.user, vars.pass; ends in one of the three below. With wants_key it finds what is stored for vars.user, and
 * login_key() comes instead, for an unknown user too.
 */
void check_start(struct login *l);
/* The mechanism was satisfied with what login_key() gave: what is left to be checked. */
void check_proven(struct login *l);
/* Who he is was said by a token, which no passdb has: may he log in, as far as those with deny = yes are concerned? */
void check_denied(struct login *l);
/*
 * check_admit.c: do the fields of the row permit a login from there? DB_OK; else DB_MISMATCH or DB_DISABLED, with *why (static).
 */
enum db_result row_permits(const struct sql_row *row, const struct vars *v, const char **why);
/* l->more is there: go on with it. */
void check_credentials(struct login *l);
/* This passdb has nothing that is of use: the next one. */
void check_next(struct login *l);

/* verify.c's answer: what this passdb says of the password. why: for the log, NULL: as of any other. */
void check_verified(struct login *l, enum db_result r, const char *why);

/* key.c: is it the data of this mechanism's scheme? */
bool key_is_record(const struct login *l, struct str raw);
/* Of l->stored make the mechanism's key. */
void key_take(struct login *l);
/* No passdb has one: a key of nobody, which looks like the others. */
void key_of_nobody(struct login *l);

/* A parameter of AUTH, USER or PASS that has a variable ("rip=…", escaped): into *v, in the arena. */
void login_param(struct vars *v, struct str field, struct arena *mem);

/* A challenge, in base64. */
void login_challenge(struct login *l, struct str base64);
/* Is the mechanism for this client, as it was greeted? (channel binding: from minor 3 on) */
bool login_offers(const struct client *c, const struct sasl_mech *m);
struct login **login_find(struct client *c, uint32_t id);
/* Nobody wants its answer any more. */
void login_drop(struct login *l);

void login_succeed(struct login *l);
/* code: of the FAIL line, or NULL. why: for the log, NULL: it was said already. The reply waits. */
void login_fail(struct login *l, const char *code, const char *why);
/* At once. */
void login_temp_fail(struct login *l);
/* With l->reason, at once: it was not even looked at. */
void login_refuse(struct login *l);
/* Its state is LOGIN_HOLD (then on_time follows) or LOGIN_DELAY until then, by the loop's clock. */
void login_wait(struct login *l, uint64_t due_ms);
/* The work of a login without a client is done. */
void login_free(struct login *l);

/* ---- client_fields.c ---- */

/* The row wants the certificate of this client to be another (check_client_fp …): why, static; NULL: it does not. */
const char *client_print_check(const struct login *l, const struct sql_row *row);
/* Append to the fields of OK, each with a TAB in front. */
void client_forward_fields(const struct login *l, struct buf *out);
void client_original_user(const struct login *l, struct buf *out);
/* ---- admit.c ---- */

/* It counts for vars.user ("": not known) with vars.pass, from vars.remote_ip. */
void login_guard(struct login *l);
/* Go on with `admitted`, at once or after a while; or it ends by login_refuse(). */
void login_admit(struct login *l, void (*admitted)(struct login *l));
/* Milliseconds since 1970. */
uint64_t wall_ms(void);

/* ---- identity.c ---- */

enum identity { IDENTITY_OK, IDENTITY_BAD /* no name */, IDENTITY_NOT_ALLOWED };

/*
 * Fill l->vars with who proves himself (authcid) and, where that is somebody else, whom he wants to be (authzid, or
 * "target*master"): login_user. *why (for the log) unless it is IDENTITY_OK.
 */
enum identity identity_set(struct login *l, struct str authcid, struct str authzid, const char **why);
/* The master was let in: now he is the one that he asked for. */
void identity_become(struct login *l);
/*
 * The user name as the databases know it: auth_username_translation, _chars, auth_default_realm, _format. In the
 * arena. Returns 0, or -1 with *why (for the log).
 */
int username_normalise(
	const struct settings *set, struct vars *v, struct str name, struct arena *mem, const char **why);
/* Is the address in the list "127.0.0.0/8, ::1, local"? */
bool is_in_nets(struct str list, struct str address);

#endif
