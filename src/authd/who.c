/* Who has failed to log in too often, for `gatepost auth who`: one row for each count that strangers meet,
 * those with the most failures first, and how many more there are. */
#include "authd/login.h"
#include "base/json.h"

#include <stdlib.h>

enum { SHOWN_MAX = 1000 /* of a kind */, ROW_MAX = 4096 };

struct shown {
	const struct tally_entry *entry;
	enum defence_what what;
	enum defence_step step;
	uint32_t score;
	uint64_t ms;
};

static int by_score(const void *a, const void *b)
{
	const struct shown *x = a, *y = b;

	return x->score < y->score ? 1 : x->score > y->score ? -1 : 0;
}

static struct shown *collect(const struct defence *d, uint64_t now_ms, size_t *n)
{
	struct shown *all = NULL;
	size_t cap = 0;

	*n = 0;
	for (unsigned what = 0; what < OF_KINDS; what++)
		for (size_t i = 0; i < d->tally[what].n; i++) {
			const struct tally_entry *e = tally_at(&d->tally[what], i);
			struct shown s = { .entry = e, .what = what };

			if (e)
				s.step = defence_step_of(d, what, e, now_ms, &s.ms);
			if (s.step == DEFENCE_ADMIT)
				continue;
			s.score = tally_score(&d->tally[what], e, now_ms);
			if (*n == cap) {
				cap = cap ? 2 * cap : 256;
				all = xrealloc(all, cap * sizeof *all);
			}
			all[(*n)++] = s;
		}
	if (*n)
		qsort(all, *n, sizeof *all, by_score);
	return all;
}

static const char *const kinds[OF_KINDS] = {
	[OF_PAIR] = "pair", [OF_NETWORK] = "network", [OF_WIDE] = "wide network", [OF_USER] = "user"
};

static void put_row(const struct shown *s, struct buf *out)
{
	char network[NETWORK_TEXT] = "";

	if (s->what != OF_USER)
		network_format(&s->entry->network, network);
	buf_addf(out, "{\"kind\":\"throttled\",\"of\":\"%s\",\"network\":\"%s\",\"user\":", kinds[s->what], network);
	json_put(out, s->what == OF_USER || s->what == OF_PAIR ? str_c(s->entry->name) : STR(""));
	buf_addf(out, ",\"failures\":%.1f,\"strangers\":\"%s\",\"seconds\":%llu}", (double)s->score / TALLY_UNIT,
		s->step == DEFENCE_REFUSE ? "refused" : "held", (unsigned long long)(s->ms / 1000 + 1));
}

void who_tell_logins(struct child *child)
{
	const struct authd *a = container_of(child, struct authd, child);
	struct buf row = BUF_INIT(ROW_MAX);
	size_t n, told[OF_KINDS] = { 0 };
	struct shown *all = collect(&a->defence, wall_ms(), &n);

	for (size_t i = 0; i < n; i++) {
		if (told[all[i].what]++ >= SHOWN_MAX)
			continue;
		buf_reset(&row);
		put_row(&all[i], &row);
		child_tell_row(child, buf_str(&row));
	}
	for (unsigned what = 0; what < OF_KINDS; what++) {
		if (told[what] <= SHOWN_MAX)
			continue;
		buf_reset(&row);
		buf_addf(&row, "{\"kind\":\"throttled_more\",\"of\":\"%s\",\"rows\":%zu}", kinds[what],
			told[what] - SHOWN_MAX);
		child_tell_row(child, buf_str(&row));
	}
	free(all);
	buf_free(&row);
}
