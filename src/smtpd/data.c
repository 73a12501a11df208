/* DATA (RFC 5321 sec. 4.1.1.4), and the end of every message, however it came. */
#include "smtpd/smtpd.h"
#include "base/utf8.h"
#include "mime/received.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

/* RFC 3848, RFC 6531 sec. 4.3 */
static const char *with_keyword(const struct session *s, char *text, size_t size)
{
	bool utf8 = s->tx->params.flags & ENV_SMTPUTF8;

	if (s->hello != HELLO_EHLO)
		return "SMTP";
	snprintf(text, size, "%s%s%s", utf8 ? "UTF8SMTP" : "ESMTP", s->tls ? "S" : "", s->sasl_username ? "A" : "");
	return text;
}

/*
 * Whom it is for, as our field may say it: with A-labels, and in UTF-8 only where all recipients need SMTPUTF8 anyway. An
 * alias with such a name may stand for others.
 */
static struct str for_whom(struct transaction *t)
{
	struct str rcpt = address_made_ascii(t->mem, t->rcpt[0].original.n ? t->rcpt[0].original : t->rcpt[0].address);

	for (size_t i = 0; i < t->n_rcpt && str_is_8bit(rcpt); i++)
		if (!str_is_8bit(address_made_ascii(t->mem, t->rcpt[i].address)))
			rcpt = STR("");
	return rcpt;
}

static void put_received(struct session *s)
{
	struct transaction *t = s->tx;
	struct buf out = BUF_INIT(8192), addr = BUF_INIT(64), helo = BUF_INIT(1024);
	struct tls_info tls = { .protocol = NULL };
	char with[16];
	struct received r = { .helo = domain_in_ascii(str_c(s->helo ? s->helo : s->addr), &helo),
		.client_name = str_c(s->name),
		.myhostname = str_c(s->service->hostname),
		.mail_name = str_c(s->service->mail_name),
		.id = str_c(t->id),
		.with = with_keyword(s, with, sizeof with),
		.sasl_username = str_c(s->service->sasl_header && s->sasl_username ? s->sasl_username : ""),
		.when = time(NULL) };
	char priority[24];

	if (t->params.has_priority) {
		snprintf(priority, sizeof priority, "PRIORITY %d", t->params.priority);
		r.clause = priority;
	}
	buf_addf(&addr, "%s%s", s->peer.any.sa_family == AF_INET6 ? "IPv6:" : "", s->addr);
	r.client_addr = buf_str(&addr);
	if (t->n_accepted == 1)
		r.only_rcpt = for_whom(t);
	if (s->tls && s->service->tls_received) {
		tls_info(s->tls, &tls);
		r.tls_protocol = tls.protocol;
		r.tls_cipher = tls.cipher;
		r.tls_bits = tls.bits;
		r.tls_cipher_bits = tls.cipher_bits;
		r.key_exchange = tls.key_exchange;
		r.server_signature = tls.server_signature;
		r.server_digest = tls.server_digest;
		r.cert_asked = s->service->tls_asks_cert;
		r.cert_shown = s->cert != NULL;
		r.cert_trusted = s->cert && s->cert->trusted;
		r.cert_subject = str_c(s->cert ? s->cert->subject : "");
		r.cert_issuer = str_c(s->cert ? s->cert->issuer : "");
	}
	if (s->service->is_local)
		received_local_put(&out, &r, (unsigned)s->uid);
	else
		received_put(&out, &r);
	t->own_octets += (int64_t)out.n;
	if (!milter_keep(t, buf_str(&out)))
		spool_msg_add(&t->msg, buf_str(&out));
	buf_free(&out);
	buf_free(&addr);
	buf_free(&helo);
}

void message_begin(struct session *s)
{
	milter_content_open(s);
	put_received(s);
	session_deadline(s, s->service->timeout_ms);
}

void message_add(struct session *s, struct str wire)
{
	struct transaction *t = s->tx;

	if (!t->too_big && s->service->size_limit && t->scan.content > s->service->size_limit) {
		t->too_big = true; /* read on to the end of data, but keep nothing */
		spool_msg_abort(&t->msg);
	}
	if (t->too_big)
		return;
	if (!t->header.ended)
		header_add(s, t, &wire);
	if (wire.n)
		spool_msg_add(&t->msg, wire);
}

/* What the content itself is refused for; true: answered. */
static bool refuse_content(struct session *s, enum outcome *r)
{
	struct transaction *t = s->tx;
	unsigned flaws = t->scan.flaws;

	*r = R_DONE;
	if (t->params.flags & ENV_BINARY)
		flaws = t->header.flaws;
	if ((!s->normalize || (t->params.flags & ENV_BINARY)) &&
		(flaws & (DATA_BARE_LF | DATA_BARE_CR))) { /* sec. 2.3.8; CVE-2023-51764 */
		const char *what = flaws & DATA_BARE_LF ? "Error: bare <LF> received" : "Error: bare <CR> received";

		log_info("%s: reject: bare <%s> received after %s from %s", t->id, flaws & DATA_BARE_LF ? "LF" : "CR",
			state_name(s), client_text(s));
		reply_host(s, s->service->bare_newline_code, "5.5.2", what);
		*r = R_CLOSE;
	} else if (t->too_big) {
		reply_reject(s, 552, "5.3.4", "Error: message file too big", false);
	} else if (flaws & DATA_NUL) {
		reply(s, REPLY_NUL_DATA);
	} else if (t->header.hops > s->service->hop_limit) { /* sec. 6.3 */
		reply_reject(s, 554, "5.4.6", "Error: too many hops", false);
	} else if (milter_head_is_long(t)) {
		reply_reject(s, 552, "5.3.4", "Error: message header is too long", false);
	} else {
		return false;
	}
	return true;
}

static enum outcome message_committed(struct session *s)
{
	int err = s->tx->commit_error;

	if (err == 0) {
		s->errors = s->junk = 0;
		if (s->tx->priority_changed) /* RFC 6710 sec. 3.3 */
			replyf(s, 250, "2.3.6", "%d is the new priority of the message, queued as %s",
				s->tx->params.priority, s->tx->id);
		else
			replyf(s, 250, "2.0.0", "Ok: queued as %s", s->tx->id);
	} else {
		log_warn("%s: cannot keep the message: %s", s->tx->id, strerror(-err));
		reply(s, err == -ENOSPC ? REPLY_NO_SPACE : REPLY_QUEUE_ERROR);
	}
	transaction_end(s);
	return R_DONE;
}

static enum outcome message_seen(struct session *s, bool taken)
{
	if (taken && !milter_discards(s)) {
		transaction_commit(s, message_committed);
		return R_WAIT;
	}
	if (taken)
		replyf(s, 250, "2.0.0", "Ok: queued as %s", s->tx->id);
	transaction_end(s);
	return R_DONE;
}

static enum outcome message_checked(struct session *s, bool taken)
{
	return taken ? milter_show(s, message_seen) : message_seen(s, false);
}

static enum outcome since_checked(struct session *s, bool taken)
{
	return taken ? restrict_begin(s, STAGE_BIT(STAGE_EOD), message_checked) : message_checked(s, false);
}

enum outcome message_finish(struct session *s)
{
	enum outcome r;

	s->mode = MODE_COMMAND;
	if (!s->tx->too_big)
		header_finish(s, s->tx);
	if (refuse_content(s, &r)) {
		transaction_end(s);
		return r;
	}
	s->after_message = true;
	if (fields_refuse(s)) {
		transaction_end(s);
		return R_DONE;
	}
	return since_check_fields(s, since_checked);
}

enum outcome data_input(struct session *s, struct str in, size_t *used)
{
	int r;

	buf_reset(&smtpd.scratch);
	r = data_scan(&s->tx->scan, in, &smtpd.scratch, used);
	message_add(s, buf_str(&smtpd.scratch));
	return r == 1 ? message_finish(s) : R_MORE;
}

static enum outcome data_told(struct session *s, bool taken)
{
	if (!taken) {
		transaction_end(s);
		return R_DONE;
	}
	data_scan_init(&s->tx->scan, s->normalize);
	message_begin(s);
	s->mode = MODE_DATA;
	reply(s, REPLY_DATA);
	return R_MORE;
}

static enum outcome data_checked(struct session *s, bool taken)
{
	return taken ? milter_tell(s, MILTER_DATA, data_told) : data_told(s, false);
}

enum outcome do_data(struct session *s, struct str arg)
{
	(void)arg;
	if (s->tx->params.flags & ENV_BINARY) { /* RFC 3030 sec. 3 */
		reply(s, REPLY_BINARY_DATA);
		return R_DONE;
	}
	return restrict_begin(s, STAGE_BIT(STAGE_DATA), data_checked);
}
