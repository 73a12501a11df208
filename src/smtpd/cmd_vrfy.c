/*
 * VRFY (RFC 5321 sec. 3.5): clients in mynetworks or logged in get the truth; all others the same answer for every
 * address, so that nobody can collect addresses with it (sec. 7.3).
 */
#include "smtpd/smtpd.h"
#include "base/utf8.h"

#include <stdlib.h>

static enum outcome answer_252(struct session *s)
{
	replyf(s, 252, "2.0.0", "%s", s->asked_name);
	return R_DONE;
}

enum outcome verify_end(struct session *s, enum outcome r)
{
	free(s->asked_name);
	s->asked_name = NULL;
	return r;
}

static enum outcome name_known(struct session *s)
{
	const struct map_request *m = &s->question->map;

	if (m->status == MAP_FOUND && m->value.n && str_is_8bit(m->value) && !s->asked_utf8)
		replyf(s, 250, "2.1.5", "<%s>", s->asked_name); /* its name only to who can read it (RFC 6531) */
	else if (m->status == MAP_FOUND && m->value.n)
		replyf(s, 250, "2.1.5", "%.*s <%s>", STR_ARG(m->value), s->asked_name);
	else
		answer_252(s);
	return verify_end(s, R_DONE);
}

static enum outcome address_known(struct session *s)
{
	const struct map_request *m = &s->question->map;
	enum map_status status = m->status;
	enum map_class class = m->class;
	const char *unknown = m->unknown_text;
	bool exists = m->exists;

	if (status == MAP_TEMPORARY) {
		replyf(s, 451, "4.3.0", "<%s>: Temporary lookup failure", s->asked_name);
		return verify_end(s, R_DONE);
	}
	if (class != CLASS_DEFAULT && !exists) {
		replyf(s, 550, "5.1.1", "<%s>: Recipient address rejected: %s", s->asked_name,
			unknown ? unknown : "User unknown");
		return verify_end(s, R_DONE);
	}
	if (class == CLASS_DEFAULT || *s->service->name_maps == '\0')
		return verify_end(s, answer_252(s));
	question_end(s);
	ask_map(question_new(s, ASK_MAP, name_known), str_c(s->service->name_maps), str_c(s->asked_name), MAP_EXACT);
	return R_WAIT;
}

/* "user", "user@domain", "<user@domain>", and with SMTPUTF8 (RFC 6531 sec. 3.7.4.2) " SMTPUTF8" behind it. */
static bool parse_address(struct session *s, struct str arg, struct address *a, bool *utf8)
{
	int r;

	*utf8 = str_has_isuffix(arg, STR(" SMTPUTF8"));
	if (*utf8)
		arg = str_trim(str_sub(arg, 0, arg.n - STR(" SMTPUTF8").n));
	if (arg.n >= 2 && arg.p[0] == '<' && arg.p[arg.n - 1] == '>')
		arg = str_sub(arg, 1, arg.n - 2);
	r = arg.n ? address_parse(arg, *utf8, a) : -ADDRESS_ESYNTAX;
	if (r == -ADDRESS_EUTF8)
		reply(s, *utf8 ? REPLY_NO_UTF8 : REPLY_NEED_SMTPUTF8);
	else if (r != 0)
		reply(s, REPLY_BAD_RCPT);
	return r == 0;
}

bool verify_address(struct session *s, struct str arg, bool *utf8)
{
	struct buf address = BUF_INIT(1024);
	struct address a;

	if (!parse_address(s, arg, &a, utf8))
		return false;
	address_normalise(&a, &address);
	if (a.domain.n == 0)
		buf_addf(&address, "%s%s", address.n && address.p[address.n - 1] == '@' ? "" : "@", s->service->origin);
	free(s->asked_name);
	s->asked_name = xstrndup(buf_str(&address));
	s->asked_utf8 = *utf8;
	buf_free(&address);
	return true;
}

enum outcome do_vrfy(struct session *s, struct str arg)
{
	bool utf8;

	if (!s->service->vrfy) {
		reply(s, REPLY_VRFY_DISABLED);
		return R_DONE;
	}
	if (arg.n == 0) {
		reply(s, REPLY_VRFY_SYNTAX);
		return R_DONE;
	}
	if (!verify_address(s, arg, &utf8))
		return R_DONE;
	if (!session_is_ours(s))
		return verify_end(s, answer_252(s));
	ask_rcpt(question_new(s, ASK_MAP, address_known), str_c(s->asked_name));
	return R_WAIT;
}
