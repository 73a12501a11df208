/* ETRN (RFC 1985): send what waits for a domain, if fast_flush_domains covers it. */
#include "smtpd/smtpd.h"

#include <stdlib.h>

static enum outcome flushed(struct session *s)
{
	switch (s->question->flush.code) {
	case 250:
	case 251:
	case 252:
	case 253:
		replyf(s, 250, "2.0.0", "Queuing started");
		break;
	case 459:
		replyf(s, 459, "4.7.0", "Service unavailable");
		break;
	default:
		replyf(s, 458, "4.3.0", "Unable to queue messages");
	}
	return R_DONE;
}

static enum outcome etrn_checked(struct session *s, bool taken)
{
	if (!taken)
		return R_DONE;
	if (!match_list_host(s->service->fast_flush_domains, str_c(s->asked_name))) {
		replyf(s, 459, "4.7.0", "<%s>: service unavailable", s->asked_name);
		return R_DONE;
	}
	if (queue_flush(s, str_c(s->asked_name), flushed) != 0) {
		replyf(s, 458, "4.3.0", "Unable to queue messages");
		return R_DONE;
	}
	return R_WAIT;
}

enum outcome do_etrn(struct session *s, struct str arg)
{
	struct buf name = BUF_INIT(256);

	if (arg.n && (arg.p[0] == '@' || arg.p[0] == '#')) /* sec. 5.2: subdomains and queues by name */
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
