/* smtpd.c - what each smtpd may ask: segments, "read up to here", and a flush (ETRN). */
#include "queued/queued.h"
#include "base/log.h"
#include "msg/queue_msg.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { WANTS_MAX = 4 };

/* The segment of that generation, if it was lent to this smtpd. */
static struct segment *lent_to(const struct smtpd *p, uint64_t generation)
{
	struct segment *s = segment_find(p->q, generation);

	return s && s->state == SEG_LENT && s->borrower == p->serial ? s : NULL;
}

static void lend(struct smtpd *p)
{
	struct queued *q = p->q;
	struct segment *s = segment_take(q, SEG_MAIL);
	struct buf out = BUF_INIT(32);
	int fd;

	if (s == NULL)
		return;
	fd = segment_writer_fd(q, s);
	if (fd < 0) {
		log_error("segment file %08x: cannot be lent: %s", s->number, strerror(errno));
		s->state = SEG_BAD;
		return;
	}
	p->wants--;
	s->borrower = p->serial;
	ipc_put_u64(&out, s->head.generation);
	ipc_put_u64(&out, s->head.size);
	if (ipc_send(&p->ipc, MSG_SEG_LEND, buf_str(&out), &fd, 1) != 0)
		segment_close(q, s, s->head.size);
	buf_free(&out);
	close(fd);
}

void smtpds_serve(struct queued *q)
{
	bool more = true;

	/* One each in turn: none is left without while another takes its spare. */
	while (more) {
		more = false;
		for (unsigned i = 0; i < AGENTS_MAX; i++) {
			struct smtpd *p = q->smtpd[i];
			unsigned before = p ? p->wants : 0;

			if (before == 0)
				continue;
			lend(p);
			more |= p->wants > 0 && p->wants < before;
		}
	}
}

static int on_want(struct ipc *c, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct smtpd *p = container_of(c, struct smtpd, ipc);

	(void)fds;
	(void)n_fds;
	if (!ipc_get_end(in))
		return -1;
	if (p->wants < WANTS_MAX)
		p->wants++;
	smtpds_serve(p->q);
	return 0;
}

static int on_committed(struct ipc *c, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct smtpd *p = container_of(c, struct smtpd, ipc);
	uint64_t generation = ipc_get_u64(in), offset = ipc_get_u64(in);
	struct segment *s = lent_to(p, generation);

	(void)fds;
	(void)n_fds;
	if (!ipc_get_end(in) || (s && offset > s->head.size))
		return -1;
	if (s && offset > s->known) {
		s->known = offset;
		take_wake(p->q);
	}
	return 0;
}

static int on_seg_end(struct ipc *c, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct smtpd *p = container_of(c, struct smtpd, ipc);
	uint64_t generation = ipc_get_u64(in), offset = ipc_get_u64(in);
	bool failed = ipc_get_u8(in) != 0;
	struct segment *s = lent_to(p, generation);

	(void)fds;
	(void)n_fds;
	(void)offset; /* what was committed was announced; nothing behind that counts */
	if (!ipc_get_end(in))
		return -1;
	if (s == NULL)
		return 0;
	s->failed |= failed;
	if (failed)
		log_warn("segment file %08x: its writer failed; it takes no more mail", s->number);
	segment_close(p->q, s, s->known);
	return 0;
}

static int on_flush(struct ipc *c, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct smtpd *p = container_of(c, struct smtpd, ipc);
	uint32_t request = ipc_get_u32(in);
	struct str domain = ipc_get_str(in);
	struct buf out = BUF_INIT(32);
	uint32_t n = 0;
	uint16_t code;

	(void)fds;
	(void)n_fds;
	if (!ipc_get_end(in))
		return -1;
	code = site_flush(p->q, domain, &n);
	ipc_put_u32(&out, request);
	ipc_put_u16(&out, code);
	ipc_put_u32(&out, n);
	ipc_send(c, MSG_FLUSH_ANSWER, buf_str(&out), NULL, 0);
	buf_free(&out);
	return 0;
}

static const struct ipc_rule rules[] = {
	{ MSG_SEG_WANT, 0, on_want },
	{ MSG_SEG_COMMITTED, 0, on_committed },
	{ MSG_SEG_END, 0, on_seg_end },
	{ MSG_FLUSH, 0, on_flush },
};

static void on_closed(struct ipc *c)
{
	free(container_of(c, struct smtpd, ipc));
}

/* It is dead, or will be: what it had is read to the end as soon as the kernel says that nobody writes there. */
static void on_end(struct ipc *c, enum ipc_end how)
{
	struct smtpd *p = container_of(c, struct smtpd, ipc);
	struct queued *q = p->q;

	if (how == IPC_VIOLATION)
		child_violation(&q->child, ROLE_SMTPD, p->index, c->why);
	for (struct segment *s = q->segments; s; s = s->next) {
		if (s->state != SEG_LENT || s->borrower != p->serial)
			continue;
		s->state = SEG_FOREIGN;
		s->known = s->head.size;
		s->scan.no_skip = true;
	}
	for (unsigned i = 0; i < AGENTS_MAX; i++)
		if (q->smtpd[i] == p)
			q->smtpd[i] = NULL;
	ipc_close(c, on_closed);
	uv_timer_start(&q->tick, q->tick.timer_cb, 1, 0);
}

static void send_intake(struct smtpd *p)
{
	struct buf out = BUF_INIT(8);

	ipc_put_u8(&out, p->q->intake);
	ipc_send(&p->ipc, MSG_INTAKE, buf_str(&out), NULL, 0);
	buf_free(&out);
}

void smtpds_intake(struct queued *q)
{
	for (unsigned i = 0; i < AGENTS_MAX; i++)
		if (q->smtpd[i])
			send_intake(q->smtpd[i]);
}

void smtpd_peer(struct queued *q, unsigned index, int fd)
{
	struct smtpd *p = xcalloc(1, sizeof *p);
	unsigned i = 0;

	while (i < AGENTS_MAX - 1 && q->smtpd[i])
		i++;
	require(q->smtpd[i] == NULL);
	p->q = q;
	p->index = index;
	p->serial = ++q->n_peers;
	p->wants = 1; /* the first one comes unasked */
	q->smtpd[i] = p;
	ipc_open(&p->ipc, q->child.loop, fd, rules, sizeof rules / sizeof *rules, on_end);
	send_intake(p);
	smtpds_serve(q);
}
