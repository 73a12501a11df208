#include "dns/dns.h"

#include "base/log.h"
#include "dns/dns_wire.h"
#include "dns/hosts.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unbound.h>

/*
 * libunbound works in a thread of its own and tells by a descriptor that answers are there. It starts that thread with
 * the first question, so that the thread is born inside the jail.
 */

enum { TYPE_A = 1, TYPE_PTR = 12, TYPE_MX = 15, TYPE_AAAA = 28, CLASS_IN = 1 };
enum { ANSWERS_MAX = 64 /* records of one answer that are used */ };
enum kind { ASK_MX, ASK_ADDR, ASK_NAME, ASK_FORWARD };

/* One record type asked of libunbound. */
struct part {
	struct question *question;
	int type;
	int id;
	bool waiting;
};

struct question {
	struct dns *dns;
	struct dns_query *query;
	enum kind kind;
	struct part part[2];
	bool ready;	/* answered, to be told from the loop */
	bool temporary; /* a part failed so that asking again makes sense */
	uint64_t deadline_ms;
	struct question *next, **at;  /* in dns.first, by deadline */
	struct str name;	      /* in query->mem */
	struct sockaddr_storage addr; /* ASK_NAME */
	struct sockaddr_storage found[2][ANSWERS_MAX];
	size_t n_found[2]; /* [0] IPv4, [1] IPv6 */
};

struct dns {
	uv_loop_t *loop;
	struct ub_ctx *ub; /* NULL: libunbound could not be set up */
	struct hosts *hosts;
	uv_poll_t poll;
	uv_timer_t timer; /* the first deadline, or now when a question is ready */
	uint64_t timeout_ms;
	struct question *first, **last;
	unsigned open_handles, n_ready;
};

static void set_timer(struct dns *d);

static const char *type_name(int type)
{
	return type == TYPE_A ? "A" : type == TYPE_AAAA ? "AAAA" : type == TYPE_MX ? "MX" : "PTR";
}

static void unlink_question(struct question *s)
{
	*s->at = s->next;
	if (s->next)
		s->next->at = s->at;
	else
		s->dns->last = s->at;
}

static void cancel_parts(struct question *s)
{
	for (size_t i = 0; i < 2; i++)
		if (s->part[i].waiting) {
			ub_cancel(s->dns->ub, s->part[i].id);
			s->part[i].waiting = false;
		}
}

static void free_question(struct question *s)
{
	s->dns->n_ready -= s->ready;
	cancel_parts(s);
	unlink_question(s);
	s->query->under_way = NULL;
	free(s);
}

/* The answer is complete: tell it. The question is gone before its owner hears of it. */
static void tell(struct question *s)
{
	struct dns_query *q = s->query;
	struct dns *d = s->dns;

	free_question(s);
	set_timer(d);
	q->on_answer(q);
}

/* Answered without libunbound: to be told at the next turn of the loop. */
static void make_ready(struct question *s)
{
	s->ready = true;
	s->dns->n_ready++;
	set_timer(s->dns);
}

/* The words of Postfix, which people search for. */
static void set_why(struct question *s, int type, const char *what)
{
	s->query->why = arena_printf(s->query->mem,
		"Host or domain name not found. Name service error for name=%.*s type=%s: %s", STR_ARG(s->name),
		type_name(type), what);
}

static void fail_temporary(struct question *s, int type)
{
	s->query->status = DNS_TEMPORARY;
	set_why(s, type, "Host not found, try again");
}

static void fail_not_found(struct question *s, int type, bool no_name)
{
	s->query->status = DNS_NOT_FOUND;
	set_why(s, type, no_name ? "Host not found" : "Host found but no data record of requested type");
}

static void on_time(uv_timer_t *t)
{
	struct dns *d = container_of(t, struct dns, timer);
	uint64_t now = uv_now(d->loop);

	for (struct question *s = d->first; s != NULL; s = s->next) {
		if (!s->ready && s->deadline_ms > now)
			continue;
		if (!s->ready)
			fail_temporary(s, s->part[0].type ? s->part[0].type : TYPE_AAAA);
		tell(s); /* may change the list: begin again at the next turn */
		break;
	}
	set_timer(d);
}

static void set_timer(struct dns *d)
{
	uint64_t now = uv_now(d->loop), wait_ms = 0;

	uv_timer_stop(&d->timer);
	if (d->first == NULL)
		return;
	if (d->n_ready == 0 && d->first->deadline_ms > now)
		wait_ms = d->first->deadline_ms - now;
	uv_timer_start(&d->timer, on_time, wait_ms, 0);
}

static struct question *question_new(struct dns *d, struct dns_query *q, enum kind kind, struct str name)
{
	struct question *s = xcalloc(1, sizeof *s);

	q->dns = d;
	q->under_way = s;
	q->mem = arena_new(512);
	q->status = DNS_OK;
	q->why = "";
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	s->dns = d;
	s->query = q;
	s->kind = kind;
	s->name = arena_dup(q->mem, name);
	uv_update_time(d->loop);
	s->deadline_ms = uv_now(d->loop) + d->timeout_ms;
	s->at = d->last;
	*d->last = s;
	d->last = &s->next;
	set_timer(d);
	return s;
}

static void on_part(void *arg, int err, struct ub_result *result);

static void ask(struct question *s, size_t i, const char *name, int type)
{
	struct part *p = &s->part[i];

	p->question = s;
	p->type = type;
	p->waiting = s->dns->ub && ub_resolve_async(s->dns->ub, name, type, CLASS_IN, p, on_part, &p->id) == 0;
	if (!p->waiting)
		s->temporary = true;
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
static void give_addresses(struct question *s)
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
		give_addresses(s);
	} else if (s->temporary) {
		fail_temporary(s, type);
	} else {
		fail_not_found(s, type, no_name);
	}
	tell(s);
}

static void end_mx(struct question *s, bool no_name)
{
	if (s->temporary)
		fail_temporary(s, TYPE_MX);
	else if (s->query->n_mx == 0)
		fail_not_found(s, TYPE_MX, no_name);
	tell(s);
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
			fail_temporary(s, TYPE_PTR);
		else
			fail_not_found(s, TYPE_PTR, no_name);
		tell(s);
		return;
	}
	s->kind = ASK_FORWARD;
	s->name = name;
	ask(s, 0, name.p, s->addr.ss_family == AF_INET6 ? TYPE_AAAA : TYPE_A);
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

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct dns *d = container_of(poll, struct dns, poll);

	(void)events;
	if (status == 0)
		ub_process(d->ub);
}

/* Nothing was left waiting: answered here and now, or refused by libunbound. */
static void settle(struct question *s, int type)
{
	if (s->part[0].waiting || s->part[1].waiting)
		return;
	fail_temporary(s, type);
	make_ready(s);
}

void dns_ask_mx(struct dns *d, struct dns_query *q, struct str domain)
{
	struct question *s = question_new(d, q, ASK_MX, domain);

	if (!dns_name_is_askable(s->name)) {
		fail_not_found(s, TYPE_MX, true);
		make_ready(s);
		return;
	}
	ask(s, 0, s->name.p, TYPE_MX);
	settle(s, TYPE_MX);
}

static bool find_at_home(struct question *s, bool want4, bool want6)
{
	struct sockaddr_storage a;

	if (addr_parse(s->name, &a)) {
		bool six = a.ss_family == AF_INET6;

		if (six ? want6 : want4)
			s->found[six][s->n_found[six]++] = a;
		return true;
	}
	while (want4 && s->n_found[0] < ANSWERS_MAX && hosts_addr(s->dns->hosts, s->name, AF_INET, s->n_found[0], &a))
		s->found[0][s->n_found[0]++] = a;
	while (want6 && s->n_found[1] < ANSWERS_MAX && hosts_addr(s->dns->hosts, s->name, AF_INET6, s->n_found[1], &a))
		s->found[1][s->n_found[1]++] = a;
	return s->n_found[0] + s->n_found[1] > 0;
}

void dns_ask_addr(struct dns *d, struct dns_query *q, struct str host, bool want4, bool want6)
{
	struct question *s = question_new(d, q, ASK_ADDR, host);
	int type = want4 ? TYPE_A : TYPE_AAAA;

	if (find_at_home(s, want4, want6) || !dns_name_is_askable(s->name)) {
		give_addresses(s);
		if (q->n_addr == 0)
			fail_not_found(s, type, true);
		make_ready(s);
		return;
	}
	if (want4)
		ask(s, 0, s->name.p, TYPE_A);
	if (want6)
		ask(s, 1, s->name.p, TYPE_AAAA);
	settle(s, type);
}

/* RFC 1035 sec. 3.5, RFC 3596 sec. 2.5. */
static void reverse_name(const struct sockaddr *addr, char *out, size_t size)
{
	const unsigned char *v4 = (const void *)&((const struct sockaddr_in *)(const void *)addr)->sin_addr;
	const unsigned char *v6 = (const void *)&((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr;
	size_t n = 0;

	if (addr->sa_family == AF_INET) {
		snprintf(out, size, "%u.%u.%u.%u.in-addr.arpa", v4[3], v4[2], v4[1], v4[0]);
		return;
	}
	for (size_t i = 16; i-- > 0;)
		n += (size_t)snprintf(out + n, size - n, "%x.%x.", v6[i] & 15, v6[i] >> 4);
	snprintf(out + n, size - n, "ip6.arpa");
}

void dns_ask_name(struct dns *d, struct dns_query *q, const struct sockaddr *addr)
{
	struct str known = hosts_name(d->hosts, addr);
	struct question *s;
	char name[80];

	reverse_name(addr, name, sizeof name);
	s = question_new(d, q, ASK_NAME, str_c(name));
	memcpy(&s->addr, addr, addr_length(addr));
	if (known.n > 0) {
		q->name = arena_dup(q->mem, known);
		make_ready(s);
		return;
	}
	ask(s, 0, s->name.p, TYPE_PTR);
	settle(s, TYPE_PTR);
}

void dns_cancel(struct dns_query *q)
{
	struct question *s = q->under_way;

	if (s == NULL)
		return;
	free_question(s);
	set_timer(q->dns);
	dns_done(q);
}

void dns_done(struct dns_query *q)
{
	arena_free(&q->mem);
	q->mx = NULL;
	q->addr = NULL;
	q->n_mx = q->n_addr = 0;
	q->name = (struct str){ NULL, 0 };
	q->why = "";
}

/*
 * Options before the first question. The name server is often on this host or speaks for a private network: both must
 * be asked like any other. Nothing is logged past our own log, and no file is read later.
 */
static void set_options(struct ub_ctx *ub)
{
	static const char *const options[][2] = { { "do-not-query-localhost:", "no" }, { "unblock-lan-zones:", "yes" },
		{ "insecure-lan-zones:", "yes" }, { "use-syslog:", "no" }, { "logfile:", "" }, { "verbosity:", "0" },
		{ "num-queries-per-thread:", "1024" } };

	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (ub_ctx_set_option(ub, options[i][0], options[i][1]) != 0)
			log_debug("libunbound does not know the option %s", options[i][0]);
	ub_ctx_debuglevel(ub, 0);
}

static struct ub_ctx *unbound_new(const char *server)
{
	struct ub_ctx *ub = ub_ctx_create();

	if (ub == NULL)
		return NULL;
	set_options(ub);
	/* Without the file: the resolver on this host, as resolv.conf(5) says. */
	if (server ? ub_ctx_set_fwd(ub, server) != 0
		   : ub_ctx_resolvconf(ub, NULL) != 0 && ub_ctx_set_fwd(ub, "127.0.0.1") != 0)
		log_warn("no name server could be set; every DNS question will fail");
	ub_ctx_async(ub, 1); /* a thread, no process */
	return ub;
}

struct dns *dns_new(uv_loop_t *loop, unsigned timeout_s)
{
	return dns_new_at(loop, timeout_s, NULL, NULL);
}

struct dns *dns_new_at(uv_loop_t *loop, unsigned timeout_s, const char *server, const char *hosts_path)
{
	struct dns *d = xcalloc(1, sizeof *d);

	d->loop = loop;
	d->timeout_ms = (uint64_t)timeout_s * 1000;
	d->last = &d->first;
	d->hosts = hosts_read(hosts_path ? hosts_path : "/etc/hosts");
	uv_timer_init(loop, &d->timer);
	uv_unref((uv_handle_t *)&d->timer);
	d->open_handles = 1;
	d->ub = unbound_new(server);
	if (d->ub == NULL) {
		log_warn("libunbound cannot be set up; every DNS question will fail");
		return d;
	}
	if (uv_poll_init(loop, &d->poll, ub_fd(d->ub)) != 0)
		panic("libunbound's descriptor cannot be watched");
	uv_poll_start(&d->poll, UV_READABLE, on_readable);
	uv_unref((uv_handle_t *)&d->poll);
	d->open_handles = 2;
	return d;
}

static void on_handle_closed(uv_handle_t *h)
{
	struct dns *d = h->data;

	if (--d->open_handles > 0)
		return;
	if (d->ub)
		ub_ctx_delete(d->ub);
	hosts_free(&d->hosts);
	free(d);
}

void dns_free(struct dns **dp)
{
	struct dns *d = *dp;

	if (d == NULL)
		return;
	while (d->first)
		dns_cancel(d->first->query);
	d->timer.data = d->poll.data = d;
	if (d->ub)
		uv_close((uv_handle_t *)&d->poll, on_handle_closed);
	uv_close((uv_handle_t *)&d->timer, on_handle_closed);
	*dp = NULL;
}
