/* check_policy_service: what a policy service is told, and its action. */
#include "smtpd/restrict.h"

#include <unistd.h>

enum { REQUEST_MAX = 32 * 1024 };

/* A value is one line: what a client sent was read as a line, so that a control character can only be odd, not a break. */
static void put(struct buf *b, const char *name, struct str value)
{
	buf_addf(b, "%s=", name);
	for (size_t i = 0; i < value.n && i < 1024; i++)
		buf_add_char(b, (unsigned char)value.p[i] < 32 ? '?' : value.p[i]);
	buf_add_char(b, '\n');
}

static const char *protocol_state(const struct check *c)
{
	static const char *const states[STAGE_COUNT] = { "CONNECT", "EHLO", "MAIL", "RCPT", "RCPT", "DATA",
		"END-OF-MESSAGE", "ETRN" };

	/* With smtpd_delay_reject the lists of client, helo and sender run at RCPT, and say so. */
	if (c->session->service->delay_reject && c->stage < STAGE_RELAY)
		return "RCPT";
	return states[c->stage];
}

static void put_transaction(struct buf *b, const struct check *c)
{
	const struct transaction *t = c->session->tx;

	put(b, "queue_id", t ? str_c(t->id) : STR(""));
	put(b, "sender", check_sender(c));
	put(b, "recipient", check_rcpt(c));
	buf_addf(b, "recipient_count=%zu\n", t && c->stage >= STAGE_DATA ? t->n_accepted : (size_t)0);
	buf_addf(b, "size=%llu\n",
		(unsigned long long)(t == NULL		     ? 0
				     : c->stage == STAGE_EOD ? t->scan.content
							     : t->params.size));
}

static void put_tls(struct buf *b, const struct session *s)
{
	struct tls_info info = { .protocol = "", .cipher = "" };

	if (s->tls)
		tls_info(s->tls, &info);
	put(b, "encryption_protocol", str_c(info.protocol));
	put(b, "encryption_cipher", str_c(info.cipher));
	buf_addf(b, "encryption_keysize=%d\n", s->tls ? info.bits : 0);
}

/* In xtext (RFC 3461 sec. 4), as Postfix sends names; those of a certificate that is not trusted are anybody's words. */
static void put_xtext(struct buf *b, const char *name, const char *value)
{
	buf_addf(b, "%s=", name);
	for (; *value; value++)
		if (*value == '+' || *value == '=' || !ascii_is_graph(*value))
			buf_addf(b, "+%02X", (unsigned char)*value);
		else
			buf_add_char(b, *value);
	buf_add_char(b, '\n');
}

static void put_cert(struct buf *b, const struct session *s)
{
	const struct tls_client_cert *cert = s->cert;

	put_xtext(b, "ccert_subject", cert && cert->trusted ? cert->subject : "");
	put_xtext(b, "ccert_issuer", cert && cert->trusted ? cert->issuer : "");
	put(b, "ccert_fingerprint", str_c(cert ? cert->fingerprint : ""));
	put(b, "ccert_pubkey_fingerprint", str_c(cert ? cert->key_fingerprint : ""));
}

static void compose(struct buf *b, const struct check *c)
{
	const struct session *s = c->session;

	buf_add_c(b, "request=smtpd_access_policy\n");
	put(b, "protocol_state", str_c(protocol_state(c)));
	put(b, "protocol_name", str_c(proto_text(s)));
	put(b, "client_address", str_c(s->addr));
	put(b, "client_name", str_c(s->name));
	put(b, "reverse_client_name", str_c(s->reverse_name ? s->reverse_name : s->name));
	buf_addf(b, "client_port=%u\n", s->port);
	put(b, "helo_name", str_c(s->helo));
	put_transaction(b, c);
	buf_addf(b, "instance=%x.%llu\n", (unsigned)getpid(), (unsigned long long)(s->tx ? s->tx->number : 0));
	put(b, "sasl_method", str_c(s->sasl_method));
	put(b, "sasl_username", str_c(s->sasl_username));
	put(b, "sasl_sender", s->tx ? s->tx->params.auth : STR(""));
	put(b, "etrn_domain", str_c(c->stage == STAGE_ETRN ? s->asked_name : NULL));
	put_tls(b, s);
	put_cert(b, s);
	buf_add_c(b, "stress=\n");
	put(b, "policy_context", str_c(conf_str(s->service->view, "smtpd_policy_service_policy_context")));
	buf_add_char(b, '\n');
}

/* "unix:private/x", or "{ unix:private/x, default_action=DUNNO }". */
static struct str endpoint_of(const struct restriction *r, struct str *default_action)
{
	struct str rest = r->arg, word, endpoint = STR("");

	while (str_field(&rest, ",", &word)) {
		word = str_trim(word);
		if (str_has_prefix(word, STR("default_action=")))
			*default_action = str_trim(str_from(word, 15));
		else if (endpoint.n == 0)
			endpoint = word;
	}
	return endpoint;
}

static void on_policy(struct policy_request *r)
{
	session_answer(container_of(r, struct question, policy)->session);
}

static enum verdict ask(struct check *c, struct str endpoint)
{
	struct session *s = c->session;
	struct buf b = BUF_INIT(REQUEST_MAX);
	struct question *q = question_new(s, ASK_POLICY, check_resume);

	compose(&b, c);
	q->policy.on_answer = on_policy;
	policy_ask(&q->policy, smtpd.child.loop, endpoint, buf_str(&b),
		(uint64_t)conf_seconds(s->service->view, "smtpd_policy_service_timeout") * 1000);
	buf_free(&b);
	return V_WAIT;
}

enum verdict run_policy(struct check *c, const struct restriction *r)
{
	struct session *s = c->session;
	struct str action = str_c(conf_str(s->service->view, "smtpd_policy_service_default_action"));
	struct str endpoint = endpoint_of(r, &action);
	const struct policy_request *p;

	if (s->question == NULL)
		return ask(c, endpoint);
	p = &s->question->policy;
	if (p->why)
		log_warn("problem talking to the policy service %.*s: %s; the action is %.*s", STR_ARG(endpoint),
			p->why, STR_ARG(action));
	else
		action = buf_str(&p->action);
	return access_act(c, arena_dup(c->mem, action), str_c("policy service"), ABOUT_STAGE);
}
