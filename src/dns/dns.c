#include "dns/dns.h"

#include "base/log.h"
#include "dns/dns_impl.h"
#include "dns/dns_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <unbound.h>

/*
 * libunbound works in a thread of its own and tells by a descriptor that answers are there. It starts that thread with
 * the first question, so that the thread is born inside the jail.
 */

static void set_timer(struct dns *d);

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

void dns_tell(struct question *s)
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

static void on_time(uv_timer_t *t)
{
	struct dns *d = container_of(t, struct dns, timer);
	uint64_t now = uv_now(d->loop);

	for (struct question *s = d->first; s != NULL; s = s->next) {
		if (!s->ready && s->deadline_ms > now)
			continue;
		if (!s->ready)
			dns_fail_temporary(s, s->part[0].type ? s->part[0].type : TYPE_AAAA);
		dns_tell(s); /* may change the list: begin again at the next turn */
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
	dns_fail_temporary(s, type);
	make_ready(s);
}

void dns_ask_mx(struct dns *d, struct dns_query *q, struct str domain)
{
	struct question *s = question_new(d, q, ASK_MX, domain);

	if (!dns_name_is_askable(s->name)) {
		dns_fail_not_found(s, TYPE_MX, true);
		make_ready(s);
		return;
	}
	dns_ask_part(s, 0, s->name.p, TYPE_MX);
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
		dns_give_addresses(s);
		if (q->n_addr == 0)
			dns_fail_not_found(s, type, true);
		make_ready(s);
		return;
	}
	if (want4)
		dns_ask_part(s, 0, s->name.p, TYPE_A);
	if (want6)
		dns_ask_part(s, 1, s->name.p, TYPE_AAAA);
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
	dns_ask_part(s, 0, s->name.p, TYPE_PTR);
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
