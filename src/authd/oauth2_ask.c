/*
 * The server that issued a token is asked what it is worth: tokeninfo_url first where there is one, then introspection_url as
 * far as that did not say all (RFC 7662, and what came before it). What it said is kept as auth_cache_… say, for minutes at
 * most and never longer than the token is good, under a keyed hash of the token: no token can be had from memory.
 */
#include "authd/oauth2.h"

#include "authd/login.h"
#include "base/log.h"
#include "sasl/base64.h"

#include <stdlib.h>

enum { GOOD_MAX_S = 300, BAD_MAX_S = 30 };

/* ---- what is kept ---- */

/* A server that is told from where it is may say something else of the same token from elsewhere. */
static const char *told(const struct oauth2_work *w)
{
	const struct vars *v = &w->login->vars;

	if (!w->set->sends_headers)
		return "";
	return arena_printf(w->login->mem, "%.*s\t%.*s\t%.*s\t%.*s", STR_ARG(v->service), STR_ARG(v->local_ip),
		STR_ARG(v->local_port), STR_ARG(v->remote_ip));
}

static const char *cache_key(struct authd *a, const struct oauth2_work *w)
{
	struct buf hex = BUF_INIT(128);
	struct verdict_key key;
	const char *text;

	verdict_key(a->verdicts, STR("oauth2"), w->token, str_c(told(w)), &key);
	buf_add_c(&hex, "oauth2 ");
	for (size_t i = 0; i < sizeof key.octets; i++)
		buf_addf(&hex, "%02x", key.octets[i]);
	text = arena_cdup(w->login->mem, buf_str(&hex));
	buf_free(&hex);
	return text;
}

/* claims "": it is good for nothing. */
static void keep(struct oauth2_work *w, const char *claims, time_t end)
{
	struct authd *a = w->login->authd;
	const char *until = arena_printf(w->login->mem, "%lld", (long long)end);
	struct sql_field fields[2] = { { STR("claims"), str_c(claims), false }, { STR("end"), str_c(until), false } };
	struct sql_row row = { .field = fields, .n = 2 };

	if (w->is_grant)
		return;
	row_cache_put(a->cache, str_c(w->cache_key), w->login->vars.user, &row, uv_now(a->child.loop));
}

static void keep_good(struct oauth2_work *w)
{
	/* They are of no use here, and worth something to others. */
	static const char *const secrets[] = { "access_token", "refresh_token", "id_token", "client_secret" };
	time_t now = time(NULL);
	char *text;

	for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
		json_object_del(w->claims, secrets[i]);
	text = json_dumps(w->claims, JSON_COMPACT);
	if (text) {
		keep(w, text, claims_end(w->claims, now, now + GOOD_MAX_S));
		mem_wipe(text, strlen(text));
	}
	free(text);
}

/* Not for long: another of the issuer's machines may not yet know of a token that was just issued. */
static void keep_bad(struct oauth2_work *w)
{
	keep(w, "", time(NULL) + BAD_MAX_S);
}

static void judge(struct oauth2_work *w)
{
	const struct jwt_demands *d = &w->set->answer_demands;

	oauth2_judge(w, claims_check_answer(w->claims, d, time(NULL)), d);
}

/* True: it is known what this token is worth, and the login went on. */
static bool is_kept(struct oauth2_work *w)
{
	struct authd *a = w->login->authd;
	struct sql_row *row;
	const struct sql_field *claims, *end;
	uint64_t until = 0;

	if (!row_cache_get(a->cache, str_c(w->cache_key), uv_now(a->child.loop), 0, w->login->mem, &row) || !row)
		return false;
	claims = sql_field_find(row, "claims");
	end = sql_field_find(row, "end");
	if (claims == NULL || end == NULL || !str_u64(end->value, &until) || (time_t)until <= time(NULL))
		return false;
	w->claims = claims_parse(claims->value);
	if (w->claims)
		judge(w);
	else
		oauth2_judge(w, "the token is not good, said the server a moment ago", &w->set->answer_demands);
	return true;
}

/* ---- the question ---- */

static void add_address(struct buf *b, const char *name, struct str ip, struct str port)
{
	bool is_v6 = str_chr(ip, ':') >= 0;

	for (size_t i = 0; i < ip.n + port.n; i++)
		if (!ascii_is_graph(i < ip.n ? ip.p[i] : port.p[i - ip.n]))
			return;
	if (ip.n)
		buf_addf(
			b, "%s: %s%.*s%s:%.*s\n", name, is_v6 ? "[" : "", STR_ARG(ip), is_v6 ? "]" : "", STR_ARG(port));
}

/* send_auth_headers: as Dovecot names them. */
void oauth2_add_headers(struct buf *b, const struct vars *v)
{
	bool is_word = v->service.n > 0;

	for (size_t i = 0; i < v->service.n; i++)
		is_word = is_word && ascii_is_graph(v->service.p[i]);
	if (is_word)
		buf_addf(b, "X-Dovecot-Auth-Service: %.*s\n", STR_ARG(v->service));
	add_address(b, "X-Dovecot-Auth-Local", v->local_ip, v->local_port);
	add_address(b, "X-Dovecot-Auth-Remote", v->remote_ip, v->remote_port);
}

/* RFC 6749 sec. 2.3.1 */
static void add_client(struct buf *header, const struct oauth2 *o)
{
	struct buf plain = BUF_INIT(8192), base64 = BUF_INIT(16384);

	if (fetch_escape(&plain, str_c(o->client_id)) == 0 && buf_add_char(&plain, ':') == 0 &&
		fetch_escape(&plain, str_c(o->client_secret)) == 0 && base64_encode(&base64, buf_str(&plain)) == 0)
		buf_addf(header, "Authorization: Basic %.*s\n", STR_ARG(buf_str(&base64)));
	buf_wipe(&plain);
	buf_wipe(&base64);
}

void oauth2_add_parameter(struct buf *b, const char *name, const char *value)
{
	if (*value && buf_addf(b, "&%s=", name) == 0)
		fetch_escape(b, str_c(value));
}

struct question {
	struct buf suffix, header, body;
};

static void write_introspection(struct question *q, const struct oauth2 *o, struct str token)
{
	if (o->mode == OAUTH2_POST) {
		buf_add_c(&q->body, "token=");
		fetch_escape(&q->body, token);
		if (*o->client_secret && !o->has_user)
			add_client(&q->header, o);
		return;
	}
	if (o->mode == OAUTH2_AUTH)
		return;
	fetch_escape(&q->suffix, token);
	oauth2_add_parameter(&q->suffix, "client_id", o->client_id);
	oauth2_add_parameter(&q->suffix, "client_secret", o->client_secret);
}

static void on_answer(struct fetch_call *c, const struct fetch_answer *a);

struct asking { /* in the arena */
	struct fetch_call call;
	struct oauth2_work *work;
};

static void ask_site(struct oauth2_work *w, int site)
{
	struct login *l = w->login;
	const struct oauth2 *o = w->set;
	bool is_tokeninfo = site == o->tokeninfo_site && !w->is_second;
	struct asking *asking = arena_alloc(l->mem, sizeof *asking);
	struct question q = { BUF_SECRET(FETCH_REQUEST_MAX), BUF_SECRET(FETCH_REQUEST_MAX),
		BUF_SECRET(FETCH_REQUEST_MAX) };
	struct fetch_ask ask = { .timeout_ms = (uint32_t)o->timeout_ms };

	buf_add_c(&q.header, "Accept: application/json\n");
	if (is_tokeninfo)
		fetch_escape(&q.suffix, w->token);
	else
		write_introspection(&q, o, w->token);
	if (o->mode == OAUTH2_AUTH)
		buf_addf(&q.header, "Authorization: Bearer %.*s\n", STR_ARG(w->token));
	if (o->sends_headers)
		oauth2_add_headers(&q.header, &l->vars);
	ask.is_post = !is_tokeninfo && o->mode == OAUTH2_POST;
	ask.suffix = buf_str(&q.suffix);
	ask.header = buf_str(&q.header);
	ask.body = buf_str(&q.body);
	asking->work = w;
	asking->call.done = on_answer;
	fetch_start(l->authd->fetch, &asking->call, site, &ask);
	buf_wipe(&q.suffix);
	buf_wipe(&q.header);
	buf_wipe(&q.body);
}

/* ---- the answer ---- */

/* The server works, and is set up in another way than we are: once, until it answers as it should. */
static void complain(struct oauth2_work *w, const char *what, unsigned status)
{
	struct authd *a = w->login->authd;

	if (!a->is_oauth2_bad)
		log_error("auth: oauth2: the server %s (status %u): see introspection_url, introspection_mode, "
			  "client_id and "
			  "client_secret in %s; logins with tokens get a temporary failure",
			what, status, w->set->file);
	a->is_oauth2_bad = true;
}

enum worth { WORTH_ASKING_MORE, WORTH_NOTHING, WORTH_UNKNOWN };

/*
 * RFC 7662 sec. 2.3: 401 and 403 are about us. RFC 6750 sec. 3.1: where the token itself is the login they are about the token;
 * but one that was issued to us a moment ago is good.
 */
static enum worth look_at_status(struct oauth2_work *w, unsigned status)
{
	const struct oauth2 *o = w->set;
	bool shows_itself = o->mode == OAUTH2_POST || o->has_user;
	bool is_about_us = w->is_grant || ((w->is_second || o->tokeninfo_site < 0) && shows_itself);

	if (status >= 200 && status < 300)
		return WORTH_ASKING_MORE;
	if ((status == 400 || status == 401 || status == 403) && !is_about_us)
		return WORTH_NOTHING;
	complain(w, is_about_us && status != 400 ? "does not let us ask" : "does not understand the question", status);
	return WORTH_UNKNOWN;
}

bool oauth2_has_all(const struct oauth2_work *w)
{
	const struct jwt_demands *d = &w->set->answer_demands;

	return json_object_get(w->claims, d->username_attribute) &&
	       (*d->active_attribute == '\0' || json_object_get(w->claims, d->active_attribute));
}

/* Has tokeninfo said what is needed? */
static bool is_enough(const struct oauth2_work *w)
{
	const struct oauth2 *o = w->set;

	if (w->is_second || o->introspection_site < 0 || o->tokeninfo_site < 0)
		return true;
	return !o->forces_introspection && oauth2_has_all(w);
}

static void leave(struct oauth2_work *w)
{
	struct oauth2_work **at = &w->login->authd->asking;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
}

/* What is known of the token now is known to all that showed it. why: it is refused; is_known false: nothing is known. */
static void settle(struct oauth2_work *w, const char *why, bool is_known)
{
	const struct jwt_demands *d = &w->set->answer_demands;
	json_t *claims = w->claims;
	struct oauth2_work *next;

	leave(w);
	w->next = w->followers;
	for (; w; w = next) {
		next = w->next;
		w->claims = json_incref(claims);
		if (w->login->client == NULL) {
			json_decref(w->claims);
			login_free(w->login);
		} else if (!is_known) {
			oauth2_end_temporary(w);
		} else {
			oauth2_judge(w, why ? why : claims_check_answer(claims, d, time(NULL)), d);
		}
	}
	json_decref(claims);
}

static void take_claims(struct oauth2_work *w, json_t *claims)
{
	static const struct jwt_demands none = { "", "", "", "", "", "", false, false };

	w->login->authd->is_oauth2_bad = false;
	if (w->claims) {
		json_object_update(w->claims, claims);
		json_decref(claims);
	} else {
		w->claims = claims;
	}
	if (claims_check_answer(w->claims, &none, time(NULL)) != NULL) {
		keep_bad(w);
		settle(w, NULL, true);
	} else if (!is_enough(w)) {
		w->is_second = true;
		ask_site(w, w->set->introspection_site);
	} else {
		keep_good(w);
		settle(w, NULL, true);
	}
}

static void on_answer(struct fetch_call *c, const struct fetch_answer *a)
{
	struct oauth2_work *w = container_of(c, struct asking, call)->work;
	enum worth worth = a->why.n ? WORTH_UNKNOWN : look_at_status(w, a->status);
	json_t *claims = worth == WORTH_ASKING_MORE ? claims_parse(a->body) : NULL;

	if (worth == WORTH_ASKING_MORE && claims == NULL)
		complain(w, "does not answer with a JSON object", a->status);
	if (claims) {
		take_claims(w, claims);
	} else if (worth == WORTH_NOTHING) {
		keep_bad(w);
		settle(w, "the token is refused by the server", true);
	} else {
		settle(w, NULL, false);
	}
}

/* The one that asks the same already. Where the server is told who logs in from where, each is a question of its own. */
static struct oauth2_work *find_asking(const struct oauth2_work *w)
{
	const struct authd *a = w->login->authd;
	struct oauth2_work *other = w->set->sends_headers ? NULL : a->asking;

	while (other && strcmp(other->cache_key, w->cache_key) != 0)
		other = other->next;
	return other;
}

void oauth2_ask(struct oauth2_work *w)
{
	struct authd *a = w->login->authd;
	const struct oauth2 *o = w->set;
	struct oauth2_work *leader;

	w->cache_key = cache_key(a, w);
	if (is_kept(w))
		return;
	leader = find_asking(w);
	if (leader) {
		w->next = leader->followers;
		leader->followers = w;
		return;
	}
	w->next = a->asking;
	a->asking = w;
	ask_site(w, o->tokeninfo_site >= 0 ? o->tokeninfo_site : o->introspection_site);
}

void oauth2_ask_more(struct oauth2_work *w)
{
	struct authd *a = w->login->authd;

	w->cache_key = ""; /* nobody else has that token: nobody waits with it */
	w->is_second = true;
	w->next = a->asking;
	a->asking = w;
	ask_site(w, w->set->introspection_site);
}
