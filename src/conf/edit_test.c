#include "base/test.h"
#include "conf/edit.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char text[] = "# head\na = 1\n\nb = 2,\n   # inside\n   3\n#a = 9\na=4\nc = 5";

static void test_main_cf(void **state)
{
	const struct {
		enum edit_kind kind;
		struct edit edits[2];
		const char *want;
	} cases[] = {
		{ EDIT_SET, { { STR("b"), STR("x"), 0 }, { STR("zz"), STR("y"), 0 } },
			"# head\na = 1\n\nb = x\n   # inside\n#a = 9\na=4\nc = 5\nzz = y\n" },
		{ EDIT_SET, { { STR("a"), STR("x"), 0 }, { STR("c"), STR(""), 0 } },
			"# head\na = x\n\nb = 2,\n   # inside\n   3\n#a = 9\na = x\nc = \n" },
		{ EDIT_SET, { { STR("n"), STR("1"), 0 }, { STR("n"), STR("2"), 0 } },
			"# head\na = 1\n\nb = 2,\n   # inside\n   3\n#a = 9\na=4\nc = 5\nn = 2\n" },
		{ EDIT_SET, { { STR("n"), STR("1"), 0 }, { STR("m"), STR("2"), 0 } },
			"# head\na = 1\n\nb = 2,\n   # inside\n   3\n#a = 9\na=4\nc = 5\nm = 2\nn = 1\n" },
		{ EDIT_REMOVE, { { STR("a"), STR(""), 0 }, { STR("b"), STR(""), 0 } },
			"# head\n\n   # inside\n#a = 9\nc = 5\n" },
		{ EDIT_COMMENT, { { STR("b"), STR(""), 0 }, { STR("c"), STR(""), 0 } },
			"# head\na = 1\n\n#b = 2,\n   # inside\n#   3\n#a = 9\na=4\n#c = 5\n" },
		{ EDIT_REMOVE, { { STR("nosuch"), STR(""), 0 }, { STR("A"), STR(""), 0 } },
			"# head\na = 1\n\nb = 2,\n   # inside\n   3\n#a = 9\na=4\nc = 5\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct edit edits[2] = { cases[i].edits[0], cases[i].edits[1] };
		struct buf out = BUF_INIT(65536);

		check_int(edit_main_cf(str_c(text), cases[i].kind, edits, 2, &out), 0);
		check_str(buf_str(&out), cases[i].want);
		buf_free(&out);
	}
}

static void test_full(void **state)
{
	struct edit e = { STR("a"), STR("long value"), 0 };
	struct buf out = BUF_INIT(20);

	(void)state;
	check_int(edit_main_cf(str_c(text), EDIT_SET, &e, 1, &out), -1);
	buf_free(&out);
}

static void test_replace(void **state)
{
	char dir[] = "/tmp/gatepost-edit-XXXXXX", path[64], link_path[64];
	struct buf got = BUF_INIT(1024 * 1024);
	struct stat st;

	(void)state;
	check(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/main.cf", dir);
	snprintf(link_path, sizeof(link_path), "%s/link.cf", dir);
	check_int(edit_replace_file(path, STR("x")), -1); /* there must be one */
	check_int(errno, ENOENT);
	FILE *f = fopen(path, "w");
	check(f != NULL && fputs("old\n", f) >= 0 && fclose(f) == 0);
	check_int(chmod(path, 0640), 0);
	check_int(symlink("main.cf", link_path), 0);
	check_int(edit_replace_file(link_path, STR("new\n")), 0);
	check_int(edit_read_file(path, &got), 0);
	check_str(buf_str(&got), "new\n");
	check_int(lstat(link_path, &st), 0);
	check(S_ISLNK(st.st_mode));
	check_int(stat(path, &st), 0);
	check_int(st.st_mode & 07777, 0640);
	check_int(unlink(link_path), 0);
	check_int(unlink(path), 0);
	check_int(rmdir(dir), 0); /* nothing is left behind */
	buf_free(&got);
}

/* Twenty processes that add a line each at the same time: none is lost. */
static void test_concurrent(void **state)
{
	char dir[] = "/tmp/gatepost-edit-XXXXXX", path[64];
	struct buf got = BUF_INIT(1024 * 1024);
	size_t lines = 0;

	(void)state;
	check(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/main.cf", dir);
	FILE *f = fopen(path, "w");
	check(f != NULL && fclose(f) == 0);
	for (int i = 0; i < 20; i++) {
		if (fork() == 0) {
			struct edit_file e;
			struct buf old = BUF_INIT(1024 * 1024);

			if (edit_begin(path, &e) || edit_read_file(path, &old) || buf_add_c(&old, "x\n"))
				_exit(1);
			_exit(edit_commit(&e, buf_str(&old)) != 0);
		}
	}
	for (int i = 0; i < 20; i++) {
		int status;

		check(wait(&status) > 0 && status == 0);
	}
	check_int(edit_read_file(path, &got), 0);
	for (size_t i = 0; i < got.n; i++)
		lines += got.p[i] == '\n';
	check_int(lines, 20);
	buf_free(&got);
	check_int(unlink(path), 0);
	check_int(rmdir(dir), 0);
}

static void test_cancel(void **state)
{
	char dir[] = "/tmp/gatepost-edit-XXXXXX", path[64];
	struct edit_file e;
	struct stat st;

	(void)state;
	check(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/main.cf", dir);
	FILE *f = fopen(path, "w");
	check(f != NULL && fputs("old", f) >= 0 && fclose(f) == 0);
	check_int(edit_begin(path, &e), 0);
	edit_cancel(&e);
	edit_cancel(&e);
	check(stat(path, &st) == 0 && st.st_size == 3);
	check_int(unlink(path), 0);
	check_int(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_main_cf),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_concurrent),
		cmocka_unit_test(test_cancel),
	};

	return test_run(tests);
}
