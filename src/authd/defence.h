/*
 * defence.h - who has failed to log in too often, and what follows: without locking anybody out.
 *
 * A failure is counted for the client's network, for the wider one around it, for the pair of user and network, and for
 * the user. The steps, by the counts (defence_rules[] in defence.c):
 *
 *	delay	the answer to a failure waits longer with each one
 *	hold	the login waits before its password is looked at, so that a right one is late too; of these there are
 *		only so many at a time
 *	refuse	a temporary refusal, before a database or a hash is asked
 *
 * Only strangers are held or refused for what their network or others did. A user who has logged in from this network
 * before (known.h) is let in at once with the password that he had then, or with any right one while nobody else fails as
 * him from there. Failures at one user from everywhere never refuse anybody: they hold strangers.
 *
 * Behind some networks there are many users, who do not know of each other (a webmail). Such a network is not counted, and
 * nobody is refused there: a pair is held, a few logins at a time.
 *
 * The same wrong password of a user does not count twice in a network: a forgotten mail program locks out nobody. A
 * user who does not exist counts as one who does.
 *
 * No I/O and no clock: milliseconds of the wall clock are given by the caller. Nothing here can be turned back into a
 * password; what is remembered of one is a keyed hash of this process, and is never written anywhere.
 */
#ifndef AUTHD_DEFENCE_H
#define AUTHD_DEFENCE_H

#include "authd/known.h"
#include "authd/tally.h"
#include "base/buf.h"

enum { DEFENCE_WIDE_FACTOR = 8 }; /* a wide network may fail so many times as often as one within it */

struct defence_settings {
	bool is_on;
	bool is_kept; /* over a restart */
	uint64_t half_life_ms, failure_delay_ms, max_delay_ms;
	/* Failures; 0: never. */
	unsigned hold_after, hold_user_after, refuse_pair_after, refuse_network_after;
	unsigned hold_max; /* logins that are held at a time */
	uint32_t known_days;
	struct prefixes narrow, wide;
	const char *shared; /* networks behind which many users are */
};

/* One login: for whom it counts. */
struct guard {
	bool is_on;	/* false: nothing is counted, and nothing held or refused */
	bool is_shared; /* its network is one of many users */
	struct network network;
	struct str user; /* borrowed; "" not known */
	uint64_t user_key, network_key, wide_key, pair_key;
	uint64_t mark; /* of the password; 0: none is shown */
	bool is_held, was_held;
};

enum defence_step { DEFENCE_ADMIT, DEFENCE_HOLD, DEFENCE_REFUSE };
enum defence_what { OF_PAIR, OF_NETWORK, OF_WIDE, OF_USER, OF_KINDS };

struct defence_answer {
	enum defence_what what; /* whose count it was */
	uint64_t ms;		/* HOLD: so long; REFUSE: no sense in trying before */
};

/* What other nodes should know, too. */
enum defence_news { NEWS_FAILED, NEWS_PASSED, NEWS_LIFTED };
struct defence_event {
	enum defence_news news;
	uint64_t at_ms;
	struct str user;	/* NEWS_LIFTED: "" the network is lifted */
	struct network network; /* narrow */
	bool is_known;		/* NEWS_FAILED: of somebody known, which does not count for the user */
	bool is_shared;
};

struct defence {
	struct defence_settings set;
	struct tally tally[OF_KINDS];
	struct known known;
	unsigned char place_key[16]; /* of user, network: the same after a restart */
	unsigned char mark_key[16];  /* of passwords: of this process */
	unsigned n_held;
	uint64_t n_holds, n_refused, n_counted, n_repeated;
	bool is_changed; /* since the caller last reset it */
	uint64_t node;	 /* whose news ours are: those of this process */
	char seen[40];	 /* up to where the news of all were taken in (share.h); kept over a restart */
	void (*on_event)(struct defence *d, const struct defence_event *e); /* of ours. NULL: nobody wants to know */
};

/* entries: of each table, a power of two. place_key: 16 octets. */
void defence_init(struct defence *d, const struct defence_settings *set, size_t entries, const void *place_key);
void defence_free(struct defence *d);

/*
 * A login of `user` ("": not known) with a password ("": it is not shown) from an address ("": not known, and then nothing
 * is counted). `user` has to live as long as *g.
 */
void defence_guard(const struct defence *d, struct str user, struct str address, struct str pass, struct guard *g);
/*
 * May its password be looked at? After DEFENCE_HOLD, ask again when the time is over: it is not held twice, but it may be
 * refused by then.
 */
enum defence_step defence_ask(struct defence *d, struct guard *g, uint64_t now_ms, struct defence_answer *why);
/* A login that is held is given up; any other stays as it is. */
void defence_release(struct defence *d, struct guard *g);
/* It failed. Returns how long the answer is to wait, in milliseconds from where the login began. */
uint64_t defence_failed(struct defence *d, const struct guard *g, uint64_t now_ms);
/* It had the right password. */
void defence_passed(struct defence *d, const struct guard *g, uint64_t now_ms);

/* Of another node. */
void defence_apply(struct defence *d, const struct defence_event *e, uint64_t now_ms);
/* Forget what was counted of a network (or address) and all that is part of it, or of a user. Returns how many counts that
 * were. */
size_t defence_lift(struct defence *d, struct str what, uint64_t now_ms);

/* What strangers meet for that count, and for how long (*ms); DEFENCE_ADMIT: nothing. */
enum defence_step defence_step_of(
	const struct defence *d, enum defence_what what, const struct tally_entry *e, uint64_t now_ms, uint64_t *ms);
/* For the log and for SMTP: "too many failed logins from 192.0.2.1; try again in 12 minutes". */
void defence_text(const struct guard *g, const struct defence_answer *why, struct buf *out);

#endif
