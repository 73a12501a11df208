#include "relay/relay.h"

/*
 * RFC 8305 sec. 5: when an address has not answered after a quarter of a second, the next one is tried beside it, and
 * the first to answer is taken. Only among hosts of one MX preference: a worse one is no rival but a substitute. And
 * only on one host when there is a login, which depends on the host.
 */

void race_enter(struct conn *c)
{
	struct delivery *d = c->delivery;

	c->rival = d->racing;
	d->racing = c;
}

bool race_leave(struct conn *c)
{
	for (struct conn **at = &c->delivery->racing; *at; at = &(*at)->rival)
		if (*at == c) {
			*at = c->rival;
			c->rival = NULL;
			return true;
		}
	return false;
}

void race_end(struct delivery *d)
{
	while (d->racing) {
		struct conn *c = d->racing;

		race_leave(c);
		conn_close(c);
	}
}

void race_won(struct conn *c)
{
	struct delivery *d = c->delivery;

	race_leave(c);
	race_end(d);
	d->conn = c;
	d->up = c->target;
}

bool race_may_go_on(const struct delivery *d)
{
	const struct target *next = &d->target[d->next_target], *last = next - 1;

	if (d->racing == NULL || d->next_target >= d->n_target || d->plain_only)
		return false;
	return next->preference == last->preference && (!d->service->sasl || str_ieq(next->host, last->host));
}

void race_go_on(struct delivery *d)
{
	if (race_may_go_on(d))
		conn_open(d, &d->target[d->next_target++]);
}
