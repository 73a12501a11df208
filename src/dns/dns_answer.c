#include "dns/dns_impl.h"
#include "dns/dns_wire.h"

#include <stdlib.h>
#include <unbound.h>

static const char *type_name(int type)
{
	return type == TYPE_A ? "A" : type == TYPE_AAAA ? "AAAA" : type == TYPE_MX ? "MX" : "PTR";
}

/* The words of Postfix, which people search for. */
static void set_why(struct question *s, int type, const char *what)
{
	s->query->why = arena_printf(s->query->mem,
		"Host or domain name not found. Name service error for name=%.*s type=%s: %s", STR_ARG(s->name),
		type_name(type), what);
}

void dns_fail_temporary(struct question *s, int type)
{
	s->query->status = DNS_TEMPORARY;
	set_why(s, type, "Host not found, try again");
}

void dns_fail_not_found(struct question *s, int type, bool no_name)
{
	s->query->status = DNS_NOT_FOUND;
	set_why(s, type, no_name ? "Host not found" : "Host found but no data record of requested type");
}

static void take_mx(struct question *s, const struct ub_result *r)
{
	struct dns_query *q = s->query;

	q->mx = arena_array(q->mem, ANSWERS_MAX, sizeof *q->mx);
	for (int i = 0; r->data[i] != NULL && q->n_mx < ANSWERS_MAX; i++) {
		struct dns_mx *mx = &q->mx[q->n_mx];

		if (dns_wire_mx(str_pn(r->data[i], (size_t)r->len[i]), q->mem, &mx->preference, &mx->host) == 0)
			q->n_mx++;
	}
	/* Shuffle, then a stable sort by preference: equal ones share the load (RFC 5321 sec. 5.1). */
	for (size_t i = q->n_mx; i > 1; i--) {
		size_t j = arc4random_uniform((uint32_t)i);
		struct dns_mx swap = q->mx[i - 1];

		q->mx[i - 1] = q->mx[j];
		q->mx[j] = swap;
	}
	for (size_t i = 1; i < q->n_mx; i++)
		for (size_t j = i; j > 0 && q->mx[j].preference < q->mx[j - 1].preference; j--) {
			struct dns_mx swap = q->mx[j];

			q->mx[j] = q->mx[j - 1];
			q->mx[j - 1] = swap;
		}
}

static void take_addresses(struct question *s, const struct ub_result *r, int type)
{
	size_t six = type == TYPE_AAAA;

	for (int i = 0; r->data[i] != NULL && s->n_found[six] < ANSWERS_MAX; i++) {
		struct sockaddr_storage *a = &s->found[six][s->n_found[six]];

		if (r->len[i] != (six ? 16 : 4))
			continue;
		memset(a, 0, sizeof *a);
		a->ss_family = six ? AF_INET6 : AF_INET;
		if (six)
			memcpy(&((struct sockaddr_in6 *)(void *)a)->sin6_addr, r->data[i], 16);
		else
			memcpy(&((struct sockaddr_in *)(void *)a)->sin_addr, r->data[i], 4);
		s->n_found[six]++;
	}
}

static void put_addr(struct dns_query *q, const struct sockaddr_storage *a)
{
	q->addr[q->n_addr].addr = *a;
	q->addr[q->n_addr++].len = addr_length((const struct sockaddr *)(const void *)a);
}

/* IPv6 first, then alternating (RFC 8305 sec. 4): one dead family costs one attempt, not all of them. */
void dns_give_addresses(struct question *s)
{
	struct dns_query *q = s->query;
	size_t most = s->n_found[0] > s->n_found[1] ? s->n_found[0] : s->n_found[1];

	q->addr = arena_array(q->mem, s->n_found[0] + s->n_found[1] + 1, sizeof *q->addr);
	for (size_t i = 0; i < most; i++) {
		if (i < s->n_found[1])
			put_addr(q, &s->found[1][i]);
		if (i < s->n_found[0])
			put_addr(q, &s->found[0][i]);
	}
}

static bool leads_back(const struct question *s)
{
	size_t six = s->addr.ss_family == AF_INET6;

	for (size_t i = 0; i < s->n_found[six]; i++)
		if (addr_eq((const struct sockaddr *)(const void *)&s->found[six][i],
			    (const struct sockaddr *)(const void *)&s->addr))
			return true;
	return false;
}

/* All parts of a question for addresses are there. */
static void end_addresses(struct question *s, int type, bool no_name)
{
	if (s->kind == ASK_FORWARD && leads_back(s)) {
		s->query->name = s->name;
	} else if (s->kind == ASK_ADDR && s->n_found[0] + s->n_found[1] > 0) {
		dns_give_addresses(s);
	} else if (s->temporary) {
		dns_fail_temporary(s, type);
	} else {
		dns_fail_not_found(s, type, no_name);
	}
	dns_tell(s);
}

static void end_mx(struct question *s, bool no_name)
{
	if (s->temporary)
		dns_fail_temporary(s, TYPE_MX);
	else if (s->query->n_mx == 0)
		dns_fail_not_found(s, TYPE_MX, no_name);
	dns_tell(s);
}

static void on_part(void *arg, int err, struct ub_result *r);

void dns_ask_part(struct question *s, size_t i, const char *name, int type)
{
	struct part *p = &s->part[i];

	p->question = s;
	p->type = type;
	p->waiting = s->dns->ub && ub_resolve_async(s->dns->ub, name, type, CLASS_IN, p, on_part, &p->id) == 0;
	if (!p->waiting)
		s->temporary = true;
}

/* The name of an address is believed only when it leads back to it. */
static void end_name(struct question *s, const struct ub_result *r, bool no_name)
{
	struct str name = { NULL, 0 };
	struct sockaddr_storage a;

	for (int i = 0; r && r->havedata && r->data[i] != NULL && name.n == 0; i++)
		if (dns_wire_name(str_pn(r->data[i], (size_t)r->len[i]), s->query->mem, &name) != 0)
			name.n = 0;
	if (s->temporary || name.n == 0 || addr_parse(name, &a)) {
		if (s->temporary)
			dns_fail_temporary(s, TYPE_PTR);
		else
			dns_fail_not_found(s, TYPE_PTR, no_name);
		dns_tell(s);
		return;
	}
	s->kind = ASK_FORWARD;
	s->name = name;
	dns_ask_part(s, 0, name.p, s->addr.ss_family == AF_INET6 ? TYPE_AAAA : TYPE_A);
	if (!s->part[0].waiting)
		end_addresses(s, TYPE_A, false);
}

static void on_part(void *arg, int err, struct ub_result *r)
{
	struct part *p = arg;
	struct question *s = p->question;
	bool no_name = r != NULL && r->nxdomain;

	p->waiting = false;
	if (err != 0 || r == NULL || r->bogus || (r->rcode != 0 && r->rcode != 3))
		s->temporary = true;
	else if (r->havedata && p->type == TYPE_MX)
		take_mx(s, r);
	else if (r->havedata && p->type != TYPE_PTR)
		take_addresses(s, r, p->type);
	s->query->secure = r != NULL && r->secure;
	if (!s->part[0].waiting && !s->part[1].waiting) {
		if (s->kind == ASK_MX)
			end_mx(s, no_name);
		else if (s->kind == ASK_NAME)
			end_name(s, r, no_name);
		else
			end_addresses(s, s->part[0].type ? s->part[0].type : p->type, no_name);
	}
	ub_resolve_free(r);
}
