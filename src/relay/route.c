#include "relay/relay.h"

#include "base/log.h"
#include "dns/hosts.h"
#include "smtp/address.h"

#include <arpa/inet.h>
#include <stdlib.h>

/* From a nexthop to a list of addresses (RFC 5321 sec. 5.1): MX records in order of preference, each one's addresses;
 * without MX records the domain's own addresses. */

enum { TARGETS_MAX = 200 };

/* Addresses at which we receive mail: inet_interfaces and proxy_interfaces. */
static struct sockaddr_storage *own;
static size_t n_own;

static void add_own(const struct sockaddr_storage *a)
{
	own = xrealloc(own, (n_own + 1) * sizeof *own);
	own[n_own++] = *a;
}

static void add_interfaces(bool loopback_only)
{
	uv_interface_address_t *list;
	struct sockaddr_storage a;
	int n;

	if (uv_interface_addresses(&list, &n) != 0)
		return;
	for (int i = 0; i < n; i++) {
		if (loopback_only && !list[i].is_internal)
			continue;
		memset(&a, 0, sizeof a);
		memcpy(&a, &list[i].address, sizeof list[i].address);
		add_own(&a);
	}
	uv_free_interface_addresses(list, n);
}

/* A host name among them is not resolved here: it is compared by name, as myhostname is. */
static void add_words(const struct conf_view *v, const char *name)
{
	struct arena *mem = arena_new(0);
	struct sockaddr_storage a;
	struct str *word;
	size_t n = conf_list(v, name, mem, &word);

	for (size_t i = 0; i < n; i++) {
		if (str_ieq(word[i], STR("all")) || str_ieq(word[i], STR("loopback-only")))
			add_interfaces(str_ieq(word[i], STR("loopback-only")));
		else if (addr_parse(word[i], &a))
			add_own(&a);
	}
	arena_free(&mem);
}

void route_init(const struct conf_view *v)
{
	add_words(v, "inet_interfaces");
	add_words(v, "proxy_interfaces");
}

static void give_up(struct delivery *d, const char *dsn, const char *text, bool permanent)
{
	struct trouble t = { .permanent = permanent, .dead = !permanent, .relay = STR("none") };

	memcpy(t.dsn, dsn, 6);
	t.text = str_c(arena_cdup(d->mem, str_c(text)));
	d->trouble = t;
	d->n_target = d->next_target = 0;
	delivery_routed(d);
}

/* Nothing of that name. When it is not the recipient's domain but our own setting that is wrong, mail is not lost. */
static void give_up_not_found(struct delivery *d, const char *text)
{
	bool is_relayhost = str_ieq(d->job.nexthop, str_c(conf_str(d->service->view, "relayhost")));

	if (is_relayhost)
		log_warn("relayhost %.*s configuration problem", STR_ARG(d->job.nexthop));
	give_up(d, is_relayhost ? "4.3.5" : "5.4.4", text, !is_relayhost);
}

static void add_target(struct delivery *d, struct str host, const struct dns_addr *a, uint16_t preference)
{
	struct target *t;
	struct sockaddr_in6 *v6;
	struct sockaddr_in *v4;

	if (d->n_target == TARGETS_MAX)
		return;
	if (d->n_target == d->cap_target) {
		struct target *old = d->target;

		d->cap_target = d->cap_target ? d->cap_target * 4 : 4;
		d->target = arena_array(d->mem, d->cap_target, sizeof *d->target);
		if (d->n_target)
			memcpy(d->target, old, d->n_target * sizeof *old);
	}
	t = &d->target[d->n_target++];
	t->host = arena_dup(d->mem, host);
	t->addr = a->addr;
	t->len = a->len;
	t->preference = preference;
	v6 = (struct sockaddr_in6 *)(void *)&t->addr;
	v4 = (struct sockaddr_in *)(void *)&t->addr;
	if (a->addr.ss_family == AF_INET6) {
		v6->sin6_port = htons(d->nexthop.port);
		inet_ntop(AF_INET6, &v6->sin6_addr, t->text, sizeof t->text);
	} else {
		v4->sin_port = htons(d->nexthop.port);
		inet_ntop(AF_INET, &v4->sin_addr, t->text, sizeof t->text);
	}
}

static bool is_own(const struct target *t)
{
	for (size_t i = 0; i < n_own; i++)
		if (addr_eq((const struct sockaddr *)(const void *)&own[i],
			    (const struct sockaddr *)(const void *)&t->addr))
			return true;
	return false;
}

/*
 * RFC 5321 sec. 5.1: when we are among the MX hosts, only those of lower preference value are better than us. On
 * another port than SMTP's it is another program on this host.
 */
static bool cut_at_myself(struct delivery *d)
{
	uint32_t limit = UINT32_MAX;
	size_t n = 0;

	if (!d->has_mx || d->nexthop.port != 25)
		return false;
	for (size_t i = 0; i < d->n_target; i++)
		if (d->target[i].preference < limit &&
			(is_own(&d->target[i]) || str_ieq(d->target[i].host, str_c(d->service->myhostname))))
			limit = d->target[i].preference;
	while (n < d->n_target && d->target[n].preference < limit)
		n++;
	if (n == d->n_target)
		return false;
	d->n_target = n;
	return n == 0;
}

/* Among hosts of one preference: the family that smtp_address_preference names comes first; else they alternate. */
static void order_families(struct delivery *d)
{
	int family = d->service->prefer6 ? AF_INET6 : AF_INET;

	if (!d->service->prefer4 && !d->service->prefer6)
		return;
	for (size_t i = 1; i < d->n_target; i++)
		for (size_t j = i; j > 0; j--) {
			struct target *a = &d->target[j - 1], *b = &d->target[j], swap = *a;

			if (a->preference != b->preference || a->addr.ss_family == family ||
				b->addr.ss_family != family)
				break;
			*a = *b;
			*b = swap;
		}
}

static void finish(struct delivery *d)
{
	size_t limit = d->service->address_limit;

	if (cut_at_myself(d)) {
		give_up(d, "5.4.6",
			arena_printf(d->mem, "mail for %.*s loops back to myself", STR_ARG(d->nexthop.host)), true);
		return;
	}
	order_families(d);
	if (limit > 0 && d->n_target > limit)
		d->n_target = limit;
	delivery_routed(d);
}

static void on_addresses(struct dns_query *q);

static bool has_enough(const struct delivery *d)
{
	size_t limit = d->service->address_limit;

	/* Where we may be one of them, all have to be known. */
	return d->nexthop.port != 25 && limit > 0 && d->n_target >= limit;
}

static void ask_next(struct delivery *d)
{
	if (d->next_mx < d->n_mx && !has_enough(d)) {
		d->dns = (struct dns_query){ .on_answer = on_addresses };
		dns_ask_addr(relay.dns, &d->dns, d->mx[d->next_mx].host, d->service->want4, d->service->want6);
		return;
	}
	if (d->n_target > 0)
		finish(d);
	else if (d->dns_temporary)
		give_up(d, "4.4.3", d->trouble.text.p, false);
	else
		give_up_not_found(d, d->trouble.text.p);
}

static void on_addresses(struct dns_query *q)
{
	struct delivery *d = container_of(q, struct delivery, dns);
	const struct dns_mx *mx = &d->mx[d->next_mx++];

	/* An address in the place of a name is known by its address alone. */
	for (size_t i = 0; i < q->n_addr; i++)
		add_target(d, mx->host, &q->addr[i], mx->preference);
	if (q->status != DNS_OK) {
		d->dns_temporary |= q->status == DNS_TEMPORARY;
		d->trouble.text = str_c(arena_cdup(d->mem, str_c(q->why)));
	}
	dns_done(q);
	ask_next(d);
}

static void use_host(struct delivery *d, struct str host)
{
	d->mx = arena_array(d->mem, 1, sizeof *d->mx);
	d->mx[0].host = host;
	d->n_mx = 1;
	ask_next(d);
}

static void on_mx(struct dns_query *q)
{
	struct delivery *d = container_of(q, struct delivery, dns);

	if (q->status == DNS_NOT_FOUND) { /* RFC 5321 sec. 5.1: the domain itself is its implicit MX */
		dns_done(q);
		use_host(d, d->nexthop.host);
		return;
	}
	if (q->status == DNS_TEMPORARY) {
		d->trouble.text = str_c(arena_cdup(d->mem, str_c(q->why)));
		dns_done(q);
		give_up(d, "4.4.3", d->trouble.text.p, false);
		return;
	}
	if (q->n_mx == 1 && q->mx[0].host.n == 0) { /* RFC 7505 sec. 3 */
		dns_done(q);
		give_up(d, "5.1.10",
			arena_printf(d->mem, "Domain %.*s does not accept mail (nullMX)", STR_ARG(d->nexthop.host)),
			true);
		return;
	}
	d->has_mx = true;
	d->mx = arena_array(d->mem, q->n_mx, sizeof *d->mx);
	for (size_t i = 0; i < q->n_mx; i++)
		if (q->mx[i].host.n > 0) {
			d->mx[d->n_mx] = q->mx[i];
			d->mx[d->n_mx++].host = arena_dup(d->mem, q->mx[i].host);
		}
	dns_done(q);
	ask_next(d);
}

void route_find(struct delivery *d)
{
	struct buf ascii = BUF_INIT(1024);
	struct sockaddr_storage addr;

	d->n_target = d->next_target = d->n_mx = d->next_mx = 0;
	d->has_mx = d->dns_temporary = false;
	/* An internationalised domain is asked for in its A-label form (RFC 5891). */
	if (!addr_parse(d->nexthop.host, &addr) && domain_to_ascii(d->nexthop.host, &ascii) == 0)
		d->nexthop.host = arena_dup(d->mem, buf_str(&ascii));
	buf_free(&ascii);
	if (d->nexthop.no_mx || !d->service->use_mx || addr_parse(d->nexthop.host, &addr)) {
		use_host(d, d->nexthop.host);
		return;
	}
	d->dns = (struct dns_query){ .on_answer = on_mx };
	dns_ask_mx(relay.dns, &d->dns, d->nexthop.host);
}
