/* active.c - a message whose turn has come: envelope into memory, recipients routed, one unit for each destination. */
#include "queued/queued.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

enum {
	MESSAGES_A_TURN = 256,
	FRESH_TURNS = 8 /* one of so many is for mail that is tried again, when both wait */,
	URGENT_TURNS = 4 /* one of so many is for mail that is not urgent, when both wait */
};

struct active *active_new(struct queued *q, struct message *m, struct arena *mem, const struct envelope *e)
{
	struct active *a = arena_alloc(mem, sizeof *a);
	struct rcpt_ref *refs = message_rcpts(m);
	uint32_t ref = 0;

	(void)q;
	a->message = m;
	a->mem = mem;
	a->env = *e;
	a->rcpt = arena_array(mem, m->n_rcpt, sizeof *a->rcpt);
	for (size_t i = 0; i < e->n_rcpt && ref < m->n_rcpt; i++) {
		struct active_rcpt *r = &a->rcpt[a->n];

		if (e->rcpt[i].index != refs[ref].index) /* done before; both are in the same order */
			continue;
		r->active = a;
		r->rcpt = &e->rcpt[i];
		r->ref = refs[ref++];
		a->n++;
	}
	m->active = a;
	return a;
}

void active_rcpt_end(struct active_rcpt *r, enum rcpt_status status, const char *dsn, struct str text)
{
	struct arena *mem = r->active->mem;

	r->outcome = (uint8_t)status;
	r->dsn = arena_dup(mem, str_c(dsn));
	r->text = arena_dup(mem, text);
}

/* "5.1.1 text" or "text", as in transport_maps "error:5.1.1 text": code of the right class, and what is behind it. */
static struct str split_dsn(struct str text, char class, char dsn[16], const char *otherwise)
{
	struct str rest = text, code;

	memcpy(dsn, otherwise, strlen(otherwise) + 1);
	if (!str_word(&rest, " ", &code) || code.n < 5 || code.n > 11 || code.p[0] != class || code.p[1] != '.')
		return text;
	for (size_t i = 0; i < code.n; i++)
		if (!ascii_is_digit(code.p[i]) && code.p[i] != '.')
			return text;
	memcpy(dsn, code.p, code.n);
	dsn[code.n] = '\0';
	return str_trim(rest);
}

/* Services that need no agent. */
static bool ends_here(struct queued *q, struct active_rcpt *r, const struct service *s, struct str nexthop)
{
	char dsn[16];
	struct str text;

	switch (s->kind) {
	case SERVICE_ERROR:
		text = split_dsn(nexthop, '5', dsn, "5.0.0");
		active_rcpt_end(r, RCPT_BOUNCED, dsn, text);
		log_rcpt(q, r, "bounced");
		return true;
	case SERVICE_RETRY:
		text = split_dsn(s->fault ? str_c(s->fault) : nexthop, '4', dsn, s->fault ? "4.3.5" : "4.3.0");
		active_rcpt_end(r, RCPT_DEFERRED, dsn, text);
		log_rcpt(q, r, "deferred");
		return true;
	case SERVICE_DISCARD:
		active_rcpt_end(r, RCPT_SENT, "2.0.0", nexthop.n ? nexthop : STR("discarded"));
		log_rcpt(q, r, "sent");
		return true;
	case SERVICE_RELAY:
	case SERVICE_DELIVER:
		break;
	}
	return false;
}

static bool suspended(struct queued *q, struct active_rcpt *r, const struct dest *d)
{
	char text[512];
	int n;

	if (!dest_is_dead(q, d))
		return false;
	n = snprintf(text, sizeof text, "delivery temporarily suspended: %s", d->why ? d->why : "");
	active_rcpt_end(r, RCPT_DEFERRED, d->why_dsn, str_pn(text, n < (int)sizeof text ? (size_t)n : sizeof text - 1));
	log_rcpt(q, r, "deferred");
	return true;
}

/* May its envelope have to be looked at, whatever its destination does? */
static bool is_old(const struct queued *q, const struct message *m)
{
	uint64_t now = queue_now_us(q), age_s = now > m->arrival_us ? (now - m->arrival_us) / 1000000 : 0;

	return m->is_timed || age_s >= q->lifetime_s || age_s >= q->bounce_lifetime_s ||
	       (q->delay_warning_s > 0 && age_s >= q->delay_warning_s && !(m->flags & MF_WARNED));
}

/* Spread, so that mail of one moment does not come back in one moment. */
static void wait_a_while(struct queued *q, struct message *m)
{
	uint64_t mixed = m->id * 0x9E3779B97F4A7C15U >> 32;

	message_wait(q, m, q->min_backoff_s + mixed % (q->min_backoff_s + 1));
}

/* Its only destination is dead, or refuses: back it goes, without so much as a look at its envelope. */
static bool waits_for_dest(struct queued *q, struct message *m)
{
	const struct dest *d = m->dest ? dest_by_number(q, m->dest) : NULL;

	if (d == NULL || !(dest_is_dead(q, d) || dest_refuses(q, d)) || is_old(q, m))
		return false;
	wait_a_while(q, m);
	return true;
}

static bool is_full(size_t n)
{
	return n == 0 || (n & (n - 1)) == 0;
}

static size_t octets_of(const struct active_rcpt *r)
{
	enum { FIXED_OCTETS = 64 };

	return FIXED_OCTETS + r->rcpt->address.n + r->rcpt->original.n + r->rcpt->orcpt.n;
}

/* A job is one message of ipc.h: the longer the list of extents, the fewer recipients. */
static bool has_room(const struct unit *u, const struct active_rcpt *r)
{
	enum { REST_OCTETS = 24 * 1024, EXTENT_OCTETS = 20 };
	size_t others = REST_OCTETS + u->active->env.n_extent * EXTENT_OCTETS;

	return u->n < u->dest->service->rcpts_limit && u->octets + octets_of(r) + others <= IPC_MAX_OCTETS;
}

/* The unit of its destination that has room; the first one of a destination joins `units`. */
static void add_to_unit(struct active *a, struct active_rcpt *r, struct unit **units)
{
	struct dest *d = r->dest;
	struct unit *u = d->filling;

	if (u == NULL || !has_room(u, r)) {
		u = xcalloc(1, sizeof *u);
		u->active = a;
		u->dest = d;
		a->units++;
		if (d->filling) {
			d->filling->more = u;
		} else {
			u->next = *units;
			*units = u;
		}
		d->filling = u;
	}
	if (is_full(u->n))
		u->rcpt = xrealloc(u->rcpt, (u->n ? u->n * 2 : 1) * sizeof(struct active_rcpt *));
	u->rcpt[u->n++] = r;
	u->octets += octets_of(r);
}

static void push_units(struct queued *q, struct unit *units)
{
	struct unit *next;

	for (struct unit *u = units; u; u = u->next)
		u->dest->filling = NULL;
	for (struct unit *u = units; u; u = next) {
		next = u->next;
		u->next = NULL;
		dest_push(q, u, false);
	}
}

/* Where each recipient goes; the only destination of all, or NULL. */
static struct dest *find_dests(struct queued *q, struct active *a)
{
	struct dest *only = NULL;
	bool many = false;

	for (size_t i = 0; i < a->n; i++) {
		struct active_rcpt *r = &a->rcpt[i];
		struct service *s;

		if (r->outcome)
			continue;
		s = service_get(q, r->route.service);
		if (ends_here(q, r, s, r->route.nexthop))
			continue;
		r->dest = dest_get(q, s, r->route.nexthop);
		many |= only && only != r->dest;
		only = r->dest;
	}
	for (size_t i = 0; i < a->n; i++) {
		many |= a->rcpt[i].outcome != 0;
		map_done(&a->rcpt[i].route);
	}
	return many ? NULL : only;
}

/* What is urgent or old may make a crowd larger, but not without end: half of all room is for others. */
static bool is_parked(const struct queued *q, const struct message *m, const struct dest *d)
{
	if (dest_is_dead(q, d) || !dest_is_crowded(q, d))
		return false;
	return (m->priority <= 0 && !is_old(q, m)) || d->queued >= q->active_limit / 2;
}

/* Its only destination takes none of it now: back it goes, as if its turn had not come. */
static bool goes_back(struct queued *q, struct active *a, struct dest *only)
{
	struct message *m = a->message;

	if (only == NULL || (m->flags & (MF_DELETED | MF_HELD)))
		return false;
	if (m->attempts > 0 && dest_refuses(q, only) && !is_old(q, m)) {
		active_free(q, a);
		wait_a_while(q, m);
		return true;
	}
	if (is_parked(q, m, only)) {
		active_free(q, a);
		message_park(q, m, only);
		return true;
	}
	return false;
}

/* All recipients are routed: those without an outcome become units. */
static void dispatch(struct queued *q, struct active *a)
{
	struct unit *units = NULL;
	struct dest *only = find_dests(q, a);

	a->message->dest = only ? only->number : 0;
	if (goes_back(q, a, only))
		return;
	for (size_t i = 0; i < a->n; i++) {
		struct active_rcpt *r = &a->rcpt[i];

		if (r->outcome == 0 && !suspended(q, r, r->dest))
			add_to_unit(a, r, &units);
	}
	if (a->units == 0)
		round_end(q, a);
	else
		push_units(q, units);
}

static struct queued *the_queue; /* answers of mapd have no other way to it; a process has one */

static void on_route(struct map_request *request)
{
	struct active_rcpt *r = container_of(request, struct active_rcpt, route);
	struct active *a = r->active;

	r->is_routing = false;
	if (request->status != MAP_FOUND) {
		active_rcpt_end(
			r, RCPT_DEFERRED, "4.3.0", request->why.n ? request->why : STR("address lookup failed"));
		log_rcpt(the_queue, r, "deferred");
	}
	if (--a->routing == 0) {
		dispatch(the_queue, a);
		take_wake(the_queue);
	}
}

static void route(struct queued *q, struct active *a)
{
	the_queue = q;
	for (size_t i = 0; i < a->n; i++) {
		if (a->rcpt[i].rcpt->notify & NOTIFY_EXPANDED) /* nothing is left to be done but the report */
			active_rcpt_end(&a->rcpt[i], RCPT_SENT, "2.0.0", STR("alias expanded"));
		else
			a->routing++;
	}
	if (a->routing == 0) {
		dispatch(q, a);
		return;
	}
	for (size_t i = 0; i < a->n; i++) {
		struct active_rcpt *r = &a->rcpt[i];

		if (r->outcome)
			continue;
		r->is_routing = true;
		r->route.on_answer = on_route;
		map_route(q->map, &r->route, r->rcpt->address, a->env.sender);
	}
}

/* What was damaged when it was taken up may have been a disk that gave it wrong. */
static bool is_whole(struct queued *q, struct active *a)
{
	struct message *m = a->message;
	char id[ENVELOPE_ID_TEXT];

	if (a->env.flags & ENV_LOST)
		return false;
	if (m->content_is_damaged && message_content_is_whole(q, &a->env) == 1) {
		m->content_is_damaged = false;
		q->damaged--;
		log_info("%s: its content checks again", envelope_id_text(m->id, id));
	}
	return !m->content_is_damaged;
}

/*
 * FUTURERELEASE (RFC 4865): back it goes until then, by the wall clock; which may be set meanwhile, so that it is looked at
 * now and then. Its lifetime begins with its release.
 */
static bool is_held_for_the_future(struct queued *q, struct message *m, const struct envelope *e)
{
	uint64_t now = queue_now_us(q), until = e->hold_until_us > 0 ? wall_to_queue_us(q, e->hold_until_us) : 0;
	uint64_t left_s;

	if (until > m->arrival_us)
		m->arrival_us = until;
	if (until <= now || (m->flags & (MF_DELETED | MF_EXPIRE))) {
		if (e->hold_until_us > 0 && m->arrival_us > now) /* it was set forward again */
			m->arrival_us = now;
		return false;
	}
	left_s = (until - now) / 1000000 + 1;
	m->active = NULL;
	message_wait(q, m, left_s < q->max_backoff_s ? left_s : q->max_backoff_s);
	return true;
}

void activate(struct queued *q, struct message *m)
{
	struct active *a = m->active;
	struct arena *mem = a ? a->mem : arena_new(2048);
	char id[ENVELOPE_ID_TEXT];

	if (a == NULL) {
		struct envelope e;
		int err = message_envelope(q, m, mem, &e);

		if (err != 0) {
			log_error("%s: its envelope cannot be read: %s; tried again later", envelope_id_text(m->id, id),
				strerror(-err));
			arena_free(&mem);
			message_wait(q, m, q->max_backoff_s);
			return;
		}
		a = active_new(q, m, mem, &e);
	}
	if (is_held_for_the_future(q, m, &a->env)) {
		arena_free(&mem);
		return;
	}
	message_unlink(q, m);
	m->state = MSG_ACTIVE;
	q->n_active++;
	a->active_us = queue_now_us(q);
	log_info("%s: from=<%.*s>, size=%llu, nrcpt=%zu (queue active)", envelope_id_text(m->id, id),
		STR_ARG(a->env.sender), (unsigned long long)a->env.size, a->n);
	if (a->n == 0) { /* nothing is left to be done */
		round_end(q, a);
		return;
	}
	if ((m->flags & MF_EXPIRE) || by_is_over(q, a))
		round_expire(q, a);
	else if (!is_whole(q, a))
		round_damaged(q, a);
	else
		route(q, a);
}

/* The first of the highest priority; now and then of the lowest, so that it gets on too. */
static struct message *next_urgent(const struct queued *q)
{
	bool lowest = q->pump_turn % (4 * URGENT_TURNS) == 1;
	struct message *m = NULL;

	for (size_t i = PRIORITY_MAX; i > 0; i--)
		if (q->urgent[i - 1].n > 0 && (m == NULL || lowest))
			m = q->urgent[i - 1].first;
	return m;
}

/*
 * Fresh mail and mail that is tried again take turns: neither starves the other, but fresh mail comes first. Urgent mail
 * comes before both, and leaves them one turn of URGENT_TURNS.
 */
static struct message *next_ready(struct queued *q)
{
	bool others = q->fresh.n || q->due.n;

	q->pump_turn++;
	if (q->n_urgent > 0 && (!others || q->pump_turn % URGENT_TURNS != 0))
		return next_urgent(q);
	return (q->pump_turn % FRESH_TURNS == 0 && q->due.n) || q->fresh.n == 0 ? q->due.first : q->fresh.first;
}

void active_pump(struct queued *q)
{
	unsigned n = 0;

	while (n++ < MESSAGES_A_TURN && q->n_active < q->active_limit && messages_ready(q) > 0) {
		struct message *m = next_ready(q);

		if (m->flags & MF_MOVING) { /* its new place is not known yet */
			message_wait(q, m, 1);
			continue;
		}
		if ((m->flags & MF_FRESH) == 0 && waits_for_dest(q, m))
			continue;
		activate(q, m);
	}
}

static void free_unit(struct unit *u)
{
	free(u->generation);
	free(u->rcpt);
	free(u);
}

bool unit_goes_back(struct queued *q, struct unit *u)
{
	struct active *a = u->active;
	struct message *m = a->message;

	if (m->attempts == 0 || u->n < a->n || is_old(q, m))
		return false;
	free_unit(u);
	active_free(q, a);
	wait_a_while(q, m);
	return true;
}

void unit_done(struct queued *q, struct unit *u)
{
	struct active *a = u->active;
	uint32_t *index = arena_array(a->mem, u->n, sizeof *index), n = 0;

	a->units--;
	/* The last unit's results go with those of the whole message; one that is owed a report waits for it. */
	for (size_t i = 0; i < u->n && (a->units > 0 || a->routing > 0); i++) {
		if (u->rcpt[i]->outcome != RCPT_SENT || wants_success(u->rcpt[i]))
			continue;
		index[n++] = u->rcpt[i]->ref.index;
		u->rcpt[i]->is_recorded = true;
	}
	if (n > 0)
		result_done(q, a->message, index, n);
	free_unit(u);
	if (a->units == 0 && a->routing == 0)
		round_end(q, a);
}
