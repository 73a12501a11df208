/*
 * client_peer_test.h - the client's engine against a server that lives here: it answers each command well, but for one step,
 * at which it says what the case wants. Each case runs with the replies whole and octet by octet.
 */
#ifndef SMTP_CLIENT_PEER_TEST_H
#define SMTP_CLIENT_PEER_TEST_H

#include "smtp/client.h"

#include "base/log.h"
#include "base/test.h"
#include "log/envelope.h"
#include "smtp/esmtp.h"

#include <stdlib.h>

struct peer {
	const char *ehlo;    /* keywords, separated by "|" */
	enum client_step at; /* where it says `says` */
	const char *says;    /* "|" is CRLF; NULL: always well */
	bool lmtp;
	bool in_data;
	unsigned rcpts;
	size_t chunk; /* octets of BDAT that are still to come */
	bool last;
	struct buf in, out, seen;
};

struct outcome {
	char events[64]; /* one letter per event that is not CLIENT_MORE */
	char rcpts[8];	 /* D delivered, d deferred, b bounced, o open */
	struct buf body;
};

static inline void say(struct peer *p, enum client_step step, const char *text)
{
	if (p->says && step == p->at)
		text = p->says;
	for (; *text; text++)
		buf_add(&p->out, *text == '|' ? "\r\n" : text, *text == '|' ? 2 : 1);
}

static inline void hello(struct peer *p, enum client_step step)
{
	struct buf text = BUF_INIT(4096);
	struct str rest = str_c(p->ehlo), word, next;

	if (!str_field(&rest, "|", &word))
		word = STR("");
	buf_addf(&text, "250%cpeer|", *p->ehlo ? '-' : ' ');
	for (bool more = *p->ehlo; more; word = next) {
		more = str_field(&rest, "|", &next);
		buf_addf(&text, "250%c%.*s|", more ? '-' : ' ', STR_ARG(word));
	}
	say(p, step, text.p);
	buf_free(&text);
}

static inline void on_line(struct peer *p, struct str line)
{
	static const struct {
		const char *verb;
		enum client_step step;
		const char *says;
	} verbs[] = { { "HELO", CLIENT_STEP_HELO, "250 peer|" }, { "STARTTLS", CLIENT_STEP_STARTTLS, "220 go|" },
		{ "AUTH", CLIENT_STEP_AUTH, "235 in|" }, { "MAIL FROM:<", CLIENT_STEP_MAIL, "250 2.1.0 ok|" },
		{ "RCPT TO:<", CLIENT_STEP_RCPT, "250 2.1.5 ok|" }, { "DATA", CLIENT_STEP_DATA, "354 go|" },
		{ "RSET", CLIENT_STEP_RSET, "250 ok|" }, { "QUIT", CLIENT_STEP_QUIT, "221 bye|" } };

	if (p->in_data) {
		if (!str_eq(line, STR(".")))
			return;
		p->in_data = false;
		say(p, CLIENT_STEP_DOT, "250 2.0.0 taken|");
		for (unsigned i = 1; p->lmtp && i < p->rcpts; i++)
			say(p, CLIENT_STEP_DOT, "250 2.0.0 taken|");
		return;
	}
	if (str_has_prefix(line, STR("EHLO ")) || str_has_prefix(line, STR("LHLO "))) {
		hello(p, line.p[0] == 'E' ? CLIENT_STEP_EHLO : CLIENT_STEP_LHLO);
		return;
	}
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (str_has_prefix(line, str_c(verbs[i].verb))) {
			p->rcpts += verbs[i].step == CLIENT_STEP_RCPT;
			say(p, verbs[i].step, verbs[i].says);
			p->in_data = verbs[i].step == CLIENT_STEP_DATA &&
				     !(p->says && p->at == CLIENT_STEP_DATA && p->says[0] != '3');
			return;
		}
	fail_msg("the client said \"%.*s\"", STR_ARG(line));
}

static inline void end_chunk(struct peer *p)
{
	say(p, p->last ? CLIENT_STEP_DOT : CLIENT_STEP_BODY, "250 2.0.0 chunk|");
	for (unsigned i = 1; p->last && p->lmtp && i < p->rcpts; i++)
		say(p, CLIENT_STEP_DOT, "250 2.0.0 taken|");
}

static inline void on_bdat(struct peer *p, struct str arg)
{
	struct str count;
	uint64_t n = 0;

	check(str_word(&arg, " ", &count) && str_u64(count, &n));
	p->chunk = (size_t)n;
	p->last = str_eq(arg, STR(" LAST"));
	if (n == 0)
		end_chunk(p);
}

static inline void take_commands(struct peer *p, struct str octets)
{
	ptrdiff_t end = 0;

	buf_add_str(&p->in, octets);
	buf_add_str(&p->seen, octets);
	while (p->chunk > 0 || (end = str_chr(buf_str(&p->in), '\n')) > 0) {
		struct str line;

		if (p->chunk > 0) {
			size_t n = p->in.n < p->chunk ? p->in.n : p->chunk;

			if (n == 0)
				return;
			buf_consume(&p->in, n);
			p->chunk -= n;
			if (p->chunk == 0)
				end_chunk(p);
			continue;
		}
		line = str_sub(buf_str(&p->in), 0, (size_t)end);
		if (str_has_prefix(line, STR("BDAT "))) {
			on_bdat(p, str_sub(line, 5, line.n - 6));
			buf_consume(&p->in, (size_t)end + 1);
			continue;
		}

		check(p->in_data || str_has_suffix(line, STR("\r")));
		on_line(p, str_has_suffix(line, STR("\r")) ? str_sub(line, 0, line.n - 1) : line);
		buf_consume(&p->in, (size_t)end + 1);
	}
}

struct mail {
	struct client_message message;
	struct client_rcpt rcpt[2];
	const char *body;
	size_t at, piece;
};

static inline ssize_t read_body(struct client_message *m, void *to, size_t n)
{
	struct mail *mail = container_of(m, struct mail, message);
	size_t left = strlen(mail->body) - mail->at;

	n = n < left ? n : left;
	n = n < mail->piece ? n : mail->piece;
	memcpy(to, mail->body + mail->at, n);
	mail->at += n;
	return (ssize_t)n;
}

static inline void rewind_body(struct client_message *m)
{
	container_of(m, struct mail, message)->at = 0;
}

static inline void note_outcomes(struct outcome *o, const struct mail *m)
{
	for (size_t i = 0; i < m->message.n_rcpt; i++) {
		check(m->rcpt[i].outcome == CLIENT_OPEN || m->rcpt[i].dsn[0] != '\0');
		o->rcpts[i] = "oDdb"[m->rcpt[i].outcome];
	}
}

static inline enum client_event send_whole(struct smtp_client *c, struct client_message *m)
{
	enum client_event event = smtp_client_send(c, m);

	while (smtp_client_is_looking(c))
		event = smtp_client_look(c);
	return event;
}

/* Returns whether it is over. */
static inline bool on_event(struct smtp_client *c, struct mail *m, struct outcome *o, enum client_event event)
{
	static const char letters[] = { [CLIENT_STARTTLS] = 'T',
		[CLIENT_LOGIN] = 'L',
		[CLIENT_CHALLENGE] = 'C',
		[CLIENT_READY] = 'R',
		[CLIENT_SENT] = 'S',
		[CLIENT_FAILED] = 'F',
		[CLIENT_ENDED] = 'E' };

	if (event == CLIENT_MORE)
		return false;
	require(strlen(o->events) + 1 < sizeof o->events);
	o->events[strlen(o->events)] = letters[event];
	if (event == CLIENT_STARTTLS)
		smtp_client_secured(c);
	else if (event == CLIENT_LOGIN)
		smtp_client_auth(c, "PLAIN", STR("AHUAcA=="));
	else if (event == CLIENT_CHALLENGE)
		smtp_client_auth_answer(c, STR("QUJD"));
	else if (event == CLIENT_READY)
		return on_event(c, m, o, send_whole(c, &m->message));
	else
		return true;
	return false;
}

static inline bool move_output(struct smtp_client *c, struct peer *p)
{
	struct str octets;
	int got;

	while ((got = smtp_client_output(c, &octets)) == 1) {
		size_t n = octets.n > 3 ? octets.n - 3 : octets.n; /* a socket takes what it likes */

		take_commands(p, str_sub(octets, 0, n));
		smtp_client_wrote(c, n);
	}
	return got == 0;
}

static inline void converse(
	const struct client_options *options, struct peer *p, struct mail *m, size_t piece, struct outcome *o)
{
	struct smtp_client c;
	bool over = false;

	p->in = p->out = p->seen = BUF_INIT(1 << 20);
	p->in_data = false;
	p->rcpts = 0;
	p->chunk = 0;
	m->at = 0;
	memset(o, 0, sizeof *o);
	smtp_client_init(&c, options);
	say(p, CLIENT_STEP_GREETING, "220 peer ESMTP|");
	for (int turns = 0; !over && turns < 10000; turns++) {
		size_t n = p->out.n < piece ? p->out.n : piece;
		struct buf chunk = BUF_INIT(1 << 20);

		if (n == 0)
			break;
		buf_add(&chunk, p->out.p, n);
		buf_consume(&p->out, n);
		over = on_event(&c, m, o, smtp_client_input(&c, buf_str(&chunk)));
		buf_free(&chunk);
		if (!over)
			move_output(&c, p);
	}
	if (!over) { /* nothing more comes: the server closes */
		smtp_client_lost(&c);
		o->events[strlen(o->events)] = '!';
	}
	note_outcomes(o, m);
	smtp_client_free(&c);
}

static inline void peer_free(struct peer *p)
{
	buf_free(&p->in);
	buf_free(&p->out);
	buf_free(&p->seen);
}

static inline void mail_init(struct mail *m, const char *body)
{
	memset(m, 0, sizeof *m);
	m->rcpt[0].address = STR("a@x.org");
	m->rcpt[1].address = STR("b@x.org");
	m->message = (struct client_message){ .sender = STR("s@y.org"),
		.rcpt = m->rcpt,
		.n_rcpt = 2,
		.mem = arena_new(0),
		.read = read_body,
		.rewind = rewind_body,
		.size = 5 };
	m->body = body;
	m->piece = 7;
}

#endif
