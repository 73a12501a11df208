/*
 * What one client does to this process: its connections now, and its connections, messages, recipients, new TLS
 * sessions and logins of the last anvil_rate_time_unit (smtpd_client_*_limit). A client is an address, or a network of
 * smtpd_client_ipv4_prefix_length or smtpd_client_ipv6_prefix_length bits: who has one address of an IPv6 /64 has all.
 */
#include "smtpd/smtpd.h"

#include <stdlib.h>

enum { BUCKETS = 4096, KEY_OCTETS = 16, REMEMBERED_MAX = 100 * 1000 };

struct client {
	struct client *next;
	const struct service *service;
	unsigned char key[KEY_OCTETS];
	unsigned connections;
	uint64_t waited_until_ms; /* it is greeted at once up to then */
	uint64_t since_ms;	  /* count is of the unit of time that began then */
	unsigned count[EVENT_COUNT];
};
static struct client *buckets[BUCKETS];
static size_t n_clients;

static const char *const event_names[EVENT_COUNT] = { "Connection", "Message delivery request", "Recipient address",
	"New TLS session", "AUTH command" };

static void key_of(const struct session *s, unsigned char key[KEY_OCTETS])
{
	bool v6 = s->peer.any.sa_family == AF_INET6;
	unsigned bits = v6 ? s->service->v6_prefix : s->service->v4_prefix;

	memset(key, 0, KEY_OCTETS);
	if (v6)
		memcpy(key, &s->peer.v6.sin6_addr, sizeof s->peer.v6.sin6_addr);
	else
		memcpy(key, &s->peer.v4.sin_addr, sizeof s->peer.v4.sin_addr);
	for (unsigned i = bits; i < KEY_OCTETS * 8; i++)
		key[i / 8] &= (unsigned char)~(0x80 >> i % 8);
}

static bool is_over(const struct client *c)
{
	uint64_t now = now_ms();

	return c->connections == 0 && now - c->since_ms >= c->service->rate_unit_ms && now >= c->waited_until_ms;
}

/* Where it is, or would be. Those in its way that are long gone are forgotten. */
static struct client **find(const struct service *service, const unsigned char key[KEY_OCTETS])
{
	struct client **at = &buckets[str_hash(str_pn(key, KEY_OCTETS)) % BUCKETS];

	while (*at && ((*at)->service != service || memcmp((*at)->key, key, KEY_OCTETS) != 0)) {
		struct client *c = *at;

		if (!is_over(c)) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		n_clients--;
		free(c);
	}
	return at;
}

unsigned client_enter(struct session *s)
{
	unsigned char key[KEY_OCTETS];
	struct client **at;

	key_of(s, key);
	at = find(s->service, key);
	if (*at == NULL) {
		*at = xcalloc(1, sizeof **at);
		n_clients++;
		(*at)->service = s->service;
		(*at)->since_ms = now_ms();
		memcpy((*at)->key, key, KEY_OCTETS);
	}
	s->client = *at;
	return ++s->client->connections;
}

void client_leave(struct session *s)
{
	require(s->client && s->client->connections > 0);
	s->client->connections--; /* find() forgets it when its counts are of no use any more */
	s->client = NULL;
}

void client_count(struct session *s, enum client_event e)
{
	struct client *c = s->client;

	if (now_ms() - c->since_ms >= s->service->rate_unit_ms) {
		c->since_ms = now_ms();
		memset(c->count, 0, sizeof c->count);
	}
	c->count[e]++;
}

bool client_is_exempt(const struct session *s)
{
	return (s->service->is_local && s->uid == 0) || match_list_addr(s->service->limit_exceptions, &s->peer.any);
}

bool client_may(struct session *s, enum client_event e)
{
	const struct client *c = s->client;
	unsigned limit = s->service->rate_limit[e];

	if (limit == 0 || now_ms() - c->since_ms >= s->service->rate_unit_ms || c->count[e] < limit ||
		client_is_exempt(s))
		return true;
	log_warn("%s rate limit exceeded: %u from %s for service %s", event_names[e], c->count[e] + 1, client_text(s),
		s->service->row->name);
	return false;
}

void client_waited(struct session *s)
{
	if (n_clients < REMEMBERED_MAX)
		s->client->waited_until_ms = now_ms() + s->service->greet_ttl_ms;
}

bool client_has_waited(const struct session *s)
{
	return now_ms() < s->client->waited_until_ms;
}
