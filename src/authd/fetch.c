#include "authd/fetch.h"

#include "base/log.h"

#include <stdlib.h>
#include <unistd.h>

enum {
	SWEEP_MS = 100,
	GRACE_MS = 500 /* for fetchd to say itself that the time is over */
};

struct channel { /* lives until libuv has closed it */
	struct ipc ipc;
	struct fetch *fetch; /* NULL: replaced */
};

struct fetch {
	uv_loop_t *loop;
	const struct fetch_sites *sites;
	struct channel *channel; /* NULL: fetchd is not there now */
	uv_timer_t sweep;
	struct fetch_call *first;
	size_t n;
	uint32_t last_id;
};

struct fetch *fetch_new(uv_loop_t *loop, const struct fetch_sites *sites)
{
	struct fetch *f = xcalloc(1, sizeof *f);

	f->loop = loop;
	f->sites = sites;
	uv_timer_init(loop, &f->sweep);
	return f;
}

size_t fetch_under_way(const struct fetch *f)
{
	return f->n;
}

int fetch_escape(struct buf *out, struct str s)
{
	int r = 0;

	for (size_t i = 0; i < s.n && r == 0; i++) {
		char c = s.p[i];

		if (ascii_is_alnum(c) || (c && strchr("-._~", c)))
			r = buf_add_char(out, c);
		else
			r = buf_addf(out, "%%%02X", (unsigned)(unsigned char)c);
	}
	return r;
}

/* ---- calls ---- */

static void take(struct fetch_call *c)
{
	struct fetch *f = c->fetch;

	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	f->n--;
	if (f->first == NULL)
		uv_timer_stop(&f->sweep);
	buf_wipe(&c->message);
	c->fetch = NULL;
}

static void finish(struct fetch_call *c, const struct fetch_answer *a)
{
	take(c);
	c->done(c, a);
}

static void tell_cancelled(struct fetch *f, uint32_t id)
{
	struct buf out = IPC_BUF;

	ipc_put_u32(&out, id);
	if (f->channel)
		ipc_send(&f->channel->ipc, MSG_FETCH_CANCEL, buf_str(&out), NULL, 0);
	buf_free(&out);
}

void fetch_cancel(struct fetch_call *c)
{
	if (c->fetch == NULL)
		return;
	if (c->refused == NULL)
		tell_cancelled(c->fetch, c->id);
	take(c);
}

static struct fetch_call *due(struct fetch *f, uint64_t now)
{
	for (struct fetch_call *c = f->first; c; c = c->next)
		if (c->deadline_ms <= now)
			return c;
	return NULL;
}

static void on_sweep(uv_timer_t *t)
{
	struct fetch *f = container_of(t, struct fetch, sweep);
	struct fetch_call *c;

	while ((c = due(f, uv_now(t->loop))) != NULL) {
		const char *why = c->refused   ? c->refused
				  : f->channel ? "fetchd gave no answer in time"
					       : "fetchd is not there";

		if (c->refused == NULL)
			tell_cancelled(f, c->id);
		finish(c, &(struct fetch_answer){ .why = str_c(why) });
	}
}

static void send_ask(struct fetch *f, const struct fetch_call *c)
{
	if (f->channel)
		ipc_send(&f->channel->ipc, MSG_FETCH_ASK, buf_str(&c->message), NULL, 0);
}

/* It is answered at the next sweep: never from within the call. */
static void refuse(struct fetch_call *c, const char *why)
{
	c->refused = why;
	c->deadline_ms = uv_now(c->fetch->loop) + 1;
}

void fetch_start(struct fetch *f, struct fetch_call *c, int site, const struct fetch_ask *ask)
{
	struct fetch_ask a = *ask;

	require(c->fetch == NULL && site >= 0 && (size_t)site < f->sites->n);
	if (a.timeout_ms == 0 || a.timeout_ms > FETCH_TIMEOUT_MAX_MS)
		a.timeout_ms = FETCH_TIMEOUT_MAX_MS;
	c->fetch = f;
	c->id = ++f->last_id;
	c->refused = NULL;
	c->deadline_ms = uv_now(f->loop) + a.timeout_ms + GRACE_MS;
	c->message = IPC_BUF_SECRET; /* a password or a token may be in it */
	c->next = f->first;
	c->link = &f->first;
	if (c->next)
		c->next->link = &c->next;
	f->first = c;
	f->n++;
	if (!uv_is_active((uv_handle_t *)&f->sweep))
		uv_timer_start(&f->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	if (f->n > FETCH_CALLS_MAX) {
		refuse(c, "too many requests are under way");
	} else if (a.suffix.n + a.header.n + a.body.n > FETCH_REQUEST_MAX) {
		refuse(c, "the request is longer than 64 KB");
	} else {
		ipc_put_u32(&c->message, c->id);
		ipc_put_u32(&c->message, (uint32_t)site);
		fetch_ask_encode(&c->message, &a);
		send_ask(f, c);
	}
}

/* ---- fetchd ---- */

static int on_answer(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct fetch *f = container_of(ipc, struct channel, ipc)->fetch;
	uint32_t id = ipc_get_u32(in);
	struct fetch_call *c = f ? f->first : NULL;
	struct fetch_answer a;

	(void)fds;
	(void)n_fds;
	if (fetch_answer_decode(in, &a) < 0)
		return -1;
	while (c && (c->id != id || c->refused))
		c = c->next;
	if (c) /* else it was cancelled meanwhile */
		finish(c, &a);
	/* Tokens; the memory that messages are read into stays. */
	if (a.body.n)
		mem_wipe((char *)(uintptr_t)a.body.p, a.body.n);
	return 0;
}

static const struct ipc_rule from_fetchd[] = { { MSG_FETCH_ANSWER, 0, on_answer } };

static void on_closed(struct ipc *ipc)
{
	free(container_of(ipc, struct channel, ipc));
}

static void let_go(struct channel *ch)
{
	ch->fetch->channel = NULL;
	ch->fetch = NULL;
	ipc_close(&ch->ipc, on_closed);
}

/* What is under way waits for the next fetchd, as long as its time lasts. */
static void on_end(struct ipc *ipc, enum ipc_end end)
{
	struct channel *ch = container_of(ipc, struct channel, ipc);

	if (end == IPC_VIOLATION)
		log_error("fetchd said what it may not: %s", ipc->why);
	if (ch->fetch)
		let_go(ch);
}

static void send_setup(struct fetch *f)
{
	struct fetch_setup s = { .n = f->sites->n };
	int fds[FETCH_SITES_MAX];
	struct buf out = IPC_BUF;
	unsigned n = 0;

	for (size_t i = 0; i < s.n; i++) {
		const struct fetch_site *site = &f->sites->site[i];

		s.site[i] =
			(struct fetch_setup_site){ str_c(site->url), site->fd >= 0, site->idle_s, (uint8_t)site->loss };
		if (site->fd >= 0)
			fds[n++] = site->fd;
	}
	fetch_setup_encode(&out, &s);
	ipc_send(&f->channel->ipc, MSG_FETCH_SETUP, buf_str(&out), fds, n);
	buf_wipe(&out);
}

void fetch_peer(struct fetch *f, int fd)
{
	if (f->channel)
		let_go(f->channel);
	f->channel = xcalloc(1, sizeof *f->channel);
	f->channel->fetch = f;
	ipc_open(&f->channel->ipc, f->loop, fd, from_fetchd, sizeof from_fetchd / sizeof *from_fetchd, on_end);
	send_setup(f);
	for (const struct fetch_call *c = f->first; c; c = c->next)
		if (c->refused == NULL)
			send_ask(f, c);
}
