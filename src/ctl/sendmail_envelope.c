#include "ctl/sendmail_envelope.h"
#include "ctl/header_addr.h"
#include "ctl/submit.h"
#include "smtp/command.h"

#include <stdio.h>

enum { LINE_OCTETS_MAX = 1024 * 1024 };

/* ---- options ---- */

static bool is_one_of(struct str value, const char *words)
{
	struct str rest = str_c(words), word;

	while (str_word(&rest, "|", &word))
		if (str_ieq(word, value))
			return true;
	return false;
}

const char *envelope_notify(const char *value)
{
	static const char *const words[] = { "success", "failure", "delay" };
	enum { WORDS = sizeof words / sizeof *words, ALL = (1 << WORDS) - 1, NEVER = 1 << WORDS };
	static char text[32];
	struct str rest = str_c(value), word;
	unsigned seen = 0, i;

	while (str_word(&rest, ", \t", &word)) {
		for (i = 0; i < WORDS && !str_ieq(word, str_c(words[i])); i++)
			;
		if (i == WORDS && !str_ieq(word, STR("never")))
			return NULL;
		seen |= 1u << i;
	}
	if (seen == 0 || seen == NEVER)
		return seen ? "NEVER" : NULL;
	if (seen & ~(unsigned)ALL) /* RFC 3461 sec. 4.1: never stands alone */
		return NULL;
	snprintf(text, sizeof text, "%s%s%s", seen & 1 ? ",SUCCESS" : "", seen & 2 ? ",FAILURE" : "",
		seen & 4 ? ",DELAY" : "");
	return text + 1;
}

static bool envid_is_valid(struct str value)
{
	for (size_t i = 0; i < value.n; i++)
		if ((unsigned char)value.p[i] < 32 || (unsigned char)value.p[i] > 126)
			return false;
	return value.n > 0 && value.n <= 100; /* RFC 3461 sec. 5.4 */
}

const char *envelope_option_fault(int letter, const char *value)
{
	struct str s = str_c(value);

	switch (letter) {
	case 'B':
		return is_one_of(s, "7BIT|8BITMIME") ? NULL : "specify 7BIT or 8BITMIME";
	case 'N':
		return envelope_notify(value) ? NULL : "specify never, or one or more of success,failure,delay";
	case 'R':
		return is_one_of(s, "full|hdrs") ? NULL : "specify full or hdrs";
	case 'V':
		return envid_is_valid(s) ? NULL : "specify at most 100 printable characters";
	default:
		return NULL;
	}
}

bool envelope_verp_is_valid(const char *delimiters, const char *allowed)
{
	return strlen(delimiters) == 2 && strchr(allowed, delimiters[0]) && strchr(allowed, delimiters[1]);
}

/* ---- envelopes ---- */

void envelope_verp(const struct envelope_options *o, struct str sender, struct str rcpt, struct buf *out)
{
	ptrdiff_t at = str_rchr(sender, '@'), rcpt_at = str_rchr(rcpt, '@');
	struct str local = str_sub(sender, 0, at < 0 ? sender.n : (size_t)at);
	struct str domain = rcpt_at < 0 ? o->origin : str_from(rcpt, (size_t)rcpt_at + 1);

	buf_addf(out, "%.*s%c%.*s%c%.*s%.*s", STR_ARG(local), o->verp[0],
		STR_ARG(str_sub(rcpt, 0, rcpt_at < 0 ? rcpt.n : (size_t)rcpt_at)), o->verp[1], STR_ARG(domain),
		STR_ARG(str_from(sender, local.n)));
}

static int put_mail(const struct envelope_options *o, struct str sender, bool utf8, struct buf *text)
{
	struct buf line = BUF_INIT(LINE_OCTETS_MAX);
	int r = buf_addf(&line, "MAIL FROM:<%.*s>", STR_ARG(sender));

	if (o->body)
		buf_addf(&line, " BODY=%s", o->body);
	if (o->ret)
		buf_addf(&line, " RET=%s", o->ret);
	if (o->envid) {
		buf_add_c(&line, " ENVID=");
		xtext_encode(&line, str_c(o->envid));
	}
	if (utf8 || header_addr_has_8bit(sender))
		buf_add_c(&line, " SMTPUTF8");
	if (r == 0)
		r = submit_line(text, buf_str(&line));
	buf_free(&line);
	return r;
}

static int put_rcpt(const struct envelope_options *o, struct str rcpt, struct buf *text)
{
	struct buf line = BUF_INIT(LINE_OCTETS_MAX);
	int r = buf_addf(&line, "RCPT TO:<%.*s>", STR_ARG(rcpt));

	if (o->notify)
		buf_addf(&line, " NOTIFY=%s", o->notify);
	if (r == 0)
		r = submit_line(text, buf_str(&line));
	buf_free(&line);
	return r;
}

/* The first of them, as many as one envelope holds. */
static struct str cut_share(const struct envelope_options *o, struct str *rcpts)
{
	struct str rest = *rcpts, one, share;
	size_t n = 0, octets = 0;

	while (n < (o->verp ? 1 : ENVELOPE_RCPTS_MAX) && octets < ENVELOPE_ADDRESS_OCTETS_MAX &&
		str_word(&rest, "\n", &one)) {
		n++;
		octets += one.n;
	}
	share = str_sub(*rcpts, 0, rcpts->n - rest.n);
	*rcpts = str_trim(rest);
	return share;
}

int envelope_next(const struct envelope_options *o, struct str sender, struct str *rcpts, struct buf *text)
{
	struct str share = cut_share(o, rcpts), rcpt = str_trim(share);
	struct buf own = BUF_INIT(LINE_OCTETS_MAX);
	int r;

	if (o->verp) {
		envelope_verp(o, sender, rcpt, &own);
		sender = buf_str(&own);
	}
	r = put_mail(o, sender, header_addr_has_8bit(share), text);
	while (r == 0 && str_word(&share, "\n", &rcpt))
		r = put_rcpt(o, rcpt, text);
	buf_free(&own);
	return r;
}

bool envelope_has_fault(const struct envelope_options *o, struct str sender, struct str rcpts, struct str *bad)
{
	struct buf text = BUF_INIT(SIZE_MAX / 4);
	struct str nobody = STR("postmaster");
	bool has_fault = envelope_next(o, sender, &nobody, &text) != 0;

	*bad = sender;
	while (!has_fault && str_word(&rcpts, "\n", bad)) {
		struct str one = *bad;

		buf_reset(&text);
		has_fault = envelope_next(o, sender, &one, &text) != 0;
	}
	buf_free(&text);
	return has_fault;
}
