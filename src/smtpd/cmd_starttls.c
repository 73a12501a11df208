/* STARTTLS (RFC 3207). */
#include "smtpd/smtpd.h"

#include <stdlib.h>

enum outcome do_starttls(struct session *s, struct str arg)
{
	(void)arg;
	if (s->tls) {
		reply(s, REPLY_TLS_ACTIVE);
		return R_DONE;
	}
	if (s->service->tls == NULL || !(s->service->extensions & EXT_BIT(EXT_STARTTLS)) || !keys_are_here()) {
		reply(s, s->service->tls_level == LEVEL_NONE ? REPLY_NO_STARTTLS : REPLY_TLS_TEMPORARY);
		return R_DONE;
	}
	if (s->more_input) { /* CVE-2011-0411: plain text that waits for TLS to begin */
		log_info("improper command pipelining after STARTTLS from %s", client_text(s));
		reply(s, REPLY_PIPELINING);
		return R_CLOSE;
	}
	if (!client_may(s, EVENT_TLS)) {
		replyf(s, 454, "4.7.0", "Error: too many new TLS sessions from %s", s->addr);
		return R_DONE;
	}
	/* Sec. 4.2: nothing that was learnt in the clear is kept. */
	transaction_end(s);
	milter_hello_changed(s);
	auth_forget(s);
	free(s->helo);
	s->helo = NULL;
	s->hello = HELLO_NONE;
	s->extensions = 0;
	reply(s, REPLY_TLS_READY);
	s->after_flush = FLUSH_STARTTLS;
	return R_DONE;
}
