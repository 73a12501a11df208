/*
 * XCLIENT (Postfix's XCLIENT_README): a client of smtpd_authorized_xclient_hosts, a proxy or a test, says who speaks from
 * now on. All that follows from who the client is follows anew, and the session begins again.
 */
#include "smtpd/smtpd.h"

#include <stdlib.h>

bool client_is_listed(const struct session *s, const struct match_list *m)
{
	return match_list_addr(m, &s->peer.any) ||
	       (strcmp(s->name, "unknown") != 0 && match_list_host(m, str_c(s->name)));
}

bool may_xclient(const struct session *s)
{
	return !s->service->is_local && (s->may_xclient || client_is_listed(s, s->service->xclient_hosts));
}

static bool is_given(const struct smtp_attributes *a, enum smtp_attribute which)
{
	return a->given & ATTR_BIT(which);
}

static void set_text(char **to, struct str value)
{
	free(*to);
	*to = value.n ? xstrndup(value) : NULL;
}

static void set_ports(const struct smtp_attributes *a, struct session *s, union proxy_address *addr)
{
	uint16_t port = is_given(a, ATTR_PORT) ? a->port : s->port;

	if (addr->any.sa_family == AF_INET6)
		addr->v6.sin6_port = htons(port);
	else
		addr->v4.sin_port = htons(port);
}

static void set_addresses(struct session *s, const struct smtp_attributes *a)
{
	union proxy_address addr = a->addr;

	if (is_given(a, ATTR_ADDR)) {
		set_ports(a, s, &addr);
		session_set_peer(s, &addr.any);
	} else if (is_given(a, ATTR_PORT)) {
		s->port = a->port;
	}
	if (is_given(a, ATTR_DESTADDR))
		s->dest = a->dest;
	if (s->dest.any.sa_family == AF_INET6 && is_given(a, ATTR_DESTPORT))
		s->dest.v6.sin6_port = htons(a->dest_port);
	else if (s->dest.any.sa_family == AF_INET && is_given(a, ATTR_DESTPORT))
		s->dest.v4.sin_port = htons(a->dest_port);
}

static void set_names(struct session *s, const struct smtp_attributes *a)
{
	if (is_given(a, ATTR_NAME) || is_given(a, ATTR_ADDR)) {
		free(s->name);
		s->name = a->value[ATTR_NAME].n ? xstrndup(a->value[ATTR_NAME]) : xstrdup("unknown");
	}
	if (is_given(a, ATTR_REVERSE_NAME))
		set_text(
			&s->reverse_name, a->value[ATTR_REVERSE_NAME].n ? a->value[ATTR_REVERSE_NAME] : STR("unknown"));
	else if (is_given(a, ATTR_NAME) || is_given(a, ATTR_ADDR))
		set_text(&s->reverse_name, STR(""));
}

/* "LOGIN": logged in somewhere else, by a proxy that we believe. */
static void set_login(struct session *s, const struct smtp_attributes *a)
{
	/* Another client is not logged in because the one before was. */
	if (is_given(a, ATTR_LOGIN) || is_given(a, ATTR_ADDR))
		auth_forget(s);
	if (!is_given(a, ATTR_LOGIN) || a->value[ATTR_LOGIN].n == 0)
		return;
	s->sasl_username = xstrndup(a->value[ATTR_LOGIN]);
	s->sasl_method = xstrdup("XCLIENT");
}

/* As after the greeting; or as after that HELO, when it is given. */
static void set_hello(struct session *s, const struct smtp_attributes *a)
{
	bool was_ehlo = s->hello == HELLO_EHLO;

	s->hello = HELLO_NONE;
	if (is_given(a, ATTR_PROTO))
		was_ehlo = str_ieq(a->value[ATTR_PROTO], STR("ESMTP"));
	set_text(&s->helo, a->value[ATTR_HELO]);
	if (s->helo)
		s->hello = was_ehlo ? HELLO_EHLO : HELLO_HELO;
}

static void forget_client(struct session *s)
{
	if (s->name_query)
		session_name_end(s);
	s->may_xclient = may_xclient(s);
	s->may_xforward = may_xforward(s);
	s->spoke_early = s->sent_ahead = false;
	s->hidden = s->service->hidden;
	s->hidden_known = false;
	milter_session_end(s);
	free(s->cert); /* it is the proxy's */
	s->cert = NULL;
	forward_drop(s);
}

static enum outcome offer_again(struct session *s)
{
	ehlo_offer(s);
	return session_greet_again(s);
}

/* Who is said to have sent EHLO already is offered what it would be offered; nobody, what the client before was. */
static enum outcome greet_again(struct session *s)
{
	s->extensions = 0;
	if (s->hello == HELLO_EHLO)
		return ehlo_hidden_find(s, offer_again);
	return session_greet_again(s);
}

enum outcome do_xclient(struct session *s, struct str arg)
{
	struct arena *mem = arena_new(512);
	struct smtp_attributes a;
	struct str bad;
	int r;

	if (!may_xclient(s)) {
		reply(s, REPLY_NOT_AUTHORIZED);
	} else if ((r = smtp_attributes_parse(arg, XCLIENT_ATTRIBUTES, mem, &a, &bad)) == -1) {
		replyf(s, 501, "5.5.4", "Syntax: XCLIENT attribute=value...");
	} else if (r != 0) {
		replyf(s, 501, "5.5.4", "Bad XCLIENT attribute: %.*s", STR_ARG(bad));
	} else {
		forget_client(s);
		set_addresses(s, &a);
		set_names(s, &a);
		set_login(s, &a);
		set_hello(s, &a);
		arena_free(&mem);
		if (!session_enter_again(s, is_given(&a, ATTR_NAME) || a.addr.any.sa_family == AF_UNSPEC))
			return R_CLOSE;
		return is_given(&a, ATTR_LOGIN) && s->sasl_username ? user_enter(s, greet_again) : greet_again(s);
	}
	arena_free(&mem);
	return R_DONE;
}
