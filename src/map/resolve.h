/*
 * resolve.h - what an address is and where it goes: Postfix's rules (ADDRESS_CLASS_README, virtual(5), transport(5),
 * aliases(5), access(5)) over a table set.
 *
 * Pure but for the tables; read-only after resolver_new(), so that several threads may ask at a time. Over a set of
 * TABLES_LOCAL an answer's status is MAP_ELSEWHERE where a table is needed that only mapd reads.
 */
#ifndef MAP_RESOLVE_H
#define MAP_RESOLVE_H

#include "map/map_client.h"
#include "map/match.h"

/* Expanded values of the parameters of the same names. */
struct resolve_settings {
	const char *myhostname, *mydomain, *myorigin;
	const char *mydestination, *inet_interfaces, *proxy_interfaces;
	const char *virtual_alias_domains, *virtual_mailbox_domains, *relay_domains;
	const char *virtual_alias_maps, *alias_maps, *local_recipient_maps, *virtual_mailbox_maps,
		*relay_recipient_maps;
	const char *transport_maps, *sender_dependent_relayhost_maps, *sender_dependent_default_transport_maps;
	const char *local_transport, *virtual_transport, *relay_transport, *default_transport, *relayhost;
	const char *recipient_delimiter, *propagate_unmatched_extensions, *parent_domain_matches_subdomains;
	const char *empty_address_relayhost_maps_lookup_key, *empty_address_default_transport_maps_lookup_key;
	bool append_dot_mydomain;
	size_t virtual_alias_recursion_limit, virtual_alias_expansion_limit;
};
void resolve_settings_load(struct resolve_settings *s, const struct conf_view *v);

struct resolver;
/* Both are borrowed until resolver_free(). */
struct resolver *resolver_new(const struct resolve_settings *s, struct table_set *set);
void resolver_free(struct resolver **r);

/* Each fills *a, with memory of `mem`. `a` is zeroed first. */
void resolve_lookup(const struct resolver *r, struct str tables, struct str key, enum map_how how, struct arena *mem,
	struct map_answer *a);
void resolve_rcpt(const struct resolver *r, struct str address, struct arena *mem, struct map_answer *a);
void resolve_route(
	const struct resolver *r, struct str address, struct str sender, struct arena *mem, struct map_answer *a);

#endif
