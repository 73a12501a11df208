/* What is counted survives a restart, and what is damaged does no harm. */
#include "authd/login.h"
#include "base/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const unsigned char key[16] = "0123456789abcdef";
static char dir[64];

static void defence_new(struct defence *d, const void *place_key)
{
	const struct defence_settings set = { .is_on = true,
		.is_kept = true,
		.half_life_ms = 15 * 60 * 1000,
		.failure_delay_ms = 2000,
		.max_delay_ms = 8000,
		.hold_after = 5,
		.refuse_pair_after = 10,
		.refuse_network_after = 20,
		.hold_max = 100,
		.known_days = 60,
		.narrow = { 32, 64 },
		.wide = { 24, 48 },
		.shared = "" };

	defence_init(d, &set, 1024, place_key);
}

static void fail_often(struct defence *d, const char *user, const char *address, unsigned n)
{
	static unsigned last;
	struct guard g;
	char pass[16];

	while (n--) {
		snprintf(pass, sizeof pass, "%u", last++);
		defence_guard(d, str_c(user), str_c(address), str_c(pass), &g);
		defence_failed(d, &g, wall_ms());
	}
}

static enum defence_step step(struct defence *d, const char *user, const char *address)
{
	struct defence_answer a;
	struct guard g;
	enum defence_step s;

	defence_guard(d, str_c(user), str_c(address), STR("x"), &g);
	s = defence_ask(d, &g, wall_ms(), &a);
	defence_release(d, &g);
	return s;
}

static void pass(struct defence *d, const char *user, const char *address)
{
	struct guard g;

	defence_guard(d, str_c(user), str_c(address), STR("right"), &g);
	defence_passed(d, &g, wall_ms());
}

/* ---- the text ---- */

static struct buf text_of(const struct defence *d)
{
	struct state_cursor c = { 0 };
	struct buf text = BUF_INIT(1 << 20);

	while (!defence_state_write(d, &c, 100, wall_ms(), &text))
		;
	return text;
}

static void test_text(void **state)
{
	struct defence a, b;
	struct buf text;
	const char *why;

	(void)state;
	defence_new(&a, key);
	fail_often(&a, "u", "192.0.2.1", 12);
	fail_often(&a,
		"a very long name\twith a tab, of more octets than are shown, \xc3\xa4 \xc3\xa4 \xc3\xa4 \xc3\xa4",
		"2001:db8::1", 20);
	pass(&a, "v", "192.0.2.1");
	strcpy(a.seen, "17-3");
	text = text_of(&a);
	defence_new(&b, key);
	check_int(defence_state_read(&b, buf_str(&text), wall_ms(), &why), 0);
	check_int(step(&b, "u", "192.0.2.1"), DEFENCE_REFUSE);
	check_int(step(&b, "w", "192.0.2.1"), DEFENCE_HOLD);
	check_int(step(&b, "v", "192.0.2.1"), DEFENCE_ADMIT);
	check_int(step(&b, "w", "2001:db8::2"), DEFENCE_REFUSE);
	check_str(str_c(b.seen), "17-3");
	check_int(defence_lift(&b, STR("u"), wall_ms()), 2);
	/* Twice the same is no more. */
	check_int(defence_state_read(&b, buf_str(&text), wall_ms(), &why), 0);
	check_int(defence_state_read(&b, buf_str(&text), wall_ms(), &why), 0);
	check_int(step(&b, "u", "192.0.2.1"), DEFENCE_REFUSE);
	check_int(step(&b, "w", "192.0.2.1"), DEFENCE_HOLD);
	/* No password, nor anything made of one. */
	check(strstr(text.p, "right") == NULL);
	buf_free(&text);
	defence_free(&a);
	defence_free(&b);
}

/* What was written while the clock was years ahead makes nobody known for years, and refuses nobody for years. */
static void test_clock_was_ahead(void **state)
{
	const uint64_t day = 24ull * 3600 * 1000, now = wall_ms(), ahead = now + 1000 * day;
	struct defence a, b;
	struct defence_answer why_not;
	struct state_cursor c = { 0 };
	struct buf text = BUF_INIT(1 << 20);
	struct guard g;
	const char *why;

	(void)state;
	defence_new(&a, key);
	defence_guard(&a, STR("u"), STR("192.0.2.1"), STR("right"), &g);
	defence_passed(&a, &g, ahead);
	for (unsigned i = 0; i < 12; i++) {
		defence_guard(&a, STR("v"), STR("192.0.2.9"), STR(""), &g);
		defence_failed(&a, &g, ahead);
	}
	while (!defence_state_write(&a, &c, 100, ahead, &text))
		;
	defence_new(&b, key);
	check_int(defence_state_read(&b, buf_str(&text), now, &why), 0);
	defence_guard(&b, STR("v"), STR("192.0.2.9"), STR(""), &g);
	check_int(defence_ask(&b, &g, now, &why_not), DEFENCE_REFUSE);
	check_int(defence_ask(&b, &g, now + day, &why_not), DEFENCE_ADMIT);
	defence_guard(&b, STR("u"), STR("192.0.2.1"), STR(""), &g);
	for (unsigned i = 0; i < 12; i++)
		defence_failed(&b, &g, now + 59 * day);
	check(defence_ask(&b, &g, now + 59 * day, &why_not) != DEFENCE_REFUSE);
	for (unsigned i = 0; i < 12; i++)
		defence_failed(&b, &g, now + 62 * day);
	check_int(defence_ask(&b, &g, now + 62 * day, &why_not), DEFENCE_REFUSE);
	buf_free(&text);
	defence_free(&a);
	defence_free(&b);
}

/* Every cut, and every octet changed, is either read or refused; never more than that. */
static void test_bad_text(void **state)
{
	static const char *const bad[] = { "", "x", "node\t1\n", "seen\t\n", "p\t1\t1\t400\t1\t192.0.2.1\tu\n",
		"secret\t1\n", "secret\n", "secret\t%s\nz\t1\n", "secret\t%s\np\t0\t1\t400\t1\t192.0.2.1\tu\n",
		"secret\t%s\np\t1\t1\t400\t1\t192.0.2.999\tu\n", "secret\t%s\np\t1\t1\t400\t1\t192.0.2.1\n",
		"secret\t%s\np\t1\t1\t400\t1\t192.0.2.1\tu\tmore\n", "secret\t%s\np\t1\t1\t123456789\t1\t\tu\n",
		"secret\t%s\nk\t0\n", "secret\t%s\nk\t1\t5\n", "secret\t%s\nk\t1\t5:6:7\n", "secret\t%s\nk\t1\t0:6\n",
		"secret\t%s\nseen\t0123456789012345678901234567890123456789\n", "secret\t%s\nnode\t1\n" };
	struct defence d;
	struct buf text, line = BUF_INIT(4096);
	const char *why;
	char secret[32] = "";

	(void)state;
	defence_new(&d, key);
	fail_often(&d, "u", "192.0.2.1", 12);
	text = text_of(&d);
	sscanf(text.p, "secret %31s", secret);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const char *at = strstr(bad[i], "%s");

		buf_reset(&line);
		if (at)
			buf_addf(&line, "%.*s%s%s", (int)(at - bad[i]), bad[i], secret, at + 2);
		else
			buf_add_c(&line, bad[i]);
		check_int(defence_state_read(&d, buf_str(&line), wall_ms(), &why), -1);
	}
	for (size_t i = 0; i < text.n; i++) {
		defence_state_read(&d, str_sub(buf_str(&text), 0, i), wall_ms(), &why);
		text.p[i] ^= 0x15;
		defence_state_read(&d, buf_str(&text), wall_ms(), &why);
		text.p[i] ^= 0x15;
	}
	check_int(defence_state_read(&d, buf_str(&text), wall_ms(), &why), 0);
	buf_free(&text);
	buf_free(&line);
	defence_free(&d);
}

/* ---- the files ---- */

static void begin(void)
{
	char path[128];

	strcpy(dir, "/tmp/state_file_test.XXXXXX");
	check(mkdtemp(dir) != NULL);
	snprintf(path, sizeof path, "%s/pid", dir);
	check_int(mkdir(path, 0700), 0);
}

static const char *path_of(int i)
{
	static char path[2][128];

	snprintf(path[i], sizeof path[i], "%s/pid/auth.counts.%d", dir, i);
	return path[i];
}

static void clean(void)
{
	char path[128];

	unlink(path_of(0));
	unlink(path_of(1));
	snprintf(path, sizeof path, "%s/pid", dir);
	rmdir(path);
	rmdir(dir);
}

/* One life of a process, that begins with what is there, fails n times more, and leaves. Returns what it began with. */
static enum defence_step life(const void *place_key, unsigned n)
{
	enum defence_step was;
	struct defence d;
	struct state_file *f;
	uv_loop_t loop;

	uv_loop_init(&loop);
	defence_new(&d, place_key);
	f = state_file_open(dir, &d);
	check(f != NULL);
	was = step(&d, "u", "192.0.2.1");
	state_file_start(f, &loop);
	fail_often(&d, "u", "192.0.2.1", n);
	state_file_leave(f);
	state_file_free(&f);
	uv_run(&loop, UV_RUN_DEFAULT);
	check_int(uv_loop_close(&loop), 0);
	defence_free(&d);
	return was;
}

static void spoil(int i, off_t at)
{
	int fd = open(path_of(i), O_RDWR | O_CLOEXEC);
	char c = 0;

	check(fd >= 0 && pread(fd, &c, 1, at) == 1);
	c = (char)(c ^ 0x10);
	check_int(pwrite(fd, &c, 1, at), 1);
	close(fd);
}

static void test_restart(void **state)
{
	(void)state;
	begin();
	check_int(life(key, 6), DEFENCE_ADMIT);
	check_int(life(key, 6), DEFENCE_HOLD);
	check_int(life(key, 0), DEFENCE_REFUSE);
	/* One of both is half written: the other counts. */
	spoil(0, 100);
	check_int(life(key, 0), DEFENCE_REFUSE);
	spoil(1, 3);
	check_int(life(key, 0), DEFENCE_REFUSE);
	/* Both: anew. */
	spoil(0, 70);
	spoil(1, 70);
	check_int(life(key, 12), DEFENCE_ADMIT);
	check_int(life(key, 0), DEFENCE_REFUSE);
	/* Another secret: the keys mean nothing. */
	check_int(life("another key.....", 0), DEFENCE_ADMIT);
	clean();
}

/* A reload: the new process begins beside the old one, and has all that this one counted until it left. */
static void test_reload(void **state)
{
	struct defence old, new;
	struct state_file *a, *b;
	uv_loop_t loop;

	(void)state;
	begin();
	uv_loop_init(&loop);
	defence_new(&old, key);
	defence_new(&new, key);
	a = state_file_open(dir, &old);
	b = state_file_open(dir, &new);
	check(a && b);
	state_file_start(a, &loop);
	state_file_start(b, &loop);
	fail_often(&old, "u", "192.0.2.1", 12);
	fail_often(&new, "v", "192.0.2.2", 12);
	for (int i = 0; i < 3; i++)
		uv_run(&loop, UV_RUN_ONCE);
	check_int(step(&new, "u", "192.0.2.1"), DEFENCE_ADMIT);
	state_file_leave(a);
	for (int i = 0; i < 100 && step(&new, "u", "192.0.2.1") == DEFENCE_ADMIT; i++)
		uv_run(&loop, UV_RUN_ONCE);
	check_int(step(&new, "u", "192.0.2.1"), DEFENCE_REFUSE);
	check_int(step(&new, "v", "192.0.2.2"), DEFENCE_REFUSE);
	state_file_leave(b);
	state_file_free(&a);
	state_file_free(&b);
	uv_run(&loop, UV_RUN_DEFAULT);
	check_int(uv_loop_close(&loop), 0);
	defence_free(&old);
	defence_free(&new);
	check_int(life(key, 0), DEFENCE_REFUSE);
	clean();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_text), cmocka_unit_test(test_clock_was_ahead),
		cmocka_unit_test(test_bad_text), cmocka_unit_test(test_restart), cmocka_unit_test(test_reload) };

	return test_run(tests);
}
