/* finish.c - the end of a round: reports, DONE and DEFER, when to try again, when to give up. */
#include "queued/queued.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

static double seconds(uint64_t from_us, uint64_t to_us)
{
	return to_us > from_us ? (double)(to_us - from_us) / 1e6 : 0;
}

/* As Postfix shows a delay: two significant digits below ten, none behind the point from there on. */
static void put_delay(char *out, size_t n, double s)
{
	if (s >= 10)
		snprintf(out, n, "%.0f", s);
	else if (s >= 1)
		snprintf(out, n, "%.1f", s);
	else
		snprintf(out, n, "%.2g", s < 0.005 ? 0 : s);
}

void log_rcpt(struct queued *q, const struct active_rcpt *r, const char *status)
{
	const struct active *a = r->active;
	char id[ENVELOPE_ID_TEXT], all[24], before[24], inside[24], orig[600] = "";
	uint64_t now = queue_now_us(q);

	put_delay(all, sizeof all, seconds(a->message->arrival_us, now));
	put_delay(before, sizeof before, seconds(a->message->arrival_us, a->active_us));
	put_delay(inside, sizeof inside, seconds(a->active_us, now));
	if (r->rcpt->original.n)
		snprintf(orig, sizeof orig, "orig_to=<%.*s>, ", STR_ARG(r->rcpt->original));
	log_info("%s: to=<%.*s>, %srelay=none, delay=%s, delays=%s/%s/0/0, dsn=%.*s, status=%s (%.*s)",
		envelope_id_text(a->message->id, id), STR_ARG(r->rcpt->address), orig, all, before, inside,
		STR_ARG(r->dsn), status, STR_ARG(r->text));
}

static uint64_t backoff(const struct queued *q, unsigned attempts)
{
	uint64_t s = q->min_backoff_s;

	for (unsigned i = 1; i < attempts && s < q->max_backoff_s; i++)
		s *= 2;
	return s < q->max_backoff_s ? s : q->max_backoff_s;
}

/*
 * Too old? By the clock that does not jump; and one that was wrong when we started alone ends no message: it takes a
 * second attempt of this process, a back-off later.
 */
static bool is_expired(const struct queued *q, const struct active *a)
{
	const struct message *m = a->message;
	uint64_t now = queue_now_us(q), age_s = now > m->arrival_us ? (now - m->arrival_us) / 1000000 : 0;
	uint64_t life_s = a->env.sender.n == 0 ? q->bounce_lifetime_s : q->lifetime_s;

	return age_s >= life_s && ((m->attempts >= 1 && m->is_tried) || life_s == 0);
}

/*
 * By the wall clock, which the time was given by; and as long after we took it, or after its FUTURERELEASE, as the sender
 * allowed: a wall clock that jumped ahead alone returns no mail.
 */
bool by_is_past(const struct queued *q, const struct active *a)
{
	const struct envelope *e = &a->env;
	uint64_t from = e->hold_until_us > e->arrival_us ? e->hold_until_us : e->arrival_us, now = queue_now_us(q);
	uint64_t allowed = e->deliver_by_us > from ? e->deliver_by_us - from : 0;

	return e->deliver_by_us > 0 && now >= wall_to_queue_us(q, e->deliver_by_us) &&
	       now >= a->message->arrival_us + allowed;
}

bool by_is_over(const struct queued *q, const struct active *a)
{
	return (a->env.flags & ENV_BY_RETURN) && by_is_past(q, a);
}

static void expire(struct queued *q, struct active *a)
{
	bool by = by_is_over(q, a);
	char id[ENVELOPE_ID_TEXT];
	bool any = false;

	for (size_t i = 0; i < a->n; i++) {
		struct active_rcpt *r = &a->rcpt[i];

		if (r->outcome != RCPT_DEFERRED)
			continue;
		any = true;
		r->outcome = RCPT_BOUNCED;
		r->text = str_c(arena_printf(a->mem, "delivery time expired; last attempt: %.*s", STR_ARG(r->text)));
		/* RFC 3463 sec. 3.5: delivery time expired; sec. 3.4: our own system's fault */
		r->dsn = a->message->content_is_damaged ? STR("5.3.0") : by ? STR("5.4.7") : STR("4.4.7");
		log_rcpt(q, r, "bounced");
	}
	if (any)
		log_info("%s: from=<%.*s>, status=expired, returned to sender", envelope_id_text(a->message->id, id),
			STR_ARG(a->env.sender));
}

void active_free(struct queued *q, struct active *a)
{
	struct arena *mem = a->mem;

	a->message->active = NULL;
	q->n_active--;
	arena_free(&mem);
}

/* What is over and not written down yet. */
static void record_ended(struct queued *q, struct active *a)
{
	uint32_t *index = arena_array(a->mem, a->n + 1, sizeof *index), n = 0;

	for (size_t i = 0; i < a->n; i++)
		if (a->rcpt[i].outcome != RCPT_DEFERRED && !a->rcpt[i].is_recorded)
			index[n++] = a->rcpt[i].ref.index;
	if (n > 0)
		result_done(q, a->message, index, n);
}

void round_record_sent(struct queued *q, struct active *a)
{
	uint32_t *index = arena_array(a->mem, a->n + 1, sizeof *index), n = 0;

	for (size_t i = 0; i < a->n; i++) {
		struct active_rcpt *r = &a->rcpt[i];

		if (r->outcome != RCPT_SENT || r->is_recorded || wants_success(r))
			continue;
		index[n++] = r->ref.index;
		r->is_recorded = true;
	}
	if (n > 0)
		result_done(q, a->message, index, n);
}

static void removed(struct queued *q, struct active *a)
{
	struct message *m = a->message;
	char id[ENVELOPE_ID_TEXT];

	result_done(q, m, NULL, 0);
	log_info("%s: removed", envelope_id_text(m->id, id));
	active_free(q, a);
	message_free(q, m);
}

/* No longer than until the time at which it is to be delivered, when that is still to come. */
static uint64_t until_deliver_by(const struct queued *q, const struct envelope *e, uint64_t wait_s)
{
	uint64_t now = queue_now_us(q), by = wall_to_queue_us(q, e->deliver_by_us);
	uint64_t left_s = by > now ? (by - now) / 1000000 + 1 : 0;

	return left_s > 0 && left_s < wait_s ? left_s : wait_s;
}

static void wait_again(struct queued *q, struct active *a, struct rcpt_ref *refs, uint32_t n)
{
	struct message *m = a->message;
	uint64_t wait_s;
	uint8_t flags = m->flags;

	record_ended(q, a);
	message_set_rcpts(q, m, refs, n);
	for (uint32_t i = 0; i < n; i++)
		reason_put(refs[i].reason);
	if (m->attempts < 255)
		m->attempts++;
	m->is_tried = true;
	wait_s = until_deliver_by(q, &a->env, backoff(q, m->attempts));
	active_free(q, a);
	message_wait(q, m, wait_s);
	result_defer(q, m);
	if (flags & MF_HELD) {
		m->flags &= (uint8_t)~MF_HELD;
		message_hold(q, m);
		result_hold(q, m);
	}
}

static void conclude(struct queued *q, struct active *a)
{
	struct rcpt_ref *refs = arena_array(a->mem, a->n + 1, sizeof *refs);
	bool deleted = a->message->flags & MF_DELETED;
	uint32_t n = 0;

	for (size_t i = 0; i < a->n; i++) {
		struct active_rcpt *r = &a->rcpt[i];

		q->n_sent += r->outcome == RCPT_SENT;
		q->n_deferred += r->outcome == RCPT_DEFERRED;
		q->n_bounced += r->outcome == RCPT_BOUNCED;
		if (r->outcome != RCPT_DEFERRED || deleted)
			continue;
		refs[n] = r->ref;
		refs[n++].reason = reason_get(r->dsn, r->text); /* let go again by wait_again() */
	}
	if (n == 0 || deleted)
		removed(q, a);
	else
		wait_again(q, a, refs, n);
	take_wake(q);
}

void round_end(struct queued *q, struct active *a)
{
	if (a->message->flags & MF_DELETED) {
		conclude(q, a);
		return;
	}
	if (is_expired(q, a) || by_is_over(q, a))
		expire(q, a);
	report_begin(q, a);
}

void round_expire(struct queued *q, struct active *a)
{
	bool by = by_is_over(q, a);
	char id[ENVELOPE_ID_TEXT];

	for (size_t i = 0; i < a->n; i++) {
		struct active_rcpt *r = &a->rcpt[i];
		struct str dsn = reason_dsn(r->ref.reason), why = reason_text(r->ref.reason);

		if (r->rcpt->notify & NOTIFY_EXPANDED) { /* nothing was to be delivered to it */
			active_rcpt_end(r, RCPT_SENT, "2.0.0", STR("alias expanded"));
			log_rcpt(q, r, "sent");
			continue;
		}
		r->outcome = RCPT_BOUNCED;
		r->dsn = by ? STR("5.4.7") : r->ref.reason ? arena_dup(a->mem, dsn) : STR("4.7.0");
		r->text = r->ref.reason ? arena_dup(a->mem, why)
			  : by		? STR("the time in which it was to be delivered is over")
					: STR("message is administratively expired");
		log_rcpt(q, r, "bounced");
	}
	log_info("%s: from=<%.*s>, status=%s, returned to sender", envelope_id_text(a->message->id, id),
		STR_ARG(a->env.sender), by ? "expired" : "force-expired");
	report_begin(q, a);
}

void round_damaged(struct queued *q, struct active *a)
{
	bool lost = a->env.flags & ENV_LOST;

	for (size_t i = 0; i < a->n; i++) {
		struct active_rcpt *r = &a->rcpt[i];

		if (r->rcpt->notify & NOTIFY_EXPANDED)
			active_rcpt_end(r, RCPT_SENT, "2.0.0", STR("alias expanded"));
		else if (lost)
			active_rcpt_end(
				r, RCPT_BOUNCED, "5.3.0", STR("its content was damaged in the queue and is lost"));
		else
			active_rcpt_end(r, RCPT_DEFERRED, "4.3.0", STR("its content is damaged in the queue"));
		log_rcpt(q, r, r->outcome == RCPT_SENT ? "sent" : lost ? "bounced" : "deferred");
	}
	round_end(q, a);
}

void reports_done(struct queued *q, struct active *a)
{
	conclude(q, a);
}
