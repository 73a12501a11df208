/* One token: by its signature where there are keys and it is a JWT, else by asking; then whose it is. */
#include "authd/oauth2.h"

#include "authd/fields.h"
#include "authd/login.h"
#include "authd/trace.h"
#include "base/log.h"

static void end(struct oauth2_work *w)
{
	json_decref(w->claims);
	w->claims = NULL;
}

static void refuse(struct oauth2_work *w, const char *why)
{
	struct login *l = w->login;

	end(w);
	log_info("auth: oauth2(%.*s,%.*s): %s (method %s)", STR_ARG(l->vars.user), STR_ARG(l->vars.remote_ip), why,
		l->mech->name);
	TRACE(l, "note", "why=", str_c(why));
	l->is_unknown = true;
	login_key(l, STR(""));
}

void oauth2_end_temporary(struct oauth2_work *w)
{
	if (w->is_grant) {
		oauth2_grant_judged(w, NULL, false);
		return;
	}
	end(w);
	login_temp_fail(w->login);
}

/* ---- whose it is ---- */

static struct str in_form(const struct oauth2 *o, struct vars v, struct str user, struct arena *mem)
{
	vars_set_user(&v, user);
	return template_expand(&o->username_format, &v, mem);
}

/* Whom the client names must be whom the token names. Returns NULL and sets *user, or what is wrong. */
static const char *find_user(const struct oauth2_work *w, struct str name, struct str *user)
{
	struct login *l = w->login;
	const struct oauth2 *o = w->set;
	struct vars own = l->vars;
	const char *why = NULL;
	struct str form;

	if (name.n == 0 || str_chr(name, '\0') >= 0)
		return "the token names no user";
	if (username_normalise(l->authd->set, &own, name, l->mem, &why) < 0)
		return why;
	*user = l->vars.user.n ? l->vars.user : own.user;
	form = in_form(o, l->vars, *user, l->mem);
	/* Nothing is the same as nothing, whoever they are. */
	return form.n && str_eq(form, in_form(o, l->vars, own.user, l->mem)) ? NULL : "the token is another user's";
}

/* The claims that are text, as the columns of a database would be. */
static struct sql_row *row_of(const json_t *claims, struct arena *mem)
{
	struct sql_row *row = arena_alloc(mem, sizeof *row);
	size_t n = json_object_size(claims);
	const char *name;
	json_t *unused;

	row->field = arena_array(mem, n ? n : 1, sizeof *row->field);
	json_object_foreach((json_t *)(uintptr_t)claims, name, unused)
	{
		struct str value = claims_text(claims, name, mem);

		if (value.n && str_chr(value, '\0') < 0)
			row->field[row->n++] = (struct sql_field){ arena_dup(mem, str_c(name)), value, false };
	}
	return row;
}

struct sql_row *oauth2_fields(const struct oauth2_work *w)
{
	struct vars own = w->login->vars;

	own.passdb = row_of(w->claims, w->login->mem);
	return fields_expand(w->set->fields, &own, w->login->mem);
}

static void take_fields(struct oauth2_work *w)
{
	struct login *l = w->login;
	struct str user;

	if (w->set->fields->n == 0)
		return;
	l->kept = fields_merge(l->kept, oauth2_fields(w), l->mem);
	l->vars.passdb = l->kept;
	user = fields_get(l->kept, "user");
	if (user.n)
		vars_set_user(&l->vars, user);
}

void oauth2_judge(struct oauth2_work *w, const char *why, const struct jwt_demands *d)
{
	struct login *l = w->login;
	struct str user = { 0 };

	if (why == NULL)
		why = find_user(w, claims_text(w->claims, d->username_attribute, l->mem), &user);
	if (w->is_grant) {
		oauth2_grant_judged(w, why, true);
		return;
	}
	if (why) {
		refuse(w, why);
		return;
	}
	vars_set_user(&l->vars, user);
	take_fields(w);
	end(w);
	l->is_unknown = false;
	login_key(l, l->vars.user);
}

/* ---- which way ---- */

void oauth2_by_signature(struct oauth2_work *w)
{
	const struct authd *a = w->login->authd;
	const struct jwt_demands *d = &a->set->oauth2.demands;
	const struct jwt_keys *keys = oauth2_keys(a);
	const char *why = NULL;

	if (jwt_needs_other_keys(keys, w->token)) {
		if (!w->is_second && oauth2_keys_wait(w))
			return;
		if (!oauth2_keys_are_current(a)) {
			oauth2_end_temporary(w);
			return;
		}
	}
	if (keys == NULL)
		why = "the token is no JWT of a kind that is known here";
	else
		w->claims = jwt_claims(keys, w->token, &why);
	oauth2_judge(w, why ? why : claims_check(w->claims, d, time(NULL)), d);
}

static bool is_for(const char *mechanisms, const char *name)
{
	struct str rest = str_c(mechanisms), word;
	bool all = true;

	while (str_word(&rest, " \t,", &word)) {
		all = false;
		if (str_ieq(word, str_c(name)))
			return true;
	}
	return all;
}

void oauth2_check(struct login *l)
{
	const struct oauth2 *o = &l->authd->set->oauth2;
	struct oauth2_work *w = arena_alloc(l->mem, sizeof *w);
	bool has_server = o->tokeninfo_site >= 0 || o->introspection_site >= 0;

	w->login = l;
	w->set = o;
	w->token = l->vars.pass;
	l->vars.pass = (struct str){ 0 };
	l->state = LOGIN_WORK;
	if (!is_for(o->mechanisms, l->mech->name))
		refuse(w, "the passdb of tokens is not for this mechanism (mechanisms =)");
	else if (o->has_keys && (!has_server || jwt_is_one(w->token)))
		oauth2_by_signature(w);
	else
		oauth2_ask(w);
}
