/*
 * db_chain.h - several passdb or userdb blocks in a row: which is asked, and what its answer means for the whole, by the
 * rules of Dovecot (result_success, result_failure, result_internalfail, skip, deny, master, mechanisms,
 * username_filter). Pure.
 */
#ifndef AUTHD_DB_CHAIN_H
#define AUTHD_DB_CHAIN_H

#include "authd/settings.h"

enum db_result { /* what one block says */
	DB_OK,
	DB_MISMATCH, /* another password, another network …: as if it did not know the user */
	DB_UNKNOWN,
	DB_FAILED,   /* it does not work */
	DB_DISABLED, /* the user may not log in, whatever others say */
	DB_NEXT	     /* it knows him, and leaves the password to the next (noauthenticate) */
};
enum db_step {
	DB_ASK, /* chain->at */
	DB_ACCEPT,
	DB_REFUSE,
	DB_REFUSE_DISABLED,
	DB_TEMP /* one that might have known did not work */
};

struct db_chain {
	const struct db *db; /* all blocks */
	size_t n;
	bool is_passdb;
	struct str mech, user; /* of now: they are looked at before each block */
	bool is_master;	       /* it is among those for masters */
	bool is_only_deny;     /* he is who he says, and only those with deny = yes have a say, wherever they stand */
	size_t at;
	bool is_ok;	  /* a block before said so */
	bool is_verified; /* the password was right already: it is not looked at again */
	bool has_failed;  /* a block did not work */
	bool became;	  /* the master was let in: from here on it is about whom he asked for */
};

/*
 * Begin; everything but at, is_ok … is filled. Returns DB_ASK, or, when there is none to ask, DB_REFUSE; with is_only_deny
 * DB_ACCEPT.
 */
enum db_step db_chain_first(struct db_chain *c);
/* Block c->at said `r`. When a master was let in c->became is true once, and the caller sets c->user before it goes on. */
enum db_step db_chain_after(struct db_chain *c, enum db_result r);
/* Why block i is not asked as things are; static, NULL: it is, when its turn comes. */
const char *db_chain_why_skipped(const struct db_chain *c, size_t i);
/* The rule of block c->at for that answer: "result_failure = continue"; static. */
const char *db_chain_rule(const struct db_chain *c, enum db_result r);
/* The next block after that; for a caller that was told c->became. */
enum db_step db_chain_go_on(struct db_chain *c);

#endif
