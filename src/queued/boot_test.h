/*
 * boot_test.h - what tests of the log in queued share: a queue with real segments in the directory that is current, without
 * agents, control socket and jail; mail by its own writer; an end as a crash of the process makes it.
 */
#ifndef QUEUED_BOOT_TEST_H
#define QUEUED_BOOT_TEST_H

#include "queued/queued.h"
#include "base/log.h"
#include "base/test.h"

#include <stdlib.h>
#include <unistd.h>

static void boot_busy(uv_idle_t *idle)
{
	take_some(container_of(idle, struct queued, busy));
}

/* Its segments are open; nothing is read yet. */
static struct queued *boot_begin(void)
{
	struct queued *q = xcalloc(1, sizeof *q);

	q->child.loop = xcalloc(1, sizeof(uv_loop_t));
	uv_loop_init(q->child.loop);
	q->child.queue_directory = "here";
	q->start_us = 1700000000000000;
	q->start_ms = uv_now(q->child.loop);
	q->min_backoff_s = 300;
	q->max_backoff_s = 4000;
	q->lifetime_s = q->bounce_lifetime_s = 432000;
	q->results = BUF_INIT(1 << 26);
	uv_idle_init(q->child.loop, &q->busy);
	uv_idle_start(&q->busy, boot_busy);
	q->wheel_at = loop_now_s(q);
	segments_open(q);
	own_open(q);
	segments_start(q);
	return q;
}

static struct queued *boot(void)
{
	struct queued *q = boot_begin();

	while (q->recovering || q->current == NULL || !spool_writer_is_ready(q->writer))
		uv_run(q->child.loop, UV_RUN_ONCE);
	return q;
}

/* What was not flushed of the results is in the files all the same: a process died, not the machine. */
static void die(struct queued *q)
{
	result_write(q);
	while (q->creating || q->flushing_results)
		uv_run(q->child.loop, UV_RUN_ONCE);
	spool_writer_free(&q->writer);
	for (struct segment *s = q->segments; s; s = s->next) {
		close(s->fd);
		if (s->agent_fd >= 0)
			close(s->agent_fd);
	}
	close(q->dir);
}

static unsigned boot_kept;

static void boot_on_kept(struct spool_msg *m, int err)
{
	(void)m;
	check_int(err, 0);
	boot_kept++;
}

/* A message that is flushed, and perhaps not read yet. Returns its id. */
static uint64_t send_message_to(struct queued *q, const char *to, unsigned rcpts, size_t octets)
{
	struct envelope_rcpt rcpt[8] = { 0 };
	struct envelope env = { .arrival_us = q->start_us, .sender = STR("a@x"), .rcpt = rcpt, .n_rcpt = rcpts };
	struct spool_msg m = { 0 };
	unsigned before = boot_kept;
	char *content = xcalloc(1, octets + 1);

	require(rcpts <= sizeof rcpt / sizeof *rcpt);
	memset(content, 'x', octets);
	for (unsigned i = 0; i < rcpts; i++)
		rcpt[i] = (struct envelope_rcpt){ .index = i, .address = str_c(to) };
	check_int(spool_msg_begin(&m, q->writer), 0);
	spool_msg_add(&m, str_pn(content, octets));
	env.size = octets;
	spool_msg_commit(&m, &env, boot_on_kept);
	while (boot_kept == before)
		uv_run(q->child.loop, UV_RUN_ONCE);
	free(content);
	return m.id;
}

static inline uint64_t send_message(struct queued *q, unsigned rcpts, size_t octets)
{
	return send_message_to(q, "b@site.example", rcpts, octets);
}

/* … and read. */
static inline uint64_t accept_message(struct queued *q, unsigned rcpts, size_t octets)
{
	uint64_t id = send_message(q, rcpts, octets);

	while (message_find(q, id) == NULL)
		uv_run(q->child.loop, UV_RUN_ONCE);
	return id;
}

static void forget_decoded(struct message *m)
{
	struct arena *mem = m->active ? m->active->mem : NULL;

	m->active = NULL;
	arena_free(&mem);
}

static inline void defer(struct queued *q, uint64_t id, uint64_t seconds, const char *why)
{
	struct message *m = message_find(q, id);
	struct rcpt_ref *refs = message_rcpts(m);

	forget_decoded(m);
	for (uint32_t i = 0; i < m->n_rcpt; i++)
		refs[i].reason = reason_get(STR("4.4.1"), str_c(why));
	m->attempts++;
	message_wait(q, m, seconds);
	result_defer(q, m);
}

static inline void finish(struct queued *q, uint64_t id)
{
	struct message *m = message_find(q, id);

	forget_decoded(m);
	result_done(q, m, NULL, 0);
	message_free(q, m);
}

/* Enter a new directory of its own; boot_leave() removes it. */
static inline char *boot_enter(char dir[static 32])
{
	snprintf(dir, 32, "/tmp/gatepost-queued-XXXXXX");
	return mkdtemp(dir) && chdir(dir) == 0 ? dir : NULL;
}

static inline int boot_leave(const char *dir)
{
	char command[64];

	snprintf(command, sizeof command, "rm -r %s", dir);
	return system(command) != 0;
}

#endif
