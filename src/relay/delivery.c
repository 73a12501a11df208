#include "relay/relay.h"

#include "base/log.h"
#include "base/utf8.h"
#include "smtp/orcpt.h"

#include <stdlib.h>

enum { HEADER_MAX = 256 * 1024 /* of a header that is searched for UTF-8 */ };

void delivery_free(struct delivery *d)
{
	*d->at = d->next;
	if (d->next)
		d->next->at = d->at;
	relay.n_delivery--;
	if (d->dns.under_way)
		dns_cancel(&d->dns);
	map_done(&d->map);
	race_end(d);
	if (d->conn)
		conn_close(d->conn);
	arena_wipe(&d->secret);
	arena_free(&d->mem);
	free(d);
	if (relay.stopping && relay.n_delivery == 0)
		child_exit(&relay.child);
}

void delivery_end_all(void)
{
	while (relay.first)
		delivery_free(relay.first);
}

static bool has_sent_content(const struct delivery *d)
{
	return d->conn && d->conn->client.step >= CLIENT_STEP_BODY && d->conn->client.step <= CLIENT_STEP_DOT;
}

static void delivery_end(struct delivery *d)
{
	peer_send_result(d);
	delivery_free(d);
}

/* Nowhere left to go: what has no result yet gets the last trouble's. */
static void give_up(struct delivery *d)
{
	tls_required_failed(d);
	for (size_t i = 0; i < d->job.env.n_rcpt; i++)
		if (d->result[i].status == 0)
			result_set(d, i, d->trouble.permanent ? RCPT_BOUNCED : RCPT_DEFERRED, &d->trouble, RELAYED_NOT);
	delivery_end(d);
}

/* Somebody has the message, or has refused it: without a result he would be given it again. */
static bool has_a_result(const struct delivery *d)
{
	for (size_t i = 0; i < d->job.env.n_rcpt; i++)
		if (d->result[i].status != 0)
			return true;
	return false;
}

void deliveries_end_early(void)
{
	struct delivery *next;

	for (struct delivery *d = relay.first; d; d = next) {
		next = d->next;
		if (has_sent_content(d))
			continue;
		if (has_a_result(d)) {
			d->trouble = (struct trouble){
				.dsn = "4.3.2", .relay = STR("none"), .text = STR("the mail system was stopped")
			};
			give_up(d);
		} else {
			delivery_free(d);
		}
	}
}

static ssize_t read_body(struct client_message *m, void *p, size_t n)
{
	struct delivery *d = container_of(m, struct delivery, message);
	ssize_t got = extents_read(relay.segments, &d->job.env, d->read_at, p, n);
	char id[ENVELOPE_ID_TEXT];

	if (got < 0)
		log_error("%s: the message cannot be read from the log: %s", envelope_id_text(d->job.id, id),
			strerror((int)-got));
	else
		d->read_at += (uint64_t)got;
	return got;
}

static void rewind_body(struct client_message *m)
{
	container_of(m, struct delivery, message)->read_at = 0;
}

/* Has the header octets over 127? Only then it needs SMTPUTF8 (RFC 6531 sec. 3.2): a body may be 8-bit anyway. */
static bool has_utf8_header(const struct delivery *d)
{
	char piece[4096 + 1];
	uint64_t at = 0;
	ssize_t n;

	while (at < HEADER_MAX && (n = extents_read(relay.segments, &d->job.env, at, piece, sizeof piece - 1)) > 0) {
		char *end;

		piece[n] = '\0';
		end = memmem(piece, (size_t)n, "\r\n\r\n", 4);
		if (str_is_8bit(str_pn(piece, end ? (size_t)(end - piece) : (size_t)n)))
			return true;
		if (end || n < 4)
			return false;
		at += (uint64_t)n - 3; /* the end may lie across two pieces */
	}
	return at >= HEADER_MAX; /* rather returned than sent wrong */
}

/* Whom we have it from. SOURCE is left out: what is missing in the header was added here. */
static const struct smtp_attributes *forward_of(struct delivery *d)
{
	const struct envelope *e = &d->job.env;
	struct smtp_attributes *f = &d->forward;
	bool v6 = str_chr(e->client_addr, ':') >= 0;
	char id[ENVELOPE_ID_TEXT];

	f->given = ATTR_BIT(ATTR_NAME) | ATTR_BIT(ATTR_ADDR) | ATTR_BIT(ATTR_PROTO) | ATTR_BIT(ATTR_HELO) |
		   ATTR_BIT(ATTR_IDENT);
	f->value[ATTR_NAME] = str_eq(e->client_name, STR("unknown")) ? STR("") : e->client_name;
	f->value[ATTR_ADDR] = v6 ? str_c(arena_printf(d->mem, "IPV6:%.*s", STR_ARG(e->client_addr))) : e->client_addr;
	f->value[ATTR_PROTO] = e->proto;
	f->value[ATTR_HELO] = e->helo;
	f->value[ATTR_IDENT] = str_c(arena_printf(d->mem, "%s", envelope_id_text(d->job.id, id)));
	return f;
}

/* The recipients that are left become the engine's. */
static void prepare_message(struct delivery *d)
{
	const struct envelope *e = &d->job.env;
	struct client_message *m = &d->message;

	d->n_open = 0;
	for (size_t i = 0; i < e->n_rcpt; i++) {
		if (d->result[i].status != 0)
			continue;
		d->open[d->n_open] = (struct client_rcpt){ .address = e->rcpt[i].address,
			.orcpt = orcpt_of(d->mem, &e->rcpt[i]),
			.notify = e->rcpt[i].notify,
			.valid_since = e->rcpt[i].valid_since,
			.since_may_end = e->rcpt[i].since_may_end };
		d->open_index[d->n_open++] = (uint32_t)i;
	}
	if (d->service->forwards)
		m->forward = forward_of(d);
	m->sender = e->sender;
	m->envid = e->envid;
	m->auth = e->auth;
	m->solicit = e->solicit;
	m->priority = e->priority;
	m->has_by = e->deliver_by_us > 0;
	m->by_s = ((int64_t)e->deliver_by_us - now_us()) / 1000000;
	m->flags = e->flags;
	m->size = e->size;
	m->rcpt = d->open;
	m->n_rcpt = d->n_open;
	m->mem = d->mem;
	m->read = read_body;
	m->rewind = rewind_body;
	d->read_at = 0;
}

static void send_on(struct delivery *d, struct conn *c)
{
	prepare_message(d);
	conn_send(c, d);
}

static void next_target(struct delivery *d);

static void on_login(struct delivery *d, bool failed)
{
	struct trouble t = { .dsn = "4.3.0",
		.dead = true,
		.relay = STR("none"),
		.text = STR("smtp_sasl_password_maps: table lookup failure") };

	if (failed) {
		delivery_conn_failed(d, &t);
		return;
	}
	conn_open(d, &d->target[d->next_target - 1]);
}

static void next_target(struct delivery *d)
{
	size_t limit = d->service->session_limit;

	if (d->next_target >= d->n_target || (limit > 0 && d->sessions >= limit)) {
		give_up(d);
		return;
	}
	d->plain_only = false;
	login_find(d, &d->target[d->next_target++], on_login);
}

void delivery_routed(struct delivery *d)
{
	discard_find(d, next_target);
}

/* An open connection, or the way to a new one. */
static void go(struct delivery *d)
{
	struct conn *c = cache_take(d);

	if (c == NULL) {
		route_find(d);
		return;
	}
	d->up_us = d->begin_us;
	send_on(d, c);
}

static void go_by_requirement(struct delivery *d)
{
	if (tls_required_raise(d))
		go(d);
	else
		delivery_routed(d); /* without a target: it is deferred */
}

void delivery_conn_up(struct delivery *d)
{
	d->sessions++;
	d->up_us = now_us();
	arena_wipe(&d->secret);
	d->user = d->pass = (struct str){ NULL, 0 };
	send_on(d, d->conn);
}

void delivery_conn_failed(struct delivery *d, const struct trouble *t)
{
	if (!str_eq(t->relay, STR("none")))
		d->sessions++;
	d->trouble = *t;
	if (t->permanent)
		d->n_target = 0;
	if (d->racing == NULL)
		next_target(d);
	else
		race_go_on(d);
}

void delivery_conn_no_tls(struct delivery *d)
{
	d->plain_only = true;
	conn_open(d, d->up);
}

/* What the server said to one recipient, as a sentence of the log and of the report. */
static struct trouble trouble_of(const struct delivery *d, const struct client_rcpt *r)
{
	const struct conn *c = d->conn;
	struct str host = conn_name(c, d->mem, false);
	struct trouble t = { .relay = conn_name(c, d->mem, true) };

	memcpy(t.dsn, r->dsn, sizeof t.dsn);
	t.remote_mta = arena_dup(d->mem, c->host);
	t.diagnostic = r->own ? str_c("") : r->text;
	if (r->outcome == CLIENT_DELIVERED)
		t.text = r->text;
	else if (r->own && !str_has_suffix(r->text, STR("host")) && !str_has_suffix(r->text, STR("server")))
		t.text = r->text;
	else if (r->own)
		t.text = str_c(arena_printf(d->mem, "%.*s %.*s", STR_ARG(r->text), STR_ARG(host)));
	else
		t.text = str_c(arena_printf(d->mem, "host %.*s said: %.*s (in reply to %s)", STR_ARG(host),
			STR_ARG(r->text), client_step_command(r->step)));
	return t;
}

/* Another server may do better: it was put off by this one, or needs what this one does not have (RFC 8689 sec. 4.2.1). */
static bool may_go_elsewhere(const struct client_rcpt *r)
{
	return r->own ? r->outcome == CLIENT_BOUNCED && str_eq(str_c(r->dsn), STR("5.7.30"))
		      : r->outcome == CLIENT_DEFERRED;
}

/*
 * 530 (RFC 3207 sec. 4): the server takes nothing without TLS, which had failed just before. Next time it may not: that is no reason
 * to return a message at once.
 */
static bool wants_tls_that_failed(const struct delivery *d, const struct client_rcpt *r)
{
	const struct conn *c = d->conn;

	return r->outcome == CLIENT_BOUNCED && !r->own && str_has_prefix(r->text, STR("530")) && c->tls == NULL &&
	       (d->plain_only || c->client.tls_refused);
}

/* Returns whether the recipient has its result. */
static bool settle(struct delivery *d, size_t k, bool is_last)
{
	const struct client_rcpt *r = &d->open[k];
	bool later = wants_tls_that_failed(d, r);
	struct trouble t;

	if (r->outcome == CLIENT_OPEN)
		return false;
	t = trouble_of(d, r);
	if (later)
		t.dsn[0] = '4';
	if (!is_last && (later || may_go_elsewhere(r))) {
		d->trouble = t;
		return false;
	}
	result_set(d, d->open_index[k],
		r->outcome == CLIENT_DELIVERED		 ? RCPT_SENT
		: r->outcome == CLIENT_BOUNCED && !later ? RCPT_BOUNCED
							 : RCPT_DEFERRED,
		&t, d->message.passed_dsn ? RELAYED_DSN : RELAYED_PLAIN);
	return true;
}

void delivery_conn_sent(struct delivery *d)
{
	struct conn *c = d->conn;
	size_t limit = d->service->session_limit, left = 0;
	bool reused = c->served > 0, held_back = false;
	bool is_last = reused || d->next_target >= d->n_target || (limit > 0 && d->sessions >= limit);

	for (size_t k = 0; k < d->n_open; k++) {
		left += !settle(d, k, is_last);
		held_back |= d->open[k].held_back;
	}
	c->served++;
	d->conn = NULL;
	cache_put(c);
	if (left == 0)
		delivery_end(d);
	else if (
		held_back &&
		left < d->n_open) { /* the next transaction, or session, takes more (RFC 9422): no attempt has failed */
		d->sessions = 0;
		go(d);
	} else if (reused)
		go(d); /* it had been closed while it waited: that was no attempt */
	else
		next_target(d);
}

static struct delivery *delivery_new(struct ipc_in *in)
{
	struct delivery *d = xcalloc(1, sizeof *d);
	size_t n;

	d->mem = arena_new(4096);
	d->begin_us = now_us();
	d->next = relay.first;
	if (relay.first)
		relay.first->at = &d->next;
	d->at = &relay.first;
	relay.first = d;
	relay.n_delivery++;
	if (job_decode(in, d->mem, &d->job) != 0 || d->job.env.n_rcpt == 0)
		return NULL;
	n = d->job.env.n_rcpt;
	d->result = arena_array(d->mem, n, sizeof *d->result);
	d->open = arena_array(d->mem, n, sizeof *d->open);
	d->open_index = arena_array(d->mem, n, sizeof *d->open_index);
	return d;
}

int delivery_begin(struct ipc_in *in)
{
	struct delivery *d = delivery_new(in);

	if (d == NULL) {
		delivery_free(relay.first);
		return -1;
	}
	d->service = service_find(d->job.service);
	if (d->service == NULL || nexthop_parse(d->job.nexthop, d->service->port, &d->nexthop) != 0) {
		d->trouble = (struct trouble){ .dsn = "4.3.5", .dead = true, .relay = STR("none") };
		d->trouble.text = str_c(
			d->service == NULL
				? arena_printf(d->mem,
					  "no service %.*s of type unix with the command smtp in master.cf",
					  STR_ARG(d->job.service))
				: arena_printf(d->mem, "nexthop \"%.*s\" makes no sense", STR_ARG(d->job.nexthop)));
		log_warn("%.*s", STR_ARG(d->trouble.text));
		give_up(d);
		return 0;
	}
	d->tls = d->service->tls;
	if (d->job.env.flags & ENV_SMTPUTF8)
		d->message.utf8_header = has_utf8_header(d);
	policy_find(d, go_by_requirement);
	return 0;
}
