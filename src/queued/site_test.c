/*
 * ETRN in a long queue (site.c): a part at a time, and the answers of RFC 1985 sec. 5.3 that say so.
 */
#include "queued/boot_test.h"

/* This program's own: how long one look at the clock took. */
uint64_t uv_hrtime(void);
static uint64_t step_ns, looks;
uint64_t uv_hrtime(void)
{
	return ++looks * step_ns;
}

enum { HERE = 300, ELSEWHERE = 300, SLOW_NS = 5000000 };

static uint64_t here[HERE];

static unsigned n_ready(const struct queued *q)
{
	struct message *m;
	size_t at = 0;
	unsigned n = 0;

	while ((m = message_walk(q, &at)) != NULL)
		n += m->state == MSG_READY;
	return n;
}

static void wait_all(struct queued *q)
{
	struct message *m;
	size_t at = 0;

	while ((m = message_walk(q, &at)) != NULL) {
		forget_decoded(m);
		if (m->state != MSG_HELD)
			message_wait(q, m, 3600);
	}
}

static struct queued *filled(void)
{
	struct queued *q = boot();

	match_list_free(&q->flush_domains);
	q->flush_domains = match_list_new(STR("!no.example, !xn--bcher-kva.example, example"));
	for (unsigned i = 0; i < ELSEWHERE; i++)
		send_message_to(q, "b@Sub.Elsewhere.example", 1, 10);
	send_message_to(q, "b@no.example", 1, 10);
	send_message_to(q, "b@below.NO.example", 1, 10);
	send_message_to(q,
		"b@b\xc3\xbc"
		"cher.example",
		1, 10);
	for (unsigned i = 0; i < HERE; i++)
		here[i] = send_message(q, 1, 10);
	while (message_find(q, here[HERE - 1]) == NULL)
		uv_run(q->child.loop, UV_RUN_ONCE);
	wait_all(q);
	return q;
}

static void until_ready(struct queued *q, unsigned n)
{
	while (n_ready(q) < n)
		uv_run(q->child.loop, UV_RUN_ONCE);
}

static void test_at_once(struct queued *q)
{
	static const struct {
		const char *domain;
		uint16_t code;
		uint32_t n;
	} cases[] = {
		{ "site.example", 253, HERE },
		{ "SITE.example", 253, HERE },
		{ "elsewhere.example", 251, 0 },
		{ "@elsewhere.example", 253, ELSEWHERE },
		{ "@site.example", 253, HERE },
		{ "@example", 253, HERE + ELSEWHERE }, /* but for what is excepted */
		{ "@lsewhere.example", 251, 0 },
		{ "nobody.example", 251, 0 },
		{ "site.other", 459, 0 },
		{ "no.example", 459, 0 },
		{ "@no.example", 459, 0 },
		{ "xn--bcher-kva.example", 459, 0 },
		{ "", 459, 0 },
		{ "@", 459, 0 },
	};

	step_ns = 0;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint32_t n = 77;

		check_int(site_flush(q, str_c(cases[i].domain), &n), cases[i].code);
		check_int(n, cases[i].n);
		check_int(n_ready(q), cases[i].n);
		wait_all(q);
	}
}

static void test_in_parts(struct queued *q)
{
	uint32_t n;

	step_ns = SLOW_NS; /* a part is over after 256 messages */
	check_int(site_flush(q, STR("sub.elsewhere.example"), &n), 252);
	check_int(n_ready(q), 256);
	check_int(site_flush(q, STR("Sub.elsewhere.example"), &n), 250); /* under way */
	check_int(n_ready(q), 256);
	until_ready(q, ELSEWHERE);
	wait_all(q);
	check_int(site_flush(q, STR("site.example"), &n), 250); /* nothing was found yet */
	check_int(n_ready(q), 0);
	until_ready(q, HERE);
	check_int(n_ready(q), HERE);
	wait_all(q);
	check_int(site_flush(q, STR("@example"), &n), 252);
	check(n_ready(q) < 10); /* each envelope is read */
	until_ready(q, HERE + ELSEWHERE);
	wait_all(q);
}

/* After a start, when the log is read: what comes behind the end of a walk would not be tried. */
static void test_while_recovering(struct queued *q)
{
	uint32_t n;

	step_ns = 0;
	q->recovering = true;
	check_int(site_flush(q, STR("site.example"), &n), 250);
	check_int(n_ready(q), 0);
	check_int(site_flush(q, STR("nobody.example"), &n), 250);
	until_ready(q, HERE);
	check(!q->recovering);
	wait_all(q);
}

static void test_too_many(struct queued *q)
{
	char name[32];
	uint16_t code = 250;
	unsigned begun = 0;
	uint32_t n;

	step_ns = SLOW_NS;
	for (; code == 250; begun++) {
		snprintf(name, sizeof name, "n%u.example", begun);
		code = site_flush(q, str_c(name), &n);
	}
	check_int(code, 458);
	check(begun > 16 && begun <= 33); /* some of before may be at it still */
	check_int(site_flush(q, STR("site.example"), &n), 458);
	for (; code == 458; code = site_flush(q, STR("site.example"), &n))
		uv_run(q->child.loop, UV_RUN_ONCE);
	until_ready(q, HERE);
	wait_all(q);
}

static void test_etrn(void **state)
{
	struct queued *q = filled();

	(void)state;
	test_at_once(q);
	test_in_parts(q);
	test_while_recovering(q);
	test_too_many(q);
	operate_hold(q, message_find(q, here[0])); /* what is held stays so, and does not count */
	step_ns = 0;
	{
		uint32_t n;

		check_int(site_flush(q, STR("site.example"), &n), 253);
		check_int(n, HERE - 1);
	}
	check_int(message_find(q, here[0])->state, MSG_HELD);
	die(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_etrn) };

	return boot_run(tests);
}
