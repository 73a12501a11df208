#include "relay/relay.h"

#include "base/log.h"

#include <stdio.h>

bool tls_required_raise(struct delivery *d)
{
	struct trouble t = { .dsn = "4.3.5", .dead = true, .relay = STR("none") };
	struct str why;

	if (!(d->job.env.flags & ENV_REQUIRETLS) || d->tls.level >= LEVEL_FINGERPRINT)
		return true;
	/* The name in a certificate counts, and one that DNS gave is worth no more than DNS: sec. 4.2.1. */
	if (tls_policy_parse(d->service, STR("secure"), d->mem, &d->tls, &why) == 0)
		return true;
	/* What is wrong here is no fault of the next hop: the mail waits. */
	t.text = str_c(arena_printf(d->mem, "TLS for REQUIRETLS: %.*s", STR_ARG(why)));
	log_warn("%.*s", STR_ARG(t.text));
	d->trouble = t;
	return false;
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
