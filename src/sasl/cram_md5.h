/*
 * cram_md5.h - CRAM-MD5 (RFC 2195): the user proves a password by HMAC-MD5 over a challenge. What is stored may be the two
 * states of MD5 after the padded key (RFC 2104 sec. 4), as Dovecot keeps them: less than the password, but as good as it
 * for this mechanism. Pure.
 */
#ifndef SASL_CRAM_MD5_H
#define SASL_CRAM_MD5_H

#include "base/buf.h"

enum { CRAM_MD5_STATES = 32, CRAM_MD5_DIGEST = 32 /* hexadecimal digits */ };

/* The states of a password, the outer one first. */
void cram_md5_states(struct str pass, unsigned char out[CRAM_MD5_STATES]);
/* HMAC-MD5 of the challenge, in lower-case hexadecimal, with NUL. */
void cram_md5_digest(const unsigned char states[CRAM_MD5_STATES], struct str challenge, char out[CRAM_MD5_DIGEST + 1]);

#endif
