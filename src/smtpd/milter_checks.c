/*
 * milter_header_checks: each field that a milter adds or changes is looked up in tables of patterns, whose right side is an
 * action of header_checks(5). It is done when its verdict is good and before anything of it is changed.
 */
#include "smtpd/milter.h"

enum { KEY_MAX = 32 * 1024, SHOWN_MAX = 200 };

void milter_checks_drop(struct milter_mail *m)
{
	if (!m->is_checking)
		return;
	map_cancel(&m->check);
	map_done(&m->check);
	m->is_checking = false;
}

static void end(struct milter_link *l)
{
	struct milter_mail *m = l->of->session->tx->milter;
	const char *why = NULL;

	l->awaited = l->checking = false;
	if (l->of->verdict.code == 0 && !m->discard)
		why = milter_change_commit(l);
	if (why)
		milter_link_fail(l, why);
	milter_change_drop(m);
	milter_resume(l);
}

/* "header X-Spam: yes: text", for the log. */
static const char *shown(const struct milter_mail *m, const struct milter_edit *e, struct str text)
{
	return arena_printf(m->mem, "header %.*s: %.*s%s%.*s", STR_ARG(e->name),
		STR_ARG(str_sub(e->value, 0, SHOWN_MAX)), text.n ? ": " : "", STR_ARG(text));
}

/* "Name: value" becomes that field. */
static bool take_field(struct milter_edit *e, struct str text)
{
	ptrdiff_t colon = str_chr(text, ':');
	struct str name = str_sub(text, 0, colon < 0 ? 0 : (size_t)colon);

	if (!milter_field_name_is_good(name) || (size_t)colon + 1 == text.n)
		return false;
	e->name = name;
	e->value = str_from(text, (size_t)colon + 1);
	e->keep_space = true;
	return true;
}

/* A field in front of it; of one that is changed, on top, since its place is not known yet. */
static bool prepend(struct milter_mail *m, struct milter_edit *e, struct str text)
{
	struct milter_edit *more = arena_alloc(m->mem, sizeof *more);

	*more = (struct milter_edit){ .kind = e->kind == EDIT_ADD ? EDIT_ADD : EDIT_INSERT,
		.index = e->kind == EDIT_INSERT ? e->index : 1,
		.next = e };
	if (!take_field(more, text))
		return false;
	e->index += e->kind == EDIT_INSERT;
	*m->check_at = more;
	return true;
}

static void refuse(struct milter_link *l, int code, struct str text)
{
	struct milter_mail *m = l->of->session->tx->milter;
	char enhanced[12];

	access_cut_status(&text, code, enhanced, sizeof enhanced);
	milter_refuse(&l->of->verdict, code, enhanced, text.n ? arena_cdup(m->mem, text) : "message content rejected");
}

static int code_of(struct str word)
{
	uint64_t n;

	return word.n == 3 && str_u64(word, &n) && n >= 400 && n <= 599 ? (int)n : 0;
}

/* False: that cannot be done to a field. */
static bool act_on_field(struct session *s, struct milter_edit *e, struct str word, struct str text)
{
	struct milter_mail *m = s->tx->milter;

	if (str_ieq(word, STR("REPLACE")))
		return take_field(e, text);
	if (str_ieq(word, STR("PREPEND")))
		return prepend(m, e, text);
	if (str_ieq(word, STR("WARN")))
		log_action(s, "milter-header-warning", shown(m, e, text));
	else if (str_ieq(word, STR("INFO")))
		log_action(s, "milter-header-info", shown(m, e, text));
	else
		return str_ieq(word, STR("DUNNO")) || str_ieq(word, STR("OK"));
	return true;
}

static void act(struct milter_link *l, struct str action)
{
	struct session *s = l->of->session;
	struct milter_mail *m = s->tx->milter;
	struct milter_edit *e = *m->check_at;
	struct str text = action, word = STR("");

	str_word(&text, " \t", &word);
	text = str_trim(text);
	if (str_ieq(word, STR("IGNORE")) || str_ieq(word, STR("STRIP"))) {
		if (str_ieq(word, STR("STRIP")))
			log_action(s, "milter-header-strip", shown(m, e, text));
		*m->check_at = e->next;
		return;
	}
	if (str_ieq(word, STR("REJECT")) || code_of(word)) {
		refuse(l, code_of(word) ? code_of(word) : 550, text);
	} else if (str_ieq(word, STR("HOLD"))) {
		milter_hold_mail(s, shown(m, e, text));
	} else if (str_ieq(word, STR("DISCARD"))) {
		m->discard = true;
		log_action(s, "milter-header-discard", shown(m, e, text));
	} else if (!act_on_field(s, e, word, text)) {
		log_warn("%s: milter_header_checks: the action \"%.*s\" is not possible here: ignored; write DISCARD, "
			 "DUNNO, "
			 "HOLD, IGNORE, INFO, PREPEND, REJECT, REPLACE, STRIP, WARN or a code",
			s->tx->id, STR_ARG(str_sub(action, 0, SHOWN_MAX)));
	}
	m->check_at = &e->next;
}

static void next(struct milter_link *l);

static void on_answer(struct map_request *r)
{
	struct milter_mail *m = container_of(r, struct milter_mail, check);
	struct milter_link *l = m->checked;
	enum map_status status = r->status;
	struct str action = arena_dup(m->mem, r->value);

	log_session(l->of->session);
	if (status == MAP_TEMPORARY)
		log_warn("milter_header_checks: %.*s", STR_ARG(r->why));
	map_done(r);
	m->is_checking = false;
	if (status == MAP_TEMPORARY)
		milter_refuse(&l->of->verdict, 451, "4.3.0", "Temporary lookup failure");
	else if (status == MAP_FOUND)
		act(l, action);
	else
		m->check_at = &(*m->check_at)->next;
	next(l);
}

static void next(struct milter_link *l)
{
	struct milter_mail *m = l->of->session->tx->milter;
	struct buf key = BUF_INIT(KEY_MAX);
	struct milter_edit *e;

	while (*m->check_at && (*m->check_at)->kind == EDIT_CHANGE && (*m->check_at)->value.n == 0)
		m->check_at = &(*m->check_at)->next; /* it is deleted */
	e = *m->check_at;
	if (e == NULL || l->of->verdict.code || m->discard) {
		end(l);
		return;
	}
	buf_addf(&key, "%.*s%s", STR_ARG(e->name), e->keep_space ? ":" : ": ");
	buf_add_str(&key, str_sub(e->value, 0, KEY_MAX - key.n));
	m->check = (struct map_request){ .on_answer = on_answer };
	m->is_checking = true;
	map_lookup(
		smtpd.map, &m->check, str_c(l->of->session->service->milter->header_checks), buf_str(&key), MAP_EXACT);
	buf_free(&key);
}

bool milter_checks_begin(struct milter_link *l)
{
	struct session *s = l->of->session;
	struct milter_mail *m = s->tx->milter;
	bool any = false;

	for (const struct milter_edit *e = m->edits; e; e = e->next)
		any |= e->kind != EDIT_CHANGE || e->value.n > 0;
	if (!any || *s->service->milter->header_checks == '\0')
		return false;
	l->awaited = l->checking = true;
	m->checked = l;
	m->check_at = &m->edits;
	next(l);
	return true;
}
