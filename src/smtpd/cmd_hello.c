/* HELO, EHLO, RSET, NOOP, QUIT (RFC 5321 sec. 4.1.1). */
#include "smtpd/smtpd.h"
#include "base/utf8.h"

#include <stdlib.h>

/*
 * A name, an address literal, or what clients in use send for want of one; never blanks or what could confuse a header
 * (sec. 4.1.3). Whether it is a good name is for the restrictions to say.
 */
static bool is_plausible(struct str name)
{
	if (name.n == 0 || name.n > 255 || !utf8_is_valid(name))
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!ascii_is_alnum(c) && !strchr("-._:[]%", c) && (unsigned char)c < 128)
			return false;
	}
	return true;
}

static enum outcome answer_known(struct session *s)
{
	if (s->hello == HELLO_EHLO)
		reply_ehlo(s);
	else
		replyf(s, 250, "", "%s", s->service->hostname);
	return R_DONE;
}

static enum outcome hello_told(struct session *s, bool taken)
{
	return taken ? ehlo_hidden_find(s, answer_known) : R_CLOSE;
}

static enum outcome answer_hello(struct session *s)
{
	return milter_hello(s, hello_told);
}

static enum outcome hello_checked(struct session *s, bool taken)
{
	if (taken)
		return answer_hello(s);
	s->hello = HELLO_NONE;
	return R_DONE;
}

static enum outcome hello(struct session *s, struct str arg, enum hello kind)
{
	if (!is_plausible(arg)) {
		reply(s, kind == HELLO_EHLO ? REPLY_EHLO_SYNTAX : REPLY_HELO_SYNTAX);
		return R_DONE;
	}
	transaction_end(s); /* sec. 4.1.4: as RSET */
	milter_hello_changed(s);
	free(s->helo);
	s->helo = xstrndup(arg);
	s->hello = kind;
	s->extensions = 0;
	if (s->service->delay_reject)
		return answer_hello(s);
	return restrict_begin(s, STAGE_BIT(STAGE_CLIENT) | STAGE_BIT(STAGE_HELO), hello_checked);
}

enum outcome do_helo(struct session *s, struct str arg)
{
	return hello(s, arg, HELLO_HELO);
}

enum outcome do_ehlo(struct session *s, struct str arg)
{
	return hello(s, arg, HELLO_EHLO);
}

enum outcome do_rset(struct session *s, struct str arg)
{
	(void)arg;
	transaction_end(s);
	reply(s, REPLY_OK);
	return R_DONE;
}

enum outcome do_noop(struct session *s, struct str arg)
{
	(void)arg;
	reply(s, REPLY_OK);
	return R_DONE;
}

enum outcome do_quit(struct session *s, struct str arg)
{
	(void)arg;
	reply(s, REPLY_BYE);
	return R_CLOSE;
}
