/*
 * scheme.h - one password scheme: what password.c knows of it, and what each scheme_*.c brings.
 *
 * Nobody else needs this: whoever has a stored password asks password.h.
 */
#ifndef AUTH_SCHEME_H
#define AUTH_SCHEME_H

#include "base/buf.h"

enum scheme_encoding {
	ENC_NONE,
	ENC_HEX,
	ENC_BASE64,
	ENC_AUTO,    /* hex when it has twice the digest's length, else base64 */
	ENC_AUTO_HEX /* the same, but made in hex */
};
enum scheme_flag {
	SCHEME_WEAK = 1,   /* broken: only for who allows it */
	SCHEME_SALTED = 2, /* a digest with its salt behind it */
	SCHEME_CLEAR = 4,  /* what is stored is the password */
	SCHEME_NAMED = 8   /* the user's name is part of it: scheme_digest_md5() */
};

struct scheme {
	const char *name;
	enum scheme_encoding encoding; /* of what is stored, if no suffix says otherwise */
	/* `raw` is decoded, `plain` has no NUL. Returns 1: it is that password; 0: no; < 0: -enum password_err. */
	int (*verify)(const struct scheme *s, struct str raw, struct str plain);
	/* Append to *raw, not yet encoded. `rounds` 0: as usual. Returns 0, or -enum password_err. NULL: only verified. */
	int (*make)(const struct scheme *s, struct str plain, unsigned rounds, struct buf *raw);
	const char *detail; /* the digest's name, or crypt's prefix */
	unsigned flags;	    /* of enum scheme_flag */
};

/* The i-th row of the table, NULL behind the last one; and the one of that name in any case, or NULL. */
const struct scheme *scheme_at(size_t i);
const struct scheme *scheme_find(struct str name);

/* scheme_argon2.c: Argon2 (RFC 9106) in the PHC string form. */
int scheme_argon2_verify(const struct scheme *s, struct str raw, struct str plain);
int scheme_argon2_make(const struct scheme *s, struct str plain, unsigned rounds, struct buf *raw);
/* A hash with several lanes: the library loads what it needs for threads. Panics when it makes none. */
void scheme_argon2_load(void);

/* scheme_crypt.c: crypt(3). */
int scheme_crypt_verify(const struct scheme *s, struct str raw, struct str plain);
int scheme_crypt_make(const struct scheme *s, struct str plain, unsigned rounds, struct buf *raw);
int scheme_des_make(const struct scheme *s, struct str plain, unsigned rounds, struct buf *raw);

/* scheme_digest.c: a digest, or a digest and its salt. */
int scheme_digest_verify(const struct scheme *s, struct str raw, struct str plain);
int scheme_digest_make(const struct scheme *s, struct str plain, unsigned rounds, struct buf *raw);
int scheme_smd5_make(const struct scheme *s, struct str plain, unsigned rounds, struct buf *raw);

/* scheme_pbkdf2.c: "$1$salt$rounds$hex of 20 octets" (RFC 8018 sec. 5.2). */
int scheme_pbkdf2_verify(const struct scheme *s, struct str raw, struct str plain);
int scheme_pbkdf2_make(const struct scheme *s, struct str plain, unsigned rounds, struct buf *raw);

/*
 * scheme_old.c: of old times, that Dovecot still knows. MD4 (RFC 1320) is with OpenSSL's legacy provider, a file:
 * scheme_old_load() reads it; without it PLAIN-MD4 is -PASSWORD_ESCHEME.
 */
void scheme_old_load(void);
int scheme_md4_verify(const struct scheme *s, struct str raw, struct str plain);
int scheme_md4_make(const struct scheme *s, struct str plain, unsigned rounds, struct buf *raw);
/* "N-octets": the first N octets of the password. */
int scheme_trunc_verify(const struct scheme *s, struct str raw, struct str plain);
/* RFC 2289, "sha1 1024 seed hex", md5 and sha1. */
int scheme_otp_verify(const struct scheme *s, struct str raw, struct str plain);
/*
 * RFC 2831 sec. 2.1.2.1: MD5(user:realm:password), where the realm is what stands behind the @ of `user`, or nothing. False:
 * there is no MD5.
 */
enum { DIGEST_MD5_OCTETS = 16 };
bool scheme_digest_md5(struct str user, struct str plain, unsigned char out[DIGEST_MD5_OCTETS]);

#endif
