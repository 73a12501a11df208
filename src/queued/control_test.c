/*
 * What is asked over public/queue while the log is half read, and walks over messages while others come and go.
 */
#include "queued/boot_test.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { KEPT = 12, LARGE_OCTETS = 500000 };

static bool reads_on; /* else the log is read a step at a time, by hand */

static void on_busy(uv_idle_t *idle)
{
	if (reads_on)
		take_some(container_of(idle, struct queued, busy));
}

static struct queued *boot_with_socket(void)
{
	struct queued *q = boot_new(on_busy);

	q->child.conf = conf_parse("/etc/x", STR(""), STR(""), NULL, NULL);
	q->child.main = conf_main(q->child.conf);
	control_open(q);
	control_start(q);
	boot_open(q);
	return q;
}

static int ask(const char *line)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "public/queue" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	require(connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0);
	require(send(fd, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line));
	return fd;
}

/* What there is of the answer. True: and that is its end. */
static bool hear(int fd, struct buf *answer)
{
	char piece[4096];
	ssize_t n;

	while ((n = read(fd, piece, sizeof piece)) > 0)
		buf_add(answer, piece, (size_t)n);
	require(n == 0 || errno == EAGAIN);
	return n == 0;
}

static void hear_all(struct queued *q, int fd, struct buf *answer)
{
	while (!hear(fd, answer))
		uv_run(q->child.loop, UV_RUN_NOWAIT);
	close(fd);
}

static void turns(struct queued *q)
{
	for (unsigned i = 0; i < 50; i++)
		uv_run(q->child.loop, UV_RUN_NOWAIT);
}

static unsigned count(struct str text, const char *what)
{
	struct str word = str_c(what);
	unsigned n = 0;

	for (size_t i = 0; i + word.n <= text.n; i++)
		n += str_eq(str_sub(text, i, word.n), word);
	return n;
}

/* A list with an empty line at its end is whole: it waits for what is not read yet. */
static void test_list_of_half_a_log(void **state)
{
	struct buf listed = BUF_INIT(1 << 20), top = BUF_INIT(1 << 20), held = BUF_INIT(1 << 20);
	struct queued *q = boot_with_socket();
	int list, hold;

	(void)state;
	reads_on = true;
	boot_wait(q);
	for (unsigned i = 0; i < KEPT; i++)
		accept_message(q, 1, LARGE_OCTETS);
	die(q);

	reads_on = false;
	q = boot_with_socket();
	while (q->n_messages == 0)
		take_some(q);
	check(q->recovering && q->n_messages < KEPT);
	list = ask("list \n");
	hold = ask("hold queue=incoming\n");
	hear_all(q, ask("top\n"), &top); /* says what it knows, and that it is not all */
	check_int(count(buf_str(&top), "\"recovering\": true"), 1);
	turns(q);
	check(!hear(list, &listed) && !hear(hold, &held));
	check_int(listed.n + held.n, 0);

	reads_on = true;
	take_wake(q);
	boot_wait(q);
	hear_all(q, hold, &held);
	hear_all(q, list, &listed);
	check_str(buf_str(&held), "{\"count\": 12}\n");
	check_int(count(buf_str(&listed), "\"queue_id\": "), KEPT);
	check(str_has_suffix(buf_str(&listed), STR("]}\n\n")));
	die(q);
	buf_free(&listed);
	buf_free(&top);
	buf_free(&held);
}

/* What was there from the beginning of a walk to its end is met once; its place is its own as long as it lives. */
static void test_walk_while_others_come_and_go(void **state)
{
	enum { THERE = 9, HALF = 4 };
	struct message *there[THERE], *m;
	unsigned met[THERE] = { 0 };
	struct queued *q;
	size_t at = 0;

	(void)state;
	boot_enter_next();
	reads_on = true;
	q = boot_with_socket();
	boot_wait(q);
	for (unsigned i = 0; i < THERE; i++)
		there[i] = message_find(q, accept_message(q, 1, 10));
	for (unsigned n = 0; (m = message_walk(q, &at)) != NULL; n++) {
		for (unsigned i = 0; i < THERE; i++)
			met[i] += m == there[i];
		if (n != HALF)
			continue;
		finish(q, there[1]->id); /* behind the walk, and before it */
		finish(q, there[THERE - 2]->id);
		accept_message(q, 1, 10);
		accept_message(q, 1, 10);
		accept_message(q, 1, 10);
	}
	for (unsigned i = 0; i < THERE; i++)
		if (i != THERE - 2) /* its place is another's now */
			check_int(met[i], 1);
	check_int(q->n_messages, THERE - 2 + 3);
	die(q);
}

/*
 * At each step of a long walk one goes and one comes, which takes the place of that or of an earlier one: none is met twice,
 * none that is gone is met, and none that stays is left out.
 */
static void test_walk_over_places_that_are_used_again(void **state)
{
	enum { AT_FIRST = 3000, IDS = 20000, STAYS = 3 }; /* more than two chunks; each third one stays */
	static unsigned char met[IDS];
	static struct queued q;
	struct segment seg = { .state = SEG_LENT };
	uint64_t last = 0, dice = 7;
	struct message *m;
	size_t at = 0;
	unsigned gone = 0;

	(void)state;
	for (unsigned i = 0; i < AT_FIRST; i++, seg.live++)
		message_new(&q, ++last)->seg = &seg;
	while ((m = message_walk(&q, &at)) != NULL) {
		struct message *other;

		check(m->id != 0 && message_find(&q, m->id) == m);
		met[m->id]++;
		dice = dice * 6364136223846793005U + 1442695040888963407U;
		other = dice >> 62 ? message_find(&q, (dice >> 33) % last + 1) : m; /* or that which was just met */
		if (other && (other->id % STAYS || other->id > AT_FIRST)) {
			message_free(&q, other);
			gone++;
		}
		if (last + 1 < IDS && q.n_messages < AT_FIRST) {
			message_new(&q, ++last)->seg = &seg;
			seg.live++;
		}
	}
	for (unsigned id = 1; id < IDS; id++) {
		bool stayed = id <= AT_FIRST && id % STAYS == 0;

		check(met[id] <= 1 && (!stayed || met[id] == 1));
	}
	check(gone > AT_FIRST / 3 && last > AT_FIRST + gone / 2);
	while ((at = 0, m = message_walk(&q, &at)) != NULL)
		message_free(&q, m);
	check_int(seg.live + q.n_messages, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_list_of_half_a_log),
		cmocka_unit_test(test_walk_while_others_come_and_go),
		cmocka_unit_test(test_walk_over_places_that_are_used_again) };

	return boot_run(tests);
}
