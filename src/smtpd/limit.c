/*
 * How many connections one client has to this process (smtpd_client_connection_count_limit). A client is an IPv4
 * address or an IPv6 /64: who has one address of that has all.
 */
#include "smtpd/smtpd.h"

#include <stdlib.h>

enum { BUCKETS = 1024, KEY_OCTETS = 8 };

struct client_count {
	struct client_count *next;
	unsigned n;
	unsigned char key[KEY_OCTETS];
};
static struct client_count *buckets[BUCKETS];

static void key_of(const struct session *s, unsigned char key[KEY_OCTETS])
{
	memset(key, 0, KEY_OCTETS);
	if (s->peer.any.sa_family == AF_INET6)
		memcpy(key, &s->peer.v6.sin6_addr, KEY_OCTETS);
	else
		memcpy(key, &s->peer.v4.sin_addr, sizeof s->peer.v4.sin_addr);
}

static struct client_count **find(const unsigned char key[KEY_OCTETS])
{
	struct client_count **at = &buckets[str_hash(str_pn(key, KEY_OCTETS)) % BUCKETS];

	while (*at && memcmp((*at)->key, key, KEY_OCTETS) != 0)
		at = &(*at)->next;
	return at;
}

unsigned client_enter(const struct session *s)
{
	unsigned char key[KEY_OCTETS];
	struct client_count **at;

	key_of(s, key);
	at = find(key);
	if (*at == NULL) {
		*at = xcalloc(1, sizeof **at);
		memcpy((*at)->key, key, KEY_OCTETS);
	}
	return ++(*at)->n;
}

void client_leave(const struct session *s)
{
	unsigned char key[KEY_OCTETS];
	struct client_count **at, *gone;

	key_of(s, key);
	at = find(key);
	require(*at && (*at)->n > 0);
	if (--(*at)->n > 0)
		return;
	gone = *at;
	*at = gone->next;
	free(gone);
}
