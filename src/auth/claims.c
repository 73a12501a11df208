#include "auth/claims.h"

#include <stdlib.h>

json_t *claims_parse(struct str json)
{
	json_t *j = json_loadb(json.p ? json.p : "", json.n, JSON_REJECT_DUPLICATES, NULL);

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

struct str claims_text(const json_t *claims, const char *name, struct arena *mem)
{
	const json_t *v = json_object_get(claims, name);

	if (json_is_integer(v))
		return str_c(arena_printf(mem, "%lld", (long long)json_integer_value(v)));
	if (json_is_boolean(v))
		return json_is_true(v) ? STR("true") : STR("false");
	return arena_dup(mem, text_of(claims, name));
}

static bool has_word(struct str list, struct str word)
{
	struct str w;

	while (str_word(&list, " ,\t", &w))
		if (str_eq(w, word))
			return true;
	return false;
}

/* Google's tokeninfo writes its numbers as strings. */
static bool has_time(const json_t *claims, const char *name, bool may_be_text, double *out)
{
	const json_t *v = json_object_get(claims, name);
	uint64_t n;

	*out = json_number_value(v);
	if (json_is_number(v))
		return true;
	if (!may_be_text || !str_u64(text_of(claims, name), &n))
		return false;
	*out = (double)n;
	return true;
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
	uint64_t n;

	if (*d->active_attribute == '\0')
		return true;
	if (v == NULL || *d->active_value == '\0')
		return v != NULL;
	if (json_is_boolean(v))
		return strcmp(d->active_value, json_is_true(v) ? "true" : "false") == 0;
	if (json_is_integer(v))
		return str_u64(str_c(d->active_value), &n) && json_integer_value(v) == (json_int_t)n;
	return json_is_string(v) && str_eq(text_of(claims, d->active_attribute), str_c(d->active_value));
}

/* OpenID Connect Core sec. 5.1: an address that is not verified is what somebody wrote into a form. */
static bool is_verified(const json_t *claims, const struct jwt_demands *d)
{
	const json_t *v = json_object_get(claims, "email_verified");

	if (d->takes_unverified || v == NULL || (strcmp(d->username_attribute, "email") != 0 && !d->names_by_email))
		return true;
	return json_is_true(v) || str_eq(text_of(claims, "email_verified"), STR("true"));
}

static const char *look_at_times(const json_t *claims, bool is_answer, time_t now)
{
	double at, t = (double)now;

	if (json_object_get(claims, "exp") || !is_answer) {
		if (!has_time(claims, "exp", is_answer, &at))
			return "the token has no time of expiry";
		if (at + JWT_LEEWAY_S <= t)
			return "the token has expired";
	}
	if (json_object_get(claims, "nbf") && (!has_time(claims, "nbf", is_answer, &at) || at - JWT_LEEWAY_S > t))
		return "the token is not good yet";
	if (json_object_get(claims, "iat") && (!has_time(claims, "iat", is_answer, &at) || at - JWT_LEEWAY_S > t))
		return "the token is of the future";
	return NULL;
}

/* RFC 7519 sec. 4.1, RFC 9068 sec. 4, RFC 7662 sec. 2.2. */
static const char *look_at(const json_t *claims, const struct jwt_demands *d, bool is_answer, time_t now)
{
	const char *why = look_at_times(claims, is_answer, now);

	if (why)
		return why;
	if (*d->issuers && (!is_answer || json_object_get(claims, "iss")) &&
		!has_word(str_c(d->issuers), text_of(claims, "iss")))
		return "the token is of another issuer";
	if (*d->audience && !has_audience(claims, str_c(d->audience)))
		return "the token is for another audience";
	if (!has_scopes(claims, str_c(d->scope)))
		return "the token lacks a scope";
	if (!is_verified(claims, d))
		return "the token's email is not verified, says the token itself (email_verified)";
	return is_active(claims, d) ? NULL : "the account is not active, says the token";
}

const char *claims_check(const json_t *claims, const struct jwt_demands *d, time_t now)
{
	return look_at(claims, d, false, now);
}

const char *claims_check_answer(const json_t *answer, const struct jwt_demands *d, time_t now)
{
	const json_t *active = json_object_get(answer, "active");

	/* As a string it is nobody's idea of RFC 7662, and still what some servers write. */
	if (active && !json_is_true(active) && !str_eq(text_of(answer, "active"), STR("true")))
		return "the token is not active, says the server";
	if (json_object_get(answer, "error"))
		return "the token is refused by the server";
	return look_at(answer, d, true, now);
}

time_t claims_end(const json_t *answer, time_t now, time_t latest)
{
	double at, end = (double)latest;

	if (has_time(answer, "exp", true, &at) && at < end)
		end = at;
	if (has_time(answer, "expires_in", true, &at) && (double)now + at < end)
		end = (double)now + at;
	return end > (double)now ? (time_t)end : now;
}
