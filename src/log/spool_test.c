/* Writer, reader and scan together: what was committed is found again, whole; what was not, is not. */
#include "base/test.h"
#include "log/spool_impl.h"
#include "log/record.h"
#include "log/spool_reader.h"
#include "log/spool_writer.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEGMENTS = 8 };
static struct {
	uv_loop_t loop;
	uv_idle_t turning; /* the loop of a process is never without anything to watch */
	struct spool_writer *w;
	uint64_t next, size;
	int fd[SEGMENTS];
	struct segment_head head[SEGMENTS];
	unsigned wanted, ended, failed, limit, flushes;
	uint64_t committed[SEGMENTS];
	int result[64];
	unsigned n_result;
} t;

static void lend(void)
{
	unsigned i = (unsigned)t.next;
	struct segment_head *h = &t.head[i];

	check(t.next < SEGMENTS);
	t.fd[i] = memfd_create("seg", MFD_CLOEXEC);
	check_int(ftruncate(t.fd[i], (off_t)t.size), 0);
	*h = (struct segment_head){ 1000 + t.next, t.size, SEG_MAIL, 77 + i };
	check_int(segment_head_write(t.fd[i], h), 0);
	t.next++;
	spool_writer_lend(t.w, h->generation, h->size, dup(t.fd[i]));
}

static void want(struct spool_writer *w)
{
	(void)w;
	t.wanted++;
}

static void committed(struct spool_writer *w, uint64_t generation, uint64_t offset)
{
	(void)w;
	t.committed[generation - 1000] = offset;
	t.flushes++;
}

static void end(struct spool_writer *w, uint64_t generation, uint64_t offset, bool failed)
{
	(void)w, (void)generation, (void)offset;
	t.ended++;
	t.failed += failed;
}

static const struct spool_writer_ops ops = { want, committed, end };

static void on_turn(uv_idle_t *idle)
{
	(void)idle;
}

static void begin(uint64_t size)
{
	memset(&t, 0, sizeof t);
	t.size = size;
	uv_loop_init(&t.loop);
	uv_idle_init(&t.loop, &t.turning);
	uv_idle_start(&t.turning, on_turn);
	t.w = spool_writer_new(&t.loop, &ops);
	lend();
	while (t.wanted > 0 && t.next < 2) {
		t.wanted--;
		lend();
	}
}

static void stop(void)
{
	spool_writer_free(&t.w);
	uv_close((uv_handle_t *)&t.turning, NULL);
	uv_run(&t.loop, UV_RUN_DEFAULT);
	check_int(uv_loop_close(&t.loop), 0);
	for (unsigned i = 0; i < t.next; i++)
		close(t.fd[i]);
}

static void on_committed(struct spool_msg *m, int err)
{
	(void)m;
	t.result[t.n_result++] = err;
}

static void run_until(unsigned results)
{
	while (t.n_result < results) {
		while (t.wanted > 0 && t.next < SEGMENTS) {
			t.wanted--;
			lend();
		}
		uv_run(&t.loop, UV_RUN_ONCE);
	}
}

static void fill(char *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)((i * 7 + seed * 13 + i / 251) & 0xFF);
}

static void add(struct spool_msg *m, size_t octets, unsigned seed)
{
	char *p = malloc(octets + 1);

	fill(p, octets, seed);
	for (size_t i = 0; i < octets; i += 5000) {
		check_int(spool_msg_add(m, str_pn(p + i, octets - i < 5000 ? octets - i : 5000)), 0);
		while (t.wanted > 0 && t.next < SEGMENTS) {
			t.wanted--;
			lend();
		}
	}
	free(p);
}

static void commit(struct spool_msg *m, unsigned seed)
{
	struct envelope_rcpt rcpt = { .index = seed, .address = STR("bob@example.org") };
	struct envelope env = { .sender = STR("alice@example.org"), .rcpt = &rcpt, .n_rcpt = 1, .size = m->octets };

	spool_msg_commit(m, &env, on_committed);
}

/* Every COMMIT of all segments up to `limit` octets (0: all), its extents checked; returns how many. */
static unsigned recover(bool whole, uint64_t *skipped)
{
	struct segment_set *set = segment_set_new();
	unsigned found = 0;

	for (unsigned i = 0; i < t.next; i++)
		segment_set_add(set, t.head[i].generation, dup(t.fd[i]));
	for (unsigned i = 0; i < t.next; i++) {
		struct log_scan s;
		struct record r;

		log_scan_begin(&s, t.fd[i], &t.head[i]);
		while (log_scan_next(&s, whole ? t.size : t.committed[i], &r) == 1) {
			struct arena *mem = arena_new(0);
			struct envelope e;
			char *got, *must;

			if (r.type == RECORD_COMMIT) {
				size_t n;
				bool good = envelope_decode(r.payload, mem, &e) == 0;

				check(good);
				for (size_t x = 0; good && x < e.n_extent; x++) {
					unsigned g = (unsigned)(e.extent[x].generation - 1000);

					good = g == i ? log_scan_has_data(&s, e.extent[x].offset, e.extent[x].octets)
						      : record_check_data(t.fd[g], &t.head[g], e.extent[x].offset,
								e.extent[x].octets) == 1;
				}
				n = (size_t)extents_octets(&e);
				got = malloc(n + 1);
				must = malloc(n + 1);
				if (good) {
					check_int(n, e.size);
					check_int(extents_read(set, &e, 0, got, n + 1), n);
					fill(must, n, e.rcpt[0].index);
					check(memcmp(got, must, n) == 0);
					check_int(e.id >> 20, e.id >> 20);
					found++;
				}
				free(got);
				free(must);
			}
			arena_free(&mem);
		}
		*skipped += s.skipped;
		log_scan_rest(&s);
	}
	segment_set_free(&set);
	return found;
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 4096, 65535, 65536, 65537, 200000, 700000, 1500000 };
	enum { N = sizeof sizes / sizeof *sizes };
	struct spool_msg m[N];
	uint64_t skipped = 0;

	(void)state;
	begin(1024 * 1024);
	memset(m, 0, sizeof m);
	for (unsigned i = 0; i < N; i++) {
		check_int(spool_msg_begin(&m[i], t.w), 0);
		add(&m[i], sizes[i], i);
	}
	for (unsigned i = 0; i < N; i++)
		commit(&m[i], i);
	run_until(N);
	for (unsigned i = 0; i < N; i++)
		check_int(t.result[i], 0);
	check_int(recover(false, &skipped), N);
	check_int(recover(true, &skipped), N);
	check_int(skipped, 0);
	check(t.ended >= 1);
	check_int(t.failed, 0);
	stop();
}

static void test_alone_and_together(void **state)
{
	struct spool_msg m[40];
	uint64_t skipped = 0;

	(void)state;
	begin(1024 * 1024);
	memset(m, 0, sizeof m);
	for (unsigned i = 0; i < 40; i++) {
		check_int(spool_msg_begin(&m[i], t.w), 0);
		check(i == 0 || m[i].id > m[i - 1].id);
		add(&m[i], 100 * i, i);
		if (i % 5 == 3) {
			spool_msg_abort(&m[i]);
			t.n_result++;
		} else {
			commit(&m[i], i);
		}
		if (i < 10)
			run_until(i + 1);
	}
	run_until(40);
	check_int(recover(false, &skipped), 32);
	stop();
}

static struct spool_msg *read_message;
static unsigned read_number;

static void on_read(uv_async_t *async)
{
	(void)async;
	spool_writer_stir(t.w);
	if (read_message)
		commit(read_message, read_number);
	read_message = NULL;
}

static void commit_when_read(struct spool_msg *m, unsigned number, uv_async_t *read)
{
	read_message = m;
	read_number = number;
	uv_async_send(read);
	while (read_message)
		uv_run(&t.loop, UV_RUN_NOWAIT);
}

/* Those who are being read share a flush, for as long as one takes; a quiet turn ends the wait. */
static void test_gathering(void **state)
{
	struct spool_msg m[7];
	uv_async_t read;

	(void)state;
	begin(1024 * 1024);
	memset(m, 0, sizeof m);
	uv_async_init(&t.loop, &read, on_read);
	for (unsigned i = 0; i < 4; i++) {
		t.w->flush_ns = 1000000000;
		check_int(spool_msg_begin(&m[i], t.w), 0);
		add(&m[i], 1000, i);
		commit_when_read(&m[i], i, &read);
		check_int(t.n_result, 0);
	}
	run_until(4);
	check_int(t.flushes, 1);
	for (unsigned i = 4; i < 6; i++) {
		check_int(spool_msg_begin(&m[i], t.w), 0);
		add(&m[i], 1000, i);
		commit(&m[i], i);
		uv_run(&t.loop, UV_RUN_NOWAIT);
		check_int(t.n_result, i + 1);
	}
	check_int(t.flushes, 3);
	check_int(spool_msg_begin(&m[6], t.w), 0);
	add(&m[6], 1000, 6);
	commit_when_read(&m[6], 6, &read);
	for (unsigned i = 0; i < 100000 && t.n_result < 7; i++) { /* those who never stop talking do not hold it up */
		uv_async_send(&read);
		uv_run(&t.loop, UV_RUN_NOWAIT);
	}
	check_int(t.n_result, 7);
	uv_close((uv_handle_t *)&read, NULL);
	stop();
}

static void commit_two(struct spool_msg *m, unsigned first)
{
	for (unsigned i = first; i < first + 2; i++) {
		check_int(spool_msg_begin(&m[i], t.w), 0);
		add(&m[i], 1000, i);
		commit(&m[i], i);
	}
}

/* A slow disk is flushed by a thread, while the loop reads on; a quick one in the loop. */
static void test_slow_disk(void **state)
{
	struct spool_msg m[6];
	uint64_t skipped = 0;

	(void)state;
	begin(1024 * 1024);
	memset(m, 0, sizeof m);
	t.w->flush_ns = QUICK_FLUSH_NS;
	commit_two(m, 0);
	spool_flush(t.w);
	check(t.w->flying);
	check_int(t.n_result, 0);
	commit_two(m, 2); /* they wait for the next */
	spool_flush(t.w);
	run_until(4);
	check_int(t.flushes, 2);
	t.w->flush_ns = QUICK_FLUSH_NS - 1;
	commit_two(m, 4);
	spool_flush(t.w);
	check(!t.w->flying);
	check_int(t.n_result, 6);
	check_int(recover(false, &skipped), 6);
	stop();
}

static void test_peer_lost(void **state)
{
	struct spool_msg m = { 0 }, n = { 0 }, late = { 0 };
	uint64_t skipped = 0;

	(void)state;
	begin(1024 * 1024);
	check_int(spool_msg_begin(&m, t.w), 0);
	add(&m, 300000, 1);
	spool_writer_peer_lost(t.w);
	check(spool_writer_is_ready(t.w)); /* mail is taken while there is no queued */
	check_int(spool_msg_begin(&n, t.w), 0);
	add(&n, 100, 2);
	commit(&n, 2);
	run_until(1);
	check_int(t.result[0], 0);
	check_int(t.committed[0], 0); /* there is nobody to tell */
	t.wanted = 0;
	lend();
	check_int(t.wanted, 1);
	check_int(spool_msg_begin(&late, t.w), 0);
	check_int(late.id >> 20, 1002);
	spool_msg_abort(&late);
	commit(&m, 1); /* begun before, its first part in an orphan, ended in the new one */
	run_until(2);
	check_int(t.result[1], 0);
	check(t.committed[2] > 0);
	check_int(t.ended, 0);
	check_int(recover(true, &skipped), 2);
	stop();
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* A file that may not grow: the write fails, the batch is refused, the segment ends, the next message is well. */
static void test_write_fails(void **state)
{
	struct spool_msg m = { 0 }, n = { 0 };
	struct rlimit small = { 100000, RLIM_INFINITY }, old;
	uint64_t skipped = 0;

	(void)state;
	begin(1024 * 1024);
	signal(SIGXFSZ, on_alarm);
	check_int(spool_msg_begin(&m, t.w), 0);
	add(&m, 60000, 1);
	commit(&m, 1);
	check_int(spool_msg_begin(&n, t.w), 0);
	add(&n, 60000, 2);
	commit(&n, 2);
	getrlimit(RLIMIT_FSIZE, &old);
	setrlimit(RLIMIT_FSIZE, &small);
	for (int i = 0; t.n_result < 2 && i < 1000; i++) {
		uv_run(&t.loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
	setrlimit(RLIMIT_FSIZE, &old);
	check_int(t.n_result, 2);
	check_int(t.result[0], -EFBIG);
	check_int(t.result[1], -EFBIG);
	check_int(t.failed, 1);
	check_int(recover(false, &skipped), 0);
	memset(&m, 0, sizeof m);
	check_int(spool_msg_begin(&m, t.w), 0);
	check_int(m.id >> 20, 1001);
	add(&m, 60000, 1);
	commit(&m, 1);
	run_until(3);
	check_int(t.result[2], 0);
	stop();
}

/* Each octet of the file torn off, and each flipped: never a message that is not as it was, never one too few before. */
static void test_damage(void **state)
{
	struct spool_msg m[3];
	uint64_t skipped, used;
	char *copy;

	(void)state;
	begin(64 * 1024);
	memset(m, 0, sizeof m);
	for (unsigned i = 0; i < 3; i++) {
		check_int(spool_msg_begin(&m[i], t.w), 0);
		add(&m[i], 120, i);
		commit(&m[i], i);
		run_until(i + 1);
	}
	used = t.committed[0];
	copy = malloc(t.size);
	check_int(pread_all(t.fd[0], copy, t.size, 0), 0);
	for (uint64_t cut = SEG_HEADER_OCTETS; cut < used; cut++) {
		unsigned found;

		check_int(ftruncate(t.fd[0], (off_t)cut), 0);
		check_int(ftruncate(t.fd[0], (off_t)t.size), 0);
		skipped = 0;
		found = recover(true, &skipped);
		/* Padding at the very end carries nothing. */
		check(found <= 3 && (cut < used - 8 || found >= 2));
		check_int(skipped, 0);
		check_int(pwrite_all(t.fd[0], copy, t.size, 0, false), 0);
	}
	for (uint64_t at = SEG_HEADER_OCTETS; at < used; at++) {
		char c = (char)(copy[at] ^ (1 << (at & 7)));

		check_int(pwrite_all(t.fd[0], &c, 1, at, false), 0);
		skipped = 0;
		check(recover(true, &skipped) >= 2);
		check_int(pwrite_all(t.fd[0], copy + at, 1, at, false), 0);
	}
	free(copy);
	stop();
}

/* Who follows a writer that it cannot ask sees each message as soon as it is there, and misses none. */
static void test_follow(void **state)
{
	struct spool_msg m[20];
	struct log_scan s;
	struct record r;
	unsigned found = 0;

	(void)state;
	begin(1024 * 1024);
	memset(m, 0, sizeof m);
	log_scan_begin(&s, t.fd[0], &t.head[0]);
	s.no_skip = true;
	for (unsigned i = 0; i < 20; i++) {
		check_int(log_scan_next(&s, t.size, &r), 0);
		check_int(spool_msg_begin(&m[i], t.w), 0);
		add(&m[i], 900, i);
		commit(&m[i], i);
		run_until(i + 1);
		while (log_scan_next(&s, t.size, &r) == 1)
			found += r.type == RECORD_COMMIT;
		check_int(found, i + 1);
	}
	s.no_skip = false;
	check_int(log_scan_next(&s, t.size, &r), 0);
	check_int(s.skipped, 0);
	log_scan_rest(&s);
	stop();
}

/* A recycled segment holds good records of its earlier life: none of them counts. */
static void test_recycled(void **state)
{
	struct spool_msg m = { 0 };
	struct segment_head again;
	uint64_t skipped = 0;

	(void)state;
	begin(1024 * 1024);
	check_int(spool_msg_begin(&m, t.w), 0);
	add(&m, 5000, 4);
	commit(&m, 4);
	run_until(1);
	check_int(recover(true, &skipped), 1);
	again = t.head[0];
	again.generation = 2000;
	check_int(segment_head_write(t.fd[0], &again), 0);
	t.head[0] = again;
	check_int(recover(true, &skipped), 0);
	again.generation = 1000;
	again.salt++;
	t.head[0] = again;
	check_int(recover(true, &skipped), 0);
	stop();
}

static void test_header(void **state)
{
	struct segment_head h = { 5, 1 << 20, SEG_MAIL, 9 }, got;
	int fd = memfd_create("seg", MFD_CLOEXEC);
	char bad = 'x';

	(void)state;
	check_int(segment_head_read(fd, &got), -EIO);
	check_int(ftruncate(fd, 1 << 20), 0);
	check_int(segment_head_read(fd, &got), 0);
	check_int(segment_head_write(fd, &h), 0);
	for (uint64_t at = 0; at < 48; at++) {
		check_int(segment_head_write(fd, &h), 0);
		check_int(pwrite_all(fd, &bad, 1, at, false), 0);
		check_int(segment_head_read(fd, &got), 1);
		check(got.generation == 5 && got.size == 1 << 20 && got.class == SEG_MAIL && got.salt == 9);
		check_int(pwrite_all(fd, &bad, 1, 2048 + at, false), 0);
		check_int(segment_head_read(fd, &got), -EBADMSG);
	}
	close(fd);
}

static void lend_wanted(void)
{
	for (; t.wanted > 0 && t.next < SEGMENTS; t.wanted--)
		lend();
}

/* What was added is read again, in pieces that fit nowhere. */
static void check_reads(const struct spool_msg *m, const char *must, size_t n)
{
	struct spool_cursor c = { 0, 0 };
	char piece[40001];
	size_t at = 0;
	ssize_t got;

	while ((got = spool_msg_read(m, &c, piece, sizeof piece)) > 0) {
		check(at + (size_t)got <= n && memcmp(piece, must + at, (size_t)got) == 0);
		at += (size_t)got;
	}
	check_int(got, 0);
	check_int(at, n);
}

/* Octets put in front when all others are there already, in memory or in records; other content in the place of its own. */
static void test_changed_at_its_end(void **state)
{
	static const struct {
		size_t first, rest, before; /* before: of another content, that the rest replaces */
	} sizes[] = { { 0, 0, 0 }, { 10, 0, 0 }, { 0, 10, 0 }, { 10, 20, 0 }, { 200000, 100, 0 }, { 100, 65536, 0 },
		{ 100, 70000, 0 }, { 70000, 70000, 0 }, { 250000, 700000, 0 }, { 10, 20, 30 }, { 10, 20, 300000 },
		{ 100, 900000, 700000 }, { 100, 0, 200000 } };
	enum { N = sizeof sizes / sizeof *sizes };
	struct spool_msg m[N];
	char *p = malloc(1000000);
	uint64_t skipped = 0;

	(void)state;
	begin(1024 * 1024);
	memset(m, 0, sizeof m);
	for (unsigned i = 0; i < N; i++) {
		size_t n = sizes[i].first + sizes[i].rest;
		struct spool_msg other = { .writer = NULL }, *to = sizes[i].before ? &other : &m[i];

		check_int(spool_msg_begin(&m[i], t.w), 0);
		if (sizes[i].before) {
			add(&m[i], sizes[i].before, 99);
			check_int(spool_msg_begin_as(&other, t.w, m[i].id), 0);
		}
		fill(p, n, i);
		for (size_t at = sizes[i].first; at < n; at += 5000) {
			check_int(spool_msg_add(to, str_sub(str_pn(p, n), at, 5000)), 0);
			lend_wanted();
		}
		if (sizes[i].before)
			spool_msg_replace(&m[i], &other);
		check_reads(&m[i], p + sizes[i].first, sizes[i].rest);
		check_int(spool_msg_put_first(&m[i], str_pn(p, sizes[i].first)), 0);
		check_reads(&m[i], p, n);
		lend_wanted();
		commit(&m[i], i);
		run_until(i + 1);
		check_int(t.result[i], 0);
	}
	check_int(recover(true, &skipped), N);
	check_int(skipped, 0);
	check_int(t.failed, 0);
	free(p);
	stop(); /* and no segment is held any more */
}

/* A peer of ours can be made to say too much; that ends no process, and costs no other message. */
static void test_envelope_too_large(void **state)
{
	enum { N = 3000 };
	struct envelope_rcpt *rcpt = calloc(N, sizeof *rcpt);
	char *text = malloc(N);
	struct spool_msg m[2] = { { 0 }, { 0 } };
	struct envelope env = { .rcpt = rcpt, .n_rcpt = N };
	uint64_t skipped = 0;

	(void)state;
	memset(text, 'a', N);
	for (unsigned i = 0; i < N; i++)
		rcpt[i] = (struct envelope_rcpt){
			.index = i, .address = STR("bob@example.org"), .original = str_pn(text, N)
		};
	begin(1024 * 1024);
	for (unsigned i = 0; i < 2; i++) {
		check_int(spool_msg_begin(&m[i], t.w), 0);
		add(&m[i], 100, i);
	}
	spool_msg_commit(&m[0], &env, on_committed);
	run_until(1);
	check(t.result[0] < 0);
	commit(&m[1], 1);
	run_until(2);
	check_int(t.result[1], 0);
	check_int(recover(true, &skipped), 1);
	stop();
	free(text);
	free(rcpt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changed_at_its_end),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_alone_and_together),
		cmocka_unit_test(test_gathering),
		cmocka_unit_test(test_slow_disk),
		cmocka_unit_test(test_peer_lost),
		cmocka_unit_test(test_write_fails),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_recycled),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_envelope_too_large),
	};

	return test_run(tests);
}
