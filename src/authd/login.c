#include "authd/login.h"

#include "auth/auth_client.h"
#include "auth/auth_proto.h"
#include "base/log.h"
#include "sasl/base64.h"

#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

/* ---- the greeting ---- */

void login_greet(struct client *c)
{
	const struct settings *set = c->authd->set;
	unsigned char cookie[16];

	/* Every MECH before SPID: SPID without MECH is how clients tell a master socket. */
	for (size_t i = 0; i < set->n_mechs; i++) {
		buf_addf(&c->out, "MECH\t%s", set->mech[i]->name);
		auth_add_flags(&c->out, set->mech[i]->flags & SASL_PLAINTEXT ? AUTH_MECH_PLAINTEXT : 0);
		buf_add_char(&c->out, '\n');
	}
	if (getrandom(cookie, sizeof cookie, 0) != sizeof cookie)
		panic("the kernel gives no random numbers");
	buf_addf(&c->out, "SPID\t%d\nCUID\t%u\nCOOKIE\t", (int)getpid(), c->cuid);
	for (size_t i = 0; i < sizeof cookie; i++)
		buf_addf(&c->out, "%02x", cookie[i]);
	buf_add_c(&c->out, "\nDONE\n");
}

/* ---- the life of a login ---- */

static struct login **find(struct client *c, uint32_t id)
{
	struct login **at = &c->login[id % LOGIN_BUCKETS];

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

static void unlink_delayed(struct login *l)
{
	struct login **at = &l->authd->delayed;

	while (*at && *at != l)
		at = &(*at)->next_delayed;
	if (*at)
		*at = l->next_delayed;
	if (l->authd->delayed_last == &l->next_delayed)
		l->authd->delayed_last = at;
}

static void detach(struct login *l)
{
	struct client *c = l->client;

	if (c == NULL)
		return;
	*find(c, l->id) = l->next;
	c->n_logins--;
	l->client = NULL;
}

void login_free(struct login *l)
{
	detach(l);
	if (l->state == LOGIN_DELAY)
		unlink_delayed(l);
	buf_wipe(&l->out);
	arena_wipe(&l->mem);
	free(l);
}

/* Nobody wants its answer any more. */
static void drop(struct login *l)
{
	detach(l);
	l->job.cancelled = true;
	l->lookup.job.cancelled = true;
	if (l->state != LOGIN_WORK)
		login_free(l);
}

void login_drop_all(struct client *c)
{
	for (size_t i = 0; i < LOGIN_BUCKETS; i++)
		while (c->login[i])
			drop(c->login[i]);
}

void login_succeed(struct login *l)
{
	struct client *c = l->client;

	l->authd->n_ok++;
	if (l->authd->set->verbose)
		log_info("auth: user=<%.*s>, method=%s, rip=%.*s: success", STR_ARG(l->vars.user), l->mech->name,
			STR_ARG(l->vars.remote_ip));
	if (c) {
		buf_addf(&c->out, "OK\t%u", l->id);
		auth_add_field(&c->out, "user=", l->vars.user);
		buf_add_str(&c->out, l->fields);
		buf_add_char(&c->out, '\n');
		client_send_soon(c);
	}
	login_free(l);
}

static void send_fail(struct login *l, const char *code)
{
	struct client *c = l->client;

	if (c == NULL)
		return;
	buf_addf(&c->out, "FAIL\t%u", l->id);
	if (l->vars.user.n)
		auth_add_field(&c->out, "user=", l->vars.user);
	if (code)
		buf_addf(&c->out, "\tcode=%s", code);
	buf_add_char(&c->out, '\n');
	client_send_soon(c);
}

void login_temp_fail(struct login *l)
{
	l->authd->n_temp++;
	send_fail(l, "temp_fail");
	login_free(l);
}

static void on_tick(uv_timer_t *t)
{
	struct authd *a = container_of(t, struct authd, tick);
	uint64_t now = uv_now(t->loop);
	struct login *l;

	while ((l = a->delayed) != NULL && l->due_ms <= now) {
		/* l->stored serves as the code from login_fail() to here. */
		send_fail(l, l->stored.n ? l->stored.p : NULL);
		login_free(l);
	}
	if (l)
		uv_timer_start(t, on_tick, l->due_ms - now, 0);
}

void login_fail(struct login *l, const char *code, const char *why)
{
	struct authd *a = l->authd;
	uint64_t now = uv_now(a->child.loop), took = now - l->since_ms, wait = a->set->failure_delay_ms;
	struct login **at = a->delayed_last;

	a->n_fail++;
	if (why)
		log_info("auth: login failed: user=<%.*s>, method=%s, rip=%.*s: %s",
			STR_ARG(l->vars.user.n ? l->vars.user : l->vars.orig_user), l->mech->name,
			STR_ARG(l->vars.remote_ip), why);
	if (l->client == NULL) {
		login_free(l);
		return;
	}
	/* The same grid for every failure, counted from where its check began. */
	if (wait <= took)
		wait = (took / REPLY_GRID_MS + 1) * REPLY_GRID_MS;
	l->stored = str_c(code);
	l->due_ms = l->since_ms + wait;
	l->state = LOGIN_DELAY;
	/* Nearly always the last one; sorted all the same. */
	if (a->delayed && container_of(at, struct login, next_delayed)->due_ms > l->due_ms)
		for (at = &a->delayed; *at && (*at)->due_ms <= l->due_ms;)
			at = &(*at)->next_delayed;
	l->next_delayed = *at;
	*at = l;
	if (l->next_delayed == NULL)
		a->delayed_last = &l->next_delayed;
	if (a->delayed == l)
		uv_timer_start(&a->tick, on_tick, l->due_ms - now, 0);
}

void login_sweep(struct client *c)
{
	uint64_t now = uv_now(c->authd->child.loop);

	for (size_t i = 0; i < LOGIN_BUCKETS; i++)
		for (struct login *l = c->login[i], *next; l; l = next) {
			next = l->next;
			if (l->state == LOGIN_CLIENT && now - l->since_ms > LOGIN_TIMEOUT_MS)
				login_temp_fail(l);
		}
}

/* ---- the exchange ---- */

static void check_identity(struct login *l)
{
	struct sasl_xchg *x = l->xchg;
	struct vars as = l->vars;
	const char *why;

	l->since_ms = uv_now(l->authd->child.loop);
	l->vars.orig_user = x->authcid;
	l->vars.pass = x->pass;
	if (username_normalise(l->authd->set, &l->vars, x->authcid, l->mem, &why) < 0) {
		login_fail(l, NULL, why);
		return;
	}
	/* RFC 4616 sec. 2: to act as somebody else needs a permission that nobody has here. */
	if (x->authzid.n && (username_normalise(l->authd->set, &as, x->authzid, l->mem, &why) < 0 ||
				    !str_eq(as.user, l->vars.user))) {
		login_fail(l, "authz_fail", "may not act as another user");
		return;
	}
	check_start(l);
}

static void step(struct login *l, struct str in)
{
	enum sasl_step s;

	buf_reset(&l->out);
	s = l->mech->step(l->xchg, in);
	switch (s) {
	case SASL_MORE:
		l->state = LOGIN_CLIENT;
		l->since_ms = uv_now(l->authd->child.loop);
		buf_addf(&l->client->out, "CONT\t%u\t", l->id);
		base64_encode(&l->client->out, buf_str(&l->out));
		buf_add_char(&l->client->out, '\n');
		client_send_soon(l->client);
		return;
	case SASL_CHECK_PASS:
		check_identity(l);
		return;
	case SASL_BAD:
		l->since_ms = uv_now(l->authd->child.loop);
		l->vars.orig_user = l->xchg->authcid;
		login_fail(l, NULL, arena_printf(l->mem, "malformed response: %s", l->xchg->why));
		return;
	case SASL_WANT_KEY:
	case SASL_OK:
	case SASL_FAIL:
		break;
	}
	panic("mechanism %s went a way that needs no password", l->mech->name);
}

static void step_base64(struct login *l, struct str base64)
{
	struct buf raw = BUF_INIT(AUTH_MAX_LINE);
	struct client *c = l->client;

	if (base64_decode(&raw, base64) < 0) {
		buf_addf(&c->out, "FAIL\t%u\tcode=invalid_base64\treason=Invalid base64 data\n", l->id);
		client_send_soon(c);
		login_free(l);
	} else {
		step(l, raw.n ? buf_str(&raw) : STR(""));
	}
	buf_wipe(&raw);
}

/* ---- AUTH, CONT, CANCEL ---- */

struct auth_params {
	bool has_resp, is_resp_last;
	struct str resp;
};

static const struct {
	const char *key;
	size_t at;
} param_table[] = {
	{ "service=", offsetof(struct vars, service) },
	{ "protocol=", offsetof(struct vars, service) },
	{ "lip=", offsetof(struct vars, local_ip) },
	{ "rip=", offsetof(struct vars, remote_ip) },
	{ "lport=", offsetof(struct vars, local_port) },
	{ "rport=", offsetof(struct vars, remote_port) },
	{ "session=", offsetof(struct vars, session) },
};

static void take_param(struct login *l, struct str field, struct auth_params *p)
{
	struct str value;

	p->is_resp_last = false;
	if (auth_is_key(field, "resp=", &value)) {
		p->has_resp = p->is_resp_last = true;
		p->resp = value;
	} else if (str_eq(field, STR("secured")) || str_has_prefix(field, STR("secured="))) {
		l->vars.secured = STR("secured");
	}
	for (size_t i = 0; i < sizeof param_table / sizeof *param_table; i++)
		if (auth_is_key(field, param_table[i].key, &value))
			*(struct str *)(void *)((char *)&l->vars + param_table[i].at) =
				arena_dup(l->mem, auth_unescape(l->mem, value));
}

static struct login *login_new(struct client *c, uint32_t id, const struct sasl_mech *mech)
{
	struct login *l = xcalloc(1, sizeof *l), **at = find(c, id);

	l->client = c;
	l->authd = c->authd;
	l->id = id;
	l->mem = arena_new(0);
	l->mech = mech;
	l->out = BUF_INIT(AUTH_MAX_LINE);
	l->xchg = sasl_xchg_new(mech, l->mem, &l->out);
	l->vars.mechanism = str_c(mech->name);
	*at = l;
	c->n_logins++;
	return l;
}

static const struct sasl_mech *mech_of(const struct client *c, struct str name)
{
	const struct settings *set = c->authd->set;

	for (size_t i = 0; i < set->n_mechs; i++)
		if (str_ieq(name, str_c(set->mech[i]->name)))
			return set->mech[i];
	return NULL;
}

static int refuse(struct client *c, const char *why)
{
	client_end(c, why);
	return -1;
}

static int on_auth(struct client *c, struct str rest)
{
	struct str field, name = { 0 };
	struct auth_params p = { 0 };
	const struct sasl_mech *mech;
	struct login *l;
	uint32_t id;

	if (!auth_field(&rest, &field) || !auth_id(field, &id))
		return refuse(c, "AUTH without a valid number");
	if (*find(c, id))
		return refuse(c, "AUTH with a number that is in use");
	auth_field(&rest, &name);
	mech = mech_of(c, name);
	if (mech == NULL)
		return refuse(c, "AUTH with a mechanism that was not offered");
	if (c->n_logins >= LOGINS_MAX) {
		buf_addf(&c->out, "FAIL\t%u\tcode=temp_fail\n", id);
		client_send_soon(c);
		return 0;
	}
	l = login_new(c, id, mech);
	while (auth_field(&rest, &field))
		take_param(l, field, &p);
	if (l->vars.service.n == 0)
		return refuse(c, "AUTH without service=");
	if (p.has_resp && !p.is_resp_last)
		return refuse(c, "AUTH with something behind resp=");
	/* Up to minor 1 an empty resp= means that there is none. */
	if (!p.has_resp || (p.resp.n == 0 && c->minor < AUTH_MINOR_EMPTY))
		step(l, (struct str){ 0 });
	else
		step_base64(l, str_eq(p.resp, STR("=")) ? STR("") : p.resp);
	return 0;
}

static int on_cont(struct client *c, struct str rest)
{
	struct str field, data = STR("");
	struct login *l;
	uint32_t id;

	if (!auth_field(&rest, &field) || !auth_id(field, &id))
		return refuse(c, "CONT without a valid number");
	auth_field(&rest, &data);
	l = *find(c, id);
	if (l == NULL) {
		buf_addf(&c->out, "FAIL\t%u\treason=Authentication request timed out\n", id);
		client_send_soon(c);
		return 0;
	}
	if (l->state != LOGIN_CLIENT)
		return refuse(c, "CONT without a challenge");
	step_base64(l, str_eq(data, STR("=")) ? STR("") : data);
	return 0;
}

static int on_cancel(struct client *c, struct str rest)
{
	struct str field;
	struct login *l;
	uint32_t id;

	if (!auth_field(&rest, &field) || !auth_id(field, &id))
		return refuse(c, "CANCEL without a valid number");
	l = *find(c, id);
	if (l)
		drop(l);
	return 0;
}

static const struct {
	const char *word;
	int (*run)(struct client *c, struct str rest);
} commands[] = { { "AUTH", on_auth }, { "CONT", on_cont }, { "CANCEL", on_cancel } };

int login_line(struct client *c, struct str word, struct str rest)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (str_eq(word, str_c(commands[i].word)))
			return commands[i].run(c, rest);
	return refuse(c, "an unknown command");
}
