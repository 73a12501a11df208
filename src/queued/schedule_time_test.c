/*
 * Mail that wants a time: released in the future (RFC 4865), delivered by a time (RFC 2852), also when the clock is set.
 */
#include "queued/schedule_test.h"

static void let_pass(struct queued *q, uint64_t seconds)
{
	q->start_us += seconds * 1000000;
}

/* RFC 4865: it waits, also when it is flushed, and its lifetime begins with its release. */
static void test_future(void **state)
{
	struct queued *q = start("relayhost = [127.0.0.1]\n", 100);
	struct message *m;
	uint64_t id;

	(void)state;
	wishes = (struct envelope){ .hold_until_us = queue_now_us(q) + 600000000 };
	id = mail(q, 1, "u%u@y.org");
	wishes = (struct envelope){ 0 };
	turns(q, 20);
	m = message_find(q, id);
	check_int(agent.n, 0);
	check(m->state == MSG_WAITING && m->due_s - loop_now_s(q) > 590 && m->due_s - loop_now_s(q) <= 601);
	message_ready(q, m);
	turns(q, 20);
	check_int(agent.n, 0);
	check(m->state == MSG_WAITING && m->due_s - loop_now_s(q) > 590);
	let_pass(q, 601);
	check(m->arrival_us + 10000000 > queue_now_us(q));
	message_ready(q, m);
	turns(q, 20);
	check_int(agent.n, 1);
	answer(0, RCPT_SENT, false);
	turns(q, 20);
	check_int(q->n_messages, 0);
}

/* The wall clock is set: the release goes by it. */
static void test_future_clock_set(void **state)
{
	struct queued *q = start("relayhost = [127.0.0.1]\n", 100);
	struct message *m;
	uint64_t id;

	(void)state;
	wishes = (struct envelope){ .hold_until_us = queue_now_us(q) + 600000000 };
	id = mail(q, 1, "u%u@y.org");
	wishes = (struct envelope){ 0 };
	turns(q, 20);
	m = message_find(q, id);
	q->wall_ahead_us = -10000000000; /* back */
	let_pass(q, 601);
	message_ready(q, m);
	turns(q, 20);
	check_int(agent.n, 0);
	check(m->state == MSG_WAITING && m->due_s - loop_now_s(q) <= q->max_backoff_s);
	q->wall_ahead_us = 0;
	message_ready(q, m);
	turns(q, 20);
	check_int(agent.n, 1);
	check_int(q->n_messages, 1);
	check(m->arrival_us <= queue_now_us(q));
}

/* … and ahead: what is to be released tomorrow lives from tomorrow on, and not from what was tomorrow before. */
static void test_future_clock_ahead(void **state)
{
	struct queued *q = start("relayhost = [127.0.0.1]\n", 100);
	struct message *m;
	uint64_t id;

	(void)state;
	wishes = (struct envelope){ .hold_until_us = queue_now_us(q) + 86400000000 };
	q->wall_ahead_us = 86400000000;
	id = mail(q, 1, "u%u@y.org");
	wishes = (struct envelope){ 0 };
	turns(q, 20);
	check_int(agent.n, 1);
	m = message_find(q, id);
	check(m->arrival_us <= queue_now_us(q));
}

/* RFC 2852: its time is over when both clocks say so. */
static void test_deliver_by_clock_set(void **state)
{
	static const struct {
		int64_t ahead_s;
		uint64_t passed_s;
		bool is_over;
	} cases[] = { { 0, 50, false }, { 0, 101, true }, { 86400, 50, false }, { 86400, 101, true },
		{ -90, 101, false }, { -90, 200, true } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct queued *q = start("relayhost = [127.0.0.1]\n", 100);
		struct message *m;
		uint64_t id;

		wishes = (struct envelope){ .flags = ENV_BY_RETURN, .deliver_by_us = queue_now_us(q) + 100000000 };
		id = mail(q, 1, "u%u@y.org");
		wishes = (struct envelope){ 0 };
		turns(q, 20);
		check_int(agent.n, 1);
		q->wall_ahead_us = cases[i].ahead_s * 1000000;
		let_pass(q, cases[i].passed_s);
		answer(0, RCPT_DEFERRED, false);
		turns(q, 20);
		m = message_find(q, id);
		while (cases[i].is_over && q->n_reports == 0)
			turns(q, 1);
		turns(q, 20);
		check_int(q->n_reports, cases[i].is_over);
		if (!cases[i].is_over)
			check(m->state == MSG_WAITING && m->due_s - loop_now_s(q) <= 600);
		if (cases[i].ahead_s < 0 && !cases[i].is_over)
			check(m->due_s - loop_now_s(q) <= 90);
	}
}

/* RFC 2852: R is returned when its time is over, N reported; and the next attempt is no later than that. */
static void test_deliver_by(void **state)
{
	static const struct {
		uint32_t flags;
		uint64_t messages; /* when its time is over: it, its report */
		unsigned jobs;
	} cases[] = { { ENV_BY_RETURN, 1, 2 }, { ENV_BY_NOTIFY, 2, 3 } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct queued *q = start("relayhost = [127.0.0.1]\n", 100);
		struct message *m;
		uint64_t id;

		wishes = (struct envelope){ .flags = cases[i].flags, .deliver_by_us = queue_now_us(q) + 100000000 };
		id = mail(q, 1, "u%u@y.org");
		wishes = (struct envelope){ 0 };
		turns(q, 20);
		check_int(agent.n, 1);
		answer(0, RCPT_DEFERRED, false);
		turns(q, 20);
		m = message_find(q, id);
		check(m->state == MSG_WAITING && m->due_s - loop_now_s(q) <= 101);
		check_int(q->n_reports, 0);
		let_pass(q, 101);
		message_ready(q, m);
		turns(q, 20);
		if (cases[i].flags == ENV_BY_NOTIFY) { /* it is tried again all the same */
			check_int(agent.n, 2);
			answer(1, RCPT_DEFERRED, false);
		}
		while (q->n_reports == 0 || agent.n < cases[i].jobs)
			turns(q, 1);
		check_int(q->n_reports, 1);
		check_int(q->n_messages, cases[i].messages);
	}
}

/* RFC 2852 sec. 4.2: who is told that it went on. */
static void test_deliver_by_relayed(void **state)
{
	static const struct {
		uint32_t flags;
		uint8_t relayed;
		bool by_passed;
		unsigned reports;
	} cases[] = {
		{ 0, RELAYED_PLAIN, false, 0 },
		{ ENV_BY_NOTIFY, RELAYED_PLAIN, false, 1 },
		{ ENV_BY_NOTIFY, RELAYED_DSN, true, 0 },
		{ ENV_BY_NOTIFY | ENV_BY_TRACE, RELAYED_DSN, true, 1 },
		{ ENV_BY_RETURN, RELAYED_PLAIN, true, 0 },
		{ ENV_BY_NOTIFY, RELAYED_NOT, false, 0 },
	};
	struct queued *q = start("relayhost = [127.0.0.1]\n", 100);
	unsigned reports = 0;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		unsigned before = agent.n;

		wishes = (struct envelope){ .flags = cases[i].flags, .deliver_by_us = queue_now_us(q) + 100000000 };
		mail(q, 1, "u%u@y.org");
		wishes = (struct envelope){ 0 };
		turns(q, 20);
		check_int(agent.n, before + 1);
		how = (struct rcpt_result){ .relayed = cases[i].relayed, .by_passed = cases[i].by_passed };
		answer(before, RCPT_SENT, false);
		how = (struct rcpt_result){ 0 };
		reports += cases[i].reports;
		turns(q, 20);
		while (agent.n < before + 1 + cases[i].reports)
			turns(q, 1);
		check_int(q->n_reports, reports);
		for (unsigned k = before + 1; k < agent.n; k++)
			answer(k, RCPT_SENT, false);
		turns(q, 20);
		check_int(q->n_messages, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_future),
		cmocka_unit_test(test_future_clock_set),
		cmocka_unit_test(test_future_clock_ahead),
		cmocka_unit_test(test_deliver_by),
		cmocka_unit_test(test_deliver_by_clock_set),
		cmocka_unit_test(test_deliver_by_relayed),
	};

	log_open(LOG_TO_FD, "postfix/qmgr", open("/dev/null", O_WRONLY | O_CLOEXEC), 0);
	return boot_run(tests);
}
