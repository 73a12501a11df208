/* Which keys are tried, and in which order: virtual(5), transport(5), access(5). */
#include "map/resolve_impl.h"

enum { LABELS_MAX = 128 };

enum map_status find_key(struct ask *q, const struct table_list *tables, struct str key, bool part)
{
	return table_list_find(tables, key, part, &q->value, &q->why);
}

static struct str joined(struct ask *q, struct str a, const char *between, struct str b)
{
	return str_c(arena_printf(q->mem, "%.*s%s%.*s", STR_ARG(a), between, STR_ARG(b)));
}

/* user+extension and user alone: of our own domains only. */
static enum map_status find_bare(struct ask *q, const struct table_list *tables, const struct address *a, bool *bare)
{
	enum map_status status;
	enum map_class class = CLASS_LOCAL;

	*bare = false;
	if (a->domain.n && !str_ieq(a->domain, str_c(q->r->set.myorigin))) {
		status = resolve_class(q, a->domain, &class);
		if (status != MAP_FOUND)
			return status;
	}
	if (class != CLASS_LOCAL)
		return MAP_NOT_FOUND;
	status = find_key(q, tables, a->local, true);
	if (status != MAP_NOT_FOUND || a->extension.n == 0)
		return status;
	*bare = true;
	return find_key(q, tables, a->user, true);
}

enum map_status find_address(
	struct ask *q, const struct table_list *tables, const struct address *a, struct str *unmatched)
{
	enum map_status status;
	bool bare = false;

	*unmatched = str_from(a->extension, a->extension.n);
	if (tables->n == 0)
		return MAP_NOT_FOUND;
	status = find_key(q, tables, a->all, false);
	if (status == MAP_NOT_FOUND && a->extension.n) {
		status = find_key(q, tables, joined(q, a->user, a->domain.n ? "@" : "", a->domain), true);
		bare = true;
	}
	if (status == MAP_NOT_FOUND)
		status = find_bare(q, tables, a, &bare);
	if (status == MAP_NOT_FOUND && a->domain.n) {
		status = find_key(q, tables, joined(q, STR(""), "@", a->domain), true);
		bare = true;
	}
	if (status == MAP_FOUND && bare)
		*unmatched = a->extension;
	return status;
}

/* The domain, then what is above it: "example.org" (parents) or ".example.org". */
static enum map_status find_domain(
	struct ask *q, const struct table_list *tables, struct str domain, bool parents, bool part)
{
	enum map_status status = find_key(q, tables, domain, part);

	for (unsigned i = 0; i < LABELS_MAX && status == MAP_NOT_FOUND && domain.n; i++) {
		ptrdiff_t dot = str_chr(str_from(domain, 1), '.');

		if (dot < 0)
			break;
		domain = str_from(domain, (size_t)dot + 1);
		status = find_key(q, tables, parents ? str_from(domain, 1) : domain, true);
	}
	return status;
}

static enum map_status find_access(struct ask *q, const struct table_list *tables, const struct address *a)
{
	enum map_status status = find_key(q, tables, a->all, false);

	if (status == MAP_NOT_FOUND && a->extension.n)
		status = find_key(q, tables, joined(q, a->user, "@", a->domain), true);
	if (status == MAP_NOT_FOUND && a->domain.n)
		status = find_domain(q, tables, a->domain, q->r->access_parents, true);
	if (status == MAP_NOT_FOUND)
		status = find_key(q, tables, joined(q, a->local, "@", STR("")), true);
	if (status == MAP_NOT_FOUND && a->extension.n)
		status = find_key(q, tables, joined(q, a->user, "@", STR("")), true);
	return status;
}

/* 1.2.3.4, 1.2.3, 1.2, 1; of IPv6 the same with ":" (access(5), host address patterns). */
static enum map_status find_networks(struct ask *q, const struct table_list *tables, struct str address)
{
	char separator = str_chr(address, ':') >= 0 ? ':' : '.';
	enum map_status status = find_key(q, tables, address, false);

	while (status == MAP_NOT_FOUND) {
		ptrdiff_t at = str_rchr(address, separator);

		if (at <= 0)
			break;
		address = str_sub(address, 0, (size_t)at);
		if (address.p[address.n - 1] != separator)
			status = find_key(q, tables, address, true);
	}
	return status;
}

/* "name[address]", a name, or an address. */
static enum map_status find_client(struct ask *q, const struct table_list *tables, struct str key)
{
	ptrdiff_t open = str_chr(key, '[');
	struct str name = key, address = { "", 0 };
	enum map_status status = MAP_NOT_FOUND;
	struct net net;

	if (open >= 0 && key.p[key.n - 1] == ']') {
		name = str_sub(key, 0, (size_t)open);
		address = str_sub(key, (size_t)open + 1, key.n - (size_t)open - 2);
	} else if (net_parse(key, &net) == 0) {
		name.n = 0;
		address = key;
	}
	if (name.n)
		status = find_domain(q, tables, name, q->r->access_parents, false);
	if (status == MAP_NOT_FOUND && address.n)
		status = find_networks(q, tables, address);
	return status;
}

enum map_status find_how(struct ask *q, const struct table_list *tables, struct str key, enum map_how how)
{
	struct address a = address_split(q->r, key);
	struct str unmatched;

	switch (how) {
	case MAP_EXACT:
		return find_key(q, tables, key, false);
	case MAP_ADDRESS:
		return find_address(q, tables, &a, &unmatched);
	case MAP_DOMAIN:
		return find_domain(q, tables, key, q->r->access_parents, false);
	case MAP_ACCESS:
		return find_access(q, tables, &a);
	case MAP_CLIENT:
		return find_client(q, tables, key);
	}
	return MAP_NOT_FOUND;
}
