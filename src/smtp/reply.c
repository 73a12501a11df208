#include "smtp/reply.h"
#include "base/utf8.h"

#include <stdio.h>

enum { REPLY_LINE_MAX = 512 }; /* octets of a reply that we send, with CRLF: RFC 5321 sec. 4.5.3.1.5 */
enum { READ_TEXT_MAX = 16 * 1024, READ_LINE_MAX = 64 * 1024, READ_REPLY_MAX = 1024 * 1024 };

/* Codes: RFC 5321 sec. 4.2.3, 4.3.2; RFC 4954 sec. 6; RFC 3207 sec. 4; RFC 3030 sec. 4. Enhanced: RFC 3463, 5248. */
static const struct smtp_reply_row rows[REPLY_COUNT] = {
	[REPLY_OK] = { 250, "2.0.0", "Ok" },
	[REPLY_MAIL_OK] = { 250, "2.1.0", "Ok" },
	[REPLY_RCPT_OK] = { 250, "2.1.5", "Ok" },
	[REPLY_DATA] = { 354, "", "End data with <CR><LF>.<CR><LF>" },
	[REPLY_BYE] = { 221, "2.0.0", "Bye" },
	[REPLY_TLS_READY] = { 220, "2.0.0", "Ready to start TLS" },
	[REPLY_AUTH_OK] = { 235, "2.7.0", "Authentication successful" },
	[REPLY_QUEUE_ERROR] = { 451, "4.3.0", "Error: queue file write error" },
	[REPLY_NO_SPACE] = { 452, "4.3.1", "Insufficient system storage" },
	[REPLY_TOO_MANY_RCPTS] = { 452, "4.5.3", "Error: too many recipients" },
	[REPLY_TLS_TEMPORARY] = { 454, "4.7.0", "TLS not available due to local problem" },
	[REPLY_UNKNOWN_COMMAND] = { 500, "5.5.2", "Error: command not recognized" },
	[REPLY_LINE_TOO_LONG] = { 500, "5.5.2", "Error: line too long" },
	[REPLY_BARE_CR] = { 500, "5.5.2", "Error: bare <CR> received" },
	[REPLY_BARE_LF] = { 500, "5.5.2", "Error: bare <LF> received; a line ends with <CR><LF>" },
	[REPLY_NUL] = { 501, "5.5.2", "Error: NUL in command" },
	[REPLY_EHLO_SYNTAX] = { 501, "5.5.4", "Syntax: EHLO hostname" },
	[REPLY_HELO_SYNTAX] = { 501, "5.5.4", "Syntax: HELO hostname" },
	[REPLY_MAIL_SYNTAX] = { 501, "5.5.4", "Syntax: MAIL FROM:<address>" },
	[REPLY_RCPT_SYNTAX] = { 501, "5.5.4", "Syntax: RCPT TO:<address>" },
	[REPLY_DATA_SYNTAX] = { 501, "5.5.4", "Syntax: DATA" },
	[REPLY_BDAT_SYNTAX] = { 521, "5.5.4", "Syntax: BDAT count [LAST]" },
	[REPLY_RSET_SYNTAX] = { 501, "5.5.4", "Syntax: RSET" },
	[REPLY_VRFY_SYNTAX] = { 501, "5.5.4", "Syntax: VRFY address" },
	[REPLY_ETRN_SYNTAX] = { 501, "5.5.4", "Error: invalid parameter syntax" },
	[REPLY_AUTH_SYNTAX] = { 501, "5.5.4", "Syntax: AUTH mechanism" },
	[REPLY_STARTTLS_SYNTAX] = { 501, "5.5.4", "Syntax: STARTTLS" },
	[REPLY_BAD_SENDER] = { 501, "5.1.7", "Bad sender address syntax" },
	[REPLY_BAD_RCPT] = { 501, "5.1.3", "Bad recipient address syntax" },
	[REPLY_BAD_BASE64] = { 501, "5.5.2", "Error: cannot decode base64" },
	[REPLY_AUTH_ABORTED] = { 501, "5.7.0", "Authentication aborted" },
	[REPLY_NOT_IMPLEMENTED] = { 502, "5.5.1", "Error: command not implemented" },
	[REPLY_VRFY_DISABLED] = { 502, "5.5.1", "VRFY command is disabled" },
	[REPLY_NO_STARTTLS] = { 502, "5.5.1", "Error: command not implemented" },
	[REPLY_NESTED_MAIL] = { 503, "5.5.1", "Error: nested MAIL command" },
	[REPLY_NEED_HELO] = { 503, "5.5.1", "Error: send HELO/EHLO first" },
	[REPLY_NEED_MAIL] = { 503, "5.5.1", "Error: need MAIL command" },
	[REPLY_NEED_RCPT] = { 503, "5.5.1", "Error: need RCPT command" },
	[REPLY_NO_VALID_RCPTS] = { 554, "5.5.1", "Error: no valid recipients" },
	[REPLY_AUTH_DISABLED] = { 503, "5.5.1", "Error: authentication not enabled" },
	[REPLY_AUTH_TWICE] = { 503, "5.5.1", "Error: already authenticated" },
	[REPLY_AUTH_IN_MAIL] = { 503, "5.5.1", "Error: MAIL transaction in progress" },
	[REPLY_TLS_ACTIVE] = { 554, "5.5.1", "Error: TLS already active" },
	[REPLY_BINARY_DATA] = { 503, "5.5.1", "Error: BODY=BINARYMIME needs BDAT" },
	[REPLY_BDAT_MIXED] = { 503, "5.5.1", "Error: VERB after BDAT" },
	[REPLY_NEED_STARTTLS] = { 530, "5.7.0", "Must issue a STARTTLS command first" },
	[REPLY_AUTH_NEEDS_TLS] = { 538, "5.7.11", "Encryption required for requested authentication mechanism" },
	[REPLY_AUTH_MECHANISM] = { 535, "5.7.8", "Error: authentication failed: Invalid authentication mechanism" },
	[REPLY_TOO_BIG] = { 552, "5.3.4", "Message size exceeds fixed limit" },
	[REPLY_NUL_DATA] = { 554, "5.6.0", "Error: NUL in message" },
	[REPLY_NEED_SMTPUTF8] = { 553, "5.6.7", "Must declare SMTPUTF8 to send unicode address" },
	[REPLY_NO_UTF8] = { 553, "5.6.7", "The address is no UTF-8" },
	[REPLY_NOT_AUTHORIZED] = { 550, "5.7.0", "Error: insufficient authorization" },
	[REPLY_PIPELINING] = { 554, "5.5.0", "Error: SMTP protocol synchronization" },
};

const struct smtp_reply_row *smtp_reply_row(enum smtp_reply r)
{
	return &rows[r];
}

int smtp_reply_put(struct buf *out, enum smtp_reply r, const char *verb, bool use_enhanced)
{
	const char *text = rows[r].text, *place = strstr(text, "VERB");
	struct buf named = BUF_INIT(REPLY_LINE_MAX);
	int err;

	if (place)
		buf_addf(&named, "%.*s%s%s", (int)(place - text), text, verb, place + strlen("VERB"));
	err = reply_put(out, rows[r].code, rows[r].enhanced, use_enhanced, place ? buf_str(&named) : str_c(text));
	buf_free(&named);
	return err;
}

/* Add text, made harmless, as far as it fits into `room` octets; a character is never cut in two. */
static void add_clean(struct buf *line, struct str text, size_t room)
{
	while (text.n) {
		struct str shown = utf8_take_visible(&text);

		if (line->n + shown.n > room)
			return;
		buf_add_str(line, shown);
	}
}

int reply_put(struct buf *out, int code, const char *enhanced, bool use_enhanced, struct str text)
{
	struct buf line = BUF_INIT(REPLY_LINE_MAX);
	int r;

	buf_addf(&line, "%03d ", code);
	if (use_enhanced && enhanced && enhanced[0])
		buf_addf(&line, "%s ", enhanced);
	add_clean(&line, text, REPLY_LINE_MAX - 2);
	buf_add_c(&line, "\r\n");
	r = buf_add_str(out, buf_str(&line));
	buf_free(&line);
	return r;
}

/* The first octets of a line: the code, and what follows it. -1: this is no reply line. */
static int take_head(struct reply_reader *r, char c)
{
	if (r->column < 3) {
		/* Reply-code = %x32-35 %x30-35 %x30-39; the second digit is taken as it comes. */
		if (!ascii_is_digit(c) || (r->column == 0 && (c < '2' || c > '5')))
			return -1;
		r->line_code = (r->column ? r->line_code * 10 : 0) + (c - '0');
	} else {
		if (c != ' ' && c != '-')
			return -1;
		r->more = c == '-';
	}
	r->column++;
	return 0;
}

static void add_text(struct reply_reader *r, char c)
{
	if (r->text.max == 0)
		r->text.max = READ_TEXT_MAX;
	buf_add_char(&r->text, c);
}

/* LF came. 1: the reply is complete; 0: another line follows; -1: no reply. */
static int end_line(struct reply_reader *r)
{
	if (r->column < 3 || (r->lines && r->line_code != r->first_code))
		return -1;
	r->first_code = r->line_code;
	r->lines++;
	r->column = 0;
	r->cr = false;
	if (r->more) {
		add_text(r, '\n');
		r->more = false;
		return 0;
	}
	r->code = r->line_code;
	return 1;
}

static int take_octet(struct reply_reader *r, char c)
{
	if (++r->octets > READ_REPLY_MAX || r->column >= READ_LINE_MAX)
		return -1;
	if (c == '\n')
		return end_line(r);
	if (r->cr) {
		/* A CR inside a line: part of its text, where the text has begun. */
		if (r->column < 4)
			return -1;
		add_text(r, '?');
	}
	r->cr = c == '\r';
	if (r->cr)
		return r->column < 3 ? -1 : 0;
	if (r->column < 4)
		return take_head(r, c);
	r->column++;
	add_text(r, ((unsigned char)c < 32 && c != '\t') || c == 127 ? '?' : c == '\t' ? ' ' : c);
	return 0;
}

int reply_next(struct reply_reader *r, struct str in, size_t *used)
{
	int state;

	for (*used = 0; *used < in.n;) {
		state = take_octet(r, in.p[(*used)++]);
		if (state != 0)
			return state;
	}
	return 0;
}

void reply_reset(struct reply_reader *r)
{
	buf_free(&r->text);
	*r = (struct reply_reader){ 0 };
}

/* Octets of 1*3DIGIT at the start of s; 0: none, or more digits. */
static size_t count_digits(struct str s)
{
	size_t n = 0;

	while (n < s.n && ascii_is_digit(s.p[n]))
		n++;
	return n <= 3 ? n : 0;
}

const char *reply_enhanced(const struct reply_reader *r, char *out)
{
	struct str text = buf_str(&r->text);
	int class = r->code / 100;
	size_t subject, detail;

	snprintf(out, 12, "%d.0.0", class % 10);
	/* RFC 3463 sec. 2: class "." subject "." detail */
	if (text.n < 5 || text.p[0] != (char)('0' + class) || text.p[1] != '.')
		return out;
	subject = count_digits(str_from(text, 2));
	if (subject == 0 || 2 + subject >= text.n || text.p[2 + subject] != '.')
		return out;
	detail = count_digits(str_from(text, 3 + subject));
	if (detail == 0)
		return out;
	if (3 + subject + detail < text.n && !strchr(" \n", text.p[3 + subject + detail]))
		return out;
	snprintf(out, 12, "%.*s", (int)(3 + subject + detail), text.p);
	return out;
}
