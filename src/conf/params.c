/* params.c - finding rows of the table of parameters. */
#include "conf/params.h"
#include "base/arena.h"
#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>

static const struct param_group *const groups[] = { &params_smtpd, &params_smtp, &params_tls, &params_queue,
	&params_delivery, &params_address, &params_content, &params_postscreen, &params_system, &params_gatepost };

static const struct param **sorted; /* built on first use, kept to the end of the process */
static size_t n_sorted;

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct param *const *)a)->name, (*(const struct param *const *)b)->name);
}

/* "$smtp_x" in a twin's default means "$lmtp_x". */
static char *twin_text(const char *text)
{
	char *copy = xstrdup(text);

	for (char *p = copy; (p = strstr(p, "smtp_")); p += 5)
		if (p == copy || !(ascii_is_alnum(p[-1]) || p[-1] == '_'))
			*p = 'l';
	return copy;
}

static bool is_row(const char *name)
{
	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
		for (size_t i = 0; i < groups[g]->n; i++)
			if (strcmp(groups[g]->rows[i].name, name) == 0)
				return true;
	return false;
}

static void add_twin(const struct param *p)
{
	char *name = twin_text(p->name);
	struct param *twin;

	if (is_row(name)) { /* one with a default of its own */
		free(name);
		return;
	}
	twin = xcalloc(1, sizeof(*twin));
	*twin = *p;
	twin->name = name;
	twin->initial = twin_text(p->initial);
	twin->acts = p->acts & LMTP_ACTS ? ACTS : KNOWN;
	sorted[n_sorted++] = twin;
}

static void build(void)
{
	size_t n = 0;

	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
		n += groups[g]->n;
	sorted = xcalloc(n * 2, sizeof(*sorted));
	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
		for (size_t i = 0; i < groups[g]->n; i++) {
			sorted[n_sorted++] = &groups[g]->rows[i];
			if (groups[g]->rows[i].twin)
				add_twin(&groups[g]->rows[i]);
		}
	qsort(sorted, n_sorted, sizeof(*sorted), by_name);
	for (size_t i = 1; i < n_sorted; i++)
		if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
			panic("parameter %s is in the table twice", sorted[i]->name);
}

size_t params_all(const struct param *const **rows)
{
	if (!sorted)
		build();
	*rows = sorted;
	return n_sorted;
}

const struct param *param_find(struct str name)
{
	const struct param *const *rows;
	size_t low = 0, high = params_all(&rows);

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = str_cmp(name, str_c(rows[middle]->name));

		if (order == 0)
			return rows[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static const struct param_suffix suffixes[] = {
	{ "_time_limit", "command_time_limit" },
	{ "_recipient_limit", "default_recipient_limit" },
	{ "_extra_recipient_limit", "default_extra_recipient_limit" },
	{ "_recipient_refill_limit", "default_recipient_refill_limit" },
	{ "_recipient_refill_delay", "default_recipient_refill_delay" },
	{ "_delivery_slot_cost", "default_delivery_slot_cost" },
	{ "_delivery_slot_loan", "default_delivery_slot_loan" },
	{ "_delivery_slot_discount", "default_delivery_slot_discount" },
	{ "_minimum_delivery_slots", "default_minimum_delivery_slots" },
	{ "_initial_destination_concurrency", "initial_destination_concurrency" },
	{ "_destination_concurrency_limit", "default_destination_concurrency_limit" },
	{ "_destination_recipient_limit", "default_destination_recipient_limit" },
	{ "_destination_concurrency_positive_feedback", "default_destination_concurrency_positive_feedback" },
	{ "_destination_concurrency_negative_feedback", "default_destination_concurrency_negative_feedback" },
	{ "_destination_concurrency_failed_cohort_limit", "default_destination_concurrency_failed_cohort_limit" },
	{ "_destination_rate_delay", "default_destination_rate_delay" },
	{ "_transport_rate_delay", "default_transport_rate_delay" },
	{ NULL, NULL },
};

const struct param_suffix *param_suffixes(void)
{
	return suffixes;
}

bool param_is_of_process(const char *follows, const char *process_name)
{
	static const char *const deliver[] = { "local", "error", "virtual", "smtp", "lmtp", "pipe", "relay", "deliver",
		NULL };
	static const char *const are_timed[] = { "pipe", "spawn", NULL };
	const char *const *names = strcmp(follows, "command_time_limit") == 0 ? are_timed : deliver;

	for (; *names; names++)
		if (strcmp(process_name, *names) == 0)
			return true;
	return false;
}

const struct param *param_of_service(struct str name, size_t *service_len)
{
	const struct param_suffix *best = NULL;

	*service_len = 0;
	for (const struct param_suffix *s = suffixes; s->suffix; s++)
		if (name.n > strlen(s->suffix) && str_has_suffix(name, str_c(s->suffix)) &&
			(!best || strlen(s->suffix) > strlen(best->suffix)))
			best = s;
	if (!best)
		return NULL;
	*service_len = name.n - strlen(best->suffix);
	return param_find(str_c(best->follows));
}

enum { GUESS_LEN = 80 };

/* Optimal string alignment distance of two names, up to `most`; most + 1 when it is more. */
static unsigned distance(struct str a, struct str b, unsigned most)
{
	unsigned rows[3][GUESS_LEN + 1], *two = rows[0], *one = rows[1], *now = rows[2];

	if (a.n > GUESS_LEN || b.n > GUESS_LEN || a.n > b.n + most || b.n > a.n + most)
		return most + 1;
	for (unsigned k = 0; k <= b.n; k++)
		one[k] = two[k] = k;
	for (unsigned i = 1; i <= a.n; i++) {
		unsigned *spare = two;

		now[0] = i;
		for (unsigned k = 1; k <= b.n; k++) {
			unsigned cost = ascii_lower(a.p[i - 1]) != ascii_lower(b.p[k - 1]);
			unsigned best = one[k - 1] + cost;

			best = one[k] + 1 < best ? one[k] + 1 : best;
			best = now[k - 1] + 1 < best ? now[k - 1] + 1 : best;
			if (i > 1 && k > 1 && a.p[i - 1] == b.p[k - 2] && a.p[i - 2] == b.p[k - 1] &&
				two[k - 2] + 1 < best)
				best = two[k - 2] + 1;
			now[k] = best;
		}
		two = one;
		one = now;
		now = spare;
	}
	return one[b.n] > most ? most + 1 : one[b.n];
}

const char *param_guess(struct str name)
{
	const struct param *const *rows;
	size_t n = params_all(&rows);
	unsigned best = name.n < 6 ? 1 : name.n < 12 ? 2 : 3;
	const char *guess = NULL;

	for (size_t i = 0; i < n; i++) {
		unsigned d = distance(name, str_c(rows[i]->name), best);

		if (d < best || (d == best && !guess)) {
			best = d;
			guess = rows[i]->name;
		}
	}
	return guess;
}
