/* Macros of milters: the names of Sendmail, as milter_*_macros or the filter itself ask for them, and their values. */
#include "smtpd/milter.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum { VALUE_MAX = 4096 };

static bool put_c(struct buf *b, const char *text)
{
	return text && buf_add_c(b, text) == 0;
}

static bool put_conf(struct buf *b, const struct session *s, const char *name)
{
	return put_c(b, conf_str(s->service->view, name));
}

static bool put_hostname(const struct session *s, struct buf *b)
{
	return put_c(b, s->service->hostname);
}

static bool put_daemon_name(const struct session *s, struct buf *b)
{
	return put_conf(b, s, "milter_macro_daemon_name");
}

static bool put_v(const struct session *s, struct buf *b)
{
	return put_conf(b, s, "milter_macro_v");
}

static const char *reverse_name(const struct session *s)
{
	return s->reverse_name ? s->reverse_name : s->name;
}

static bool put_client(const struct session *s, struct buf *b)
{
	buf_addf(b, "%s [%s]", reverse_name(s), s->addr);
	if (strcmp(reverse_name(s), s->name) != 0)
		buf_add_c(b, " (may be forged)");
	return true;
}

static bool put_client_addr(const struct session *s, struct buf *b)
{
	buf_addf(b, "%s%s", s->peer.any.sa_family == AF_INET6 ? "IPv6:" : "", s->addr);
	return true;
}

static bool put_client_name(const struct session *s, struct buf *b)
{
	return put_c(b, s->name);
}

static bool put_client_ptr(const struct session *s, struct buf *b)
{
	return put_c(b, reverse_name(s));
}

static bool put_client_port(const struct session *s, struct buf *b)
{
	buf_addf(b, "%u", s->port);
	return true;
}

static bool put_client_resolve(const struct session *s, struct buf *b)
{
	return put_c(b, strcmp(s->name, "unknown") != 0 ? "OK" : "FAIL");
}

/* Where the client connected to: what a proxy says, else our end of the connection. */
static bool local_end(const struct session *s, union proxy_address *a)
{
	socklen_t n = sizeof *a;

	*a = s->dest;
	if (a->any.sa_family == AF_UNSPEC && getsockname(s->fd, &a->any, &n) != 0)
		return false;
	return a->any.sa_family == AF_INET || a->any.sa_family == AF_INET6;
}

static bool put_daemon_addr(const struct session *s, struct buf *b)
{
	char text[INET6_ADDRSTRLEN] = "";
	union proxy_address a;

	if (!local_end(s, &a))
		return false;
	inet_ntop(a.any.sa_family, a.any.sa_family == AF_INET6 ? (void *)&a.v6.sin6_addr : (void *)&a.v4.sin_addr, text,
		sizeof text);
	return put_c(b, text);
}

static bool put_daemon_port(const struct session *s, struct buf *b)
{
	union proxy_address a;

	if (!local_end(s, &a))
		return false;
	buf_addf(b, "%u", ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port));
	return true;
}

static bool put_tls_version(const struct session *s, struct buf *b)
{
	struct tls_info info = { .protocol = NULL };

	if (s->tls)
		tls_info(s->tls, &info);
	return put_c(b, info.protocol);
}

static bool put_cipher(const struct session *s, struct buf *b)
{
	struct tls_info info = { .cipher = NULL };

	if (s->tls)
		tls_info(s->tls, &info);
	return put_c(b, info.cipher);
}

static bool put_cipher_bits(const struct session *s, struct buf *b)
{
	struct tls_info info;

	if (s->tls == NULL)
		return false;
	tls_info(s->tls, &info);
	buf_addf(b, "%d", info.bits);
	return true;
}

static bool put_cert_subject(const struct session *s, struct buf *b)
{
	return s->cert && s->cert->trusted && put_c(b, s->cert->subject);
}

static bool put_cert_issuer(const struct session *s, struct buf *b)
{
	return s->cert && s->cert->trusted && put_c(b, s->cert->issuer);
}

static bool put_id(const struct session *s, struct buf *b)
{
	return s->tx && *s->tx->id && put_c(b, s->tx->id);
}

static bool put_auth_type(const struct session *s, struct buf *b)
{
	return put_c(b, s->sasl_method);
}

static bool put_auth_authen(const struct session *s, struct buf *b)
{
	return put_c(b, s->sasl_username);
}

static bool put_auth_author(const struct session *s, struct buf *b)
{
	return s->sasl_username && s->tx && s->tx->params.auth.n && buf_add_str(b, s->tx->params.auth) == 0;
}

static bool put_mail_addr(const struct session *s, struct buf *b)
{
	return s->tx && buf_add_str(b, s->tx->sender) == 0;
}

static bool put_rcpt_addr(const struct session *s, struct buf *b)
{
	return s->tx && s->tx->rcpt_known && buf_add_str(b, s->tx->rcpt_address) == 0;
}

/* "lmtp:unix:private/x": the mailer and where it goes, by the class of the recipient. transport_maps are not asked. */
static bool put_transport(const struct session *s, struct buf *b, bool mailer)
{
	static const char *const parameter[] = { [CLASS_LOCAL] = "local_transport",
		[CLASS_VIRTUAL_MAILBOX] = "virtual_transport",
		[CLASS_RELAY] = "relay_transport",
		[CLASS_DEFAULT] = "default_transport" };
	const struct transaction *t = s->tx;
	struct str value, name;
	ptrdiff_t colon;

	if (t == NULL || !t->rcpt_known)
		return false;
	if ((size_t)t->rcpt_answer.class >= sizeof parameter / sizeof *parameter ||
		parameter[t->rcpt_answer.class] == NULL)
		return false;
	value = str_c(conf_str(s->service->view, parameter[t->rcpt_answer.class]));
	colon = str_chr(value, ':');
	name = colon < 0 ? value : str_sub(value, 0, (size_t)colon);
	value = colon < 0 ? STR("") : str_from(value, (size_t)colon + 1);
	return buf_add_str(b, mailer ? name : value.n ? value : t->rcpt_parts.domain) == 0;
}

static bool put_rcpt_host(const struct session *s, struct buf *b)
{
	return put_transport(s, b, false);
}

static bool put_rcpt_mailer(const struct session *s, struct buf *b)
{
	return put_transport(s, b, true);
}

static const struct {
	const char *name;
	bool (*put)(const struct session *s, struct buf *b); /* false: it has no value now */
} macros[] = {
	{ "_", put_client },
	{ "i", put_id },
	{ "j", put_hostname },
	{ "v", put_v },
	{ "{auth_authen}", put_auth_authen },
	{ "{auth_author}", put_auth_author },
	{ "{auth_type}", put_auth_type },
	{ "{cert_issuer}", put_cert_issuer },
	{ "{cert_subject}", put_cert_subject },
	{ "{cipher}", put_cipher },
	{ "{cipher_bits}", put_cipher_bits },
	{ "{client_addr}", put_client_addr },
	{ "{client_name}", put_client_name },
	{ "{client_port}", put_client_port },
	{ "{client_ptr}", put_client_ptr },
	{ "{client_resolve}", put_client_resolve },
	{ "{daemon_addr}", put_daemon_addr },
	{ "{daemon_name}", put_daemon_name },
	{ "{daemon_port}", put_daemon_port },
	{ "{mail_addr}", put_mail_addr },
	{ "{rcpt_addr}", put_rcpt_addr },
	{ "{rcpt_host}", put_rcpt_host },
	{ "{rcpt_mailer}", put_rcpt_mailer },
	{ "{tls_version}", put_tls_version },
};

/* "{i}" is "i", "auth_type" is "{auth_type}". */
static bool is_same_name(struct str a, struct str b)
{
	if (a.n > 1 && a.p[0] == '{' && a.p[a.n - 1] == '}')
		a = str_sub(a, 1, a.n - 2);
	if (b.n > 1 && b.p[0] == '{' && b.p[b.n - 1] == '}')
		b = str_sub(b, 1, b.n - 2);
	return str_eq(a, b);
}

/* Octets of the "{…}" at the beginning; 0: there is none. */
static size_t group_octets(struct str s)
{
	unsigned depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		depth += s.p[i] == '{';
		depth -= s.p[i] == '}' && depth > 0;
		if (depth == 0)
			return i > 0 ? i + 1 : 0;
	}
	return 0;
}

/* The next of "name=value, {name}=value, { {name} = a value }"; false: there is none. */
static bool next_default(struct str *rest, struct str *name, struct str *value)
{
	struct str word;
	ptrdiff_t is;
	size_t n;

	*rest = str_trim(*rest);
	while (rest->n && rest->p[0] == ',')
		*rest = str_trim(str_from(*rest, 1));
	if (rest->n == 0)
		return false;
	n = group_octets(*rest);
	if (n > 0 && (n == rest->n || rest->p[n] != '=')) {
		word = str_sub(*rest, 1, n - 2);
	} else {
		while (n < rest->n && !strchr(", \t\r\n", rest->p[n]))
			n++;
		word = str_sub(*rest, 0, n);
	}
	*rest = str_from(*rest, n);
	is = str_chr(word, '=');
	*name = str_trim(is < 0 ? word : str_sub(word, 0, (size_t)is));
	*value = str_trim(is < 0 ? STR("") : str_from(word, (size_t)is + 1));
	return true;
}

static bool put_default(const struct session *s, struct str name, struct buf *b)
{
	struct str rest = str_c(s->service->milter->defaults), n, v;

	while (next_default(&rest, &n, &v))
		if (is_same_name(n, name))
			return buf_add_str(b, v) == 0;
	return false;
}

static bool put_value(const struct session *s, struct str name, struct buf *b)
{
	for (size_t i = 0; i < sizeof macros / sizeof *macros; i++)
		if (is_same_name(str_c(macros[i].name), name)) {
			if (macros[i].put(s, b))
				return true;
			buf_reset(b);
			break;
		}
	return put_default(s, name, b);
}

/* One character stands alone, a longer name in braces. */
static void put_name(struct buf *out, struct str name)
{
	bool braces = name.n > 1 && name.p[0] != '{';

	if (braces)
		milter_put_octets(out, STR("{"));
	milter_put_octets(out, name);
	milter_put_octets(out, braces ? str_pn("}", 2) : str_pn("", 1));
}

void milter_put_macros(struct milter_link *l, enum milter_event e)
{
	const struct session *s = l->of->session;
	enum milter_stage stage = milter_event_row(e)->macros;
	struct str names = str_c(s->service->milter->macros[stage]), name;
	struct buf *out = &l->conn->out, value = BUF_INIT(VALUE_MAX);
	size_t start = milter_packet_begin(out, MILTER_MACROS);
	const char command = milter_event_row(e)->command;

	if (stage < MILTER_STAGES && l->conn->terms.macros[stage].p)
		names = l->conn->terms.macros[stage];
	milter_put_octets(out, str_pn(&command, 1));
	while (str_word(&names, ", \t\r\n", &name)) {
		buf_reset(&value);
		if (!put_value(s, name, &value))
			continue;
		put_name(out, name);
		milter_put_text(out, buf_str(&value));
	}
	buf_free(&value);
	if (milter_packet_end(out, start) != 0)
		log_warn("milter %.*s: the values of its macros do not fit into a packet",
			STR_ARG(l->spec->service->where));
}
