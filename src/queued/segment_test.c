/* New segments: one whose creation was interrupted is gone on with, and where none is at hand a small one is made. */
#include "queued/boot_test.h"

#include <fcntl.h>
#include <sys/stat.h>

static void make_blank(const char *name, size_t octets)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	char *zeros = calloc(1, octets);

	require(fd >= 0 && zeros && write(fd, zeros, octets) == (ssize_t)octets);
	close(fd);
	free(zeros);
}

static void start_anew(void)
{
	char dir[] = "qXXXXXX";

	require(mkdtemp(dir) && chdir(dir) == 0 && mkdir("log", 0700) == 0);
}

static void settle(struct queued *q)
{
	while (q->creating)
		uv_run(q->child.loop, UV_RUN_ONCE);
}

static void test_interrupted(void **state)
{
	static const size_t octets[] = { 0, 1, SEG_HEADER_OCTETS, (1 << 20) + 5, SMALL_SEGMENT_OCTETS,
		SMALL_SEGMENT_OCTETS + 4097 };

	(void)state;
	for (size_t i = 0; i < sizeof octets / sizeof *octets; i++) {
		const struct segment *found = NULL;
		struct segment_head h;
		struct queued *q;
		struct stat st;
		uint64_t id;

		start_anew();
		make_blank("log/0000000b.seg", octets[i]);
		q = boot();
		id = accept_message(q, 1, 100);
		settle(q);
		for (const struct segment *s = q->segments; s; s = s->next)
			found = s->number == 0xb ? s : found;
		check(found != NULL && q->next_number > 0xb);
		check(segment_head_read(found->fd, &h) == 1);
		check(h.size >= SMALL_SEGMENT_OCTETS && h.size >= octets[i] && h.size % 4096 == 0);
		check(fstat(found->fd, &st) == 0 && (uint64_t)st.st_size == h.size);
		check(message_find(q, id) != NULL);
		die(q);
		require(chdir("..") == 0);
	}
}

static void test_two_interrupted(void **state)
{
	struct queued *q;

	(void)state;
	start_anew();
	make_blank("log/00000003.seg", 4096);
	make_blank("log/00000005.seg", 4096);
	q = boot();
	check(access("log/00000003.seg", F_OK) == 0 ? access("log/00000005.seg", F_OK) != 0
						    : access("log/00000005.seg", F_OK) == 0);
	die(q);
	require(chdir("..") == 0);
}

/* Many are there, none is free: who waits is served soon. */
static void test_none_is_free(void **state)
{
	struct queued *q;
	unsigned small = 0;

	(void)state;
	start_anew();
	q = boot();
	settle(q);
	for (unsigned i = 0; i < SMALL_SEGMENTS; i++) {
		struct segment *s = segment_add(q, 100 + i, dup(q->dir));

		s->state = SEG_BAD;
	}
	for (struct segment *s = q->segments; s; s = s->next)
		s->state = s->state == SEG_FREE ? SEG_BAD : s->state;
	check(segment_take(q, SEG_MAIL) == NULL);
	check(q->creating != NULL);
	settle(q);
	check_int(segments_count(q, SEG_FREE), SPARES_KEPT);
	for (const struct segment *s = q->segments; s; s = s->next)
		small += s->state == SEG_FREE && s->head.size == SMALL_SEGMENT_OCTETS;
	check_int(small, 1);
	die(q);
	require(chdir("..") == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_interrupted), cmocka_unit_test(test_two_interrupted),
		cmocka_unit_test(test_none_is_free) };

	return boot_run(tests);
}
