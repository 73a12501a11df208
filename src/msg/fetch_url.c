#include "msg/fetch_url.h"

#include <arpa/inet.h>
#include <string.h>

enum { HTTP_PORT = 80, HTTPS_PORT = 443, HOST_MAX = 253 };

static size_t span_until(struct str s, const char *ends)
{
	size_t n = 0;

	while (n < s.n && strchr(ends, s.p[n]) == NULL)
		n++;
	return n;
}

static bool is_address(struct str host, int family)
{
	unsigned char octets[16];
	char text[64];

	if (host.n >= sizeof text)
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	return inet_pton(family, text, octets) == 1;
}

static bool is_name(struct str host)
{
	for (size_t i = 0; i < host.n; i++)
		if (!ascii_is_alnum(host.p[i]) && host.p[i] != '-' && host.p[i] != '.' && host.p[i] != '_')
			return false;
	return host.n > 0 && host.n <= HOST_MAX && host.p[0] != '.' && host.p[0] != '-';
}

static const char *take_port(struct str text, struct fetch_url *u)
{
	uint64_t port;

	if (text.n == 0)
		return NULL;
	if (text.p[0] != ':' || !str_u64(str_from(text, 1), &port) || port == 0 || port > UINT16_MAX)
		return "the port is no number from 1 to 65535";
	u->port = (uint16_t)port;
	return NULL;
}

static const char *take_authority(struct str text, struct fetch_url *u)
{
	size_t end;

	u->authority = str_from(text, (size_t)(str_rchr(text, '@') + 1));
	if (str_chr(text, '@') != str_rchr(text, '@'))
		return "there are two \"@\" before its path; one in a password is written %40";
	if (str_has_prefix(u->authority, STR("["))) {
		end = span_until(u->authority, "]");
		u->host = str_sub(u->authority, 1, end - 1);
		u->is_address = is_address(u->host, AF_INET6);
		if (end == u->authority.n || !u->is_address)
			return "there is no IPv6 address between the brackets";
		return take_port(str_from(u->authority, end + 1), u);
	}
	end = span_until(u->authority, ":");
	u->host = str_sub(u->authority, 0, end);
	u->is_address = is_address(u->host, AF_INET);
	if (!is_name(u->host))
		return "it names no host";
	return take_port(str_from(u->authority, end), u);
}

int fetch_url_parse(struct str text, struct fetch_url *u, const char **why)
{
	struct str rest;
	size_t end;

	*u = (struct fetch_url){ .is_tls = str_has_iprefix(text, STR("https://")) };
	u->port = u->is_tls ? HTTPS_PORT : HTTP_PORT;
	*why = NULL;
	for (size_t i = 0; i < text.n; i++)
		if (!ascii_is_graph(text.p[i]) || strchr("#\\\"<>^`{|}", text.p[i]))
			*why = "it has a character that must be written as %XX, or a fragment (\"#\")";
	if (text.n > FETCH_URL_MAX)
		*why = "it is longer than 2048 octets";
	else if (!u->is_tls && !str_has_iprefix(text, STR("http://")))
		*why = "it does not begin with https:// (or http://)";
	if (*why)
		return -1;
	rest = str_from(text, u->is_tls ? sizeof "https://" - 1 : sizeof "http://" - 1);
	end = span_until(rest, "/?");
	u->path = str_from(rest, end);
	*why = take_authority(str_sub(rest, 0, end), u);
	return *why ? -1 : 0;
}

void fetch_url_show(struct buf *out, const struct fetch_url *u)
{
	buf_add_c(out, u->is_tls ? "https://" : "http://");
	buf_add_str(out, u->authority);
	buf_add_str(out, str_sub(u->path, 0, span_until(u->path, "?")));
}

bool fetch_url_is_local(const struct fetch_url *u)
{
	return str_ieq(u->host, STR("localhost")) ||
	       (u->is_address && (str_has_prefix(u->host, STR("127.")) || str_eq(u->host, STR("::1"))));
}
