#include "auth/jwt.h"

#include "auth/jwt_key.h"
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

	*why = root == NULL ? "it is no JSON" : "no key of it is for " JWT_ALGS;
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

struct jwt_keys *jwt_keys_new(void)
{
	return xcalloc(1, sizeof(struct jwt_keys));
}

int jwt_keys_add_pem(struct jwt_keys *k, struct str pem, struct str azp, struct str alg, struct str kid)
{
	struct jwt_key *key = k->n < KEYS_MAX ? jwt_key_from_pem(pem, azp, alg, kid) : NULL;

	if (key)
		k->key[k->n++] = key;
	return key ? 0 : -1;
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
		j = claims_parse(buf_str(&raw));
	buf_wipe(&raw);
	return j;
}

static struct str text_of(const json_t *object, const char *name)
{
	const json_t *v = json_object_get(object, name);

	return json_is_string(v) ? str_pn(json_string_value(v), json_string_length(v)) : STR("");
}

/* By its kid where the token names one, else any key of that algorithm. */
static bool is_signed(
	const struct jwt_keys *k, const json_t *header, struct str azp, struct str text, struct str signature)
{
	struct str kid = text_of(header, "kid"), alg = text_of(header, "alg");
	struct buf raw = BUF_INIT(1024);
	bool good = false;

	if (jwt_base64url(signature, &raw) == 0)
		for (size_t i = 0; i < k->n && !good; i++)
			good = jwt_key_is_for(k->key[i], alg, kid) && jwt_key_is_of(k->key[i], azp) &&
			       jwt_key_verify(k->key[i], alg, text, buf_str(&raw));
	buf_free(&raw);
	return good;
}

/* ---- the whole ---- */

bool jwt_is_one(struct str token)
{
	struct str rest = token, head, body, signature;
	json_t *header = NULL;
	bool is_one = token.n <= JWT_MAX && str_field(&rest, ".", &head) && str_field(&rest, ".", &body) &&
		      str_field(&rest, ".", &signature) && rest.p == NULL && (header = part_json(head)) != NULL;

	json_decref(header);
	return is_one;
}

bool jwt_needs_other_keys(const struct jwt_keys *k, struct str token)
{
	struct str head = token;
	json_t *header = NULL;
	bool known = true;

	if (jwt_is_one(token) && str_field(&token, ".", &head) && (header = part_json(head)) != NULL)
		known = !jwt_alg_is_known(text_of(header, "alg"));
	for (size_t i = 0; k && i < k->n && !known; i++)
		known = jwt_key_is_for(k->key[i], text_of(header, "alg"), text_of(header, "kid"));
	json_decref(header);
	return !known;
}

json_t *jwt_claims(const struct jwt_keys *k, struct str token, const char **why)
{
	struct str rest = token, head, body, signature;
	json_t *header = NULL, *claims = NULL;

	*why = "the token is no signed JWT";
	if (token.n <= JWT_MAX && str_field(&rest, ".", &head) && str_field(&rest, ".", &body) &&
		str_field(&rest, ".", &signature) && rest.p == NULL && (header = part_json(head)) != NULL &&
		(claims = part_json(body)) != NULL) {
		*why = NULL;
		/* RFC 7515 sec. 4.1.11: an extension that must be understood. */
		if (json_object_get(header, "crit"))
			*why = "the token has an extension that is not known here";
		else if (!is_signed(
				 k, header, text_of(claims, "azp"), str_sub(token, 0, head.n + 1 + body.n), signature))
			*why = "the token is signed by no known key";
	}
	json_decref(header);
	if (*why == NULL)
		return claims;
	json_decref(claims);
	return NULL;
}

int jwt_check(const struct jwt_keys *k, struct str token, const struct jwt_demands *d, time_t now, struct arena *mem,
	struct str *user, const char **why)
{
	json_t *claims = jwt_claims(k, token, why);
	struct str name = text_of(claims, d->username_attribute);

	*user = (struct str){ 0 };
	if (claims && (*why = claims_check(claims, d, now)) == NULL && (name.n == 0 || str_chr(name, '\0') >= 0))
		*why = "the token names no user";
	if (*why == NULL)
		*user = arena_dup(mem, name);
	json_decref(claims);
	return *why ? -1 : 0;
}
