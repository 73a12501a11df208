/*
 * What other processes may tell us, and what we tell them. queued lends segments of the log and answers flushes; mapd
 * is spoken to by src/map. docs/protocol/ipc.md.
 */
#include "smtpd/smtpd.h"
#include "msg/queue_msg.h"

#include <stdlib.h>
#include <unistd.h>

static int on_lend(struct ipc *c, struct ipc_in *in, int *fds, unsigned n_fds)
{
	uint64_t generation = ipc_get_u64(in), octets = ipc_get_u64(in);

	(void)c;
	if (!ipc_get_end(in) || n_fds != 1)
		return -1;
	spool_writer_lend(smtpd.writer, generation, octets, fds[0]);
	fds[0] = -1;
	listen_segment_is_here();
	return 0;
}

static int on_flush_answer(struct ipc *c, struct ipc_in *in, int *fds, unsigned n_fds)
{
	uint32_t request = ipc_get_u32(in);
	uint16_t code = ipc_get_u16(in);
	uint32_t messages = ipc_get_u32(in);

	(void)c;
	(void)fds;
	(void)n_fds;
	if (!ipc_get_end(in))
		return -1;
	for (struct session *s = smtpd.sessions; s; s = s->next) {
		struct question *q = s->question;

		if (q == NULL || q->what != ASK_FLUSH || q->flush.request != request)
			continue;
		q->flush.code = code;
		q->flush.messages = messages;
		session_answer(s);
		break;
	}
	return 0;
}

static int on_intake(struct ipc *c, struct ipc_in *in, int *fds, unsigned n_fds)
{
	uint8_t flags = ipc_get_u8(in);

	(void)c;
	(void)fds;
	(void)n_fds;
	if (!ipc_get_end(in))
		return -1;
	smtpd.intake = flags;
	return 0;
}

static const struct ipc_rule from_queued[] = {
	{ MSG_SEG_LEND, 1, on_lend },
	{ MSG_FLUSH_ANSWER, 0, on_flush_answer },
	{ MSG_INTAKE, 0, on_intake },
};

/* Sessions that wait for its answer to a flush get 458. */
static void fail_flushes(void)
{
	struct session *next;

	for (struct session *s = smtpd.sessions; s; s = next) {
		next = s->next;
		if (s->question && s->question->what == ASK_FLUSH) {
			s->question->flush.code = 458;
			session_answer(s);
		}
	}
}

/* A channel is closed by the loop a turn later: each connection has its own. */
struct channel {
	struct ipc ipc;
};
static struct channel *queued; /* NULL: away */

static void on_channel_closed(struct ipc *c)
{
	free(container_of(c, struct channel, ipc));
}

/*
 * How far a segment is committed. A notice says what those before it said as well, and each wakes queued: under load,
 * one in NOTICE_MS stands for all of that time. The first after a pause leaves at once.
 */
enum { NOTICE_MS = 3 };
static void on_pause_over(uv_timer_t *timer);
static struct {
	uv_timer_t pause; /* active: a notice left a moment ago */
	uint64_t generation, offset;
	bool waits;
} notice;

static void queued_lost(void)
{
	struct channel *lost = queued;

	if (lost == NULL)
		return;
	queued = NULL;
	notice.waits = false; /* another one reads the segments themselves */
	log_name(NULL);
	ipc_close(&lost->ipc, on_channel_closed);
	spool_writer_peer_lost(smtpd.writer);
	fail_flushes();
}

static void on_queued_end(struct ipc *c, enum ipc_end end)
{
	if (end == IPC_VIOLATION)
		child_violation(&smtpd.child, ROLE_QUEUED, 0, c->why ? c->why : "");
	queued_lost();
}

static int tell(uint16_t type, struct buf *payload)
{
	int r = queued ? ipc_send(&queued->ipc, type, buf_str(payload), NULL, 0) : -1;

	buf_free(payload);
	return r;
}

static void on_want(struct spool_writer *w)
{
	struct buf b = IPC_BUF;

	(void)w;
	tell(MSG_SEG_WANT, &b);
}

static void send_notice(void)
{
	struct buf b = IPC_BUF;

	if (!notice.waits)
		return;
	notice.waits = false;
	ipc_put_u64(&b, notice.generation);
	ipc_put_u64(&b, notice.offset);
	tell(MSG_SEG_COMMITTED, &b);
	uv_timer_start(&notice.pause, on_pause_over, NOTICE_MS, 0);
}

static void on_pause_over(uv_timer_t *timer)
{
	(void)timer;
	send_notice();
}

static void on_committed_to(struct spool_writer *w, uint64_t generation, uint64_t offset)
{
	(void)w;
	if (notice.generation != generation)
		send_notice();
	notice.generation = generation;
	notice.offset = offset;
	notice.waits = true;
	if (!uv_is_active((uv_handle_t *)&notice.pause))
		send_notice();
}

static void on_segment_end(struct spool_writer *w, uint64_t generation, uint64_t offset, bool failed)
{
	struct buf b = IPC_BUF;

	(void)w;
	send_notice(); /* nothing behind the last one counts */
	ipc_put_u64(&b, generation);
	ipc_put_u64(&b, offset);
	ipc_put_u8(&b, failed);
	tell(MSG_SEG_END, &b);
}

static const struct spool_writer_ops writer_ops = { on_want, on_committed_to, on_segment_end };

void writer_open(void)
{
	smtpd.writer = spool_writer_new(smtpd.child.loop, &writer_ops);
	uv_timer_init(smtpd.child.loop, &notice.pause);
	uv_unref((uv_handle_t *)&notice.pause);
}

static void queued_open(int fd)
{
	queued_lost();
	queued = xcalloc(1, sizeof *queued);
	ipc_open(&queued->ipc, smtpd.child.loop, fd, from_queued, sizeof from_queued / sizeof *from_queued,
		on_queued_end);
	spool_writer_peer_lost(smtpd.writer); /* what it asked for before there was a queued is forgotten */
	on_want(smtpd.writer);
}

void peer_open(struct child *c, enum role role, unsigned index, int fd)
{
	(void)c;
	if (role == ROLE_QUEUED) {
		queued_open(fd);
	} else if (role == ROLE_MAPD) {
		map_client_peer(smtpd.map, fd);
	} else if (role == ROLE_KEYD) {
		keys_peer(index, fd);
	} else {
		log_error("no use for a channel to %s", role_name(role));
		close(fd);
	}
}

int queue_flush(struct session *s, struct str domain, bool below, enum outcome (*then)(struct session *s))
{
	static uint32_t last_request;
	struct buf b = IPC_BUF;

	ipc_put_u32(&b, ++last_request);
	ipc_put_u32(&b, (uint32_t)(domain.n + below));
	if (below)
		buf_add_char(&b, '@');
	buf_add_str(&b, domain);
	if (tell(MSG_FLUSH, &b) != 0)
		return -1;
	question_new(s, ASK_FLUSH, then)->flush.request = last_request;
	return 0;
}
