/* Which transport an address goes to, and what the next host is: trivial-rewrite's rules, transport(5). */
#include "map/resolve_impl.h"

struct hop {
	struct str service, nexthop;
};

/* "transport:nexthop" at the first colon; either may be empty. */
static struct hop hop_split(struct str text)
{
	ptrdiff_t colon = str_chr(text, ':');

	if (colon < 0)
		return (struct hop){ text, str_from(text, text.n) };
	return (struct hop){ str_sub(text, 0, (size_t)colon), str_from(text, (size_t)colon + 1) };
}

static struct hop hop_keep(struct ask *q, struct str text)
{
	return hop_split(arena_dup(q->mem, str_trim(text)));
}

/* First the whole address, then @domain: both sender_dependent tables. FOUND: q->value. */
static enum map_status find_sender(struct ask *q, const struct table_list *tables, struct str sender, const char *empty)
{
	struct address a = address_split(q->r, sender);
	struct str unmatched;

	if (tables->n == 0)
		return MAP_NOT_FOUND;
	if (sender.n == 0)
		return find_key(q, tables, str_c(empty), false);
	return find_address(q, tables, &a, &unmatched);
}

/* The next host of mail that leaves us, where the transport does not name one. */
static enum map_status relayhost(struct ask *q, struct str sender, struct str domain, struct str *nexthop)
{
	const struct resolve_settings *s = &q->r->set;
	enum map_status status =
		find_sender(q, &q->r->sender_relayhost, sender, s->empty_address_relayhost_maps_lookup_key);

	*nexthop = domain;
	if (status == MAP_FOUND) {
		if (!str_ieq(str_trim(buf_str(&q->value)), STR("DUNNO")))
			*nexthop = arena_dup(q->mem, str_trim(buf_str(&q->value)));
		return MAP_FOUND;
	}
	if (status == MAP_NOT_FOUND && *s->relayhost)
		*nexthop = str_c(s->relayhost);
	return status == MAP_NOT_FOUND ? MAP_FOUND : status;
}

static enum map_status remote_hop(
	struct ask *q, struct str sender, struct str domain, enum map_class class, struct hop *hop)
{
	const struct resolve_settings *s = &q->r->set;
	enum map_status status = MAP_NOT_FOUND;
	struct str nexthop;

	*hop = hop_split(str_c(class == CLASS_RELAY ? s->relay_transport : s->default_transport));
	if (class == CLASS_DEFAULT)
		status = find_sender(
			q, &q->r->sender_transport, sender, s->empty_address_default_transport_maps_lookup_key);
	if (status == MAP_FOUND && !str_ieq(str_trim(buf_str(&q->value)), STR("DUNNO")))
		*hop = hop_keep(q, buf_str(&q->value));
	if (status != MAP_FOUND && status != MAP_NOT_FOUND)
		return status;
	if (hop->nexthop.n)
		return MAP_FOUND;
	status = relayhost(q, sender, domain, &nexthop);
	hop->nexthop = nexthop;
	return status;
}

/* Where it goes when transport_maps says nothing. */
static enum map_status class_hop(
	struct ask *q, struct str sender, struct str domain, enum map_class class, struct hop *hop)
{
	const struct resolve_settings *s = &q->r->set;

	switch (class) {
	case CLASS_LOCAL:
		*hop = hop_split(str_c(s->local_transport));
		if (hop->nexthop.n == 0)
			hop->nexthop = str_c(s->myhostname);
		return MAP_FOUND;
	case CLASS_VIRTUAL_ALIAS:
		*hop = (struct hop){ STR("error"), str_c(map_unknown_text(class)) };
		return MAP_FOUND;
	case CLASS_VIRTUAL_MAILBOX:
		*hop = hop_split(str_c(s->virtual_transport));
		if (hop->nexthop.n == 0)
			hop->nexthop = domain;
		return MAP_FOUND;
	case CLASS_RELAY:
	case CLASS_DEFAULT:
		break;
	}
	return remote_hop(q, sender, domain, class, hop);
}

static enum map_status find_domain_hop(struct ask *q, struct str domain)
{
	const struct table_list *tables = &q->r->transport_maps;
	enum map_status status = find_key(q, tables, domain, true);

	while (status == MAP_NOT_FOUND) {
		ptrdiff_t dot = str_chr(domain.n ? str_from(domain, 1) : domain, '.');

		if (dot < 0)
			return find_key(q, tables, STR("*"), true);
		domain = str_from(domain, (size_t)dot + 1);
		status = find_key(q, tables, q->r->transport_parents ? str_from(domain, 1) : domain, true);
	}
	return status;
}

/* transport(5): user+extension@domain, user@domain, domain, its parents, "*". */
static enum map_status find_transport(struct ask *q, const struct address *a)
{
	const struct table_list *tables = &q->r->transport_maps;
	enum map_status status;

	if (tables->n == 0)
		return MAP_NOT_FOUND;
	status = find_key(q, tables, a->all, false);
	if (status == MAP_NOT_FOUND && a->extension.n)
		status = find_key(q, tables,
			str_c(arena_printf(q->mem, "%.*s@%.*s", STR_ARG(a->user), STR_ARG(a->domain))), true);
	return status == MAP_NOT_FOUND ? find_domain_hop(q, a->domain) : status;
}

/* Lay a row of transport_maps over what the class says: ":x" keeps the transport, "t:" goes to the domain itself. */
static void overlay(struct ask *q, struct str domain, struct hop *hop)
{
	struct hop row = hop_keep(q, buf_str(&q->value));

	if (row.service.n == 0) {
		if (row.nexthop.n)
			hop->nexthop = row.nexthop;
		return;
	}
	*hop = row;
	if (hop->nexthop.n == 0)
		hop->nexthop = str_eq(row.service, STR("error")) || str_eq(row.service, STR("retry"))
				       ? STR("Address is undeliverable")
				       : domain;
}

void resolve_route(
	const struct resolver *r, struct str address, struct str sender, struct arena *mem, struct map_answer *a)
{
	struct ask q = { r, mem, BUF_INIT(TABLE_VALUE_MAX), BUF_INIT(TABLE_WHY_MAX) };
	struct hop hop = { { "", 0 }, { "", 0 } };
	struct address parts;
	enum map_status status;

	*a = (struct map_answer){ .status = MAP_FOUND };
	parts = address_split(r, address_complete(&q, address));
	status = resolve_class(&q, parts.domain, &a->class);
	if (status == MAP_FOUND)
		status = class_hop(&q, sender, parts.domain, a->class, &hop);
	if (status == MAP_FOUND) {
		status = find_transport(&q, &parts);
		if (status == MAP_FOUND)
			overlay(&q, parts.domain, &hop);
		else if (status == MAP_NOT_FOUND)
			status = MAP_FOUND;
	}
	a->status = status;
	a->service = hop.service;
	a->nexthop = hop.nexthop;
	if (status == MAP_TEMPORARY)
		a->why = arena_dup(mem, buf_str(&q.why));
	buf_free(&q.value);
	buf_free(&q.why);
}
