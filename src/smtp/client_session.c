#include "smtp/client_own.h"

#include "base/log.h"
#include "smtp/esmtp.h"

/* The session's beginning: greeting, EHLO or HELO, STARTTLS, EHLO again, AUTH. */

static void say_hello(struct smtp_client *c, const char *verb, enum client_step step)
{
	buf_addf(&c->out, "%s %s\r\n", verb, c->options.helo);
	c->step = step;
}

static void say_first_hello(struct smtp_client *c)
{
	if (c->options.lmtp)
		say_hello(c, "LHLO", CLIENT_STEP_LHLO);
	else
		say_hello(c, "EHLO", CLIENT_STEP_EHLO);
}

/* RFC 5321 sec. 3.1: 220, or 554 when there is no service; 421 is allowed everywhere (sec. 3.8). */
static enum client_event on_greeting(struct smtp_client *c, bool more_octets)
{
	(void)more_octets;
	if (c->reply.code != 220)
		return client_fail_reply(c);
	say_first_hello(c);
	return CLIENT_MORE;
}

static void forget_offers(struct smtp_client *c)
{
	c->offered = 0;
	c->size_limit = 0;
	c->by_least_s = 0;
	c->forward_attributes = 0;
	c->mail_max = c->rcpt_max = c->domain_max = 0;
	c->esmtp = c->logged_in = false;
	buf_reset(&c->mechanisms);
	buf_reset(&c->server_name);
}

static void add_mechanisms(struct smtp_client *c, struct str words)
{
	struct str word;

	while (str_word(&words, " \t", &word)) {
		size_t before = c->mechanisms.n;

		if (word.n > 20) /* RFC 4422 sec. 3.1: 1 to 20 characters */
			continue;
		if (before > 0 && buf_add_char(&c->mechanisms, ' ') < 0)
			return;
		for (size_t i = 0; i < word.n; i++) {
			char ch = word.p[i];
			bool is_lower = ch >= 'a' && ch <= 'z';

			if (buf_add_char(&c->mechanisms, is_lower ? (char)(ch - 'a' + 'A') : ch) < 0) {
				buf_cut(&c->mechanisms, before);
				return;
			}
		}
	}
}

/* limit-name ["=" limit-value] (RFC 9422 sec. 3) */
static bool is_limit(struct str word)
{
	size_t n = 0;

	while (n < word.n && (ascii_is_alnum(word.p[n]) || word.p[n] == '-' || word.p[n] == '_'))
		n++;
	if (n == 0 || n == word.n)
		return n > 0;
	if (word.p[n] != '=' || n + 1 == word.n)
		return false;
	while (++n < word.n)
		if (!ascii_is_graph(word.p[n]) || word.p[n] == ';')
			return false;
	return true;
}

/* "1" to "999999" (sec. 4); 0: something else. */
static size_t limit_value(struct str value)
{
	uint64_t n;

	return value.n > 0 && value.n <= 6 && value.p[0] != '0' && str_u64(value, &n) ? (size_t)n : 0;
}

/* "RCPTMAX=100 MAILMAX=5 …"; limits that are not known, or none, are passed over; all of what is not well-formed (sec. 3.7). */
static void take_limits(struct smtp_client *c, struct str words)
{
	struct {
		const char *name;
		size_t *limit;
	} limits[] = { { "MAILMAX=", &c->mail_max }, { "RCPTMAX=", &c->rcpt_max },
		{ "RCPTDOMAINMAX=", &c->domain_max } };
	struct str word, rest = words;

	while (str_word(&rest, " \t", &word))
		if (!is_limit(word))
			return;
	while (str_word(&words, " \t", &word))
		for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
			struct str name = str_c(limits[i].name);

			if (str_has_iprefix(word, name))
				*limits[i].limit = limit_value(str_from(word, name.n));
		}
	if (c->domain_max > CLIENT_DOMAINS)
		c->domain_max = CLIENT_DOMAINS;
}

/* One line of the EHLO reply: ehlo-keyword *( SP ehlo-param ) (RFC 5321 sec. 4.1.1.1). */
static void take_keyword(struct smtp_client *c, struct str line)
{
	struct str keyword;
	const struct esmtp_keyword *row;
	uint64_t limit;

	if (str_has_iprefix(line, STR("AUTH="))) { /* before RFC 2554 servers wrote it so */
		add_mechanisms(c, str_from(line, 5));
		return;
	}
	if (!str_word(&line, " \t", &keyword))
		return;
	row = esmtp_find(keyword);
	if (row == NULL || (c->options.ignore & EXT_BIT(row->ext)))
		return;
	c->offered |= EXT_BIT(row->ext);
	if (row->ext == EXT_AUTH)
		add_mechanisms(c, line);
	if (row->ext == EXT_DELIVERBY && str_u64(str_trim(line), &limit))
		c->by_least_s = limit;
	if (row->ext == EXT_XFORWARD)
		client_forward_offered(c, line);
	if (row->ext == EXT_LIMITS)
		take_limits(c, line);
	if (row->ext == EXT_SIZE && str_u64(str_trim(line), &limit))
		c->size_limit = limit;
}

static void take_offers(struct smtp_client *c, bool esmtp)
{
	struct str rest = buf_str(&c->reply.text), line, word;

	forget_offers(c);
	c->esmtp = esmtp;
	if (str_field(&rest, "\n", &line) && str_word(&line, " \t", &word))
		text_sanitise(&c->server_name, word, 255);
	while (esmtp && str_field(&rest, "\n", &line))
		take_keyword(c, str_trim(line));
}

static enum client_event session_up(struct smtp_client *c)
{
	c->step = CLIENT_STEP_IDLE;
	return CLIENT_READY;
}

static enum client_event after_tls(struct smtp_client *c)
{
	if (!c->options.login || c->mechanisms.n == 0)
		return session_up(c);
	c->step = CLIENT_STEP_AUTH;
	c->auth_line = false;
	return CLIENT_LOGIN;
}

static enum client_event after_hello(struct smtp_client *c)
{
	if (c->secured || c->options.tls == CLIENT_TLS_NONE)
		return after_tls(c);
	if (c->offered & EXT_BIT(EXT_STARTTLS)) {
		client_command(c, "STARTTLS", CLIENT_STEP_STARTTLS);
		return CLIENT_MORE;
	}
	if (c->options.tls == CLIENT_TLS_MAY)
		return after_tls(c);
	c->step = CLIENT_STEP_STARTTLS;
	return client_fail_own(c, "4.7.4", "TLS is required, but was not offered");
}

/* RFC 5321 sec. 3.2: a server that does not know EHLO says 500 or 502, and HELO is tried. */
static enum client_event on_ehlo(struct smtp_client *c, bool more_octets)
{
	(void)more_octets;
	if (c->reply.code == 250) {
		take_offers(c, true);
		return after_hello(c);
	}
	if (c->step != CLIENT_STEP_EHLO || c->reply.code / 100 != 5)
		return client_fail_reply(c);
	say_hello(c, "HELO", CLIENT_STEP_HELO);
	return CLIENT_MORE;
}

static enum client_event on_helo(struct smtp_client *c, bool more_octets)
{
	(void)more_octets;
	if (c->reply.code != 250)
		return client_fail_reply(c);
	take_offers(c, false);
	return after_hello(c);
}

/*
 * RFC 3207 sec. 4. Only 220 begins a handshake. Any octet behind it was sent in the clear by somebody who wants it read
 * as if it had come under TLS: that connection is given up.
 */
static enum client_event on_starttls(struct smtp_client *c, bool more_octets)
{
	c->gone = c->reply.code == 220 && more_octets;
	if (c->gone)
		return client_fail_own(c, "4.7.0", "the server sent octets behind its reply to STARTTLS");
	if (c->reply.code == 220) {
		c->step = CLIENT_STEP_TLS;
		return CLIENT_STARTTLS;
	}
	/* A refusal leaves the session as it was; what is neither yes nor no leaves nobody knows what. */
	if (c->options.tls == CLIENT_TLS_MUST || c->reply.code == 421 || c->reply.code < 400)
		return client_fail_reply(c);
	c->tls_refused = true;
	return after_tls(c);
}

void smtp_client_secured(struct smtp_client *c)
{
	require(c->step == CLIENT_STEP_TLS);
	c->secured = true;
	forget_offers(c);
	reply_reset(&c->reply);
	say_first_hello(c);
}

/* RFC 4954 sec. 4: 334 goes on, 235 is done; anything else ends it. */
static enum client_event on_auth(struct smtp_client *c, bool more_octets)
{
	(void)more_octets;
	if (c->reply.code == 235) {
		c->logged_in = true;
		buf_wipe(&c->challenge);
		return session_up(c);
	}
	if (c->reply.code != 334)
		return client_fail_reply(c);
	buf_reset(&c->challenge);
	if (buf_add_str(&c->challenge, str_trim(buf_str(&c->reply.text))) < 0)
		return client_fail_own(c, "4.5.0", "the server's AUTH challenge is too long");
	c->auth_line = false;
	return CLIENT_CHALLENGE;
}

void smtp_client_auth(struct smtp_client *c, const char *mechanism, struct str initial)
{
	require(c->step == CLIENT_STEP_AUTH && !c->auth_line);
	buf_addf(&c->out, "AUTH %s", mechanism);
	if (initial.p != NULL) {
		buf_add_char(&c->out, ' ');
		buf_add_str(&c->out, initial.n > 0 ? initial : STR("="));
	}
	buf_add_c(&c->out, "\r\n");
	c->auth_line = true;
}

void smtp_client_auth_answer(struct smtp_client *c, struct str base64)
{
	require(c->step == CLIENT_STEP_AUTH && !c->auth_line);
	buf_add_str(&c->out, base64);
	buf_add_c(&c->out, "\r\n");
	c->auth_line = true;
}

void smtp_client_auth_cancel(struct smtp_client *c)
{
	smtp_client_auth_answer(c, STR("*"));
}

void smtp_client_auth_again(struct smtp_client *c)
{
	require(c->failure.step == CLIENT_STEP_AUTH && c->failure.code == 535 && !c->gone);
	buf_reset(&c->failure.text);
	c->failure.code = 0;
	c->step = CLIENT_STEP_AUTH;
	c->unusable = c->auth_line = false;
}

void smtp_client_auth_skip(struct smtp_client *c)
{
	require(c->step == CLIENT_STEP_AUTH);
	c->step = CLIENT_STEP_IDLE;
}

enum client_event client_session_reply(struct smtp_client *c, bool more_octets)
{
	static enum client_event (*const on_step[])(struct smtp_client *, bool) = {
		[CLIENT_STEP_GREETING] = on_greeting,
		[CLIENT_STEP_EHLO] = on_ehlo,
		[CLIENT_STEP_LHLO] = on_ehlo,
		[CLIENT_STEP_HELO] = on_helo,
		[CLIENT_STEP_STARTTLS] = on_starttls,
		[CLIENT_STEP_AUTH] = on_auth,
	};

	require((size_t)c->step < sizeof on_step / sizeof *on_step && on_step[c->step] != NULL);
	return on_step[c->step](c, more_octets);
}
