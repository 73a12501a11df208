#include "smtp/client_own.h"

#include "base/utf8.h"
#include "log/envelope.h"
#include "smtp/address.h"
#include "smtp/esmtp.h"

enum { FIELD_ADDRESS_MAX = 900 }; /* octets, of 998 in a line */

/* What is found before a command is spent on it: what this server can never take, and what is over its limits. */

static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return true;
	return false;
}

/* RFC 7293 sec. 6: with ";C" a header field may say it, in a line; not before chunks, of which none is its own. */
static bool may_be_a_field(const struct client_message *m, const struct client_rcpt *r)
{
	return r->since_may_end && r->address.n <= FIELD_ADDRESS_MAX && !(m->flags & ENV_BINARY);
}

static bool is_a_field(const struct smtp_client *c, const struct client_rcpt *r)
{
	return r->valid_since > 0 && !client_is_offered(c, EXT_RRVS);
}

/* To a server without SMTPUTF8 an address whose domain alone is not ASCII goes with A-labels (RFC 5891). */
static void make_ascii(struct client_message *m)
{
	m->sender = address_made_ascii(m->mem, m->sender);
	for (size_t i = 0; i < m->n_rcpt; i++)
		m->rcpt[i].address = address_made_ascii(m->mem, m->rcpt[i].address);
}

/* RFC 2852 sec. 4.2: with R, never to a server that does not keep it, nor when the time is over. */
static void settle_deliver_by(const struct smtp_client *c, struct client_message *m)
{
	if (!m->has_by || !(m->flags & ENV_BY_RETURN))
		return;
	if (m->by_s <= 0)
		client_settle_all_own(m, CLIENT_BOUNCED, "5.4.7", "the time in which it was to be delivered is over");
	else if (client_is_offered(c, EXT_DELIVERBY) && (uint64_t)m->by_s < c->by_least_s)
		client_settle_all_own(m, CLIENT_BOUNCED, "5.4.7",
			arena_printf(m->mem,
				"it was to be delivered within %lld seconds, and the next server takes no less than "
				"%llu",
				(long long)m->by_s, (unsigned long long)c->by_least_s));
	else if (!client_is_offered(c, EXT_DELIVERBY))
		client_settle_all_own(m, CLIENT_BOUNCED, "5.3.3", "DELIVERBY is required, but was not offered by host");
}

/* What this server can never take, found before a command is spent on it. */
void client_settle_impossible(struct smtp_client *c, struct client_message *m)
{
	static const char utf8_text[] = "SMTPUTF8 is required, but was not offered by host";
	bool utf8 = client_is_offered(c, EXT_SMTPUTF8);

	if (c->size_limit > 0 && m->size > c->size_limit)
		client_settle_all_own(m, CLIENT_BOUNCED, "5.3.4",
			arena_printf(m->mem, "message size %llu exceeds size limit %llu of server",
				(unsigned long long)m->size, (unsigned long long)c->size_limit));
	settle_deliver_by(c, m);
	/* RFC 8689 sec. 5: a report is not lost for it. */
	if ((m->flags & ENV_REQUIRETLS) && m->sender.n > 0 && !c->options.lmtp &&
		!(c->secured && client_is_offered(c, EXT_REQUIRETLS)))
		client_settle_all_own(m, CLIENT_BOUNCED, "5.7.30", /* RFC 8689 sec. 4.2.1 */
			"REQUIRETLS is required, but was not offered by host");
	if (!utf8)
		make_ascii(m);
	if (!utf8 && (m->utf8_header || str_is_8bit(m->sender)))
		client_settle_all_own(m, CLIENT_BOUNCED, "5.6.7", utf8_text); /* RFC 6531 sec. 3.5 */
	if (has_control(m->sender) || has_control(m->envid))
		client_settle_all_own(m, CLIENT_BOUNCED, "5.1.7", "the sender address has control characters");
	for (size_t i = 0; i < m->n_rcpt; i++) {
		struct client_rcpt *r = &m->rcpt[i];

		if (r->outcome != CLIENT_OPEN)
			continue;
		if (has_control(r->address) || has_control(r->orcpt))
			client_settle_own(r, CLIENT_BOUNCED, "5.1.3", "the recipient address has control characters");
		else if (!utf8 && str_is_8bit(r->address))
			client_settle_own(r, CLIENT_BOUNCED, "5.6.7", utf8_text);
		else if (is_a_field(c, r) && !may_be_a_field(m, r))
			client_settle_own(r, CLIENT_BOUNCED, "5.7.19", "RRVS is required, but was not offered by host");
	}
}

/* May this session have a recipient of that domain? A new one is counted. */
static bool has_room_for_domain(struct smtp_client *c, struct str address)
{
	ptrdiff_t at = str_rchr(address, '@');
	uint64_t hash = 5381;

	if (c->domain_max == 0)
		return true;
	for (size_t i = at < 0 ? address.n : (size_t)at + 1; i < address.n; i++)
		hash = hash * 33 ^ (unsigned char)ascii_lower(address.p[i]);
	for (size_t i = 0; i < c->n_domain; i++)
		if (c->domain[i] == hash)
			return true;
	if (c->n_domain >= c->domain_max)
		return false;
	c->domain[c->n_domain++] = hash;
	return true;
}

/*
 * RFC 9422: what the server would refuse is not sent now; nor, with a field that names one recipient, any other (RFC 7293
 * sec. 7). Returns how many recipients are.
 */
size_t client_hold_back(struct smtp_client *c, struct client_message *m)
{
	bool field = false;
	size_t open = 0;

	for (size_t i = 0; i < m->n_rcpt; i++) {
		struct client_rcpt *r = &m->rcpt[i];

		if (r->outcome != CLIENT_OPEN)
			continue;
		r->held_back = (c->rcpt_max > 0 && open >= c->rcpt_max) || (open > 0 && (field || is_a_field(c, r))) ||
			       !has_room_for_domain(c, r->address);
		if (r->held_back)
			continue;
		open++;
		field = is_a_field(c, r);
	}
	return open;
}
