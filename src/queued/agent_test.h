/*
 * agent_test.h - a queue with one relay, which is the test: it sees each job as it comes, and answers when and as it wants.
 */
#ifndef QUEUED_AGENT_TEST_H
#define QUEUED_AGENT_TEST_H

#include "queued/boot_test.h"

#include <fcntl.h>

enum { JOBS_MAX = 2000 };

static struct {
	int fd;
	struct seen_job {
		uint32_t job, n;
		uint64_t id;
		bool is_report;
		int priority;
		char nexthop[64];
		uint32_t index[RCPTS_PER_JOB_MAX];
		char to[RCPTS_PER_JOB_MAX][64];
	} job[JOBS_MAX]; /* in the order in which they came */
	unsigned n;
} agent;

static void agent_see(struct seen_job *seen, const struct job *j)
{
	seen->job = j->job;
	seen->id = j->id;
	seen->n = (uint32_t)j->env.n_rcpt;
	seen->is_report = (j->env.flags & ENV_REPORT) != 0;
	seen->priority = j->env.priority;
	snprintf(seen->nexthop, sizeof seen->nexthop, "%.*s", STR_ARG(j->nexthop));
	for (uint32_t i = 0; i < seen->n; i++) {
		seen->index[i] = j->env.rcpt[i].index;
		snprintf(seen->to[i], sizeof seen->to[i], "%.*s", STR_ARG(j->env.rcpt[i].address));
	}
}

/* All that have come. */
static void agent_take_jobs(void)
{
	static char payload[IPC_MAX_OCTETS];
	int fds[IPC_MAX_FDS];
	unsigned n_fds;
	uint16_t type;
	ssize_t n;

	while ((n = ipc_read_now(agent.fd, &type, payload, sizeof payload, fds, &n_fds)) > 0) {
		struct ipc_in in = { str_pn(payload, (size_t)n), false };
		struct arena *mem = arena_new(0);
		struct job j;

		for (unsigned i = 0; i < n_fds; i++)
			close(fds[i]);
		if (type == MSG_JOB) {
			require(agent.n < JOBS_MAX && job_decode(&in, mem, &j) == 0);
			agent_see(&agent.job[agent.n++], &j);
		}
		arena_free(&mem);
	}
}

/* The k-th job's result: this one for each of its recipients. */
static void agent_answer(unsigned k, struct rcpt_result result)
{
	const struct seen_job *seen = &agent.job[k];
	struct rcpt_result r[RCPTS_PER_JOB_MAX];
	struct buf out = IPC_BUF;

	require(k < agent.n);
	for (uint32_t i = 0; i < seen->n; i++) {
		r[i] = result;
		r[i].index = seen->index[i];
	}
	result_encode(&out, seen->job, r, seen->n);
	require(ipc_write_now(agent.fd, MSG_RESULT, buf_str(&out), NULL, 0) == 0);
	buf_free(&out);
}

static void agent_busy(uv_idle_t *idle)
{
	struct queued *q = container_of(idle, struct queued, busy);

	take_some(q);
	active_pump(q);
	schedule(q);
}

/* With this main.cf; nothing is open. */
static struct queued *agent_queue_new(const char *main_cf)
{
	struct queued *q = boot_new(agent_busy);

	q->child.conf = conf_parse("/etc/x", str_c(main_cf), STR("smtp unix - - n - - smtp\n"), NULL, NULL);
	q->child.main = conf_main(q->child.conf);
	q->map = map_client_new(q->child.loop, q->child.conf);
	return q;
}

/* The relay is there, and takes so many jobs at a time. */
static void agent_connect(struct queued *q, unsigned capacity)
{
	struct buf out = IPC_BUF;
	int pair[2];

	require(ipc_pair(pair) == 0);
	agent.fd = pair[1];
	agent.n = 0;
	fcntl(agent.fd, F_SETFL, O_NONBLOCK);
	agent_peer(q, ROLE_RELAY, 0, pair[0]);
	ipc_put_u32(&out, capacity);
	require(ipc_write_now(agent.fd, MSG_CAPACITY, buf_str(&out), NULL, 0) == 0);
	buf_free(&out);
}

#endif
