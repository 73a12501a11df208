/*
 * verdicts.h - what a slow hash said, remembered under HMAC-SHA-256(key of this process, user, password, stored hash):
 * a repeated login costs microseconds, a changed password is another entry, and no password can be had from memory
 * without the key. Wrong passwords are remembered for seconds only.
 */
#ifndef AUTHD_VERDICTS_H
#define AUTHD_VERDICTS_H

#include "base/str.h"

struct verdicts;
struct verdict_key {
	unsigned char octets[32];
};

/* A fresh random key. */
struct verdicts *verdicts_new(void);
void verdicts_free(struct verdicts **v);
/* The key of one question. `stored` is as the database has it. */
void verdict_key(struct verdicts *v, struct str user, struct str pass, struct str stored, struct verdict_key *key);
/* 1: it matched; 0: it did not; -1: not known. */
int verdict_get(struct verdicts *v, const struct verdict_key *key, uint64_t now_ms);
void verdict_put(struct verdicts *v, const struct verdict_key *key, bool matched, uint64_t now_ms);
/* Forget all. */
void verdicts_flush(struct verdicts *v);

#endif
