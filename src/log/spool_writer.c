#include "log/spool_impl.h"
#include "base/log.h"

#include <stdlib.h>
#include <unistd.h>

enum { HANDLES = 4 };

static void on_check(uv_check_t *check)
{
	spool_end_turn(container_of(check, struct spool_writer, check));
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct spool_writer *w = container_of(prepare, struct spool_writer, prepare);

	if (!w->gathering) /* else it is decided when the sockets have been read */
		spool_flush(w);
}

struct spool_writer *spool_writer_new(uv_loop_t *loop, const struct spool_writer_ops *ops)
{
	struct spool_writer *w = xcalloc(1, sizeof *w);

	w->loop = loop;
	w->ops = ops;
	w->last = &w->first;
	w->flight.octets = BUF_INIT(BATCH_MAX_OCTETS);
	uv_check_init(loop, &w->check);
	uv_check_start(&w->check, on_check);
	uv_unref((uv_handle_t *)&w->check);
	uv_prepare_init(loop, &w->prepare);
	uv_prepare_start(&w->prepare, on_prepare);
	uv_unref((uv_handle_t *)&w->prepare);
	uv_timer_init(loop, &w->no_segment);
	uv_idle_init(loop, &w->turning);
	w->handles = HANDLES;
	return w;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct spool_writer *w = handle->data;

	if (--w->handles > 0)
		return;
	free(w->flight.also);
	buf_free(&w->flight.octets);
	free(w);
}

void spool_writer_free(struct spool_writer **writer)
{
	struct spool_writer *w = *writer;
	uv_handle_t *handles[HANDLES];

	if (w == NULL)
		return;
	require(!w->flying && w->first == NULL);
	*writer = NULL;
	while (w->segs)
		wseg_drop(w, w->segs);
	handles[0] = (uv_handle_t *)&w->check;
	handles[1] = (uv_handle_t *)&w->prepare;
	handles[2] = (uv_handle_t *)&w->no_segment;
	handles[3] = (uv_handle_t *)&w->turning;
	for (int i = 0; i < HANDLES; i++) {
		handles[i]->data = w;
		uv_close(handles[i], on_handle_closed);
	}
}

static void end_orphans(struct spool_writer *w)
{
	struct wseg *next;

	w->peer_lost = false;
	w->wanted = 0;
	for (struct wseg *s = w->segs; s; s = next) {
		next = s->next;
		s->closed |= s->orphan;
		wseg_end_if_idle(w, s);
	}
}

void spool_writer_lend(struct spool_writer *w, uint64_t generation, uint64_t octets, int fd)
{
	struct wseg *s = xcalloc(1, sizeof *s), **at = &w->segs;
	int r = segment_head_read(fd, &s->head);

	if (w->wanted > 0)
		w->wanted--;
	if (r != 1 || s->head.generation != generation || s->head.size != octets) {
		log_error("segment %llX that was lent has another header; not used", (unsigned long long)generation);
		close(fd);
		free(s);
		w->ops->end(w, generation, SEG_HEADER_OCTETS, true);
		return;
	}
	s->fd = fd;
	s->offset = SEG_HEADER_OCTETS;
	if (w->peer_lost)
		end_orphans(w);
	while (*at)
		at = &(*at)->next;
	*at = s;
	wseg_ask_ahead(w);
}

void spool_writer_peer_lost(struct spool_writer *w)
{
	w->wanted = 0;
	w->peer_lost = true;
	for (struct wseg *s = w->segs; s; s = s->next)
		s->orphan = true;
}

void spool_writer_stir(struct spool_writer *w)
{
	w->stirred = true;
}

void spool_writer_renew(struct spool_writer *w, uint64_t generation)
{
	struct wseg *next;

	for (struct wseg *s = w->segs; s; s = next) {
		next = s->next;
		if (s->closed || s->head.generation > generation)
			continue;
		wseg_close(w, s, false);
		wseg_end_if_idle(w, s);
	}
}

bool spool_writer_is_ready(const struct spool_writer *w)
{
	for (const struct wseg *s = w->segs; s; s = s->next)
		if (wseg_is_usable(s))
			return true;
	return false;
}
