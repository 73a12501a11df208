#include "authd/login.h"
#include "base/test.h"

static void test_names(void **state)
{
	static const struct {
		const char *name, *format, *chars, *translation, *realm, *want; /* NULL: refused */
	} cases[] = {
		{ "User1@Example1.com", "%Lu", "abcdefghijklmnopqrstuvwxyzUE1.@", "", "", "user1@example1.com" },
		{ "User1", "%u", "", "", "example.org", "User1@example.org" },
		{ "a@b", "%u", "", "", "example.org", "a@b" },
		{ "a%b", "%u", "", "%@", "", "a@b" },
		{ "a@b", "%n", "", "", "", "a" },
		{ "@b", "%n", "", "", "", NULL },
		{ "a'b", "%u", "ab", "", "", NULL },
		{ "\xff", "%u", "", "", "", NULL },
		{ "", "%u", "", "", "", NULL },
		{ "J\xc3\xbcrg", "%Lu", "", "", "", "j\xc3\xbcrg" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *mem = arena_new(0);
		struct settings set = { .username_chars = cases[i].chars,
			.username_translation = cases[i].translation,
			.default_realm = cases[i].realm };
		struct vars v = { 0 };
		const char *why = NULL;
		int r;

		check_int(template_compile(str_c(cases[i].format), mem, &set.username_format, &why), 0);
		r = username_normalise(&set, &v, str_c(cases[i].name), mem, &why);
		check_int(r, cases[i].want ? 0 : -1);
		check_str(v.user, cases[i].want ? cases[i].want : "");
		check((why != NULL) == (r < 0));
		arena_free(&mem);
	}
}

static void test_nets(void **state)
{
	static const struct {
		const char *list, *address;
		bool want;
	} cases[] = {
		{ "127.0.0.0/8", "127.1.2.3", true },
		{ "127.0.0.0/8, ::1", "::1", true },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.128/25", "192.0.2.129", true },
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "::1", false },
		{ "2001:db8::/32", "2001:db8:1::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "127.0.0.0/33", "127.0.0.1", false },
		{ "127.0.0.0/x", "127.0.0.1", false },
		{ "nonsense", "127.0.0.1", false },
		{ "local", "", true },
		{ "local", "127.0.0.1", false },
		{ "127.0.0.1", "", false },
		{ "127.0.0.1", "nonsense", false },
		{ "", "127.0.0.1", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_int(is_in_nets(str_c(cases[i].list), str_c(cases[i].address)), cases[i].want);
}

/* ---- what an unknown user's password is compared with ---- */

static void test_dummy(void **state)
{
	static struct authd a;
	static struct settings set = { .new_scheme = "SHA256-CRYPT" };

	(void)state;
	set.passdb[1].sql.scheme = "CRYPT";
	a.set = &set;
	dummy_make(&a, 1);
	check(str_has_prefix(buf_str(&a.dummy[1]), STR("{SHA256-CRYPT}$5$")));
	dummy_follow(&a, 1, STR("$6$rounds=20000$salt$hash"));
	check_str(buf_str(&a.dummy[1]), "{CRYPT}$6$rounds=20000$salt$hash");
	/* What is no stored password changes nothing. */
	dummy_follow(&a, 1, STR(""));
	dummy_follow(&a, 1, STR("{NONE}x"));
	check_str(buf_str(&a.dummy[1]), "{CRYPT}$6$rounds=20000$salt$hash");
	dummy_follow(&a, 1, STR("{BLF-CRYPT}$2y$12$abc"));
	check_str(buf_str(&a.dummy[1]), "{BLF-CRYPT}$2y$12$abc");
	buf_wipe(&a.dummy[1]);
	/* A scheme that can only be checked. */
	set.new_scheme = "PLAIN-TRUNC";
	dummy_make(&a, 1);
	check(str_has_prefix(buf_str(&a.dummy[1]), STR("{SHA512-CRYPT}$6$")));
	buf_wipe(&a.dummy[1]);
}

/* ---- the pool: what starts next, when one address asks for much ---- */

struct task {
	struct job job;
	char name;
	char user[16], address[16];
};
static char order[64];
static size_t n_order;

static uv_sem_t gate; /* nothing goes on while the tasks are given */

static void wait_at_gate(struct job *j)
{
	if (container_of(j, struct task, job)->name == 'a')
		uv_sem_wait(&gate);
}

static void note(struct job *j, bool dropped)
{
	order[n_order++] = dropped ? '-' : container_of(j, struct task, job)->name;
}

/* Text of which nobody before has the lane: whoever shares one by chance waits behind the other. */
static void take_lane(bool *taken, uint64_t (*hash)(struct str s), unsigned *number, char text[16])
{
	do
		snprintf(text, 16, "%u", (*number)++);
	while (taken[hash(str_c(text)) % POOL_LANES]);
	taken[hash(str_c(text)) % POOL_LANES] = true;
}

static int submit(struct pool *p, struct task *t)
{
	return pool_submit(p, &t->job, str_c(t->user), str_c(t->address));
}

static void test_pool(void **state)
{
	bool users[POOL_LANES] = { false }, addresses[POOL_LANES] = { false };
	unsigned user = 0, address = 0;
	struct task t[12] = { 0 };
	struct pool p;
	uv_loop_t loop;

	(void)state;
	uv_loop_init(&loop);
	uv_sem_init(&gate, 0);
	pool_init(&p, &loop, 1, 10, 10000);
	for (size_t i = 0; i < 12; i++) {
		t[i].name = (char)('a' + i);
		t[i].job = (struct job){ .run = wait_at_gate, .done = note };
		take_lane(users, str_ihash, &user, t[i].user);
		if (i == 0 || i >= 8)
			take_lane(addresses, str_hash, &address, t[i].address);
		else
			memcpy(t[i].address, t[0].address, sizeof t[i].address);
	}
	/* a is running, b to h wait, all from one address; i and j come last from others. */
	for (size_t i = 0; i < 8; i++)
		check_int(submit(&p, &t[i]), 0);
	check_int(submit(&p, &t[8]), 0);
	check_int(submit(&p, &t[9]), 0);
	check_int(p.running, 1);
	check_int(p.waiting, 9);
	check_int(submit(&p, &t[10]), 0);
	check_int(submit(&p, &t[11]), -1); /* full */
	t[2].job.cancelled = true;
	check_int(n_order, 0); /* done never comes from within */
	uv_sem_post(&gate);
	uv_run(&loop, UV_RUN_DEFAULT);
	check_int(n_order, 11);
	/* i, j, k start before the second of the many. */
	check(strchr(order, 'i') < strchr(order, 'd') && strchr(order, 'j') < strchr(order, 'd'));
	check(strchr(order, 'k') < strchr(order, 'h'));
	check(strchr(order, '-') != NULL && strchr(order, 'c') == NULL);
	check_int(order[0], 'a');
	check_int(p.n_refused, 1);
	check_int(uv_loop_close(&loop), 0);
	uv_sem_destroy(&gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_names), cmocka_unit_test(test_nets),
		cmocka_unit_test(test_dummy), cmocka_unit_test(test_pool) };

	return test_run(tests);
}
