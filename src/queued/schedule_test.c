/*
 * Who is served when: a queue with real segments, mail by our own writer, and one relay, which is this test.
 */
#include "queued/schedule_test.h"

#include <time.h>

/* At which place among the jobs came the first one of that message? JOBS_MAX: not at all. */
static unsigned place_of(uint64_t id)
{
	for (unsigned i = 0; i < agent.n; i++)
		if (agent.job[i].id == id)
			return i;
	return JOBS_MAX;
}

/* As if it had been tried before and its time had come again. */
static void come_due(struct queued *q, uint64_t id)
{
	struct message *m = message_find(q, id);

	require(m && m->state == MSG_WAITING);
	message_ready(q, m);
}

static void test_list_to_one_site(void **state)
{
	struct queued *q = start("relayhost = [127.0.0.1]\n", 100);
	uint64_t list, single;

	(void)state;
	list = mail(q, 1000, "u%u@y.org"); /* 20 jobs of 50 */
	single = mail(q, 1, "b%u@y.org");
	turns(q, 20);
	check_int(place_of(list), 0);
	check_int(agent.n, 5); /* initial_destination_concurrency */
	for (unsigned i = 0; i < agent.n; i++) {
		answer(i, RCPT_SENT, false);
		turns(q, 5);
	}
	check_int(place_of(single), 6);
	check_int(agent.n, 21); /* nothing of the list is forgotten */
	check_int(q->n_messages, 0);
}

/* So long that not all of them fit into one job. */
static void test_long_recipients(void **state)
{
	enum { RCPTS = 50, LOCAL_PART = 4000 };
	struct queued *q = start("relayhost = [127.0.0.1]\n", 100);
	char format[LOCAL_PART + 16];
	unsigned n = 0;

	(void)state;
	memset(format, 'x', LOCAL_PART);
	snprintf(format + LOCAL_PART, sizeof format - LOCAL_PART, "%%u@y.org");
	mail(q, RCPTS, format);
	turns(q, 20);
	for (unsigned i = 0; i < agent.n; i++) {
		n += agent.job[i].n;
		answer(i, RCPT_SENT, false);
		turns(q, 5);
	}
	check_int(agent.n, 2);
	check_int(n, RCPTS);
	check_int(q->n_messages, 0);
}

static void test_list_to_many_sites(void **state)
{
	struct queued *q = start("disable_dns_lookups = no\n", 10);
	uint64_t single;

	(void)state;
	mail(q, 300, "u@site%u.org");
	turns(q, 20);
	check_int(agent.n, 5); /* a list takes half of the relay at most */
	single = mail(q, 1, "b%u@y.org");
	turns(q, 20);
	check_int(place_of(single), 5);
	for (unsigned i = 0; i < agent.n; i++) {
		answer(i, RCPT_SENT, false);
		turns(q, 5);
	}
	check_int(agent.n, 301);
	check_int(q->busy_rest[SERVICE_RELAY], 0);
	check_int(q->n_messages, 0);
}

/* Greylisting, or a site in trouble: everything is answered 451. */
static void test_refusing_site(void **state)
{
	enum { N = 200 };
	struct queued *q = start("relayhost = [127.0.0.1]\n", 100);
	uint64_t id[N], later;
	unsigned before, tried;

	(void)state;
	for (unsigned i = 0; i < N; i++)
		id[i] = mail(q, 1, "u%u@y.org");
	turns(q, 20);
	for (unsigned i = 0; i < agent.n; i++) {
		answer(i, RCPT_DEFERRED, false);
		turns(q, 5);
	}
	check_int(agent.n, N); /* each is tried once */
	for (unsigned i = 0; i < N; i++)
		come_due(q, id[i]);
	turns(q, 20);
	before = N;
	for (unsigned i = before; i < agent.n; i++) {
		answer(i, RCPT_DEFERRED, false);
		turns(q, 5);
	}
	tried = agent.n - N;
	check(tried >= 50 && tried < 100); /* 50, and what was queued for it already */
	check_int(q->n_waiting, N);
	for (unsigned i = 0; i < N; i++)
		check(message_find(q, id[i])->due_s - loop_now_s(q) <= 600);
	/* Fresh mail is tried all the same, and its success brings the others back. */
	later = mail(q, 1, "v%u@y.org");
	turns(q, 20);
	check_int(place_of(later), agent.n - 1);
	come_due(q, id[N - 1]);
	turns(q, 20);
	check_int(message_find(q, id[N - 1])->state, MSG_WAITING);
	answer(agent.n - 1, RCPT_SENT, false);
	turns(q, 20);
	before = agent.n;
	come_due(q, id[N - 1]);
	turns(q, 20);
	check_int(agent.n, before + 1);
	check(agent.job[before].id == id[N - 1]);
}

static void test_dead_site(void **state)
{
	enum { N = 100 };
	struct queued *q = start("relayhost = [127.0.0.1]\n", 100);
	uint64_t id[N];

	(void)state;
	for (unsigned i = 0; i < N; i++)
		id[i] = mail(q, 1, "u%u@y.org");
	turns(q, 20);
	for (unsigned i = 0; i < agent.n; i++) {
		answer(i, RCPT_DEFERRED, true);
		turns(q, 5);
	}
	check(agent.n <= 8); /* five at a time: the others were not even tried */
	check_int(q->n_waiting, N);
	come_due(q, id[N - 1]);
	turns(q, 20);
	check_int(message_find(q, id[N - 1])->state, MSG_WAITING); /* dead still */
	dests_revive(q);					   /* as if its time were over */
	come_due(q, id[N - 1]);
	turns(q, 20);
	check(place_of(id[N - 1]) < JOBS_MAX);
	answer(agent.n - 1, RCPT_SENT, false);
	turns(q, 5);
	check_int(q->n_messages, N - 1);
}

/* One site that takes its time, with more mail than may be active, keeps no other out. */
static void test_crowd(void **state)
{
	enum { N = 100 };
	struct queued *q = start("disable_dns_lookups = no\n", 50);
	uint64_t other;

	(void)state;
	q->active_limit = 40;
	for (unsigned i = 0; i < N; i++)
		mail(q, 1, "u%u@slow.org");
	turns(q, 50);
	check_int(agent.n, 5);
	other = mail(q, 1, "b%u@y.org");
	turns(q, 50);
	check_int(place_of(other), 5);
	check(q->n_active < 40);
	for (unsigned i = 0; i < agent.n; i++) {
		answer(i, RCPT_SENT, false);
		turns(q, 10);
	}
	check_int(agent.n, N + 1);
	check_int(q->n_messages, 0);
}

/* What was parked while mail of others takes all that may be active is delivered too, and not after all of it. */
static void test_parked(void **state)
{
	enum { SLOW = 60, OTHERS = 200 };
	struct queued *q = start("disable_dns_lookups = no\n", 50);
	char address[64];
	uint64_t id = 0;

	(void)state;
	q->active_limit = 40;
	for (unsigned i = 0; i < SLOW; i++)
		id = mail(q, 1, "u%u@slow.org");
	turns(q, 50);
	check_int(message_find(q, id)->state, MSG_PARKED);
	for (unsigned i = 0; i < OTHERS; i++) {
		snprintf(address, sizeof address, "u%%u@site%u.org", i);
		mail(q, 1, address);
	}
	turns(q, 50);
	for (unsigned i = 0; i < agent.n; i++) /* those that are slow answer first */
		if (strcmp(agent.job[i].nexthop, "slow.org") == 0) {
			answer(i, RCPT_SENT, false);
			turns(q, 10);
		}
	check(message_find(q, id) == NULL);
	check(q->n_active <= 40 + 6); /* its window, and one more */
	for (unsigned i = 0; i < agent.n; i++)
		if (strcmp(agent.job[i].nexthop, "slow.org") != 0) {
			answer(i, RCPT_SENT, false);
			turns(q, 10);
		}
	check_int(agent.n, SLOW + OTHERS);
	check_int(q->n_messages, 0);
}

/* Parked, and nothing of its destination is under way. */
static void test_stranded(void **state)
{
	struct queued *q = start("disable_dns_lookups = no\n", 50);
	struct message *m;
	struct dest *d;

	(void)state;
	m = message_find(q, mail(q, 1, "u%u@slow.org"));
	turns(q, 20);
	m = m ? m : message_find(q, agent.job[0].id);
	d = m->active->rcpt->dest;
	answer(0, RCPT_DEFERRED, false);
	turns(q, 20);
	require(m->state == MSG_WAITING);
	message_park(q, m, d);
	turns(q, 20);
	check_int(agent.n, 1);
	dests_tick(q);
	turns(q, 20);
	check_int(agent.n, 2);
	answer(1, RCPT_SENT, false);
	turns(q, 20);
	check_int(q->n_messages, 0);
}

static uint64_t mail_of(struct queued *q, int priority)
{
	uint64_t id;

	wishes.priority = priority;
	id = mail(q, 1, "u%u@y.org");
	wishes.priority = 0;
	return id;
}

/* RFC 6710: of what waits for a destination the higher priority goes first, but not for ever. */
static void test_priority(void **state)
{
	struct queued *q = start("relayhost = [127.0.0.1]\n", 100);
	uint64_t normal, low, high, highest, high_again, old, later;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		mail_of(q, 0);
	turns(q, 20);
	check_int(agent.n, 5); /* the window is full */
	old = mail_of(q, -9);
	turns(q, 20);
	message_find(q, old)->active->rcpt->dest->others[0].first->rank -=
		20 * 60 * 1000; /* it has waited for 20 minutes */
	low = mail_of(q, -3);
	normal = mail_of(q, 0);
	high = mail_of(q, 6);
	highest = mail_of(q, 9);
	high_again = mail_of(q, 6);
	turns(q, 20);
	later = mail_of(q, 0);
	turns(q, 20);
	for (unsigned i = 0; i < agent.n; i++) {
		answer(i, RCPT_SENT, false);
		turns(q, 5);
	}
	check_int(agent.n, 12);
	check_int(place_of(old), 5);
	check_int(place_of(highest), 6);
	check_int(place_of(high), 7);
	check_int(place_of(high_again), 8);
	check_int(place_of(normal), 9);
	check_int(place_of(later), 10);
	check_int(place_of(low), 11);
	check_int(q->n_urgent, 0);
	check_int(q->n_messages, 0);
}

/* Nor does mail that is urgent or has a time, which is parked later than other mail, and taken up before it. */
static void test_urgent_crowd(void **state)
{
	enum { N = 60 };
	static const struct envelope cases[] = { { .priority = 1 },
		{ .flags = ENV_BY_NOTIFY, .deliver_by_us = 1800000000000000 } };

	(void)state;
	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		struct queued *q = start("disable_dns_lookups = no\n", 50);
		uint64_t other, normal = 0, last = 0;

		q->active_limit = 40;
		wishes = cases[k];
		for (unsigned i = 0; i < N; i++) {
			if (i == N / 2) {
				wishes = (struct envelope){ 0 };
				normal = mail(q, 1, "u%u@slow.org");
				turns(q, 20);
				check_int(message_find(q, normal)->state, MSG_PARKED);
				wishes = cases[k];
			}
			last = mail(q, 1, "u%u@slow.org");
		}
		wishes = (struct envelope){ 0 };
		turns(q, 50);
		check_int(agent.n, 5);
		check_int(message_find(q, last)->state, MSG_PARKED);
		other = mail(q, 1, "b%u@y.org");
		turns(q, 50);
		check_int(place_of(other), 5);
		for (unsigned i = 0; i < agent.n; i++) {
			answer(i, RCPT_SENT, false);
			turns(q, 10);
		}
		check_int(agent.n, N + 2);
		check_int(place_of(normal), N + 1);
		check_int(q->n_messages, 0);
	}
}

/*
 * Mail of the lowest priority, which stands there for nine minutes, makes no work for that which comes after it. In CPU time
 * of this process, and with so much of it that a walk over the queue for each would take many times as long.
 */
static void test_priority_costs_nothing(void **state)
{
	enum { N = 100000 };
	struct queued *q = start("relayhost = [127.0.0.1]\n", 0);
	struct dest *d = dest_get(q, service_get(q, STR("smtp")), STR("site.org"));
	static struct message message[N];
	static struct active active[N];
	static struct unit unit[N];
	clock_t began = clock();

	(void)state;
	for (size_t i = 0; i < N; i++) {
		message[i].priority = i % 3 == 0 ? -9 : 0;
		active[i].message = &message[i];
		unit[i].active = &active[i];
		unit[i].dest = d;
		dest_push(q, &unit[i], false);
	}
	check_int(d->queued, N);
	check(clock() - began < 2 * CLOCKS_PER_SEC);
}

/* Before their turn: urgent ones first, and now and then one of the others. */
static void test_urgent(void **state)
{
	struct queued *q = start("relayhost = [127.0.0.1]\n", 100);
	uint64_t urgent = 0, normal = 0;

	(void)state;
	q->active_limit = 0; /* nobody's turn comes */
	for (unsigned i = 0; i < 40; i++)
		normal = mail_of(q, i < 20 ? 0 : 3 + (int)i % 3);
	urgent = mail_of(q, 9);
	turns(q, 20);
	check_int(q->n_urgent, 21);
	check_int(messages_ready(q), 41);
	q->active_limit = 16;
	turns(q, 20);
	check(place_of(urgent) < 5);
	check(place_of(normal) == JOBS_MAX);
	for (unsigned i = 0; i < agent.n; i++) {
		answer(i, RCPT_SENT, false);
		turns(q, 20);
	}
	check_int(agent.n, 41);
	check_int(q->n_messages, 0);
}

/* One at a time, and a pause behind each; other destinations do not wait. */
static void test_pause(void **state)
{
	struct queued *q = start("disable_dns_lookups = no\nsmtp_destination_rate_delay = 1s\n", 50);
	uint64_t other, began;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		mail(q, 1, "u%u@slow.org");
	turns(q, 20);
	check_int(agent.n, 1);
	answer(0, RCPT_SENT, false);
	began = uv_hrtime();
	turns(q, 20);
	check_int(agent.n, 1);
	other = mail(q, 1, "b%u@y.org");
	turns(q, 20);
	check_int(place_of(other), 1);
	while (agent.n < 3) {
		uv_run(q->child.loop, UV_RUN_ONCE);
		agent_take_jobs();
	}
	check(uv_hrtime() - began >= 900000000);
	turns(q, 20);
	check_int(agent.n, 3);
	answer(1, RCPT_SENT, false);
	answer(2, RCPT_DEFERRED, false);
	while (agent.n < 4) {
		uv_run(q->child.loop, UV_RUN_ONCE);
		agent_take_jobs();
	}
	check(uv_hrtime() - began >= 1900000000);
	answer(3, RCPT_SENT, false);
	turns(q, 20);
	check_int(q->n_messages, 1); /* the one that was deferred */
}

/* That many destinations pause makes no work for each result; the timer waits for the first of them. In CPU time. */
static void test_pause_costs_nothing(void **state)
{
	enum { N = 30000 };
	struct queued *q = start("disable_dns_lookups = no\nsmtp_destination_rate_delay = 100s\n", 0);
	struct service *smtp = service_get(q, STR("smtp")), *quick = service_get(q, STR("quick"));
	struct dest **d = xcalloc(N, sizeof(struct dest *));
	char name[32];
	clock_t began;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		snprintf(name, sizeof name, "site%u.org", i);
		d[i] = dest_get(q, smtp, str_c(name));
	}
	quick->pause_ms = 10000;
	began = clock();
	for (unsigned i = 0; i < 2 * N; i++)
		dest_pause(q, d[i % N]);
	check(clock() - began < 2 * CLOCKS_PER_SEC);
	check(uv_timer_get_due_in(&q->pace) > 50000);
	dest_pause(q, dest_get(q, quick, STR("site.org")));
	check(uv_timer_get_due_in(&q->pace) <= 10000);
	dest_pause(q, d[0]);
	check(uv_timer_get_due_in(&q->pace) <= 10000);
	free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_to_one_site),
		cmocka_unit_test(test_long_recipients),
		cmocka_unit_test(test_list_to_many_sites),
		cmocka_unit_test(test_refusing_site),
		cmocka_unit_test(test_dead_site),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_parked),
		cmocka_unit_test(test_stranded),
		cmocka_unit_test(test_priority),
		cmocka_unit_test(test_priority_costs_nothing),
		cmocka_unit_test(test_urgent),
		cmocka_unit_test(test_urgent_crowd),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_pause_costs_nothing),
	};

	log_open(LOG_TO_FD, "postfix/qmgr", open("/dev/null", O_WRONLY | O_CLOEXEC), 0);
	return boot_run(tests);
}
