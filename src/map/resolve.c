#include "map/resolve_impl.h"

#include "map/map_text.h"

#include <ifaddrs.h>
#include <stdlib.h>

static bool list_has(const char *list, struct str what)
{
	struct str rest = str_c(list), word;

	while (map_word(&rest, &word))
		if (str_ieq(word, what))
			return true;
	return false;
}

static void own_add(struct resolver *r, const struct net *net)
{
	r->own = xrealloc(r->own, (r->n_own + 1) * sizeof *r->own);
	r->own[r->n_own++] = *net;
}

static void own_interfaces(struct resolver *r)
{
	struct ifaddrs *all = NULL;
	struct net net;

	if (getifaddrs(&all) != 0)
		return;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next)
		if (i->ifa_addr && net_of_sockaddr(i->ifa_addr, &net))
			own_add(r, &net);
	freeifaddrs(all);
}

static void own_addresses(struct resolver *r, struct str list)
{
	struct str word;
	struct net net;

	while (map_word(&list, &word)) {
		if (str_ieq(word, STR("all"))) {
			own_interfaces(r);
		} else if (str_ieq(word, STR("loopback-only"))) {
			net_parse(STR("127.0.0.1"), &net);
			own_add(r, &net);
			net_parse(STR("::1"), &net);
			own_add(r, &net);
		} else if (net_parse(word, &net) == 0) {
			own_add(r, &net);
		}
	}
}

struct resolver *resolver_new(const struct resolve_settings *s, struct table_set *set)
{
	struct resolver *r = xcalloc(1, sizeof *r);
	bool relay_parents = list_has(s->parent_domain_matches_subdomains, STR("relay_domains"));

	r->set = *s;
	r->tables = set;
	r->mydestination = match_list_make(str_c(s->mydestination), set, MATCH_EXACT);
	r->virtual_alias_domains = match_list_make(str_c(s->virtual_alias_domains), set, MATCH_EXACT);
	r->virtual_mailbox_domains = match_list_make(str_c(s->virtual_mailbox_domains), set, MATCH_EXACT);
	r->relay_domains = match_list_make(str_c(s->relay_domains), set, relay_parents ? MATCH_PARENT : MATCH_DOT);
	own_addresses(r, str_c(s->inet_interfaces));
	own_addresses(r, str_c(s->proxy_interfaces));
	r->virtual_alias_maps = table_list_make(set, str_c(s->virtual_alias_maps));
	r->alias_maps = table_list_make(set, str_c(s->alias_maps));
	r->local_recipient_maps = table_list_make(set, str_c(s->local_recipient_maps));
	r->virtual_mailbox_maps = table_list_make(set, str_c(s->virtual_mailbox_maps));
	r->relay_recipient_maps = table_list_make(set, str_c(s->relay_recipient_maps));
	r->transport_maps = table_list_make(set, str_c(s->transport_maps));
	r->sender_relayhost = table_list_make(set, str_c(s->sender_dependent_relayhost_maps));
	r->sender_transport = table_list_make(set, str_c(s->sender_dependent_default_transport_maps));
	r->propagate_virtual = list_has(s->propagate_unmatched_extensions, STR("virtual"));
	r->propagate_alias = list_has(s->propagate_unmatched_extensions, STR("alias"));
	r->access_parents = list_has(s->parent_domain_matches_subdomains, STR("smtpd_access_maps"));
	r->transport_parents = list_has(s->parent_domain_matches_subdomains, STR("transport_maps"));
	return r;
}

void resolver_free(struct resolver **r)
{
	if (*r == NULL)
		return;
	match_list_free(&(*r)->mydestination);
	match_list_free(&(*r)->virtual_alias_domains);
	match_list_free(&(*r)->virtual_mailbox_domains);
	match_list_free(&(*r)->relay_domains);
	table_list_drop(&(*r)->virtual_alias_maps);
	table_list_drop(&(*r)->alias_maps);
	table_list_drop(&(*r)->local_recipient_maps);
	table_list_drop(&(*r)->virtual_mailbox_maps);
	table_list_drop(&(*r)->relay_recipient_maps);
	table_list_drop(&(*r)->transport_maps);
	table_list_drop(&(*r)->sender_relayhost);
	table_list_drop(&(*r)->sender_transport);
	free((*r)->own);
	free(*r);
	*r = NULL;
}

/* These names are never taken apart, whatever recipient_delimiter is: reports about mail go there. */
static bool is_whole_name(struct str local)
{
	return str_ieq(local, STR("postmaster")) || str_ieq(local, STR("mailer-daemon")) ||
	       str_ieq(local, STR("double-bounce"));
}

struct address address_split(const struct resolver *r, struct str all)
{
	ptrdiff_t at = str_rchr(all, '@');
	struct address a = { .all = all,
		.local = at < 0 ? all : str_sub(all, 0, (size_t)at),
		.domain = at < 0 ? (struct str){ "", 0 } : str_from(all, (size_t)at + 1) };
	const char *delimiters = r->set.recipient_delimiter;
	size_t i = 1;

	a.user = a.local;
	a.extension = str_from(a.local, a.local.n);
	if (*delimiters == '\0' || is_whole_name(a.local))
		return a;
	/* Lists' owner-x and x-request are names of their own (aliases(5)). */
	if (strchr(delimiters, '-') &&
		(str_has_iprefix(a.local, STR("owner-")) || str_has_isuffix(a.local, STR("-request"))))
		return a;
	while (i < a.local.n && (a.local.p[i] == '\0' || strchr(delimiters, a.local.p[i]) == NULL))
		i++;
	if (i < a.local.n) {
		a.user = str_sub(a.local, 0, i);
		a.extension = str_from(a.local, i);
	}
	return a;
}

struct str address_complete(const struct ask *q, struct str address)
{
	const struct resolve_settings *s = &q->r->set;
	struct str local, domain, more = { "", 0 };
	ptrdiff_t at = str_rchr(address, '@');
	char *text;

	local = at < 0 ? address : str_sub(address, 0, (size_t)at);
	domain = at < 0 ? str_c(s->myorigin) : str_from(address, (size_t)at + 1);
	/* RFC 1034 sec. 3.1: the root may be written; it never is part of a name in a table. */
	if (domain.n > 1 && domain.p[domain.n - 1] == '.')
		domain.n--;
	if (s->append_dot_mydomain && *s->mydomain && domain.n && str_chr(domain, '.') < 0 && domain.p[0] != '[' &&
		!str_ieq(domain, STR("localhost")))
		more = str_c(s->mydomain);
	text = arena_printf(
		q->mem, "%.*s@%.*s%s%.*s", STR_ARG(local), STR_ARG(domain), more.n ? "." : "", STR_ARG(more));
	for (size_t i = local.n; text[i]; i++)
		text[i] = ascii_lower(text[i]);
	return str_c(text);
}

/* "[1.2.3.4]": is it one of our addresses? */
static bool is_own_literal(const struct resolver *r, struct str domain)
{
	struct net net;

	if (domain.n < 2 || domain.p[0] != '[' || net_parse(domain, &net) != 0)
		return false;
	for (size_t i = 0; i < r->n_own; i++)
		if (net_has(&r->own[i], &net))
			return true;
	return false;
}

enum map_status resolve_class(struct ask *q, struct str domain, enum map_class *class)
{
	const struct resolver *r = q->r;
	const struct {
		const struct match_list *list;
		enum map_class class;
	} order[] = { { r->mydestination, CLASS_LOCAL }, { r->virtual_alias_domains, CLASS_VIRTUAL_ALIAS },
		{ r->virtual_mailbox_domains, CLASS_VIRTUAL_MAILBOX }, { r->relay_domains, CLASS_RELAY } };

	*class = CLASS_DEFAULT;
	if (is_own_literal(r, domain)) {
		*class = CLASS_LOCAL;
		return MAP_FOUND;
	}
	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		enum map_status status = match_list_find(order[i].list, domain, NULL, &q->why);

		if (status == MAP_NOT_FOUND)
			continue;
		if (status == MAP_FOUND)
			*class = order[i].class;
		return status;
	}
	return MAP_FOUND;
}

const char *map_unknown_text(enum map_class class)
{
	switch (class) {
	case CLASS_LOCAL:
		return "User unknown in local recipient table";
	case CLASS_VIRTUAL_ALIAS:
		return "User unknown in virtual alias table";
	case CLASS_VIRTUAL_MAILBOX:
		return "User unknown in virtual mailbox table";
	case CLASS_RELAY:
		return "User unknown in relay recipient table";
	case CLASS_DEFAULT:
		break;
	}
	return "User unknown";
}

/* May the address receive mail? FOUND or NOT_FOUND, or what went wrong. */
static enum map_status existence(struct ask *q, const struct address *a, enum map_class class)
{
	const struct resolver *r = q->r;
	const struct table_list *maps = NULL;
	enum map_status status;
	struct str unmatched;

	status = find_address(q, &r->virtual_alias_maps, a, &unmatched);
	if (status != MAP_NOT_FOUND)
		return status;
	if (class == CLASS_VIRTUAL_ALIAS)
		return MAP_NOT_FOUND;
	if (class == CLASS_LOCAL)
		maps = &r->local_recipient_maps;
	else if (class == CLASS_VIRTUAL_MAILBOX)
		maps = &r->virtual_mailbox_maps;
	else if (class == CLASS_RELAY)
		maps = &r->relay_recipient_maps;
	if (maps == NULL || maps->n == 0)
		return MAP_FOUND;
	return find_address(q, maps, a, &unmatched);
}

/* End of a question: what went wrong, in memory that stays. */
static void finish(struct ask *q, struct map_answer *a, enum map_status status)
{
	a->status = status;
	if (status == MAP_TEMPORARY)
		a->why = arena_dup(q->mem, buf_str(&q->why));
	if (status == MAP_FOUND && q->value.n)
		a->value = arena_dup(q->mem, buf_str(&q->value));
	buf_free(&q->value);
	buf_free(&q->why);
}

static struct ask ask_begin(const struct resolver *r, struct arena *mem, struct map_answer *a)
{
	*a = (struct map_answer){ .status = MAP_FOUND };
	return (struct ask){ r, mem, BUF_INIT(TABLE_VALUE_MAX), BUF_INIT(TABLE_WHY_MAX) };
}

void resolve_rcpt(const struct resolver *r, struct str address, struct arena *mem, struct map_answer *a)
{
	struct ask q = ask_begin(r, mem, a);
	bool postmaster = str_ieq(address, STR("postmaster")); /* RFC 5321 sec. 4.5.1: without domain, always */
	struct str all = address_complete(&q, address);
	struct address parts = address_split(r, all);
	enum map_status status = resolve_class(&q, parts.domain, &a->class);

	if (status == MAP_FOUND)
		status = postmaster ? MAP_FOUND : existence(&q, &parts, a->class);
	a->exists = status == MAP_FOUND;
	if (status == MAP_FOUND) {
		status = resolve_expand(&q, all, a);
	} else if (status == MAP_NOT_FOUND) {
		a->expanded = arena_array(mem, 1, sizeof *a->expanded);
		a->expanded[a->n_expanded++] = all;
		status = MAP_FOUND;
	}
	buf_reset(&q.value);
	finish(&q, a, status);
}

void resolve_settings_load(struct resolve_settings *s, const struct conf_view *v)
{
	const struct {
		const char **to, *name;
	} all[] = { { &s->myhostname, "myhostname" }, { &s->mydomain, "mydomain" }, { &s->myorigin, "myorigin" },
		{ &s->mydestination, "mydestination" }, { &s->inet_interfaces, "inet_interfaces" },
		{ &s->proxy_interfaces, "proxy_interfaces" }, { &s->virtual_alias_domains, "virtual_alias_domains" },
		{ &s->virtual_mailbox_domains, "virtual_mailbox_domains" }, { &s->relay_domains, "relay_domains" },
		{ &s->virtual_alias_maps, "virtual_alias_maps" }, { &s->alias_maps, "alias_maps" },
		{ &s->local_recipient_maps, "local_recipient_maps" },
		{ &s->virtual_mailbox_maps, "virtual_mailbox_maps" },
		{ &s->relay_recipient_maps, "relay_recipient_maps" }, { &s->transport_maps, "transport_maps" },
		{ &s->sender_dependent_relayhost_maps, "sender_dependent_relayhost_maps" },
		{ &s->sender_dependent_default_transport_maps, "sender_dependent_default_transport_maps" },
		{ &s->local_transport, "local_transport" }, { &s->virtual_transport, "virtual_transport" },
		{ &s->relay_transport, "relay_transport" }, { &s->default_transport, "default_transport" },
		{ &s->relayhost, "relayhost" }, { &s->recipient_delimiter, "recipient_delimiter" },
		{ &s->propagate_unmatched_extensions, "propagate_unmatched_extensions" },
		{ &s->parent_domain_matches_subdomains, "parent_domain_matches_subdomains" },
		{ &s->empty_address_relayhost_maps_lookup_key, "empty_address_relayhost_maps_lookup_key" },
		{ &s->empty_address_default_transport_maps_lookup_key,
			"empty_address_default_transport_maps_lookup_key" } };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		*all[i].to = conf_str(v, all[i].name);
	s->append_dot_mydomain = conf_bool(v, "append_dot_mydomain");
	s->virtual_alias_recursion_limit = (size_t)conf_int(v, "virtual_alias_recursion_limit");
	s->virtual_alias_expansion_limit = (size_t)conf_int(v, "virtual_alias_expansion_limit");
}

void resolve_lookup(const struct resolver *r, struct str tables, struct str key, enum map_how how, struct arena *mem,
	struct map_answer *a)
{
	struct ask q = ask_begin(r, mem, a);
	struct table_list list = table_list_make(r->tables, tables);

	finish(&q, a, find_how(&q, &list, key, how));
	table_list_drop(&list);
}
