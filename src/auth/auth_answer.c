/* auth_answer.c - what the service says: its greeting and mechanisms, and the answers to requests. */
#include "auth/client_impl.h"
#include "base/log.h"
#include "sasl/base64.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static void on_mech(struct auth_client *c, struct str rest)
{
	struct str name, flag;
	struct auth_mech *m;

	if (!auth_field(&rest, &name) || name.n == 0 || name.n > 20 || c->n_new == MECHS_MAX)
		return; /* RFC 4422 sec. 3.1: a name has 1 to 20 characters */
	for (size_t i = 0; i < name.n; i++)
		if (!ascii_is_alnum(name.p[i]) && name.p[i] != '-' && name.p[i] != '_')
			return;
	if (c->new_mem == NULL)
		c->new_mem = arena_new(0);
	m = &c->new_mechs[c->n_new++];
	*m = (struct auth_mech){ .name = arena_dup(c->new_mem, name) };
	while (auth_field(&rest, &flag))
		m->flags |= auth_flag(flag);
}

static void on_done(struct auth_client *c)
{
	arena_free(&c->mech_mem);
	c->mech_mem = c->new_mem;
	c->new_mem = NULL;
	memcpy(c->mechs, c->new_mechs, sizeof c->mechs);
	c->n_mechs = c->n_new;
	c->n_new = 0;
	c->state = LINK_UP;
	c->up_ms = uv_now(c->loop);
	c->failures = 0;
	if (c->said)
		log_info("authentication service %s is back", c->path);
	c->said = false;
	auth_link_flush(c);
	if (c->on_up && c->state == LINK_UP)
		c->on_up(c);
}

/* Returns -1 when the connection was given up. */
int auth_greeting_line(struct auth_client *c, struct str word, struct str rest)
{
	struct str major, minor = { 0 };
	uint64_t n;

	if (str_eq(word, STR("VERSION"))) {
		auth_field(&rest, &major);
		auth_field(&rest, &minor);
		c->minor = str_u64(minor, &n) && n < UINT_MAX ? (unsigned)n : 0;
		if (str_eq(major, STR("1")))
			return 0;
		auth_link_failed(c, "cannot use", "it speaks another major version of the authentication protocol",
			"; take authd, or a Dovecot that speaks version 1 (all from 1.0 to 2.4 do)");
		return -1;
	}
	if (str_eq(word, STR("MECH"))) {
		on_mech(c, rest);
	} else if (str_eq(word, STR("SPID")) && c->n_new == 0) {
		/* The last word of a socket that is not for clients; of a service that names its mechanisms late, not. */
		c->handshake_ms = uv_now(c->loop) + AFTER_SPID_MS;
		c->only_spid = true;
	} else if (word.n &&
		   (ascii_is_digit(word.p[0]) || word.p[0] == '*')) { /* "220 …", "* OK …": SMTP, LMTP, IMAP */
		auth_link_failed(c, "cannot use", "it speaks another protocol",
			"; smtpd_sasl_path has to name the socket of the authentication service (Dovecot: "
			"unix_listener in "
			"service auth)");
		return -1;
	} else if (str_eq(word, STR("DONE"))) {
		on_done(c);
		return c->state == LINK_UP ? 0 : -1;
	}
	return 0;
}

static void on_ok(struct auth_request *r, struct str rest, struct arena *mem)
{
	struct str field, user = { 0 };

	while (auth_field(&rest, &field))
		if (auth_is_key(field, "user=", &user))
			break;
	user = auth_unescape(mem, user);
	if (user.n == 0)
		auth_request_end(r, AUTH_TEMP, STR(""), STR("the authentication service gave no user name"));
	else
		auth_request_end(r, AUTH_OK, user, STR(""));
}

static void on_fail(struct auth_request *r, struct str rest, struct arena *mem)
{
	enum auth_outcome outcome = AUTH_FAIL;
	struct str field, value, user = { 0 }, reason = { 0 };

	while (auth_field(&rest, &field)) {
		if (auth_is_key(field, "user=", &value))
			user = auth_unescape(mem, value);
		else if (auth_is_key(field, "reason=", &value))
			reason = auth_unescape(mem, value);
		else if (str_eq(field, STR("code=temp_fail")) || str_eq(field, STR("temp")))
			outcome = AUTH_TEMP; /* "temp": Dovecot before 2.3 */
		else if (str_eq(field, STR("code=invalid_base64")))
			outcome = AUTH_BAD_BASE64;
		else if (str_eq(field, STR("penalty")) && outcome == AUTH_TEMP)
			outcome = AUTH_LATER;
	}
	auth_request_end(r, outcome, user, reason);
}

static void on_cont(struct auth_request *r, struct str rest, struct arena *mem)
{
	struct str challenge = STR(""), field, type = { 0 };
	bool is_apart;

	auth_field(&rest, &challenge);
	while (auth_field(&rest, &field) && !auth_is_key(field, "channel_binding=", &type))
		;
	type = auth_unescape(mem, type);
	is_apart = str_eq(challenge, STR("#")); /* nothing of it is for the client */
	if (type.n && is_apart) {
		auth_send_binding(r, type);
		return;
	}
	auth_want_binding(r, type);
	r->deadline_ms = 0; /* the client's turn */
	r->on_challenge(r, is_apart ? STR("") : challenge);
}

void auth_answer_line(struct auth_client *c, struct str word, struct str rest)
{
	struct auth_request *r;
	struct arena *mem;
	struct str field;
	uint32_t id;
	bool cont = str_eq(word, STR("CONT")), ok = str_eq(word, STR("OK"));

	if (!cont && !ok && !str_eq(word, STR("FAIL")))
		return; /* CANCELLED, and what later minors may add */
	if (!auth_field(&rest, &field) || !auth_id(field, &id))
		return;
	r = *auth_request_find(c, id);
	if (r == NULL)
		return; /* cancelled, or timed out, meanwhile */
	mem = arena_new(0);
	if (cont) {
		on_cont(r, rest, mem);
		arena_free(&mem);
		return;
	}
	auth_request_take(c, id);
	if (r->on_answer)
		r->on_answer(r, word, rest);
	if (ok)
		on_ok(r, rest, mem);
	else
		on_fail(r, rest, mem);
	arena_free(&mem);
}
