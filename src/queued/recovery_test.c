/*
 * The states of a message over a restart (ARCHITECTURE.md): results, then all memory is dropped and the log is read again.
 */
#include "queued/boot_test.h"

#include <fcntl.h>

static void test_states(void **state)
{
	struct queued *q = boot();
	uint64_t fresh = accept_message(q, 1, 100), deferred = accept_message(q, 2, 5000);
	uint64_t partly = accept_message(q, 3, 200000), done = accept_message(q, 1, 10),
		 held = accept_message(q, 1, 10);
	uint64_t far = accept_message(q, 1, 10);
	const uint32_t ended[] = { 0, 2 };
	struct message *m;

	(void)state;
	defer(q, deferred, 100, "first reason");
	defer(q, deferred, 200, "connect: refused");
	result_done(q, message_find(q, partly), ended, 2);
	finish(q, done);
	operate_hold(q, message_find(q, held));
	defer(q, far, 10000000, "a clock that was wrong");
	die(q);

	q = boot();
	check_int(q->n_messages, 5);
	check(message_find(q, done) == NULL); /* S5 */
	m = message_find(q, fresh);	      /* S2 */
	check(m && m->state == MSG_READY && m->n_rcpt == 1 && m->attempts == 0);
	m = message_find(q, deferred); /* S3 */
	check(m && m->state == MSG_WAITING && m->n_rcpt == 2 && m->attempts == 2);
	check_str(reason_text(m->many[1].reason), "connect: refused");
	check_str(reason_dsn(m->many[1].reason), "4.4.1");
	check(m->due_s - loop_now_s(q) > 190 && m->due_s - loop_now_s(q) <= 201);
	m = message_find(q, partly); /* S4 */
	check(m && m->state == MSG_READY && m->n_rcpt == 1 && m->one.index == 1);
	check_int(m->size, 200000);
	m = message_find(q, held); /* S6 */
	check(m && m->state == MSG_HELD);
	m = message_find(q, far);
	check(m && m->due_s - loop_now_s(q) <= q->max_backoff_s + 1);
	operate_release(q, message_find(q, held));
	finish(q, fresh);
	die(q);

	q = boot(); /* results of both runs count */
	check_int(q->n_messages, 4);
	check(message_find(q, fresh) == NULL && message_find(q, held)->state == MSG_READY);
	check_int(message_find(q, deferred)->attempts, 2);
	check_int(message_find(q, partly)->n_rcpt, 1);
	check(operate_flush(q, message_find(q, deferred)));
	check(!operate_flush(q, message_find(q, deferred)));
	check_int(message_find(q, deferred)->state, MSG_READY);
	die(q);
}

/* Put on hold by who took it: held from its COMMIT on, without a record, until one says that it is released. */
/* While much is read after a start, results and new mail get their turns. */
static void test_recovery_leaves_turns(void **state)
{
	enum { LARGE = 12 };
	struct queued *q = boot();
	uint64_t id[LARGE];
	size_t before;

	(void)state;
	for (unsigned i = 0; i < LARGE; i++)
		id[i] = accept_message(q, 1, 1000000);
	die(q);
	q = boot_begin();
	do {
		before = q->n_messages;
		take_some(q);
		check(q->n_messages - before <= LARGE / 2); /* small ones of before among them */
	} while (q->recovering);
	for (unsigned i = 0; i < LARGE; i++) {
		check(message_find(q, id[i]) != NULL);
		finish(q, id[i]);
	}
	while (q->current == NULL)
		uv_run(q->child.loop, UV_RUN_ONCE);
	die(q);
}

static void test_held_from_the_beginning(void **state)
{
	struct queued *q = boot();
	uint64_t held, released;

	(void)state;
	boot_flags = ENV_HELD;
	held = accept_message(q, 1, 100);
	released = accept_message(q, 1, 100);
	boot_flags = 0;
	check(message_find(q, held)->state == MSG_HELD && message_find(q, released)->state == MSG_HELD);
	check(message_find(q, held)->active == NULL);
	check(operate_release(q, message_find(q, released)));
	check_int(message_find(q, released)->state, MSG_READY);
	die(q);

	q = boot();
	check_int(message_find(q, held)->state, MSG_HELD);
	check_int(message_find(q, released)->state, MSG_READY);
	finish(q, released);
	check(operate_release(q, message_find(q, held)));
	finish(q, held);
	die(q);
}

/* A segment is used again when all in it is done, and what stood in it does not rise again; a DONE stays that long. */
static void test_recycling(void **state)
{
	struct queued *q = boot();
	uint64_t id = accept_message(q, 1, 1000), generation = message_find(q, id)->seg->head.generation;
	struct segment *s = segment_find(q, generation);
	struct segment *results = q->current;
	uint64_t result_generation = results->head.generation;

	(void)state;
	finish(q, id);
	result_write(q);
	check_int(s->live, 0);
	die(q);

	q = boot();
	check(message_find(q, id) == NULL);
	check(segment_find(q, generation) != NULL && segment_find(q, result_generation) != NULL);
	segments_recycle(q);
	check(segment_find(q, generation) == NULL);
	check(segment_find(q, result_generation) == NULL || segment_find(q, result_generation)->n_about > 0);
	die(q);

	q = boot();
	check(message_find(q, id) == NULL);
	die(q);
}

/* An agent's lock, and a writer's, keep a segment from being used again, whoever has died. */
static void test_locks(void **state)
{
	struct queued *q = boot();
	uint64_t id = accept_message(q, 1, 1000), generation = message_find(q, id)->seg->head.generation;
	int fd;

	(void)state;
	fd = dup(segment_agent_fd(q, segment_find(q, generation)));
	check(fd >= 0);
	check(segment_has_writer(segment_find(q, generation)));
	finish(q, id);
	die(q);

	q = boot();
	check(!segment_has_writer(segment_find(q, generation)));
	segments_recycle(q);
	check(segment_find(q, generation) != NULL);
	close(fd);
	segments_recycle(q);
	check(segment_find(q, generation) == NULL);
	die(q);
}

/* Moving forward: found twice after a crash, it is there once; a DONE of the later copy ends both. */
static void test_moved(void **state)
{
	struct queued *q = boot();
	uint64_t id = accept_message(q, 1, 3000);
	struct message *m = message_find(q, id);
	struct envelope_rcpt rcpt = { .address = STR("b@x") };
	struct envelope env = { .sender = STR("a@x"), .rcpt = &rcpt, .n_rcpt = 1, .size = 3000 };
	struct spool_msg copy = { 0 };
	char content[3000] = "";
	uint64_t first = m->seg->head.generation;
	unsigned before = boot_kept;

	(void)state;
	forget_decoded(m);
	die(q);
	q = boot(); /* another segment is written now */
	m = message_find(q, id);
	check_int(m->seg->head.generation, first);
	check_int(spool_msg_begin_as(&copy, q->writer, id), 0);
	spool_msg_add(&copy, str_pn(content, sizeof content));
	m->flags |= MF_MOVING;
	spool_msg_commit(&copy, &env, boot_on_kept);
	while (boot_kept == before || m->seg->head.generation == first)
		uv_run(q->child.loop, UV_RUN_ONCE);
	check_int(segment_find(q, first)->live, 0);
	check_int(m->seg->live, 1);
	q->results.n = 0; /* crash: the DONE of the old one never came to the log */
	die(q);

	q = boot();
	check_int(q->n_messages > 0, 1);
	m = message_find(q, id);
	check(m && m->seg->head.generation > first);
	finish(q, id);
	die(q);

	q = boot();
	check(message_find(q, id) == NULL);
	die(q);
}

/* Mail as an smtpd would write it, into a segment of its own: from `s->known` on. */
static uint64_t smtpd_message(
	struct queued *q, struct segment *s, uint64_t id, const struct extent *extent, struct str content)
{
	struct envelope_rcpt rcpt = { .address = STR("b@x") };
	struct extent here = { s->head.generation, s->known + RECORD_HEADER_OCTETS, (uint32_t)content.n };
	struct envelope env = { .id = id, .sender = STR("a@x"), .rcpt = &rcpt, .n_rcpt = 1, .size = content.n };
	struct buf payload = BUF_INIT(4096), out = BUF_INIT(1 << 20);

	env.extent = (struct extent *)(uintptr_t)(extent ? extent : &here);
	env.n_extent = 1;
	envelope_encode(&payload, &env);
	if (extent == NULL)
		record_put(&out, &s->head, RECORD_DATA, content);
	record_put(&out, &s->head, RECORD_COMMIT, buf_str(&payload));
	check_int(pwrite_all(s->fd, out.p, out.n, s->known, false), 0);
	s->known += out.n;
	buf_free(&payload);
	buf_free(&out);
	take_wake(q);
	return id;
}

/* What moves goes into a later segment, however long our own writer has had the one at hand: the later copy counts. */
static void test_survivors_move_to_a_later_segment(void **state)
{
	struct queued *q = boot();
	struct segment *s = smtpd_segment(q);
	uint64_t id = smtpd_message(q, s, s->head.generation << 20 | 1, NULL, STR("content\r\n"));
	uint64_t first = s->head.generation;
	struct message *m;

	(void)state;
	while ((m = message_find(q, id)) == NULL)
		uv_run(q->child.loop, UV_RUN_ONCE);
	defer(q, id, 1000, "why");
	operate_hold(q, m);
	result_write(q);
	segment_close(q, s, s->known);
	while (!s->was_read)
		uv_run(q->child.loop, UV_RUN_ONCE);
	s->closed_ms = 0;
	q->min_backoff_s = 0;
	for (int i = 0; i < 13; i++) { /* the log seems to have grown */
		struct segment *more = xcalloc(1, sizeof *more);

		more->fd = more->agent_fd = -1;
		more->state = SEG_BAD;
		more->next = q->segments;
		q->segments = more;
	}
	for (uint64_t end = uv_now(q->child.loop) + 20000; m->seg == s && uv_now(q->child.loop) < end;) {
		segments_serve(q);
		survivors_move(q);
		uv_run(q->child.loop, UV_RUN_ONCE);
	}
	check(m->seg != s);
	check(m->seg->head.generation > first);
	check(!(m->flags & MF_MOVING));
	q->results.n = 0; /* crash: nothing of what was said of the copy came to the log */
	die(q);

	q = boot();
	m = message_find(q, id);
	check(m && m->attempts == 1 && m->state == MSG_HELD);
	finish(q, id);
	die(q);

	q = boot();
	check(message_find(q, id) == NULL);
	die(q);
}

/* Damage that is found when it should move: it stays where it is, and no part of it is copied again and again. */
static void test_damaged_survivor_stays(void **state)
{
	struct queued *q = boot();
	struct segment *s = smtpd_segment(q);
	uint64_t id = smtpd_message(q, s, s->head.generation << 20 | 1, NULL, STR("content\r\n"));
	struct message *m;

	(void)state;
	while ((m = message_find(q, id)) == NULL)
		uv_run(q->child.loop, UV_RUN_ONCE);
	defer(q, id, 1000, "why");
	segment_close(q, s, s->known);
	while (!s->was_read)
		uv_run(q->child.loop, UV_RUN_ONCE);
	check_int(pwrite_all(s->fd, "#", 1, SEG_HEADER_OCTETS + RECORD_HEADER_OCTETS, false), 0);
	s->closed_ms = 0;
	q->min_backoff_s = 0;
	for (int i = 0; i < 13; i++) { /* the log seems to have grown */
		struct segment *more = segment_add(q, q->next_number, -1);

		more->state = SEG_BAD;
	}
	for (uint64_t end = uv_now(q->child.loop) + 20000; !m->content_is_damaged && uv_now(q->child.loop) < end;) {
		segments_serve(q);
		survivors_move(q);
		uv_run(q->child.loop, UV_RUN_ONCE);
	}
	check(m->content_is_damaged && m->seg == s && !(m->flags & MF_MOVING));
	check_int(q->damaged, 1);
	survivors_move(q);
	check_int(q->damaged, 1);
	finish(q, id);
	check_int(q->damaged, 0);
	die(q);
}

/* Content in a segment that is read and ended, its COMMIT in another that is not read yet: the first must stay. */
static void test_content_waits_for_its_commit(void **state)
{
	struct queued *q = boot();
	struct segment *a = smtpd_segment(q), *b = smtpd_segment(q);
	struct str content = STR("content that stands elsewhere\r\n");
	struct extent x = { a->head.generation, SEG_HEADER_OCTETS + RECORD_HEADER_OCTETS, (uint32_t)content.n };
	struct buf out = BUF_INIT(4096);
	uint64_t generation = a->head.generation, id = generation << 20 | 1;

	(void)state;
	record_put(&out, &a->head, RECORD_DATA, content);
	check_int(pwrite_all(a->fd, out.p, out.n, SEG_HEADER_OCTETS, false), 0);
	segment_close(q, a, SEG_HEADER_OCTETS + out.n);
	while (!a->was_read)
		uv_run(q->child.loop, UV_RUN_ONCE);
	b->state = SEG_FOREIGN; /* an smtpd that outlived a queued: what it wrote is found record by record */
	b->scan.no_skip = true;
	smtpd_message(q, b, id, &x, content);
	b->known = b->head.size;
	q->recycle_due = false;
	segments_recycle(q);
	check(segment_find(q, generation) == a);
	while (message_find(q, id) == NULL)
		uv_run(q->child.loop, UV_RUN_ONCE);
	segments_recycle(q);
	check_int(a->live, 1);
	finish(q, id);
	check_int(a->live, 0);
	segments_recycle(q);
	check(segment_find(q, generation) == NULL);
	buf_free(&out);
	die(q);
}

/* What was read ahead of an smtpd that outlives a queued is not what it has written when it ends. */
static void test_last_words_of_a_foreign_writer(void **state)
{
	enum { BEFORE = 300 }; /* more records than one turn reads, and all of them in what it reads ahead */
	struct queued *q = boot();
	struct segment *s = smtpd_segment(q);
	uint64_t first = s->head.generation << 20 | 1, end;

	(void)state;
	for (unsigned i = 0; i < BEFORE; i++)
		smtpd_message(q, s, first + i, NULL, STR("x\r\n"));
	end = s->known;
	s->state = SEG_FOREIGN;
	s->scan.no_skip = true;
	s->known = s->head.size;
	take_some(q);
	check(message_find(q, first) != NULL && message_find(q, first + BEFORE - 1) == NULL);
	s->known = end;
	smtpd_message(q, s, first + BEFORE, NULL, STR("the last one\r\n"));
	segments_tick(q);
	while (!s->was_read)
		uv_run(q->child.loop, UV_RUN_ONCE);
	check(message_find(q, first + BEFORE) != NULL);
	for (unsigned i = 0; i <= BEFORE; i++)
		if (message_find(q, first + i))
			finish(q, first + i);
	die(q);
}

/* An smtpd that outlived a queued leaves its old segment before the notice of a COMMIT that speaks of it has come. */
static void test_content_waits_for_a_notice(void **state)
{
	struct queued *q = boot();
	struct segment *a = smtpd_segment(q), *b = smtpd_segment(q);
	struct str content = STR("content that stands elsewhere\r\n");
	struct extent x = { a->head.generation, SEG_HEADER_OCTETS + RECORD_HEADER_OCTETS, (uint32_t)content.n };
	struct buf out = BUF_INIT(4096);
	uint64_t generation = a->head.generation, id = generation << 20 | 1, end;

	(void)state;
	record_put(&out, &a->head, RECORD_DATA, content);
	check_int(pwrite_all(a->fd, out.p, out.n, SEG_HEADER_OCTETS, false), 0);
	a->state = SEG_FOREIGN;
	a->scan.no_skip = true;
	a->known = a->head.size;
	smtpd_message(q, b, id, &x, content);
	end = b->known;
	b->known = SEG_HEADER_OCTETS; /* no notice yet */
	segments_tick(q);
	check_int(a->state, SEG_CLOSED);
	while (!a->was_read)
		uv_run(q->child.loop, UV_RUN_ONCE);
	segments_recycle(q);
	check(segment_find(q, generation) == a);
	b->known = end;
	take_wake(q);
	while (message_find(q, id) == NULL)
		uv_run(q->child.loop, UV_RUN_ONCE);
	check(!message_find(q, id)->content_is_damaged);
	finish(q, id);
	segments_recycle(q);
	check(segment_find(q, generation) == NULL);
	buf_free(&out);
	die(q);
}

/* Damaged content in another segment than its COMMIT: both stay, whether it was begun there or copied forward. */
static void test_damaged_content_elsewhere_is_kept(void **state)
{
	struct str content = STR("content that stands elsewhere\r\n");

	(void)state;
	for (int copied = 0; copied < 2; copied++) {
		struct queued *q = boot();
		struct segment *a = smtpd_segment(q), *b = smtpd_segment(q);
		struct extent x = { a->head.generation, SEG_HEADER_OCTETS + RECORD_HEADER_OCTETS, (uint32_t)content.n };
		struct buf out = BUF_INIT(4096);
		uint64_t in_a = a->head.generation, in_b = b->head.generation;
		uint64_t id = (copied ? in_a - 1 : in_a) << 20 | 1;

		record_put(&out, &a->head, RECORD_DATA, content);
		out.p[RECORD_HEADER_OCTETS] ^= 1;
		check_int(pwrite_all(a->fd, out.p, out.n, SEG_HEADER_OCTETS, false), 0);
		segment_close(q, a, SEG_HEADER_OCTETS + out.n);
		smtpd_message(q, b, id, &x, content);
		segment_close(q, b, b->known);
		while (!a->was_read || !b->was_read)
			uv_run(q->child.loop, UV_RUN_ONCE);
		check_int(q->damaged, 1);
		check_int(message_find(q, id) != NULL, !copied);
		segments_recycle(q);
		check(segment_find(q, in_a) == a && segment_find(q, in_b) == b);
		if (!copied)
			operate_delete(q, message_find(q, id));
		else
			a->damaged = b->damaged = 0;
		segments_recycle(q);
		check(segment_find(q, in_a) == NULL && segment_find(q, in_b) == NULL);
		buf_free(&out);
		die(q);
	}
}

/*
 * A copy is damaged, and the message that it was made of is done after that: then so is the copy. It would be found as the
 * only one otherwise, and its sender told that it is lost.
 */
static void test_damaged_copy_ends_with_its_message(void **state)
{
	struct queued *q = boot();
	struct segment *a = smtpd_segment(q), *b = smtpd_segment(q);
	uint64_t in_a = a->head.generation, in_b = b->head.generation, id = in_a << 20 | 1;
	struct extent nowhere = { in_b, SEG_HEADER_OCTETS + 8, 16 };

	(void)state;
	smtpd_message(q, a, id, NULL, STR("whole\r\n"));
	smtpd_message(q, b, id, &nowhere, STR("whole\r\n"));
	die(q); /* before it has read the copy */

	q = boot();
	check_int(q->damaged, 1);
	check(message_find(q, id) && message_find(q, id)->seg->head.generation == in_a);
	segments_recycle(q);
	check(segment_find(q, in_b) != NULL);
	finish(q, id);
	check_int(q->damaged, 0);
	die(q);

	q = boot();
	check_int(q->damaged, 0);
	segments_recycle(q);
	check(segment_find(q, in_a) == NULL && segment_find(q, in_b) == NULL);
	die(q);
}

/* What a damaged copy was made of is gone: it is the message now, and its sender will be told; the later of two of them. */
static void test_damaged_copy_is_the_message(void **state)
{
	struct queued *q = boot();
	struct segment *a = smtpd_segment(q), *b = smtpd_segment(q), *c = smtpd_segment(q);
	uint64_t in_b = b->head.generation, in_c = c->head.generation, id = a->head.generation << 20 | 1;
	struct extent nowhere = { in_b, SEG_HEADER_OCTETS + 8, 16 };

	(void)state;
	smtpd_message(q, a, id, NULL, STR("whole\r\n"));
	while (message_find(q, id) == NULL)
		uv_run(q->child.loop, UV_RUN_ONCE);
	result_done_commit(q, id, a); /* it was moved */
	smtpd_message(q, b, id, &nowhere, STR("whole\r\n"));
	nowhere.generation = in_c;
	smtpd_message(q, c, id, &nowhere, STR("whole\r\n"));
	die(q); /* before it has read the copies */

	for (unsigned i = 0; i < 2; i++) {
		q = boot();
		check(message_find(q, id) && message_find(q, id)->content_is_damaged);
		check_int(message_find(q, id)->seg->head.generation, in_c);
		check_int(q->damaged, 2); /* with its earlier copy */
		segments_recycle(q);
		check(segment_find(q, in_b) != NULL && segment_find(q, in_c) != NULL);
		if (i == 0)
			die(q);
	}
	operate_delete(q, message_find(q, id));
	check_int(q->damaged, 0);
	segments_recycle(q);
	check(segment_find(q, in_b) == NULL && segment_find(q, in_c) == NULL);
	die(q);

	q = boot();
	check(message_find(q, id) == NULL);
	check_int(q->damaged, 0);
	die(q);
}

/* A header of zeros with mail behind it is damage, not a file that was never finished. */
static void test_lost_header(void **state)
{
	struct queued *q = boot();
	uint64_t id = accept_message(q, 1, 1000);
	unsigned number = message_find(q, id)->seg->number;
	const char zeros[SEG_HEADER_OCTETS] = "";
	struct segment_head head = message_find(q, id)->seg->head, h;
	struct segment *s;
	bool found = false;

	(void)state;
	check_int(pwrite_all(message_find(q, id)->seg->fd, zeros, sizeof zeros, 0, false), 0);
	die(q);

	q = boot();
	check(message_find(q, id) == NULL);
	for (s = q->segments; s; s = s->next)
		found |= s->number == number && s->state == SEG_BAD;
	check(found && q->header_is_lost);
	segments_recycle(q);
	for (s = q->segments; s && s->number != number; s = s->next)
		;
	check(s && segment_head_read(s->fd, &h) == 0);
	check_int(segment_head_write(s->fd, &head), 0);
	die(q);

	q = boot();
	check(message_find(q, id) != NULL);
	finish(q, id);
	die(q);
}

/* The generation of a segment whose header is lost is not given again: messages of both would have the same ids. */
static void test_generation_of_a_lost_header(void **state)
{
	struct queued *q = boot();
	uint64_t id = accept_message(q, 1, 1000);
	const char zeros[SEG_HEADER_OCTETS] = "";
	struct segment *last = q->segments;
	struct segment_head head;

	(void)state;
	for (struct segment *s = q->segments; s; s = s->next)
		if (s->head.generation > last->head.generation)
			last = s;
	head = last->head;
	check_int(pwrite_all(last->fd, zeros, sizeof zeros, 0, false), 0);
	check_int(pwrite_all(last->fd, "damage", 6, 2 * SEG_HEADER_OCTETS, false), 0);
	die(q);

	q = boot();
	check(q->header_is_lost && segment_find(q, head.generation) == NULL);
	for (struct segment *s = q->segments; s; s = s->next)
		check(s->state == SEG_BAD || s->head.generation != head.generation);
	check(q->next_generation > head.generation + 1000);
	if (message_find(q, id))
		finish(q, id);
	die(q);
}

/* What cannot be read is not used again before somebody has looked. */
static void test_damaged_content_is_kept(void **state)
{
	struct queued *q = boot();
	uint64_t id = accept_message(q, 1, 1000), other = accept_message(q, 1, 1000);
	struct message *m = message_find(q, id);
	uint64_t generation = m->seg->head.generation;

	(void)state;
	check_int(message_find(q, other)->seg->head.generation, generation);
	check_int(pwrite_all(m->seg->fd, "#", 1, (uint64_t)m->commit_at * 8 - 500, false), 0);
	finish(q, other);
	die(q);

	q = boot();
	check(message_find(q, id) && message_find(q, id)->content_is_damaged && q->damaged == 1);
	segments_recycle(q);
	check(segment_find(q, generation) != NULL);
	operate_delete(q, message_find(q, id)); /* an operator does not want it */
	check_int(q->damaged, 0);
	segments_recycle(q);
	check(segment_find(q, generation) == NULL);
	die(q);
}

static void test_wheel(void **state)
{
	struct queued *q = boot();
	uint64_t a = accept_message(q, 1, 1), b = accept_message(q, 1, 1);

	(void)state;
	defer(q, a, 5, "x");
	defer(q, b, WHEEL_SLOTS + 5, "x");
	check_int(message_find(q, a)->one.reason, message_find(q, b)->one.reason); /* shared */
	check_int(message_find(q, a)->due_s % WHEEL_SLOTS, message_find(q, b)->due_s % WHEEL_SLOTS);
	q->wheel_at = loop_now_s(q) - 1;
	wheel_turn(q);
	check_int(message_find(q, a)->state, MSG_WAITING);
	message_find(q, a)->due_s -= 5; /* as if five seconds had gone by */
	q->wheel_at = loop_now_s(q) - 1;
	wheel_turn(q);
	check_int(message_find(q, b)->state, MSG_WAITING);
	check(sizeof(struct message) <= 112);
	die(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states), cmocka_unit_test(test_recovery_leaves_turns),
		cmocka_unit_test(test_held_from_the_beginning), cmocka_unit_test(test_recycling),
		cmocka_unit_test(test_locks), cmocka_unit_test(test_moved),
		cmocka_unit_test(test_survivors_move_to_a_later_segment), cmocka_unit_test(test_damaged_survivor_stays),
		cmocka_unit_test(test_content_waits_for_its_commit), cmocka_unit_test(test_content_waits_for_a_notice),
		cmocka_unit_test(test_last_words_of_a_foreign_writer),
		cmocka_unit_test(test_damaged_content_elsewhere_is_kept),
		cmocka_unit_test(test_damaged_copy_ends_with_its_message),
		cmocka_unit_test(test_damaged_copy_is_the_message), cmocka_unit_test(test_lost_header),
		cmocka_unit_test(test_generation_of_a_lost_header), cmocka_unit_test(test_wheel),
		cmocka_unit_test(test_damaged_content_is_kept), /* leaves damage behind: the last */
	};

	return boot_run(tests);
}
