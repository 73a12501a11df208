/*
 * What milters want changed in a message. Of each it is gathered until its verdict: so one that dies in the middle
 * changes nothing. Header and body are changed then, for the next milter to see; the envelope when all have spoken,
 * because mapd is asked about new recipients.
 */
#include "smtpd/milter.h"

#include <stdlib.h>

enum {
	CHANGES_MAX = 256 * 1024, /* octets of what one filter wants changed, the body apart */
	CHANGE_COSTS = 64	  /* one more, beside its texts */
};

/* ---- gathering ---- */

void milter_change_drop(struct milter_mail *m)
{
	milter_checks_drop(m);
	arena_free(&m->mem);
	m->edits = NULL;
	m->last_edit = &m->edits;
	m->rcpts = NULL;
	m->last_rcpt = &m->rcpts;
	m->changes_sender = m->changes_body = m->asks_hold = false;
	m->change_octets = 0;
	spool_msg_abort(&m->body);
	memset(&m->body, 0, sizeof m->body);
}

static const char *take_edit(struct milter_link *l, struct milter_mail *m, const struct milter_answer *a)
{
	struct milter_edit *e;

	if (!milter_field_name_is_good(a->name))
		return "it wants a header field that has no proper name";
	e = arena_alloc(m->mem, sizeof *e);
	e->kind = a->kind == ANSWER_ADD_HEADER ? EDIT_ADD : a->kind == ANSWER_INSERT_HEADER ? EDIT_INSERT : EDIT_CHANGE;
	e->index = a->index;
	e->name = arena_dup(m->mem, a->name);
	e->value = arena_dup(m->mem, a->value);
	e->keep_space = l->conn->terms.protocol & MILTER_LEADING_SPACE;
	*m->last_edit = e;
	m->last_edit = &e->next;
	return NULL;
}

static void take_rcpt(struct transaction *t, struct milter_mail *m, const struct milter_answer *a)
{
	struct rcpt_edit *e = arena_alloc(t->mem, sizeof *e); /* it outlives this filter's turn */

	e->add = a->kind == ANSWER_ADD_RCPT;
	e->address = arena_dup(t->mem, a->name);
	e->args = arena_dup(t->mem, a->value);
	*m->last_rcpt = e;
	m->last_rcpt = &e->next;
}

static const char *add_body(struct transaction *t, struct milter_mail *m, struct str octets, bool last)
{
	uint64_t limit = t->session->service->size_limit;

	while (octets.n > 0 || last) {
		struct str piece = str_sub(octets, 0, READ_OCTETS);

		octets = str_from(octets, piece.n);
		buf_reset(&smtpd.scratch);
		bdat_scan(&m->body_scan, piece, last && octets.n == 0, &smtpd.scratch);
		if (spool_msg_add(&m->body, buf_str(&smtpd.scratch)) != 0)
			return "the new body that it sends cannot be stored";
		if (octets.n == 0)
			break;
	}
	if (limit && m->body_scan.content > limit)
		return "the new body that it sends is longer than message_size_limit";
	if (m->body_scan.flaws & DATA_NUL)
		return "the new body that it sends has a NUL in it";
	return NULL;
}

/* Written beside the old one, with the empty line in front. */
static const char *take_body(struct transaction *t, struct milter_mail *m, struct str octets)
{
	if (!m->changes_body) {
		if (spool_msg_begin_as(&m->body, smtpd.writer, t->msg.id) != 0)
			return "the new body that it sends cannot be stored";
		m->changes_body = true;
		spool_msg_add(&m->body, STR("\r\n"));
		bdat_scan_init(&m->body_scan);
		m->body_scan.normalize = true;
	}
	return add_body(t, m, octets, false);
}

const char *milter_change_take(struct milter_link *l, const struct milter_answer *a)
{
	struct transaction *t = l->of->session->tx;
	struct milter_mail *m = t->milter;
	uint32_t needs = milter_answer_needs(a);

	if (needs && !(needs & l->conn->terms.actions))
		return "it wants a change that it had not announced in the negotiation";
	milter_content_goes_on(l);
	if (m->mem == NULL)
		m->mem = arena_new(4096);
	if (a->kind == ANSWER_BODY)
		return take_body(t, m, a->value);
	m->change_octets += CHANGE_COSTS + a->name.n + a->value.n;
	if (m->change_octets > CHANGES_MAX)
		return "it wants more changes than are kept in memory";
	switch (a->kind) {
	case ANSWER_QUARANTINE:
		m->asks_hold = true;
		m->why_held = arena_dup(t->mem, str_sub(a->name, 0, 100));
		return NULL;
	case ANSWER_CHANGE_SENDER:
		m->changes_sender = true;
		m->new_sender = arena_dup(t->mem, a->name);
		m->new_sender_args = arena_dup(t->mem, a->value);
		return NULL;
	case ANSWER_ADD_RCPT:
	case ANSWER_DELETE_RCPT:
		take_rcpt(t, m, a);
		return NULL;
	default:
		return take_edit(l, m, a);
	}
}

/* ---- one filter is done ---- */

static unsigned flags_of(struct str text)
{
	unsigned flags = 0;
	struct str line;

	while (str_field(&text, "\n", &line)) {
		flags |= line.n > DATA_LINE_MAX + 1 ? (unsigned)DATA_LONG_LINE : 0; /* with its CR */
		for (size_t i = 0; i < line.n; i++)
			flags |= (unsigned char)line.p[i] > 127 ? (unsigned)DATA_8BIT : 0;
	}
	return flags;
}

static const char *change_header(struct transaction *t, struct milter_mail *m)
{
	struct buf head = BUF_INIT(m->head.max);

	if (m->edits == NULL)
		return NULL;
	if (milter_head_apply(buf_str(&m->head), m->own, m->edits, t->session->service->header_limit, &head) != 0) {
		buf_free(&head);
		return "what it wants added makes the header too long";
	}
	t->own_octets += (int64_t)head.n - (int64_t)m->head.n;
	t->scan.flaws |= flags_of(buf_str(&head));
	buf_free(&m->head);
	m->head = head;
	return NULL;
}

/* The content of the message is what its size counts, without the header that is kept apart. */
static const char *change_body(struct transaction *t, struct milter_mail *m)
{
	const char *why;

	if (!m->changes_body)
		return NULL;
	why = add_body(t, m, STR(""), true);
	if (why)
		return why;
	spool_msg_replace(&t->msg, &m->body);
	t->own_octets = (int64_t)m->head.n + 2;
	t->scan.content = m->body_scan.content;
	t->scan.flaws = (t->scan.flaws & ~(unsigned)(DATA_8BIT | DATA_LONG_LINE)) | m->body_scan.flaws |
			flags_of(buf_str(&m->head));
	t->params.flags &= ~(uint32_t)ENV_BINARY;
	return NULL;
}

const char *milter_change_commit(struct milter_link *l)
{
	struct transaction *t = l->of->session->tx;
	struct milter_mail *m = t->milter;
	const char *why = change_header(t, m);

	if (why == NULL)
		why = change_body(t, m);
	if (why)
		return why;
	if (m->asks_hold && !m->hold) {
		m->hold = true;
		log_action(t->session, "milter-hold",
			m->why_held.n ? arena_cdup(t->mem, m->why_held) : "milter triggers HOLD action");
	}
	if (m->changes_sender) {
		m->sender_is_new = true;
		m->sender = m->new_sender;
		m->sender_args = m->new_sender_args;
	}
	*m->last_agreed = m->rcpts;
	if (m->rcpts)
		m->last_agreed = m->last_rcpt;
	milter_change_drop(m);
	return NULL;
}

/* ---- all are done: the envelope ---- */

static struct str without_brackets(struct str address)
{
	address = str_trim(address);
	if (address.n >= 2 && address.p[0] == '<' && address.p[address.n - 1] == '>')
		address = str_sub(address, 1, address.n - 2);
	return address;
}

/* local@domain, as the envelope has it; n == 0: it is no address. */
static struct str normalised(struct session *s, struct str address, struct address *parts)
{
	struct buf b = BUF_INIT(1024);
	struct str result = STR("");

	if (address_parse(address, true, parts) == 0 && address_normalise(parts, &b) == 0) {
		if (parts->domain.n == 0)
			buf_addf(&b, "%s%s", b.n && b.p[b.n - 1] == '@' ? "" : "@", s->service->origin);
		result = arena_dup(s->tx->mem, buf_str(&b));
	}
	buf_free(&b);
	return result;
}

static void ignored(const struct session *s, const char *what, struct str text)
{
	log_warn("%s: a milter wants %s \"%.*s\": ignored", s->tx->id, what, STR_ARG(str_sub(text, 0, 200)));
}

static void change_sender(struct session *s)
{
	struct transaction *t = s->tx;
	struct milter_mail *m = t->milter;
	struct str address = without_brackets(m->sender), full = STR(""), bad;
	struct mail_params p = { .flags = 0 };
	struct address parts = { .is_literal = false };

	if (!m->sender_is_new)
		return;
	if (address.n > 0 && (full = normalised(s, address, &parts)).n == 0) {
		ignored(s, "a sender that is no address", m->sender);
		return;
	}
	t->sender = full;
	t->sender_parts = parts;
	t->params.flags |= parts.is_8bit ? (uint32_t)ENV_SMTPUTF8 : 0;
	if (m->sender_args.n == 0)
		return;
	/* Only what belongs to the sender alone can be changed. */
	if (mail_params_parse(arena_dup(t->mem, m->sender_args), EXT_BIT(EXT_DSN), t->mem, &p, &bad) != 0) {
		ignored(s, "an unknown parameter of MAIL", m->sender_args);
		return;
	}
	if (p.flags & (ENV_RET_FULL | ENV_RET_HDRS))
		t->params.flags = (t->params.flags & ~(uint32_t)(ENV_RET_FULL | ENV_RET_HDRS)) | p.flags;
	if (p.envid.n)
		t->params.envid = p.envid;
}

/* The recipient as its RCPT named it, with all that an alias has made of it. */
static void delete_rcpt(struct session *s, struct str address)
{
	struct transaction *t = s->tx;
	struct str said = without_brackets(address);
	struct address parts;
	struct str full = normalised(s, said, &parts);
	size_t n = 0;

	for (size_t i = 0; i < t->n_rcpt; i++) {
		const struct envelope_rcpt *r = &t->rcpt[i];
		struct str given = r->original.n ? r->original : r->address;

		if (str_eq(given, said) || str_eq(given, full))
			continue;
		t->rcpt[n] = *r;
		t->rcpt[n].index = (uint32_t)n;
		n++;
	}
	t->n_rcpt = n;
	transaction_forget_numbers(t);
}

static enum outcome next_rcpt(struct session *s);

static enum outcome rcpt_known(struct session *s)
{
	struct transaction *t = s->tx;
	const struct map_request *a = &s->question->map;
	struct milter_mail *m = t->milter;
	struct str asked = t->rcpt_address;

	if (a->status == MAP_TEMPORARY || a->alias_loop) {
		log_warn("%s: cannot look up the recipient <%.*s> that a milter adds: %.*s", t->id, STR_ARG(asked),
			STR_ARG(a->alias_loop ? STR("alias loop") : a->why));
		question_end(s);
		reply_reject(s, 451, "4.3.0", "Temporary lookup failure", false);
		return m->then(s, false);
	}
	if (!transaction_takes(t, asked, a))
		ignored(s, "more recipients than a message may have, among them", asked);
	else if (a->n_expanded == 0)
		transaction_add_rcpt(t, asked, STR(""));
	else
		for (size_t i = 0; i < a->n_expanded; i++)
			transaction_add_rcpt(t, a->expanded[i], str_eq(a->expanded[i], asked) ? STR("") : asked);
	question_end(s);
	return next_rcpt(s);
}

static bool add_rcpt(struct session *s, const struct rcpt_edit *e)
{
	struct transaction *t = s->tx;
	struct address parts;
	struct str bad;

	t->rcpt_address = normalised(s, without_brackets(e->address), &parts);
	if (t->rcpt_address.n == 0) {
		ignored(s, "a recipient that is no address", e->address);
		return false;
	}
	t->params.flags |= parts.is_8bit ? (uint32_t)ENV_SMTPUTF8 : 0;
	memset(&t->rcpt_params, 0, sizeof t->rcpt_params);
	t->rcpt_arg = t->rcpt_address;
	if (rcpt_params_parse(arena_dup(t->mem, e->args), EXT_BIT(EXT_DSN), &t->rcpt_params, &bad) != 0) {
		ignored(s, "an unknown parameter of RCPT", e->args);
		memset(&t->rcpt_params, 0, sizeof t->rcpt_params);
	}
	ask_rcpt(question_new(s, ASK_MAP, rcpt_known), t->rcpt_address);
	return true;
}

static enum outcome next_rcpt(struct session *s)
{
	struct milter_mail *m = s->tx->milter;

	while (m->agreed) {
		const struct rcpt_edit *e = m->agreed;

		m->agreed = e->next;
		if (!e->add)
			delete_rcpt(s, e->address);
		else if (add_rcpt(s, e))
			return R_WAIT;
	}
	return m->then(s, true);
}

enum outcome milter_change_apply(struct session *s, enum outcome (*then)(struct session *s, bool taken))
{
	s->tx->milter->then = then;
	change_sender(s);
	return next_rcpt(s);
}
