#include "authd/defence.h"

#include "base/log.h"
#include "base/random.h"

enum { WIDE_FACTOR = DEFENCE_WIDE_FACTOR, HOLD_SHARE = 8, HOLD_LEAST = 4, DAY_MS = 24 * 3600 * 1000 };

#define NOT	(1u << KNOWN_NOT)
#define NETWORK (1u << KNOWN_NETWORK)
#define OTHER	(1u << KNOWN_OTHER)

/* What follows from which count, and for whom. */
static const struct rule {
	enum defence_step step;
	enum defence_what what;
	size_t limit;	/* where it stands in the settings */
	unsigned times; /* of the limit */
	unsigned
		known; /* for those who are known so; who shows the password of his last login from there is never among them */
	bool in_shared; /* in the networks of many users too */
} defence_rules[] = {
	{ DEFENCE_REFUSE, OF_PAIR, offsetof(struct defence_settings, refuse_pair_after), 1, NOT | OTHER, false },
	{ DEFENCE_REFUSE, OF_NETWORK, offsetof(struct defence_settings, refuse_network_after), 1, NOT, false },
	{ DEFENCE_REFUSE, OF_WIDE, offsetof(struct defence_settings, refuse_network_after), WIDE_FACTOR, NOT, false },
	{ DEFENCE_HOLD, OF_PAIR, offsetof(struct defence_settings, hold_after), 1, NOT | NETWORK | OTHER, true },
	{ DEFENCE_HOLD, OF_NETWORK, offsetof(struct defence_settings, hold_after), 1, NOT, false },
	{ DEFENCE_HOLD, OF_WIDE, offsetof(struct defence_settings, hold_after), WIDE_FACTOR, NOT, false },
	{ DEFENCE_HOLD, OF_USER, offsetof(struct defence_settings, hold_user_after), 1, NOT, true },
};
enum { N_RULES = sizeof defence_rules / sizeof *defence_rules };

/* Rounded: what faded within seconds counts in full. */
static unsigned failures(uint32_t score)
{
	return (score + TALLY_UNIT / 2) / TALLY_UNIT;
}

/* The least score that counts as n failures; 0: none does. */
static uint32_t score_of(unsigned n)
{
	return n ? n * TALLY_UNIT - TALLY_UNIT / 2 : 0;
}

static uint32_t limit_of(const struct defence *d, const struct rule *r)
{
	return score_of(r->times * *(const unsigned *)(const void *)((const char *)&d->set + r->limit));
}

/* ---- setting up ---- */

void defence_init(struct defence *d, const struct defence_settings *set, size_t entries, const void *place_key)
{
	*d = (struct defence){ .set = *set };
	if (!set->is_on)
		return;
	for (size_t i = 0; i < OF_KINDS; i++)
		tally_init(&d->tally[i], entries, set->half_life_ms);
	known_init(&d->known, entries, set->known_days);
	memcpy(d->place_key, place_key, sizeof d->place_key);
	random_octets(d->mark_key, sizeof d->mark_key);
}

void defence_free(struct defence *d)
{
	for (size_t i = 0; i < OF_KINDS; i++)
		tally_free(&d->tally[i]);
	known_free(&d->known);
	mem_wipe(d, sizeof *d);
}

/* ---- whose login it is ---- */

static uint64_t key_of(const struct defence *d, const void *p, size_t n)
{
	uint64_t key = str_hash_keyed(str_pn(p, n), d->place_key);

	return key ? key : 1;
}

/* Of g->user and g->network. */
static void set_keys(const struct defence *d, struct guard *g)
{
	struct network wide = g->network;
	uint64_t pair[2];

	network_widen(&wide, &d->set.wide);
	g->user_key = key_of(d, g->user.p, g->user.n);
	g->network_key = key_of(d, &g->network, sizeof g->network);
	g->wide_key = key_of(d, &wide, sizeof wide);
	pair[0] = g->user_key;
	pair[1] = g->network_key;
	g->pair_key = key_of(d, pair, sizeof pair);
}

static uint64_t mark_of(const struct defence *d, const struct guard *g, struct str pass)
{
	uint64_t parts[2] = { g->user_key, str_hash_keyed(pass, d->mark_key) }, mark;

	if (pass.n == 0)
		return 0;
	mark = str_hash_keyed(str_pn(parts, sizeof parts), d->mark_key);
	return mark & UINT32_MAX ? mark : mark | 1; /* its lower half serves alone, too */
}

void defence_guard(const struct defence *d, struct str user, struct str address, struct str pass, struct guard *g)
{
	*g = (struct guard){ .user = user };
	g->is_on = d->set.is_on && network_parse(address, &g->network);
	if (!g->is_on)
		return;
	g->is_shared = network_is_in_list(&g->network, str_c(d->set.shared));
	network_widen(&g->network, &d->set.narrow);
	set_keys(d, g);
	g->mark = mark_of(d, g, pass);
}

static uint64_t key_for(const struct guard *g, enum defence_what what)
{
	const uint64_t keys[OF_KINDS] = { g->pair_key, g->network_key, g->wide_key, g->user_key };

	return keys[what];
}

static uint32_t score_for(const struct defence *d, const struct guard *g, enum defence_what what, uint64_t now_ms)
{
	const struct tally *t = &d->tally[what];

	return tally_score(t, tally_find(t, key_for(g, what)), now_ms);
}

static uint32_t day_of(uint64_t ms)
{
	return (uint32_t)(ms / DAY_MS);
}

static enum known_is known_as(const struct defence *d, const struct guard *g, uint64_t now_ms)
{
	return known_find(&d->known, g->user_key, g->network_key, g->mark, day_of(now_ms));
}

/* ---- before the password is looked at ---- */

/* auth_failure_delay for the first, twice that for the second, … */
static uint64_t delay_of(const struct defence *d, unsigned n)
{
	uint64_t ms = d->set.failure_delay_ms;

	for (; n > 1 && ms && ms < d->set.max_delay_ms; n--)
		ms = 2 * ms < d->set.max_delay_ms ? 2 * ms : d->set.max_delay_ms;
	return ms;
}

/* The entry that bounds how many of one place are held. */
static struct tally_entry *holder_of(struct defence *d, const struct guard *g, bool make, uint64_t now_ms)
{
	enum defence_what what = g->is_shared ? OF_PAIR : OF_NETWORK;
	struct tally_entry *e;

	if (!make)
		return tally_find(&d->tally[what], key_for(g, what));
	e = tally_get(&d->tally[what], key_for(g, what), now_ms);
	e->network = g->network;
	return e;
}

void defence_release(struct defence *d, struct guard *g)
{
	struct tally_entry *e;

	if (!g->is_held)
		return;
	g->is_held = false;
	d->n_held--;
	e = holder_of(d, g, false, 0);
	if (e && e->held)
		e->held--;
}

static enum defence_step refuse(struct defence *d, struct defence_answer *a, enum defence_what what, uint64_t ms)
{
	*a = (struct defence_answer){ what, ms };
	d->n_refused++;
	return DEFENCE_REFUSE;
}

/* a->ms is how long. */
static enum defence_step hold(struct defence *d, struct guard *g, uint64_t now_ms, struct defence_answer *a)
{
	unsigned share = g->is_shared ? 0 : d->set.hold_max / HOLD_SHARE;
	struct tally_entry *e = holder_of(d, g, true, now_ms);

	if (d->n_held >= d->set.hold_max || e->held >= (share > HOLD_LEAST ? share : HOLD_LEAST))
		return refuse(d, a, a->what, a->ms);
	e->held++;
	d->n_held++;
	d->n_holds++;
	g->is_held = g->was_held = true;
	return DEFENCE_HOLD;
}

static bool applies(const struct rule *r, const struct guard *g, enum known_is known)
{
	return (r->known & 1u << known) && (r->in_shared || !g->is_shared) && (r->what != OF_USER || g->user.n);
}

enum defence_step defence_ask(struct defence *d, struct guard *g, uint64_t now_ms, struct defence_answer *a)
{
	enum known_is known;

	*a = (struct defence_answer){ 0 };
	defence_release(d, g);
	if (!g->is_on)
		return DEFENCE_ADMIT;
	known = known_as(d, g, now_ms);
	for (size_t i = 0; i < N_RULES; i++) {
		const struct rule *r = &defence_rules[i];
		uint32_t score, limit = limit_of(d, r);

		if (!applies(r, g, known) || limit == 0)
			continue;
		score = score_for(d, g, r->what, now_ms);
		if (score < limit)
			continue;
		if (r->step == DEFENCE_REFUSE)
			return refuse(d, a, r->what, tally_time_above(&d->tally[r->what], score, limit));
		if (delay_of(d, failures(score)) > a->ms)
			*a = (struct defence_answer){ r->what, delay_of(d, failures(score)) };
	}
	return a->ms && !g->was_held ? hold(d, g, now_ms, a) : DEFENCE_ADMIT;
}

/* ---- afterwards ---- */

static void name_entry(struct tally_entry *e, struct str user)
{
	size_t n = user.n < sizeof e->name ? user.n : sizeof e->name - 1;

	while (n && n < user.n && ((unsigned char)user.p[n] & 0xc0) == 0x80)
		n--; /* not within a character */
	memset(e->name, 0, sizeof e->name);
	if (n)
		memcpy(e->name, user.p, n);
}

static struct tally_entry *entry_of(struct defence *d, const struct guard *g, enum defence_what what, uint64_t now_ms)
{
	struct tally_entry *e = tally_get(&d->tally[what], key_for(g, what), now_ms);

	if (what != OF_USER)
		e->network = g->network;
	if (what == OF_WIDE)
		network_widen(&e->network, &d->set.wide);
	if (what == OF_PAIR || what == OF_USER) {
		e->user = g->user_key;
		name_entry(e, g->user);
	}
	return e;
}

/* Once, when the count reaches it. */
static void tell(
	const struct defence *d, const struct guard *g, enum defence_what what, uint32_t before, uint32_t after)
{
	struct buf text = BUF_INIT(1024);
	char network[NETWORK_TEXT];

	for (size_t i = 0; i < N_RULES; i++) {
		const struct rule *r = &defence_rules[i];
		uint32_t limit = limit_of(d, r);

		if (r->what != what || limit == 0 || before >= limit || after < limit)
			continue;
		defence_text(g, &(struct defence_answer){ what, 0 }, &text);
		log_info("auth: user=<%.*s>, rip=%s: %.*s: strangers %s (see `gatepost auth who`)", STR_ARG(g->user),
			network_format(&g->network, network), STR_ARG(buf_str(&text)),
			r->step == DEFENCE_REFUSE ? "are refused" : "have to wait");
		buf_reset(&text);
	}
	buf_free(&text);
}

static void count(struct defence *d, const struct guard *g, bool is_known, uint64_t at_ms, uint64_t now_ms)
{
	const bool counts[OF_KINDS] = { true, !g->is_shared, !g->is_shared, !is_known && g->user.n };

	for (unsigned what = 0; what < OF_KINDS; what++) {
		struct tally_entry *e;
		uint32_t before, after;

		if (!counts[what])
			continue;
		e = entry_of(d, g, what, now_ms);
		before = tally_score(&d->tally[what], e, now_ms);
		after = tally_add(&d->tally[what], e, at_ms, now_ms);
		tell(d, g, what, before, after);
	}
	d->n_counted++;
	d->is_changed = true;
}

static void publish(struct defence *d, enum defence_news news, const struct guard *g, bool is_known, uint64_t now_ms)
{
	struct defence_event e = { news, now_ms, g->user, g->network, is_known, g->is_shared };

	if (d->on_event)
		d->on_event(d, &e);
}

uint64_t defence_failed(struct defence *d, const struct guard *g, uint64_t now_ms)
{
	enum known_is known;
	uint32_t score, of_network;

	if (!g->is_on)
		return d->set.failure_delay_ms;
	known = known_as(d, g, now_ms);
	if (g->mark && tally_mark(entry_of(d, g, OF_PAIR, now_ms), (uint32_t)g->mark)) {
		d->n_repeated++;
	} else {
		count(d, g, known != KNOWN_NOT, now_ms, now_ms);
		publish(d, NEWS_FAILED, g, known != KNOWN_NOT, now_ms);
	}
	/* There it would tell who is guessed at: what is counted of a network makes all delays of it alike. */
	if (g->is_shared)
		return d->set.failure_delay_ms;
	score = score_for(d, g, OF_PAIR, now_ms);
	of_network = known == KNOWN_NOT ? score_for(d, g, OF_NETWORK, now_ms) : 0;
	return delay_of(d, failures(score > of_network ? score : of_network));
}

void defence_passed(struct defence *d, const struct guard *g, uint64_t now_ms)
{
	if (!g->is_on || g->user.n == 0 || !known_put(&d->known, g->user_key, g->network_key, g->mark, day_of(now_ms)))
		return;
	d->is_changed = true;
	publish(d, NEWS_PASSED, g, true, now_ms);
}

/* ---- lifting ---- */

static bool is_meant(const struct tally_entry *e, enum defence_what what, const struct network *n, uint64_t user)
{
	if (user)
		return (what == OF_PAIR || what == OF_USER) && e->user == user;
	return what != OF_USER && (network_is_in(&e->network, n) || (what == OF_WIDE && network_is_in(n, &e->network)));
}

/* user: 0: the network. */
static size_t lift(struct defence *d, const struct network *n, uint64_t user, uint64_t now_ms)
{
	size_t lifted = 0;

	for (unsigned what = 0; d->set.is_on && what < OF_KINDS; what++)
		for (size_t i = 0; i < d->tally[what].n; i++) {
			struct tally_entry *e = tally_at(&d->tally[what], i);

			if (e == NULL || !is_meant(e, what, n, user))
				continue;
			lifted += failures(tally_score(&d->tally[what], e, now_ms)) > 0;
			e->score = 0;
			memset(e->mark, 0, sizeof e->mark);
		}
	d->is_changed |= lifted > 0;
	return lifted;
}

size_t defence_lift(struct defence *d, struct str what, uint64_t now_ms)
{
	struct guard g = { 0 };
	size_t n;

	if (!network_parse(what, &g.network))
		g.user = what;
	n = lift(d, &g.network, g.user.n ? key_of(d, what.p, what.n) : 0, now_ms);
	publish(d, NEWS_LIFTED, &g, false, now_ms);
	return n;
}

void defence_apply(struct defence *d, const struct defence_event *e, uint64_t now_ms)
{
	struct guard g = { .is_on = d->set.is_on, .is_shared = e->is_shared, .user = e->user, .network = e->network };

	if (!g.is_on)
		return;
	if (e->news == NEWS_LIFTED) {
		lift(d, &g.network, g.user.n ? key_of(d, g.user.p, g.user.n) : 0, now_ms);
		return;
	}
	network_widen(&g.network, &d->set.narrow);
	set_keys(d, &g);
	if (e->news == NEWS_FAILED)
		count(d, &g, e->is_known, e->at_ms, now_ms);
	else
		d->is_changed |= known_put(
			&d->known, g.user_key, g.network_key, 0, day_of(e->at_ms < now_ms ? e->at_ms : now_ms));
}

/* ---- in words ---- */

enum defence_step defence_step_of(
	const struct defence *d, enum defence_what what, const struct tally_entry *e, uint64_t now_ms, uint64_t *ms)
{
	uint32_t score = tally_score(&d->tally[what], e, now_ms);

	*ms = 0;
	for (size_t i = 0; i < N_RULES; i++) {
		uint32_t limit = limit_of(d, &defence_rules[i]);

		if (defence_rules[i].what != what || limit == 0 || score < limit)
			continue;
		*ms = tally_time_above(&d->tally[what], score, limit);
		return defence_rules[i].step; /* refusals stand first */
	}
	return DEFENCE_ADMIT;
}

void defence_text(const struct guard *g, const struct defence_answer *a, struct buf *out)
{
	uint64_t s = (a->ms + 999) / 1000;
	char text[NETWORK_TEXT];

	buf_add_c(out, "too many failed logins");
	if (a->what == OF_USER || a->what == OF_PAIR)
		buf_add_c(out, " of this user");
	if (a->what != OF_USER)
		buf_addf(out, " from %s%s", a->what == OF_WIDE ? "the networks around " : "",
			network_format(&g->network, text));
	if (s == 0)
		return;
	if (s < 120)
		buf_addf(out, "; try again in %u seconds", (unsigned)s);
	else
		buf_addf(out, "; try again in %u minutes", (unsigned)((s + 59) / 60));
}
