#include "master/master.h"
#include "base/log.h"
#include "msg/master_msg.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct edge { /* a channel that was made */
	struct edge *next;
	struct proc *a, *b;
};

/* Who talks with whom: the arrows of the process picture in ARCHITECTURE.md. */
static const struct {
	enum role a, b;
} edges[] = {
	{ ROLE_SMTPD, ROLE_QUEUED },
	{ ROLE_SMTPD, ROLE_MAPD },
	{ ROLE_QUEUED, ROLE_MAPD },
	{ ROLE_QUEUED, ROLE_RELAY },
	{ ROLE_QUEUED, ROLE_DELIVER },
	{ ROLE_RELAY, ROLE_MAPD },
	{ ROLE_DELIVER, ROLE_MAPD },
	{ ROLE_AUTHD, ROLE_FETCHD },
	{ ROLE_AUTHD, ROLE_AUTHPAM },
	{ ROLE_SMTPD, ROLE_KEYD },
};

bool edges_belong_together(enum role a, enum role b)
{
	for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
		if ((edges[i].a == a && edges[i].b == b) || (edges[i].a == b && edges[i].b == a))
			return true;
	return false;
}

/* An smtpd asks the keyd of its own number, and the next one when that is away. */
static bool slots_fit(const struct master *m, const struct proc *p, const struct proc *other)
{
	const struct proc *keyd = p->role == ROLE_KEYD ? p : other, *asker = keyd == p ? other : p;
	unsigned n = procs_wanted(m, ROLE_KEYD);

	if (keyd->role != ROLE_KEYD || n == 0)
		return true;
	return keyd->slot == asker->slot % n || keyd->slot == (asker->slot + 1) % n;
}

static void give_end(struct proc *to, const struct proc *other, int fd)
{
	struct buf out = IPC_BUF;

	ipc_put_u8(&out, (uint8_t)other->role);
	ipc_put_u32(&out, other->index);
	ipc_send(&to->channel, MSG_PEER, buf_str(&out), &fd, 1);
	buf_free(&out);
}

static void note(struct master *m, struct proc *a, struct proc *b)
{
	struct edge *e = xcalloc(1, sizeof *e);

	*e = (struct edge){ m->edges, a, b };
	m->edges = e;
}

static void forget(struct edge **at)
{
	struct edge *e = *at;

	*at = e->next;
	free(e);
}

void edges_drop(const struct proc *p)
{
	struct edge **at = &p->master->edges;

	while (*at)
		if ((*at)->a == p || (*at)->b == p)
			forget(at);
		else
			at = &(*at)->next;
}

struct proc *edges_cut(const struct proc *p, enum role role, unsigned index)
{
	for (struct edge **at = &p->master->edges; *at; at = &(*at)->next) {
		struct proc *other = (*at)->a == p ? (*at)->b : (*at)->b == p ? (*at)->a : NULL;

		if (other && other->role == role && other->index == index) {
			forget(at);
			return other;
		}
	}
	return NULL;
}

void edges_connect(struct master *m, struct proc *p)
{
	for (struct proc *other = m->procs; other; other = other->next) {
		int pair[2];

		if (other == p || other->exited || !other->channel_open ||
			!edges_belong_together(p->role, other->role) || !slots_fit(m, p, other))
			continue;
		/* A leaving process gets no more work, but may still have to ask; what smtpd takes goes to queued. */
		if (other->leaving && other->role != ROLE_SMTPD && p->role != ROLE_MAPD)
			continue;
		if (ipc_pair(pair) != 0) {
			log_error("cannot connect %s and %s: %s", role_name(p->role), role_name(other->role),
				strerror(errno));
			continue;
		}
		give_end(p, other, pair[0]);
		give_end(other, p, pair[1]);
		note(m, p, other);
		close(pair[0]);
		close(pair[1]);
	}
}
