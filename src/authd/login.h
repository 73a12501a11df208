/*
 * login.h - one authentication request: AUTH … OK or FAIL. Its states:
 *
 *	CLIENT  a challenge is out; the client's turn (LOGIN_TIMEOUT_MS)
 *	WORK    a database or a hash is at work; a cancelled one is freed when the work is done
 *	DELAY   failed; the reply waits for its time
 */
#ifndef AUTHD_LOGIN_H
#define AUTHD_LOGIN_H

#include "authd/authd.h"

enum login_state { LOGIN_NEW, LOGIN_CLIENT, LOGIN_WORK, LOGIN_DELAY };

struct login {
	struct client *client; /* NULL: cancelled, or the client is gone */
	struct authd *authd;
	struct login *next;	    /* in the client's bucket */
	struct login *next_delayed; /* in authd's list, by due_ms */
	uint32_t id;
	enum login_state state;
	struct arena *mem; /* wiped at the end */
	const struct sasl_mech *mech;
	struct sasl_xchg *xchg;
	struct buf out; /* the exchange's */
	struct vars vars;
	uint64_t since_ms; /* since it waits for the client; since its check began */
	uint64_t due_ms;

	/* check.c's */
	size_t passdb;	 /* which one is asked */
	bool had_temp;	 /* one of them did not work */
	bool is_unknown; /* this passdb does not know the user */
	struct lookup lookup;
	struct job job;
	struct str stored; /* what the password is compared with */
	struct verdict_key key;
	struct login *next_hashing;		 /* of authd.hashing */
	struct login *followers, *next_follower; /* who asked the same while its hash was under way */
	int verdict;				 /* of password_verify() */
	struct str fields;			 /* extra fields of OK, each with a TAB in front */
};

/* Check vars.user, vars.pass; ends in one of the three below. */
void check_start(struct login *l);

void login_succeed(struct login *l);
/* code: of the FAIL line, or NULL. why: for the log, NULL: it was said already. The reply waits. */
void login_fail(struct login *l, const char *code, const char *why);
/* At once. */
void login_temp_fail(struct login *l);
/* The work of a login without a client is done. */
void login_free(struct login *l);

/*
 * The user name as the databases know it: auth_username_translation, _chars, auth_default_realm, _format. In the
 * arena. Returns 0, or -1 with *why (for the log).
 */
int username_normalise(
	const struct settings *set, struct vars *v, struct str name, struct arena *mem, const char **why);
/* Is the address in the list "127.0.0.0/8, ::1, local"? */
bool is_in_nets(struct str list, struct str address);

#endif
