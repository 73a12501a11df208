/* Evaluation of restriction lists: in order, one question at a time, the first word that counts. */
#include "smtpd/restrict.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct restriction_list restrictions_parse(
	const struct conf_view *v, const char *parameter, const char *text, enum stage stage, struct arena *mem)
{
	const char *classes = conf_str(v, "smtpd_restriction_classes");
	struct str *words = NULL, rest, name;
	size_t n = conf_words(str_c(text), mem, &words), count = 0;
	struct restriction *item = arena_array(mem, n + 1, sizeof *item);

	for (size_t i = 0; i < n; i++) {
		struct restriction *r = &item[count++];

		r->word = arena_dup(mem, words[i]);
		r->kind = restriction_find(words[i]);
		if (r->kind && r->kind->has_arg && i + 1 < n)
			r->arg = arena_dup(mem, words[++i]);
		if (r->kind == NULL && str_chr(words[i], ':') > 0) {
			r->kind = restriction_of_table(stage);
			r->arg = r->word;
		}
		for (rest = str_c(classes); r->kind == NULL && str_word(&rest, ", \t\r\n", &name);)
			if (str_eq(name, r->word))
				r->kind = &restriction_class;
		if (r->kind == NULL && parameter)
			log_warn("%s: unknown restriction \"%.*s\"; mail that reaches it is answered with 451 4.3.5",
				parameter, STR_ARG(r->word));
	}
	return (struct restriction_list){ item, count };
}

bool restrictions_have_guard(const struct restriction_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->item[i].kind && l->item[i].kind->is_guard &&
			(i == 0 || l->item[i - 1].kind != &restriction_warn))
			return true;
	return false;
}

bool restrictions_end_in_reject(const struct restriction_list *l)
{
	return l->n > 0 && l->item[l->n - 1].kind == restriction_find(STR("reject")) &&
	       (l->n == 1 || l->item[l->n - 2].kind != &restriction_warn);
}

/* ---- what a restriction may do ---- */

static const char *subject(struct check *c, enum about about)
{
	static const char *const classes[] = { "Client host", "Helo command", "Sender address", "Recipient address" };
	static const enum about of_stage[STAGE_COUNT] = { ABOUT_CLIENT, ABOUT_HELO, ABOUT_SENDER, ABOUT_RCPT,
		ABOUT_RCPT };
	struct session *s = c->session;

	if (about == ABOUT_STAGE && c->stage == STAGE_DATA)
		return s->verb == VERB_BDAT ? "<BDAT>: Data command" : "<DATA>: Data command";
	if (about == ABOUT_STAGE && c->stage == STAGE_EOD)
		return "<END-OF-MESSAGE>: End-of-data";
	if (about == ABOUT_STAGE && c->stage == STAGE_ETRN)
		return arena_printf(c->mem, "<%s>: Etrn command", s->asked_name);
	if (about == ABOUT_STAGE)
		about = of_stage[c->stage];
	switch (about) {
	case ABOUT_CLIENT:
		return arena_printf(c->mem, "<%s>: %s", client_text(s), classes[about]);
	case ABOUT_HELO:
		return arena_printf(c->mem, "<%s>: %s", s->helo ? s->helo : "", classes[about]);
	case ABOUT_SENDER:
		return arena_printf(c->mem, "<%.*s>: %s", STR_ARG(check_sender(c)), classes[about]);
	default:
		return arena_printf(c->mem, "<%.*s>: %s", STR_ARG(check_rcpt(c)), classes[ABOUT_RCPT]);
	}
}

static void refusal_set(struct refusal *r, int code, const char *enhanced, const char *text)
{
	r->code = code;
	snprintf(r->enhanced, sizeof r->enhanced, "%s", enhanced);
	r->text = text;
}

enum verdict check_refuse_text(struct check *c, int code, const char *enhanced, const char *text)
{
	if (c->warn) {
		reply_reject(c->session, code, enhanced, text, true);
		return V_DUNNO;
	}
	refusal_set(&c->refusal, code, enhanced, text);
	return V_REJECT;
}

enum verdict check_refuse(struct check *c, int code, const char *enhanced, enum about about, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return check_refuse_text(c, code, enhanced, arena_printf(c->mem, "%s rejected: %s", subject(c, about), text));
}

enum verdict check_config_error(struct check *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	log_warn("%s", text);
	c->warn = false; /* never skipped silently */
	return check_refuse_text(c, 451, "4.3.5", "Server configuration error");
}

void check_defer_if_permit(struct check *c, int code, const char *enhanced, enum about about, const char *text)
{
	if (c->if_permit.code == 0 && !c->warn)
		refusal_set(&c->if_permit, code, enhanced,
			arena_printf(c->mem, "%s rejected: %s", subject(c, about), text));
}

enum verdict check_enter(struct check *c, struct restriction_list list)
{
	if (c->depth == FRAMES_MAX)
		return check_config_error(c, "restriction lists are nested more than %d deep", FRAMES_MAX);
	c->frame[c->depth++] = (struct frame){ list.item, list.n, 0 };
	return V_DUNNO;
}

struct str check_sender(const struct check *c)
{
	return c->session->tx ? c->session->tx->sender : STR("");
}

struct str check_rcpt(const struct check *c)
{
	const struct transaction *t = c->session->tx;

	if (t == NULL)
		return STR("");
	if (c->session->verb == VERB_RCPT)
		return t->rcpt_arg;
	return t->n_rcpt == 1 ? t->rcpt[0].address : STR("");
}

/* ---- the evaluation ---- */

static bool next_stage(struct check *c)
{
	const struct session *s = c->session;

	for (enum stage stage = 0; stage < STAGE_COUNT; stage++) {
		if (!(c->stages & STAGE_BIT(stage)))
			continue;
		c->stages &= ~STAGE_BIT(stage);
		if (stage == STAGE_HELO && s->helo == NULL)
			continue;
		c->stage = stage;
		c->in_stage = true;
		c->depth = 0;
		check_enter(c, s->service->list[stage]);
		return true;
	}
	return false;
}

/* An answered question has no use any more. */
static void step_end(struct check *c)
{
	c->step = 0;
	if (c->session->question && c->session->question->answered)
		question_end(c->session);
}

static enum verdict run_one(struct check *c, const struct restriction *r)
{
	enum verdict v;

	if (r->kind == NULL)
		return check_config_error(c, "unknown restriction \"%.*s\"", STR_ARG(r->word));
	if (r->kind->has_arg && r->arg.n == 0)
		return check_config_error(c, "restriction %.*s needs a table behind it", STR_ARG(r->word));
	v = r->kind->run(c, r);
	if (v == V_WAIT)
		return v;
	step_end(c);
	if (r->kind != &restriction_warn)
		c->warn = false;
	return v;
}

/* Until a verdict, or the end of the list of this stage (V_DUNNO). */
static enum verdict run_stage(struct check *c)
{
	while (c->depth) {
		struct frame *f = &c->frame[c->depth - 1];
		enum verdict v;

		if (f->i == f->n) {
			c->depth--;
			continue;
		}
		v = run_one(c, &f->item[f->i]);
		if (v == V_WAIT)
			return v;
		f->i++;
		if (v != V_DUNNO)
			return v;
	}
	return V_DUNNO;
}

static enum outcome finish(struct check *c, bool taken)
{
	struct session *s = c->session;
	enum outcome (*then)(struct session * s, bool taken) = c->then;

	if (!taken)
		reply_reject(s, c->refusal.code, c->refusal.enhanced, c->refusal.text, false);
	restrict_drop(s);
	return then(s, taken);
}

static enum verdict run_implicit(struct check *c)
{
	enum verdict v = restriction_implicit(c);

	if (v != V_WAIT)
		step_end(c);
	return v;
}

static enum outcome run(struct check *c)
{
	enum verdict v;

	while (c->in_stage || next_stage(c)) {
		v = c->at_end ? V_DUNNO : run_stage(c);
		if (v != V_WAIT && v != V_REJECT) {
			c->permitted[c->stage] |= v == V_PERMIT;
			c->at_end = true;
			v = run_implicit(c);
		}
		if (v == V_WAIT)
			return R_WAIT;
		if (v == V_REJECT)
			return finish(c, false);
		c->in_stage = c->at_end = false;
	}
	if (c->if_permit.code) {
		c->refusal = c->if_permit;
		return finish(c, false);
	}
	return finish(c, true);
}

enum outcome check_resume(struct session *s)
{
	s->check->step++;
	return run(s->check);
}

enum outcome restrict_begin(struct session *s, unsigned stages, enum outcome (*then)(struct session *s, bool taken))
{
	struct check *c;

	if (s->service->is_local)
		return then(s, true);
	c = xcalloc(1, sizeof *c);
	require(s->check == NULL);
	c->session = s;
	c->mem = arena_new(512);
	c->stages = stages;
	c->then = then;
	s->check = c;
	return run(c);
}

void restrict_drop(struct session *s)
{
	if (s->check == NULL)
		return;
	arena_free(&s->check->mem);
	free(s->check);
	s->check = NULL;
}
