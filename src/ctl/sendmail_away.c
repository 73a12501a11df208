/*
 * sendmail_away.c - sendmail -bs while nobody answers on public/submit: a session that takes mail for maildrop. It knows
 * no users and no tables: what is well-formed is taken, and what smtpd then refuses comes back as a message (pickup(8)).
 */
#include "ctl/sendmail.h"
#include "ctl/submit.h"
#include "smtp/address.h"
#include "smtp/command.h"
#include "smtp/esmtp.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum {
	/* No more than the limits of an envelope let in. */
	ENVELOPE_TEXT_MAX = ENVELOPE_ADDRESS_OCTETS_MAX + ENVELOPE_RCPTS_MAX * 32 + 2 * SMTP_COMMAND_MAX,
	OFFERED = EXT_BIT(EXT_SIZE) | EXT_BIT(EXT_8BITMIME) | EXT_BIT(EXT_DSN) | EXT_BIT(EXT_SMTPUTF8)
};

struct away {
	const char *hostname;
	uint64_t limit;	 /* message_size_limit; 0: none */
	struct buf text; /* the submission as far as it is known; n == 0: no transaction */
	unsigned rcpts;
	size_t octets; /* of their addresses and parameters */
	bool utf8, ends;
	char *line; /* of getline() */
	size_t cap;
};

static void say(const char *reply)
{
	printf("%s\r\n", reply);
	fflush(stdout);
}

static void reset(struct away *a)
{
	buf_reset(&a->text);
	a->rcpts = 0;
	a->octets = 0;
	a->utf8 = false;
}

/* Of the parameters, or of the address: what to answer, or NULL. */
static const char *param_fault(int r)
{
	switch (-r) {
	case 0:
		return NULL;
	case PARAM_EUNKNOWN:
		return "555 5.5.4 Unsupported option";
	case PARAM_ESIZE:
		return "552 5.3.4 Message size exceeds fixed limit";
	default:
		return "501 5.5.4 Bad option";
	}
}

static const char *address_fault(struct str path, bool utf8, bool is_sender)
{
	struct address address;

	if (path.n == 0)
		return is_sender ? NULL : "501 5.1.3 Bad recipient address syntax";
	switch (-address_parse(path, utf8, &address)) {
	case 0:
		return NULL;
	case ADDRESS_EUTF8:
		return "553 5.6.7 Must declare SMTPUTF8 to send unicode address";
	default:
		return is_sender ? "501 5.1.7 Bad sender address syntax" : "501 5.1.3 Bad recipient address syntax";
	}
}

/* NULL: the line stands in the submission. */
static const char *add_line(struct away *a, const char *word, const struct smtp_path_arg *arg)
{
	struct buf line = BUF_INIT(SMTP_COMMAND_MAX + 16);
	const char *fault = NULL;

	buf_addf(&line, "%s<%.*s>%s%.*s", word, STR_ARG(arg->path), arg->params.n ? " " : "", STR_ARG(arg->params));
	if (submit_line(&a->text, buf_str(&line)) != 0)
		fault = "501 5.5.4 Control character in an address";
	buf_free(&line);
	return fault;
}

static const char *do_mail(struct away *a, struct str rest)
{
	struct arena *mem = arena_new(512);
	struct mail_params params = { .size = 0 };
	struct smtp_path_arg arg;
	const char *fault = "501 5.5.4 Syntax: MAIL FROM:<address>";
	struct str bad;

	if (smtp_path_parse(rest, STR("FROM:"), &arg) == 0) {
		fault = param_fault(mail_params_parse(arg.params, OFFERED, mem, &params, &bad));
		a->utf8 = (params.flags & ENV_SMTPUTF8) != 0;
		if (fault == NULL && a->limit > 0 && params.size > a->limit)
			fault = "552 5.3.4 Message size exceeds fixed limit";
		if (fault == NULL)
			fault = address_fault(arg.path, a->utf8, true);
		if (fault == NULL)
			fault = add_line(a, "MAIL FROM:", &arg);
	}
	arena_free(&mem);
	return fault ? fault : "250 2.1.0 Ok";
}

static const char *do_rcpt(struct away *a, struct str rest)
{
	struct rcpt_params params;
	struct smtp_path_arg arg;
	const char *fault;
	struct str bad;

	/* More than smtpd takes would wait in maildrop for ever. */
	if (a->rcpts >= ENVELOPE_RCPTS_MAX || a->octets >= ENVELOPE_ADDRESS_OCTETS_MAX)
		return "452 4.5.3 Error: too many recipients";
	if (smtp_path_parse(rest, STR("TO:"), &arg) != 0)
		return "501 5.5.4 Syntax: RCPT TO:<address>";
	fault = param_fault(rcpt_params_parse(arg.params, OFFERED, &params, &bad));
	if (fault == NULL)
		fault = address_fault(arg.path, a->utf8, false);
	if (fault == NULL)
		fault = add_line(a, "RCPT TO:", &arg);
	if (fault)
		return fault;
	a->rcpts++;
	a->octets += arg.path.n + arg.params.n;
	return "250 2.1.5 Ok";
}

/* Dot-stuffed as it is, with CRLF; to its dot. *fits: it is no larger than may be. False: the client went away before. */
static bool take_content(struct away *a, struct buf *content, bool *fits)
{
	ssize_t n;

	*fits = true;
	while ((n = getline(&a->line, &a->cap, stdin)) > 0 && a->line[n - 1] == '\n') {
		struct str line = str_pn(a->line, (size_t)n - 1);

		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (str_eq(line, STR(".")))
			return true;
		*fits = *fits && buf_add_str(content, line) == 0 && buf_add_c(content, "\r\n") == 0;
	}
	return false;
}

static const char *do_data(struct away *a)
{
	size_t max = a->limit > 0 ? (size_t)a->limit : SIZE_MAX / 4;
	struct buf content = BUF_INIT(max), text = BUF_INIT(max + ENVELOPE_TEXT_MAX + 64);
	const char *reply = "250 2.0.0 Ok: kept in maildrop, the mail system is down";
	bool fits;

	say("354 End data with <CR><LF>.<CR><LF>");
	if (!take_content(a, &content, &fits)) {
		a->ends = true;
		reply = NULL;
	} else if (!fits) {
		reply = "552 5.3.4 Message size exceeds fixed limit";
	} else {
		buf_addf(&text, "%.*sDATA\r\n", STR_ARG(buf_str(&a->text)));
		buf_add_str(&text, buf_str(&content));
		buf_add_c(&text, ".\r\n");
		if (submit_keep(buf_str(&text)) != 0)
			reply = "451 4.3.0 The mail system is down, and the message cannot be kept in maildrop";
	}
	buf_free(&content);
	buf_free(&text);
	reset(a);
	return reply;
}

static const char *do_ehlo(struct away *a, bool extended)
{
	reset(a);
	if (!extended) {
		printf("250 %s\r\n", a->hostname);
	} else {
		printf("250-%s\r\n250-PIPELINING\r\n250-SIZE %llu\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n"
		       "250-DSN\r\n250 SMTPUTF8\r\n",
			a->hostname, (unsigned long long)a->limit);
	}
	fflush(stdout);
	return NULL;
}

/* What to answer; NULL: it has been. */
static const char *obey(struct away *a, struct str line)
{
	struct smtp_command c;

	smtp_command_parse(line, &c);
	switch (c.verb) {
	case VERB_EHLO:
	case VERB_HELO:
		return do_ehlo(a, c.verb == VERB_EHLO);
	case VERB_MAIL:
		return a->text.n ? "503 5.5.1 Error: nested MAIL command" : do_mail(a, c.arg);
	case VERB_RCPT:
		return a->text.n ? do_rcpt(a, c.arg) : "503 5.5.1 Error: need MAIL command";
	case VERB_DATA:
		if (a->rcpts == 0)
			return a->text.n ? "554 5.5.1 Error: no valid recipients"
					 : "503 5.5.1 Error: need RCPT command";
		return do_data(a);
	case VERB_RSET:
		reset(a);
		return "250 2.0.0 Ok";
	case VERB_NOOP:
		return "250 2.0.0 Ok";
	case VERB_VRFY:
		return "252 2.0.0 The mail system is down: nobody is known now, mail is kept";
	case VERB_QUIT:
		a->ends = true;
		return "221 2.0.0 Bye";
	default:
		return "502 5.5.1 Error: not while the mail system is down";
	}
}

int sendmail_away(const char *hostname, uint64_t limit)
{
	struct away a = { .hostname = hostname, .limit = limit, .text = BUF_INIT(ENVELOPE_TEXT_MAX) };

	if (!submit_can_keep())
		return EX_TEMPFAIL;
	printf("220 %s ESMTP\r\n", hostname);
	fflush(stdout);
	while (!a.ends && getline(&a.line, &a.cap, stdin) > 0) {
		struct str line = str_trim(str_c(a.line));
		const char *reply = line.n > SMTP_COMMAND_MAX ? "500 5.5.2 Error: line too long" : obey(&a, line);

		if (reply)
			say(reply);
	}
	buf_free(&a.text);
	free(a.line);
	return EX_OK;
}
