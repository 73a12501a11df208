/* resolve_impl.h - shared by the files behind resolve.h only. */
#ifndef MAP_RESOLVE_IMPL_H
#define MAP_RESOLVE_IMPL_H

#include "map/resolve.h"

struct resolver {
	struct resolve_settings set;
	struct table_set *tables;
	struct match_list *mydestination, *virtual_alias_domains, *virtual_mailbox_domains, *relay_domains;
	struct net *own; /* addresses of our interfaces, for user@[1.2.3.4] */
	size_t n_own;
	struct table_list virtual_alias_maps, alias_maps, local_recipient_maps, virtual_mailbox_maps,
		relay_recipient_maps, transport_maps, sender_relayhost, sender_transport;
	bool propagate_virtual, propagate_alias;
	bool access_parents, transport_parents; /* "example.org" stands for all below it too */
};

/* One question: where its memory comes from and where it went wrong. */
struct ask {
	const struct resolver *r;
	struct arena *mem;
	struct buf value, why;
};

/* "local@domain" taken apart; extension begins with its delimiter. */
struct address {
	struct str all, local, domain, user, extension;
};
struct address address_split(const struct resolver *r, struct str all);
/* local@domain with the domain in lower case; without one: @$myorigin; (append_dot_mydomain) "host" gets $mydomain. */
struct str address_complete(const struct ask *q, struct str address);

/* Class of a domain. FOUND: *class. */
enum map_status resolve_class(struct ask *q, struct str domain, enum map_class *class);
/*
 * Look an address up in tables, as virtual(5) says. FOUND: q->value; *unmatched: the extension that no key had (n == 0:
 * none, or it matched).
 */
enum map_status find_address(
	struct ask *q, const struct table_list *tables, const struct address *a, struct str *unmatched);
/* Look one key up. */
enum map_status find_key(struct ask *q, const struct table_list *tables, struct str key, bool part);
/* find.c has the keys of each way to look. */
enum map_status find_how(struct ask *q, const struct table_list *tables, struct str key, enum map_how how);
/* Fills a->expanded, a->alias_loop. FOUND, or TEMPORARY, ELSEWHERE. */
enum map_status resolve_expand(struct ask *q, struct str address, struct map_answer *a);

#endif
