/*
 * EXPN (RFC 5321 sec. 3.5.2): the addresses that an alias stands for, to clients in mynetworks or logged in. To all others
 * it is not implemented, whatever they ask for (sec. 7.3).
 */
#include "smtpd/smtpd.h"
#include "base/utf8.h"

static bool needs_utf8(const struct map_request *m, struct str otherwise)
{
	bool needs = m->n_expanded == 0 && str_is_8bit(otherwise);

	for (size_t i = 0; i < m->n_expanded; i++)
		needs |= str_is_8bit(m->expanded[i]);
	return needs;
}

static bool is_alias(const struct map_request *m, struct str address)
{
	return m->n_expanded > 1 || (m->n_expanded == 1 && !str_ieq(m->expanded[0], address));
}

static void put_members(struct session *s, const struct map_request *m)
{
	for (size_t i = 0; i + 1 < m->n_expanded; i++)
		reply_moref(s, 250, "2.1.5", "<%.*s>", STR_ARG(m->expanded[i]));
	if (m->n_expanded == 0)
		replyf(s, 250, "2.1.5", "<%s>", s->asked_name);
	else
		replyf(s, 250, "2.1.5", "<%.*s>", STR_ARG(m->expanded[m->n_expanded - 1]));
}

static enum outcome members_known(struct session *s)
{
	const struct map_request *m = &s->question->map;
	bool alias = is_alias(m, str_c(s->asked_name));

	if (m->status == MAP_TEMPORARY || m->alias_loop)
		replyf(s, 451, "4.3.0", "<%s>: Temporary lookup failure", s->asked_name);
	else if (m->class == CLASS_DEFAULT && !alias)
		replyf(s, 252, "2.0.0", "<%s>: not of this server", s->asked_name);
	else if (!m->exists && !alias)
		replyf(s, 550, "5.1.1", "<%s>: Recipient address rejected: %s", s->asked_name,
			m->unknown_text ? m->unknown_text : "User unknown");
	else if (!s->asked_utf8 && needs_utf8(m, str_c(s->asked_name)))
		replyf(s, 550, "5.6.8", "UTF-8 addresses can be shown only with SMTPUTF8"); /* RFC 6531 sec. 3.7.4.2 */
	else
		put_members(s, m);
	return verify_end(s, R_DONE);
}

enum outcome do_expn(struct session *s, struct str arg)
{
	bool utf8;

	if (!session_is_ours(s) || !(s->service->extensions & EXT_BIT(EXT_EXPN))) {
		reply(s, REPLY_NOT_IMPLEMENTED);
		return R_DONE;
	}
	if (arg.n == 0) {
		replyf(s, 501, "5.5.4", "Syntax: EXPN address [SMTPUTF8]");
		return R_DONE;
	}
	if (!verify_address(s, arg, &utf8))
		return R_DONE;
	ask_rcpt(question_new(s, ASK_MAP, members_known), str_c(s->asked_name));
	return R_WAIT;
}
