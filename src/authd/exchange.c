/*
 * The exchange of one login: AUTH, CONT and CANCEL come in, the mechanism says what is next. What it needs of the client
 * (an answer, the TLS channel's data) is a CONT; what it needs of the databases is check.c's and key.c's.
 */
#include "authd/login.h"

#include "auth/auth_proto.h"
#include "authd/trace.h"
#include "base/log.h"
#include "sasl/base64.h"

/* A token says itself who it is; whom the client says that he is has to be the same one. */
static void check_token(struct login *l)
{
	struct sasl_xchg *x = l->xchg;
	const char *why;

	l->since_ms = uv_now(l->authd->child.loop);
	l->vars.orig_user = x->authcid;
	l->vars.pass = x->pass;
	x->token_scope = str_c(l->authd->set->oauth2.demands.scope);
	x->token_openid = str_c(l->authd->set->oauth2.openid_configuration_url);
	if (x->authcid.n && username_normalise(l->authd->set, &l->vars, x->authcid, l->mem, &why) < 0) {
		login_guard(l);
		login_fail(l, NULL, why);
		return;
	}
	login_guard(l);
	login_admit(l, oauth2_check);
}

/* Who is it, and who wants he to be? Then the databases. */
static void check_identity(struct login *l)
{
	struct sasl_xchg *x = l->xchg;
	enum identity id;
	const char *why;

	l->since_ms = uv_now(l->authd->child.loop);
	l->vars.orig_user = x->authcid;
	l->vars.pass = x->pass;
	if (l->authd->set->user_from_cert && l->has_cert && l->cert_name.n)
		x->authcid = l->cert_name;
	id = identity_set(l, x->authcid, x->authzid, &why);
	login_guard(l);
	trace_name(l);
	if (id != IDENTITY_OK) {
		login_fail(l, id == IDENTITY_NOT_ALLOWED ? "authz_fail" : NULL, why);
		return;
	}
	login_admit(l, check_start);
}

/* What the mechanism has for the client, in base64, in the arena. */
static struct str output(struct login *l)
{
	struct buf base64 = BUF_INIT(2 * AUTH_MAX_LINE);
	struct str s;

	base64_encode(&base64, buf_str(&l->out));
	s = arena_dup(l->mem, buf_str(&base64));
	buf_wipe(&base64);
	return s;
}

static void step(struct login *l, struct str in);

/* The data of a TLS channel are with whoever has the connection. */
static void ask_binding(struct login *l)
{
	struct client *c = l->client;

	if (c->minor < AUTH_MINOR_BINDING || l->vars.secured.n == 0) {
		step(l, (struct str){ 0 });
		return;
	}
	l->wants_binding = true;
	l->state = LOGIN_CLIENT;
	l->since_ms = uv_now(l->authd->child.loop);
	buf_addf(&c->out, "CONT\t%u\t#", l->id);
	auth_add_field(&c->out, "channel_binding=", l->xchg->binding_type);
	buf_add_char(&c->out, '\n');
	client_send_soon(c);
}

/* Nobody is looked up; what the client said of himself is for the log alone (RFC 4505 sec. 2: trace information). */
static void anonymous(struct login *l)
{
	l->vars.orig_user = l->xchg->authcid;
	vars_set_user(&l->vars, str_c(l->authd->set->anonymous_user));
	log_info("auth: user=<%.*s>, method=%s, rip=%.*s: calls himself <%.*s>", STR_ARG(l->vars.user), l->mech->name,
		STR_ARG(l->vars.remote_ip), STR_ARG(l->vars.orig_user));
	l->fields = STR("\tanonymous");
	login_succeed(l);
}

/* The end of an exchange that needed no password; what the client proved is not yet all that is asked of him. */
static void proven(struct login *l)
{
	l->since_ms = uv_now(l->authd->child.loop);
	l->final = output(l);
	if (l->mech->flags & SASL_ANONYMOUS)
		anonymous(l);
	else if ((l->mech->flags & SASL_TOKEN) && !l->is_unknown)
		check_denied(l);
	else
		check_proven(l);
}

static void refused(struct login *l, const char *why)
{
	struct sasl_xchg *x = l->xchg;

	l->since_ms = uv_now(l->authd->child.loop);
	l->vars.orig_user = x->authcid;
	l->final = output(l);
	login_fail(l, NULL, why);
}

static void step(struct login *l, struct str in)
{
	buf_reset(&l->out);
	switch (l->mech->step(l->xchg, in)) {
	case SASL_MORE:
		login_challenge(l, output(l));
		return;
	case SASL_CHECK_PASS:
		check_identity(l);
		return;
	case SASL_WANT_KEY:
		l->wants_key = true;
		if (l->mech->flags & SASL_TOKEN)
			check_token(l);
		else
			check_identity(l);
		return;
	case SASL_WANT_BINDING:
		ask_binding(l);
		return;
	case SASL_OK:
		proven(l);
		return;
	case SASL_FAIL:
		/* Of a token it was said, and of nobody's key it was noted. */
		refused(l,
			(l->mech->flags & SASL_TOKEN) || (l->is_unknown && l->fault.what) ? NULL : "Password mismatch");
		return;
	case SASL_BAD:
		refused(l, arena_printf(l->mem, "malformed response: %s", l->xchg->why));
		return;
	}
	panic("mechanism %s went a way that there is not", l->mech->name);
}

void login_key(struct login *l, struct str key)
{
	if (l->mech->flags & SASL_TOKEN)
		trace_token(l);
	l->wants_key = false;
	l->hides_time = true;
	l->xchg->key = key;
	step(l, (struct str){ 0 });
}

static void bad_base64(struct login *l)
{
	struct client *c = l->client;

	buf_addf(&c->out, "FAIL\t%u\tcode=invalid_base64\treason=Invalid base64 data\n", l->id);
	client_send_soon(c);
	login_free(l);
}

static void step_base64(struct login *l, struct str base64)
{
	struct buf raw = BUF_INIT(AUTH_MAX_LINE);

	if (base64_decode(&raw, base64) < 0)
		bad_base64(l);
	else
		step(l, raw.n ? buf_str(&raw) : STR(""));
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
	{ "local_name=", offsetof(struct vars, local_name) },
	{ "client_id=", offsetof(struct vars, client_id) },
	{ "real_lip=", offsetof(struct vars, real_lip) },
	{ "real_rip=", offsetof(struct vars, real_rip) },
	{ "real_lport=", offsetof(struct vars, real_lport) },
	{ "real_rport=", offsetof(struct vars, real_rport) },
};

void login_param(struct vars *v, struct str field, struct arena *mem)
{
	struct str value;

	for (size_t i = 0; i < sizeof param_table / sizeof *param_table; i++)
		if (auth_is_key(field, param_table[i].key, &value))
			*(struct str *)(void *)((char *)v + param_table[i].at) =
				arena_dup(mem, auth_unescape(mem, value));
}

static void take_param(struct login *l, struct str field, struct auth_params *p)
{
	struct str value;

	p->is_resp_last = false;
	if (auth_is_key(field, "resp=", &value)) {
		p->has_resp = p->is_resp_last = true;
		p->resp = value;
	} else if (str_eq(field, STR("secured")) || str_has_prefix(field, STR("secured="))) {
		/* As Dovecot has it in %c; columns are named by it. */
		l->vars.secured = str_eq(field, STR("secured=tls")) ? STR("TLS") : STR("secured");
	} else if (str_eq(field, STR("no-penalty"))) {
		l->has_no_penalty = true;
	} else if (str_eq(field, STR("final-resp-ok"))) {
		l->takes_final = true;
	} else if (str_eq(field, STR("valid-client-cert"))) {
		l->has_cert = true;
		l->vars.cert = STR("valid");
	} else if (auth_is_key(field, "cert_username=", &value)) {
		l->cert_name = arena_dup(l->mem, auth_unescape(l->mem, value));
	} else if (auth_is_key(field, "ssl_client_cert_fp=", &value)) {
		l->cert_print = arena_dup(l->mem, auth_unescape(l->mem, value));
	} else if (auth_is_key(field, "ssl_client_cert_pubkey_fp=", &value)) {
		l->key_print = arena_dup(l->mem, auth_unescape(l->mem, value));
	} else if (auth_is_key(field, "forward_fields=", &value)) {
		l->forward = arena_dup(l->mem, auth_unescape(l->mem, value));
	}
	login_param(&l->vars, field, l->mem);
}

static struct login *login_new(struct client *c, uint32_t id, const struct sasl_mech *mech)
{
	struct login *l = xcalloc(1, sizeof *l), **at = login_find(c, id);

	l->client = c;
	l->authd = c->authd;
	l->id = id;
	l->mem = arena_new(0);
	l->mech = mech;
	l->out = BUF_INIT(AUTH_MAX_LINE);
	l->xchg = sasl_xchg_new(mech, l->mem, &l->out);
	l->vars.mechanism = str_c(mech->name);
	l->began_ns = uv_hrtime();
	*at = l;
	c->n_logins++;
	return l;
}

static const struct sasl_mech *mech_of(const struct client *c, struct str name)
{
	const struct settings *set = c->authd->set;

	for (size_t i = 0; i < set->n_mechs; i++)
		if (str_ieq(name, str_c(set->mech[i]->name)) && login_offers(c, set->mech[i]))
			return set->mech[i];
	return NULL;
}

/* Could this client have had the same mechanism with channel binding? */
static bool is_plus_offered(const struct login *l)
{
	return l->mech->scram && l->vars.secured.n &&
	       mech_of(l->client, str_c(arena_printf(l->mem, "%s-PLUS", l->mech->name))) != NULL;
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
	if (*login_find(c, id))
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
	trace_begin(l);
	if (l->vars.service.n == 0)
		return refuse(c, "AUTH without service=");
	if (p.has_resp && !p.is_resp_last)
		return refuse(c, "AUTH with something behind resp=");
	if (c->authd->set->require_cert && !l->has_cert) {
		l->since_ms = uv_now(c->authd->child.loop);
		login_fail(l, NULL, "no valid client certificate, which auth_ssl_require_client_cert demands");
		return 0;
	}
	l->xchg->is_plus_offered = is_plus_offered(l);
	if (l->has_cert && c->authd->set->user_from_cert)
		l->xchg->external = l->cert_name;
	/* Up to minor 1 an empty resp= means that there is none. */
	if (!p.has_resp || (p.resp.n == 0 && c->minor < AUTH_MINOR_EMPTY))
		step(l, (struct str){ 0 });
	else
		step_base64(l, str_eq(p.resp, STR("=")) ? STR("") : p.resp);
	return 0;
}

/* "#" and channel_binding=…, or "#" alone: there is none of that type. */
static void on_binding(struct login *l, struct str data, struct str rest)
{
	struct buf raw = BUF_INIT(AUTH_MAX_LINE);
	struct str field, base64 = STR("");

	l->wants_binding = false;
	while (auth_field(&rest, &field))
		auth_is_key(field, "channel_binding=", &base64);
	if (!str_eq(data, STR("#")) || base64_decode(&raw, base64) < 0) {
		buf_wipe(&raw);
		bad_base64(l);
		return;
	}
	if (raw.n)
		l->xchg->binding = arena_dup(l->mem, buf_str(&raw));
	buf_wipe(&raw);
	step(l, (struct str){ 0 });
}

/* The client has seen the server's proof: nothing is left for him to say. */
static void on_final(struct login *l, struct str data)
{
	l->state = LOGIN_WORK;
	if (data.n == 0 || str_eq(data, STR("=")))
		login_succeed(l);
	else
		refused(l, "malformed response: something behind the end of the exchange");
}

static int on_cont(struct client *c, struct str rest)
{
	struct str field, data = STR("");
	struct login *l;
	uint32_t id;

	if (!auth_field(&rest, &field) || !auth_id(field, &id))
		return refuse(c, "CONT without a valid number");
	auth_field(&rest, &data);
	l = *login_find(c, id);
	if (l == NULL) {
		buf_addf(&c->out, "FAIL\t%u\treason=Authentication request timed out\n", id);
		client_send_soon(c);
		return 0;
	}
	if (l->state != LOGIN_CLIENT)
		return refuse(c, "CONT without a challenge");
	if (l->wants_binding)
		on_binding(l, data, rest);
	else if (l->is_final_sent)
		on_final(l, data);
	else
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
	l = *login_find(c, id);
	if (l) {
		login_drop(l);
		if (c->minor >= AUTH_MINOR_CANCELLED) {
			buf_addf(&c->out, "CANCELLED\t%u\n", id);
			client_send_soon(c);
		}
	}
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
