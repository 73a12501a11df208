/*
 * Milters hear of a client when it comes and when it says HELO, as in Postfix and Sendmail. Who is refused then is greeted
 * with 554, or 421 and the end; 4xx, and what is said to HELO, is kept for the commands that want something.
 */
#include "smtpd/milter.h"

bool milter_greets(const struct session *s)
{
	return s->service->milter && !s->service->is_local && s->milters == NULL;
}

/* Returns the code of the refusal, 0 when there is none; it is logged and done with. */
static int take_refusal(struct session *s)
{
	struct milter_refusal *r = s->milters ? &s->milters->verdict : NULL;
	int code = r ? r->code : 0;

	if (code == 0)
		return 0;
	milter_log_refusal(s, r);
	milter_refusal_drop(r);
	return code;
}

static enum outcome greeted(struct session *s, bool taken)
{
	int code = taken ? 0 : take_refusal(s);

	s->greeting_due = false;
	if (code == 421) {
		reply_host(s, 421, "", "Service unavailable - try again later");
		return R_CLOSE;
	}
	if (code >= 500) {
		reply_host(s, 554, "", "ESMTP not accepting connections"); /* RFC 5321 sec. 3.1 */
		s->errors++;
	} else {
		reply_greeting(s);
	}
	return R_DONE;
}

enum outcome milter_greet(struct session *s)
{
	return milter_list_find(s, greeted);
}

/* That of the first that has refused the session, or is away; NULL: none has. */
static const struct milter_refusal *lasting_refusal(const struct session *s)
{
	for (size_t i = 0; s->milters && i < s->milters->n; i++)
		if (s->milters->link[i].refusal.code)
			return &s->milters->link[i].refusal;
	return NULL;
}

static enum outcome hello_heard(struct session *s, bool taken)
{
	enum outcome (*then)(struct session * s, bool taken) = s->after_milters;
	struct milter_refusal *r = &s->milters->verdict;

	if (taken)
		return then(s, true);
	if (r->code == 421) {
		milter_answer_refusal(s, r);
		milter_refusal_drop(r);
		return then(s, false);
	}
	take_refusal(s);
	return then(s, true);
}

enum outcome milter_hello(struct session *s, enum outcome (*then)(struct session *s, bool taken))
{
	if (s->milters == NULL || s->service->is_local || lasting_refusal(s))
		return then(s, true);
	s->after_milters = then;
	return milter_begin(s, MILTER_HELO, hello_heard);
}

bool milter_refuses(struct session *s, enum smtp_verb v, enum outcome *r)
{
	bool temporary = v == VERB_AUTH || v == VERB_STARTTLS;
	const struct milter_refusal *refusal = lasting_refusal(s);

	if (refusal == NULL || !(temporary || v == VERB_VRFY || v == VERB_EXPN || v == VERB_ETRN))
		return false;
	*r = R_DONE;
	if (temporary && refusal->code < 500 && refusal->code != 421)
		replyf(s, 454, "4.3.0", "Try again later"); /* RFC 4954 sec. 6, RFC 3207 sec. 4 */
	else
		*r = milter_answer_refusal(s, refusal);
	return true;
}
