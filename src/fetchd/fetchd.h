/*
 * fetchd.h - the state of the HTTP client, and what its parts ask of each other.
 *
 *	site.c  the places of the configuration: whom to trust there, is it away
 *	loop.c  libcurl's sockets and timer on the event loop
 *	call.c  one request and its answer
 *	peer.c  authd, the only one who asks
 */
#ifndef FETCHD_FETCHD_H
#define FETCHD_FETCHD_H

#include "child/child.h"
#include "dns/dns.h"
#include "msg/fetch_msg.h"

#include <curl/curl.h>
#include <openssl/ssl.h>

struct site {
	char *url;
	struct fetch_url parsed; /* of url */
	char *shown;		 /* for the log */
	X509_STORE *trusted;	 /* NULL: not https */
	bool is_apart;		 /* another site is at the same place, and other authorities are trusted there */
	uint32_t idle_s;
	uint8_t loss; /* enum fetch_loss */
	bool is_away; /* as it was said in the log */
};

struct peer { /* one authd */
	struct ipc ipc;
	struct peer *next;
	unsigned index;
};

struct call {
	struct call *next, *prev;
	struct peer *peer;
	uint32_t id;
	struct site *site;
	uv_timer_t timer; /* of the whole call */
	struct dns_query dns;
	bool is_asking; /* the DNS */
	bool is_post;
	const char *too_long; /* NULL: no part of the answer is, so far */
	size_t header_octets; /* of the answer, trailers and 1xx included */
	struct buf url, body; /* what goes out */
	struct curl_slist *header, *addresses;
	CURL *easy; /* NULL: not yet */
	char error[CURL_ERROR_SIZE];
	uint32_t max_age_s;
	char etag[FETCH_ETAG_MAX + 1];
	struct buf answer;
};

struct fetchd {
	struct child child;
	struct dns *dns;
	CURLM *multi;
	uv_timer_t timer; /* libcurl's */
	struct buf setup; /* as it was said; n == 0: not yet */
	struct site site[FETCH_SITES_MAX];
	size_t n_sites;
	struct peer *peers;
	struct call *calls;
	size_t n_calls;
	bool is_stopping;
	uint64_t n_answered, n_failed;
};
extern struct fetchd fetchd; /* one per process */

/* main.c: everything is known now; no more files. */
void fetchd_enter_jail(void);
/* Told to end, and nobody is left who could ask. */
void fetchd_exit_if_unused(void);

/* site.c: fds are those of SETUP and stay the caller's. A file without a certificate is told in the log; none is trusted then. */
void sites_load(const struct fetch_setup *s, const int *fds);
/* It gave an answer, or none: one line in the log when that changes. */
void site_answered(struct site *s);
void site_failed(struct site *s, const char *why);

/* memory.c: libcurl is initialised, and wipes what it frees. */
bool memory_take_curl(void);

/* loop.c */
void loop_open(void);

/* call.c */
void call_begin(struct peer *p, uint32_t id, struct site *s, const struct fetch_ask *ask);
/* No answer is sent. */
void call_drop(struct call *c);
/* libcurl is done with it. */
void call_done(struct call *c, CURLcode result);

/* peer.c: takes fd. */
void peer_open(unsigned index, int fd);
void peer_answer(struct peer *p, uint32_t call, const struct fetch_answer *a);

#endif
