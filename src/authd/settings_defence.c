/* auth_penalty and its settings: what follows from failed logins (defence.h). The names are ours; Dovecot has fixed numbers. */
#include "authd/settings_impl.h"

enum kind { A_BOOL, A_TIME, A_COUNT, A_DAYS };
enum { DAY_MS = 24 * 3600 * 1000, COUNTS_MAX = 100000, HALF_LIFE_LEAST_MS = 1000 };

static const struct {
	const char *key;
	enum kind kind;
	size_t at;
	unsigned max; /* of a count */
} table[] = {
	{ "auth_penalty", A_BOOL, offsetof(struct defence_settings, is_on), 0 },
	{ "auth_penalty_keep", A_BOOL, offsetof(struct defence_settings, is_kept), 0 },
	{ "auth_penalty_half_life", A_TIME, offsetof(struct defence_settings, half_life_ms), 0 },
	{ "auth_penalty_max_delay", A_TIME, offsetof(struct defence_settings, max_delay_ms), 0 },
	{ "auth_penalty_hold_after", A_COUNT, offsetof(struct defence_settings, hold_after), TALLY_MAX_OF },
	{ "auth_penalty_hold_user_after", A_COUNT, offsetof(struct defence_settings, hold_user_after), TALLY_MAX_OF },
	{ "auth_penalty_hold_max", A_COUNT, offsetof(struct defence_settings, hold_max), COUNTS_MAX },
	{ "auth_penalty_refuse_pair_after", A_COUNT, offsetof(struct defence_settings, refuse_pair_after),
		TALLY_MAX_OF },
	{ "auth_penalty_refuse_network_after", A_COUNT, offsetof(struct defence_settings, refuse_network_after),
		TALLY_MAX_OF / DEFENCE_WIDE_FACTOR },
	{ "auth_penalty_ipv4_prefix", A_COUNT, offsetof(struct defence_settings, narrow.v4), 32 },
	{ "auth_penalty_ipv6_prefix", A_COUNT, offsetof(struct defence_settings, narrow.v6), 128 },
	{ "auth_penalty_ipv4_wide_prefix", A_COUNT, offsetof(struct defence_settings, wide.v4), 32 },
	{ "auth_penalty_ipv6_wide_prefix", A_COUNT, offsetof(struct defence_settings, wide.v6), 128 },
	{ "auth_penalty_remember", A_DAYS, offsetof(struct defence_settings, known_days), 0 },
};
enum { N_TABLE = sizeof table / sizeof *table };

static void load_time(struct loader *l, const struct dovecot_node *n, uint64_t *out)
{
	if (dovecot_time_ms(n->value, out) < 0 || *out > 366ULL * DAY_MS)
		settings_complain(
			l, n, "%s = %s; it should be a time, such as \"15 mins\" or \"60 days\"", n->key, n->value);
}

static void load_one(struct loader *l, const struct dovecot_node *n, size_t i)
{
	void *at = (char *)&l->set->defence + table[i].at;
	uint64_t number = 0;

	switch (table[i].kind) {
	case A_BOOL:
		if (dovecot_bool(n->value, at) < 0)
			settings_complain(l, n, "%s = %s; it should be yes or no", n->key, n->value);
		break;
	case A_TIME:
		load_time(l, n, at);
		break;
	case A_DAYS:
		load_time(l, n, &number);
		*(uint32_t *)at = (uint32_t)((number + DAY_MS - 1) / DAY_MS);
		break;
	case A_COUNT:
		if (!str_u64(str_c(n->value), &number) || number > table[i].max)
			settings_complain(
				l, n, "%s = %s; it should be a number up to %u", n->key, n->value, table[i].max);
		*(unsigned *)at = (unsigned)number;
		break;
	}
}

static void check_networks(struct loader *l, const struct dovecot_node *n)
{
	struct str rest = str_c(n->value), word;
	struct network network;

	while (str_word(&rest, ", \t", &word))
		if (!network_parse(word, &network))
			settings_complain(l, n, "%s: \"%.*s\" is no network; it should be as 192.0.2.0/24", n->key,
				STR_ARG(word));
}

/* Dovecot's own list names proxies and webmail: many users are behind them, too. */
static void load_shared(struct loader *l)
{
	const struct dovecot_node *own = settings_get(l, "auth_penalty_shared_networks"),
				  *trusted = dovecot_get(l->conf->first, "login_trusted_networks");

	if (own)
		check_networks(l, own);
	l->set->defence.shared =
		arena_printf(l->set->mem, "%s %s", own ? own->value : "127.0.0.0/8 ::1", trusted ? trusted->value : "");
}

static void load_share(struct loader *l)
{
	const struct dovecot_node *n = settings_get(l, "auth_penalty_dict");
	const char *why;

	if (share_settings_parse(n ? n->value : "", l->set->mem, &l->set->share, &why) < 0)
		settings_complain(l, n, "auth_penalty_dict: %s", why);
	else if (l->set->share.host && !redis_is_there())
		settings_complain(l, n, "auth_penalty_dict: Redis is not built in (libhiredis-dev was not there)");
}

void load_defence(struct loader *l)
{
	struct defence_settings *d = &l->set->defence;
	const struct dovecot_node *half;

	*d = (struct defence_settings){ .is_on = true,
		.is_kept = true,
		.half_life_ms = 15 * 60 * 1000,
		.max_delay_ms = 8000, /* a Postfix waits for ten seconds */
		.hold_after = 5,
		.hold_user_after = 20,
		.hold_max = 1000,
		.refuse_pair_after = 10,
		.refuse_network_after = 20,
		.known_days = 60,
		.narrow = { 32, 64 },
		.wide = { 24, 48 },
		.failure_delay_ms = l->set->failure_delay_ms };
	for (size_t i = 0; i < N_TABLE; i++) {
		const struct dovecot_node *n = settings_get(l, table[i].key);

		if (n)
			load_one(l, n, i);
	}
	load_shared(l);
	load_share(l);
	half = settings_get(l, "auth_penalty_half_life");
	if (half && d->half_life_ms < HALF_LIFE_LEAST_MS)
		settings_complain(l, half, "auth_penalty_half_life = %s; it should be a second or more", half->value);
}
