/*
 * What one client does to this instance: its connections now, and its connections, messages, recipients, new TLS sessions
 * and logins of the last anvil_rate_time_unit (smtpd_client_*_limit). A client is an address, or a network of
 * smtpd_client_ipv4_prefix_length or smtpd_client_ipv6_prefix_length bits: who has one address of an IPv6 /64 has all.
 * All smtpds count together (base/counts.h), for each service of master.cf.
 */
#include "smtpd/smtpd.h"

#include <stdio.h>

enum { ADDRESS_OCTETS = 16 };

_Static_assert((int)EVENT_COUNT <= (int)COUNTS_EVENTS, "base/counts.h has room for all events");

static const char *const event_names[EVENT_COUNT] = { "Connection", "Message delivery request", "Recipient address",
	"New TLS session", "AUTH command", "Failed login", "Unknown recipient" };

/* Of what is counted. */
static uint64_t clock_ms(void)
{
	return counts_now(smtpd.counts, now_ms());
}

/* The same in all processes, and after a reload. */
static uint64_t key_of(const struct session *s)
{
	bool v6 = s->peer.any.sa_family == AF_INET6;
	unsigned bits = v6 ? s->service->v6_prefix : s->service->v4_prefix;
	unsigned char network[ADDRESS_OCTETS] = { 0 };
	char text[256];
	size_t n;
	uint64_t key;

	if (v6)
		memcpy(network, &s->peer.v6.sin6_addr, sizeof s->peer.v6.sin6_addr);
	else
		memcpy(network, &s->peer.v4.sin_addr, sizeof s->peer.v4.sin_addr);
	for (unsigned i = bits; i < ADDRESS_OCTETS * 8; i++)
		network[i / 8] &= (unsigned char)~(0x80 >> i % 8);
	memcpy(text, network, sizeof network);
	n = sizeof network;
	n += (size_t)snprintf(text + n, sizeof text - n, "%c%.100s", v6 ? '6' : '4', s->service->row->name);
	key = str_hash_keyed(str_pn(text, n), smtpd.child.seed);
	return key ? key : 1;
}

static struct count_sum sum_of(const struct session *s)
{
	struct count_sum sum;

	counts_sum(smtpd.counts, s->client_key, clock_ms(), s->service->rate_unit_ms, &sum);
	return sum;
}

unsigned client_enter(struct session *s)
{
	s->client_key = key_of(s);
	s->client = counts_of(smtpd.counts, s->client_key, clock_ms());
	if (s->client)
		s->client->open++;
	return sum_of(s).open;
}

void client_leave(struct session *s)
{
	if (s->client == NULL)
		return;
	require(s->client->open > 0);
	s->client->open--;
	s->client = NULL;
}

void client_count(struct session *s, enum client_event e)
{
	if (s->client)
		counts_add(smtpd.counts, s->client, e, clock_ms(), s->service->rate_unit_ms);
}

bool client_is_exempt(const struct session *s)
{
	if (s->service->is_local) /* what stands for an address there is a uid */
		return s->uid == 0;
	return match_list_addr(s->service->limit_exceptions, &s->peer.any);
}

bool client_may(struct session *s, enum client_event e)
{
	unsigned limit = s->service->rate_limit[e], count;

	if (limit == 0 || client_is_exempt(s))
		return true;
	count = sum_of(s).count[e];
	if (count < limit)
		return true;
	log_warn("%s rate limit exceeded: %u from %s for service %s", event_names[e], count + 1, client_text(s),
		s->service->row->name);
	return false;
}

void client_waited(struct session *s)
{
	uint64_t until = clock_ms() + s->service->greet_ttl_ms;

	if (s->client == NULL)
		return;
	s->client->known_until_ms = until;
	if (s->client->keep_ms < until)
		s->client->keep_ms = until;
}

bool client_has_waited(const struct session *s)
{
	return clock_ms() < sum_of(s).known_until_ms;
}
