#include "relay/relay.h"

#include <stdio.h>

void tls_required_raise(struct delivery *d)
{
	struct str why;

	if (!(d->job.env.flags & ENV_REQUIRETLS) || d->tls.level >= LEVEL_FINGERPRINT)
		return;
	/* The name in a certificate counts, and one that DNS gave is worth no more than DNS: sec. 4.2.1. */
	if (tls_policy_parse(d->service, STR("secure"), d->mem, &d->tls, &why) != 0)
		d->tls.level = LEVEL_SECURE; /* without a name that would do: nothing leaves */
}

/* 4.7.4: STARTTLS was not offered; 4.7.5: the handshake, or the certificate; else the server's own code, when it refused */
static bool is_for_tls(const struct trouble *t)
{
	struct str dsn = str_c(t->dsn);

	return str_eq(dsn, STR("4.7.4")) || str_eq(dsn, STR("4.7.5")) ||
	       str_has_prefix(t->text, STR("TLS is required"));
}

void tls_required_failed(struct delivery *d)
{
	struct trouble *t = &d->trouble;

	if (!(d->job.env.flags & ENV_REQUIRETLS) || !is_for_tls(t))
		return;
	snprintf(t->dsn, sizeof t->dsn, "5.7.10"); /* sec. 4.2.1 */
	t->text = str_c(arena_printf(d->mem, "REQUIRETLS: %.*s", STR_ARG(t->text)));
	t->permanent = true;
}
