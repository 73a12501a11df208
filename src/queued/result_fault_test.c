/*
 * Results that a disk does not take: a write or a flush fails, or there is no place. They go elsewhere or wait, in order, and
 * after a restart the log says of each message what was said of it last.
 */
#include "queued/boot_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* This program's own, so that they can fail. */
int fdatasync(int fd);
ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t at, int flags);
static int bad_fd = -1;

static atomic_bool fail_once; /* as the kernel does: of several flushes, one is told */

int fdatasync(int fd)
{
	errno = EIO;
	if (atomic_exchange(&fail_once, false))
		return -1;
	return fd == bad_fd ? -1 : (int)syscall(SYS_fdatasync, fd);
}

ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	errno = EIO;
	return fd == bad_fd ? -1 : syscall(SYS_pwritev2, fd, iov, (unsigned long)n, (unsigned long)at, 0UL, flags);
}

/* A disk that fails under the results, when they are written or only then when they are flushed: they go elsewhere. */
static void test_results_fail(void **state)
{
	enum { WRITE, FLUSH, FLUSH_IN_BACKGROUND, WAYS };

	for (int way = WRITE; way < WAYS; way++) {
		struct queued *q = boot();
		uint64_t done = accept_message(q, 1, 10), deferred = accept_message(q, 1, 10);
		uint64_t more = accept_message(q, 1, 10);
		struct segment *bad = q->current;
		unsigned number = bad->number;
		const char zeros[20000] = "";
		bool found = false;

		(void)state;
		finish(q, done);
		defer(q, deferred, 100, "why");
		while (segments_count(q, SEG_FREE) == 0)
			uv_run(q->child.loop, UV_RUN_ONCE);
		result_write(q);
		finish(q, more);
		if (way != WRITE)
			result_write(q);
		if (way == FLUSH_IN_BACKGROUND) {
			fail_once = true;
			check_int(result_flush(q, false), 0);
			while (fail_once)
				usleep(100);
		} else {
			bad_fd = bad->fd;
		}
		check_int(result_flush(q, true), 0);
		check(q->current != bad && bad->failed);
		bad_fd = -1;
		check_int(pwrite_all(bad->fd, zeros, sizeof zeros, SEG_HEADER_OCTETS, false), 0); /* it kept nothing */
		segments_recycle(q);
		for (struct segment *s = q->segments; s; s = s->next)
			found |= s->number == number;
		check(!found);
		die(q);

		q = boot();
		check(message_find(q, done) == NULL && message_find(q, more) == NULL);
		check(message_find(q, deferred) && message_find(q, deferred)->attempts == 1);
		finish(q, deferred);
		die(q);
	}
}

/* No segment is at hand for results (no space): they wait, in order, and are written down when there is one. */
static void test_results_wait(void **state)
{
	struct queued *q = boot();
	uint64_t done = accept_message(q, 1, 10), released = accept_message(q, 1, 10), held = accept_message(q, 1, 10);

	(void)state;
	while (q->creating)
		uv_run(q->child.loop, UV_RUN_ONCE);
	operate_hold(q, message_find(q, released));
	result_write(q);
	q->current->head.size = q->current->known; /* full */
	for (struct segment *s = q->segments; s; s = s->next)
		s->state = s->state == SEG_FREE ? SEG_BAD : s->state;
	finish(q, done);
	operate_release(q, message_find(q, released));
	operate_hold(q, message_find(q, held));
	check(q->backlog.n > 0);
	check(result_flush(q, true) != 0);
	while (q->backlog.n > 0) /* until a new one is made */
		uv_run(q->child.loop, UV_RUN_ONCE);
	check_int(result_flush(q, true), 0);
	die(q);

	q = boot();
	check(message_find(q, done) == NULL);
	check_int(message_find(q, released)->state, MSG_READY);
	check_int(message_find(q, held)->state, MSG_HELD);
	finish(q, released);
	finish(q, held);
	die(q);
}

/* A hold that was undone, in a segment that fails: an older segment still says that it is held. */
static void test_release_is_carried(void **state)
{
	struct queued *q = boot();
	uint64_t id = accept_message(q, 1, 10);
	const char zeros[20000] = "";
	struct segment *bad;

	(void)state;
	operate_hold(q, message_find(q, id));
	result_write(q);
	while (segments_count(q, SEG_FREE) < 2)
		uv_run(q->child.loop, UV_RUN_ONCE);
	q->current->head.size = q->current->known;
	operate_release(q, message_find(q, id));
	bad = q->current;
	bad_fd = bad->fd;
	check_int(result_flush(q, true), 0);
	check(q->current != bad && bad->failed);
	bad_fd = -1;
	check_int(pwrite_all(bad->fd, zeros, sizeof zeros, SEG_HEADER_OCTETS, false), 0);
	die(q);

	q = boot();
	check_int(message_find(q, id)->state, MSG_READY);
	finish(q, id);
	die(q);
}

/* A spare of so many octets. */
static struct segment *add_spare(struct queued *q, uint64_t octets)
{
	struct segment_head h = { 1, octets, SEG_SPARE, 0 };
	unsigned number = q->next_number++;
	struct segment *s;
	char name[16];
	int fd;

	snprintf(name, sizeof name, "%08x.seg", number);
	fd = openat(q->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	require(fd >= 0 && ftruncate(fd, (off_t)octets) == 0);
	check_int(segment_head_write(fd, &h), 0);
	s = segment_add(q, number, fd);
	s->head = h;
	s->state = SEG_FREE;
	return s;
}

static void spares_become(struct queued *q, enum segment_state from, enum segment_state to)
{
	while (q->creating)
		uv_run(q->child.loop, UV_RUN_ONCE);
	for (struct segment *s = q->segments; s; s = s->next)
		s->state = s->state == from && s->head.class == SEG_SPARE ? to : s->state;
}

/* The disk fails where the results of a failed segment go: neither segment may go before all of it is elsewhere. */
static void test_results_fail_again(void **state)
{
	struct queued *q = boot();
	uint64_t first = accept_message(q, 1, 10), second = accept_message(q, 1, 10);
	struct segment *bad = q->current, *again;

	(void)state;
	finish(q, first);
	result_write(q);
	spares_become(q, SEG_FREE, SEG_BAD);
	bad->failed = true; /* as a flush in the background says */
	segment_close(q, bad, bad->known);
	bad->was_read = true;
	add_spare(q, SEG_HEADER_OCTETS + 128);
	again = q->current = segment_take(q, SEG_RESULT);
	check(again != NULL);
	again->state = SEG_CURRENT;
	finish(q, second);
	result_write(q);
	again->head.size = again->known + 8; /* full: it is flushed, and ends, before the other results follow */
	add_spare(q, 16 * 4096);
	bad_fd = again->fd;
	check(result_flush(q, true) != 0);
	check(again->failed && again->n_about > 0 && bad->n_about > 0);
	bad_fd = -1;
	check_int(result_flush(q, true), 0);
	check(again->n_about == 0 && bad->n_about == 0);
	segments_recycle(q);
	spares_become(q, SEG_BAD, SEG_FREE);
	die(q);

	q = boot();
	check(message_find(q, first) == NULL && message_find(q, second) == NULL);
	die(q);
}

/* What waited is being written down, the write fails, and there is not enough room elsewhere: it waits on. */
static void test_results_wait_again(void **state)
{
	enum { DEFERS = 10 };
	struct queued *q = boot();
	uint64_t id[DEFERS], done;
	char why[400];
	size_t each;

	(void)state;
	memset(why, 'w', sizeof why - 1);
	why[sizeof why - 1] = '\0';
	for (int i = 0; i < DEFERS; i++)
		id[i] = accept_message(q, 1, 10);
	done = accept_message(q, 1, 10);
	result_write(q);
	spares_become(q, SEG_FREE, SEG_BAD);
	q->current->head.size = q->current->known; /* full */
	for (int i = 0; i < DEFERS; i++)
		defer(q, id[i], 100, why);
	each = record_octets(q->backlog.n / DEFERS - 14);
	finish(q, done);
	q->backlog.p = xrealloc(q->backlog.p, q->backlog.n + 1);
	q->backlog.cap = q->backlog.n; /* so that it moves when it grows */
	q->current->head.size += each * DEFERS + 8;
	add_spare(q, SEG_HEADER_OCTETS + each * (DEFERS - 1) + 200);
	bad_fd = q->current->fd;
	result_go_on(q);
	check(q->backlog.n > 0 && q->result_failures == 1);
	bad_fd = -1;
	spares_become(q, SEG_BAD, SEG_FREE);
	check_int(result_flush(q, true), 0);
	check_int(q->backlog.n, 0);
	die(q);

	q = boot();
	check(message_find(q, done) == NULL);
	for (int i = 0; i < DEFERS; i++) {
		check_int(message_find(q, id[i])->attempts, 1);
		finish(q, id[i]);
	}
	die(q);
}

/* A write fails while old results are written again, and no segment is at hand: what was new among them waits. */
static void test_new_results_among_old(void **state)
{
	struct queued *q = boot();
	uint64_t held = accept_message(q, 1, 10), done = accept_message(q, 1, 10);

	(void)state;
	operate_hold(q, message_find(q, held));
	result_write(q);
	spares_become(q, SEG_FREE, SEG_BAD);
	for (unsigned i = 0; i < 8; i++) { /* so many closed ones that the oldest has to go */
		segment_close(q, q->current, q->current->known);
		q->current->was_read = true;
		add_spare(q, 16 * 1024);
		q->current = segment_take(q, SEG_RESULT);
		q->current->state = SEG_CURRENT;
		result_hold(q, message_find(q, held));
		result_write(q);
	}
	finish(q, done);
	q->current->head.size = q->current->known + q->results.n + 8;
	bad_fd = q->current->fd;
	result_compact(q);
	check(q->backlog.n > 0);
	bad_fd = -1;
	spares_become(q, SEG_BAD, SEG_FREE);
	check_int(result_flush(q, true), 0);
	die(q);

	q = boot();
	check(message_find(q, done) == NULL);
	check_int(message_find(q, held)->state, MSG_HELD);
	finish(q, held);
	die(q);
}

/* Of all that was said of a message that is deferred only the last is written again. */
static void test_superseded_results(void **state)
{
	struct queued *q = boot();
	uint64_t deferred = accept_message(q, 1, 10), first = 0, before = 0;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		result_write(q);
		segment_close(q, q->current, q->current->known);
		q->current->was_read = true;
		add_spare(q, 16 * 1024);
		q->current = segment_take(q, SEG_RESULT);
		q->current->state = SEG_CURRENT;
		first = first ? first : q->current->head.generation;
		defer(q, deferred, 100, "why");
	}
	result_write(q);
	for (unsigned i = 0; i < 20 && segment_find(q, first)->n_about > 0; i++) { /* those of before are older */
		before = q->current->known;
		result_compact(q);
		segments_recycle(q);
		if (segment_find(q, first) == NULL)
			break;
	}
	check_int(q->current->known, before);
	die(q);

	q = boot();
	check_int(message_find(q, deferred)->attempts, 8);
	finish(q, deferred);
	die(q);
}

/* What is known of more recipients than a segment of results has room for does not stand in the way of other results. */
static void test_defer_of_very_many(void **state)
{
	enum { MANY = 80000 };
	struct queued *q = boot();
	uint64_t id = accept_message(q, 1, 10), other = accept_message(q, 1, 10);
	struct rcpt_ref *refs = xcalloc(MANY, sizeof *refs);
	char why[250];

	(void)state;
	memset(why, 'x', sizeof why - 1);
	why[sizeof why - 1] = '\0';
	forget_decoded(message_find(q, id));
	for (uint32_t i = 0; i < MANY; i++)
		refs[i] = (struct rcpt_ref){ i, 0, reason_get(STR("4.4.1"), str_c(why)) };
	message_set_rcpts(q, message_find(q, id), refs, MANY);
	free(refs);
	defer(q, id, 100, why);
	defer(q, other, 100, "another");
	while (q->creating) /* they may have to wait for a segment, but not for longer than that */
		uv_run(q->child.loop, UV_RUN_ONCE);
	check_int(q->backlog.n, 0);
	die(q);

	q = boot();
	check_int(message_find(q, id)->attempts, 1);
	check_str(reason_text(message_find(q, id)->one.reason), why);
	check_int(message_find(q, other)->attempts, 1);
	finish(q, id);
	finish(q, other);
	die(q);
}

static void next_results(struct queued *q, uint64_t octets)
{
	result_write(q);
	segment_close(q, q->current, q->current->known);
	q->current->was_read = true;
	add_spare(q, octets);
	q->current = segment_take(q, SEG_RESULT);
	q->current->state = SEG_CURRENT;
}

/* More segments of results than are kept, and all of it counts: it is not written over and over. */
static void test_results_that_count_are_not_written_over_and_over(void **state)
{
	enum { SEGMENTS = 9, EACH = 80, LOOKS = 100 }; /* so many fill most of a segment */
	struct queued *q = boot();
	uint64_t id[SEGMENTS * EACH], written = 0;

	(void)state;
	for (unsigned i = 0; i < SEGMENTS * EACH; i++)
		id[i] = accept_message(q, 1, 10);
	for (unsigned i = 0; i < SEGMENTS * EACH; i++) {
		if (i % EACH == 0)
			next_results(q, 16 * 1024);
		defer(q, id[i], 3000, "connect to [192.0.2.1]:25: Connection timed out");
	}
	next_results(q, 16 * 1024);
	for (unsigned i = 0; i < LOOKS; i++) {
		uint64_t before = q->carried;

		add_spare(q, 16 * 1024);
		result_compact(q);
		if (q->current && q->current->known > 12 * 1024)
			next_results(q, 16 * 1024);
		segments_recycle(q);
		written += q->carried > before;
	}
	check(written > 0);
	check(written <= SEGMENTS / 2 + 1);
	die(q);

	q = boot();
	for (unsigned i = 0; i < SEGMENTS * EACH; i++) {
		check_int(message_find(q, id[i])->attempts, 1);
		finish(q, id[i]);
	}
	die(q);
}

/* A spare that was one too many is not used for the results that the next segment waits for. */
static void test_results_go_to_a_file_that_stays(void **state)
{
	struct queued *q = boot();
	uint64_t id = accept_message(q, 1, 10), held = accept_message(q, 1, 10);
	struct segment *mail = message_find(q, id)->seg, *old;

	(void)state;
	result_write(q);
	while (q->creating)
		uv_run(q->child.loop, UV_RUN_ONCE);
	for (int i = 0; i < SPARES_MAX + 1; i++)
		add_spare(q, 64 * 1024);
	old = add_spare(q, 32 * 1024); /* the smallest, and the first in the list */
	old->head.class = SEG_RESULT;
	old->state = SEG_CLOSED;
	old->was_read = true;
	finish(q, id);
	mail = smtpd_segment(q);
	for (struct segment **at = &q->segments; *at; at = &(*at)->next) /* behind it */
		if (*at == mail) {
			*at = mail->next;
			break;
		}
	for (struct segment *s = q->segments; s; s = s->next)
		if (s->next == NULL) {
			s->next = mail;
			mail->next = NULL;
			break;
		}
	segment_close(q, mail, mail->known);
	mail->was_read = true;
	result_write(q);
	operate_hold(q, message_find(q, held));
	bad_fd = q->current->fd; /* so that another is taken while segments are used again */
	segments_recycle(q);
	bad_fd = -1;
	check(q->current && !q->current->no_file);
	for (const struct segment *s = q->segments; s; s = s->next) {
		char name[32];

		snprintf(name, sizeof name, "log/%08x.seg", s->number);
		check_int(access(name, F_OK), 0);
	}
	die(q);

	q = boot();
	check_int(message_find(q, held)->state, MSG_HELD);
	finish(q, held);
	die(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_results_fail),
		cmocka_unit_test(test_results_wait),
		cmocka_unit_test(test_release_is_carried),
		cmocka_unit_test(test_results_fail_again),
		cmocka_unit_test(test_results_wait_again),
		cmocka_unit_test(test_results_go_to_a_file_that_stays),
		cmocka_unit_test(test_new_results_among_old),
		cmocka_unit_test(test_superseded_results),
		cmocka_unit_test(test_defer_of_very_many),
		cmocka_unit_test(test_results_that_count_are_not_written_over_and_over),
	};

	return boot_run(tests);
}
