/* report.c - delivery reports (RFC 3461, 3464): made at the end of a round, kept before its results are. */
#include "queued/queued.h"
#include "base/log.h"
#include "base/utf8.h"
#include "mime/dsn.h"
#include "smtp/wire_check.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum {
	REPORT_MAX_OCTETS = 64 * 1024 * 1024,
	TRIES_MAX = 600,       /* a second apart: of a report on what cannot be undone */
	NO_SEGMENT_TRIES = 20, /* … and of any other: soon after a start segments are still being made */
	UNREAD_TRIES = 60 /* … while the disk does not give the message; then as if that were damaged (reread.c) */
};

static const struct {
	enum dsn_kind kind;
	enum rcpt_status status;
	unsigned notify;
	const char *name;
} kinds[] = {
	{ DSN_FAILURE, RCPT_BOUNCED, NOTIFY_FAILURE, "non-delivery" },
	{ DSN_DELAY, RCPT_DEFERRED, NOTIFY_DELAY, "delay" },
	{ DSN_SUCCESS, RCPT_SENT, NOTIFY_SUCCESS, "delivery status" },
};
enum { KINDS = sizeof kinds / sizeof *kinds, DELAY_ROW = 1 };

struct active_report {
	struct spool_msg msg;
	struct map_request ask; /* where mail to the sender goes */
	struct queued *q;
	struct active *a;
	size_t kind; /* in kinds[] */
	struct envelope_rcpt *to;
	size_t n_to;
	struct dsn_rcpt *rcpt; /* room for all recipients */
	unsigned tries;
	unsigned unread;	    /* of them, because the message could not be read */
	struct active_report *next; /* in reports_waiting */
};

/* RFC 3461 sec. 4.1: without NOTIFY, failures are reported, and delays may be. */
static bool wants_report(const struct active_rcpt *r, unsigned notify)
{
	if (r->rcpt->notify == 0)
		return notify != NOTIFY_SUCCESS;
	return (r->rcpt->notify & notify) != 0;
}

/* RFC 2852 sec. 4.2: relayed with N to a server that does not keep it, or with T to any. */
static bool is_told_of_relay(const struct active_rcpt *r)
{
	uint32_t flags = r->active->env.flags;

	return r->relayed != RELAYED_NOT && ((flags & ENV_BY_TRACE) || ((flags & ENV_BY_NOTIFY) && !r->by_passed));
}

bool wants_success(const struct active_rcpt *r)
{
	if (r->active->env.sender.n == 0 || (r->active->env.flags & ENV_REPORT))
		return false;
	if (is_told_of_relay(r))
		return !(r->rcpt->notify & NOTIFY_NEVER);
	return r->rcpt->notify & NOTIFY_EXPANDED || (wants_report(r, NOTIFY_SUCCESS) && r->relayed != RELAYED_DSN);
}

static bool is_in_report(const struct active_rcpt *r, size_t kind)
{
	if (r->outcome != kinds[kind].status)
		return false;
	return kinds[kind].kind == DSN_SUCCESS ? wants_success(r) : wants_report(r, kinds[kind].notify);
}

/* RFC 2852 sec. 4.2: N, and its time is over. */
static bool by_is_to_be_told(const struct queued *q, const struct active *a)
{
	return (a->env.flags & ENV_BY_NOTIFY) && !a->message->by_told && by_is_past(q, a);
}

/* As with is_expired(): a clock that is wrong at the start sends no warnings either. */
static bool warning_is_due(const struct queued *q, const struct active *a)
{
	const struct message *m = a->message;
	uint64_t now = queue_now_us(q);

	return q->delay_warning_s > 0 && !(m->flags & MF_WARNED) && m->is_tried && now > m->arrival_us &&
	       (now - m->arrival_us) / 1000000 >= q->delay_warning_s;
}

static bool is_late(const struct queued *q, const struct active *a)
{
	return by_is_to_be_told(q, a) || warning_is_due(q, a);
}

/* One report is enough for both. */
static void told_of_delay(const struct queued *q, struct active *a)
{
	struct message *m = a->message;
	bool by = by_is_to_be_told(q, a);

	if (warning_is_due(q, a))
		m->flags |= MF_WARNED;
	m->by_told |= by;
}

static enum dsn_action action_of(const struct active_rcpt *r, enum dsn_kind kind)
{
	if (kind == DSN_FAILURE)
		return ACTION_FAILED;
	if (kind == DSN_DELAY)
		return ACTION_DELAYED;
	if (r->rcpt->notify & NOTIFY_EXPANDED)
		return ACTION_EXPANDED;
	return r->relayed == RELAYED_NOT ? ACTION_DELIVERED : ACTION_RELAYED;
}

/* Who is to be told of in a report of that kind. With out == NULL: how many. */
static size_t pick(struct queued *q, struct active *a, size_t kind, struct dsn_rcpt *out)
{
	bool late = kinds[kind].kind == DSN_DELAY && by_is_to_be_told(q, a);
	size_t n = 0;

	if (kinds[kind].kind == DSN_DELAY && !is_late(q, a))
		return 0;
	for (size_t i = 0; i < a->n; i++) {
		const struct active_rcpt *r = &a->rcpt[i];

		if (!is_in_report(r, kind))
			continue;
		if (out == NULL) {
			n++;
			continue;
		}
		out[n++] = (struct dsn_rcpt){ .rcpt = r->rcpt,
			.action = action_of(r, kinds[kind].kind),
			.status = late ? STR("4.4.7") : r->dsn, /* RFC 2852 sec. 4.1.3 */
			.remote_mta = r->remote_mta,
			.diagnostic = r->diagnostic,
			.diagnostic_is_smtp = r->diagnostic_is_smtp,
			.text = r->text,
			.will_retry_until =
				kinds[kind].kind == DSN_DELAY ? a->message->arrival_us / 1000000 + q->lifetime_s : 0 };
	}
	return n;
}

static int add_stuffed(struct spool_msg *m, struct str content)
{
	while (content.n > 0) {
		ptrdiff_t lf = str_chr(content, '\n');
		struct str line = str_sub(content, 0, lf < 0 ? content.n : (size_t)lf + 1);

		if (line.p[0] == '.' && spool_msg_add(m, STR(".")) != 0)
			return -1;
		if (spool_msg_add(m, line) != 0)
			return -1;
		content = str_from(content, line.n);
	}
	return 0;
}

static void next_report(struct active_report *rep);

/* A failure that cannot be reported did not happen: it will again. So with an alias, where nothing else is to be done. */
static void withdraw(struct active *a, bool (*is_it)(const struct active_rcpt *r))
{
	for (size_t i = 0; i < a->n; i++) {
		struct active_rcpt *r = &a->rcpt[i];

		if (!is_it(r))
			continue;
		r->outcome = RCPT_DEFERRED;
		r->dsn = STR("4.3.0");
		r->text = str_c(arena_printf(
			a->mem, "the delivery report cannot be stored now; it says: %.*s", STR_ARG(r->text)));
	}
}

static bool is_bounced(const struct active_rcpt *r)
{
	return r->outcome == RCPT_BOUNCED;
}

static bool is_alias(const struct active_rcpt *r)
{
	return r->rcpt->notify & NOTIFY_EXPANDED;
}

/* What was delivered stays so. What else happened is put off, which costs a back-off: not for a moment without a segment. */
static unsigned tries_of(const struct active_report *rep, int err)
{
	if (kinds[rep->kind].kind == DSN_SUCCESS)
		return TRIES_MAX;
	if (rep->unread > 0)
		return UNREAD_TRIES;
	return err == -EAGAIN ? NO_SEGMENT_TRIES : 0;
}

static void not_kept(struct active_report *rep, int err)
{
	unsigned tries = tries_of(rep, err);
	enum dsn_kind kind = kinds[rep->kind].kind;
	char id[ENVELOPE_ID_TEXT];

	if (rep->tries == 0 || rep->tries >= tries)
		log_warn("%s: the sender %s notification cannot be %s: %s; %s",
			envelope_id_text(rep->a->message->id, id), kinds[rep->kind].name,
			rep->unread > 0 ? "made, the message cannot be read" : "stored", strerror(-err),
			rep->tries < tries    ? "tried again"
			: kind == DSN_SUCCESS ? "given up"
					      : "put off");
	if (rep->tries < tries) {
		rep->tries++;
		rep->next = rep->q->reports_waiting;
		rep->q->reports_waiting = rep;
		return;
	}
	if (kind != DSN_DELAY)
		withdraw(rep->a, kind == DSN_FAILURE ? is_bounced : is_alias);
	rep->kind++;
	rep->tries = rep->unread = 0;
	next_report(rep);
}

void reports_retry(struct queued *q)
{
	struct active_report *all = q->reports_waiting, *next;

	q->reports_waiting = NULL;
	for (struct active_report *rep = all; rep; rep = next) {
		next = rep->next;
		next_report(rep);
	}
}

static void on_kept(struct spool_msg *m, int err)
{
	struct active_report *rep = container_of(m, struct active_report, msg);
	struct active *a = rep->a;
	char id[ENVELOPE_ID_TEXT], report_id[ENVELOPE_ID_TEXT];

	if (err != 0) {
		not_kept(rep, err);
		return;
	}
	log_info("%s: sender %s notification: %s", envelope_id_text(a->message->id, id), kinds[rep->kind].name,
		envelope_id_text(m->id, report_id));
	if (kinds[rep->kind].kind == DSN_DELAY)
		told_of_delay(rep->q, a);
	rep->q->n_reports++;
	rep->kind++;
	rep->tries = rep->unread = 0;
	next_report(rep);
}

static uint64_t wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Only for its addresses: the parts say themselves what they are (RFC 6533 sec. 4). */
static bool needs_smtputf8(const struct active_report *rep)
{
	bool needs = (rep->a->env.flags & ENV_SMTPUTF8) && str_is_8bit(rep->a->env.sender); /* its To field */

	for (size_t i = 0; i < rep->n_to; i++)
		needs |= str_is_8bit(rep->to[i].address);
	return needs;
}

/* What cannot be read for as long as a log would wait for it is lost; before that the report waits. */
static int add_original(struct active_report *rep, struct dsn_report *r, struct buf *whole)
{
	int err = report_original(rep->q, rep->a, r, whole);

	return err != 0 && rep->unread++ < UNREAD_TRIES ? err : 0;
}

static int make(struct active_report *rep, const struct dsn_rcpt *rcpt, size_t n)
{
	struct queued *q = rep->q;
	struct active *a = rep->a;
	enum dsn_kind kind = kinds[rep->kind].kind;
	struct buf content = BUF_INIT(REPORT_MAX_OCTETS), whole = BUF_INIT(REPORT_MAX_OCTETS);
	struct envelope env = { .arrival_us = wall_us(),
		.flags = ENV_REPORT,
		.priority = a->env.priority, /* RFC 6710 sec. 4.6 */
		.rcpt = rep->to,
		.n_rcpt = rep->n_to };
	struct dsn_report r = { .kind = kind,
		.myhostname = q->myhostname,
		.mail_name = q->mail_name,
		.env = &a->env,
		.rcpt = rcpt,
		.n_rcpt = n,
		.now_us = env.arrival_us };
	int err = -EAGAIN;

	memset(&rep->msg, 0, sizeof rep->msg);
	if (spool_msg_begin(&rep->msg, q->writer) == 0)
		err = 0;
	if (err == 0)
		err = add_original(rep, &r, &whole);
	r.report_id = rep->msg.id;
	if (err == 0 && dsn_put(&content, &r) != 0)
		err = -EMSGSIZE;
	env.size = content.n;
	env.flags |= content_flags(buf_str(&content));
	env.flags |= needs_smtputf8(rep) ? ENV_SMTPUTF8 : 0;
	env.flags |= a->env.flags & ENV_REQUIRETLS; /* RFC 8689 sec. 5 */
	if (err == 0) {
		add_stuffed(&rep->msg, buf_str(&content)); /* commit says what failed */
		spool_msg_commit(&rep->msg, &env, on_kept);
	} else {
		spool_msg_abort(&rep->msg);
	}
	buf_free(&content);
	buf_free(&whole);
	return err;
}

static void next_report(struct active_report *rep)
{
	struct queued *q = rep->q;
	struct active *a = rep->a;
	struct dsn_rcpt *rcpt = rep->rcpt;

	map_done(&rep->ask);
	for (; rep->kind < KINDS; rep->kind++) {
		size_t n = pick(q, a, rep->kind, rcpt);
		int err = n > 0 ? make(rep, rcpt, n) : 0;

		if (err != 0)
			not_kept(rep, err); /* calls us again, or reports_retry() does */
		if (n > 0)
			return; /* on_kept() goes on */
	}
	q->reports_under_way--;
	reports_done(q, a);
	queued_leave_if_idle(q);
}

static bool has_bounced(const struct active *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (is_bounced(&a->rcpt[i]))
			return true;
	return false;
}

/*
 * What a report may have for its recipients. The sender is a stranger's choice, up to 2,000 octets of it with an extension; by
 * whose alias the report comes is left out rather than that it does not fit.
 */
enum { RCPT_OCTETS = 64, RCPTS_MAX_OCTETS = 6 * 1024 * 1024 };

/* The sender may be an alias of ours, which a client's RCPT would have expanded; nobody does it later. */
static void on_sender(struct map_request *ask)
{
	struct active_report *rep = container_of(ask, struct active_report, ask);
	struct active *a = rep->a;
	bool known = ask->status != MAP_TEMPORARY && !ask->alias_loop && ask->n_expanded > 0;
	size_t n = known ? ask->n_expanded : 1, octets = 0;

	if (ask->status == MAP_TEMPORARY)
		withdraw(a, is_bounced);
	for (size_t i = 0; known && i < n; i++)
		octets += RCPT_OCTETS + ask->expanded[i].n + a->env.sender.n;
	rep->to = arena_array(a->mem, n, sizeof *rep->to);
	rep->n_to = n;
	for (size_t i = 0; i < n; i++) {
		struct str address = known ? arena_dup(a->mem, ask->expanded[i]) : a->env.sender;

		rep->to[i] = (struct envelope_rcpt){ .index = (uint32_t)i, .address = address, .notify = NOTIFY_NEVER };
		if (octets <= RCPTS_MAX_OCTETS && !str_eq(address, a->env.sender))
			rep->to[i].original = a->env.sender;
	}
	next_report(rep);
}

static bool has_reports(struct queued *q, struct active *a)
{
	size_t n = 0;

	for (size_t kind = 0; kind < KINDS; kind++)
		n += pick(q, a, kind, NULL);
	return n > 0;
}

/* Its time for a warning has come, and nobody wants one: then it is not asked about again. */
static void settle_warning(struct queued *q, struct active *a)
{
	bool wanted = a->env.sender.n > 0 && !(a->env.flags & ENV_REPORT) && pick(q, a, DELAY_ROW, NULL) > 0;

	if (!wanted)
		told_of_delay(q, a);
}

void report_begin(struct queued *q, struct active *a)
{
	struct active_report *rep;
	char id[ENVELOPE_ID_TEXT];

	settle_warning(q, a);

	/* RFC 5321 sec. 4.5.5, RFC 3464 sec. 2: never a report on a report, or to the null sender. */
	if (a->env.sender.n == 0 || (a->env.flags & ENV_REPORT)) {
		if (has_bounced(a))
			log_info("%s: undeliverable, and has no sender to tell: discarded",
				envelope_id_text(a->message->id, id));
		reports_done(q, a);
		return;
	}
	if (!has_reports(q, a)) {
		reports_done(q, a);
		return;
	}
	round_record_sent(q, a); /* the reports take their time, and we may have to go */
	q->reports_under_way++;
	rep = arena_alloc(a->mem, sizeof *rep);
	rep->q = q;
	rep->a = a;
	rep->rcpt = arena_array(a->mem, a->n + 1, sizeof *rep->rcpt);
	rep->ask.on_answer = on_sender;
	map_rcpt(q->map, &rep->ask, a->env.sender);
}
