/*
 * A disk that does not give what it holds, for a while or for good (reread.c): nothing else waits for it, what was not read
 * is read as soon as it can be, and what never can costs only what it held, and is kept.
 */
#include "queued/boot_test.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static struct {
	ino_t inode; /* 0: all is well */
	off_t from, to;
	unsigned asked;
} bad;

/* This program's own, so that it can fail. */
ssize_t pread(int fd, void *p, size_t n, off_t at);
ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	struct stat st;

	if (bad.inode != 0 && fstat(fd, &st) == 0 && st.st_ino == bad.inode && at < bad.to &&
		at + (off_t)n > bad.from) {
		bad.asked++;
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pread64, fd, p, n, at);
}

static void go_bad(const struct segment *s, uint64_t from, uint64_t to)
{
	struct stat st;
	char name[32];

	snprintf(name, sizeof name, "log/%08x.seg", s->number);
	require(stat(name, &st) == 0);
	bad.inode = st.st_ino;
	bad.from = (off_t)from;
	bad.to = (off_t)to;
	bad.asked = 0;
}

static void turns(struct queued *q, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		uv_run(q->child.loop, UV_RUN_NOWAIT);
}

/* As if the time to wait were over. */
static void let_wait_end(struct queued *q)
{
	for (struct segment *s = q->segments; s; s = s->next)
		s->again_ms = s->again_ms ? 1 : 0;
	reread_tick(q);
	turns(q, 5);
}

/* A message as an smtpd writes it, in `into` with its content in `in`. Returns its id. */
static uint64_t smtpd_message(struct segment *in, struct segment *into)
{
	static unsigned number;
	struct envelope_rcpt rcpt = { .address = STR("b@x") };
	struct str content = STR("content\r\n");
	struct extent here = { in->head.generation, in->known + RECORD_HEADER_OCTETS, (uint32_t)content.n };
	struct envelope env = {
		.sender = STR("a@x"), .rcpt = &rcpt, .n_rcpt = 1, .size = content.n, .extent = &here, .n_extent = 1
	};
	struct buf payload = BUF_INIT(4096), out = BUF_INIT(1 << 20);

	env.id = in->head.generation << 20 | ++number;
	envelope_encode(&payload, &env);
	record_put(&out, &in->head, RECORD_DATA, content);
	check_int(pwrite_all(in->fd, out.p, out.n, in->known, false), 0);
	in->known += out.n;
	buf_reset(&out);
	record_put(&out, &into->head, RECORD_COMMIT, buf_str(&payload));
	check_int(pwrite_all(into->fd, out.p, out.n, into->known, false), 0);
	into->known += out.n;
	buf_free(&payload);
	buf_free(&out);
	return env.id;
}

static void test_for_a_while(void **state)
{
	struct queued *q = boot();
	struct segment *s = smtpd_segment(q), *other = smtpd_segment(q);
	uint64_t first = smtpd_message(s, s), second, elsewhere;
	unsigned asked;

	(void)state;
	take_wake(q);
	turns(q, 5);
	check(message_find(q, first) != NULL);
	go_bad(s, s->known, s->head.size);
	second = smtpd_message(s, s);
	elsewhere = smtpd_message(other, other);
	take_wake(q);
	turns(q, 50);
	check_int(s->state, SEG_LENT);
	check(s->again_ms > 0 && message_find(q, second) == NULL);
	check(message_find(q, elsewhere) != NULL); /* nothing else waits */
	asked = bad.asked;
	check_int(asked, 1); /* nor is the disk asked at each turn */
	let_wait_end(q);
	check_int(bad.asked, asked + 1);
	check(s->again_ms - uv_now(q->child.loop) > 1500); /* later and later */
	bad.inode = 0;
	turns(q, 50);
	check(message_find(q, second) == NULL);
	let_wait_end(q);
	check(message_find(q, second) != NULL);
	check_int(s->failures, 0);
	check_int(reread_lost(q), 0);
	finish(q, first);
	finish(q, second);
	finish(q, elsewhere);
	die(q);
}

/* Its COMMIT can be read, its content in another segment cannot: the message is neither lost nor called damaged. */
static void test_content_for_a_while(void **state)
{
	struct queued *q = boot();
	struct segment *s = smtpd_segment(q), *other = smtpd_segment(q);
	uint64_t id;

	(void)state;
	go_bad(other, other->known, other->head.size);
	id = smtpd_message(other, s);
	take_wake(q);
	turns(q, 50);
	check(message_find(q, id) == NULL);
	check_int(q->damaged, 0);
	bad.inode = 0;
	let_wait_end(q);
	check(message_find(q, id) != NULL);
	check_int(s->live, 1);
	finish(q, id);
	die(q);
}

/* A block that is lost costs what it held; the segment is kept, and told of. */
static void test_for_good(void **state)
{
	struct queued *q = boot();
	struct segment *s = smtpd_segment(q);
	uint64_t id[3], at[3];
	unsigned number = s->number;
	bool found = false;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		at[i] = s->known;
		id[i] = smtpd_message(s, s);
		s->known = (s->known + 8191) / 4096 * 4096; /* each in a block of its own; the gap is no record */
	}
	go_bad(s, at[1], at[1] + 4096);
	for (unsigned i = 0; i < 12; i++)
		let_wait_end(q);
	check(message_find(q, id[0]) && message_find(q, id[2]) && message_find(q, id[1]) == NULL);
	check(s->scan.passes_errors);
	check_int(s->scan.unreadable, 4096);
	check_int(reread_lost(q), 4096);
	finish(q, id[0]);
	finish(q, id[2]);
	segment_close(q, s, s->known);
	turns(q, 5);
	result_flush(q, true);
	segments_recycle(q);
	for (const struct segment *x = q->segments; x; x = x->next)
		found |= x->number == number && x->state == SEG_CLOSED;
	check(found);
	die(q);

	bad.inode = 0; /* another start reads it again, and the disk has thought better of it */
	q = boot();
	check(message_find(q, id[1]) != NULL);
	check_int(q->n_messages, 1);
	finish(q, id[1]);
	die(q);
}

/* The header of a segment, results, and mail in turn cannot be read at the start: recovery waits, new mail does not. */
static void test_at_the_start(void **state)
{
	struct queued *q = boot();
	uint64_t held = accept_message(q, 1, 100), done = accept_message(q, 1, 100), more;
	struct segment mail = *message_find(q, held)->seg, results = *q->current;
	const struct {
		const struct segment *s;
		uint64_t from, to;
	} where[] = { { &mail, 0, 4096 }, { &results, 0, 4096 }, { &results, 4096, 8192 }, { &mail, 4096, 8192 } };

	(void)state;
	operate_hold(q, message_find(q, held));
	finish(q, done);
	result_write(q);
	for (unsigned i = 0; i < sizeof where / sizeof *where; i++) {
		go_bad(where[i].s, where[i].from, where[i].to);
		die(q);
		q = boot_begin();
		while (q->current == NULL || !spool_writer_is_ready(q->writer))
			uv_run(q->child.loop, UV_RUN_ONCE);
		more = accept_message(q, 1, 10);
		turns(q, 20);
		check(q->recovering && message_find(q, held) == NULL);
		finish(q, more);
		bad.inode = 0;
		let_wait_end(q);
		while (q->recovering)
			uv_run(q->child.loop, UV_RUN_ONCE);
		check(message_find(q, held) && message_find(q, held)->state == MSG_HELD);
		check(message_find(q, done) == NULL);
		check(!q->header_is_lost);
	}
	finish(q, held);
	die(q);
}

/* Results that are written elsewhere, from a segment that cannot be read: it stays. */
static void test_results_are_not_forgotten(void **state)
{
	struct queued *q = boot();
	uint64_t held = accept_message(q, 1, 100);
	struct segment *first = q->current;
	uint64_t generation = first->head.generation;

	(void)state;
	operate_hold(q, message_find(q, held));
	result_write(q);
	for (unsigned i = 0; i < 8; i++) { /* so many closed ones that the oldest has to go */
		struct segment *s;

		while ((s = segment_take(q, SEG_RESULT)) == NULL)
			uv_run(q->child.loop, UV_RUN_ONCE);
		q->current->was_read = true;
		segment_close(q, q->current, q->current->known);
		s->state = SEG_CURRENT;
		q->current = s;
		result_hold(q, message_find(q, held));
		result_write(q);
	}
	check(first->n_about > 0);
	go_bad(first, 4096, 8192);
	for (unsigned i = 0; i < 4; i++) {
		result_compact(q);
		segments_recycle(q);
	}
	check(bad.asked > 0 && segment_find(q, generation) == first);
	check_int(first->n_about, 1);
	check_int(bad.asked, 1); /* nor is the disk asked each time */
	bad.inode = 0;
	let_wait_end(q);
	result_compact(q);
	segments_recycle(q);
	check(segment_find(q, generation) == NULL);
	finish(q, held);
	die(q);
}

/* The same of a segment where a flush failed: other results do not wait for it, and after a minute nothing does. */
static void test_failed_results_cannot_be_read(void **state)
{
	struct queued *q = boot();
	uint64_t held = accept_message(q, 1, 100), done = accept_message(q, 1, 100);
	struct segment *first = q->current;
	uint64_t generation = first->head.generation;

	(void)state;
	operate_hold(q, message_find(q, held));
	result_write(q);
	first->failed = first->was_read = true;
	segment_close(q, first, first->known);
	while ((q->current = segment_take(q, SEG_RESULT)) == NULL)
		uv_run(q->child.loop, UV_RUN_ONCE);
	q->current->state = SEG_CURRENT;
	go_bad(first, 4096, 8192);
	finish(q, done);
	for (unsigned i = 0; i < 4; i++)
		result_flush(q, false);
	check_int(bad.asked, 1);
	check(q->flushing_results || !q->results_dirty);
	check(result_flush(q, true) != 0);
	for (unsigned i = 0; i < 8; i++) {
		let_wait_end(q);
		result_flush(q, false);
	}
	check_int(result_flush(q, true), 0);
	segments_recycle(q);
	check(segment_find(q, generation) == first);
	bad.inode = 0;
	die(q);

	q = boot(); /* the disk has thought better of it */
	check(message_find(q, held) && message_find(q, held)->state == MSG_HELD);
	check(message_find(q, done) == NULL);
	finish(q, held);
	die(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_for_a_while),
		cmocka_unit_test(test_content_for_a_while),
		cmocka_unit_test(test_for_good),
		cmocka_unit_test(test_at_the_start),
		cmocka_unit_test(test_results_are_not_forgotten),
		cmocka_unit_test(test_failed_results_cannot_be_read),
	};

	return boot_run(tests);
}
