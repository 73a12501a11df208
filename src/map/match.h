/*
 * match.h - match lists of main.cf over a table set; map_client.h has the part of it that other processes use.
 *
 * An entry is a host, a network, "/file" (its lines are entries) or "type:table"; "!" in front makes it an exception.
 * The first entry that fits decides.
 */
#ifndef MAP_MATCH_H
#define MAP_MATCH_H

#include "map/net.h"
#include "map/table.h"

struct match_list;
enum match_how {
	MATCH_EXACT,  /* a name fits itself (mydestination, virtual_mailbox_domains) */
	MATCH_PARENT, /* a name fits itself and all below it (parent_domain_matches_subdomains) */
	MATCH_DOT     /* a name fits itself; ".name" all below it */
};
/* Reads the files that it names, now. */
struct match_list *match_list_make(struct str list, struct table_set *set, enum match_how how);
void match_list_free(struct match_list **m);
bool match_list_is_empty(const struct match_list *m);
/*
 * Is the host, or the address (NULL: only names are compared), in the list? FOUND, NOT_FOUND, TEMPORARY with why, or
 * ELSEWHERE. host.n == 0: only the address.
 */
enum map_status match_list_find(
	const struct match_list *m, struct str host, const struct net *address, struct buf *why);

#endif
