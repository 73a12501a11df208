/* RCPT (RFC 5321 sec. 4.1.1.3): what mapd says of the recipient, then the restrictions, then the envelope. */
#include "smtpd/smtpd.h"

static const char *shown(struct transaction *t, const char *text)
{
	return arena_printf(t->mem, "<%.*s>: %s", STR_ARG(t->rcpt_arg), text);
}

/* Ready for the next RCPT; what mapd said of this one is no longer needed. */
static void rcpt_end(struct session *s)
{
	struct transaction *t = s->tx;

	if (t->rcpt_known)
		map_done(&t->rcpt_answer);
	t->rcpt_known = t->route_is_good = false;
	memset(&t->rcpt_answer, 0, sizeof t->rcpt_answer);
}

/*
 * RFC 3461 sec. 5.2.7: an alias for one address hands on all parameters; one for several is the end of the way for
 * NOTIFY=SUCCESS, of which the sender hears once, and not from each target.
 */
static void add_alias(struct transaction *t)
{
	uint8_t notify = t->rcpt_params.notify;

	if (t->rcpt_answer.n_expanded < 2 || !(notify & NOTIFY_SUCCESS))
		return;
	t->rcpt_params.notify = NOTIFY_EXPANDED;
	transaction_add_rcpt(t, t->rcpt_address, str_eq(t->rcpt_address, t->rcpt_arg) ? STR("") : t->rcpt_arg);
	notify &= (uint8_t)~NOTIFY_SUCCESS;
	t->rcpt_params.notify = notify ? notify : NOTIFY_NEVER;
}

static void add_all(struct transaction *t)
{
	const struct map_request *a = &t->rcpt_answer;

	add_alias(t);
	if (a->n_expanded == 0)
		transaction_add_rcpt(t, t->rcpt_address, STR(""));
	for (size_t i = 0; i < a->n_expanded; i++)
		transaction_add_rcpt(t, a->expanded[i], str_eq(a->expanded[i], t->rcpt_arg) ? STR("") : t->rcpt_arg);
}

static enum outcome rcpt_taken(struct session *s, bool taken)
{
	struct transaction *t = s->tx;

	if (taken && !transaction_takes(t, t->rcpt_address, &t->rcpt_answer))
		reply(s, REPLY_TOO_MANY_RCPTS);
	else if (taken && transaction_open(s) != 0)
		reply(s, REPLY_QUEUE_ERROR);
	else if (taken) {
		add_all(t);
		t->n_accepted++;
		reply(s, REPLY_RCPT_OK);
	}
	rcpt_end(s);
	return R_DONE;
}

static enum outcome rcpt_allowed(struct session *s, bool taken)
{
	return taken ? milter_tell(s, MILTER_RCPT, rcpt_taken) : rcpt_taken(s, false);
}

static enum outcome rcpt_checked(struct session *s, bool taken)
{
	if (taken && since_is_asked(s))
		return since_check_rcpt(s, rcpt_allowed);
	if (taken && s->tx->rcpt_params.valid_since == 0)
		since_note_rcpt(s->tx);
	return rcpt_allowed(s, taken);
}

static enum outcome rcpt_judge(struct session *s);

static void keep_answer(struct session *s)
{
	s->tx->rcpt_answer = s->question->map;
	s->tx->rcpt_known = true;
	s->question->map.mem = NULL; /* it is the transaction's now */
	question_end(s);
}

/* The domain in its other form is one of ours: it is that recipient (RFC 5891: both are the same domain). */
static enum outcome other_form_known(struct session *s)
{
	struct transaction *t = s->tx;
	const struct map_request *m = &s->question->map;

	if (m->status == MAP_TEMPORARY || m->class != CLASS_DEFAULT) {
		map_done(&t->rcpt_answer);
		t->rcpt_address = t->rcpt_other_form;
		keep_answer(s);
	} else {
		question_end(s);
	}
	return rcpt_judge(s);
}

static enum outcome rcpt_known(struct session *s)
{
	struct transaction *t = s->tx;
	struct buf other = BUF_INIT(4096);

	keep_answer(s);
	if (t->rcpt_answer.status != MAP_TEMPORARY && t->rcpt_answer.class == CLASS_DEFAULT &&
		address_other_form(t->rcpt_address, &other) == 0) {
		t->rcpt_other_form = arena_dup(t->mem, buf_str(&other));
		buf_free(&other);
		ask_rcpt(question_new(s, ASK_MAP, other_form_known), t->rcpt_other_form);
		return R_WAIT;
	}
	buf_free(&other);
	return rcpt_judge(s);
}

static enum outcome rcpt_judge(struct session *s)
{
	unsigned stages = STAGE_BIT(STAGE_RELAY) | STAGE_BIT(STAGE_RCPT);
	struct transaction *t = s->tx;

	if (t->rcpt_answer.status == MAP_TEMPORARY || t->rcpt_answer.alias_loop) {
		log_warn("%s: cannot look up the recipient <%.*s>: %.*s", client_text(s), STR_ARG(t->rcpt_arg),
			STR_ARG(t->rcpt_answer.alias_loop ? STR("alias loop") : t->rcpt_answer.why));
		reply_reject(s, 451, "4.3.0", shown(t, "Temporary lookup failure"), false);
		rcpt_end(s);
		return R_DONE;
	}
	if (t->rcpt_parts.domain.n == 0 && str_ieq(t->rcpt_parts.local, STR("postmaster")))
		return rcpt_checked(s, true); /* sec. 4.5.1: always */
	if (s->service->delay_reject)
		stages |= STAGE_BIT(STAGE_CLIENT) | STAGE_BIT(STAGE_HELO) | STAGE_BIT(STAGE_SENDER);
	return restrict_begin(s, stages, rcpt_checked);
}

static bool read_rcpt(struct session *s, const struct smtp_path_arg *path)
{
	struct transaction *t = s->tx;
	struct str bad = { NULL, 0 };
	int r;

	memset(&t->rcpt_params, 0, sizeof t->rcpt_params);
	t->rcpt_arg = arena_dup(t->mem, path->path);
	r = address_parse(t->rcpt_arg, t->params.flags & ENV_SMTPUTF8, &t->rcpt_parts);
	if (r == -ADDRESS_EUTF8)
		return reply(s, t->params.flags & ENV_SMTPUTF8 ? REPLY_NO_UTF8 : REPLY_NEED_SMTPUTF8), false;
	if (r != 0 && !(r == -ADDRESS_ELONG && t->rcpt_parts.local.n))
		return reply(s, REPLY_BAD_RCPT), false;
	t->rcpt_args = arena_dup(t->mem, path->params);
	switch (rcpt_params_parse(t->rcpt_args, s->hello == HELLO_EHLO ? s->extensions : 0, &t->rcpt_params, &bad)) {
	case 0:
		return true;
	case -PARAM_EUNKNOWN:
		replyf(s, 555, "5.5.4", "Unsupported option: %.*s", STR_ARG(bad));
		return false;
	default:
		replyf(s, 501, "5.5.4", "Error: bad or repeated parameter: %.*s", STR_ARG(bad));
		return false;
	}
}

/* "postmaster" without a domain is ours (sec. 2.3.5); other local names get $myorigin as in Postfix. */
static struct str normalised(struct session *s)
{
	struct transaction *t = s->tx;
	struct buf b = BUF_INIT(1024);
	struct str result;

	if (address_normalise(&t->rcpt_parts, &b) != 0) {
		buf_reset(&b);
		buf_add_str(&b, t->rcpt_arg);
	}
	if (t->rcpt_parts.domain.n == 0)
		buf_addf(&b, "%s%s", b.n && b.p[b.n - 1] == '@' ? "" : "@", s->service->origin);
	result = arena_dup(t->mem, buf_str(&b));
	buf_free(&b);
	return result;
}

/* Who has asked for many that do not exist hears the same of all: nobody collects addresses with RCPT (sec. 7.3). */
static bool is_within_rates(struct session *s)
{
	if (!client_may(s, EVENT_RCPT))
		replyf(s, 450, "4.7.1", "Error: too many recipients from %s", s->addr);
	else if (!session_is_ours(s) && !client_may(s, EVENT_UNKNOWN_RCPT))
		replyf(s, 450, "4.7.1", "Error: too many unknown recipients from %s", s->addr);
	else {
		client_count(s, EVENT_RCPT);
		return user_may(s, USER_RCPT);
	}
	return false;
}

enum outcome do_rcpt(struct session *s, struct str arg)
{
	struct transaction *t = s->tx;
	struct smtp_path_arg path;
	struct question *q;

	if (smtp_path_parse(arg, STR("TO:"), &path) != 0 || (s->service->strict_envelopes && !path.bracketed)) {
		reply(s, REPLY_RCPT_SYNTAX);
		return R_DONE;
	}
	if (path.path.n == 0) {
		reply(s, REPLY_BAD_RCPT);
		return R_DONE;
	}
	if (t->n_accepted >= s->service->rcpt_limit) {
		reply(s, REPLY_TOO_MANY_RCPTS);			       /* sec. 4.5.3.1.10 */
		s->counted = t->n_over++ < s->service->rcpt_overshoot; /* as no error: it was sent ahead */
		return R_DONE;
	}
	if (s->spoke_early) {
		reply_reject(s, 550, "5.5.1", "Protocol error", false);
		return R_DONE;
	}
	if (!is_within_rates(s) || !read_rcpt(s, &path))
		return R_DONE;
	if (!session_may_address(s, t->rcpt_parts.domain)) {
		replyf(s, 452, "4.5.3",
			"Error: too many domains of recipients in this session"); /* RFC 9422 sec. 3.3 */
		return R_DONE;
	}
	t->rcpt_address = normalised(s);
	q = question_new(s, ASK_MAP, rcpt_known);
	ask_rcpt(q, t->rcpt_address);
	return R_WAIT;
}
