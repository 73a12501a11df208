/* Every way out of a mail transaction: nothing of it is left, and what belongs to one is refused. */
#include "smtpd/test_rig.h"
#include "base/test.h"

#include <stdlib.h>

#define HI	"EHLO c.example\r\n"
#define FROM	"MAIL FROM:<a@far.example>\r\n"
#define TO	"RCPT TO:<user@example.com>\r\n"
#define MESSAGE "DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n"
#define HOPS	"Received: x\r\nReceived: x\r\nReceived: x\r\nReceived: x\r\n\r\n"
#define LINE	"0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
#define LINES	LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE

static const char *const services[] = { "", "smtpd_end_of_data_restrictions = reject",
	"smtpd_data_restrictions = reject", "smtpd_timeout = 1s", "smtpd_hard_error_limit = 2",
	"smtpd_forbid_bare_newline = normalize", "message_size_limit = 100000" };
enum { PLAIN, REJECT_AT_END, REJECT_AT_DATA, ONE_SECOND, TWO_ERRORS, NORMALIZE, ROOMY };

static const struct {
	const char *way;
	int service;
	const char *said; /* after EHLO, MAIL, RCPT and XFORWARD of one */
	const char *code; /* of the last reply */
	bool closed;
} cases[] = {
	{ "RSET", PLAIN, "RSET\r\n", "250", false },
	{ "EHLO", PLAIN, HI, "250", false },
	{ "HELO", PLAIN, "HELO c.example\r\n", "250", false },
	{ "the end of a message", PLAIN, MESSAGE, "250", false },
	{ "the end of a message in chunks", PLAIN, "BDAT 3\r\nabcBDAT 0 LAST\r\n", "250", false },
	{ "a restriction at DATA", REJECT_AT_DATA, "DATA\r\n", "554", false },
	{ "a restriction at the first chunk", REJECT_AT_DATA, "BDAT 3\r\nabc", "554", false },
	{ "a restriction at the end", REJECT_AT_END, MESSAGE, "554", false },
	{ "a restriction at the end of chunks", REJECT_AT_END, "BDAT 3\r\nabcBDAT 3 LAST\r\nabc", "554", false },
	{ "a NUL", PLAIN, "DATA\r\nx%y\r\n.\r\n", "554", false },
	{ "a NUL in a chunk", PLAIN, "BDAT 3 LAST\r\nx%y", "554", false },
	{ "too many hops", PLAIN, "DATA\r\n" HOPS ".\r\n", "554", false },
	{ "too much content", PLAIN, "DATA\r\n" LINES LINES ".\r\n", "552", false },
	{ "a chunk that is too large", PLAIN, "BDAT 1440\r\n" LINES LINES, "552", false },
	{ "a chunk that is too much", PLAIN, "BDAT 3\r\nabcBDAT 1440\r\n" LINES LINES, "552", false },
	{ "a bare LF", PLAIN, "DATA\r\na\nb\r\n.\r\n", "550", true },
	{ "a bare CR in a chunk", PLAIN, "BDAT 3 LAST\r\na\rb", "550", true },
	{ "a chunk of no size", PLAIN, "BDAT x\r\n", "521", true },
	{ "an LF alone", PLAIN, "NOOP\n", "500", true },
	{ "QUIT", PLAIN, "QUIT\r\n", "221", true },
	{ "QUIT between chunks", PLAIN, "BDAT 3\r\nabcQUIT\r\n", "221", true },
	{ "too many errors", TWO_ERRORS, "FOO\r\nFOO\r\n", "421", true },
	{ "time", ONE_SECOND, "", "421", true },
	{ "time in a message", ONE_SECOND, "DATA\r\nx\r\n", "421", true },
	{ "time in a chunk", ONE_SECOND, "BDAT 9\r\nx", "421", true },
};

/* '%' stands for NUL. */
static void say(int fd, const char *text)
{
	char copy[4096];
	size_t n = strlen(text);

	check(n < sizeof copy);
	memcpy(copy, text, n);
	for (size_t i = 0; i < n; i++)
		if (copy[i] == '%')
			copy[i] = '\0';
	check(send(fd, copy, n, MSG_NOSIGNAL) == (ssize_t)n);
}

/* Code of the last whole line. */
static struct str last_code(struct str said)
{
	struct str line;

	said = str_trim(said);
	line = str_from(said, (size_t)(str_rchr(said, '\n') + 1));
	return str_sub(line, 0, 3);
}

static void wait_for_end(int fd, struct buf *said)
{
	for (int i = 0; i < 100 && !(smtpd.sessions && smtpd.sessions->mode == MODE_LINGER) && smtpd.n_sessions; i++) {
		usleep(50 * 1000);
		rig_run(fd, said);
	}
}

static int begin(const struct service *service, struct buf *said)
{
	int fd = rig_connect(service, "10.1.1.1");

	say(fd, HI "XFORWARD NAME=mx.far.example\r\n" FROM TO);
	rig_run(fd, said);
	check_str(last_code(buf_str(said)), "250");
	check(smtpd.sessions->tx && smtpd.sessions->tx->n_rcpt == 1 && smtpd.sessions->forward);
	return fd;
}

static void test_ways_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf said = BUF_INIT(1 << 16);
		int fd = begin(&smtpd.service[cases[i].service], &said);

		printf("%s\n", cases[i].way);
		say(fd, cases[i].said);
		rig_run(fd, &said);
		if (cases[i].closed)
			wait_for_end(fd, &said);
		check_str(last_code(buf_str(&said)), cases[i].code);
		if (!cases[i].closed || smtpd.n_sessions) {
			check(smtpd.sessions->tx == NULL || smtpd.sessions->mode == MODE_LINGER);
			check(smtpd.sessions->forward == NULL || smtpd.sessions->mode == MODE_LINGER);
		}
		if (!cases[i].closed) {
			buf_reset(&said);
			say(fd, TO "DATA\r\n");
			rig_run(fd, &said);
			check_str(str_sub(buf_str(&said), 0, 3), "503");
			check_str(last_code(buf_str(&said)), "503");
			buf_reset(&said);
			say(fd, FROM);
			rig_run(fd, &said);
			check_str(last_code(buf_str(&said)), "250");
			check(smtpd.sessions->tx->n_rcpt == 0 && smtpd.sessions->tx->n_accepted == 0);
		}
		rig_close(fd);
		check_int(smtpd.n_sessions, 0);
		buf_free(&said);
	}
}

/* A client that vanishes after each octet of a transaction, and one whose message is being flushed. */
static void test_close(void **state)
{
	static const char text[] = MESSAGE;

	(void)state;
	for (size_t n = 0; n < sizeof text; n++) {
		struct buf said = BUF_INIT(1 << 16);
		int fd = begin(&smtpd.service[PLAIN], &said);

		check(send(fd, text, n, MSG_NOSIGNAL) == (ssize_t)n);
		rig_close(fd);
		check_int(smtpd.n_sessions, 0);
		buf_free(&said);
	}
}

/* A field may be folded as often as a client likes: that costs no memory. */
static void test_folds(void **state)
{
	struct buf said = BUF_INIT(1 << 16);
	int fd = begin(&smtpd.service[ROOMY], &said);

	(void)state;
	say(fd, "DATA\r\nSolicitation: net.example:ADV\r\n x\r\n \r\n");
	for (int i = 0; i < 1000; i++) {
		say(fd, " \r\n \r\n y\r\n");
		if (i % 50 == 0)
			rig_run(fd, &said);
	}
	say(fd, "Subject: x\r\n");
	rig_run(fd, &said);
	check(smtpd.sessions->tx->fields != NULL);
	check_str(str_sub(smtpd.sessions->tx->fields->value, 0, 21), "net.example:ADV x y y");
	check_int(smtpd.sessions->tx->fields->value.n, 17 + 2000);
	check(arena_octets(smtpd.sessions->tx->mem) < 64 * 1024);
	rig_close(fd);
	check_int(smtpd.n_sessions, 0);
	buf_free(&said);
}

/* Recipients with all that they carry stay less than an envelope may have. */
static void test_room(void **state)
{
	struct transaction t = { .rcpt_arg = STR("a@b") };

	(void)state;
	check(transaction_has_room(&t, 1, 100));
	check(transaction_has_room(&t, 50000, 0));
	check(!transaction_has_room(&t, 100000, 0));
	check(!transaction_has_room(&t, 1, 8 * 1024 * 1024));
	t.rcpt_octets = 6 * 1024 * 1024 - 100;
	check(!transaction_has_room(&t, 1, 100));
}

/* A recipient that comes twice: the RRVS that asks for more holds, whichever came first. */
static void test_since_twice(void **state)
{
	static const struct {
		uint64_t first, second, want;
		bool first_ends, second_ends, want_ends;
	} pairs[] = {
		{ 0, 0, 0, false, false, false },
		{ 0, 5, 5, false, false, false },
		{ 0, 5, 5, false, true, true },
		{ 5, 0, 5, true, false, true },
		{ 5, 3, 3, true, false, false },
		{ 3, 5, 3, false, true, false },
		{ 3, 3, 3, true, true, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct transaction t = { .mem = arena_new(0) };

		t.rcpt_params =
			(struct rcpt_params){ .valid_since = pairs[i].first, .since_may_end = pairs[i].first_ends };
		transaction_add_rcpt(&t, STR("a@b"), STR(""));
		t.rcpt_params =
			(struct rcpt_params){ .valid_since = pairs[i].second, .since_may_end = pairs[i].second_ends };
		transaction_add_rcpt(&t, STR("a@b"), STR(""));
		check_int(t.n_rcpt, 1);
		check_int(t.rcpt[0].valid_since, pairs[i].want);
		check_int(t.rcpt[0].since_may_end, pairs[i].want_ends);
		free(t.rcpt);
		arena_free(&t.mem);
	}
}

/* Many are found as few are, when some were taken out too; an alias that is only told of is another one than its address. */
static void test_many_twice(void **state)
{
	enum { N = 20000, LEFT = 300 };
	struct transaction t = { .mem = arena_new(0) };
	unsigned wrong = 0;

	(void)state;
	for (unsigned round = 0; round < 6; round++) {
		t.rcpt_params = (struct rcpt_params){ .notify = round % 3 == 2 ? NOTIFY_EXPANDED : 0 };
		for (unsigned i = 0; i < N; i++) {
			char address[32];

			snprintf(address, sizeof address, "u%u@x.example", i);
			transaction_add_rcpt(&t, str_c(address), STR(""));
		}
		check_int(t.n_rcpt, round % 3 == 2 ? 2 * N : N);
		if (round != 2)
			continue;
		t.n_rcpt = LEFT;
		transaction_forget_numbers(&t);
	}
	for (unsigned i = 0; i < t.n_rcpt; i++)
		wrong += t.rcpt[i].index != i;
	check_int(wrong, 0);
	transaction_forget_numbers(&t);
	free(t.rcpt);
	arena_free(&t.mem);
}

/* What an alias leads to counts, not its name: a milter may add one. */
static void test_room_of_alias(void **state)
{
	enum { N = 3000 };
	struct str *to = calloc(N, sizeof *to);
	struct map_request a = { .expanded = to, .n_expanded = N };
	struct transaction t = { .rcpt_arg = STR("a@b") };
	char *text = malloc(N);

	(void)state;
	memset(text, 'x', N);
	for (unsigned i = 0; i < N; i++)
		to[i] = str_pn(text, 20);
	check(transaction_takes(&t, STR("a@b"), &a));
	for (unsigned i = 0; i < N; i++)
		to[i] = str_pn(text, N);
	check(!transaction_takes(&t, STR("a@b"), &a));
	free(text);
	free(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ways_out), cmocka_unit_test(test_close),
		cmocka_unit_test(test_folds), cmocka_unit_test(test_since_twice), cmocka_unit_test(test_room),
		cmocka_unit_test(test_many_twice), cmocka_unit_test(test_room_of_alias) };

	rig_open("hopcount_limit = 3\nmessage_size_limit = 1000\nsmtpd_authorized_xforward_hosts = 10.0.0.0/8\n",
		services, sizeof services / sizeof *services);
	return test_run(tests);
}
