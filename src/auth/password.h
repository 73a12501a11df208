/*
 * password.h - stored passwords in Dovecot's form "{SCHEME[.encoding]}data", made and checked.
 *
 * Pure but for the random salt; every function may be called from any thread. A check may take a second of processor
 * time (that is the purpose of these schemes): call it from a pool, not from an event loop.
 */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include "base/buf.h"

enum { PASSWORD_MAX = 512 }; /* octets of plain text; a longer one is refused before it is hashed */

enum password_err {	      /* returned negated; text: password_err_text() */
	PASSWORD_ESCHEME = 1, /* no such scheme */
	PASSWORD_EWEAK,	      /* a scheme that is broken, and not allowed by the caller */
	PASSWORD_EDATA,	      /* what is stored is not in the form of its scheme */
	PASSWORD_ECOST,	      /* what is stored asks for more memory or rounds than is sane */
	PASSWORD_ETOOLONG,    /* the plain text is longer than 512 octets, empty, or has a NUL */
	PASSWORD_ECANNOT,     /* this scheme can be checked, but not made */
	PASSWORD_ENAME,	      /* this scheme (DIGEST-MD5) wants the name of the user too */
	PASSWORD_EROUNDS      /* so many rounds are none of this scheme, or more than a check would take */
};

/*
 * Is `plain` the password that `stored` stands for? Without a {SCHEME} in front, `stored` is of scheme
 * `default_scheme`. `allow_weak`: also schemes that are broken (MD5 in all forms, DES-CRYPT). The comparison takes
 * the same time wherever the difference is. Returns 1: yes; 0: no; < 0: -enum password_err.
 */
int password_verify(struct str stored, struct str default_scheme, struct str plain, bool allow_weak);
/*
 * Append "{SCHEME}data" for `plain` to *out (a secret). ARGON2ID: t=2, m=19 MiB, p=1; BLF-CRYPT: cost 10; SHA crypts:
 * 5000 rounds; PBKDF2: 5000; SCRAM: 10000. Returns 0, or -enum password_err.
 */
int password_make(struct str scheme, struct str plain, struct buf *out);
/* As password_verify(), for schemes that the user's name is part of too (DIGEST-MD5). */
int password_verify_user(
	struct str stored, struct str default_scheme, struct str user, struct str plain, bool allow_weak);
/*
 * As password_make(), with the user's name for the schemes that want it, and with other rounds (0: as usual): the cost of
 * BLF-CRYPT, rounds of the SHA crypts and of PBKDF2, passes of Argon2.
 */
int password_make_for(struct str scheme, struct str user, struct str plain, unsigned rounds, struct buf *out);
/* The names of all schemes: i from 0 until it is NULL. */
const char *password_scheme_name(size_t i);
/*
 * Append a stored password that is nobody's, and costs to check what `stored` costs: the same scheme, named, with the
 * same parameters; a hash keeps its digest, plain text is replaced. 0, or -PASSWORD_ESCHEME, -PASSWORD_EDATA.
 */
int password_like(struct str stored, struct str default_scheme, struct buf *out);
/* Is there such a scheme (an ".encoding" behind it is allowed)? 0, or -PASSWORD_ESCHEME, -PASSWORD_EWEAK. */
int password_scheme_check(struct str scheme, bool allow_weak);
/*
 * What a mechanism that never sees the password can use of a stored one: appended to *out (a secret), decoded. SCHEME: it
 * is of `scheme` (such as "SCRAM-SHA-256"), and this is its data; PLAIN: it is stored in the clear, and this is the password;
 * NONE: it is a hash that tells the mechanism nothing, or no stored password at all.
 */
enum password_use { PASSWORD_RAW_NONE, PASSWORD_RAW_PLAIN, PASSWORD_RAW_SCHEME };
enum password_use password_raw(struct str stored, struct str default_scheme, const char *scheme, struct buf *out);
/*
 * Load what the libraries would load from files at a first hash: for a process that is about to be locked in. (Argon2
 * with several lanes ends threads, for which the C library wants libgcc_s.)
 */
void password_load(void);
/* English, static. */
const char *password_err_text(int err);

#endif
