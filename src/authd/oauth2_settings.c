/* What the settings of tokens say, wherever they stand: the words of Dovecot 2.3 and of 2.4. */
#include "authd/oauth2_places.h"

#include "base/log.h"

#include <stdlib.h>

enum { TIMEOUT_MS = 10000 };

void oauth2_place_add(struct oauth2_places *p, const struct dovecot_node *list, const char *prefix)
{
	require(p->n < OAUTH2_PLACES_MAX);
	p->at[p->n].list = list;
	p->at[p->n++].prefix = prefix;
}

const struct dovecot_node *oauth2_place_get(const struct oauth2_places *p, const char *name)
{
	const struct dovecot_node *n = NULL;
	char key[64];

	for (size_t i = 0; i < p->n && n == NULL; i++) {
		snprintf(key, sizeof key, "%s%s", p->at[i].prefix, name);
		n = dovecot_get(p->at[i].list, key);
	}
	return n;
}

static const char *text(struct loader *l, const struct oauth2_places *p, const char *name, const char *otherwise)
{
	const struct dovecot_node *n = oauth2_place_get(p, name);

	return n ? settings_keep(l, n->value) : otherwise;
}

static bool is_on(struct loader *l, const struct oauth2_places *p, const char *name)
{
	const struct dovecot_node *n = oauth2_place_get(p, name);
	bool on = false;

	if (n && *n->value && dovecot_bool(n->value, &on) < 0)
		settings_complain(l, n, "%s = %s; it should be yes or no", n->key, n->value);
	return on;
}

/* In milliseconds. */
static uint64_t number(struct loader *l, const struct oauth2_places *p, const char *name, uint64_t otherwise)
{
	const struct dovecot_node *n = oauth2_place_get(p, name);
	uint64_t ms = 0;

	if (n && !str_u64(str_c(n->value), &ms))
		settings_complain(l, n, "%s = %s; it should be a number of milliseconds", n->key, n->value);
	return ms ? ms : otherwise;
}

static void complain(struct loader *l, const struct oauth2_places *p, const char *what)
{
	buf_addf(l->errors, "%s: %s\n", p->out->file, what);
}

/* ---- what is not obeyed, and would change who gets in, or who is believed ---- */

static void refuse_others(struct loader *l, const struct oauth2_places *p)
{
	static const struct {
		const char *name, *instead;
	} others[] = {
		{ "tls_ca_cert_dir", "name a file with tls_ca_cert_file" },
		{ "ssl_client_ca_dir", "name a file with ssl_client_ca_file" },
		{ "tls_cert_file", "a server that knows us by a certificate cannot be asked" },
		{ "ssl_client_cert_file", "a server that knows us by a certificate cannot be asked" },
	};
	const struct dovecot_node *n;

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if ((n = oauth2_place_get(p, others[i].name)) != NULL && *n->value)
			settings_complain(l, n, "%s is not supported; %s", n->key, others[i].instead);
	if (!p->out->is_grant && is_on(l, p, "use_grant_password"))
		complain(l, p,
			"use_grant_password is for passwords; it needs \"passdb { driver = oauth2  mechanisms = plain "
			"login  "
			"args = FILE }\", and a file of its own");
	n = oauth2_place_get(p, "ssl_client_require_valid_cert");
	if (is_on(l, p, "tls_allow_invalid_cert") || (n && strcmp(n->value, "no") == 0))
		complain(l, p,
			"a certificate that is not valid is never believed; name its authority with tls_ca_cert_file");
}

/* ---- URLs ---- */

/* Returns the number of the site, or OAUTH2_NO_SITE: there is none by that name, or it is of no use. */
static int load_url(struct loader *l, const struct oauth2_places *p, const char *name, bool takes_suffix)
{
	const struct dovecot_node *n = oauth2_place_get(p, name);
	struct fetch_site_settings set = {
		.authorities =
			text(l, p, "tls_ca_cert_file", text(l, p, "ssl_client_ca_file", p->ca_file ? p->ca_file : "")),
		.idle_ms = number(l, p, "max_idle_time_msecs", 0),
		.takes_suffix = takes_suffix,
		.loss = strcmp(name, "jwks") == 0 ? FETCH_LOSS_KEYS : FETCH_LOSS_LOGINS,
	};
	const char *why;
	int site;

	if (n == NULL || *n->value == '\0')
		return OAUTH2_NO_SITE;
	set.url = settings_keep(l, n->value);
	site = fetch_site_add(&l->set->fetch, &set, l->set->mem, &why);
	if (site < 0)
		settings_complain(l, n, "%s: %s", n->key, why); /* not the URL: it may hold a password */
	else if (fetch_site_is_open(set.url) && strcmp(name, "jwks") == 0)
		settings_complain(l, n,
			"%s is http: who stands in between could put keys of his own there, and log in as "
			"anybody; it must be https, or a file",
			n->key);
	else if (fetch_site_is_open(set.url) && strcmp(name, "grant_url") == 0)
		settings_complain(l, n,
			"%s is http: passwords would cross the network for everybody to read; it must be https",
			n->key);
	else if (fetch_site_is_open(set.url))
		buf_addf(l->warnings,
			"%s, line %u: %s is http: tokens cross the network for everybody to read; it should be https\n",
			n->file, n->line, n->key);
	return site;
}

static bool is_url(const char *s)
{
	return str_has_iprefix(str_c(s), STR("http://")) || str_has_iprefix(str_c(s), STR("https://"));
}

/* local_validation { dict fs { fs posix { prefix = /etc/dovecot/keys/ } } } */
static const char *modern_dict(const struct oauth2_places *p)
{
	static const char *const path[] = { "dict", "fs" };
	const struct dovecot_node *n = NULL;

	for (size_t i = 0; i < p->n && n == NULL; i++) {
		n = dovecot_section(p->at[i].list, "oauth2_local_validation");
		if (n == NULL && *p->at[i].prefix == '\0')
			n = dovecot_section(p->at[i].list, "local_validation");
	}
	for (size_t i = 0; n && i < sizeof path / sizeof *path; i++)
		n = dovecot_section(n->child, path[i]);
	if (n == NULL || strcmp(n->name, "posix") != 0)
		return "";
	return dovecot_value(n->child, "prefix", dovecot_value(n->child, "fs_posix_prefix", ""));
}

static void load_all_keys(struct loader *l, const struct oauth2_places *p)
{
	struct oauth2 *o = p->out;
	const char *dict = text(l, p, "local_validation_key_dict", modern_dict(p));

	o->has_keys = *o->jwks || *dict;
	if (o->has_keys && o->is_grant)
		complain(l, p,
			"jwks and local_validation_key_dict are for tokens that clients show; with use_grant_password "
			"they would let in by PLAIN whoever has one; remove them here, and put them into a passdb of "
			"its own with mechanisms = oauthbearer xoauth2");
	else if (*o->jwks && *dict)
		complain(l, p, "there are both jwks and local_validation_key_dict; it should be one of them");
	else if (is_url(o->jwks))
		o->jwks_site = load_url(l, p, "jwks", false);
	else if (*o->jwks)
		o->keys = oauth2_jwks_load(l, o->jwks);
	else if (*dict)
		o->keys = oauth2_dict_load(l, dict);
}

static void load_mode(struct loader *l, const struct oauth2_places *p)
{
	static const char *const names[] = {
		[OAUTH2_AUTH] = "auth", [OAUTH2_GET] = "get", [OAUTH2_POST] = "post", [OAUTH2_LOCAL] = "local"
	};
	const struct dovecot_node *n = oauth2_place_get(p, "introspection_mode");

	for (size_t i = 0; n && i < sizeof names / sizeof *names; i++)
		if (strcmp(n->value, names[i]) == 0) {
			p->out->mode = (enum oauth2_mode)i;
			return;
		}
	if (n && *n->value)
		settings_complain(l, n, "introspection_mode = %s; it should be auth, get, post or local", n->value);
}

static void load_servers(struct loader *l, const struct oauth2_places *p)
{
	struct oauth2 *o = p->out;
	const struct dovecot_node *n = oauth2_place_get(p, "introspection_url");
	size_t n_faults = l->errors->n;
	struct fetch_url u;
	const char *why;

	load_mode(l, p);
	o->tokeninfo_site = o->introspection_site = o->jwks_site = o->grant_site = OAUTH2_NO_SITE;
	if (o->is_grant)
		o->grant_site = load_url(l, p, "grant_url", false);
	else if (o->mode != OAUTH2_LOCAL)
		o->tokeninfo_site = load_url(l, p, "tokeninfo_url", true);
	if (o->mode != OAUTH2_LOCAL) {
		o->introspection_site = load_url(l, p, "introspection_url", o->mode == OAUTH2_GET);
		if (n && fetch_url_parse(str_c(n->value), &u, &why) == 0)
			o->has_user = u.authority.p > n->value && u.authority.p[-1] == '@';
	}
	/* One header cannot show both, and a server that does not see the token would say of each that it is good. */
	if (o->has_user && o->mode == OAUTH2_AUTH)
		settings_complain(l, n,
			"%s has a user, who would take the token's place; it should be introspection_mode = post, or a "
			"URL "
			"without one",
			n->key);
	load_all_keys(l, p);
	if (o->is_grant && o->grant_site < 0 && l->errors->n == n_faults)
		complain(l, p, "use_grant_password needs grant_url, the issuer's URL for tokens");
	if (o->is_grant)
		return;
	if (o->mode == OAUTH2_LOCAL && !o->has_keys)
		complain(l, p, "jwks is missing; it should name a file or URL with the keys of the issuer (a JWK set)");
	else if (!o->has_keys && o->tokeninfo_site < 0 && o->introspection_site < 0 && l->errors->n == n_faults)
		complain(l, p,
			"there should be jwks = FILE or URL with the keys of the issuer (a JWK set), "
			"introspection_url or "
			"tokeninfo_url");
}

/* ---- what a token has to be ---- */

static void load_demands(struct loader *l, const struct oauth2_places *p)
{
	struct oauth2 *o = p->out;
	const struct dovecot_node *scope = oauth2_place_get(p, "scope"),
				  *openid = oauth2_place_get(p, "openid_configuration_url");
	struct fetch_url u;
	const char *why;

	o->client_id = text(l, p, "client_id", "");
	o->client_secret = text(l, p, "client_secret", "");
	o->demands = (struct jwt_demands){
		.issuers = text(l, p, "issuers", ""),
		.audience = text(l, p, "audience", o->client_id),
		.scope = text(l, p, "scope", ""),
		.active_attribute = text(l, p, "active_attribute", ""),
		.active_value = text(l, p, "active_value", ""),
		.username_attribute = text(l, p, "username_attribute", "email"),
		.takes_unverified = is_on(l, p, "accept_unverified_email"),
	};
	o->answer_demands = o->demands;
	o->answer_demands.audience = text(l, p, "audience", "");
	o->openid_configuration_url = text(l, p, "openid_configuration_url", "");
	/* Both are shown to clients in JSON, as they are; RFC 6749 sec. 3.3 has neither octet in a scope. */
	if (scope && strpbrk(scope->value, "\"\\"))
		settings_complain(l, scope, "%s has a quote or a backslash, which no scope has", scope->key);
	if (openid && *openid->value && fetch_url_parse(str_c(openid->value), &u, &why) < 0)
		settings_complain(l, openid, "%s = %s: %s", openid->key, openid->value, why);
}

static void load_format(struct loader *l, const struct oauth2_places *p)
{
	const struct dovecot_node *n = oauth2_place_get(p, "username_validation_format");
	const char *why;

	n = n ? n : oauth2_place_get(p, "username_format");
	if (template_compile(str_c(n && *n->value ? n->value : "%u"), l->set->mem, &p->out->username_format, &why) < 0)
		settings_complain(l, n, "%s: %s", n->key, why);
	else if (!p->out->username_format.has_vars)
		settings_complain(
			l, n, "%s = %s; it should have a variable: all users would be the same one", n->key, n->value);
}

/* Does a field that says who it is take that from an address, which need not be verified? */
static bool names_by_email(struct str key, struct str value)
{
	static const char *const names[] = { "user", "username", "domain", "login_user" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_ieq(key, str_c(names[i])))
			return value.n > 0 && memmem(value.p, value.n, "oauth2:email", 12) != NULL;
	return false;
}

/* pass_attrs = user=%{oauth2:sub} proxy=y; 2.4: fields { user = %{oauth2:sub} } */
static void add_field(struct loader *l, const struct oauth2_places *p, const struct dovecot_node *at, struct str key,
	struct str value)
{
	struct db_fields *fields = p->out->fields;
	struct db_field *f = &fields->field[fields->n];
	/* They are a matter of the passwords' passdbs; here nobody would look at them. */
	static const char *const refused[] = { "nologin", "fail", "allow_nets", "allow_real_nets", "password" };
	const char *why;

	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (str_ieq(key, str_c(refused[i])))
			settings_complain(l, at, "the field %s is not supported for tokens", refused[i]);
	if (fields->n == FIELDS_MAX) {
		settings_complain(l, at, "more than %d fields", FIELDS_MAX);
		return;
	}
	f->key = arena_cdup(l->set->mem, key);
	if (value.n == 0 || str_eq(value, STR("%$"))) /* as it is named by the token */
		value = str_c(arena_printf(l->set->mem, "%%{oauth2:%s}", f->key));
	if (template_compile(value, l->set->mem, &f->value, &why) < 0)
		settings_complain(l, at, "%s: %s", f->key, why);
	p->out->demands.names_by_email |= names_by_email(key, value);
	p->out->answer_demands.names_by_email |= names_by_email(key, value);
	fields->n++;
}

static void load_fields(struct loader *l, const struct oauth2_places *p)
{
	const struct dovecot_node *n = oauth2_place_get(p, "pass_attrs");
	struct str rest = str_c(n ? n->value : ""), word, key;

	p->out->fields = arena_alloc(l->set->mem, sizeof *p->out->fields);
	while (str_word(&rest, " \t,", &word)) {
		str_field(&word, "=", &key);
		add_field(l, p, n, key, word.p ? word : STR(""));
	}
	for (size_t i = 0; i < p->n; i++)
		for (const struct dovecot_node *s = p->at[i].list; s; s = s->next) {
			bool is_fields = s->name && strcmp(s->key, "fields") == 0 && *p->at[i].prefix == '\0';

			is_fields |= s->name && strcmp(s->key, "oauth2_fields") == 0;
			for (n = is_fields ? s->child : NULL; n; n = n->next)
				if (n->name == NULL)
					add_field(l, p, n, str_c(n->key), str_c(n->value));
		}
}

static uint64_t load_timeout(struct loader *l, const struct oauth2_places *p)
{
	const struct dovecot_node *n = oauth2_place_get(p, "http_client_request_timeout");
	uint64_t ms = number(l, p, "timeout_msecs", TIMEOUT_MS);

	if (n && dovecot_time_ms(n->value, &ms) < 0)
		settings_complain(l, n, "%s = %s; it should be a time, such as \"10 secs\"", n->key, n->value);
	return ms > FETCH_TIMEOUT_MAX_MS ? FETCH_TIMEOUT_MAX_MS : ms ? ms : TIMEOUT_MS;
}

static void warn(struct loader *l, const struct oauth2 *o)
{
	/* That one was issued to us a moment before. */
	if (o->is_grant)
		return;
	/* Whoever issues tokens does so for others too: theirs must not open this door. */
	if (o->has_keys && (*o->demands.issuers == '\0' || *o->demands.audience == '\0'))
		buf_addf(l->warnings,
			"%s: without both issuers and client_id a token that was meant for another service is taken "
			"too\n",
			o->file);
	if ((o->introspection_site >= 0 || o->tokeninfo_site >= 0) && *o->answer_demands.audience == '\0' &&
		*o->demands.scope == '\0')
		buf_addf(l->warnings,
			"%s: without audience or scope a token that was meant for another service is taken too, unless "
			"the "
			"server itself says that it is not for us\n",
			o->file);
}

void oauth2_load_from(struct loader *l, const struct oauth2_places *p)
{
	struct oauth2 *o = p->out;

	o->is_set = true;
	refuse_others(l, p);
	o->timeout_ms = load_timeout(l, p);
	o->forces_introspection = is_on(l, p, "force_introspection");
	o->sends_headers = is_on(l, p, "send_auth_headers");
	o->jwks = text(l, p, "jwks", "");
	load_demands(l, p);
	load_format(l, p);
	load_fields(l, p);
	load_servers(l, p);
	warn(l, o);
}
