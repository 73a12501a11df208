/*
 * fetch.h - HTTP requests of authd. authd makes no connection of its own: fetchd, a process with a network and no secrets but
 * those of the request, carries them (msg/fetch_msg.h). The URLs are known when auth.conf has been read; a request names one.
 *
 *	settings	fetch_site_add(&set->fetch, url, …)	gives the number of the site
 *	a request	fetch_start(a->fetch, &call, site, &ask)	then call.done, once, from the loop
 *
 * Certificates are verified, always. No redirection is followed. An answer is at most FETCH_BODY_MAX octets, and there is
 * one, or a reason, within the time-out. fetchd says in the log when a server goes away, and when it is back.
 */
#ifndef AUTHD_FETCH_H
#define AUTHD_FETCH_H

#include "msg/fetch_msg.h"

struct fetch_sites { /* part of the settings; texts live as long as those */
	struct fetch_site {
		const char *url;
		const char *authorities; /* file of certificates in PEM; "": those of the system */
		int fd;			 /* of that file; -1: none */
		uint32_t idle_s;
		enum fetch_loss loss;
	} site[FETCH_SITES_MAX];
	size_t n;
};

struct fetch_site_settings {
	const char *url;	 /* https: or, to a server on this machine or with a warning, http: */
	const char *authorities; /* tls_ca_cert_file; "": those of the system */
	uint64_t idle_ms;	 /* how long a connection is kept that nobody uses; 0: as is usual (a minute) */
	enum fetch_loss loss;
	bool takes_suffix; /* requests add something to the URL, which needs a path for it */
};

/*
 * Once for each URL, at the reading of the settings, before the jail. The texts stay the caller's. Returns its number; or -1,
 * and in *why what is wrong with it (static, or in the arena that is passed with it).
 */
int fetch_site_add(struct fetch_sites *s, const struct fetch_site_settings *set, struct arena *mem, const char **why);
/* Does this URL send what it carries through a network for everybody to read? Then a warning is due. */
bool fetch_site_is_open(const char *url);
void fetch_sites_close(struct fetch_sites *s);

struct fetch;
/* `sites` must outlive it. */
struct fetch *fetch_new(uv_loop_t *loop, const struct fetch_sites *sites);
/* A channel to fetchd (child.h: on_peer). Takes: fd. Replaces the one before: its calls are sent again. */
void fetch_peer(struct fetch *f, int fd);
size_t fetch_under_way(const struct fetch *f);

struct fetch_call { /* embedded in its owner; zeroed, done set, before fetch_start() */
	/* The slices of the answer live until it returns. c may be used again, or freed, from within. */
	void (*done)(struct fetch_call *c, const struct fetch_answer *a);
	/* fetch.c's */
	struct fetch *fetch; /* NULL: not under way */
	struct fetch_call *next, **link;
	uint32_t id;
	uint64_t deadline_ms;
	struct buf message;
	const char *refused;
};

/*
 * Ask. c->done is called once, from the loop, never from within; when too many calls are under way, or the time is over, with
 * a->why. The texts of `ask` are copied; a time-out of 0, or too long a one, is the longest.
 */
void fetch_start(struct fetch *f, struct fetch_call *c, int site, const struct fetch_ask *ask);
/* No callback will come; nothing happens when it is not under way. */
void fetch_cancel(struct fetch_call *c);

/* For a form or a URL (RFC 3986 sec. 2.1): all but unreserved characters as %XX. 0, or -1: over the buffer's maximum. */
int fetch_escape(struct buf *out, struct str s);

#endif
