/*
 * sasl_mech.h - one SASL mechanism, server side (RFC 4422).
 *
 * A mechanism is a pure step function: client octets in, server octets out. It does no I/O, knows no base64 of the
 * protocol around it and never sees the password store: when it needs a secret or the TLS channel's data it says so.
 * Framing (AUTH, CONT, OK, FAIL) is authd/login.c's.
 */
#ifndef SASL_SASL_MECH_H
#define SASL_SASL_MECH_H

#include "base/arena.h"
#include "base/buf.h"

enum sasl_step {
	SASL_MORE,	   /* out is a challenge; step again with the client's reply */
	SASL_CHECK_PASS,   /* last step: the caller's check of authcid, pass decides */
	SASL_WANT_KEY,	   /* caller sets key for authcid, steps again, `in` absent */
	SASL_WANT_BINDING, /* caller sets binding of binding_type, steps again, `in` absent */
	SASL_OK,	   /* proven; out may hold final data (RFC 4422 sec. 3.6) */
	SASL_FAIL,	   /* secret is wrong: a normal outcome, not an error; out may hold what tells the client */
	SASL_BAD	   /* client's message is malformed: fail, and log it as such; out as with SASL_FAIL */
};

enum sasl_mech_flag {
	SASL_PLAINTEXT = 1, /* offered only under TLS */
	SASL_CHANNEL_BIND = 2,
	SASL_MUTUAL = 4,     /* the server proves itself too */
	SASL_DICTIONARY = 8, /* who overhears it can try passwords */
	SASL_ACTIVE = 16,    /* so can who is in between */
	SASL_ANONYMOUS = 32, /* nobody is proven to be anybody; authcid is for the log */
	SASL_TOKEN = 64	     /* pass is a token, and the key of WANT_KEY whom it names */
};
enum {
	SASL_NAME_MAX = 255,
	SASL_PASS_MAX = 512,
	SASL_TOKEN_MAX = 12288
}; /* octets; a longer password is refused before it is hashed */

struct scram_hash;
struct sasl_mech;

struct sasl_xchg { /* one exchange; owns nothing outside mem */
	const struct sasl_mech *mech;
	struct arena *mem;  /* wiped, not only freed, when the exchange ends */
	struct str authcid; /* whose secret is proven: 1..255 octets of UTF-8, prepared (RFC 4013), no NUL */
	struct str authzid; /* who to act as; n == 0: same as authcid */
	struct str pass;    /* valid only with SASL_CHECK_PASS: 1..512 octets, as they came */
	/*
	 * Stored secret in the mechanism's form; n == 0: no such user, carry on. SCRAM: a record, or several of one salt and
	 * count with a blank between them.
	 */
	struct str key;
	size_t which;	      /* SCRAM, with SASL_OK: the record that was proven, from 0 */
	struct buf *out;      /* raw octets for the client; emptied before step */
	const char *why;      /* with SASL_BAD: what is wrong, static English */
	unsigned char *state; /* mech->state_size octets, zeroed, the mechanism's own */
	/* channel binding (RFC 5056) */
	struct str binding_type; /* "tls-exporter" …: with SASL_WANT_BINDING, the mechanism's */
	struct str binding;	 /* raw octets; p == NULL: this connection has none of that type */
	bool is_plus_offered;	 /* before the first step: the client could have had the same mechanism with binding */
	struct str external;	 /* before the first step: who the client is by its certificate; n == 0: nobody */
	/* for tokens, before the key is set: what the client is told of one that is not good; n == 0: nothing */
	struct str token_scope, token_openid; /* neither has a quote or a backslash in it */
	struct str nonce;		      /* the server's part; p == NULL: a random one (tests set it) */
};

struct sasl_mech {
	const char *name;  /* IANA name in capitals, as listed by EHLO, MECH */
	unsigned flags;	   /* enum sasl_mech_flag */
	size_t state_size; /* octets */
	/*
	 * Take one client message. in.p == NULL: none was sent; in.n == 0 with p set: an empty one ("=", RFC 4954
	 * sec. 4). `in` is borrowed for the call. Never blocks. A call after CHECK_PASS, OK, FAIL or BAD panics.
	 */
	enum sasl_step (*step)(struct sasl_xchg *x, struct str in);
	const struct scram_hash *scram; /* NULL: not of that family */
};

/* The mechanism of that name, in any case (RFC 4422 sec. 3.1), or NULL. */
const struct sasl_mech *sasl_mech_find(struct str name);
/* All of them, in the order in which they are offered; NULL at the end. */
extern const struct sasl_mech *const sasl_mechs[];
/* A new exchange in `mem`, its output in `out`. Both are the caller's. */
struct sasl_xchg *sasl_xchg_new(const struct sasl_mech *m, struct arena *mem, struct buf *out);

/*
 * For mechanisms: take a name or password that the client sent, checked for length, NUL and UTF-8, a name prepared
 * (RFC 4013). 0, or -1 (why is set).
 */
int sasl_take_name(struct sasl_xchg *x, struct str in, struct str *name);
int sasl_take_pass(struct sasl_xchg *x, struct str in);

extern const struct sasl_mech sasl_plain, sasl_login, sasl_cram_md5, sasl_external, sasl_anonymous, sasl_oauthbearer,
	sasl_xoauth2, sasl_scram_sha1, sasl_scram_sha256, sasl_scram_sha512, sasl_scram_sha1_plus,
	sasl_scram_sha256_plus, sasl_scram_sha512_plus;

#endif
