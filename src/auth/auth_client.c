#include "auth/client_impl.h"
#include "base/log.h"
#include "sasl/base64.h"

#include <stdlib.h>

struct auth_request **auth_request_find(struct auth_client *c, uint32_t id)
{
	struct auth_request **at = &c->bucket[id % BUCKETS];

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

struct auth_request *auth_request_take(struct auth_client *c, uint32_t id)
{
	struct auth_request **at = auth_request_find(c, id), *r = *at;

	if (r) {
		*at = r->next;
		r->next = NULL;
		c->n_requests--;
	}
	return r;
}

void auth_request_end(struct auth_request *r, enum auth_outcome outcome, struct str user, struct str reason)
{
	r->client = NULL;
	r->next = NULL;
	r->on_end(r, outcome, user, reason);
}

static void end_list(struct auth_request **list, enum auth_outcome outcome, const char *reason)
{
	struct auth_request *r;

	while ((r = *list) != NULL) {
		*list = r->next;
		auth_request_end(r, outcome, STR(""), str_c(reason));
	}
}

static void on_timer(uv_timer_t *t);

void auth_client_arm(struct auth_client *c, uint64_t ms)
{
	if (!uv_is_active((uv_handle_t *)&c->timer) || uv_timer_get_due_in(&c->timer) > ms)
		uv_timer_start(&c->timer, on_timer, ms, 0);
}

static void end_later(struct auth_client *c, struct auth_request **list, struct auth_request *r)
{
	r->next = *list;
	*list = r;
	auth_client_arm(c, 0);
}

/* All that was asked on a connection that is gone, told from the timer. */
void auth_requests_end_later(struct auth_client *c)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		struct auth_request *r;

		while ((r = c->bucket[i]) != NULL) {
			c->bucket[i] = r->next;
			end_later(c, &c->temp, r);
		}
	}
	c->n_requests = 0;
}

static void end_overdue(struct auth_client *c)
{
	uint64_t now = uv_now(c->loop);
	struct auth_request *late = NULL;
	bool was_late;

	for (size_t i = 0; i < BUCKETS; i++) {
		struct auth_request **at = &c->bucket[i], *r;

		while ((r = *at) != NULL) {
			if (r->deadline_ms == 0 || r->deadline_ms > now) {
				at = &r->next;
				continue;
			}
			*at = r->next;
			c->n_requests--;
			buf_addf(&c->out, "CANCEL\t%u\n", r->id);
			r->next = late;
			late = r;
		}
	}
	was_late = late != NULL;
	if (was_late)
		log_warn("authentication service %s did not answer within %u seconds", c->path,
			(unsigned)(c->timeout_ms / 1000));
	/* On the list of the client, so that a callback may cancel another one of them. */
	while (late) {
		struct auth_request *next = late->next;

		end_later(c, &c->temp, late);
		late = next;
	}
	/* Silent altogether: it will not answer the next one either. */
	if (was_late && c->state == LINK_UP && now - c->heard_ms >= c->timeout_ms)
		auth_link_failed(c, "gave up the connection to", "the service is silent", "");
	if (c->out.n && c->state == LINK_UP)
		auth_link_flush(c);
}

static void handshake_failed(struct auth_client *c)
{
	auth_link_no_greeting(c, "gave up the connection to", "no handshake within 10 seconds",
		"; is it an authentication socket of Dovecot's protocol?");
}

static void on_timer(uv_timer_t *t)
{
	struct auth_client *c = container_of(t, struct auth_client, timer);
	uint64_t now = uv_now(c->loop);

	if (c->n_requests)
		end_overdue(c);
	end_list(&c->bad, AUTH_BAD_BASE64, "");
	end_list(&c->temp, AUTH_TEMP, "the authentication service is not available");
	if (c->closing)
		return;
	if ((c->state == LINK_CONNECTING || c->state == LINK_GREETING) && c->handshake_ms <= now)
		handshake_failed(c);
	else if (c->state == LINK_DOWN && c->retry_ms <= now)
		auth_link_connect(c);
	if (c->state == LINK_DOWN)
		auth_client_arm(c, c->retry_ms > now ? c->retry_ms - now : 1);
	else if (c->n_requests || c->state != LINK_UP)
		auth_client_arm(c, TICK_MS);
}

static void on_flush(uv_prepare_t *p)
{
	struct auth_client *c = container_of(p, struct auth_client, flush);

	uv_prepare_stop(p);
	if (c->state == LINK_UP)
		auth_link_flush(c);
}

struct auth_client *auth_client_new(uv_loop_t *loop, const char *path, unsigned timeout_s)
{
	struct auth_client *c = xcalloc(1, sizeof *c);

	c->loop = loop;
	c->path = xstrdup(path);
	c->fd = -1;
	c->timeout_ms = (uint64_t)timeout_s * 1000;
	c->in = BUF_INIT(2 * AUTH_MAX_LINE);
	c->out = BUF_SECRET(OUT_MAX);
	if (strncmp(path, "inet:", 5) == 0)
		c->address_error = auth_link_parse_inet(c, path + 5);
	else
		c->address_error = auth_link_parse_unix(c, strncmp(path, "unix:", 5) == 0 ? path + 5 : path);
	uv_timer_init(loop, &c->timer);
	uv_prepare_init(loop, &c->flush);
	uv_update_time(loop);
	auth_link_connect(c);
	return c;
}

static void on_closed(struct auth_client *c)
{
	if (--c->closing)
		return;
	free(c->path);
	free(c);
}

static void on_timer_closed(uv_handle_t *h)
{
	on_closed(container_of((uv_timer_t *)(void *)h, struct auth_client, timer));
}

static void on_flush_closed(uv_handle_t *h)
{
	on_closed(container_of((uv_prepare_t *)(void *)h, struct auth_client, flush));
}

void auth_client_free(struct auth_client **at)
{
	struct auth_client *c = *at;

	*at = NULL;
	if (c == NULL)
		return;
	auth_link_close(c);
	arena_free(&c->mech_mem);
	c->closing = 2;
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
	uv_close((uv_handle_t *)&c->flush, on_flush_closed);
}

size_t auth_client_mechs(const struct auth_client *c, const struct auth_mech **first)
{
	*first = c->mechs;
	return c->n_mechs;
}

void auth_client_on_up(struct auth_client *c, void (*fn)(struct auth_client *c))
{
	c->on_up = fn;
}

unsigned auth_client_minor(const struct auth_client *c)
{
	return c->minor;
}

bool auth_client_is_up(const struct auth_client *c)
{
	return c->state == LINK_UP;
}

void auth_client_flush_soon(struct auth_client *c)
{
	if (c->state == LINK_UP && !uv_is_active((uv_handle_t *)&c->flush))
		uv_prepare_start(&c->flush, on_flush);
}

static bool is_base64(struct str s)
{
	struct buf raw = BUF_INIT(AUTH_MAX_LINE);
	bool good = s.n <= AUTH_MAX_INITIAL && (str_eq(s, STR("=")) || base64_decode(&raw, s) == 0);

	buf_wipe(&raw);
	return good;
}

static void add_cert(struct buf *b, const struct auth_request *r)
{
	if (!r->has_valid_cert)
		return;
	buf_add_c(b, "\tvalid-client-cert");
	if (r->cert_name.n)
		auth_add_field(b, "cert_username=", r->cert_name);
	if (r->cert_print.n)
		auth_add_field(b, "ssl_client_cert_fp=", r->cert_print);
	if (r->cert_key_print.n)
		auth_add_field(b, "ssl_client_cert_pubkey_fp=", r->cert_key_print);
}

static void add_request(struct buf *b, const struct auth_request *r)
{
	buf_addf(b, "AUTH\t%u\t%.*s", r->id, STR_ARG(r->mech));
	auth_add_field(b, "service=", r->service);
	if (r->local_ip.n)
		auth_add_field(b, "lip=", r->local_ip);
	if (r->remote_ip.n)
		auth_add_field(b, "rip=", r->remote_ip);
	if (r->local_port)
		buf_addf(b, "\tlport=%u", (unsigned)r->local_port);
	if (r->remote_port)
		buf_addf(b, "\trport=%u", (unsigned)r->remote_port);
	if (r->secured)
		buf_add_c(b, "\tsecured");
	if (r->local_name.n)
		auth_add_field(b, "local_name=", r->local_name);
	if (r->session.n)
		auth_add_field(b, "session=", r->session);
	add_cert(b, r);
	buf_add_c(b, "\tnologin");
	if (r->has_initial)
		auth_add_field(b, "resp=", r->initial);
	buf_add_char(b, '\n');
}

/* Room for the longest line, so that none is ever sent in part. */
static bool has_room(const struct auth_client *c)
{
	return c->out.max - c->out.n > (size_t)2 * AUTH_MAX_LINE;
}

void auth_start(struct auth_client *c, struct auth_request *r)
{
	struct auth_request **at;

	r->client = c;
	r->next = NULL;
	*r->binding_type = '\0';
	if (r->has_initial && !is_base64(r->initial)) {
		end_later(c, &c->bad, r);
		return;
	}
	do
		r->id = ++c->last_id;
	while (r->id == 0 || *auth_request_find(c, r->id));
	if (r->service.n + r->mech.n + r->local_ip.n + r->remote_ip.n + r->local_name.n + r->session.n +
				r->cert_name.n >
			1024 ||
		!has_room(c)) {
		end_later(c, &c->temp, r);
		return;
	}
	if (auth_link_is_stale(c)) {
		auth_link_close(c);
		auth_link_connect(c);
	}
	/* After a pause the first request finds out itself whether the service is there again. */
	if (c->state == LINK_DOWN && uv_now(c->loop) >= c->tried_ms + 100)
		auth_link_connect(c);
	if (c->state == LINK_DOWN) {
		auth_link_say_down(c);
		end_later(c, &c->temp, r);
		return;
	}
	r->deadline_ms = uv_now(c->loop) + c->timeout_ms;
	at = &c->bucket[r->id % BUCKETS];
	r->next = *at;
	*at = r;
	c->n_requests++;
	add_request(&c->out, r);
	auth_client_flush_soon(c);
	auth_client_arm(c, TICK_MS);
}

static void add_binding(struct auth_request *r, struct str type)
{
	struct buf *out = &r->client->out, data = BUF_INIT(1024);

	if (r->on_binding && r->on_binding(r, type, &data) == 0 && data.n) {
		buf_add_c(out, "\tchannel_binding=");
		base64_encode(out, buf_str(&data));
	}
	buf_wipe(&data);
}

void auth_send_binding(struct auth_request *r, struct str type)
{
	struct auth_client *c = r->client;

	buf_addf(&c->out, "CONT\t%u\t#", r->id);
	add_binding(r, type);
	buf_add_char(&c->out, '\n');
	auth_client_flush_soon(c);
}

void auth_want_binding(struct auth_request *r, struct str type)
{
	size_t n = type.n <= AUTH_BINDING_TYPE_MAX ? type.n : 0;

	if (n)
		memcpy(r->binding_type, type.p, n);
	r->binding_type[n] = '\0';
}

void auth_continue(struct auth_request *r, struct str base64)
{
	struct auth_client *c = r->client;

	if (c == NULL || *auth_request_find(c, r->id) != r)
		return; /* it ended with its connection: on_end is on its way */
	if (!is_base64(base64) || !has_room(c)) {
		struct auth_request **list = has_room(c) ? &c->bad : &c->temp;

		auth_request_take(c, r->id);
		buf_addf(&c->out, "CANCEL\t%u\n", r->id);
		end_later(c, list, r);
	} else {
		r->deadline_ms = uv_now(c->loop) + c->timeout_ms;
		buf_addf(&c->out, "CONT\t%u\t", r->id);
		buf_add_str(&c->out, str_eq(base64, STR("=")) ? STR("") : base64);
		if (*r->binding_type)
			add_binding(r, str_c(r->binding_type));
		*r->binding_type = '\0';
		buf_add_char(&c->out, '\n');
	}
	auth_client_flush_soon(c);
	auth_client_arm(c, TICK_MS);
}

static bool unlist(struct auth_request **list, struct auth_request *r)
{
	for (; *list; list = &(*list)->next)
		if (*list == r) {
			*list = r->next;
			return true;
		}
	return false;
}

void auth_cancel(struct auth_request *r)
{
	struct auth_client *c = r->client;

	if (c == NULL)
		return;
	r->client = NULL;
	if (unlist(&c->temp, r) || unlist(&c->bad, r) || *auth_request_find(c, r->id) != r)
		return;
	auth_request_take(c, r->id);
	buf_addf(&c->out, "CANCEL\t%u\n", r->id);
	auth_client_flush_soon(c);
}
