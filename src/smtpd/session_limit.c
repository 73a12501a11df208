/* What one session may do in all, as LIMITS says it (RFC 9422). */
#include "smtpd/smtpd.h"

#include <stdlib.h>

bool session_may_send(const struct session *s)
{
	return s->service->message_limit == 0 || s->messages < s->service->message_limit;
}

bool session_may_address(struct session *s, struct str domain)
{
	uint64_t hash = 5381;

	if (s->service->domain_limit == 0)
		return true;
	for (size_t i = 0; i < domain.n; i++)
		hash = hash * 33 ^ (unsigned char)ascii_lower(domain.p[i]);
	for (unsigned i = 0; i < s->n_rcpt_domain; i++)
		if (s->rcpt_domain[i] == hash)
			return true;
	if (s->n_rcpt_domain >= s->service->domain_limit)
		return false;
	if ((s->n_rcpt_domain & (s->n_rcpt_domain - 1)) == 0) /* full: 0, 1, 2, 4 … */
		s->rcpt_domain = xrealloc(
			s->rcpt_domain, (s->n_rcpt_domain ? s->n_rcpt_domain * 2 : 1) * sizeof *s->rcpt_domain);
	s->rcpt_domain[s->n_rcpt_domain++] = hash;
	return true;
}

void session_limits_put(const struct session *s, struct buf *line)
{
	if (s->service->message_limit)
		buf_addf(line, " MAILMAX=%u", s->service->message_limit);
	buf_addf(line, " RCPTMAX=%u", s->service->rcpt_limit);
	if (s->service->domain_limit)
		buf_addf(line, " RCPTDOMAINMAX=%u", s->service->domain_limit);
}
