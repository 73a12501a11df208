#include "authd/policy.h"

#include "authd/login.h"
#include "base/log.h"
#include "base/utf8.h"

#include <jansson.h>
#include <stdlib.h>

enum { BODY_MAX = 32 * 1024, WAIT_MAX_S = 60, CALLS_FOR_REPORTS = FETCH_CALLS_MAX / 2 };

/* ---- pure ---- */

int policy_answer_parse(struct str body, struct arena *mem, struct policy_answer *out, const char **why)
{
	json_error_t error;
	json_t *root = json_loadb(body.p ? body.p : "", body.n, JSON_REJECT_DUPLICATES, &error);
	const json_t *status = json_object_get(root, "status"), *message = json_object_get(root, "msg");

	*out = (struct policy_answer){ 0 };
	if (root == NULL)
		*why = "its answer is no JSON";
	else if (!json_is_integer(status))
		*why = "its answer has no number \"status\"";
	else if (message && !json_is_string(message) && !json_is_null(message))
		*why = "\"msg\" in its answer is no text";
	else
		*why = NULL;
	if (*why == NULL) {
		out->status = json_integer_value(status);
		if (json_is_string(message))
			out->message = arena_dup(mem, str_pn(json_string_value(message), json_string_length(message)));
	}
	json_decref(root);
	return *why ? -1 : 0;
}

void policy_truncate(const unsigned char *digest, size_t n, unsigned bits, struct buf *out)
{
	unsigned shift = bits && bits < n * 8 ? (8 - bits % 8) % 8 : 0;

	if (bits && bits < n * 8)
		n = (bits + 7) / 8;
	for (size_t i = 0; i < n; i++) {
		unsigned two = (i ? digest[i - 1] : 0u) << 8 | digest[i];

		buf_addf(out, "%02x", two >> shift & 0xff);
	}
}

/* ---- what is sent ---- */

/* As %{requested_username}: of a master the user whom he wants to be. */
static struct str requested(const struct login *l)
{
	return l->vars.login_user.n ? l->vars.login_user : l->vars.user;
}

/* A mechanism of another kind has what is stored there in the end, or nothing of the token any more. */
static bool has_shown_password(const struct login *l)
{
	return !l->wants_key && (l->mech->flags & (SASL_PLAINTEXT | SASL_TOKEN)) == SASL_PLAINTEXT;
}

void policy_hash(struct login *l)
{
	const struct policy_settings *set = &l->authd->set->policy;
	struct str user = requested(l);
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct buf text = BUF_INIT(4096), hex = BUF_INIT(4 * EVP_MAX_MD_SIZE);
	unsigned n = 0;

	if (!set->is_set)
		return;
	text.max = strlen(set->nonce) + user.n + 1 + l->vars.pass.n;
	buf_add_c(&text, set->nonce);
	buf_add_str(&text, user);
	buf_add_char(&text, '\0');
	buf_add_str(&text, l->vars.pass);
	if (EVP_Digest(text.p, text.n, digest, &n, set->hash, NULL) != 1)
		panic("libcrypto computes no digest");
	policy_truncate(digest, n, set->truncate, &hex);
	l->vars.hashed_password = arena_dup(l->mem, buf_str(&hex));
	l->policy_user = arena_dup(l->mem, user);
	buf_wipe(&text);
	buf_wipe(&hex);
}

/* JSON is UTF-8; what a client sent may be anything. */
static json_t *text_of(struct str s, struct arena *mem)
{
	char *p = arena_cdup(mem, s);
	bool is_good = utf8_is_valid(s);

	for (size_t i = 0; !is_good && i < s.n; i++)
		if ((unsigned char)p[i] >= 0x80)
			p[i] = '?';
	return json_stringn(p, s.n);
}

/* "a/b" is {"a": {"b": …}}. */
static void put(json_t *object, struct str key, json_t *value, struct arena *mem)
{
	struct str name;
	json_t *inner;

	while (str_field(&key, "/", &name) && key.p) {
		inner = json_object_get(object, arena_cdup(mem, name));
		if (!json_is_object(inner)) {
			inner = json_object();
			json_object_set_new(object, arena_cdup(mem, name), inner);
		}
		object = inner;
	}
	json_object_set_new(object, arena_cdup(mem, name), value);
}

static json_t *attributes(struct login *l)
{
	const struct policy_settings *set = &l->authd->set->policy;
	json_t *o = json_object();

	/* A passdb may have given him another name: his name and the hash go together. */
	if (has_shown_password(l) && !str_eq(l->policy_user, requested(l)))
		policy_hash(l);
	for (size_t i = 0; i < set->n_attributes; i++) {
		struct str value = template_expand(&set->attribute[i].value, &l->vars, l->mem);

		put(o, set->attribute[i].key, text_of(value, l->mem), l->mem);
	}
	json_object_set_new(o, "tls", json_boolean(l->vars.secured.n > 0));
	return o;
}

/* Takes: json. */
static void send_json(struct login *l, struct fetch_call *call, struct str suffix, json_t *json)
{
	const struct policy_settings *set = &l->authd->set->policy;
	char *text = json_dumps(json, JSON_COMPACT);
	struct fetch_ask ask = { .is_post = true,
		.timeout_ms = set->timeout_ms,
		.suffix = suffix,
		.header = str_c(set->header),
		.body = str_c(text) };

	json_decref(json);
	fetch_start(l->authd->fetch, call, set->site, &ask);
	if (text)
		mem_wipe(text, strlen(text));
	free(text);
}

/* ---- what it says ---- */

static void refused(struct login *l, const struct policy_answer *a)
{
	l->is_policy_refused = true;
	l->reason = a->message;
	l->final = STR(""); /* a proof of ours that he was let in */
	if (l->authd->is_policy_bad && !l->is_policy_asked)
		l->guard.is_on = false; /* his password was not looked at: that is no failed login of his */
	login_fail(l, NULL,
		l->authd->is_policy_bad ? "the policy server does not answer (auth_policy_reject_on_fail)"
					: arena_printf(l->mem, "refused by the policy server%s%.*s",
						  a->message.n ? ": " : "", STR_ARG(a->message)));
}

static void go_on(struct login *l)
{
	l->state = LOGIN_WORK;
	l->policy_then(l);
}

static void obey(struct login *l, const struct policy_answer *a)
{
	uint64_t wait_s = a->status < WAIT_MAX_S ? (uint64_t)a->status : WAIT_MAX_S;

	if (a->status < 0) {
		refused(l, a);
	} else if (a->status > 0 && !l->has_no_penalty) {
		l->state = LOGIN_HOLD;
		l->on_time = go_on;
		login_wait(l, uv_now(l->authd->child.loop) + wait_s * 1000);
	} else {
		go_on(l);
	}
}

/* One line when it stops answering, and one when it is back. */
static void note_state(struct authd *a, const char *why)
{
	const struct policy_settings *set = &a->set->policy;

	if (why && !a->is_policy_bad)
		log_warn("auth: policy server: %s; logins %s until it answers", why,
			set->rejects_on_fail && !set->only_logs ? "are refused" : "go on");
	if (why == NULL && a->is_policy_bad)
		log_info("auth: policy server: it answers again");
	a->is_policy_bad = why != NULL;
}

static void on_answer(struct fetch_call *c, const struct fetch_answer *answer)
{
	struct login *l = container_of(c, struct login, policy_call);
	const struct policy_settings *set = &l->authd->set->policy;
	struct policy_answer a = { 0 };
	const char *why = NULL;

	if (l->client == NULL) {
		login_free(l);
		return;
	}
	if (answer->why.n)
		why = arena_cdup(l->mem, answer->why);
	else if (answer->status / 10 != 20)
		why = arena_printf(l->mem, "its answer is HTTP %u", (unsigned)answer->status);
	else
		policy_answer_parse(answer->body, l->mem, &a, &why);
	note_state(l->authd, why);
	if (why)
		a = (struct policy_answer){ .status = set->rejects_on_fail ? -1 : 0 };
	if (set->only_logs && a.status != 0) {
		log_info("auth: policy server: user=<%.*s>, rip=%.*s: status %lld%s%.*s, which auth_policy_log_only "
			 "ignores",
			STR_ARG(l->vars.user), STR_ARG(l->vars.remote_ip), (long long)a.status, a.message.n ? ": " : "",
			STR_ARG(a.message));
		a.status = 0;
	}
	obey(l, &a);
}

static void ask(struct login *l, void (*then)(struct login *l))
{
	l->state = LOGIN_WORK;
	l->policy_then = then;
	l->policy_call = (struct fetch_call){ .done = on_answer };
	send_json(l, &l->policy_call, l->authd->set->policy.allow, attributes(l));
}

void policy_before(struct login *l, void (*then)(struct login *l))
{
	const struct policy_settings *set = &l->authd->set->policy;

	if (set->is_set && set->asks_before)
		ask(l, then);
	else
		then(l);
}

bool policy_after(struct login *l)
{
	const struct policy_settings *set = &l->authd->set->policy;

	if (!set->is_set || !set->asks_after || l->is_policy_asked || l->client == NULL)
		return false;
	l->is_policy_asked = true;
	ask(l, login_succeed);
	return true;
}

/* ---- what it is told ---- */

struct report {
	struct fetch_call call;
};

static void on_reported(struct fetch_call *c, const struct fetch_answer *answer)
{
	(void)answer; /* fetchd says in the log when the server is away */
	free(container_of(c, struct report, call));
}

void policy_report(struct login *l, const char *fail_type)
{
	const struct policy_settings *set = &l->authd->set->policy;
	struct report *r;
	json_t *o;

	/* Answers are waited for; reports are not. */
	if (!set->is_set || !set->reports || fetch_under_way(l->authd->fetch) >= CALLS_FOR_REPORTS)
		return;
	o = attributes(l);
	json_object_set_new(o, "success", json_boolean(fail_type == NULL));
	json_object_set_new(o, "policy_reject", json_boolean(l->is_policy_refused));
	if (fail_type)
		json_object_set_new(o, "fail_type", json_string(fail_type));
	r = xcalloc(1, sizeof *r);
	r->call.done = on_reported;
	send_json(l, &r->call, set->report, o);
}
