/* MAIL (RFC 5321 sec. 4.1.1.2). */
#include "smtpd/smtpd.h"
#include "msg/queue_msg.h"

#include <time.h>

/* Can a message be kept at all now? */
static bool intake_is_open(struct session *s)
{
	if (smtpd.intake & INTAKE_LOW_SPACE)
		reply_refuse(s, REPLY_NO_SPACE);
	else if (smtpd.intake & INTAKE_BEHIND)
		reply_reject(s, 451, "4.3.2", "Error: the queue is busy; please try again", false);
	else if (!spool_writer_is_ready(smtpd.writer))
		reply_refuse(s, REPLY_QUEUE_ERROR);
	else
		return true;
	return false;
}

/*
 * HOLDFOR becomes HOLDUNTIL, BY a time, both from now on (RFC 2852 sec. 4). False: it would be held too long (RFC 4865
 * sec. 4.2 and 5.2.2), which is answered. What is to be held until a time that is past is sent at once.
 */
static bool set_times(struct session *s)
{
	struct mail_params *p = &s->tx->params;
	struct timespec now;
	int64_t now_s;

	clock_gettime(CLOCK_REALTIME, &now);
	now_s = (int64_t)now.tv_sec;
	if (p->hold_for_s)
		p->hold_until_s = (uint64_t)now_s + p->hold_for_s;
	if (p->has_by)
		s->tx->deliver_by_us = (uint64_t)((now_s + p->by_s) * 1000000 + now.tv_nsec / 1000);
	if (p->hold_until_s > (uint64_t)now_s + s->service->future_release_s)
		replyf(s, 501, "5.5.4", "Error: mail is held for %llu seconds at most",
			(unsigned long long)s->service->future_release_s);
	else if (p->has_by && p->hold_until_s && (int64_t)p->hold_until_s > now_s + p->by_s)
		replyf(s, 501, "5.5.4", "Error: mail cannot be held for longer than BY gives it");
	else
		return true;
	return false;
}

static bool read_params(struct session *s, struct str params)
{
	unsigned offered = s->hello == HELLO_EHLO ? s->extensions : 0;
	struct str bad = { NULL, 0 };
	uint64_t limit = s->service->size_limit;

	params = arena_dup(s->tx->mem, params); /* ENVID outlives the command line */
	s->tx->mail_args = params;
	switch (mail_params_parse(params, offered, s->tx->mem, &s->tx->params, &bad)) {
	case 0:
		break;
	case -PARAM_EUNKNOWN:
		replyf(s, 555, "5.5.4", "Unsupported option: %.*s", STR_ARG(bad));
		return false;
	case -PARAM_ESIZE:
		reply_refuse(s, REPLY_TOO_BIG);
		return false;
	default:
		replyf(s, 501, "5.5.4", "Error: bad or repeated parameter: %.*s", STR_ARG(bad));
		return false;
	}
	if (s->tx->params.has_size && limit && s->tx->params.size > limit) {
		reply_refuse(s, REPLY_TOO_BIG); /* RFC 1870 sec. 6.1 */
		return false;
	}
	if (!set_times(s))
		return false;
	if (s->tx->params.priority > 0 && !session_is_ours(s)) { /* RFC 6710 sec. 5: only to whom we trust */
		s->tx->params.priority = 0;
		s->tx->priority_changed = true;
	}
	return !solicit_refuse(s, s->tx->params.solicit);
}

static bool read_sender(struct session *s, struct str path)
{
	struct transaction *t = s->tx;
	bool utf8 = t->params.flags & ENV_SMTPUTF8;
	int r = path.n ? address_parse(path, utf8, &t->sender_parts) : 0;

	if (r == -ADDRESS_EUTF8)
		reply(s, utf8 ? REPLY_NO_UTF8 : REPLY_NEED_SMTPUTF8);
	else if (r != 0 && !(r == -ADDRESS_ELONG && t->sender_parts.local.n))
		reply(s, REPLY_BAD_SENDER);
	else
		return true;
	return false;
}

static enum outcome sender_told(struct session *s, bool taken)
{
	if (taken) {
		s->messages++;
		reply(s, REPLY_MAIL_OK);
	} else {
		transaction_end(s);
	}
	return R_DONE;
}

static enum outcome sender_checked(struct session *s, bool taken)
{
	return taken ? milter_tell(s, MILTER_MAIL, sender_told) : sender_told(s, false);
}

enum outcome do_mail(struct session *s, struct str arg)
{
	struct smtp_path_arg path;

	if (smtp_path_parse(arg, STR("FROM:"), &path) != 0 || (s->service->strict_envelopes && !path.bracketed)) {
		reply(s, REPLY_MAIL_SYNTAX);
		return R_DONE;
	}
	if (!session_may_send(s)) {
		replyf(s, 452, "4.5.3", "Error: too many messages in this session; begin another one");
		return R_DONE;
	}
	if (!client_may(s, EVENT_MAIL)) {
		replyf(s, 450, "4.7.1", "Error: too much mail from %s", s->addr);
		return R_DONE;
	}
	client_count(s, EVENT_MAIL);
	if (!user_may(s, USER_MAIL))
		return R_DONE;
	transaction_begin(s, path.path);
	if (!read_params(s, path.params) || !read_sender(s, s->tx->sender) || !intake_is_open(s)) {
		transaction_end(s);
		return R_DONE;
	}
	if (s->tx->sender.n && s->tx->sender_parts.domain.n == 0) /* append_at_myorigin */
		s->tx->sender = str_c(arena_printf(s->tx->mem, "%.*s@%s", STR_ARG(s->tx->sender), s->service->origin));
	if (s->service->delay_reject)
		return sender_checked(s, true);
	return restrict_begin(
		s, STAGE_BIT(STAGE_CLIENT) | STAGE_BIT(STAGE_HELO) | STAGE_BIT(STAGE_SENDER), sender_checked);
}
