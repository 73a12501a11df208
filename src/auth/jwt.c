#include "auth/jwt.h"

#include "auth/jwt_key.h"
#include "base/utf8.h"
#include "sasl/base64.h"

#include <jansson.h>
#include <stdlib.h>

enum { KEYS_MAX = 64 };

struct jwt_keys {
	struct jwt_key *key[KEYS_MAX];
	size_t n;
};

struct jwt_keys *jwt_keys_parse(struct str json, const char **why)
{
	json_t *root = json_loadb(json.p ? json.p : "", json.n, JSON_REJECT_DUPLICATES, NULL), *item;
	struct jwt_keys *k = xcalloc(1, sizeof *k);
	size_t at;

	*why = root == NULL ? "it is no JSON" : "no key of it is for RS256, ES256 or EdDSA";
	json_array_foreach(json_object_get(root, "keys"), at, item)
	{
		struct jwt_key *key = k->n < KEYS_MAX ? jwt_key_new(item) : NULL;

		if (key)
			k->key[k->n++] = key;
	}
	json_decref(root);
	if (k->n == 0)
		jwt_keys_free(&k);
	return k;
}

void jwt_keys_free(struct jwt_keys **k)
{
	if (*k == NULL)
		return;
	for (size_t i = 0; i < (*k)->n; i++)
		jwt_key_free(&(*k)->key[i]);
	free(*k);
	*k = NULL;
}

size_t jwt_keys_count(const struct jwt_keys *k)
{
	return k->n;
}

/* ---- the three parts ---- */

static json_t *part_json(struct str base64)
{
	struct buf raw = BUF_INIT(JWT_MAX);
	json_t *j = NULL;

	if (jwt_base64url(base64, &raw) == 0)
		j = json_loadb(raw.p ? raw.p : "", raw.n, JSON_REJECT_DUPLICATES, NULL);
	buf_wipe(&raw);
	if (j && !json_is_object(j)) {
		json_decref(j);
		j = NULL;
	}
	return j;
}

static struct str text_of(const json_t *object, const char *name)
{
	const json_t *v = json_object_get(object, name);

	return json_is_string(v) ? str_pn(json_string_value(v), json_string_length(v)) : STR("");
}

/* By its kid where the token names one, else any key of that algorithm. */
static bool is_signed(const struct jwt_keys *k, const json_t *header, struct str text, struct str signature)
{
	struct str kid = text_of(header, "kid"), alg = text_of(header, "alg");
	struct buf raw = BUF_INIT(1024);
	bool good = false;

	if (jwt_base64url(signature, &raw) == 0)
		for (size_t i = 0; i < k->n && !good; i++)
			good = jwt_key_is_for(k->key[i], alg, kid) && jwt_key_verify(k->key[i], text, buf_str(&raw));
	buf_free(&raw);
	return good;
}

/* ---- the claims ---- */

static bool has_word(struct str list, struct str word)
{
	struct str w;

	while (str_word(&list, " ,\t", &w))
		if (str_eq(w, word))
			return true;
	return false;
}

static bool has_time(const json_t *claims, const char *name, double *out)
{
	const json_t *v = json_object_get(claims, name);

	*out = json_number_value(v);
	return json_is_number(v);
}

static bool has_audience(const json_t *claims, struct str wanted)
{
	const json_t *aud = json_object_get(claims, "aud"), *item;
	size_t at;

	json_array_foreach(aud, at,
		item) if (json_is_string(item) &&
			  str_eq(str_pn(json_string_value(item), json_string_length(item)), wanted)) return true;
	return str_eq(text_of(claims, "aud"), wanted);
}

static bool has_scopes(const json_t *claims, struct str wanted)
{
	const json_t *scp = json_object_get(claims, "scp"), *item;
	struct str one, list = text_of(claims, json_object_get(claims, "scope") ? "scope" : "scp");
	size_t at;

	while (str_word(&wanted, " ,\t", &one)) {
		bool has = has_word(list, one);

		json_array_foreach(scp, at, item) has |=
			json_is_string(item) && str_eq(str_c(json_string_value(item)), one);
		if (!has)
			return false;
	}
	return true;
}

static bool is_active(const json_t *claims, const struct jwt_demands *d)
{
	const json_t *v = json_object_get(claims, d->active_attribute);

	if (*d->active_attribute == '\0')
		return true;
	if (v == NULL || *d->active_value == '\0')
		return v != NULL;
	if (json_is_boolean(v))
		return strcmp(d->active_value, json_is_true(v) ? "true" : "false") == 0;
	return json_is_string(v) && str_eq(text_of(claims, d->active_attribute), str_c(d->active_value));
}

/* RFC 7519 sec. 4.1, RFC 9068 sec. 4. NULL, or what is wrong. */
static const char *look_at_claims(const json_t *claims, const struct jwt_demands *d, time_t now)
{
	double at, t = (double)now;

	if (!has_time(claims, "exp", &at))
		return "the token has no time of expiry";
	if (at + JWT_LEEWAY_S <= t)
		return "the token has expired";
	if (json_object_get(claims, "nbf") && (!has_time(claims, "nbf", &at) || at - JWT_LEEWAY_S > t))
		return "the token is not good yet";
	if (json_object_get(claims, "iat") && (!has_time(claims, "iat", &at) || at - JWT_LEEWAY_S > t))
		return "the token is of the future";
	if (*d->issuers && !has_word(str_c(d->issuers), text_of(claims, "iss")))
		return "the token is of another issuer";
	if (*d->audience && !has_audience(claims, str_c(d->audience)))
		return "the token is for another audience";
	if (!has_scopes(claims, str_c(d->scope)))
		return "the token lacks a scope";
	return is_active(claims, d) ? NULL : "the account is not active, says the token";
}

int jwt_check(const struct jwt_keys *k, struct str token, const struct jwt_demands *d, time_t now, struct arena *mem,
	struct str *user, const char **why)
{
	struct str rest = token, head, body, signature, name;
	json_t *header = NULL, *claims = NULL;

	*user = (struct str){ 0 };
	*why = "the token is no signed JWT";
	if (token.n <= JWT_MAX && str_field(&rest, ".", &head) && str_field(&rest, ".", &body) &&
		str_field(&rest, ".", &signature) && rest.p == NULL && (header = part_json(head)) != NULL &&
		(claims = part_json(body)) != NULL) {
		name = text_of(claims, d->username_attribute);
		/* RFC 7515 sec. 4.1.11: an extension that must be understood. */
		if (json_object_get(header, "crit"))
			*why = "the token has an extension that is not known here";
		else if (!is_signed(k, header, str_sub(token, 0, head.n + 1 + body.n), signature))
			*why = "the token is signed by no known key";
		else if ((*why = look_at_claims(claims, d, now)) == NULL && (name.n == 0 || str_chr(name, '\0') >= 0))
			*why = "the token names no user";
		if (*why == NULL)
			*user = arena_dup(mem, name);
	}
	json_decref(header);
	json_decref(claims);
	return *why ? -1 : 0;
}
