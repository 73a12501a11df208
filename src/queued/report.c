/* report.c - delivery reports (RFC 3461, 3464): made at the end of a round, kept before its results are. */
#include "queued/queued.h"
#include "base/log.h"
#include "base/utf8.h"
#include "mime/dsn.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { REPORT_MAX_OCTETS = 64 * 1024 * 1024, HEADER_MAX_OCTETS = 64 * 1024, READ_OCTETS = 64 * 1024 };

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
enum { KINDS = sizeof kinds / sizeof *kinds };

struct active_report {
	struct spool_msg msg;
	struct queued *q;
	struct active *a;
	size_t kind; /* in kinds[] */
};

/* RFC 3461 sec. 4.1: without NOTIFY, failures are reported, and delays may be. */
bool wants_report(const struct active *a, const struct active_rcpt *r, unsigned notify)
{
	(void)a;
	if (r->rcpt->notify == 0)
		return notify != NOTIFY_SUCCESS;
	return (r->rcpt->notify & notify) != 0;
}

static bool is_late(const struct queued *q, const struct message *m)
{
	uint64_t now = queue_now_us(q);

	return q->delay_warning_s > 0 && !(m->flags & MF_WARNED) && now > m->arrival_us &&
	       (now - m->arrival_us) / 1000000 >= q->delay_warning_s;
}

static enum dsn_action action_of(const struct active_rcpt *r, enum dsn_kind kind)
{
	if (kind == DSN_FAILURE)
		return ACTION_FAILED;
	if (kind == DSN_DELAY)
		return ACTION_DELAYED;
	return r->relayed ? ACTION_RELAYED : ACTION_DELIVERED;
}

static size_t pick(struct queued *q, struct active *a, size_t kind, struct dsn_rcpt *out)
{
	size_t n = 0;

	if (kinds[kind].kind == DSN_DELAY && !is_late(q, a->message))
		return 0;
	for (size_t i = 0; i < a->n; i++) {
		const struct active_rcpt *r = &a->rcpt[i];

		if (r->outcome != kinds[kind].status || !wants_report(a, r, kinds[kind].notify))
			continue;
		out[n++] = (struct dsn_rcpt){ .rcpt = r->rcpt,
			.action = action_of(r, kinds[kind].kind),
			.status = r->dsn,
			.remote_mta = r->remote_mta,
			.diagnostic = r->diagnostic,
			.diagnostic_is_smtp = r->diagnostic_is_smtp,
			.text = r->text,
			.will_retry_until =
				kinds[kind].kind == DSN_DELAY ? a->message->arrival_us / 1000000 + q->lifetime_s : 0 };
	}
	return n;
}

/* The header only: up to the empty line, whole lines. */
static size_t header_octets(struct str s)
{
	for (size_t at = 0; at < s.n;) {
		struct str rest = str_from(s, at);
		ptrdiff_t lf = str_chr(rest, '\n');

		if (lf < 0)
			return s.n > HEADER_MAX_OCTETS / 2 ? at : s.n;
		if (lf == 0 || (lf == 1 && rest.p[0] == '\r'))
			return at;
		at += (size_t)lf + 1;
	}
	return s.n;
}

/* The content of the message, unstuffed: whole if the report is to have it and it is small enough. */
static int original(struct queued *q, const struct active *a, bool full, struct buf *out)
{
	struct segment_set *set = segment_set_new();
	uint64_t from = 0, want = full ? extents_octets(&a->env) : HEADER_MAX_OCTETS;
	bool at_line_start = true;
	ssize_t n = 1;

	for (size_t i = 0; i < a->env.n_extent; i++) {
		struct segment *s = segment_find(q, a->env.extent[i].generation);
		int fd = s && segment_set_fd(set, s->head.generation) < 0 ? dup(s->fd) : -1;

		if (fd >= 0)
			segment_set_add(set, s->head.generation, fd);
	}
	while (from < want && n > 0) {
		char *p = buf_reserve(out, READ_OCTETS);

		if (p == NULL)
			break;
		n = extents_read(set, &a->env, from, p, READ_OCTETS);
		if (n <= 0)
			break;
		buf_commit(out, dot_unstuff(p, (size_t)n, &at_line_start));
		from += (uint64_t)n;
	}
	segment_set_free(&set);
	if (!full)
		out->n = header_octets(buf_str(out));
	return n < 0 ? (int)n : 0;
}

/* RFC 3461 sec. 4.3: RET says what is wanted; only a failure ever returns the whole of it. */
static bool returns_full(const struct queued *q, const struct active *a, enum dsn_kind kind)
{
	return kind == DSN_FAILURE && !(a->env.flags & ENV_RET_HDRS) && a->env.size <= q->bounce_size_limit;
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

static void on_kept(struct spool_msg *m, int err)
{
	struct active_report *rep = container_of(m, struct active_report, msg);
	struct active *a = rep->a;
	char id[ENVELOPE_ID_TEXT], report_id[ENVELOPE_ID_TEXT];

	if (err != 0) {
		reports_done(rep->q, a, err);
		return;
	}
	log_info("%s: sender %s notification: %s", envelope_id_text(a->message->id, id), kinds[rep->kind].name,
		envelope_id_text(m->id, report_id));
	if (kinds[rep->kind].kind == DSN_DELAY)
		a->message->flags |= MF_WARNED;
	rep->q->n_reports++;
	rep->kind++;
	next_report(rep);
}

static uint64_t wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int make(struct active_report *rep, const struct dsn_rcpt *rcpt, size_t n)
{
	struct queued *q = rep->q;
	struct active *a = rep->a;
	enum dsn_kind kind = kinds[rep->kind].kind;
	struct buf content = BUF_INIT(REPORT_MAX_OCTETS), whole = BUF_INIT(REPORT_MAX_OCTETS);
	struct envelope_rcpt to = { .address = a->env.sender, .notify = NOTIFY_NEVER };
	struct envelope env = { .arrival_us = wall_us(), .flags = ENV_REPORT, .rcpt = &to, .n_rcpt = 1 };
	struct dsn_report r = { .kind = kind,
		.myhostname = q->myhostname,
		.mail_name = q->mail_name,
		.env = &a->env,
		.rcpt = rcpt,
		.n_rcpt = n,
		.original_is_full = returns_full(q, a, kind),
		.now_us = env.arrival_us };
	int err = -EAGAIN;

	memset(&rep->msg, 0, sizeof rep->msg);
	if (spool_msg_begin(&rep->msg, q->writer) == 0)
		err = original(q, a, r.original_is_full, &whole);
	r.report_id = rep->msg.id;
	r.original = buf_str(&whole);
	if (err == 0 && dsn_put(&content, &r) != 0)
		err = -EMSGSIZE;
	env.size = content.n;
	env.flags |= str_is_8bit(buf_str(&content)) ? ENV_8BIT : 0;
	env.flags |= (a->env.flags & ENV_SMTPUTF8) && str_is_8bit(a->env.sender) ? ENV_SMTPUTF8 : 0;
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
	struct active *a = rep->a;
	struct dsn_rcpt *rcpt = arena_array(a->mem, a->n + 1, sizeof *rcpt);

	for (; rep->kind < KINDS; rep->kind++) {
		size_t n = pick(rep->q, a, rep->kind, rcpt);
		int err = n > 0 ? make(rep, rcpt, n) : 0;

		if (err != 0) {
			log_warn("a delivery report cannot be made now: %s", strerror(-err));
			reports_done(rep->q, a, err);
			return;
		}
		if (n > 0)
			return; /* on_kept() goes on */
	}
	reports_done(rep->q, a, 0);
}

static bool has_bounced(const struct active *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->rcpt[i].outcome == RCPT_BOUNCED)
			return true;
	return false;
}

void report_begin(struct queued *q, struct active *a)
{
	char id[ENVELOPE_ID_TEXT];

	/* RFC 5321 sec. 4.5.5, RFC 3464 sec. 2: never a report on a report, or to the null sender. */
	if (a->env.sender.n == 0 || (a->env.flags & ENV_REPORT)) {
		if (has_bounced(a))
			log_info("%s: undeliverable, and has no sender to tell: discarded",
				envelope_id_text(a->message->id, id));
		reports_done(q, a, 0);
		return;
	}
	if (a->report == NULL)
		a->report = arena_alloc(a->mem, sizeof *a->report);
	a->report->q = q;
	a->report->a = a;
	next_report(a->report);
}
