/* authd, the only one who asks. What it may send is the table below. */
#include "fetchd/fetchd.h"

#include "base/log.h"

#include <stdlib.h>
#include <unistd.h>

/* The jail was made for what an authd said; one that was started anew with another configuration needs another fetchd. */
static int on_setup(struct ipc *c, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct str text = in->rest;
	struct fetch_setup s;
	unsigned wanted = 0;

	(void)c;
	if (fetch_setup_decode(in, &s) < 0)
		return -1;
	for (size_t i = 0; i < s.n; i++)
		wanted += s.site[i].has_authorities;
	if (n_fds != wanted)
		return -1;
	if (fetchd.setup.n == 0) {
		buf_add_str(&fetchd.setup, text);
		sites_load(&s, fds);
		fetchd_enter_jail();
	} else if (!str_eq(buf_str(&fetchd.setup), text)) {
		log_info("the URLs of auth.conf have changed; ending, for another to take them");
		child_exit(&fetchd.child);
	}
	return 0;
}

static struct call *call_find(const struct peer *p, uint32_t id)
{
	struct call *c = fetchd.calls;

	while (c && (c->peer != p || c->id != id))
		c = c->next;
	return c;
}

/* Tokens and passwords; the memory that messages are read into stays. */
static void wipe(struct str s)
{
	if (s.n)
		mem_wipe((char *)(uintptr_t)s.p, s.n);
}

static int on_ask(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct peer *p = container_of(ipc, struct peer, ipc);
	uint32_t id = ipc_get_u32(in), site = ipc_get_u32(in);
	struct fetch_ask ask;

	(void)fds;
	(void)n_fds;
	if (fetch_ask_decode(in, &ask) < 0 || site >= fetchd.n_sites || call_find(p, id) ||
		fetchd.n_calls >= 2 * FETCH_CALLS_MAX)
		return -1;
	/* Behind a host it could make another host of it. */
	if (ask.suffix.n && fetchd.site[site].parsed.path.n == 0)
		return -1;
	call_begin(p, id, &fetchd.site[site], &ask);
	wipe(ask.suffix);
	wipe(ask.header);
	wipe(ask.body);
	return 0;
}

static int on_cancel(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct call *c = call_find(container_of(ipc, struct peer, ipc), ipc_get_u32(in));

	(void)fds;
	(void)n_fds;
	if (!ipc_get_end(in))
		return -1;
	if (c) /* else its answer is on the way */
		call_drop(c);
	return 0;
}

static const struct ipc_rule from_authd[] = {
	{ MSG_FETCH_SETUP, FETCH_SITES_MAX, on_setup },
	{ MSG_FETCH_ASK, 0, on_ask },
	{ MSG_FETCH_CANCEL, 0, on_cancel },
};

static void on_closed(struct ipc *ipc)
{
	free(container_of(ipc, struct peer, ipc));
}

static void on_end(struct ipc *ipc, enum ipc_end end)
{
	struct peer *p = container_of(ipc, struct peer, ipc), **at = &fetchd.peers;

	if (end == IPC_VIOLATION)
		child_violation(&fetchd.child, ROLE_AUTHD, p->index, ipc->why);
	for (struct call *c = fetchd.calls, *next; c; c = next) {
		next = c->next;
		if (c->peer == p)
			call_drop(c);
	}
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	ipc_close(ipc, on_closed);
	fetchd_exit_if_unused();
}

void peer_open(unsigned index, int fd)
{
	struct peer *p = xcalloc(1, sizeof *p);

	p->index = index;
	p->next = fetchd.peers;
	fetchd.peers = p;
	ipc_open(&p->ipc, fetchd.child.loop, fd, from_authd, sizeof from_authd / sizeof *from_authd, on_end);
}

void peer_answer(struct peer *p, uint32_t call, const struct fetch_answer *a)
{
	struct buf out = IPC_BUF;

	ipc_put_u32(&out, call);
	fetch_answer_encode(&out, a);
	ipc_send(&p->ipc, MSG_FETCH_ANSWER, buf_str(&out), NULL, 0);
	buf_wipe(&out);
}
