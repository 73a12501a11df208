/* ETRN (RFC 1985): send what waits for a domain, if fast_flush_domains covers it. */
#include "smtpd/smtpd.h"

#include <stdlib.h>

static void not_allowed(struct session *s)
{
	replyf(s, 459, "4.7.0", "Node %s not allowed: it is not in fast_flush_domains", s->asked_name);
}

static void not_now(struct session *s)
{
	replyf(s, 458, "4.3.0", "Unable to queue messages for node %s", s->asked_name);
}

static enum outcome flushed(struct session *s)
{
	unsigned n = s->question->flush.messages;

	switch (s->question->flush.code) { /* sec. 5.3 */
	case 250:
		replyf(s, 250, "2.0.0", "OK, queuing for node %s started", s->asked_name);
		break;
	case 251:
		replyf(s, 251, "2.0.0", "OK, no messages waiting for node %s", s->asked_name);
		break;
	case 252:
		replyf(s, 252, "2.0.0", "OK, pending messages for node %s started", s->asked_name);
		break;
	case 253:
		replyf(s, 253, "2.0.0", "OK, %u pending message%s for node %s started", n, n == 1 ? "" : "s",
			s->asked_name);
		break;
	case 459:
		not_allowed(s);
		break;
	default:
		not_now(s);
	}
	return R_DONE;
}

static enum outcome etrn_checked(struct session *s, bool taken)
{
	if (!taken)
		return R_DONE;
	if (!match_list_domain(s->service->fast_flush_domains, str_c(s->asked_name))) {
		not_allowed(s);
		return R_DONE;
	}
	if (queue_flush(s, str_c(s->asked_name), s->etrn_below, flushed) != 0) {
		not_now(s);
		return R_DONE;
	}
	return R_WAIT;
}

enum outcome do_etrn(struct session *s, struct str arg)
{
	struct buf name = BUF_INIT(256);

	s->etrn_below = arg.n > 0 && arg.p[0] == '@';	   /* sec. 5.2: and the domains below it */
	if (arg.n && (arg.p[0] == '@' || arg.p[0] == '#')) /* … or a queue by its name, which is a domain's */
		arg = str_from(arg, 1);
	if (arg.n == 0 || str_chr(arg, ' ') >= 0) {
		replyf(s, 500, "5.5.4", "Syntax: ETRN domain");
		return R_DONE;
	}
	if (!domain_is_valid(arg, true) || domain_to_ascii(arg, &name) != 0) {
		buf_free(&name);
		reply(s, REPLY_ETRN_SYNTAX);
		return R_DONE;
	}
	free(s->asked_name);
	s->asked_name = xstrndup(buf_str(&name));
	buf_free(&name);
	return restrict_begin(s, STAGE_BIT(STAGE_ETRN), etrn_checked);
}
