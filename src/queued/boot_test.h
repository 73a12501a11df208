/*
 * boot_test.h - what tests of queued share: a queue with real segments in the directory that is current, without agents,
 * control socket and jail; mail by its own writer, or as an smtpd writes it; an end as a crash of the process makes it.
 */
#ifndef QUEUED_BOOT_TEST_H
#define QUEUED_BOOT_TEST_H

#include "queued/queued.h"
#include "base/log.h"
#include "base/test.h"

#include <stdlib.h>
#include <unistd.h>

static struct queued *boot_all[64]; /* what they hold is held to the end: no leak */
static unsigned boot_n;

/* Its loop, its clock, the usual times; `busy` is called at each turn of the loop. Nothing is open. */
static struct queued *boot_new(uv_idle_cb busy)
{
	struct queued *q = xcalloc(1, sizeof *q);

	require(boot_n < sizeof boot_all / sizeof *boot_all);
	boot_all[boot_n++] = q;
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
	uv_idle_start(&q->busy, busy);
	return q;
}

/* Its segments are open; nothing is read yet. */
static void boot_open(struct queued *q)
{
	q->wheel_at = loop_now_s(q);
	segments_open(q);
	own_open(q);
	segments_start(q);
}

/* Until the log is read and takes mail. */
static void boot_wait(struct queued *q)
{
	while (q->recovering || q->current == NULL || !spool_writer_is_ready(q->writer))
		uv_run(q->child.loop, UV_RUN_ONCE);
}

static inline void boot_busy(uv_idle_t *idle)
{
	take_some(container_of(idle, struct queued, busy));
}

static inline struct queued *boot_begin(void)
{
	struct queued *q = boot_new(boot_busy);

	boot_open(q);
	return q;
}

static inline struct queued *boot(void)
{
	struct queued *q = boot_begin();

	boot_wait(q);
	return q;
}

/* What was not flushed of the results is in the files all the same: a process died, not the machine. */
static inline void die(struct queued *q)
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
static uint64_t send_envelope(struct queued *q, struct envelope *env, struct str content)
{
	struct spool_msg m = { 0 };
	unsigned before = boot_kept;

	check_int(spool_msg_begin(&m, q->writer), 0);
	if (content.n)
		spool_msg_add(&m, content);
	spool_msg_commit(&m, env, boot_on_kept);
	while (boot_kept == before)
		uv_run(q->child.loop, UV_RUN_ONCE);
	return m.id;
}

static uint32_t boot_flags; /* of the envelopes that follow */

static inline uint64_t send_message_to(struct queued *q, const char *to, unsigned rcpts, size_t octets)
{
	struct envelope_rcpt rcpt[8] = { 0 };
	struct envelope env = { .arrival_us = q->start_us,
		.flags = boot_flags,
		.sender = STR("a@x"),
		.rcpt = rcpt,
		.n_rcpt = rcpts,
		.size = octets };
	char *content = xcalloc(1, octets + 1);
	uint64_t id;

	require(rcpts <= sizeof rcpt / sizeof *rcpt);
	memset(content, 'x', octets);
	for (unsigned i = 0; i < rcpts; i++)
		rcpt[i] = (struct envelope_rcpt){ .index = i, .address = str_c(to) };
	id = send_envelope(q, &env, str_pn(content, octets));
	free(content);
	return id;
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

static inline void forget_decoded(struct message *m)
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

/* A segment that an smtpd writes, as it were. */
static inline struct segment *smtpd_segment(struct queued *q)
{
	struct segment *s;

	while ((s = segment_take(q, SEG_MAIL)) == NULL)
		uv_run(q->child.loop, UV_RUN_ONCE);
	s->borrower = 77;
	return s;
}

static char boot_base[32];

/* Enter a new directory of its own. Returns 0. */
static inline int boot_enter(void)
{
	snprintf(boot_base, sizeof boot_base, "/tmp/gatepost-queued-XXXXXX");
	return mkdtemp(boot_base) == NULL || chdir(boot_base) != 0;
}

/* Another one in it, for a queue that begins with an empty log. */
static inline void boot_enter_next(void)
{
	char dir[] = "qXXXXXX";

	require(chdir(boot_base) == 0 && mkdtemp(dir) && chdir(dir) == 0);
}

static inline int boot_leave(int failed)
{
	char command[64];

	snprintf(command, sizeof command, "rm -r %s", boot_base);
	return system(command) != 0 || failed;
}

/* As test_run(), in a directory of its own, which is removed then. */
#define boot_run(tests) (boot_enter() || boot_leave(test_run(tests)))

#endif
