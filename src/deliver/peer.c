/* peer.c - queued's permit table: jobs, and the segments that they are in. */
#include "deliver/deliver.h"
#include "deliver/half.h"
#include "base/log.h"

#include <stdlib.h>

static int on_job(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct channel *c = container_of(ipc, struct channel, ipc);
	struct arena *mem = arena_new(4096);
	struct job job;
	struct ipc_in own = *in;

	(void)fds;
	(void)n_fds;
	/* The run outlives the message. */
	own.rest = arena_dup(mem, in->rest);
	if (job_decode(&own, mem, &job) != 0 || !ipc_get_end(&own) || job.env.n_rcpt == 0) {
		arena_free(&mem);
		return -1;
	}
	if (half_job(c, &job, in->rest))
		arena_free(&mem);
	else
		run_begin(c, mem, &job);
	return 0;
}

static int on_segment_open(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct channel *c = container_of(ipc, struct channel, ipc);
	uint64_t generation = ipc_get_u64(in);

	if (!ipc_get_end(in) || n_fds != 1)
		return -1;
	half_segment_open(c, generation, fds[0]);
	segment_set_add(c->segments, generation, fds[0]);
	fds[0] = -1;
	return 0;
}

static int on_segment_close(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct channel *c = container_of(ipc, struct channel, ipc);
	uint64_t generation = ipc_get_u64(in);

	(void)fds;
	(void)n_fds;
	if (!ipc_get_end(in))
		return -1;
	half_segment_close(c, generation);
	segment_set_drop(c->segments, generation);
	return 0;
}

static const struct ipc_rule from_queued[] = {
	{ MSG_JOB, 0, on_job },
	{ MSG_SEG_OPEN, 1, on_segment_open },
	{ MSG_SEG_CLOSE, 0, on_segment_close },
};

void channel_free_if_unused(struct channel *c)
{
	if (!c->closed || !c->half_closed || c->jobs > 0)
		return;
	segment_set_free(&c->segments);
	free(c);
}

static void on_closed(struct ipc *ipc)
{
	struct channel *c = container_of(ipc, struct channel, ipc);

	c->closed = true;
	channel_free_if_unused(c);
}

void channel_release(struct channel *c)
{
	c->jobs--;
	channel_free_if_unused(c);
}

static void on_end(struct ipc *ipc, enum ipc_end how)
{
	struct channel *c = container_of(ipc, struct channel, ipc);
	struct deliver *d = c->deliver;

	c->gone = true;
	if (d->channel == c)
		d->channel = NULL;
	if (how == IPC_VIOLATION)
		child_violation(&d->child, ROLE_QUEUED, 0, ipc->why ? ipc->why : "malformed message");
	ipc_close(ipc, on_closed);
	half_disconnect(c);
}

void queued_open(struct deliver *d, int fd)
{
	struct channel *c = xcalloc(1, sizeof *c);
	struct buf capacity = IPC_BUF;

	c->deliver = d;
	c->segments = segment_set_new();
	d->channel = c;
	half_connect(c);
	ipc_open(&c->ipc, d->child.loop, fd, from_queued, sizeof from_queued / sizeof *from_queued, on_end);
	ipc_put_u32(&capacity, JOBS_MAX);
	ipc_send(&c->ipc, MSG_CAPACITY, buf_str(&capacity), NULL, 0);
	buf_free(&capacity);
}
