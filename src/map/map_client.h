/*
 * map_client.h - what the other processes ask of mapd: a key in tables, what a recipient is, where an address goes.
 *
 * The answers that need nothing but main.cf (inline:, static: tables and plain lists) are computed in the asking process;
 * only what needs a table of another type goes to mapd. Either way the answer comes through the callback, from the loop,
 * never from within the call. mapd gone or slow (10 s): MAP_TEMPORARY.
 */
#ifndef MAP_MAP_CLIENT_H
#define MAP_MAP_CLIENT_H

#include "base/arena.h"
#include "conf/conf.h"
#include "map/map_answer.h"
#include <uv.h>

struct map_client;
/* `conf` must outlive it. */
struct map_client *map_client_new(uv_loop_t *loop, const struct conf *conf);
/* A channel to mapd (child.h: on_peer). Takes: fd. Replaces the one before. */
void map_client_peer(struct map_client *c, int fd);
void map_client_free(struct map_client **c);

struct map_request { /* embedded; zeroed by the caller, on_answer set */
	void (*on_answer)(struct map_request *r);
	struct arena *mem; /* holds the answer; freed by map_done() */
	enum map_status status;
	struct str why;	  /* MAP_TEMPORARY: for the log */
	struct str value; /* map_lookup: the value found */
	/* map_rcpt */
	enum map_class class; /* CLASS_DEFAULT: not ours; accepting it is relaying */
	bool exists;	      /* of our own classes: may the address receive mail? (smtpd_reject_unlisted_recipient) */
	const char *unknown_text; /* exists == false: "User unknown in virtual mailbox table" … as Postfix says it */
	struct str *expanded;	  /* after virtual_alias_maps (recursive, without repeats): where it really goes */
	size_t n_expanded;
	bool alias_loop; /* virtual_alias_recursion_limit or _expansion_limit reached: 451 4.3.0 (Postfix defers) */
	/* map_route */
	struct str service; /* transport: "smtp", "lmtp", "virtual", "local", "relay", "error", "discard", a clone … */
	struct str nexthop; /* "example.org", "[host]:port", "unix:private/dovecot-lmtp"; error: the text */
	/* map_client.c's */
	struct map_client *client;
	struct map_request *next, **link; /* link == NULL: in no list */
	struct str question;		  /* as it was sent, in mem: sent again when mapd was started anew */
	uint16_t question_type;
	uint32_t id;
	uint64_t deadline_ms;
};

/*
 * Look `key` up in the tables of a parameter's value ("hash:/etc/aliases, inline:{…}"), first hit wins.
 * enum map_how says which keys are tried (RFC-5321 address forms as in Postfix's access(5), virtual(5) …).
 */
enum map_how {
	MAP_EXACT,   /* the key as it is */
	MAP_ADDRESS, /* user+ext@domain, user@domain, (user+ext, user when domain is $myorigin or local), @domain */
	MAP_DOMAIN,  /* access(5), domains: example.org and its parents, as parent_domain_matches_subdomains has them */
	MAP_ACCESS,  /* access(5), addresses: user@domain, domain and its parents, user@ */
	MAP_CLIENT   /* access(5), client: name and parent domains, then address and its networks 1.2.3, 1.2, 1;
			 * the key is "name[address]", a name alone, or an address alone */
};
void map_lookup(struct map_client *c, struct map_request *r, struct str tables, struct str key, enum map_how how);
/* What is this recipient? For RCPT and VRFY: class, existence, expansion. `address` is local@domain (or local). */
void map_rcpt(struct map_client *c, struct map_request *r, struct str address);
/* Where does it go? Class, transport_maps, relayhost, sender_dependent_relayhost_maps, *_transport. */
void map_route(struct map_client *c, struct map_request *r, struct str address, struct str sender);
/* No callback will come. map_done() is still due. */
void map_cancel(struct map_request *r);
void map_done(struct map_request *r);

/* Is this domain (this address) in a match list of main.cf, such as mynetworks? Plain entries, CIDR, "!", "/file" and
 * type:table entries that are local; computed here and now. */
struct match_list;
struct match_list *match_list_new(struct str list);
void match_list_free(struct match_list **m);
struct sockaddr;
bool match_list_addr(const struct match_list *m, const struct sockaddr *addr);
bool match_list_host(const struct match_list *m, struct str host);
/* The same of a domain in A-labels or U-labels: an entry, an exception too, may have it in either form. */
bool match_list_domain(const struct match_list *m, struct str domain);

#endif
