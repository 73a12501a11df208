#include "relay/relay.h"

#include "smtp/esmtp.h"

/*
 * Idle connections wait here for the next message to the same nexthop, by the same service, at the same TLS level and
 * as the same user. The list is short (seconds of life, RELAY_IDLE_MAX), and mostly has one nexthop: it is scanned.
 */
static struct conn *first;

static bool fits(const struct conn *c, const struct delivery *d)
{
	/* The login may depend on the sender, and is not known yet; without one, too, a connection is for that sender. */
	if (d->service->sasl_by_sender)
		return false;
	/* What this server cannot take another one of that nexthop may. */
	if ((d->job.env.flags & ENV_REQUIRETLS) && d->job.env.sender.n > 0 &&
		!(c->client.offered & EXT_BIT(EXT_REQUIRETLS)))
		return false;
	return c->service == d->service && c->policy.level == d->tls.level && str_eq(c->policy.text, d->tls.text) &&
	       str_ieq(c->nexthop, d->job.nexthop);
}

struct conn *cache_take(const struct delivery *d)
{
	for (struct conn *c = first; c != NULL; c = c->next)
		if (fits(c, d)) {
			cache_drop(c);
			return c;
		}
	return NULL;
}

void cache_drop(struct conn *c)
{
	if (c->at == NULL)
		return;
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	c->next = NULL;
	c->at = NULL;
	relay.n_idle--;
}

static bool is_worth_keeping(const struct conn *c)
{
	const struct service *s = c->service;

	if (relay.stopping || relay.n_idle >= RELAY_IDLE_MAX || s->idle_ms == 0)
		return false;
	if (s->reuse_count > 0 && c->served >= s->reuse_count)
		return false;
	return uv_now(relay.child.loop) - c->up_ms < s->reuse_ms;
}

void cache_put(struct conn *c)
{
	c->delivery = NULL;
	if (!smtp_client_is_reusable(&c->client) || !is_worth_keeping(c)) {
		conn_close(c);
		return;
	}
	/* The one used last is taken first: the others come to their end. */
	c->next = first;
	if (first)
		first->at = &c->next;
	c->at = &first;
	first = c;
	relay.n_idle++;
	conn_start_timer(c, c->service->idle_ms);
}

void cache_close_all(void)
{
	while (first)
		conn_close(first);
}
