#include "authd/oauth2.h"

#include "authd/login.h"
#include "authd/settings_impl.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { JWKS_MAX = 1024 * 1024 };

/* ---- settings ---- */

/* Where a setting may stand: in the file that args names, or as oauth2_NAME in auth.conf. */
struct place {
	const struct dovecot_node *list;
	const char *prefix;
};

static const char *value_at(struct loader *l, const struct place *p, const char *name, const char *otherwise)
{
	char key[64];

	snprintf(key, sizeof key, "%s%s", p->prefix, name);
	return settings_keep(l, dovecot_value(p->list, key, otherwise));
}

static void complain(struct loader *l, const char *text)
{
	buf_addf(l->errors, "%s: %s\n", l->set->oauth2.file, text);
}

/* Settings that would change who gets in, and that are not obeyed. */
static void refuse_others(struct loader *l, const struct place *p)
{
	static const char *const others[] = { "tokeninfo_url", "introspection_url", "grant_url", "use_grant_password",
		"force_introspection", "local_validation_key_dict", "local_validation", "username_validation_format",
		"pass_attrs" };

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (*value_at(l, p, others[i], ""))
			buf_addf(l->errors,
				"%s: %s%s is not supported; tokens are checked by their signature (introspection_mode "
				"= local, jwks = FILE)\n",
				l->set->oauth2.file, p->prefix, others[i]);
	if (strcmp(value_at(l, p, "introspection_mode", "local"), "local") != 0)
		complain(l, "introspection_mode is not \"local\"; tokens are checked by their signature only, with "
			    "jwks = FILE");
}

static void load_keys(struct loader *l)
{
	struct oauth2 *o = &l->set->oauth2;
	int fd = open(o->jwks, O_RDONLY | O_CLOEXEC);
	struct buf text = BUF_INIT(JWKS_MAX);
	const char *why = NULL;
	ssize_t n = 0;
	char *p;

	if (fd < 0)
		why = strerror(errno);
	while (fd >= 0 && (p = buf_reserve(&text, 65536)) != NULL && (n = read(fd, p, 65536)) > 0)
		buf_commit(&text, (size_t)n);
	if (fd >= 0)
		close(fd);
	if (fd >= 0)
		o->keys = n == 0 ? jwt_keys_parse(buf_str(&text), &why) : NULL;
	if (o->keys == NULL)
		buf_addf(l->errors, "%s: jwks = %s: %s\n", o->file, o->jwks,
			why ? why : "it cannot be read, or is over 1 MB");
	buf_free(&text);
}

static void load_from(struct loader *l, const struct place *p)
{
	struct oauth2 *o = &l->set->oauth2;

	refuse_others(l, p);
	o->jwks = value_at(l, p, "jwks", "");
	o->demands = (struct jwt_demands){
		.issuers = value_at(l, p, "issuers", ""),
		.audience = value_at(l, p, "client_id", ""),
		.scope = value_at(l, p, "scope", ""),
		.active_attribute = value_at(l, p, "active_attribute", ""),
		.active_value = value_at(l, p, "active_value", ""),
		.username_attribute = value_at(l, p, "username_attribute", "email"),
	};
	if (*o->jwks == '\0')
		complain(l, "jwks is missing; it should name a file with the keys of the issuer (a JWK set)");
	else
		load_keys(l);
	/* Whoever issues tokens does so for others too: theirs must not open this door. */
	if (*o->demands.issuers == '\0' || *o->demands.audience == '\0')
		buf_addf(l->warnings,
			"%s: without both issuers and client_id a token that was meant for another service is taken "
			"too\n",
			o->file);
}

static void load_file(struct loader *l, const struct dovecot_node *args)
{
	struct dovecot_conf *c = dovecot_load_flat(args->value, l->errors);
	struct place p = { c->first, "" };

	l->set->oauth2.is_set = true;
	l->set->oauth2.file = settings_keep(l, args->value);
	load_from(l, &p);
	dovecot_free(&c);
}

void load_oauth2(struct loader *l)
{
	struct place flat = { l->conf->first, "oauth2_" };
	const struct dovecot_node *jwks = dovecot_get(l->conf->first, "oauth2_jwks"), *n = l->conf->first, *args;

	for (; (n = dovecot_section(n, "passdb")) != NULL; n = n->next)
		if (strcmp(dovecot_value(n->child, "driver", n->name), "oauth2") == 0 && !l->set->oauth2.is_set) {
			args = dovecot_get(n->child, "args");
			if (args)
				load_file(l, args);
			else if (jwks == NULL)
				settings_complain(
					l, n, "passdb oauth2 needs args = FILE, or oauth2_jwks = FILE outside");
		}
	if (jwks && !l->set->oauth2.is_set) {
		l->set->oauth2.is_set = true;
		l->set->oauth2.file = settings_keep(l, jwks->file);
		load_from(l, &flat);
	}
	for (size_t i = 0; i < l->set->n_mechs; i++)
		if ((l->set->mech[i]->flags & SASL_TOKEN) && !l->set->oauth2.is_set)
			buf_addf(l->errors,
				"auth_mechanisms has %s; it needs \"passdb { driver = oauth2  args = FILE }\"\n",
				l->set->mech[i]->name);
}

/* ---- a login ---- */

void oauth2_check(struct login *l)
{
	const struct oauth2 *o = &l->authd->set->oauth2;
	struct vars claimed = l->vars;
	struct str token = l->vars.pass, user;
	const char *why;

	l->vars.pass = (struct str){ 0 };
	l->is_unknown = true;
	if (jwt_check(o->keys, token, &o->demands, time(NULL), l->mem, &user, &why) == 0 &&
		username_normalise(l->authd->set, &l->vars, user, l->mem, &why) == 0) {
		/* Whom the client names must be whom the token names. */
		l->is_unknown = claimed.user.n && !str_eq(claimed.user, l->vars.user);
		why = "the token is another user's";
	}
	if (l->is_unknown) {
		log_info("auth: oauth2(%.*s,%.*s): %s (method %s)", STR_ARG(claimed.user), STR_ARG(l->vars.remote_ip),
			why, l->mech->name);
		l->vars = claimed;
		l->vars.pass = (struct str){ 0 };
	}
	login_key(l, l->is_unknown ? STR("") : l->vars.user);
}
