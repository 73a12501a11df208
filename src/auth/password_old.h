/*
 * password_old.h - stored passwords of old times that Dovecot still knows: PLAIN-MD4, PLAIN-TRUNC, DIGEST-MD5, OTP. Between
 * password.c and its other half.
 */
#ifndef AUTH_PASSWORD_OLD_H
#define AUTH_PASSWORD_OLD_H

#include "base/buf.h"

enum { MD4_OCTETS = 16, DIGEST_MD5_OCTETS = 16 };

/* MD4 is with OpenSSL's legacy provider, a file: read it now. Without it PLAIN-MD4 cannot be checked. */
void password_old_load(void);
/* MD4 (RFC 1320). False: there is none. */
bool password_md4(struct str s, unsigned char out[MD4_OCTETS]);
/*
 * RFC 2831 sec. 2.1.2.1: MD5(user:realm:password), where the realm is what stands behind the @ of `user`, or nothing. False:
 * there is no MD5.
 */
bool password_digest_md5(struct str user, struct str plain, unsigned char out[DIGEST_MD5_OCTETS]);
/*
 * "N-octets": the first N octets of the password. Returns 1: `plain` begins with them and is not shorter than N; 0: it does
 * not; -1: that is not how `stored` is written.
 */
int password_trunc(struct str stored, struct str plain);
/*
 * RFC 2289, "sha1 1024 seed hex": is it what `plain` gives? md5 and sha1. Returns 1, 0, or -1: `stored` is not so written, or
 * wants too many rounds.
 */
int password_otp(struct str stored, struct str plain);

#endif
