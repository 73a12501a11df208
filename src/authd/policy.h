/*
 * policy.h - a server that says whether a login may go on, and is told how logins end: Dovecot's auth_policy_… A POST of JSON
 * to auth_policy_server_url with "command=allow", answered by {"status": N, "msg": "why"}: N below 0 refuses, 0 goes on, more
 * are the seconds that it waits first; and one with "command=report", whose answer means nothing.
 *
 * fetch.h carries it. The server away, or no answer that is understood: auth_policy_reject_on_fail decides.
 */
#ifndef AUTHD_POLICY_H
#define AUTHD_POLICY_H

#include "authd/fetch.h"
#include "authd/template.h"

#include <openssl/evp.h>

enum { POLICY_ATTRIBUTES_MAX = 32 };

struct policy_settings {
	bool is_set;
	int site;		  /* of fetch.h */
	struct str allow, report; /* what stands behind the URL */
	const char *header;	  /* lines */
	uint32_t timeout_ms;
	const EVP_MD *hash;
	const char *nonce;
	unsigned truncate; /* bits; 0: all */
	struct policy_attribute {
		struct str key; /* with "/" between the names of objects within objects */
		struct template value;
	} attribute[POLICY_ATTRIBUTES_MAX];
	size_t n_attributes;
	bool rejects_on_fail, asks_before, asks_after, reports, only_logs;
};

struct loader;
void load_policy(struct loader *l);

struct policy_answer {
	int64_t status;
	struct str message; /* in the arena; "" none */
};
/* Returns 0, or -1 with *why. Pure; for the fuzzer, too. */
int policy_answer_parse(struct str body, struct arena *mem, struct policy_answer *out, const char **why);
/* `n` octets of a digest cut to its first `bits` (0: all), as a number in hexadecimal. */
void policy_truncate(const unsigned char *digest, size_t n, unsigned bits, struct buf *out);

struct login;
/* vars.hashed_password, of the user whom the login is for (%{requested_username}) and vars.pass. */
void policy_hash(struct login *l);
/* Go on with `then`, at once, later, or not: then it ends by login_fail(). */
void policy_before(struct login *l, void (*then)(struct login *l));
/* The same of one that was let in; false: nothing is to be asked (any more). */
bool policy_after(struct login *l);
/* How it ended. fail_type: NULL: well. */
void policy_report(struct login *l, const char *fail_type);

#endif
