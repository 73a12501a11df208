/*
 * The mail transaction (RFC 5321 sec. 3.3): one object, made at MAIL, destroyed here on every way out. Without it there
 * is no sender, no recipient and no content: the state of the session is derived from its being there.
 */
#include "smtpd/smtpd.h"

#include "map/mem_map.h"

#include <stdlib.h>
#include <time.h>

enum {
	ARENA_OCTETS = 1024,
	RCPT_OCTETS = 64,		   /* of a recipient in the envelope, beside its texts */
	RCPTS_MAX_OCTETS = 6 * 1024 * 1024 /* less than an envelope may have */
};

void transaction_begin(struct session *s, struct str sender)
{
	static uint64_t last_number;
	struct transaction *t = xcalloc(1, sizeof *t);

	require(s->tx == NULL);
	t->number = ++last_number;
	t->session = s;
	t->mem = arena_new(ARENA_OCTETS);
	t->sender = arena_dup(t->mem, sender);
	t->header.line = BUF_INIT(READ_OCTETS);
	t->sender_arg = t->sender;
	if (s->service->milter)
		t->milter = milter_mail_new();
	s->tx = t;
}

static void transaction_free(struct transaction *t)
{
	if (!t->committed)
		spool_msg_abort(&t->msg);
	if (t->rcpt_known)
		map_done(&t->rcpt_answer);
	header_clear(&t->header);
	milter_mail_free(&t->milter);
	free(t->rcpt);
	transaction_forget_numbers(t);
	arena_free(&t->mem);
	free(t);
}

void transaction_end(struct session *s)
{
	struct transaction *t = s->tx;

	forward_drop(s);
	if (t == NULL)
		return;
	milter_mail_abort(s);
	s->tx = NULL;
	t->session = NULL;
	if (!t->committing) /* else on_committed() frees it: the message is kept though its client is gone */
		transaction_free(t);
}

enum { FEW_RCPTS = 64 }; /* that are compared one by one */

/* The number of each recipient from first on, by its address: in the map of those that are notes of an alias, or in the other. */
static void note_rcpts(struct transaction *t, size_t first)
{
	for (size_t i = first; i < t->n_rcpt; i++) {
		struct mem_map **m = &t->rcpt_by_address[(t->rcpt[i].notify & NOTIFY_EXPANDED) != 0];

		*m = *m ? *m : mem_map_new();
		mem_map_add(*m, t->rcpt[i].address, str_pn(&i, sizeof i));
	}
}

void transaction_forget_numbers(struct transaction *t)
{
	for (size_t i = 0; i < 2; i++)
		mem_map_free(&t->rcpt_by_address[i]);
}

static struct envelope_rcpt *find_noted(struct transaction *t, struct str address, bool is_note)
{
	struct str found = { NULL, 0 };
	size_t number;

	if (!t->rcpt_by_address[0] && !t->rcpt_by_address[1])
		note_rcpts(t, 0);
	if (t->rcpt_by_address[is_note])
		found = mem_map_find(t->rcpt_by_address[is_note], address);
	if (found.p == NULL)
		return NULL;
	memcpy(&number, found.p, sizeof number);
	return &t->rcpt[number];
}

/* An alias that was expanded is another recipient than the same address as one of its own targets. */
static struct envelope_rcpt *find_rcpt(struct transaction *t, struct str address)
{
	uint8_t kind = t->rcpt_params.notify & NOTIFY_EXPANDED;

	if (t->n_rcpt > FEW_RCPTS)
		return find_noted(t, address, kind != 0);
	for (size_t i = 0; i < t->n_rcpt; i++)
		if (str_eq(t->rcpt[i].address, address) && (t->rcpt[i].notify & NOTIFY_EXPANDED) == kind)
			return &t->rcpt[i];
	return NULL;
}

/* An address that comes twice, such as by a list and by itself, is told of what either asked for (RFC 3461 sec. 4.1). */
static uint8_t notify_of_both(uint8_t a, uint8_t b)
{
	const uint8_t not_given = NOTIFY_FAILURE | NOTIFY_DELAY;

	if (a == b)
		return a;
	return (uint8_t)(((a ? a : not_given) | (b ? b : not_given)) & ~NOTIFY_NEVER);
}

/* … and goes nowhere where either would not (RFC 7293). */
static void since_of_both(struct envelope_rcpt *r, const struct rcpt_params *p)
{
	bool first = r->valid_since == 0;

	if (p->valid_since == 0)
		return;
	r->since_may_end = p->since_may_end && (first || r->since_may_end);
	r->valid_since = first || p->valid_since < r->valid_since ? p->valid_since : r->valid_since;
}

bool transaction_has_room(const struct transaction *t, size_t n, size_t octets)
{
	return t->rcpt_octets + octets + n * (RCPT_OCTETS + t->rcpt_arg.n + t->rcpt_params.orcpt.n) <= RCPTS_MAX_OCTETS;
}

bool transaction_takes(const struct transaction *t, struct str address, const struct map_request *a)
{
	size_t octets = address.n;

	for (size_t i = 0; i < a->n_expanded; i++)
		octets += a->expanded[i].n;
	return transaction_has_room(t, a->n_expanded + 1, octets);
}

void transaction_add_rcpt(struct transaction *t, struct str address, struct str original)
{
	struct envelope_rcpt *r = find_rcpt(t, address);

	if (r) { /* one copy for each, as in Postfix (duplicate_filter_limit) */
		r->notify = notify_of_both(r->notify, t->rcpt_params.notify);
		since_of_both(r, &t->rcpt_params);
		return;
	}
	if (t->n_rcpt == t->cap_rcpt) {
		t->cap_rcpt = t->cap_rcpt ? t->cap_rcpt * 2 : 4;
		t->rcpt = xrealloc(t->rcpt, t->cap_rcpt * sizeof *t->rcpt);
	}
	t->rcpt_octets += RCPT_OCTETS + address.n + original.n + t->rcpt_params.orcpt.n;
	r = &t->rcpt[t->n_rcpt];
	memset(r, 0, sizeof *r);
	r->index = (uint32_t)t->n_rcpt++;
	r->notify = t->rcpt_params.notify;
	r->address = arena_dup(t->mem, address);
	r->original = original;
	r->orcpt = t->rcpt_params.orcpt;
	r->valid_since = t->rcpt_params.valid_since;
	r->since_may_end = t->rcpt_params.since_may_end;
	if (t->rcpt_by_address[0] || t->rcpt_by_address[1])
		note_rcpts(t, t->n_rcpt - 1);
}

/* "ID: client=name[addr], sasl_method=PLAIN, sasl_username=u, orig_queue_id=ID, orig_client=name[addr]" */
static void log_client(const struct session *s)
{
	const struct forward *f = s->forward;
	struct buf b = BUF_INIT(4096);

	if (s->sasl_username)
		buf_addf(&b, ", sasl_method=%s, sasl_username=%s", s->sasl_method, s->sasl_username);
	if (f && f->ident.n)
		buf_addf(&b, ", orig_queue_id=%.*s", STR_ARG(f->ident));
	if (f)
		buf_addf(&b, ", orig_client=%.*s[%.*s]%s%.*s", STR_ARG(f->name), STR_ARG(f->addr), f->port.n ? ":" : "",
			STR_ARG(f->port));
	if (s->tx->params.has_priority) /* RFC 6710 sec. 4.1 */
		buf_addf(&b, ", mt_priority=%d", s->tx->params.priority);
	log_info("%s: client=%s%s", s->tx->id, client_text(s), b.p ? b.p : "");
	buf_free(&b);
}

int transaction_open(struct session *s)
{
	struct transaction *t = s->tx;

	if (t->msg.writer)
		return 0;
	if (spool_msg_begin(&t->msg, smtpd.writer) != 0)
		return -1;
	envelope_id_text(t->msg.id, t->id);
	if (s->service->is_local)
		log_info("%s: uid=%u from=<%.*s>", t->id, (unsigned)s->uid, STR_ARG(t->sender));
	else
		log_client(s);
	return 0;
}

static void on_committed(struct spool_msg *m, int err)
{
	struct transaction *t = container_of(m, struct transaction, msg);
	struct session *s = t->session;

	t->committing = false;
	t->committed = true;
	t->commit_error = err;
	if (err == 0) {
		smtpd.n_messages++;
		smtpd.n_recipients += t->n_rcpt;
	}
	if (s)
		session_answer(s);
	else
		transaction_free(t);
}

static struct str text_or_empty(const char *text)
{
	return text ? str_c(text) : STR("");
}

void transaction_commit(struct session *s, enum outcome (*then)(struct session *s))
{
	struct transaction *t = s->tx;
	struct timespec now;
	struct envelope e = { .flags = t->params.flags | (t->scan.flaws & DATA_8BIT ? (unsigned)ENV_8BIT : 0u) |
				       ((t->scan.flaws | t->header.flaws) & DATA_LONG_LINE ? (unsigned)ENV_LONG_LINE
											   : 0u),
		.size = (uint64_t)((int64_t)t->scan.content + t->own_octets),
		.sender = t->sender,
		.envid = t->params.envid,
		.solicit = solicit_of(t),
		.priority = t->params.priority,
		.auth = session_is_ours(s) ? t->params.auth : STR(""), /* RFC 4954 sec. 5: else as <> */
		.sasl_username = text_or_empty(s->sasl_username),
		.sasl_method = text_or_empty(s->sasl_method),
		.client_name = str_c(s->name),
		.client_addr = str_c(s->addr),
		.helo = text_or_empty(s->helo),
		.proto = str_c(proto_text(s)),
		.rcpt = t->rcpt,
		.n_rcpt = t->n_rcpt };

	if (s->forward) {
		e.client_name = s->forward->name;
		e.client_addr = s->forward->addr;
		e.helo = s->forward->helo;
		e.proto = s->forward->proto;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	e.arrival_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	e.deliver_by_us = t->deliver_by_us;
	e.hold_until_us = t->params.hold_until_s * 1000000;
	e.hold_for_s = t->params.hold_for_s;
	if (fields_say_tls_optional(t))
		e.flags |= ENV_TLS_OPTIONAL;
	if (milter_holds(t))
		e.flags |= ENV_HELD;
	question_new(s, ASK_COMMIT, then);
	t->committing = true;
	spool_msg_commit(&t->msg, &e, on_committed);
}
