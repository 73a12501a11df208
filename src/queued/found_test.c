/* Lives of queued that end before the log is read: what they leave behind, and what the next one makes of it. */
#include "queued/boot_test.h"

#include <dirent.h>

static void read_nothing(uv_idle_t *idle)
{
	(void)idle;
}

/* Until it has all that it wants to lend. */
static struct queued *boot_without_reading(void)
{
	struct queued *q = boot_new(read_nothing);

	boot_open(q);
	while (q->current == NULL || !spool_writer_is_ready(q->writer) || q->creating)
		uv_run(q->child.loop, UV_RUN_ONCE);
	return q;
}

static unsigned n_files(void)
{
	DIR *d = opendir("log");
	unsigned n = 0;

	for (struct dirent *e = readdir(d); e; e = readdir(d))
		n += strlen(e->d_name) == 12;
	closedir(d);
	return n;
}

/*
 * Killed again and again before it has read the log: each life has segments to lend, and they are those that the one before
 * lent in vain. What was written in any of them stays.
 */
static void test_lives_that_read_nothing(void **state)
{
	enum { LIVES = 12 };
	uint64_t id[LIVES];
	unsigned n = 0, at_first = 0;
	struct queued *q;

	(void)state;
	q = boot();
	accept_message(q, 1, 10);
	die(q);
	for (unsigned life = 0; life < LIVES; life++) {
		q = boot_without_reading();
		check(q->recovering);
		if (life % 4 == 1)
			id[n++] = send_message(q, 1, 10);
		die(q);
		at_first = life == 1 ? n_files() : at_first;
	}
	check(n_files() <= at_first + n);
	q = boot();
	for (unsigned i = 0; i < n; i++)
		check(message_find(q, id[i]) != NULL);
	check_int(q->n_messages, n + 1);
	check_int(q->damaged, 0);
	die(q);
}

/* Zeros in the place of the first record are no proof that there is none. */
static void test_lost_record_is_not_blank(void **state)
{
	const char zeros[RECORD_HEADER_OCTETS] = "";
	struct queued *q;
	uint64_t id;

	(void)state;
	boot_enter_next();
	q = boot();
	id = accept_message(q, 1, 1000);
	check_int(pwrite_all(message_find(q, id)->seg->fd, zeros, sizeof zeros, SEG_HEADER_OCTETS, false), 0);
	die(q);
	for (unsigned life = 0; life < 4; life++) {
		q = boot_without_reading();
		die(q);
	}
	q = boot();
	check(message_find(q, id) && message_find(q, id)->content_is_damaged);
	check_int(q->damaged, 1);
	die(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lives_that_read_nothing),
		cmocka_unit_test(test_lost_record_is_not_blank) };

	return boot_run(tests);
}
