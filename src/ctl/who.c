/*
 * `gatepost auth who`: what the processes know of logins now. Each row says in its member "kind" what it is about; a kind is a
 * section here.
 */
#include "ctl/who.h"
#include "ctl/gatepost.h"
#include "smtp/client.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ANSWER_MAX = 64 * 1024 * 1024, SHOWN_MAX = 64, SHOWN_AT_A_TIME = 8 };

struct section {
	const char *kind;
	const char *key; /* of its array in the JSON output */
	int (*order)(const void *a, const void *b);
	void (*print)(const json_t *rows);
};

/* Text of a stranger, on one line of a terminal. Static: so many of them at a time. */
static const char *shown(const json_t *row, const char *key)
{
	static char text[SHOWN_AT_A_TIME][SHOWN_MAX * 4 + 1];
	static unsigned next;
	const char *value = json_string_value(json_object_get(row, key));
	struct buf out = BUF_INIT(sizeof text[0] - 1);

	next = (next + 1) % SHOWN_AT_A_TIME;
	text_sanitise(&out, str_c(value ? value : ""), SHOWN_MAX);
	snprintf(text[next], sizeof text[next], "%s", out.n ? out.p : "-");
	buf_free(&out);
	return text[next];
}

static const char *time_of(const json_t *row, const char *key)
{
	static char text[32];
	time_t t = (time_t)json_integer_value(json_object_get(row, key));
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(text, sizeof text, "%F %T", &tm);
	return text;
}

static int text_order(const json_t *a, const json_t *b, const char *key)
{
	const char *x = json_string_value(json_object_get(a, key)), *y = json_string_value(json_object_get(b, key));

	return strcmp(x ? x : "", y ? y : "");
}

static int session_order(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	int r = text_order(x, y, "user");
	long long since =
		json_integer_value(json_object_get(x, "since")) - json_integer_value(json_object_get(y, "since"));

	if (r == 0)
		r = (since > 0) - (since < 0);
	return r ? r : text_order(x, y, "address");
}

static void print_sessions(const json_t *rows)
{
	size_t n = json_array_size(rows), users = 0, i;
	json_t *row, *before = NULL;

	if (n == 0) {
		puts("nobody is logged in");
		return;
	}
	printf("%-28s %-22s %-12s %-19s %-8s %-14s %s\n", "USER", "ADDRESS", "SERVICE", "SINCE", "TLS", "MECHANISM",
		"MESSAGES");
	json_array_foreach(rows, i, row)
	{
		printf("%-28s %-22s %-12s %-19s %-8s %-14s %lld\n", shown(row, "user"), shown(row, "address"),
			shown(row, "service"), time_of(row, "since"), shown(row, "tls"), shown(row, "mechanism"),
			(long long)json_integer_value(json_object_get(row, "messages")));
		users += before == NULL || text_order(before, row, "user") != 0;
		before = row;
	}
	printf("%zu login%s of %zu user%s\n", n, n == 1 ? "" : "s", users, users == 1 ? "" : "s");
}

/* ---- who failed to log in too often (auth.conf(5), FAILED LOGINS) ---- */

static double failures_of(const json_t *row)
{
	return json_number_value(json_object_get(row, "failures"));
}

static int throttled_order(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	double d = failures_of(y) - failures_of(x);

	return d != 0 ? (d > 0) - (d < 0) : text_order(x, y, "network");
}

/* "42 s", "12 min", "3 h". Static. */
static const char *duration_of(const json_t *row, const char *key)
{
	static char text[32];
	long long s = json_integer_value(json_object_get(row, key));

	if (s < 120)
		snprintf(text, sizeof text, "%lld s", s);
	else if (s < 2 * 3600)
		snprintf(text, sizeof text, "%lld min", (s + 59) / 60);
	else
		snprintf(text, sizeof text, "%lld h", (s + 3599) / 3600);
	return text;
}

static void print_throttled(const json_t *rows)
{
	json_t *row;
	size_t i;

	if (json_array_size(rows) == 0)
		return;
	printf("\n%-12s %8s  %-9s %-8s %-24s %s\n", "COUNTED FOR", "FAILURES", "STRANGERS", "FOR", "NETWORK", "USER");
	json_array_foreach(rows, i, row) printf("%-12s %8.1f  %-9s %-8s %-24s %s\n", shown(row, "of"), failures_of(row),
		shown(row, "strangers"), duration_of(row, "seconds"), shown(row, "network"), shown(row, "user"));
}

/* There may be a great many: those with the fewest failures are counted only. */
static int more_order(const void *a, const void *b)
{
	return text_order(*(json_t *const *)a, *(json_t *const *)b, "of");
}

static void print_more(const json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		printf("and %lld more of the kind \"%s\", with no more failures than those shown\n",
			(long long)json_integer_value(json_object_get(row, "rows")), shown(row, "of"));
}

static const struct section sections[] = {
	{ "session", "sessions", session_order, print_sessions },
	{ "throttled", "throttled", throttled_order, print_throttled },
	{ "throttled_more", "throttled_more", more_order, print_more },
};

/* Rows of one kind, in order. A new reference. */
static json_t *rows_of(const json_t *answer, const struct section *s)
{
	json_t *all = json_object_get(answer, "rows"), *row, *rows = json_array();
	size_t n = json_array_size(all), found = 0, i;
	json_t **list = calloc(n + 1, sizeof(json_t *));

	json_array_foreach(all, i, row)
	{
		const char *of = json_string_value(json_object_get(row, "kind"));

		if (list && of && strcmp(of, s->kind) == 0)
			list[found++] = row;
	}
	if (list)
		qsort(list, found, sizeof(json_t *), s->order);
	for (i = 0; i < found; i++) {
		json_object_del(list[i], "kind");
		json_array_append(rows, list[i]);
	}
	free(list);
	return rows;
}

static void print_all(const json_t *answer, bool as_json)
{
	json_t *out = json_object();

	for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
		json_t *rows = rows_of(answer, &sections[i]);

		if (!as_json)
			sections[i].print(rows);
		json_object_set_new(out, sections[i].key, rows);
	}
	if (as_json) {
		json_object_set(out, "unanswered", json_object_get(answer, "unanswered"));
		json_object_set(out, "cut", json_object_get(answer, "cut"));
		json_dumpf(out, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(out);
}

/* What is not in it is worth a word. */
static void warn(const json_t *answer)
{
	long long n = json_integer_value(json_object_get(answer, "unanswered"));

	if (n > 0)
		fprintf(stderr, "gatepost: %lld process%s did not answer: this is not all; try again\n", n,
			n == 1 ? "" : "es");
	if (json_is_true(json_object_get(answer, "cut")))
		fprintf(stderr, "gatepost: there are more than one answer holds: this is not all\n");
}

int ctl_who(const struct conf *conf, int argc, char **argv)
{
	bool as_json = argc == 2 && strcmp(argv[1], "--json") == 0;
	struct buf text = BUF_INIT(ANSWER_MAX);
	json_error_t error;
	json_t *answer;

	if (argc > 2 || (argc == 2 && !as_json)) {
		fputs("usage: gatepost auth who [--json]\n", stderr);
		return 2;
	}
	if (ctl_ask_master(conf, "who", &text) != 0) {
		ctl_say_no_answer(conf, "who");
		return 1;
	}
	answer = json_loadb(text.p, text.n, 0, &error);
	buf_free(&text);
	if (answer == NULL) {
		fprintf(stderr, "gatepost: master's answer cannot be read: %s\n", error.text);
		return 1;
	}
	print_all(answer, as_json);
	warn(answer);
	json_decref(answer);
	return 0;
}
