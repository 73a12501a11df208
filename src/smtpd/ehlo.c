/*
 * The reply to EHLO (RFC 5321 sec. 4.1.1.1): the keywords of smtp/esmtp.h that this client may have now. What it names is
 * what the commands that follow take.
 */
#include "smtpd/smtpd.h"
#include "smtp/datetime.h"

#include <time.h>

static bool is_offered(const struct session *s, enum esmtp_ext e)
{
	const struct esmtp_keyword *k = esmtp_row(e);
	unsigned may = s->service->extensions & ~s->hidden;

	if (s->tls == NULL)
		may &= s->service->in_clear;
	return (esmtp_consistent(may) & EXT_BIT(e)) &&
	       esmtp_is_for(k, s->tls != NULL, s->service->is_submission, session_is_ours(s));
}

static void put_auth(struct session *s, struct buf *line)
{
	struct buf mechs = BUF_INIT(1024);

	auth_offered(s, &mechs);
	if (mechs.n)
		buf_addf(line, "AUTH %s", mechs.p);
	buf_free(&mechs);
}

static void put_attributes(unsigned which, struct buf *line)
{
	for (enum smtp_attribute a = 0; a < ATTR_COUNT; a++)
		if (which & ATTR_BIT(a))
			buf_addf(line, " %s", smtp_attribute_name(a));
}

/* RFC 3865 sec. 2.1: a comma between the words, no more than 1000 octets */
static void put_solicitations(const struct session *s, struct buf *line)
{
	struct str rest = str_c(s->service->no_soliciting), word;
	char before = ' ';

	while (str_word(&rest, ", \t\r\n", &word) && line->n + word.n < 1000) {
		buf_addf(line, "%c%.*s", before, STR_ARG(word));
		before = ',';
	}
}

/* Its line, "" when there is nothing to offer now. */
static void put_keyword(struct session *s, enum esmtp_ext e, struct buf *line)
{
	buf_reset(line);
	if (e == EXT_AUTH) {
		put_auth(s, line);
		return;
	}
	if ((e == EXT_XCLIENT && !may_xclient(s)) || (e == EXT_XFORWARD && !may_xforward(s)))
		return;
	buf_add_c(line, esmtp_row(e)->keyword);
	if (e == EXT_XCLIENT || e == EXT_XFORWARD)
		put_attributes(e == EXT_XCLIENT ? XCLIENT_ATTRIBUTES : XFORWARD_ATTRIBUTES, line);
	if (e == EXT_SIZE && s->service->size_limit)
		buf_addf(line, " %llu", (unsigned long long)s->service->size_limit);
	if (e == EXT_FUTURERELEASE) { /* RFC 4865 sec. 4: the longest time, and the last one */
		buf_addf(line, " %llu ", (unsigned long long)s->service->future_release_s);
		datetime_put(line, (int64_t)time(NULL) + (int64_t)s->service->future_release_s);
	}
	if (e == EXT_NO_SOLICITING)
		put_solicitations(s, line);
	if (e == EXT_LIMITS)
		session_limits_put(s, line);
}

void ehlo_offer(struct session *s)
{
	struct buf line = BUF_INIT(1200);

	s->extensions = 0;
	for (enum esmtp_ext e = 0; e < EXT_COUNT; e++) {
		buf_reset(&line);
		if (is_offered(s, e))
			put_keyword(s, e, &line);
		s->extensions |= line.n ? EXT_BIT(e) : 0;
	}
	buf_free(&line);
}

void reply_ehlo(struct session *s)
{
	struct buf line = BUF_INIT(1200);
	size_t last = s->out.n; /* where the last line begins */

	s->last_code = 250;
	s->extensions = 0;
	buf_addf(&s->out, "250-%s\r\n", s->service->hostname);
	for (enum esmtp_ext e = 0; e < EXT_COUNT; e++) {
		if (!is_offered(s, e))
			continue;
		put_keyword(s, e, &line);
		if (line.n == 0)
			continue;
		s->extensions |= EXT_BIT(e);
		last = s->out.n;
		buf_addf(&s->out, "250-%s\r\n", line.p);
		if (e == EXT_AUTH && s->service->sasl_broken_clients) {
			last = s->out.n;
			buf_addf(&s->out, "250-AUTH=%s\r\n", line.p + sizeof "AUTH");
		}
	}
	if (s->out.p)
		s->out.p[last + 3] = ' ';
	buf_free(&line);
}

static enum outcome hidden_known(struct session *s)
{
	const struct map_request *m = &s->question->map;
	enum outcome (*then)(struct session * s) = s->after_hidden;

	if (m->status == MAP_TEMPORARY) {
		log_warn("smtpd_discard_ehlo_keyword_address_maps: %s: %.*s", client_text(s), STR_ARG(m->why));
		replyf(s, 451, "4.3.0", "Error: temporary lookup failure");
		s->hello = HELLO_NONE;
		return R_DONE;
	}
	if (m->status == MAP_FOUND)
		s->hidden = esmtp_mask(m->value);
	s->hidden_known = true;
	question_end(s);
	return then(s);
}

enum outcome ehlo_hidden_find(struct session *s, enum outcome (*then)(struct session *s))
{
	if (s->hidden_known || *s->service->hidden_maps == '\0')
		return then(s);
	s->after_hidden = then;
	ask_map(question_new(s, ASK_MAP, hidden_known), str_c(s->service->hidden_maps), str_c(s->addr), MAP_EXACT);
	return R_WAIT;
}
