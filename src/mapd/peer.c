/* What other processes may ask of mapd, and how it is answered: each question is looked up by a thread of the pool. */
#include "mapd/mapd.h"

#include "base/log.h"
#include "msg/map_msg.h"

#include <stdlib.h>

struct peer {
	struct ipc ipc;
	struct mapd *mapd;
	enum role role;
	unsigned index;
	unsigned users; /* questions under way, and the channel itself */
	bool open;
};

struct question {
	uv_work_t work;
	struct peer *peer;
	uint16_t type;
	uint32_t request;
	enum map_how how;
	struct str a, b; /* tables and key; address; address and sender */
	struct arena *mem;
	struct map_answer answer;
};

static void release(struct peer *p)
{
	if (--p->users == 0)
		free(p);
}

static void on_work(uv_work_t *work)
{
	struct question *q = container_of(work, struct question, work);
	const struct resolver *r = q->peer->mapd->resolver;

	if (q->type == MSG_MAP_LOOKUP)
		resolve_lookup(r, q->a, q->b, q->how, q->mem, &q->answer);
	else if (q->type == MSG_MAP_RCPT)
		resolve_rcpt(r, q->a, q->mem, &q->answer);
	else
		resolve_route(r, q->a, q->b, q->mem, &q->answer);
}

/* Warnings of the tables: the threads leave them here, the log belongs to the loop. */
static void log_notices(struct mapd *m)
{
	struct buf lines = BUF_INIT(1 << 20);
	struct str rest, line;

	table_set_notices(m->tables, &lines);
	rest = buf_str(&lines);
	while (str_word(&rest, "\n", &line))
		log_warn("%.*s", STR_ARG(line));
	buf_free(&lines);
}

static void tell(struct peer *p, uint32_t request, struct map_answer *a)
{
	struct buf out = IPC_BUF;

	while (map_more_encode(&out, request, a)) {
		ipc_send(&p->ipc, MSG_MAP_MORE, buf_str(&out), NULL, 0);
		buf_reset(&out);
	}
	map_answer_encode(&out, request, a);
	ipc_send(&p->ipc, MSG_MAP_ANSWER, buf_str(&out), NULL, 0);
	buf_free(&out);
}

static void on_done(uv_work_t *work, int status)
{
	struct question *q = container_of(work, struct question, work);
	struct peer *p = q->peer;
	struct mapd *m = p->mapd;
	struct arena *mem = q->mem; /* q itself is in it */

	(void)status;
	m->under_way--;
	m->questions++;
	m->temporary += q->answer.status == MAP_TEMPORARY;
	log_notices(m);
	if (p->open)
		tell(p, q->request, &q->answer);
	arena_free(&mem);
	release(p);
	if (m->stopping && m->under_way == 0)
		child_exit(&m->child);
}

static int start(struct ipc *ipc, struct ipc_in *in, uint16_t type)
{
	struct peer *p = container_of(ipc, struct peer, ipc);
	struct arena *mem = arena_new(1024);
	struct question *q = arena_alloc(mem, sizeof *q);
	uint8_t how = MAP_EXACT;

	q->mem = mem;
	q->peer = p;
	q->type = type;
	q->request = ipc_get_u32(in);
	if (type == MSG_MAP_LOOKUP)
		how = ipc_get_u8(in);
	q->a = arena_dup(mem, ipc_get_str(in));
	if (type != MSG_MAP_RCPT)
		q->b = arena_dup(mem, ipc_get_str(in));
	if (!ipc_get_end(in) || how > MAP_CLIENT) {
		arena_free(&mem);
		return -1;
	}
	q->how = (enum map_how)how;
	p->users++;
	p->mapd->under_way++;
	require(uv_queue_work(p->mapd->child.loop, &q->work, on_work, on_done) == 0);
	return 0;
}

static int on_lookup(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	(void)fds;
	(void)n_fds;
	return start(ipc, in, MSG_MAP_LOOKUP);
}

static int on_rcpt(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	(void)fds;
	(void)n_fds;
	return start(ipc, in, MSG_MAP_RCPT);
}

static int on_route(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	(void)fds;
	(void)n_fds;
	return start(ipc, in, MSG_MAP_ROUTE);
}

/* The permit table: nothing but questions, and none with a descriptor. */
static const struct ipc_rule rules[] = {
	{ MSG_MAP_LOOKUP, 0, on_lookup },
	{ MSG_MAP_RCPT, 0, on_rcpt },
	{ MSG_MAP_ROUTE, 0, on_route },
};

static void on_closed(struct ipc *ipc)
{
	release(container_of(ipc, struct peer, ipc));
}

static void on_end(struct ipc *ipc, enum ipc_end end)
{
	struct peer *p = container_of(ipc, struct peer, ipc);

	p->open = false;
	if (end == IPC_VIOLATION)
		child_violation(&p->mapd->child, p->role, p->index, ipc->why);
	ipc_close(ipc, on_closed);
}

void peer_open(struct mapd *m, enum role role, unsigned index, int fd)
{
	struct peer *p = xcalloc(1, sizeof *p);

	p->mapd = m;
	p->role = role;
	p->index = index;
	p->users = 1;
	p->open = true;
	ipc_open(&p->ipc, m->child.loop, fd, rules, sizeof rules / sizeof *rules, on_end);
}
