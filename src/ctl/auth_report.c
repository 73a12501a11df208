#include "ctl/auth_probe.h"

#include "base/utf8.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

struct report_step *report_add(struct report *r, const char *what, uint64_t at_ns)
{
	struct report_step *s = &r->step[r->n < REPORT_STEPS - 1 ? r->n++ : REPORT_STEPS - 1];

	*s = (struct report_step){ .at_ns = at_ns, .what = what };
	return s;
}

void report_pair(struct report *r, struct report_step *s, const char *key, struct str value)
{
	if (s->n == REPORT_PAIRS)
		return;
	s->key[s->n] = str_c(key);
	s->value[s->n++] = arena_dup(r->mem, value);
}

static int by_time(const void *a, const void *b)
{
	const struct report_step *x = *(const struct report_step *const *)a, *y = *(const struct report_step *const *)b;

	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return x < y ? -1 : x > y; /* as they were said */
}

static const struct report_step **sorted(struct report *r)
{
	const struct report_step **list = arena_array(r->mem, r->n + 1, sizeof *list);

	for (size_t i = 0; i < r->n; i++)
		list[i] = &r->step[i];
	qsort(list, r->n, sizeof *list, by_time);
	return list;
}

static struct str get(const struct report_step *s, const char *key)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->key[i], str_c(key)))
			return s->value[i];
	return STR("");
}

static double ms(const struct report *r, uint64_t at_ns)
{
	return at_ns > r->begin_ns ? (double)(at_ns - r->begin_ns) / 1e6 : 0;
}

/* ---- text ---- */

/*
 * How a step reads: "{key}" stands for a value, "[…]" is left away when a value in it is empty. Of several rows for a step the
 * first counts whose condition, key and value, is true.
 */
static const struct {
	const char *what, *key, *value, *text;
} lines[] = {
	{ "connected", NULL, NULL, "{socket}: connected; protocol 1.{minor}, offers {offers}" },
	{ "unwatched", NULL, NULL, "the steps within the service cannot be shown: {why}" },
	{ "sent", NULL, NULL, "we: {message}" },
	{ "challenge", NULL, NULL, "service: {message}" },
	{ "answer", NULL, NULL, "service: {message}" },
	{ "begin", NULL, NULL, "authd: has the request: {mech}, service {service}[, from {rip}]" },
	{ "name", "user", "", "authd: the name \"{sent}\" is none" },
	{ "name", NULL, NULL, "authd: \"{sent}\" is looked up as \"{user}\"[, and wants to be \"{as}\"]" },
	{ "skipped", NULL, NULL, "authd: passdb {passdb} ({driver}) is not asked: {why}" },
	{ "lookup", NULL, NULL, "authd: passdb {passdb} ({driver}, {file}): {result}, says the {from}[: {why}]" },
	{ "compared", "nobody", "yes",
		"authd: passdb {passdb}: no password to compare with; one is hashed all the same ({scheme}, {hash_ms} "
		"ms, {how}), so "
		"that the time tells nobody" },
	{ "compared", NULL, NULL, "authd: passdb {passdb}: password against {scheme}: {result} ({how}, {hash_ms} ms)" },
	{ "key", NULL, NULL, "authd: passdb {passdb}: {use}[ ({scheme})]" },
	{ "token", NULL, NULL, "authd: the token is {result}" },
	{ "note", NULL, NULL, "authd: {why}" },
	{ "decided", NULL, NULL, "authd: passdb {passdb} ({driver}): {result}[ ({rule})]; {then}" },
	{ "field", NULL, NULL, "authd: field {name}[ = {value}]" },
	{ "end", "outcome", "ok", "authd: ok, user \"{user}\"" },
	{ "end", "delay_ms", "0", "authd: {outcome}[, code {code}][: {why}]" },
	{ "end", NULL, NULL, "authd: {outcome}[, code {code}][: {why}]; told in {delay_ms} ms" },
};

static struct str value_of(struct report *r, const struct report_step *s, struct str key)
{
	char name[32];
	uint64_t us;

	snprintf(name, sizeof name, "%.*s", STR_ARG(key));
	if (strcmp(name, "hash_ms") == 0 && str_u64(get(s, "hash_us"), &us))
		return str_c(arena_printf(r->mem, "%.1f", (double)us / 1000));
	return get(s, name);
}

/* A value that a peer chose, on a terminal. */
static void put_value(struct str v)
{
	struct buf shown = BUF_INIT(SIZE_MAX / 4);

	utf8_add_visible(&shown, v);
	fwrite(shown.p ? shown.p : "", 1, shown.n, stdout);
	buf_free(&shown);
}

/* Are all values in "…]" there? */
static bool is_filled(struct report *r, const struct report_step *s, const char *p)
{
	for (; *p && *p != ']'; p++)
		if (*p == '{') {
			size_t n = strcspn(p, "}");

			if (value_of(r, s, str_pn(p + 1, n - 1)).n == 0)
				return false;
		}
	return true;
}

static void put_line(struct report *r, const struct report_step *s, const char *p)
{
	for (; *p; p++) {
		if (*p == '{') {
			size_t n = strcspn(p, "}");

			put_value(value_of(r, s, str_pn(p + 1, n - 1)));
			p += n;
		} else if (*p == '[' && !is_filled(r, s, p)) {
			p += strcspn(p, "]");
		} else if (*p != '[' && *p != ']') {
			putchar(*p);
		}
	}
	putchar('\n');
}

static void put_step(struct report *r, const struct report_step *s)
{
	printf("%9.1f ms  ", ms(r, s->at_ns));
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		if (strcmp(lines[i].what, s->what) == 0 &&
			(lines[i].key == NULL || str_eq(get(s, lines[i].key), str_c(lines[i].value)))) {
			put_line(r, s, lines[i].text);
			return;
		}
	printf("%s", s->what);
	for (size_t i = 0; i < s->n; i++) {
		printf(" %.*s=", STR_ARG(s->key[i]));
		put_value(s->value[i]);
	}
	putchar('\n');
}

/* What authd told only whoever watches; clients are told less. */
static struct str why_of(const struct report *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->step[i].is_service && strcmp(r->step[i].what, "end") == 0)
			return get(&r->step[i], "why");
	return STR("");
}

/* "ok: …", or why not: what authd says of it, else what a client is told. */
static void put_outcome(const struct report *r)
{
	struct str reason = str_c(r->reason), why = r->is_own ? reason : why_of(r);
	bool is_failure = strcmp(r->outcome, "failed") == 0;

	if (strcmp(r->outcome, "ok") == 0) {
		printf("ok: the service knows %s as user=", r->user);
		put_value(r->service_user);
		putchar('\n');
		return;
	}
	printf("%s%s", r->outcome, why.n || reason.n || is_failure ? ": " : "");
	if (why.n == 0 && is_failure)
		printf("wrong password, or no such user as %s", r->user);
	put_value(why);
	if (reason.n && !r->is_own) {
		bool is_alone = why.n == 0 && !is_failure;

		printf("%s", is_alone ? "" : " (");
		put_value(reason);
		printf("%s", is_alone ? "" : ")");
	}
	putchar('\n');
}

void report_text(struct report *r)
{
	const struct report_step **list = sorted(r);

	put_outcome(r);
	for (size_t i = 0; i < r->n; i++)
		put_step(r, list[i]);
}

/* ---- JSON ---- */

static json_t *text(struct str s)
{
	json_t *j = json_stringn(s.n ? s.p : "", s.n);

	return j ? j : json_string("(not UTF-8)");
}

static json_t *step_object(const struct report *r, const struct report_step *s)
{
	json_t *o = json_object();

	json_object_set_new(o, "at_ms", json_real((double)(long long)(ms(r, s->at_ns) * 1000) / 1000));
	json_object_set_new(o, "by", json_string(s->is_service ? "authd" : "client"));
	json_object_set_new(o, "step", json_string(s->what));
	for (size_t i = 0; i < s->n; i++) {
		char key[40];

		snprintf(key, sizeof key, "%.*s", STR_ARG(s->key[i]));
		json_object_set_new(o, key, text(s->value[i]));
	}
	return o;
}

void report_json(struct report *r)
{
	const struct report_step **list = sorted(r);
	json_t *o = json_object(), *steps = json_array();

	json_object_set_new(o, "user", text(str_c(r->user)));
	json_object_set_new(o, "outcome", json_string(r->outcome));
	json_object_set_new(o, "reason", text(str_c(r->reason)));
	json_object_set_new(o, "service_user", text(r->service_user));
	json_object_set_new(o, "mechanism", r->mech ? json_string(r->mech) : json_null());
	for (size_t i = 0; i < r->n; i++)
		json_array_append_new(steps, step_object(r, list[i]));
	json_object_set_new(o, "steps", steps);
	json_dumpf(o, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(o);
}
