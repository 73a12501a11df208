#include "relay/relay.h"

#include "base/log.h"
#include "sasl/base64.h"
#include "sasl/sasl_client.h"

#include <stdlib.h>

/* The login to a smarthost (RFC 4954), by what sasl/sasl_client.h can do. The password lives in the delivery's secret
 * arena until the session is up. */

static void fail_login(struct conn *c, const char *text)
{
	struct delivery *d = c->delivery;
	struct trouble t = { .dsn = "4.7.0", .dead = true };

	t.relay = conn_name(c, d->mem, true);
	t.remote_mta = arena_dup(d->mem, c->host);
	t.text = str_c(arena_printf(
		d->mem, "SASL authentication failed; server %.*s %s", STR_ARG(conn_name(c, d->mem, false)), text));
	d->conn = NULL;
	conn_close(c);
	delivery_conn_failed(d, &t);
}

/* What both sides of RFC 5802 and RFC 9266 have first: tls-unique up to TLS 1.2, then tls-exporter. */
static const char *find_binding(const struct conn *c, struct buf *out)
{
	static const char *const types[] = { "tls-unique", "tls-exporter", "tls-server-end-point" };

	for (size_t i = 0; c->tls && i < sizeof types / sizeof *types; i++)
		if (tls_channel_binding(c->tls, str_c(types[i]), out) == 0)
			return types[i];
	return NULL;
}

static void end_exchange(struct conn *c)
{
	if (c->sasl)
		mem_wipe(c->sasl, sizeof *c->sasl);
	free(c->sasl);
	c->sasl = NULL;
}

/* NULL: none that both sides have. `refused`: the mechanism that the server has refused; NONE: this is the first. */
static struct sasl_client *new_exchange(const struct conn *c, enum sasl_client_mech refused)
{
	const struct delivery *d = c->delivery;
	const struct service *s = c->service;
	struct str offered = buf_str(&c->client.mechanisms);
	struct sasl_client *sasl = NULL;
	struct buf data = BUF_INIT(SASL_CLIENT_BINDING_MAX);
	const char *type = find_binding(c, &data);
	const struct sasl_client_choice choice = { offered, str_c(s->sasl_filter),
		str_c(c->tls ? s->sasl_tls_options : s->sasl_options), type != NULL, c->tls != NULL };
	enum sasl_client_mech mech =
		refused == SASL_CLIENT_NONE ? sasl_client_choose(&choice) : sasl_client_choose_again(&choice, refused);

	if (mech != SASL_CLIENT_NONE) {
		sasl = xcalloc(1, sizeof *sasl);
		sasl_client_init(sasl, mech, d->user, d->pass);
		if (type)
			sasl_client_bind(sasl, type, buf_str(&data), offered);
	}
	buf_wipe(&data);
	return sasl;
}

bool conn_is_proven(struct conn *c)
{
	if (c->sasl == NULL || c->sasl->is_proven)
		return true;
	fail_login(c, "took the login without proving that it knows the password: it may be another server");
	return false;
}

static void begin(struct conn *c)
{
	struct buf raw = BUF_INIT(8192);
	int initial = sasl_client_initial(c->sasl, &raw);

	if (initial < 0) {
		buf_wipe(&raw);
		fail_login(c, "cannot be sent the user name or password of smtp_sasl_password_maps");
		return;
	}
	buf_reset(&c->sasl_out);
	base64_encode(&c->sasl_out, buf_str(&raw));
	smtp_client_auth(&c->client, sasl_client_name(c->sasl->mech),
		initial == 1 ? str_pn(c->sasl_out.p ? c->sasl_out.p : "", c->sasl_out.n) : str_pn(NULL, 0));
	buf_wipe(&raw);
	buf_wipe(&c->sasl_out);
}

void conn_login(struct conn *c)
{
	c->sasl = new_exchange(c, SASL_CLIENT_NONE);
	if (c->sasl)
		begin(c);
	else
		fail_login(c, "offered no compatible authentication mechanisms for this type of connection security");
}

bool conn_login_again(struct conn *c)
{
	struct sasl_client *next = c->sasl && !c->is_second_login ? new_exchange(c, c->sasl->mech) : NULL;

	if (next == NULL)
		return false;
	log_info("%.*s[%s]:%u refused the login by %s: trying %s", STR_ARG(c->host), c->addr, c->port,
		sasl_client_name(c->sasl->mech), sasl_client_name(next->mech));
	end_exchange(c);
	c->sasl = next;
	c->is_second_login = true;
	smtp_client_auth_again(&c->client);
	begin(c);
	return true;
}

void conn_challenge(struct conn *c)
{
	struct buf challenge = BUF_INIT(16 * 1024), raw = BUF_INIT(8192);

	if (base64_decode(&challenge, buf_str(&c->client.challenge)) < 0 ||
		sasl_client_answer(c->sasl, buf_str(&challenge), &raw) < 0) {
		if (c->sasl->why)
			fail_login(c, c->sasl->why);
		else
			smtp_client_auth_cancel(&c->client);
	} else {
		base64_encode(&c->sasl_out, buf_str(&raw));
		smtp_client_auth_answer(&c->client, buf_str(&c->sasl_out));
	}
	buf_wipe(&c->sasl_out);
	buf_wipe(&raw);
	buf_free(&challenge);
}
