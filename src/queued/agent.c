/* agent.c - relay and deliver: jobs out, results in. */
#include "queued/queued.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

enum { JOB_INDEX_BITS = 20, STICKY_BACKLOG = 8 };

struct unit *job_find(const struct queued *q, uint32_t job)
{
	uint32_t i = job & ((1U << JOB_INDEX_BITS) - 1);

	return i < q->n_jobs && q->jobs[i] && q->jobs[i]->job == job ? q->jobs[i] : NULL;
}

/* 0: there are too many. */
static uint32_t job_new(struct queued *q, struct unit *u)
{
	uint32_t i = 0;

	while (i < q->n_jobs && q->jobs[(q->unused_job + i) % q->n_jobs])
		i++;
	if (i == q->n_jobs) {
		if (q->n_jobs == 1U << JOB_INDEX_BITS)
			return 0;
		q->cap_jobs = q->n_jobs ? q->n_jobs * 2 : 256;
		q->jobs = xrealloc(q->jobs, q->cap_jobs * sizeof(struct unit *));
		q->job_serial = xrealloc(q->job_serial, q->cap_jobs * sizeof(uint32_t));
		memset(q->jobs + q->n_jobs, 0, (q->cap_jobs - q->n_jobs) * sizeof(struct unit *));
		memset(q->job_serial + q->n_jobs, 0, (q->cap_jobs - q->n_jobs) * sizeof(uint32_t));
		i = q->n_jobs;
		q->n_jobs = q->cap_jobs;
	} else {
		i = (q->unused_job + i) % q->n_jobs;
	}
	q->unused_job = i + 1 < q->n_jobs ? i + 1 : 0;
	q->jobs[i] = u;
	q->job_serial[i] = q->job_serial[i] % 4095 + 1;
	u->job = q->job_serial[i] << JOB_INDEX_BITS | i;
	return u->job;
}

static void job_end(struct queued *q, struct unit *u)
{
	q->jobs[u->job & ((1U << JOB_INDEX_BITS) - 1)] = NULL;
	u->job = 0;
}

static size_t find_open(const struct agent *g, uint64_t generation)
{
	size_t i = 0;

	while (i < g->n_open && g->open[i] != generation)
		i++;
	return i;
}

static void drop_open(struct agent *g, size_t i)
{
	struct buf out = BUF_INIT(16);

	ipc_put_u64(&out, g->open[i]);
	ipc_send(&g->ipc, MSG_SEG_CLOSE, buf_str(&out), NULL, 0);
	buf_free(&out);
	g->n_open--;
	g->open[i] = g->open[g->n_open];
	g->open_jobs[i] = g->open_jobs[g->n_open];
}

void agents_drop_segment(struct queued *q, uint64_t generation)
{
	for (unsigned i = 0; i < AGENTS_MAX; i++) {
		struct agent *g = q->agent[i];
		size_t at = g ? find_open(g, generation) : 0;

		if (g && at < g->n_open && g->open_jobs[at] == 0)
			drop_open(g, at);
	}
}

/* The agent has the segment open, and one more job reads it. */
static int need_open(struct queued *q, struct agent *g, uint64_t generation)
{
	struct buf out = BUF_INIT(16);
	size_t i = find_open(g, generation);
	struct segment *s;
	int fd;

	if (i < g->n_open) {
		g->open_jobs[i]++;
		return 0;
	}
	s = segment_find(q, generation);
	fd = s ? segment_agent_fd(q, s) : -1;
	if (fd < 0)
		return -1;
	ipc_put_u64(&out, generation);
	ipc_send(&g->ipc, MSG_SEG_OPEN, buf_str(&out), &fd, 1);
	buf_free(&out);
	if (g->n_open == g->cap_open) {
		g->cap_open = g->cap_open ? g->cap_open * 2 : 8;
		g->open = xrealloc(g->open, g->cap_open * sizeof *g->open);
		g->open_jobs = xrealloc(g->open_jobs, g->cap_open * sizeof *g->open_jobs);
	}
	g->open[g->n_open] = generation;
	g->open_jobs[g->n_open++] = 1;
	return 0;
}

static void release_segments(struct agent *g, struct unit *u)
{
	enum { IDLE_KEPT = 32 };

	for (size_t i = 0; i < u->n_generation; i++) {
		size_t at = find_open(g, u->generation[i]);

		require(at < g->n_open && g->open_jobs[at] > 0);
		if (--g->open_jobs[at] == 0 && g->n_open > IDLE_KEPT)
			drop_open(g, at);
	}
	u->n_generation = 0;
}

static int open_segments(struct queued *q, struct agent *g, struct unit *u)
{
	const struct envelope *e = &u->active->env;

	u->generation = xrealloc(u->generation, (e->n_extent + 1) * sizeof *u->generation);
	u->n_generation = 0;
	for (size_t i = 0; i < e->n_extent; i++) {
		if (i > 0 && e->extent[i].generation == e->extent[i - 1].generation)
			continue;
		if (need_open(q, g, e->extent[i].generation) != 0)
			return -1;
		u->generation[u->n_generation++] = e->extent[i].generation;
	}
	return 0;
}

static void put_job(struct buf *out, const struct unit *u)
{
	const struct active *a = u->active;
	struct envelope_rcpt *rcpt = xcalloc(u->n, sizeof *rcpt);
	struct job j = { .job = u->job,
		.id = a->message->id,
		.service = str_c(u->dest->service->name),
		.nexthop = u->dest->nexthop,
		.env = a->env,
		.active_us = a->active_us };

	for (size_t i = 0; i < u->n; i++)
		rcpt[i] = *u->rcpt[i]->rcpt;
	j.env.rcpt = rcpt;
	j.env.n_rcpt = u->n;
	job_encode(out, &j);
	free(rcpt);
}

int agent_send(struct queued *q, struct agent *g, struct unit *u)
{
	struct buf out = IPC_BUF;

	if (open_segments(q, g, u) != 0 || job_new(q, u) == 0) {
		release_segments(g, u);
		return -1;
	}
	put_job(&out, u);
	ipc_send(&g->ipc, MSG_JOB, buf_str(&out), NULL, 0);
	buf_free(&out);
	u->agent = g;
	u->agent_next = g->jobs;
	u->agent_prev = &g->jobs;
	if (g->jobs)
		g->jobs->agent_prev = &u->agent_next;
	g->jobs = u;
	g->busy++;
	q->busy_rest[u->dest->service->kind] += u->lane == LANE_REST;
	return 0;
}

static void leave_agent(struct queued *q, struct unit *u)
{
	struct agent *g = u->agent;

	*u->agent_prev = u->agent_next;
	if (u->agent_next)
		u->agent_next->agent_prev = u->agent_prev;
	u->agent = NULL;
	g->busy--;
	q->busy_rest[u->dest->service->kind] -= u->lane == LANE_REST;
	release_segments(g, u);
	job_end(q, u);
}

unsigned agents_capacity(const struct queued *q, enum role role)
{
	unsigned n = 0;

	for (unsigned i = 0; i < q->n_agents; i++)
		n += q->agent[i] && q->agent[i]->role == role ? q->agent[i]->capacity : 0;
	return n;
}

unsigned agents_busy(const struct queued *q)
{
	unsigned n = 0;

	for (unsigned i = 0; i < q->n_agents; i++)
		n += q->agent[i] ? q->agent[i]->busy : 0;
	return n;
}

struct agent *agent_pick(struct queued *q, enum role role, const struct dest *d)
{
	struct agent *best = NULL;
	unsigned n = 0, sticky;

	if (q->leaving)
		return NULL;
	for (unsigned i = 0; i < q->n_agents; i++)
		n += q->agent[i] && q->agent[i]->role == role;
	if (n == 0)
		return NULL;
	sticky = d->number % n;
	for (unsigned i = 0, k = 0; i < q->n_agents && k < n; i++) {
		struct agent *g = q->agent[i];

		if (g == NULL || g->role != role)
			continue;
		if (g->busy < g->capacity) {
			/* A quiet destination keeps to one agent, which has a connection to it; a busy one uses all. */
			if (k == sticky && d->queued + d->busy < STICKY_BACKLOG)
				return g;
			if (best == NULL || g->busy < best->busy)
				best = g;
		}
		k++;
	}
	return best;
}

static struct active_rcpt *rcpt_of(struct unit *u, uint32_t index)
{
	for (size_t i = 0; i < u->n; i++)
		if (u->rcpt[i]->ref.index == index)
			return u->rcpt[i];
	return NULL;
}

/* "550 …": RFC 3464 sec. 2.3.6 wants the type smtp for a server's own words alone. */
static bool is_smtp_reply(struct str s)
{
	return s.n >= 3 && s.p[0] >= '2' && s.p[0] <= '5' && ascii_is_digit(s.p[1]) && ascii_is_digit(s.p[2]) &&
	       (s.n == 3 || s.p[3] == ' ' || s.p[3] == '-');
}

static void take_outcome(struct active_rcpt *r, const struct rcpt_result *x)
{
	struct arena *mem = r->active->mem;

	r->outcome = x->status;
	r->relayed = x->relayed;
	r->by_passed = x->by_passed;
	r->dsn = arena_dup(mem, x->dsn);
	r->remote_mta = arena_dup(mem, x->remote_mta);
	r->diagnostic = arena_dup(mem, x->diagnostic);
	r->diagnostic_is_smtp = x->remote_mta.n > 0 && is_smtp_reply(x->diagnostic);
	r->text = arena_dup(mem, x->text);
}

static int on_result(struct ipc *c, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct agent *g = container_of(c, struct agent, ipc);
	struct arena *mem = arena_new(1024);
	struct rcpt_result *results = NULL, *dead = NULL;
	struct unit *u = NULL;
	size_t n, served = 0;
	uint32_t job;
	int err = result_decode(in, mem, &job, &results, &n);

	(void)fds;
	(void)n_fds;
	if (err == 0)
		u = job_find(g->q, job);
	if (u == NULL || u->agent != g) {
		arena_free(&mem);
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		struct active_rcpt *r = rcpt_of(u, results[i].index);

		if (r)
			take_outcome(r, &results[i]);
		served += results[i].status != RCPT_DEFERRED;
		if (results[i].status == RCPT_DEFERRED && results[i].nexthop_dead)
			dead = &results[i];
	}
	for (size_t i = 0; i < u->n; i++)
		if (u->rcpt[i]->outcome == 0)
			active_rcpt_end(u->rcpt[i], RCPT_DEFERRED, "4.3.0", STR("the delivery agent did not say"));
	dest_count(g->q, u->dest, u);
	leave_agent(g->q, u);
	dest_result(g->q, u,
		dead	 ? JOB_DEAD
		: served ? JOB_SERVED
			 : JOB_REFUSED,
		dead ? dead->dsn : STR(""), dead ? dead->text : STR(""));
	unit_done(g->q, u);
	arena_free(&mem);
	take_wake(g->q);
	queued_leave_if_idle(g->q);
	return 0;
}

static int on_capacity(struct ipc *c, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct agent *g = container_of(c, struct agent, ipc);

	(void)fds;
	(void)n_fds;
	g->capacity = ipc_get_u32(in);
	take_wake(g->q);
	return ipc_get_end(in) ? 0 : -1;
}

static const struct ipc_rule rules[] = {
	{ MSG_RESULT, 0, on_result },
	{ MSG_CAPACITY, 0, on_capacity },
};

static void on_closed(struct ipc *c)
{
	struct agent *g = container_of(c, struct agent, ipc);

	free(g->open);
	free(g->open_jobs);
	free(g);
}

/* Its jobs go back to the front of their destinations at once: somebody else takes them. */
static void on_end(struct ipc *c, enum ipc_end how)
{
	struct agent *g = container_of(c, struct agent, ipc);
	struct queued *q = g->q;

	if (how == IPC_VIOLATION)
		child_violation(&q->child, g->role, g->index, c->why);
	while (g->jobs) {
		struct unit *u = g->jobs;

		leave_agent(q, u);
		u->dest->busy--;
		dest_push(q, u, true);
	}
	for (unsigned i = 0; i < AGENTS_MAX; i++)
		if (q->agent[i] == g)
			q->agent[i] = NULL;
	ipc_close(c, on_closed);
	take_wake(q);
	queued_leave_if_idle(q);
}

void agent_peer(struct queued *q, enum role role, unsigned index, int fd)
{
	struct agent *g = xcalloc(1, sizeof *g);
	unsigned i = 0;

	while (i < AGENTS_MAX - 1 && q->agent[i])
		i++;
	require(q->agent[i] == NULL);
	g->q = q;
	g->role = role;
	g->index = index;
	q->agent[i] = g;
	if (q->n_agents <= i)
		q->n_agents = i + 1;
	ipc_open(&g->ipc, q->child.loop, fd, rules, sizeof rules / sizeof *rules, on_end);
}
