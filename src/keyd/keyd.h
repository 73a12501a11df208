/* keyd.h - the process that holds the private keys: what is in it, and what it signs. */
#ifndef KEYD_KEYD_H
#define KEYD_KEYD_H

#include "base/arena.h"
#include "child/child.h"
#include "msg/key_msg.h"

#include <openssl/evp.h>

/* ---- scheme.c ---- */

/* A signature scheme of TLS 1.3, most of which TLS 1.2 has under the same numbers (RFC 8446 sec. 4.2.3). */
struct signature_scheme {
	uint16_t number;
	const char *key_type; /* "RSA", "EC" … as OpenSSL calls it */
	const char *digest;   /* NULL: the scheme has its own */
	bool is_pss;
	bool is_old; /* of TLS 1.2 alone */
};
/* NULL: one that is not signed with. SHA-1 is none (RFC 9155). */
const struct signature_scheme *signature_scheme_find(uint16_t number);

/* ---- handshake.c ---- */

/*
 * Is this what a TLS server signs in a handshake, and nothing else? TLS 1.3: CertificateVerify (RFC 8446 sec. 4.4.3).
 * TLS 1.2: both randoms and the server's key exchange parameters (RFC 8422 sec. 5.4, RFC 5246 sec. 7.4.3).
 */
bool handshake_is_tls(const struct signature_scheme *s, struct str text);
/* Octets of the prime when it is TLS 1.2 with DHE; else 0. */
size_t handshake_dh_octets(struct str text);

/* ---- keys.c ---- */

enum { KEYS_READ = 1024 /* keys that are ready to sign at a time; more are kept as they came */ };
struct keys {
	struct held_key *item; /* by id */
	size_t n, room;
	struct arena *mem; /* what the stores held */
	struct held_key *read[KEYS_READ];
	size_t next_read; /* the place that was taken first */
};
/* Add what stands in a store (msg/key_msg.h). 0, or -1: a sentence in *error. */
int keys_add(struct keys *k, struct str store, struct buf *error);
/* When all are there: sort them, and forget those that came twice. */
void keys_seal(struct keys *k);
/* What to answer. The signature is written to `room`, KEY_SIGNATURE_MAX octets, and *a points there. */
void keys_answer(struct keys *k, const struct key_question *q, char *room, struct key_answer *a);
void keys_free(struct keys *k);

/* ---- asker.c ---- */

struct keyd {
	struct child child;
	struct keys keys;
	bool locked; /* its memory is never written to swap */
	uint64_t signed_, refused;
	unsigned askers;
};
/* An smtpd that may ask. Takes: fd. */
void asker_open(struct keyd *k, enum role role, unsigned index, int fd);

#endif
