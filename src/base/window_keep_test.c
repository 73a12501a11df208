#include "base/window_keep.h"
#include "base/test.h"

#include <sys/mman.h>
#include <unistd.h>

enum { UNIT = 15000, PART = 1000, SENT = 1, OTHER = 0, LATE = 3600000, TABLE_MAX = 64 * 1024 * 1024 };

/* One life of the instance: its memory, and two processes. */
struct life {
	struct counts *parent, *a, *b;
	int fd;
};

static void begin(struct life *l, struct str kept, uint64_t back, uint64_t now)
{
	l->parent = counts_new(&l->fd);
	check(l->parent != NULL);
	windows_restore(l->parent, l->fd, kept, back, now);
	l->a = counts_open(dup(l->fd), counts_lease(l->parent));
	l->b = counts_open(dup(l->fd), counts_lease(l->parent));
}

static void end(struct life *l, uint64_t now, struct buf *kept)
{
	buf_reset(kept);
	windows_keep(l->parent, l->fd, now, kept);
	counts_free(&l->a);
	counts_free(&l->b);
	counts_free(&l->parent);
	close(l->fd);
}

static void add(struct counts *c, uint64_t key, unsigned event, uint64_t now)
{
	window_add(c, counts_of(c, key, now), event, now, UNIT);
}

static unsigned count(const struct counts *c, uint64_t key, unsigned event, uint64_t now)
{
	struct window_sum sum;

	window_sum(c, key, now, UNIT, &sum);
	return sum.count[event];
}

static void test_goes_on(void **state)
{
	struct buf kept = BUF_INIT(TABLE_MAX);
	struct life l;

	(void)state;
	begin(&l, STR(""), 0, LATE);
	add(l.a, 7, SENT, LATE);
	add(l.a, 7, SENT, LATE);
	add(l.b, 7, SENT, LATE + 5000);
	add(l.b, 7, OTHER, LATE + 5000);
	add(l.b, 8, OTHER, LATE + 5000);
	counts_of(l.b, 8, LATE)->open = 1;
	end(&l, LATE + 6000, &kept);
	check_int(kept.n / sizeof(struct window_record), 3); /* 7 of two processes, 8 of one */
	for (unsigned life = 0; life < 3; life++) {
		struct window_sum sum;

		begin(&l, buf_str(&kept), 0, LATE + 7000);
		check_int(count(l.a, 7, SENT, LATE + 7000), 3);
		check_int(count(l.b, 7, OTHER, LATE + 7000), 1);
		check_int(count(l.b, 8, OTHER, LATE + 7000), 1);
		check_int(count(l.b, 9, OTHER, LATE + 7000), 0);
		/* Nobody is logged in any more, and what was counted first ends first. */
		window_sum(l.a, 8, LATE + 7000, UNIT, &sum);
		check_int(sum.open, 0);
		check_int(count(l.a, 7, SENT, LATE + UNIT + PART - 1), 3);
		check_int(count(l.a, 7, SENT, LATE + UNIT + PART), 1);
		check_int(count(l.a, 7, SENT, LATE + 5000 + UNIT + PART), 0);
		end(&l, LATE + 7000, &kept);
		check_int(kept.n / sizeof(struct window_record), 2); /* the processes of before are one now */
	}
	begin(&l, buf_str(&kept), 0, LATE + 7000);
	add(l.a, 7, SENT, LATE + 7000);
	check_int(count(l.b, 7, SENT, LATE + 7000), 4);
	end(&l, LATE + 5000 + UNIT + PART, &kept);
	check_int(kept.n / sizeof(struct window_record), 1);
	end((begin(&l, buf_str(&kept), 0, LATE * 2), &l), LATE * 2, &kept);
	check_int(kept.n, 0); /* all is over */
	buf_free(&kept);
}

/* The clock of the next life is behind: nothing fades for that time, and nothing counts for longer than it would have. */
static void test_clock_goes_back(void **state)
{
	const uint64_t now = LATE * 2, day = 24 * 3600 * 1000;
	struct buf kept = BUF_INIT(TABLE_MAX);
	struct life l;

	(void)state;
	begin(&l, STR(""), 0, now + day);
	add(l.a, 7, SENT, now + day);
	window_told(l.a, counts_of(l.a, 7, now + day), 2, now + day, UNIT);
	window_seen(l.a, counts_of(l.a, 7, now + day), (const unsigned char *)"0123456789abcdef", now + day);
	end(&l, now + day, &kept);
	begin(&l, buf_str(&kept), day, now);
	check_int(count(l.b, 7, SENT, now), 1);
	check_int(count(l.b, 7, SENT, now + UNIT + PART), 0);
	check(window_was_told(l.b, 7, 2, now + UNIT - 1, UNIT));
	check(!window_was_told(l.b, 7, 2, now + UNIT + 1, UNIT));
	end(&l, now, &kept);
	buf_free(&kept);
}

static void test_told_and_seen(void **state)
{
	struct buf kept = BUF_INIT(TABLE_MAX);
	unsigned char address[WINDOW_ADDRESSES][16];
	struct life l;

	(void)state;
	begin(&l, STR(""), 0, LATE);
	for (unsigned i = 0; i < WINDOW_ADDRESSES + 1; i++) {
		unsigned char octets[16] = { 0x20, 1, [15] = (unsigned char)i };

		window_seen(l.a, counts_of(l.a, 7, LATE), octets, LATE + i);
	}
	window_told(l.a, counts_of(l.a, 7, LATE), 1, LATE + 3, UNIT);
	window_told(l.b, counts_of(l.b, 7, LATE), 1, LATE + 1, UNIT);
	add(l.a, 7, SENT, LATE);
	add(l.b, 7, SENT, LATE);
	end(&l, LATE + 10, &kept);
	begin(&l, buf_str(&kept), 0, LATE + 10);
	check_int(window_addresses(l.b, 7, LATE + 10, UNIT, address, WINDOW_ADDRESSES), WINDOW_ADDRESSES);
	for (unsigned i = 0; i < WINDOW_ADDRESSES; i++)
		check(address[i][0] == 0x20 && address[i][1] == 1 &&
			address[i][15] > 0); /* the first of five is not kept */
	check(window_was_told(l.b, 7, 1, LATE + 2 + UNIT, UNIT));
	check(!window_was_told(l.b, 7, 1, LATE + 3 + UNIT, UNIT));
	check(!window_was_told(l.b, 7, 0, LATE + 10, UNIT));
	end(&l, LATE + 10, &kept);
	buf_free(&kept);
}

/* Many users, of whom only the pages that they need are read. */
static void test_many(void **state)
{
	enum { USERS = 5000 };
	struct buf kept = BUF_INIT(TABLE_MAX);
	struct life l;
	unsigned right = 0;

	(void)state;
	begin(&l, STR(""), 0, LATE);
	for (uint64_t i = 1; i <= USERS; i++)
		add(i % 2 ? l.a : l.b, i * 0x9E3779B97F4A7C15, SENT, LATE);
	end(&l, LATE, &kept);
	check_int(kept.n / sizeof(struct window_record), USERS);
	begin(&l, buf_str(&kept), 0, LATE);
	for (uint64_t i = 1; i <= USERS; i++)
		right += count(l.a, i * 0x9E3779B97F4A7C15, SENT, LATE) == 1;
	check_int(right, USERS);
	end(&l, LATE, &kept);
	buf_free(&kept);
}

/* Numbers that nobody wrote change nothing of others. */
static void test_odd_numbers(void **state)
{
	static const uint64_t odd[] = { 0, 1, 0xFFFF, INT64_MAX, UINT64_MAX, UINT64_MAX - 1 };
	enum { N = sizeof odd / sizeof *odd };
	struct life l;

	(void)state;
	for (unsigned i = 0; i < N * N * N; i++) {
		struct window_record r = {
			.key = 7, .part_ms = odd[i % N], .latest = odd[i / N % N], .told_ms = { odd[i / N / N] }
		};
		struct buf kept = BUF_INIT(TABLE_MAX);

		for (unsigned e = 0; e < WINDOW_EVENTS; e++)
			for (unsigned k = 0; k < WINDOW_PARTS; k++)
				r.count[e][k] = UINT32_MAX;
		r.address[0].last_ms = odd[i / N / N];
		begin(&l, str_pn(&r, sizeof r), odd[i % N], LATE);
		add(l.a, 8, SENT, LATE);
		check_int(count(l.b, 8, SENT, LATE), 1);
		end(&l, LATE, &kept);
		buf_free(&kept);
	}
}

/* The clock of what is counted is that of the parent. */
static void test_clock(void **state)
{
	struct life l;
	struct buf kept = BUF_INIT(TABLE_MAX);
	struct counts *late;

	(void)state;
	begin(&l, STR(""), 0, LATE);
	counts_set_clock(l.parent, 1700000000000);
	late = counts_open(dup(l.fd), counts_lease(l.parent));
	check_int(counts_now(late, 5) / 1000, 1700000000);
	check_int(counts_now(l.parent, 5) / 1000, 1700000000);
	counts_free(&late);
	end(&l, LATE, &kept);
	buf_free(&kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_goes_on), cmocka_unit_test(test_clock_goes_back),
		cmocka_unit_test(test_told_and_seen), cmocka_unit_test(test_many), cmocka_unit_test(test_odd_numbers),
		cmocka_unit_test(test_clock) };

	return test_run(tests);
}
