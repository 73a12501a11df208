/*
 * control.h - the clients of public/queue: control.c (the socket), walk.c (list, change), filter.c, cat.c, top.c.
 *
 * A client asks one line and is answered bit by bit: as much at a time as it reads, and for a few milliseconds a turn of
 * the loop, so that a question about a million messages holds up no mail.
 */
#ifndef QUEUED_CONTROL_H
#define QUEUED_CONTROL_H

#include "queued/queued.h"
#include "child/users.h"

enum { OUT_OCTETS = 256 * 1024 }; /* gathered before it is written */

/* Which messages: all that is set has to fit. Slices point into client.in, which stays as long as the client. */
struct filter {
	struct str sender, recipient, site, reason; /* patterns; p == NULL: any */
	bool site_is_glob;
	uint32_t site_key; /* of a site that is a domain: domain_key() */
	uint64_t older_s;
	unsigned queues; /* bit of each enum queue_name; 0: any */
};
enum queue_name { QUEUE_INCOMING, QUEUE_ACTIVE, QUEUE_DEFERRED, QUEUE_HOLD, QUEUE_NAMES };

struct client {
	uv_poll_t poll;
	struct control *control;
	struct queued *q;
	int fd;
	uid_t uid;
	struct buf in, out;
	struct str line; /* what it asked, in `in`, without "progress" */
	bool asked, progress;
	bool waits; /* for the end of recovery: in control.waiting */
	struct client *next_waiting;
	/* What is under way: puts something into out. False: that was all. NULL: nothing. */
	bool (*more)(struct client *c);
	size_t at; /* of a walk */
	struct filter filter;
	bool (*change)(struct queued *q, struct message *m);
	size_t changed, seen, of; /* messages: changed, looked at, there were when it began */
	uint64_t told_ms;	  /* when the last "progress" was said */
	struct arena *mem;	  /* of cat */
	struct envelope env;
	size_t extent;
	uint32_t extent_at;
	struct top *top;
};

/* control.c, control_text.c. For how long this client may keep the loop now, by uv_hrtime(). */
uint64_t client_until(const struct client *c);
void put_json(struct buf *out, struct str s);
enum queue_name queue_of(const struct message *m);
const char *queue_name_text(enum queue_name n);

/* filter.c */
/* "sender=PATTERN" … of a request. False: not understood. */
bool filter_take(struct filter *f, struct str word);
/* The site of that name, which is no pattern. */
void filter_take_domain(struct filter *f, struct str domain);
/* Can it be said without the envelope that it does not fit? */
bool filter_may_fit(const struct queued *q, const struct filter *f, struct message *m);
bool filter_needs_envelope(const struct filter *f);
bool filter_fits_envelope(const struct filter *f, struct message *m, const struct envelope *e);

/* walk.c */
bool walk_list(struct client *c);
bool walk_change(struct client *c);
/* One message, if it fits the client's filter: changed, and counted, or listed. */
void walk_visit(struct client *c, struct message *m);

/* cat.c */
/* False: its envelope cannot be read. */
bool cat_begin(struct client *c, const struct message *m);
bool cat_more(struct client *c);

/* top.c */
void top_begin(struct client *c);
bool top_more(struct client *c);
void top_free(struct client *c);

#endif
