#include "smtp/attribute.h"
#include "smtp/address.h"
#include "smtp/command.h"

#include <arpa/inet.h>

enum { VALUE_MAX = 255 };

struct parse {
	struct smtp_attributes *out;
	enum smtp_attribute what;
	bool is_forward; /* XFORWARD: what is told of somebody is for the log */
	struct str value;
};

static bool take_name(struct parse *p)
{
	return domain_is_valid(p->value, true);
}

/* "192.0.2.1", "IPV6:2001:db8::1" */
static bool take_addr(struct parse *p)
{
	union proxy_address *a = p->what == ATTR_ADDR ? &p->out->addr : &p->out->dest;
	bool v6 = str_has_iprefix(p->value, STR("IPV6:"));
	struct str digits = str_from(p->value, v6 ? STR("IPV6:").n : 0);
	char text[INET6_ADDRSTRLEN];

	if (digits.n >= sizeof text)
		return false;
	memcpy(text, digits.p, digits.n);
	text[digits.n] = '\0';
	a->any.sa_family = v6 ? AF_INET6 : AF_INET;
	return v6 ? inet_pton(AF_INET6, text, &a->v6.sin6_addr) == 1 : inet_pton(AF_INET, text, &a->v4.sin_addr) == 1;
}

static bool take_port(struct parse *p)
{
	uint64_t n;

	if (!str_u64(p->value, &n) || n > 65535)
		return false;
	if (p->what == ATTR_PORT)
		p->out->port = (uint16_t)n;
	else
		p->out->dest_port = (uint16_t)n;
	return true;
}

enum { FORWARD_PROTO_MAX = 64 };

static bool take_proto(struct parse *p)
{
	if (p->is_forward) /* QMQP, LMTP … */
		return p->value.n > 0 && p->value.n <= FORWARD_PROTO_MAX;
	return str_ieq(p->value, STR("SMTP")) || str_ieq(p->value, STR("ESMTP"));
}

static bool take_source(struct parse *p)
{
	return str_ieq(p->value, STR("LOCAL")) || str_ieq(p->value, STR("REMOTE"));
}

static bool take_text(struct parse *p)
{
	return p->value.n > 0;
}

static const struct {
	const char *name;
	bool (*take)(struct parse *p);
} rows[ATTR_COUNT] = {
	[ATTR_NAME] = { "NAME", take_name },
	[ATTR_ADDR] = { "ADDR", take_addr },
	[ATTR_PORT] = { "PORT", take_port },
	[ATTR_PROTO] = { "PROTO", take_proto },
	[ATTR_HELO] = { "HELO", take_text },
	[ATTR_LOGIN] = { "LOGIN", take_text },
	[ATTR_DESTADDR] = { "DESTADDR", take_addr },
	[ATTR_DESTPORT] = { "DESTPORT", take_port },
	[ATTR_REVERSE_NAME] = { "REVERSE_NAME", take_name },
	[ATTR_IDENT] = { "IDENT", take_text },
	[ATTR_SOURCE] = { "SOURCE", take_source },
};

const char *smtp_attribute_name(enum smtp_attribute a)
{
	return rows[a].name;
}

static enum smtp_attribute find(struct str name, unsigned allowed)
{
	enum smtp_attribute a = 0;

	while (a < ATTR_COUNT && (!(allowed & ATTR_BIT(a)) || !str_ieq(name, str_c(rows[a].name))))
		a++;
	return a;
}

static bool is_unknown(struct str value)
{
	return str_ieq(value, STR("[UNAVAILABLE]")) || str_ieq(value, STR("[TEMPUNAVAIL]"));
}

static bool take(
	struct smtp_attributes *out, enum smtp_attribute a, unsigned allowed, struct str xtext, struct arena *mem)
{
	struct parse p = { .out = out, .what = a, .is_forward = allowed & ATTR_BIT(ATTR_SOURCE) };
	char plain[VALUE_MAX];
	size_t n;

	if (xtext.n == 0 || xtext.n > sizeof plain || xtext_decode(xtext, plain, &n) != 0)
		return false;
	p.value = str_pn(plain, n);
	if (is_unknown(p.value)) {
		out->value[a] = STR("");
		return true;
	}
	out->value[a] = arena_dup(mem, p.value);
	return rows[a].take(&p);
}

int smtp_attributes_parse(
	struct str text, unsigned allowed, struct arena *mem, struct smtp_attributes *out, struct str *bad)
{
	struct str word;

	memset(out, 0, sizeof *out);
	*bad = (struct str){ 0 };
	while (str_word(&text, " \t", &word)) {
		ptrdiff_t eq = str_chr(word, '=');
		enum smtp_attribute a = find(str_sub(word, 0, eq < 0 ? 0 : (size_t)eq), allowed);

		if (eq <= 0)
			return -1;
		*bad = word;
		if (a == ATTR_COUNT)
			return -2;
		if (out->given & ATTR_BIT(a))
			return -1;
		out->given |= ATTR_BIT(a);
		if (!take(out, a, allowed, str_from(word, (size_t)eq + 1), mem))
			return -2;
	}
	*bad = (struct str){ 0 };
	return out->given ? 0 : -1;
}
