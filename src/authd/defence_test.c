/* What follows from failed logins, by the clock of the test. */
#include "authd/defence.h"
#include "base/test.h"

enum { MINUTE = 60 * 1000, HALF_LIFE = 15 * MINUTE };
static const uint64_t start_ms = 1700000000000;
static const unsigned char key[16] = "0123456789abcdef";

static struct defence_settings settings(void)
{
	return (struct defence_settings){ .is_on = true,
		.half_life_ms = HALF_LIFE,
		.failure_delay_ms = 2000,
		.max_delay_ms = 8000,
		.hold_after = 5,
		.hold_user_after = 20,
		.refuse_pair_after = 10,
		.refuse_network_after = 20,
		.hold_max = 1000,
		.known_days = 60,
		.narrow = { 32, 64 },
		.wide = { 24, 48 },
		.shared = "127.0.0.0/8 ::1" };
}

struct world {
	struct defence d;
	uint64_t now_ms;
};

static void world_init(struct world *w)
{
	struct defence_settings set = settings();

	defence_init(&w->d, &set, 4096, key);
	w->now_ms = start_ms;
}

static struct guard guard(const struct world *w, const char *user, const char *address, const char *pass)
{
	struct guard g;

	defence_guard(&w->d, str_c(user), str_c(address), str_c(pass), &g);
	return g;
}

static uint64_t miss(struct world *w, const char *user, const char *address, const char *pass)
{
	struct guard g = guard(w, user, address, pass);

	return defence_failed(&w->d, &g, w->now_ms);
}

static void pass(struct world *w, const char *user, const char *address, const char *pass)
{
	struct guard g = guard(w, user, address, pass);

	defence_passed(&w->d, &g, w->now_ms);
}

/* What a login now would meet; a held one goes away again. */
static char step(struct world *w, const char *user, const char *address, const char *pass)
{
	struct guard g = guard(w, user, address, pass);
	struct defence_answer a;
	enum defence_step s = defence_ask(&w->d, &g, w->now_ms, &a);

	defence_release(&w->d, &g);
	check_int(w->d.n_held, 0);
	return "+~-"[s];
}

/* n wrong passwords, each another. */
static void fail_often(struct world *w, const char *user, const char *address, unsigned n)
{
	static unsigned last;
	char text[16];

	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof text, "wrong%u", last++);
		miss(w, user, address, text);
	}
}

/* n users, each with one wrong password. */
static void spray(struct world *w, const char *address, unsigned n)
{
	static unsigned last;
	char user[16];

	for (unsigned i = 0; i < n; i++) {
		snprintf(user, sizeof user, "u%u", last++);
		miss(w, user, address, "Password1");
	}
}

/* ---- the steps ---- */

static void test_delays_grow(void **state)
{
	const unsigned seconds[] = { 2, 4, 8, 8, 8 };
	struct world w;
	char text[8];

	(void)state;
	world_init(&w);
	for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
		snprintf(text, sizeof text, "p%zu", i);
		check_int(miss(&w, "u", "192.0.2.1", text), seconds[i] * 1000);
		check_int(miss(&w, "u", "192.0.2.1", text), seconds[i] * 1000); /* the same one again */
	}
	check_int(miss(&w, "v", "192.0.2.1", "p0"), 8000); /* by the network */
	check_int(miss(&w, "u", "192.0.2.2", "p0"), 2000);
	for (size_t i = 0; i < 5; i++) { /* in a shared network they are all alike */
		snprintf(text, sizeof text, "p%zu", i);
		check_int(miss(&w, "u", "127.0.0.1", text), 2000);
	}
	w.now_ms += 5 * HALF_LIFE;
	check_int(miss(&w, "u", "192.0.2.1", "p9"), 2000);
	/* No delay at all was wished for, or a longer one than ours. */
	w.d.set.failure_delay_ms = 0;
	check_int(miss(&w, "u", "192.0.2.1", "p10"), 0);
	w.d.set.failure_delay_ms = 15000;
	check_int(miss(&w, "u", "192.0.2.1", "p11"), 15000);
	defence_free(&w.d);
}

/* Who meets what after which failures: "+" goes on, "~" is held, "-" is refused. */
static void test_steps(void **state)
{
	static const struct {
		const char *who; /* failed: user@address, or "*" for many users */
		unsigned n;
		const char *address;
		const char *same, *other,
			*elsewhere; /* the same user from there, another from there, he from elsewhere */
	} cases[] = {
		{ "u", 4, "192.0.2.1", "+", "+", "+" },
		{ "u", 5, "192.0.2.1", "~", "~", "+" },
		{ "u", 10, "192.0.2.1", "-", "~", "+" },
		{ "u", 20, "192.0.2.1", "-", "-", "~" },
		{ "nobody", 20, "192.0.2.1", "-", "-", "~" },
		{ "*", 4, "192.0.2.1", "+", "+", "+" },
		{ "*", 5, "192.0.2.1", "~", "~", "+" },
		{ "*", 20, "192.0.2.1", "-", "-", "+" },
		{ "u", 20, "2001:db8::1", "-", "-", "~" },
		/* Many users are behind a shared network: it is not counted itself, and nobody is refused there. */
		{ "u", 4, "127.0.0.1", "+", "+", "+" },
		{ "u", 5, "127.0.0.1", "~", "+", "+" },
		{ "u", 10, "127.0.0.1", "~", "+", "+" },
		{ "u", 100, "127.0.0.1", "~", "+", "~" },
		{ "*", 200, "127.0.0.1", "+", "+", "+" },
		/* Without an address nothing is. */
		{ "u", 100, "", "+", "+", "+" },
	};
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *user = *cases[i].who == '*' ? "u" : cases[i].who;

		world_init(&w);
		if (*cases[i].who == '*')
			spray(&w, cases[i].address, cases[i].n);
		else
			fail_often(&w, cases[i].who, cases[i].address, cases[i].n);
		check_int(step(&w, user, cases[i].address, "x"), *cases[i].same);
		check_int(step(&w, "other", cases[i].address, "x"), *cases[i].other);
		check_int(step(&w, user, "198.51.100.1", "x"), *cases[i].elsewhere);
		defence_free(&w.d);
	}
}

static void test_fading(void **state)
{
	struct guard g;
	struct defence_answer a;
	struct buf text = BUF_INIT(1024);
	struct world w;

	(void)state;
	world_init(&w);
	spray(&w, "192.0.2.1", 39);
	g = guard(&w, "u", "192.0.2.1", "x");
	check_int(defence_ask(&w.d, &g, w.now_ms, &a), DEFENCE_REFUSE);
	check_int(a.what, OF_NETWORK);
	check_int(a.ms / MINUTE, 15);
	defence_text(&g, &a, &text);
	check_str(buf_str(&text), "too many failed logins from 192.0.2.1; try again in 16 minutes");
	/* Refusals are no failures: who keeps asking is let in at that time all the same. */
	for (int i = 0; i < 100; i++)
		check_int(step(&w, "u", "192.0.2.1", "x"), '-');
	w.now_ms += a.ms + 100;
	check_int(step(&w, "u", "192.0.2.1", "x"), '~');
	w.now_ms += 3 * HALF_LIFE;
	check_int(step(&w, "u", "192.0.2.1", "x"), '+');
	buf_free(&text);
	defence_free(&w.d);
}

/* 64 bits of IPv6 are one network; whoever changes it within 48 is stopped by these. */
static void test_wide(void **state)
{
	char address[64];
	struct world w;

	(void)state;
	world_init(&w);
	spray(&w, "2001:db8:1:1::1", 5);
	check_int(step(&w, "u", "2001:db8:1:1:ffff::2", "x"), '~');
	check_int(step(&w, "u", "2001:db8:1:2::1", "x"), '+');
	for (unsigned i = 0; i < 155; i++) {
		snprintf(address, sizeof address, "2001:db8:1:%x::1", 0x100 + i);
		check(step(&w, "u", address, "x") != '-');
		spray(&w, address, 1);
	}
	check_int(step(&w, "u", "2001:db8:1:9999::1", "x"), '-');
	check_int(step(&w, "u", "2001:db8:2:1::1", "x"), '+');
	for (unsigned i = 1; i <= 254; i++) {
		snprintf(address, sizeof address, "192.0.2.%u", i);
		if (step(&w, "u", address, "x") != '-')
			spray(&w, address, 1);
	}
	check_int(step(&w, "u", "192.0.2.255", "x"), '-');
	check_int(step(&w, "u", "192.0.3.1", "x"), '+');
	defence_free(&w.d);
}

/* ---- nobody is locked out ---- */

static void test_same_password(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	/* A forgotten program with an old password, every minute for a day. */
	for (int i = 0; i < 24 * 60; i++, w.now_ms += MINUTE)
		check_int(miss(&w, "u", "192.0.2.1", "old") <= 2000, 1);
	check_int(step(&w, "u", "192.0.2.1", "new"), '+');
	check_int(w.d.n_counted, 1);
	/* The same password of many users is many guesses; no password (SCRAM) is always another one. */
	spray(&w, "192.0.2.9", 20);
	check_int(step(&w, "u", "192.0.2.9", "x"), '-');
	for (int i = 0; i < 10; i++)
		miss(&w, "u", "192.0.2.8", "");
	check_int(step(&w, "u", "192.0.2.8", "x"), '-');
	defence_free(&w.d);
}

/* A user at home, and what others do there and elsewhere. */
static void test_known_network(void **state)
{
	struct world w;
	char address[64];

	(void)state;
	world_init(&w);
	pass(&w, "u", "192.0.2.1", "right");
	/* Ten thousand networks guess his password. */
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(address, sizeof address, "10.%u.%u.1", i / 250, i % 250);
		fail_often(&w, "u", address, 1);
	}
	check_int(step(&w, "u", "192.0.2.1", "right"), '+');
	check_int(step(&w, "u", "192.0.2.1", "changed"), '+');
	check_int(step(&w, "u", "203.0.113.1", "right"), '~'); /* a new network: late, but in */
	check_int(step(&w, "v", "203.0.113.1", "right"), '+'); /* others do not notice */
	/* Somebody in the same network tries all users. */
	spray(&w, "192.0.2.1", 100);
	check_int(step(&w, "v", "192.0.2.1", "right"), '-');
	check_int(step(&w, "u", "192.0.2.1", "right"), '+');
	check_int(step(&w, "u", "192.0.2.1", "changed"), '+');
	/* … and this one: what is not his password is refused, and his is not. */
	fail_often(&w, "u", "192.0.2.1", 5);
	check_int(step(&w, "u", "192.0.2.1", "guess"), '~');
	fail_often(&w, "u", "192.0.2.1", 10);
	check_int(step(&w, "u", "192.0.2.1", "guess"), '-');
	check_int(step(&w, "u", "192.0.2.1", "right"), '+');
	/* SCRAM shows no password: he waits, and is never refused. */
	check_int(step(&w, "u", "192.0.2.1", ""), '~');
	w.now_ms += 61ull * 24 * 60 * MINUTE;
	spray(&w, "192.0.2.1", 100);
	check_int(step(&w, "u", "192.0.2.1", "right"), '-');
	defence_free(&w.d);
}

/* Failures of somebody known do not count for the user: his own mistakes make nobody else wait. */
static void test_own_mistakes(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	pass(&w, "u", "192.0.2.1", "right");
	fail_often(&w, "u", "192.0.2.1", 40);
	check_int(step(&w, "u", "198.51.100.1", "right"), '+');
	defence_free(&w.d);
}

/* ---- bounds ---- */

static void test_held_are_bounded(void **state)
{
	static struct guard g[2000];
	struct defence_answer a;
	struct world w;
	unsigned held = 0;
	char address[32];

	(void)state;
	world_init(&w);
	fail_often(&w, "u", "198.51.100.1", 20);
	for (unsigned i = 0; i < 200; i++) {
		g[i] = guard(&w, "u", "192.0.2.1", "x");
		held += defence_ask(&w.d, &g[i], w.now_ms, &a) == DEFENCE_HOLD;
	}
	check_int(held, 125); /* an eighth from one network */
	check_int(a.what, OF_USER);
	check_int(a.ms, 8000);
	for (unsigned i = 200; i < 2000; i++) {
		snprintf(address, sizeof address, "10.0.%u.%u", i / 100, i % 100);
		g[i] = guard(&w, "u", address, "x");
		held += defence_ask(&w.d, &g[i], w.now_ms, &a) == DEFENCE_HOLD;
	}
	check_int(held, 1000);
	check_int(w.d.n_held, 1000);
	/* When the time is over each goes on, once. */
	for (unsigned i = 0; i < 2000; i++)
		if (g[i].is_held) {
			check_int(defence_ask(&w.d, &g[i], w.now_ms, &a), DEFENCE_ADMIT);
			check(!g[i].is_held);
		}
	check_int(w.d.n_held, 0);
	/* Unless there was reason to refuse it meanwhile. */
	g[0] = guard(&w, "u", "192.0.2.200", "x");
	check_int(defence_ask(&w.d, &g[0], w.now_ms, &a), DEFENCE_HOLD);
	fail_often(&w, "u", "192.0.2.200", 10);
	check_int(defence_ask(&w.d, &g[0], w.now_ms, &a), DEFENCE_REFUSE);
	check_int(w.d.n_held, 0);
	defence_free(&w.d);
}

/* Through a webmail a few guesses at one user wait at a time, and those at another do not wait behind them. */
static void test_held_in_shared(void **state)
{
	struct guard g[10];
	struct defence_answer a;
	struct world w;
	unsigned held = 0;

	(void)state;
	world_init(&w);
	fail_often(&w, "u", "127.0.0.1", 10);
	fail_often(&w, "v", "127.0.0.1", 10);
	for (unsigned i = 0; i < 10; i++) {
		g[i] = guard(&w, i < 9 ? "u" : "v", "127.0.0.1", "x");
		held += defence_ask(&w.d, &g[i], w.now_ms, &a) == DEFENCE_HOLD;
	}
	check_int(held, 5);
	check(g[9].is_held);
	defence_free(&w.d);
}

/* Names and networks without end: what is counted of the one who makes them up stays. */
static void test_flood_of_names(void **state)
{
	struct world w;
	char address[64];

	(void)state;
	world_init(&w);
	spray(&w, "192.0.2.1", 30);
	for (unsigned i = 0; i < 30000; i++) {
		snprintf(address, sizeof address, "2001:db8:%x:1::1", i);
		spray(&w, address, 1);
	}
	check_int(step(&w, "u", "192.0.2.1", "x"), '-');
	defence_free(&w.d);
}

static void test_limits_of_zero(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.d.set.hold_after = w.d.set.hold_user_after = w.d.set.refuse_pair_after = w.d.set.refuse_network_after = 0;
	fail_often(&w, "u", "192.0.2.1", 500);
	check_int(step(&w, "u", "192.0.2.1", "x"), '+');
	defence_free(&w.d);
}

static void test_turned_off(void **state)
{
	struct defence_settings set = settings();
	struct world w = { .now_ms = start_ms };

	(void)state;
	set.is_on = false;
	defence_init(&w.d, &set, 4096, key);
	fail_often(&w, "u", "192.0.2.1", 50);
	check_int(miss(&w, "u", "192.0.2.1", "x"), 2000);
	check_int(step(&w, "u", "192.0.2.1", "x"), '+');
	check_int(defence_lift(&w.d, STR("u"), w.now_ms), 0);
	defence_free(&w.d);
}

/* ---- lifting, and other nodes ---- */

static void test_lift(void **state)
{
	const struct {
		const char *what;
		size_t n;
		const char *u1, *u2, *v1; /* u from the first network, from the second, v from the first */
	} cases[] = {
		{ "192.0.2.1", 4, "+", "-", "+" }, /* two pairs, the network, that around it */
		{ "192.0.2.0/24", 4, "+", "-", "+" },
		{ "0.0.0.0/0", 7, "+", "+", "+" },
		{ "u", 3, "~", "~", "~" }, /* two pairs, the user; the networks stay */
		{ "203.0.113.1", 0, "-", "-", "~" },
		{ "nobody", 0, "-", "-", "~" },
	};
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		world_init(&w);
		fail_often(&w, "u", "192.0.2.1", 12);
		fail_often(&w, "v", "192.0.2.1", 3);
		fail_often(&w, "u", "198.51.100.1", 12);
		w.d.set.hold_user_after = 0;
		check_int(defence_lift(&w.d, str_c(cases[i].what), w.now_ms), cases[i].n);
		check_int(step(&w, "u", "192.0.2.1", "x"), *cases[i].u1);
		check_int(step(&w, "u", "198.51.100.1", "x"), *cases[i].u2);
		check_int(step(&w, "v", "192.0.2.1", "x"), *cases[i].v1);
		defence_free(&w.d);
	}
}

static struct world *other_node;

static void to_other_node(struct defence *d, const struct defence_event *e)
{
	(void)d;
	defence_apply(&other_node->d, e, other_node->now_ms);
}

static void test_nodes(void **state)
{
	struct world a, b;

	(void)state;
	world_init(&a);
	world_init(&b);
	other_node = &b;
	a.d.on_event = to_other_node;
	fail_often(&a, "u", "192.0.2.1", 10);
	check_int(step(&b, "u", "192.0.2.1", "x"), '-');
	pass(&a, "v", "2001:db8::1", "right");
	spray(&a, "2001:db8::2", 20);
	check_int(step(&b, "w", "2001:db8::3", "x"), '-');
	check_int(step(&b, "v", "2001:db8::1", "right"), '+');
	fail_often(&a, "v", "127.0.0.1", 10);
	check_int(step(&b, "v", "127.0.0.1", "x"), '~');
	check_int(step(&b, "u", "127.0.0.1", "x"), '+');
	defence_lift(&a.d, STR("192.0.2.1"), a.now_ms);
	check_int(step(&b, "u", "192.0.2.1", "x"), '+');
	/* What comes late has faded. */
	b.now_ms += HALF_LIFE;
	fail_often(&a, "u", "203.0.113.1", 10);
	check_int(step(&b, "u", "203.0.113.1", "x"), '~');
	check_int(step(&a, "u", "203.0.113.1", "x"), '-');
	/* A node whose clock is years ahead makes nobody known for years. */
	a.now_ms = b.now_ms + 10000ull * 24 * 60 * MINUTE;
	pass(&a, "w", "2001:db8:5::1", "right");
	b.now_ms += 61ull * 24 * 60 * MINUTE;
	fail_often(&b, "w", "2001:db8:5::1", 10);
	check_int(step(&b, "w", "2001:db8:5::1", ""), '-');
	defence_free(&a.d);
	defence_free(&b.d);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_delays_grow), cmocka_unit_test(test_steps),
		cmocka_unit_test(test_fading), cmocka_unit_test(test_wide), cmocka_unit_test(test_same_password),
		cmocka_unit_test(test_known_network), cmocka_unit_test(test_own_mistakes),
		cmocka_unit_test(test_held_are_bounded), cmocka_unit_test(test_held_in_shared),
		cmocka_unit_test(test_flood_of_names), cmocka_unit_test(test_limits_of_zero),
		cmocka_unit_test(test_turned_off), cmocka_unit_test(test_lift), cmocka_unit_test(test_nodes) };

	return test_run(tests);
}
