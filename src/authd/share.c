#include "authd/share.h"

#include <inttypes.h>
#include <stdio.h>

enum { PORT = 6379 };

#ifndef HAVE_HIREDIS
bool redis_is_there(void)
{
	return false;
}

void redis_start(struct authd *a)
{
	(void)a;
}
#endif

/* ---- the setting ---- */

/* "name=value" up to the next ':' that is not within brackets (an IPv6 address). */
static bool next_word(struct str *rest, struct str *name, struct str *value)
{
	size_t i = 0;
	bool in_brackets = false;
	struct str word;

	if (rest->n == 0)
		return false;
	for (; i < rest->n && (in_brackets || rest->p[i] != ':'); i++)
		in_brackets = rest->p[i] == '[' || (in_brackets && rest->p[i] != ']');
	word = str_sub(*rest, 0, i);
	*rest = str_from(*rest, i + 1);
	*value = word;
	return str_field(value, "=", name);
}

static struct str without_brackets(struct str host)
{
	return host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']' ? str_sub(host, 1, host.n - 2) : host;
}

static bool take_word(struct share_settings *s, struct str name, struct str value, struct arena *mem)
{
	uint64_t port;

	if (str_eq(name, STR("host")) && value.n) {
		s->host = arena_cdup(mem, without_brackets(value));
	} else if (str_eq(name, STR("path")) && value.n && value.p[0] == '/') {
		s->host = s->path = arena_cdup(mem, value);
	} else if (str_eq(name, STR("port")) && str_u64(value, &port) && port > 0 && port < 65536) {
		s->port = (uint16_t)port;
	} else if (str_eq(name, STR("db")) && str_u64(value, &port)) {
		s->db = arena_cdup(mem, value);
	} else if (str_eq(name, STR("password"))) {
		s->password = arena_cdup(mem, value);
	} else if (str_eq(name, STR("prefix"))) {
		s->stream = arena_printf(mem, "%.*sauth", STR_ARG(value));
	} else {
		return false;
	}
	return true;
}

int share_settings_parse(const char *value, struct arena *mem, struct share_settings *out, const char **why)
{
	struct str rest = str_c(value), name, word;

	*out = (struct share_settings){ .port = PORT, .db = "", .password = "", .stream = "gatepost/auth" };
	if (rest.n == 0)
		return 0;
	if (!str_has_prefix(rest, STR("redis:"))) {
		*why = "it should be as redis:host=192.0.2.1:port=6379";
		return -1;
	}
	rest = str_from(rest, STR("redis:").n);
	while (next_word(&rest, &name, &word))
		if (!take_word(out, name, word, mem)) {
			*why = arena_printf(mem,
				"\"%.*s=\" is not known, or its value is none; there are host= port= path= db= "
				"password= "
				"prefix=",
				STR_ARG(name));
			return -1;
		}
	if (out->host == NULL) {
		*why = "host= or path= is missing";
		return -1;
	}
	return 0;
}

/* ---- an entry ---- */

static const char *const news_names[] = {
	[NEWS_FAILED] = "failed", [NEWS_PASSED] = "passed", [NEWS_LIFTED] = "lifted"
};
enum { N_NEWS = sizeof news_names / sizeof *news_names };

void share_write(const struct defence_event *e, uint64_t node, struct arena *mem, struct str out[SHARE_FIELDS])
{
	char network[NETWORK_TEXT];
	const struct str fields[SHARE_FIELDS] = { STR("node"), str_c(arena_printf(mem, "%" PRIx64, node)), STR("at"),
		str_c(arena_printf(mem, "%" PRIu64, e->at_ms)), STR("news"), str_c(news_names[e->news]), STR("of"),
		str_c(arena_printf(mem, "%s%s", e->is_known ? "known" : "stranger", e->is_shared ? " shared" : "")),
		STR("network"), str_c(arena_printf(mem, "%s", network_format(&e->network, network))), STR("user"),
		e->user };

	memcpy(out, fields, sizeof fields);
}

static bool read_hex(struct str s, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < s.n; i++) {
		const char *digits = "0123456789abcdef", *at = s.p[i] ? strchr(digits, s.p[i]) : NULL;

		if (at == NULL || i == 16)
			return false;
		*out = *out << 4 | (uint64_t)(at - digits);
	}
	return s.n > 0;
}

static bool read_news(struct str s, enum defence_news *out)
{
	for (unsigned i = 0; i < N_NEWS; i++)
		if (str_eq(s, str_c(news_names[i]))) {
			*out = (enum defence_news)i;
			return true;
		}
	return false;
}

int share_read(const struct str *field, size_t n, struct defence_event *e, uint64_t *node)
{
	unsigned seen = 0;

	*e = (struct defence_event){ 0 };
	*node = 0;
	for (size_t i = 0; i + 1 < n; i += 2) {
		struct str name = field[i], value = field[i + 1];

		if (str_eq(name, STR("node")))
			seen |= read_hex(value, node) ? 1u : 0;
		else if (str_eq(name, STR("at")))
			seen |= str_u64(value, &e->at_ms) ? 2u : 0;
		else if (str_eq(name, STR("news")))
			seen |= read_news(value, &e->news) ? 4u : 0;
		else if (str_eq(name, STR("network")))
			seen |= network_parse(value, &e->network) ? 8u : 0;
		else if (str_eq(name, STR("user")))
			e->user = value;
		else if (str_eq(name, STR("of")))
			e->is_known = str_has_prefix(value, STR("known")),
			e->is_shared = str_has_suffix(value, STR(" shared"));
	}
	return seen == 15 ? 0 : -1;
}

bool share_is_id(struct str s)
{
	struct str ms, rest = s;
	uint64_t n;

	return s.n < sizeof((struct defence *)0)->seen && str_field(&rest, "-", &ms) && str_u64(ms, &n) &&
	       str_u64(rest, &n);
}
