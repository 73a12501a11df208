/*
 * dns.h - DNS by libunbound, asynchronous on the loop. /etc/resolv.conf and /etc/hosts are read in dns_new(), before the
 * jail. Answers are cached by their TTL and questions under way are shared (libunbound does both).
 */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include "base/arena.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <uv.h>

struct dns;
enum dns_status {
	DNS_OK,
	DNS_NOT_FOUND, /* the name, or a record of that type, does not exist: final */
	DNS_TEMPORARY  /* SERVFAIL, time-out, no server: ask again later */
};

/* `timeout_s`: longest wait for one question. Never NULL; without any server each question ends DNS_TEMPORARY. */
struct dns *dns_new(uv_loop_t *loop, unsigned timeout_s);
/* The same with this server ("127.0.0.1@5353") and this file in the place of /etc/hosts. NULL: as dns_new(). */
struct dns *dns_new_at(uv_loop_t *loop, unsigned timeout_s, const char *server, const char *hosts_path);
/* Questions under way are cancelled. The rest is freed by the loop, which has to run once more. */
void dns_free(struct dns **d);

struct dns_mx {
	uint16_t preference;
	struct str host; /* without the final dot; n == 0: null MX (RFC 7505) */
};
struct dns_addr {
	struct sockaddr_storage addr; /* port 0 */
	socklen_t len;
};

/* One question; embedded in its owner, which is free again after the callback or dns_cancel(). */
struct dns_query {
	struct dns *dns;
	void *under_way;   /* dns.c's; NULL: none */
	struct arena *mem; /* holds the answer; freed by dns_done() */
	enum dns_status status;
	const char *
		why; /* for log and report: "Host or domain name not found. Name service error for name=x type=MX: …" */
	struct dns_mx *mx; /* sorted by preference, equal ones shuffled */
	size_t n_mx;
	struct dns_addr *addr; /* in the order of use: families alternate (RFC 8305), as inet_protocols allows */
	size_t n_addr;
	struct str name; /* PTR */
	bool secure;	 /* DNSSEC */
	void (*on_answer)(struct dns_query *q);
};
/* Each calls q->on_answer exactly once, from the loop, never from within. q is zeroed by the caller, on_answer set. */
void dns_ask_mx(struct dns *d, struct dns_query *q, struct str domain);
/* Addresses of a host; `want4`, `want6` say which families. /etc/hosts counts. */
void dns_ask_addr(struct dns *d, struct dns_query *q, struct str host, bool want4, bool want6);
/* Name of an address, checked forward (the name must lead back to the address): else DNS_NOT_FOUND. */
void dns_ask_name(struct dns *d, struct dns_query *q, const struct sockaddr *addr);
/* No callback will come, and q is as after dns_done(). Nothing happens when no question is under way. */
void dns_cancel(struct dns_query *q);
/* Free the answer. */
void dns_done(struct dns_query *q);

#endif
