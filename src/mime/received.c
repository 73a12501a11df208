#include "mime/received.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>

enum { FOREIGN_MAX = 320, FIELD_MAX = 8192 }; /* octets; the first keeps lines under 998 (RFC 5322 sec. 2.1.1) */

/* Octets that s begins with and that are special nowhere. */
static size_t plain_octets(struct str s)
{
	size_t n = 0;

	while (n < s.n && (ascii_is_alnum(s.p[n]) || s.p[n] == '.' || s.p[n] == '-'))
		n++;
	return n;
}

/*
 * Add foreign text: nothing that could end the line, a comment or an angle bracket early. Octets that are neither
 * printable ASCII nor, with utf8, a well-formed sequence, and those of `special`, become "?"; a sequence without it one.
 */
static void add_text(struct buf *out, struct str s, const char *special, bool utf8)
{
	s = str_sub(s, 0, FOREIGN_MAX);
	while (s.n) {
		size_t n = plain_octets(s);

		if (n > 0) {
			buf_add(out, s.p, n);
			s = str_from(s, n);
			continue;
		}
		n = utf8_sequence(s);
		if (n > 1 && utf8)
			buf_add(out, s.p, n);
		else if ((ascii_is_graph(s.p[0]) || s.p[0] == ' ') && !strchr(special, s.p[0]))
			buf_add_char(out, s.p[0]);
		else
			buf_add_char(out, '?');
		s = str_from(s, n ? n : 1);
	}
}

/* Where ASCII must do: a server that knows no SMTPUTF8 shall not refuse the mail for a name in our own field. */
static void add_foreign(struct buf *out, struct str s, const char *special)
{
	add_text(out, s, special, false);
}

static bool has(const char *s)
{
	return s && s[0];
}

static void add_cert(struct buf *out, const struct received *r)
{
	if (!r->cert_shown) {
		buf_add_c(out, r->cert_asked ? "\t(Client did not present a certificate)\r\n"
					     : "\t(No client certificate requested)\r\n");
		return;
	}
	buf_add_c(out, "\t(Client CN \"");
	add_foreign(out, r->cert_subject, "()\\\"");
	buf_add_c(out, "\", Issuer \"");
	add_foreign(out, r->cert_issuer, "()\\\"");
	buf_addf(out, "\" (%s))\r\n", r->cert_trusted ? "verified OK" : "not verified");
}

/* "(using TLSv1.3 with cipher … (256/256 bits)", then on the next line how the keys were agreed on. */
static void add_tls(struct buf *out, const struct received *r)
{
	buf_addf(out, "\t(using %s with cipher %s (%d/%d bits)", r->tls_protocol, r->tls_cipher ? r->tls_cipher : "",
		r->tls_cipher_bits, r->tls_bits);
	if (has(r->key_exchange) || has(r->server_signature) || has(r->server_digest))
		buf_add_c(out, "\r\n\t");
	if (has(r->key_exchange))
		buf_addf(out, " key-exchange %s", r->key_exchange);
	if (has(r->server_signature))
		buf_addf(out, " server-signature %s", r->server_signature);
	if (has(r->server_digest))
		buf_addf(out, " server-digest %s", r->server_digest);
	buf_add_c(out, ")\r\n");
	add_cert(out, r);
}

static void add_login(struct buf *out, struct str user)
{
	buf_add_c(out, "\t(Authenticated sender: ");
	add_foreign(out, user, "()\\");
	buf_add_c(out, ")\r\n");
}

int received_put(struct buf *out, const struct received *r)
{
	struct buf field = BUF_INIT(FIELD_MAX);
	char date[64];
	int done;

	/* RFC 5321 sec. 4.4: From-domain, By-domain, With, ID, For; the rest is comments. */
	buf_add_c(&field, "Received: from ");
	add_foreign(&field, r->helo, "()\\<>;\"");
	buf_add_c(&field, " (");
	add_foreign(&field, r->client_name, "()\\");
	buf_add_c(&field, " [");
	add_foreign(&field, r->client_addr, "()[]\\");
	buf_add_c(&field, "])\r\n");
	if (has(r->tls_protocol))
		add_tls(&field, r);
	if (r->sasl_username.n)
		add_login(&field, r->sasl_username);
	buf_add_c(&field, "\tby ");
	add_foreign(&field, r->myhostname, "()\\");
	buf_add_c(&field, " (");
	add_foreign(&field, r->mail_name, "\\");
	buf_addf(&field, ") with %s id %.*s", r->with, STR_ARG(r->id));
	if (r->only_rcpt.n) {
		buf_add_c(&field, "\r\n\tfor <");
		add_text(&field, r->only_rcpt, "<>", true);
		buf_add_c(&field, ">");
	}
	if (r->clause)
		buf_addf(&field, "\r\n\t%s", r->clause);
	buf_add_c(&field, r->only_rcpt.n || r->clause ? "; " : ";\r\n\t");
	buf_addf(&field, "%s\r\n", rfc5322_date(r->when, date));
	done = buf_add_str(out, buf_str(&field));
	buf_free(&field);
	return done;
}

int received_local_put(struct buf *out, const struct received *r, unsigned uid)
{
	struct buf field = BUF_INIT(FIELD_MAX);
	char date[64];
	int done;

	buf_add_c(&field, "Received: by ");
	add_foreign(&field, r->myhostname, "()\\");
	buf_add_c(&field, " (");
	add_foreign(&field, r->mail_name, "\\");
	buf_addf(&field, ", from userid %u)\r\n\tid %.*s; %s\r\n", uid, STR_ARG(r->id), rfc5322_date(r->when, date));
	done = buf_add_str(out, buf_str(&field));
	buf_free(&field);
	return done;
}

const char *rfc5322_date(time_t when, char *text)
{
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
		"Dec" };
	struct tm tm;
	unsigned minutes;

	/* RFC 5322 sec. 3.3. Not strftime(): its names follow the locale. */
	if (localtime_r(&when, &tm) == NULL)
		tm = (struct tm){ .tm_mday = 1, .tm_year = 70, .tm_wday = 4, .tm_zone = "UTC" };
	minutes = (unsigned)labs(tm.tm_gmtoff) / 60 % 6000;
	snprintf(text, 64, "%.3s, %u %.3s %04u %02u:%02u:%02u %c%02u%02u (%.16s)", days[tm.tm_wday % 7],
		(unsigned)tm.tm_mday % 100, months[tm.tm_mon % 12], ((unsigned)tm.tm_year + 1900) % 10000,
		(unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100,
		tm.tm_gmtoff < 0 ? '-' : '+', minutes / 60, minutes % 60, tm.tm_zone);
	return text;
}
