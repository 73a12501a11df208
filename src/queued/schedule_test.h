/* schedule_test.h - what the tests of the schedule share: a queue with an empty log, its mail, its relay's answers. */
#ifndef QUEUED_SCHEDULE_TEST_H
#define QUEUED_SCHEDULE_TEST_H

#include "queued/agent_test.h"

static void turns(struct queued *q, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uv_run(q->child.loop, UV_RUN_NOWAIT);
		agent_take_jobs();
	}
}

static struct rcpt_result how; /* relayed, by_passed */

static void answer(unsigned k, enum rcpt_status status, bool dead)
{
	agent_answer(k, (struct rcpt_result){ .status = (uint8_t)status,
				.nexthop_dead = dead,
				.relayed = how.relayed,
				.by_passed = how.by_passed,
				.dsn = status == RCPT_SENT ? STR("2.0.0") : STR("4.4.1"),
				.text = STR("said so") });
}

static struct queued *start(const char *main_cf, unsigned capacity)
{
	struct queued *q;

	boot_enter_next();
	q = agent_queue_new(main_cf);
	q->active_limit = 20000;
	boot_open(q);
	boot_wait(q);
	agent_connect(q, capacity);
	turns(q, 5);
	return q;
}

static struct envelope wishes; /* of the mail that is made: priority, deliver-by, hold */

/* A message for n recipients: address by address from `format`, which gets a number. Returns its id. */
static uint64_t mail(struct queued *q, unsigned n, const char *format)
{
	struct arena *mem = arena_new(0);
	struct envelope_rcpt *rcpt = arena_array(mem, n, sizeof *rcpt);
	struct envelope env = {
		.arrival_us = queue_now_us(q), .sender = STR("a@x.org"), .rcpt = rcpt, .n_rcpt = n, .size = 3
	};
	uint64_t id;

	env.priority = wishes.priority;
	env.flags = wishes.flags;
	env.deliver_by_us = wishes.deliver_by_us;
	env.hold_until_us = wishes.hold_until_us;
	for (unsigned i = 0; i < n; i++)
		rcpt[i] = (struct envelope_rcpt){ .index = i, .address = str_c(arena_printf(mem, format, i)) };
	id = send_envelope(q, &env, STR("x\r\n"));
	arena_free(&mem);
	return id;
}

#endif
