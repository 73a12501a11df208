/*
 * Who is told what: a queue with real segments, mail by our own writer, and one relay, which is this test. A report is
 * seen as the job that it becomes. Restarts are real: memory is dropped and the log is read again.
 */
#include "queued/agent_test.h"
#include "mime/dsn.h"

#include <sys/resource.h>

enum { DAY_S = 86400 };

/* Until nothing more happens: a report is flushed by another thread. */
static void settle(struct queued *q)
{
	for (unsigned i = 0; i < 30; i++) {
		uv_run(q->child.loop, UV_RUN_NOWAIT);
		agent_take_jobs();
		usleep(1000);
	}
}

static void answer(struct queued *q, unsigned k, enum rcpt_status status, enum rcpt_relayed relayed)
{
	agent_answer(k, (struct rcpt_result){ .status = (uint8_t)status,
				.relayed = (uint8_t)relayed,
				.dsn = status == RCPT_SENT ? STR("2.0.0") : STR("4.3.0"),
				.text = STR("said so") });
	settle(q);
}

/* In the directory that is current; `after_s`: what the wall clock shows more than at the first start. */
static struct queued *start_by(const char *main_cf, uint64_t after_s)
{
	struct queued *q = agent_queue_new(main_cf);

	q->start_us += after_s * 1000000;
	q->bounce_size_limit = 50000;
	q->active_limit = 100;
	q->myhostname = STR("mail.example.org");
	q->mail_name = STR("Gatepost");
	boot_open(q);
	agent_connect(q, 10);
	boot_wait(q);
	settle(q);
	return q;
}

static struct queued *start(uint64_t after_s)
{
	return start_by("relayhost = [127.0.0.1]\n"
			"virtual_alias_maps = inline:{ {sales@x.org = a@y.org} }\n"
			"virtual_alias_domains = x.org\n"
			"transport_maps = inline:{ {other.org = smtp:[127.0.0.2]} }\n",
		after_s);
}

static struct queued *start_anew(void)
{
	boot_enter_next();
	return start(0);
}

/* A crash, of queued and so of the relay's channel. */
static void end(struct queued *q)
{
	die(q);
	close(agent.fd);
}

static struct envelope wishes; /* of the mail that is made: flags, deliver-by, priority */

static uint64_t mail(struct queued *q, const char *sender, struct envelope_rcpt *rcpt, size_t n)
{
	struct envelope env = {
		.arrival_us = queue_now_us(q), .sender = str_c(sender), .rcpt = rcpt, .n_rcpt = n, .size = 3
	};
	uint64_t id;

	env.flags = wishes.flags;
	env.deliver_by_us = wishes.deliver_by_us;
	env.priority = wishes.priority;
	for (size_t i = 0; i < n; i++)
		rcpt[i].index = (uint32_t)i;
	id = send_envelope(q, &env, STR("x\r\n"));
	settle(q);
	return id;
}

static void try_again(struct queued *q, uint64_t id)
{
	struct message *m = message_find(q, id);

	require(m && m->state == MSG_WAITING);
	message_ready(q, m);
	settle(q);
}

static unsigned n_reports(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < agent.n; i++)
		n += agent.job[i].is_report;
	return n;
}

static void test_success(void **state)
{
	static const struct {
		uint8_t notify;
		enum rcpt_status status;
		enum rcpt_relayed relayed;
		unsigned reports;
	} cases[] = {
		{ 0, RCPT_SENT, RELAYED_PLAIN, 0 },
		{ 0, RCPT_BOUNCED, RELAYED_NOT, 1 },
		{ NOTIFY_SUCCESS, RCPT_SENT, RELAYED_NOT, 1 },
		{ NOTIFY_SUCCESS, RCPT_SENT, RELAYED_PLAIN, 1 },
		{ NOTIFY_SUCCESS, RCPT_SENT, RELAYED_DSN, 0 },
		{ NOTIFY_SUCCESS, RCPT_BOUNCED, RELAYED_NOT, 0 },
		{ NOTIFY_SUCCESS | NOTIFY_FAILURE, RCPT_BOUNCED, RELAYED_NOT, 1 },
		{ NOTIFY_NEVER, RCPT_SENT, RELAYED_PLAIN, 0 },
		{ NOTIFY_NEVER, RCPT_BOUNCED, RELAYED_NOT, 0 },
		{ NOTIFY_DELAY, RCPT_BOUNCED, RELAYED_NOT, 0 },
	};
	struct queued *q = start_anew();

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct envelope_rcpt r[] = { { .address = STR("b@z.org"), .notify = cases[i].notify } };

		agent.n = 0;
		mail(q, "a@z.org", r, 1);
		check_int(agent.n, 1);
		answer(q, 0, cases[i].status, cases[i].relayed);
		check_int(n_reports(), cases[i].reports);
		if (agent.n > 1)
			answer(q, 1, RCPT_BOUNCED, RELAYED_NOT); /* no report on it */
		check_int(n_reports(), cases[i].reports);
		check_int(q->n_messages, 0);
	}
}

static void test_alias(void **state)
{
	struct queued *q = start_anew();
	struct envelope_rcpt r[] = { { .address = STR("b@z.org"), .notify = NOTIFY_FAILURE },
		{ .address = STR("list@x.org"), .notify = NOTIFY_EXPANDED } };

	(void)state;
	mail(q, "sales@x.org", r, 2);
	check_int(agent.n, 1);
	check_int(agent.job[0].n, 1); /* the alias goes nowhere */
	answer(q, 0, RCPT_DEFERRED, RELAYED_NOT);
	check_int(agent.n, 2); /* but is reported at once, to where the sender's own alias leads */
	check(agent.job[1].is_report && agent.job[1].n == 1);
	check(strcmp(agent.job[1].to[0], "a@y.org") == 0);
	answer(q, 1, RCPT_SENT, RELAYED_PLAIN);
	try_again(q, agent.job[0].id);
	check_int(agent.n, 3);
	answer(q, 2, RCPT_SENT, RELAYED_PLAIN);
	check_int(n_reports(), 1); /* once */
	check_int(q->n_messages, 0);
}

/*
 * A stranger names a large list of ours as the sender, with an extension of which every member's address gets a copy: the
 * report has to fit into the log. One that cannot be expanded is put off.
 */
static void test_large_list_as_sender(void **state)
{
	static const struct {
		unsigned members;
		bool is_told;
	} cases[] = { { 1000, true }, { 2200, true }, { 3000, true }, { 5000, false } };
	struct envelope_rcpt r[] = { { .address = STR("b@z.org") } };
	char sender[2048];

	(void)state;
	snprintf(sender, sizeof sender, "list+%0*d@x.org", 1900, 7);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf conf = BUF_INIT(1 << 20);
		struct queued *q;

		buf_add_c(&conf,
			"relayhost = [127.0.0.1]\nrecipient_delimiter = +\nvirtual_alias_domains = x.org\n"
			"virtual_alias_expansion_limit = 100000\nvirtual_alias_maps = inline:{ {list@x.org = ");
		for (unsigned k = 0; k < cases[i].members; k++)
			buf_addf(&conf, "m%u@y.org ", k);
		buf_add_c(&conf, "} }\n");
		buf_add(&conf, "", 1);
		boot_enter_next();
		q = start_by(conf.p, 0);
		mail(q, sender, r, 1);
		check_int(agent.n, 1);
		answer(q, 0, RCPT_BOUNCED, RELAYED_NOT);
		for (unsigned k = 0; k < 100 && q->reports_under_way; k++)
			settle(q);
		check_int(q->n_reports, cases[i].is_told);
		check_int(q->n_messages, 1); /* the report, or what it would be on */
		end(q);
		buf_free(&conf);
	}
}

/* Returned by an operator before the report on an alias could be kept: it has expanded all the same, and did not fail. */
static void test_alias_expired(void **state)
{
	struct queued *q = start_anew();
	struct envelope_rcpt r[] = { { .address = STR("b@z.org"), .notify = NOTIFY_FAILURE },
		{ .address = STR("list@x.org"), .notify = NOTIFY_EXPANDED } };
	struct message *m;

	(void)state;
	q->active_limit = 0; /* its turn does not come yet */
	m = message_find(q, mail(q, "a@z.org", r, 2));
	check(operate_expire(q, m));
	q->active_limit = 100;
	take_wake(q);
	settle(q);
	check_int(agent.n, 2);
	check_int(n_reports(), 2); /* failed, expanded */
	check_int(q->n_bounced, 1);
	check_int(q->n_sent, 1);
}

static void test_report_before_result(void **state)
{
	struct queued *q = start_anew();
	struct envelope_rcpt r[] = { { .address = STR("told@z.org"), .notify = NOTIFY_SUCCESS },
		{ .address = STR("slow@other.org"), .notify = NOTIFY_NEVER } };
	unsigned told;

	(void)state;
	mail(q, "a@z.org", r, 2);
	check_int(agent.n, 2);
	told = strcmp(agent.job[0].to[0], "told@z.org") == 0 ? 0 : 1;
	answer(q, told, RCPT_SENT, RELAYED_PLAIN); /* the report waits for the other one … */
	check_int(n_reports(), 0);
	end(q);
	q = start(0);
	check_int(agent.n, 2); /* … and is not lost with us: it is sent again */
	answer(q, 0, RCPT_SENT, RELAYED_PLAIN);
	answer(q, 1, RCPT_SENT, RELAYED_PLAIN);
	check_int(n_reports(), 1);
}

static void never(struct spool_writer *w)
{
	(void)w;
}

/* A new segment would be lent to the writer that shall have none. */
static void made_ahead(struct queued *q)
{
	while (q->creating)
		uv_run(q->child.loop, UV_RUN_ONCE);
}

/*
 * The log takes nothing for a moment, as after a start: the reports wait for it. Or for long: no report is lost, and no failure
 * happens that is not told.
 */
static void test_no_place(void **state)
{
	static const struct spool_writer_ops ops = { .want = never };

	(void)state;
	for (unsigned is_long = 0; is_long < 2; is_long++) {
		struct queued *q = start_anew();
		struct spool_writer *writer;
		struct envelope_rcpt r[] = { { .address = STR("b@z.org"), .notify = NOTIFY_SUCCESS },
			{ .address = STR("c@other.org") } };
		uint64_t id = mail(q, "a@z.org", r, 2);
		unsigned b = strcmp(agent.job[0].to[0], "b@z.org") == 0 ? 0 : 1;

		made_ahead(q);
		writer = q->writer;
		q->writer = spool_writer_new(q->child.loop, &ops);
		answer(q, b, RCPT_SENT, RELAYED_NOT);
		answer(q, 1 - b, RCPT_BOUNCED, RELAYED_NOT);
		check_int(n_reports(), 0);
		for (unsigned i = 0; i < (is_long ? 30 : 5); i++)
			reports_retry(q);
		spool_writer_free(&q->writer);
		q->writer = writer;
		check_int(q->n_messages, 1);
		reports_retry(q);
		settle(q);
		if (!is_long) {
			check_int(n_reports(), 2);
			check(message_find(q, id) == NULL);
			die(q);
			continue;
		}
		check_int(n_reports(), 1); /* of the one that was sent */
		check_int(message_find(q, id)->n_rcpt, 1);
		check_int(message_find(q, id)->state, MSG_WAITING);
		try_again(q, id);
		check_int(agent.n, 4);
		answer(q, 3, RCPT_BOUNCED, RELAYED_NOT);
		check_int(n_reports(), 2);
	}
}

/*
 * Told to go while a report cannot be kept: we wait for it; and when that takes too long, who was sent it and owes no report
 * is not sent it again by our successor.
 */
static void test_leave(void **state)
{
	static const struct spool_writer_ops ops = { .want = never };

	(void)state;
	for (unsigned in_time = 0; in_time < 2; in_time++) {
		struct queued *q = start_anew();
		struct spool_writer *writer = q->writer;
		struct envelope_rcpt r[] = { { .address = STR("b@z.org"), .notify = NOTIFY_SUCCESS },
			{ .address = STR("c@z.org") } };

		mail(q, "a@z.org", r, 2);
		check_int(agent.n, 1);
		check_int(agent.job[0].n, 2);
		made_ahead(q);
		q->writer = spool_writer_new(q->child.loop, &ops);
		queued_leave(q, STOP_INSTANCE);
		answer(q, 0, RCPT_SENT, RELAYED_PLAIN);
		check_int(q->reports_under_way, 1);
		queued_leave_if_idle(q);
		check_int(q->child.loop->stop_flag, 0);
		spool_writer_free(&q->writer);
		q->writer = writer;
		if (in_time) {
			reports_retry(q);
			uv_run(q->child.loop, UV_RUN_DEFAULT); /* to the end */
			check(uv_is_active((uv_handle_t *)&q->leave_timer));
			check_int(q->reports_under_way, 0);
		}
		end(q);
		q = start(0);
		check_int(agent.n, 1);
		check_int(agent.job[0].is_report, in_time);
		check_int(agent.job[0].n, 1);
		check(strcmp(agent.job[0].to[0], in_time ? "a@z.org" : "b@z.org") == 0);
		end(q);
	}
}

/* The wall clock jumps ahead by six days while we are away: no message is returned for it alone. */
static void test_clock_jump(void **state)
{
	struct queued *q = start_anew();
	struct envelope_rcpt r[] = { { .address = STR("b@z.org") } };
	uint64_t id;

	(void)state;
	id = mail(q, "a@z.org", r, 1);
	answer(q, 0, RCPT_DEFERRED, RELAYED_NOT);
	try_again(q, id);
	answer(q, 1, RCPT_DEFERRED, RELAYED_NOT);
	end(q);
	q = start(6 * DAY_S);
	q->delay_warning_s = 3600;
	if (agent.n == 0)
		try_again(q, id);
	check_int(agent.n, 1);
	answer(q, 0, RCPT_DEFERRED, RELAYED_NOT);
	check_int(n_reports(), 0);
	check(message_find(q, id) && message_find(q, id)->state == MSG_WAITING);
	try_again(q, id);
	answer(q, 1, RCPT_DEFERRED, RELAYED_NOT);
	check_int(n_reports(), 1); /* it was refused once more, a back-off later */
	check(message_find(q, id) == NULL);
}

static void test_delay(void **state)
{
	static const struct {
		const char *sender;
		uint8_t notify;
		unsigned reports;
	} cases[] = { { "a@z.org", 0, 1 }, { "a@z.org", NOTIFY_DELAY, 1 }, { "a@z.org", NOTIFY_FAILURE, 0 },
		{ "a@z.org", NOTIFY_NEVER, 0 }, { "", 0, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct queued *q = start_anew();
		struct envelope_rcpt r[] = { { .address = STR("b@z.org"), .notify = cases[i].notify } };
		uint64_t id = mail(q, cases[i].sender, r, 1);

		q->delay_warning_s = 3600;
		answer(q, 0, RCPT_DEFERRED, RELAYED_NOT);
		check_int(message_find(q, id)->flags & MF_WARNED, 0);
		q->start_us += (uint64_t)2 * 3600 * 1000000;
		try_again(q, id);
		answer(q, 1, RCPT_DEFERRED, RELAYED_NOT);
		check_int(n_reports(), cases[i].reports);
		check_int(message_find(q, id)->flags & MF_WARNED, MF_WARNED); /* asked and answered */
		end(q);
	}
}

/* RFC 6710 sec. 4.6: a report has the priority of the message. */
static void test_priority(void **state)
{
	struct queued *q = start_anew();

	(void)state;
	for (int priority = -9; priority <= 9; priority += 9) {
		struct envelope_rcpt r[] = { { .address = STR("b@z.org") } };

		agent.n = 0;
		wishes.priority = priority;
		mail(q, "a@z.org", r, 1);
		wishes.priority = 0;
		answer(q, 0, RCPT_BOUNCED, RELAYED_NOT);
		check_int(n_reports(), 1);
		check_int(agent.job[1].priority, priority);
		answer(q, 1, RCPT_SENT, RELAYED_PLAIN);
	}
	die(q);
}

/* DELIVERBY=…;N is told of though a warning was sent before, and once, also across a restart. */
static void test_delay_and_deliver_by(void **state)
{
	struct queued *q = start_anew();
	struct envelope_rcpt r[] = { { .address = STR("b@z.org") } };
	uint64_t id;

	(void)state;
	wishes = (struct envelope){ .flags = ENV_BY_NOTIFY, .deliver_by_us = queue_now_us(q) + 7200000000 };
	id = mail(q, "a@z.org", r, 1);
	wishes = (struct envelope){ 0 };
	q->delay_warning_s = 3600;
	answer(q, 0, RCPT_DEFERRED, RELAYED_NOT);
	for (unsigned hour = 1; hour <= 4; hour++) {
		struct message *m = message_find(q, id);

		agent.n = 0;
		q->start_us += (uint64_t)3600 * 1000000;
		try_again(q, id);
		answer(q, 0, RCPT_DEFERRED, RELAYED_NOT);
		check_int(n_reports(), hour <= 2);
		check_int(m->flags & MF_WARNED, MF_WARNED);
		check_int(m->by_told, hour >= 2);
	}
	end(q);
	q = start(4 * 3600);
	q->delay_warning_s = 3600;
	agent.n = 0;
	check_int(message_find(q, id)->by_told, 1);
	check_int(message_find(q, id)->flags & MF_WARNED, MF_WARNED);
	try_again(q, id);
	answer(q, 0, RCPT_DEFERRED, RELAYED_NOT);
	check_int(n_reports(), 0);
	end(q);
}

/* One bit of the content flips; what stays is put right again. */
static void flip_content(const struct message *m)
{
	unsigned char octet;

	require(pread_all(m->seg->fd, &octet, 1, (uint64_t)m->commit_at * 8 - 8) == 0); /* "x", CR, LF, zeros */
	octet ^= 1;
	require(pwrite_all(m->seg->fd, &octet, 1, (uint64_t)m->commit_at * 8 - 8, false) == 0);
}

/* Does that message, a report of ours, have the text in it? */
static bool report_has(struct queued *q, uint64_t id, const char *text)
{
	struct arena *mem = arena_new(0);
	struct envelope e;
	char content[8192];
	struct segment_set *set = segment_set_new();
	const struct message *m = message_find(q, id);
	ssize_t n;
	bool has;

	require(m && message_envelope(q, m, mem, &e) == 0);
	for (size_t i = 0; i < e.n_extent; i++)
		segment_set_add(set, e.extent[i].generation, dup(segment_find(q, e.extent[i].generation)->fd));
	n = extents_read(set, &e, 0, content, sizeof content);
	require(n > 0);
	has = memmem(content, (size_t)n, text, strlen(text)) != NULL;
	segment_set_free(&set);
	arena_free(&mem);
	return has;
}

/* A message whose content does not check is delivered to nobody, shown, kept, and returned when its time is over. */
static void test_damaged(void **state)
{
	struct queued *q = start_anew();
	struct envelope_rcpt r[] = { { .address = STR("b@z.org") } };
	uint64_t id = mail(q, "a@z.org", r, 1), generation;
	struct message *m;

	(void)state;
	answer(q, 0, RCPT_DEFERRED, RELAYED_NOT);
	for (unsigned mended = 0; mended < 2; mended++) {
		flip_content(message_find(q, id));
		end(q);
		q = start(0);
		check_int(q->damaged, 1);
		try_again(q, id);
		m = message_find(q, id);
		check_int(agent.n, 0);
		check(m && m->state == MSG_WAITING);
		check_str(reason_text(m->one.reason), "its content is damaged in the queue");
		if (mended)
			break;
		flip_content(m); /* a disk that gave it wrong, and gives it right now */
		try_again(q, id);
		check_int(agent.n, 1);
		check_int(q->damaged, 0);
		answer(q, 0, RCPT_DEFERRED, RELAYED_NOT);
	}
	generation = m->seg->head.generation;
	segments_recycle(q);
	check(segment_find(q, generation) != NULL);
	q->start_us += (uint64_t)6 * DAY_S * 1000000;
	try_again(q, id);
	check_int(agent.n, 1);
	check_int(n_reports(), 1);
	check(strcmp(agent.job[0].to[0], "a@z.org") == 0);
	check(message_find(q, id) == NULL);
	check(report_has(q, agent.job[0].id, "lost on this host") && !report_has(q, agent.job[0].id, "rfc822-headers"));
	check_int(q->damaged, 0);
	end(q);
	q = start(0);
	check(message_find(q, id) == NULL); /* told once */
	check_int(q->damaged, 0);
	end(q);
}

/* What a report has of a message in two pieces, when one or both of them are gone: their segment is. */
static void test_pieces_lost(void **state)
{
	static const struct {
		const char *content;
		bool first_is_there, is_damaged; /* else it is found when it is read */
		const char *original;
		bool is_lost;
	} cases[] = {
		{ "A: b\r\nC: d\r\n\r\nbody\r\n", true, true, "A: b\r\nC: d\r\n", false },
		{ "A: b\r\nC: d\r\n\r\nbody\r\n", true, false, "A: b\r\nC: d\r\n", false },
		{ "A: b\r\nC: d\r\n\r\nbody\r\n", false, true, "", true },
		{ "A: b\r\nC: d\r\n\r\nbody\r\n", false, false, "", true },
	};
	struct queued *q = start_anew();
	struct envelope_rcpt r[] = { { .address = STR("b@z.org") } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct envelope env = { .sender = STR("a@z.org"), .rcpt = r, .n_rcpt = 1, .size = 22 };
		uint64_t id = send_envelope(q, &env, str_c(cases[i].content));
		struct message *m;
		struct active a = { .mem = arena_new(0) };
		struct dsn_report report = { .kind = DSN_FAILURE };
		struct buf whole = BUF_INIT(100000);
		struct extent pieces[2] = { { .generation = 1, .octets = 10 }, { .generation = 2, .octets = 10 } };

		settle(q);
		m = message_find(q, id);
		require(m && message_envelope(q, m, a.mem, &a.env) == 0 && a.env.n_extent == 1);
		if (cases[i].first_is_there)
			pieces[0] = a.env.extent[0];
		a.env.extent = pieces;
		a.env.n_extent = 2;
		a.message = m;
		m->content_is_damaged = cases[i].is_damaged;
		report_original(q, &a, &report, &whole);
		m->content_is_damaged = false;
		check_str(report.original, cases[i].original);
		check_int(report.original_is_lost, cases[i].is_lost);
		check(!report.original_is_full);
		buf_free(&whole);
		arena_free(&a.mem);
	}
	end(q);
}

/* What the disk, or a full table of descriptors, does not give for a moment is not lost. */
static void test_unreadable(void **state)
{
	struct queued *q = start_anew();
	struct envelope_rcpt r[] = { { .address = STR("b@z.org") } };
	struct envelope env = { .sender = STR("a@z.org"), .rcpt = r, .n_rcpt = 1, .size = 22 };
	uint64_t id = send_envelope(q, &env, STR("Subject: here\r\n\r\nx\r\n"));
	struct active a = { .mem = arena_new(0) };
	struct dsn_report report = { .kind = DSN_FAILURE };
	struct buf whole = BUF_INIT(100000);
	struct rlimit before, none;
	struct segment *s;
	int fd;

	(void)state;
	settle(q);
	a.message = message_find(q, id);
	require(a.message && message_envelope(q, a.message, a.mem, &a.env) == 0);
	require(getrlimit(RLIMIT_NOFILE, &before) == 0);
	none = before;
	none.rlim_cur = 0;
	require(setrlimit(RLIMIT_NOFILE, &none) == 0);
	check_int(report_original(q, &a, &report, &whole), -EAGAIN);
	require(setrlimit(RLIMIT_NOFILE, &before) == 0);
	s = segment_find(q, a.env.extent[0].generation);
	require(s != NULL);
	fd = s->fd;
	s->fd = open(".", O_RDONLY | O_CLOEXEC); /* reads of it fail */
	check_int(report_original(q, &a, &report, &whole), -EISDIR);
	close(s->fd);
	s->fd = fd;
	check_int(report_original(q, &a, &report, &whole), 0);
	check(str_has_prefix(report.original, STR("Subject: here")) && !report.original_is_lost);
	buf_free(&whole);
	arena_free(&a.mem);
	end(q);
}

/* The report waits for a disk that does not give the message, a minute; then it says that the message is lost. */
static void test_unreadable_for_long(void **state)
{
	static const struct {
		unsigned turns;
		bool comes_back;
	} cases[] = { { 10, true }, { 70, false } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct queued *q = start_anew();
		struct envelope_rcpt r[] = { { .address = STR("b@z.org") } };
		uint64_t id = mail(q, "a@z.org", r, 1);
		struct segment *s;
		int fd;

		answer(q, 0, RCPT_DEFERRED, RELAYED_NOT);
		end(q);
		q = start(0); /* what is written now goes into another segment */
		try_again(q, id);
		require(agent.n == 1);
		s = message_find(q, id)->seg;
		fd = s->fd;
		s->fd = open(".", O_RDONLY | O_CLOEXEC); /* reads of it fail */
		answer(q, 0, RCPT_BOUNCED, RELAYED_NOT);
		for (unsigned turn = 0; turn < cases[i].turns; turn++)
			reports_retry(q);
		settle(q);
		check_int(n_reports(), cases[i].comes_back ? 0 : 1);
		close(s->fd);
		s->fd = fd;
		reports_retry(q);
		settle(q);
		check_int(n_reports(), 1);
		check(message_find(q, id) == NULL);
		check_int(report_has(q, agent.job[1].id, "lost on this host"), !cases[i].comes_back);
		end(q);
	}
}

/* Somebody gave it up (fsck): it is returned at once; but never to <>. */
static void test_given_up(void **state)
{
	struct queued *q = start_anew();
	struct envelope_rcpt r[] = { { .address = STR("b@z.org") } };
	const char *const senders[] = { "a@z.org", "" };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct envelope env = { .sender = str_c(senders[i]),
			.flags = ENV_LOST,
			.rcpt = r,
			.n_rcpt = 1,
			.arrival_us = queue_now_us(q),
			.size = 3 };

		agent.n = 0;
		send_envelope(q, &env, STR(""));
		settle(q);
		check_int(agent.n, i == 0);
		check_int(n_reports(), i == 0);
		if (i == 0) { /* with what it had lost */
			check(report_has(q, agent.job[0].id, "lost on this host"));
			check(!report_has(q, agent.job[0].id, "attached"));
			check(!report_has(q, agent.job[0].id, "rfc822-headers"));
		}
		if (i == 0)
			answer(q, 0, RCPT_SENT, RELAYED_PLAIN);
		check_int(q->n_messages, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_success), cmocka_unit_test(test_alias),
		cmocka_unit_test(test_alias_expired), cmocka_unit_test(test_large_list_as_sender),
		cmocka_unit_test(test_report_before_result), cmocka_unit_test(test_no_place),
		cmocka_unit_test(test_leave), cmocka_unit_test(test_clock_jump), cmocka_unit_test(test_delay),
		cmocka_unit_test(test_delay_and_deliver_by), cmocka_unit_test(test_priority),
		cmocka_unit_test(test_damaged), cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_unreadable_for_long), cmocka_unit_test(test_given_up),
		cmocka_unit_test(test_pieces_lost) };

	log_open(LOG_TO_FD, "postfix/qmgr", open("/dev/null", O_WRONLY | O_CLOEXEC), 0);
	return boot_run(tests);
}
