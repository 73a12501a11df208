/*
 * A passdb with use_grant_password: the password is shown to the server that issues tokens (RFC 6749 sec. 4.3), and who gets a
 * token for it has the right one. The token is of no use beyond that: it is shown to introspection_url, where there is one and
 * the answer did not say whose it is, and forgotten.
 */
#include "authd/oauth2.h"

#include "authd/verify.h"
#include "base/log.h"

struct granting { /* in the arena */
	struct fetch_call call;
	struct oauth2_work *work;
};

/* The server works, and is set up in another way than we are: once, until it lets somebody in. */
static void complain(struct oauth2_work *w, const char *what, unsigned status)
{
	struct authd *a = w->login->authd;

	if (!a->is_grant_bad)
		log_error("auth: oauth2: grant_url: the server %s (status %u): see grant_url, client_id, "
			  "client_secret, scope "
			  "and introspection_url in %s; logins with passwords that it knows get a temporary failure",
			what, status, w->set->file);
	a->is_grant_bad = true;
}

void oauth2_grant_judged(struct oauth2_work *w, const char *why, bool is_known)
{
	struct login *l = w->login;
	struct sql_row *row = is_known && why == NULL ? oauth2_fields(w) : NULL;

	json_decref(w->claims);
	w->claims = NULL;
	if (is_known && why == NULL)
		l->authd->is_grant_bad = false;
	verify_grant_answer(l, !is_known ? DB_FAILED : why ? DB_MISMATCH : DB_OK, row, why);
}

/* ---- the answer ---- */

/* What a server says when it is the user who may not have a token (RFC 6749 sec. 5.2; the others are what Microsoft and OpenID say). */
static bool is_about_user(struct str error)
{
	static const char *const words[] = { "invalid_grant", "access_denied", "interaction_required",
		"login_required" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (str_eq(error, str_c(words[i])))
			return true;
	return false;
}

/* They are worth something, and have done what they were for. */
static void forget_tokens(json_t *claims)
{
	static const char *const secrets[] = { "access_token", "refresh_token", "id_token" };

	for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
		json_object_del(claims, secrets[i]);
}

static void take_grant(struct oauth2_work *w, unsigned status)
{
	const struct oauth2 *o = w->set;

	w->token = claims_text(w->claims, "access_token", w->login->mem);
	forget_tokens(w->claims);
	/* RFC 6749 sec. 5.1: what is not said is as it was asked for. */
	if (*o->answer_demands.scope && json_object_get(w->claims, "scope") == NULL)
		json_object_set_new(w->claims, "scope", json_string(o->answer_demands.scope));
	if (w->token.n == 0) {
		complain(w, "gives no access_token", status);
		oauth2_end_temporary(w);
	} else if (o->introspection_site >= 0 && (o->forces_introspection || !oauth2_has_all(w))) {
		oauth2_ask_more(w);
	} else if (!oauth2_has_all(w)) {
		complain(w, "does not say whose token it is, and there is no introspection_url that could", status);
		oauth2_end_temporary(w);
	} else {
		oauth2_judge(w, claims_check_answer(w->claims, &o->answer_demands, time(NULL)), &o->answer_demands);
	}
}

static void take_answer(struct oauth2_work *w, const struct fetch_answer *a)
{
	struct str error;

	if (a->why.n) { /* fetchd has said it in the log */
		oauth2_end_temporary(w);
		return;
	}
	w->claims = claims_parse(a->body);
	error = claims_text(w->claims, "error", w->login->mem);
	if (a->status < 300 && w->claims && error.n == 0) {
		take_grant(w, a->status);
	} else if (is_about_user(error)) {
		oauth2_grant_judged(
			w, arena_printf(w->login->mem, "the server refuses the password (%.*s)", STR_ARG(error)), true);
	} else {
		complain(w, w->claims ? "does not let us ask" : "does not answer with a JSON object", a->status);
		oauth2_end_temporary(w);
	}
}

static void on_answer(struct fetch_call *c, const struct fetch_answer *a)
{
	struct oauth2_work *w = container_of(c, struct granting, call)->work;

	if (w->login->client == NULL)
		login_free(w->login);
	else
		take_answer(w, a);
}

/* ---- the question ---- */

static void write_form(struct buf *b, const struct oauth2 *o, const struct vars *v)
{
	buf_add_c(b, "grant_type=password&username=");
	fetch_escape(b, v->user);
	buf_add_c(b, "&password=");
	fetch_escape(b, v->pass);
	oauth2_add_parameter(b, "client_id", o->client_id);
	oauth2_add_parameter(b, "client_secret", o->client_secret);
	oauth2_add_parameter(b, "scope", o->answer_demands.scope);
}

void oauth2_grant(struct login *l)
{
	const struct oauth2 *o = l->authd->set->passdb[l->passdb].grant;
	struct granting *g = arena_alloc(l->mem, sizeof *g);
	struct buf header = BUF_SECRET(FETCH_REQUEST_MAX), body = BUF_SECRET(FETCH_REQUEST_MAX);
	struct fetch_ask ask = { .is_post = true, .timeout_ms = (uint32_t)o->timeout_ms };

	g->work = arena_alloc(l->mem, sizeof *g->work);
	g->work->login = l;
	g->work->set = o;
	g->work->is_grant = true;
	g->call.done = on_answer;
	l->state = LOGIN_WORK;
	buf_add_c(&header, "Accept: application/json\n");
	if (o->sends_headers)
		oauth2_add_headers(&header, &l->vars);
	write_form(&body, o, &l->vars);
	ask.header = buf_str(&header);
	ask.body = buf_str(&body);
	fetch_start(l->authd->fetch, &g->call, o->grant_site, &ask);
	buf_wipe(&header);
	buf_wipe(&body);
}
