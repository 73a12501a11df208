/*
 * site.c - have all tried that waits for a domain: ETRN (RFC 1985), postqueue -s. The part of a long queue that cannot be
 * looked at in one turn of the loop is looked at in the turns that follow, after the answer; all of it, after a start, when
 * the log is read.
 */
#include "queued/queued.h"

#include <stdlib.h>

enum { TURN_NS = 4000000, LOOK_AT_CLOCK = 256, AGAIN_MS = 2, WALKS_MAX = 32 };

struct site_walk {
	struct site_walk *next;
	struct queued *q;
	uv_timer_t timer;
	struct buf domain; /* as it was asked for */
	uint32_t hash;
	struct str above; /* set: for those below this domain as well */
	size_t at;
	uint32_t n; /* messages that are for it */
};
static struct site_walk *walks;
static unsigned n_walks;

/* Of the domains below another one nothing is in memory. Some of them may be excepted. */
static bool has_rcpt_below(struct queued *q, struct message *m, struct str domain)
{
	const struct rcpt_ref *refs = message_rcpts(m);
	struct arena *mem = arena_new(2048);
	struct envelope e;
	bool found = false;
	uint32_t n = 0;

	if (message_envelope(q, m, mem, &e) != 0)
		e.n_rcpt = 0;
	for (size_t i = 0; i < e.n_rcpt && n < m->n_rcpt && !found; i++) {
		if (e.rcpt[i].index != refs[n].index)
			continue;
		found = address_is_below(e.rcpt[i].address, domain) &&
			match_list_domain(q->flush_domains, address_domain(e.rcpt[i].address));
		n++;
	}
	arena_free(&mem);
	return found;
}

static bool is_for(const struct site_walk *w, struct message *m)
{
	const struct rcpt_ref *refs = message_rcpts(m);

	for (uint32_t i = 0; i < m->n_rcpt; i++)
		if (refs[i].domain == w->hash)
			return true;
	return w->above.n > 0 && has_rcpt_below(w->q, m, w->above);
}

/* True: the end was reached. */
static bool walk_on(struct site_walk *w)
{
	uint64_t until = uv_hrtime() + TURN_NS;

	for (unsigned n = 1;; n++) {
		struct message *m = message_walk(w->q, &w->at);

		if (m == NULL)
			return true;
		if (m->state != MSG_HELD && is_for(w, m)) {
			operate_flush(w->q, m);
			w->n++;
		}
		if ((n % LOOK_AT_CLOCK == 0 || w->above.n > 0) && uv_hrtime() > until)
			return false;
	}
}

static void on_closed(uv_handle_t *handle)
{
	struct site_walk *w = container_of((uv_timer_t *)(void *)handle, struct site_walk, timer);

	buf_free(&w->domain);
	free(w);
}

static void on_timer(uv_timer_t *timer)
{
	struct site_walk *w = container_of(timer, struct site_walk, timer), **at = &walks;

	if (!walk_on(w))
		return;
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	n_walks--;
	uv_close((uv_handle_t *)timer, on_closed);
}

static bool is_under_way(struct str domain)
{
	for (const struct site_walk *w = walks; w; w = w->next)
		if (str_ieq(buf_str(&w->domain), domain))
			return true;
	return false;
}

static void go_on_later(struct queued *q, const struct site_walk *begun, struct str domain)
{
	struct site_walk *w = xcalloc(1, sizeof *w);

	*w = *begun;
	w->domain = BUF_INIT(1024);
	buf_add_str(&w->domain, domain);
	if (w->above.n > 0)
		w->above = str_from(buf_str(&w->domain), 1);
	w->next = walks;
	walks = w;
	n_walks++;
	uv_timer_init(q->child.loop, &w->timer);
	if (!q->recovering) /* else site_recovered() begins it: what is not known yet cannot be flushed */
		uv_timer_start(&w->timer, on_timer, AGAIN_MS, AGAIN_MS);
}

void site_recovered(void)
{
	for (struct site_walk *w = walks; w; w = w->next)
		uv_timer_start(&w->timer, on_timer, AGAIN_MS, AGAIN_MS);
}

uint16_t site_flush(struct queued *q, struct str domain, uint32_t *n)
{
	bool below = domain.n > 0 && domain.p[0] == '@';
	struct str name = str_from(domain, below);
	struct site_walk w = { .q = q, .hash = domain_key(name) };

	*n = 0;
	if (!match_list_domain(q->flush_domains, name))
		return 459;
	if (below)
		w.above = name;
	if (is_under_way(domain))
		return 250;
	if (n_walks >= WALKS_MAX)
		return 458;
	dests_revive(q);
	if (!q->recovering && walk_on(&w)) { /* what is not read yet is looked at when it is */
		*n = w.n;
		return w.n > 0 ? 253 : 251;
	}
	go_on_later(q, &w, domain);
	return w.n > 0 ? 252 : 250;
}
