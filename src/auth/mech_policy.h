/*
 * mech_policy.h - which mechanisms of an authentication service an smtpd may offer: smtpd_sasl_security_options and
 * smtpd_sasl_tls_security_options (postconf(5)).
 */
#ifndef AUTH_MECH_POLICY_H
#define AUTH_MECH_POLICY_H

#include "auth/auth_client.h"

struct mech_policy { /* enum auth_mech_flag */
	unsigned refused, required;
};

/* Words that are none are left out: conf says so. */
struct mech_policy mech_policy_read(const char *options);
/* May it be offered, as far as its properties go? */
bool mech_policy_permits(struct mech_policy p, unsigned mech_flags);

struct mech_session { /* what a login at a service of master.cf may be like */
	bool in_clear, under_tls;
	bool asks_cert;			   /* clients may show one: EXTERNAL */
	const char *options, *tls_options; /* the values of both parameters */
};
/*
 * Where none of these mechanisms may be offered, a sentence into *out that says so and what to change: "private/auth
 * offers …". `path` is smtpd_sasl_path. False: somebody can log in, or nobody is to (neither in_clear nor under_tls).
 */
bool mech_policy_fault(
	const struct mech_session *s, const char *path, const struct auth_mech *mech, size_t n, struct buf *out);

#endif
