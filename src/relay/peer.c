#include "relay/relay.h"

#include "base/log.h"

#include <stdlib.h>
#include <unistd.h>

/* queued, the only one who gives us work. What it may send is the table below. */

struct queued_peer {
	struct ipc ipc;
};

static int on_job(struct ipc *c, struct ipc_in *in, int *fds, unsigned n_fds)
{
	(void)c;
	(void)fds;
	(void)n_fds;
	return relay.n_delivery >= RELAY_CAPACITY ? -1 : delivery_begin(in);
}

static int on_segment_open(struct ipc *c, struct ipc_in *in, int *fds, unsigned n_fds)
{
	uint64_t generation = ipc_get_u64(in);

	(void)c;
	if (!ipc_get_end(in) || n_fds != 1)
		return -1;
	segment_set_add(relay.segments, generation, fds[0]);
	fds[0] = -1;
	return 0;
}

static int on_segment_close(struct ipc *c, struct ipc_in *in, int *fds, unsigned n_fds)
{
	uint64_t generation = ipc_get_u64(in);

	(void)c;
	(void)fds;
	(void)n_fds;
	if (!ipc_get_end(in))
		return -1;
	segment_set_drop(relay.segments, generation);
	return 0;
}

static const struct ipc_rule from_queued[] = {
	{ MSG_JOB, 0, on_job },
	{ MSG_SEG_OPEN, 1, on_segment_open },
	{ MSG_SEG_CLOSE, 0, on_segment_close },
};

static void on_closed(struct ipc *c)
{
	free(container_of(c, struct queued_peer, ipc));
}

/* Without queued no result can be kept: its successor begins these messages anew. */
static void drop(struct queued_peer *p)
{
	relay.queued = NULL;
	delivery_end_all();
	segment_set_free(&relay.segments);
	relay.segments = segment_set_new();
	ipc_close(&p->ipc, on_closed);
}

static void on_end(struct ipc *c, enum ipc_end end)
{
	if (end == IPC_VIOLATION)
		child_violation(&relay.child, ROLE_QUEUED, 0, c->why);
	drop(container_of(c, struct queued_peer, ipc));
}

void peer_open(int fd)
{
	struct buf out = IPC_BUF;

	if (relay.queued)
		drop(relay.queued);
	if (relay.stopping) {
		close(fd);
		return;
	}
	relay.queued = xcalloc(1, sizeof *relay.queued);
	ipc_open(&relay.queued->ipc, relay.child.loop, fd, from_queued, sizeof from_queued / sizeof *from_queued,
		on_end);
	ipc_put_u32(&out, RELAY_CAPACITY);
	ipc_send(&relay.queued->ipc, MSG_CAPACITY, buf_str(&out), NULL, 0);
	buf_free(&out);
}

void peer_send_result(const struct delivery *d)
{
	struct buf out = IPC_BUF;

	if (relay.queued == NULL)
		return;
	result_encode(&out, d->job.job, d->result, d->job.env.n_rcpt);
	ipc_send(&relay.queued->ipc, MSG_RESULT, buf_str(&out), NULL, 0);
	buf_free(&out);
}
