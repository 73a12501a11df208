#include "mime/dsn.h"
#include "mime/dsn_text.h"
#include "mime/received.h"
#include "base/utf8.h"
#include "smtp/address.h"
#include "smtp/command.h"
#include "smtp/datetime.h"
#include "smtp/orcpt.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *subject;
	const char *part_name; /* Content-Description of the third part */
	const char *text;
} kinds[] = {
	[DSN_FAILURE] = { "Undelivered Mail Returned to Sender", "Undelivered Message",
		"Your message could not be delivered to the recipients below, and no further\r\n"
		"attempt will be made. Beside each of them stands the reason; your message, or\r\n"
		"its header, is attached: you can correct the address and send it again.\r\n"
		"\r\n"
		"If you cannot tell from the reason what to change, forward this whole report to\r\n"
		"the postmaster of this host. You may leave your own text out of it.\r\n" },
	[DSN_DELAY] = { "Delayed Mail (still being retried)", "Delayed Message",
		"This is a warning only: you need not send your message again.\r\n"
		"\r\n"
		"Your message has not reached the recipients below yet. More attempts will be\r\n"
		"made, and a report follows if they fail too.\r\n" },
	[DSN_SUCCESS] = { "Successful Mail Delivery Report", "Message",
		"You asked for a report on your message: it was delivered to the recipients\r\n"
		"below. Where \"relayed\" stands it was passed on to a server that sends no such\r\n"
		"reports; where \"expanded\" stands, to the addresses behind that one.\r\n" },
};

/* Of a failure, where there is nothing to attach. */
static const char lost_text[] = "Your message could not be delivered to the recipients below, and no further\r\n"
				"attempt will be made. Beside each of them stands the reason. Your message itself\r\n"
				"is lost on this host and cannot be returned: if you have a copy, send that.\r\n"
				"\r\n"
				"The postmaster of this host may know more: forward this whole report there.\r\n";

static const char *const action_text[] = {
	[ACTION_FAILED] = "failed",
	[ACTION_DELAYED] = "delayed",
	[ACTION_DELIVERED] = "delivered",
	[ACTION_RELAYED] = "relayed",
	[ACTION_EXPANDED] = "expanded",
};

static const char *const default_status[] = {
	[ACTION_FAILED] = "5.0.0",
	[ACTION_DELAYED] = "4.0.0",
	[ACTION_DELIVERED] = "2.0.0",
	[ACTION_RELAYED] = "2.0.0",
	[ACTION_EXPANDED] = "2.0.0",
};

/* What the reader can do about it, by subject and detail of the status (RFC 3463); the first row that fits. */
static const struct {
	const char *detail;
	const char *text;
} advice[] = {
	{ "1.1", "There is no such mailbox: check its spelling, or ask the recipient for the right address." },
	{ "1.2", "There is no such domain: check the part behind the \"@\"." },
	{ "1.3", "The address is not well-formed: check its spelling." },
	{ "1.6", "The recipient has moved: ask for the new address." },
	{ "1.10", "This domain takes no mail at all: ask the recipient for another address." },
	{ "2.1", "The mailbox is closed: reach the recipient in another way." },
	{ "2.2", "The mailbox is full: send again later, or tell the recipient in another way." },
	{ "2.3", "The message is too big for this mailbox: send less at a time." },
	{ "3.4", "The message is too big for the recipient's server: send less at a time." },
	{ "4.4", "No server is known for this address: check the part behind the \"@\"." },
	{ "4.6", "Mail to this address goes round in a circle: the postmaster there has to correct it." },
	{ "4.7", "The recipient's server took too long to accept it: send again later." },
	{ "6.3", "A server on the way takes less than this message has, and a part of it must not be changed." },
	{ "6.7", "A server on the way takes no addresses outside ASCII: use one in ASCII." },
	{ "7.", "The recipient's server refuses such mail: quote the reason to its postmaster." },
};

enum { BOUNDARY_MAX = 400 };

/* A boundary (RFC 2046 sec. 5.1.1: at most 70 octets) that occurs nowhere in the original. */
static void choose_boundary(const struct dsn_report *r, const char *id, char *boundary)
{
	for (unsigned i = 0;; i++) {
		snprintf(boundary, BOUNDARY_MAX, "=_%s.%llu.%u", id, (unsigned long long)(r->now_us / 1000), i);
		if (r->original.n == 0 || memmem(r->original.p, r->original.n, boundary, strlen(boundary)) == NULL)
			return;
	}
}

static void put_header(struct dsn_writer *w, const struct dsn_report *r, const char *id, const char *boundary)
{
	char date[64], stamp[32];
	time_t now = (time_t)(r->now_us / 1000000);
	struct tm tm;
	struct buf host = BUF_INIT(DSN_TEXT_MAX), to = BUF_INIT(DSN_TEXT_MAX);

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof stamp, "%Y%m%d%H%M%S", &tm);
	dsn_clean(&host, r->myhostname, w->utf8);
	dsn_putf(w, "Received: by %.*s (%.*s)\r\n\tid %s; %s\r\n", STR_ARG(buf_str(&host)), STR_ARG(r->mail_name), id,
		rfc5322_date(now, date));
	dsn_putf(w, "Date: %s\r\n", date);
	dsn_putf(w, "From: Mail Delivery System <MAILER-DAEMON@%.*s>\r\n", STR_ARG(buf_str(&host)));
	dsn_putf(w, "Subject: %s\r\n", kinds[r->kind].subject);
	dsn_field(w, "To", "", address_in_ascii(r->env->sender, &to));
	buf_free(&to);
	/* RFC 3834 sec. 5.1: keeps vacation programs and lists from answering. */
	dsn_puts(w, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
	dsn_putf(w, "Content-Type: multipart/report; report-type=%sdelivery-status;\r\n\tboundary=\"%s\"\r\n",
		w->utf8 ? "global-" : "", boundary);
	if (w->utf8 || str_is_8bit(r->original))
		dsn_puts(w, "Content-Transfer-Encoding: 8bit\r\n");
	dsn_putf(w, "Message-Id: <%s.%s@%.*s>\r\n\r\nThis is a MIME-encapsulated message.\r\n", stamp, id,
		STR_ARG(buf_str(&host)));
	buf_free(&host);
}

/* As it may stand in this report: octets over 127 need one with UTF-8, or the form of RFC 6533 sec. 3 for others. */
static void show_address(const struct dsn_writer *w, struct buf *out, struct str address)
{
	if (w->utf8 || !str_is_8bit(address) || utf8_address_put(out, address) != 0)
		buf_add_str(out, address);
}

static void put_advice(struct dsn_writer *w, struct str status)
{
	for (size_t i = 0; dsn_status_is_valid(status) && i < sizeof advice / sizeof *advice; i++) {
		struct str detail = str_c(advice[i].detail), has = str_from(status, 2);

		if (!str_eq(has, detail) && !(str_has_suffix(detail, STR(".")) && str_has_prefix(has, detail)))
			continue;
		dsn_indented(w, advice[i].text);
		return;
	}
}

/* What became of it. The answer of a server that it was relayed to does not say that this was all. */
static void put_outcome(struct buf *out, const struct dsn_rcpt *q)
{
	struct str text = q->text.n > 0 ? q->text : str_c(action_text[q->action]);

	if (q->action == ACTION_RELAYED && q->text.n > 0)
		buf_addf(out, q->remote_mta.n > 0 ? "relayed to %.*s: " : "relayed%.*s: ",
			STR_ARG(str_sub(q->remote_mta, 0, 255)));
	buf_add_str(out, str_sub(text, 0, DSN_TEXT_MAX));
}

static void put_human(struct dsn_writer *w, const struct dsn_report *r)
{
	char date[64];

	dsn_puts(w, "Content-Description: Notification\r\nContent-Type: text/plain; charset=");
	dsn_puts(w, w->utf8 ? "utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" : "us-ascii\r\n\r\n");
	dsn_puts(w, "This is the mail system at host ");
	struct buf host = BUF_INIT(DSN_TEXT_MAX);
	dsn_clean(&host, r->myhostname, w->utf8);
	dsn_put_raw(w, buf_str(&host));
	buf_free(&host);
	dsn_putf(w, ".\r\n\r\n%s\r\n", r->kind == DSN_FAILURE && r->original_is_lost ? lost_text : kinds[r->kind].text);
	for (size_t i = 0; i < r->n_rcpt; i++) {
		const struct dsn_rcpt *q = &r->rcpt[i];
		struct buf head = BUF_INIT(2 * DSN_TEXT_MAX + 64), outcome = BUF_INIT(DSN_TEXT_MAX + 512);
		buf_add_char(&head, '<');
		show_address(w, &head, str_sub(q->rcpt->address, 0, DSN_TEXT_MAX / 2));
		buf_add_char(&head, '>');
		if (q->rcpt->original.n > 0 && !str_ieq(q->rcpt->original, q->rcpt->address))
			buf_addf(&head, " (expanded from <%.*s>)",
				STR_ARG(str_sub(q->rcpt->original, 0, DSN_TEXT_MAX / 2 - 64)));
		buf_add_char(&head, ':');
		put_outcome(&outcome, q);
		dsn_paragraph(w, buf_str(&head), buf_str(&outcome));
		if (q->action == ACTION_FAILED)
			put_advice(w, q->status);
		if (r->kind == DSN_DELAY && q->will_retry_until > 0)
			dsn_putf(
				w, "    Attempts go on until %s.\r\n", rfc5322_date((time_t)q->will_retry_until, date));
		dsn_puts(w, "\r\n");
		buf_free(&head);
		buf_free(&outcome);
	}
}

/* "\x{HEX}" over 7F to UTF-8 (RFC 6533 sec. 3: utf-8-addr-xtext to unitext); all else as it is. */
static void put_unitext(struct buf *out, struct str in)
{
	while (in.n > 0) {
		ptrdiff_t close = str_has_prefix(in, STR("\\x{")) ? str_chr(in, '}') : -1;
		char hex[8] = "";
		char *end = hex;
		unsigned long c = 0;
		if (close >= 5 && close <= 9) {
			memcpy(hex, in.p + 3, (size_t)close - 3);
			c = strtoul(hex, &end, 16);
		}
		if (c < 0x80 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) || *end != '\0') {
			buf_add_char(out, in.p[0]);
			in = str_from(in, 1);
			continue;
		}
		char u[4];
		size_t n = 0;
		if (c >= 0x10000)
			u[n++] = (char)(0xf0 | c >> 18);
		if (c >= 0x800)
			u[n++] = (char)(c >= 0x10000 ? 0x80 | (c >> 12 & 0x3f) : 0xe0 | c >> 12);
		u[n] = (char)(c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) : 0xc0 | c >> 6);
		u[n + 1] = (char)(0x80 | (c & 0x3f));
		buf_add(out, u, n + 2);
		in = str_from(in, (size_t)close + 1);
	}
}

/* Original-Recipient, from ORCPT (RFC 3464 sec. 2.3.1), else the address before an alias changed it. */
static void put_original_rcpt(struct dsn_writer *w, const struct envelope_rcpt *q)
{
	struct str type = STR("rfc822"), x = q->orcpt;
	struct buf value = BUF_INIT(DSN_TEXT_MAX);
	ptrdiff_t semicolon = str_chr(x, ';');
	char *text = xcalloc(1, x.n + 1);
	size_t n = 0;

	if (semicolon > 0) {
		type = str_sub(x, 0, (size_t)semicolon);
		x = str_from(x, (size_t)semicolon + 1);
	}
	/* RFC 6533 sec. 3: the utf-8 type has an encoding of its own instead of xtext. */
	bool utf8_type = str_ieq(type, STR("utf-8"));
	if (semicolon > 0 && !utf8_type && xtext_decode(x, text, &n) == 0)
		x = str_pn(text, n);
	if (semicolon <= 0)
		x = q->original;
	buf_addf(&value, "%.*s;", STR_ARG(str_sub(type, 0, 64)));
	if (utf8_type && w->utf8)
		put_unitext(&value, x);
	else
		buf_add_str(&value, str_sub(x, 0, DSN_TEXT_MAX - 80));
	if (x.n > 0)
		dsn_field(w, "Original-Recipient", "", buf_str(&value));
	free(text);
	buf_free(&value);
}

static void put_address_field(struct dsn_writer *w, const char *name, struct str address)
{
	struct buf shown = BUF_INIT(8 * DSN_TEXT_MAX);

	show_address(w, &shown, str_sub(address, 0, DSN_TEXT_MAX));
	dsn_field(w, name, str_is_8bit(address) && utf8_is_valid(address) ? "utf-8;" : "rfc822;", buf_str(&shown));
	buf_free(&shown);
}

/* RFC 3464 sec. 2.3. */
static void put_rcpt_fields(struct dsn_writer *w, const struct dsn_rcpt *q)
{
	char date[64];

	dsn_puts(w, "\r\n");
	put_original_rcpt(w, q->rcpt);
	put_address_field(w, "Final-Recipient", q->rcpt->address);
	dsn_field(w, "Action", "", str_c(action_text[q->action]));
	dsn_field(w, "Status", "", dsn_status_is_valid(q->status) ? q->status : str_c(default_status[q->action]));
	if (q->remote_mta.n > 0)
		dsn_field(w, "Remote-MTA", "dns;", q->remote_mta);
	if (q->diagnostic.n > 0)
		dsn_field(w, "Diagnostic-Code", q->diagnostic_is_smtp ? "smtp;" : "X-Gatepost;", q->diagnostic);
	if (q->will_retry_until > 0)
		dsn_field(w, "Will-Retry-Until", "", str_c(rfc5322_date((time_t)q->will_retry_until, date)));
}

/* RFC 4865 sec. 5.1.2: as it was asked for. */
static void put_hold(struct dsn_writer *w, const struct envelope *e)
{
	struct buf value = BUF_INIT(64);

	if (e->hold_for_s > 0)
		buf_addf(&value, "for;%llu", (unsigned long long)e->hold_for_s);
	else if (e->hold_until_us > 0 && buf_add_c(&value, "until;") == 0)
		datetime_put(&value, (int64_t)(e->hold_until_us / 1000000));
	if (value.n > 0)
		dsn_field(w, "Future-Release-Request", "", buf_str(&value));
	buf_free(&value);
}

/* RFC 3464 sec. 2.2. */
static void put_machine(struct dsn_writer *w, const struct dsn_report *r)
{
	char id[ENVELOPE_ID_TEXT], date[64];
	char *envid = xcalloc(1, r->env->envid.n + 1);
	size_t n = 0;

	dsn_putf(w, "Content-Description: Delivery report\r\nContent-Type: message/%sdelivery-status\r\n%s\r\n",
		w->utf8 ? "global-" : "", w->utf8 ? "Content-Transfer-Encoding: 8bit\r\n" : "");
	if (r->env->envid.n > 0 && xtext_decode(r->env->envid, envid, &n) == 0)
		dsn_field(w, "Original-Envelope-Id", "", str_pn(envid, n));
	dsn_field(w, "Reporting-MTA", "dns;", r->myhostname);
	dsn_field(w, "X-Gatepost-Queue-ID", "", str_c(envelope_id_text(r->env->id, id)));
	put_address_field(w, "X-Gatepost-Sender", r->env->sender);
	dsn_field(w, "Arrival-Date", "", str_c(rfc5322_date((time_t)(r->env->arrival_us / 1000000), date)));
	if (r->env->deliver_by_us > 0) /* RFC 2852 sec. 5 */
		dsn_field(
			w, "Deliver-By-Date", "", str_c(rfc5322_date((time_t)(r->env->deliver_by_us / 1000000), date)));
	put_hold(w, r->env);
	for (size_t i = 0; i < r->n_rcpt; i++)
		put_rcpt_fields(w, &r->rcpt[i]);
	dsn_puts(w, "\r\n");
	free(envid);
}

/* RFC 3462 sec. 2 and 3; RFC 6533 sec. 5 and 6 for the utf-8 types. */
static void put_original(struct dsn_writer *w, const struct dsn_report *r)
{
	static const char *const types[2][2] = {
		{ "text/rfc822-headers", "message/global-headers" },
		{ "message/rfc822", "message/global" },
	};
	bool is_8bit = w->utf8 || str_is_8bit(r->original);

	dsn_putf(w, "Content-Description: %s%s\r\nContent-Type: %s\r\n", kinds[r->kind].part_name,
		r->original_is_full ? "" : " Headers", types[r->original_is_full][w->utf8]);
	if (is_8bit)
		dsn_puts(w, "Content-Transfer-Encoding: 8bit\r\n");
	dsn_puts(w, "\r\n");
	dsn_put_raw(w, r->original);
	if (!str_has_suffix(r->original, STR("\r\n")))
		dsn_puts(w, "\r\n");
}

int dsn_put(struct buf *out, const struct dsn_report *r)
{
	struct dsn_writer w = { .out = out, .utf8 = (r->env->flags & ENV_SMTPUTF8) != 0 };
	char id[ENVELOPE_ID_TEXT], boundary[BOUNDARY_MAX];
	size_t before = out->n;

	envelope_id_text(r->report_id, id);
	choose_boundary(r, id, boundary);
	put_header(&w, r, id, boundary);
	dsn_putf(&w, "\r\n--%s\r\n", boundary);
	put_human(&w, r);
	dsn_putf(&w, "--%s\r\n", boundary);
	put_machine(&w, r);
	if (!r->original_is_lost) { /* RFC 6522 sec. 3: the third part is optional */
		dsn_putf(&w, "--%s\r\n", boundary);
		put_original(&w, r);
	}
	dsn_putf(&w, "\r\n--%s--\r\n", boundary);
	if (!w.full)
		return 0;
	out->n = before;
	if (out->p)
		out->p[before] = '\0';
	return -1;
}
