#include "base/test.h"
#include "deliver/content.h"
#include "deliver/delay.h"
#include "deliver/mailbox.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A message in a segment of its own, and a directory to deliver below. */
struct fixture {
	char dir[64];
	struct segment_set *segments;
	struct envelope env;
	struct extent extent[3];
	struct mailbox m;
};

static void set_content(struct fixture *f, struct str wire, unsigned extents)
{
	int fd = memfd_create("segment", MFD_CLOEXEC);
	uint32_t each = (uint32_t)(wire.n / extents);

	check(fd >= 0 && pwrite(fd, wire.p, wire.n, 100) == (ssize_t)wire.n);
	segment_set_free(&f->segments);
	f->segments = segment_set_new();
	segment_set_add(f->segments, 7, fd);
	for (unsigned i = 0; i < extents; i++)
		f->extent[i] =
			(struct extent){ 7, 100 + i * each, i + 1 < extents ? each : (uint32_t)wire.n - i * each };
	f->env = (struct envelope){
		.id = 1, .size = wire.n, .sender = STR("a@b.example"), .extent = f->extent, .n_extent = extents
	};
	f->m.env = &f->env;
	f->m.segments = f->segments;
}

/* A message that begins well and cannot be read to its end. */
static void set_broken(struct fixture *f)
{
	struct buf wire = BUF_INIT(1000000);

	buf_add_c(&wire, "A: b\r\n\r\n");
	while (wire.n < 2 * CONTENT_CHUNK)
		buf_add_c(&wire, "a line of the body\r\n");
	set_content(f, buf_str(&wire), 2);
	f->extent[1].generation = 8; /* not there */
	buf_free(&wire);
}

static void fixture_begin(struct fixture *f, const char *path)
{
	memset(f, 0, sizeof *f);
	snprintf(f->dir, sizeof f->dir, "/tmp/mailbox_test.XXXXXX");
	check(mkdtemp(f->dir) != NULL);
	f->m = (struct mailbox){ .base = f->dir,
		.base_name = "virtual_mailbox_base",
		.path = str_c(path),
		.limit_name = "virtual_mailbox_limit",
		.lock_fcntl = true,
		.lock_dot = true,
		.host = "host.example",
		.recipient = STR("john@example.org"),
		.original = STR("alias@example.org") };
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *w)
{
	(void)st;
	(void)type;
	(void)w;
	return remove(path);
}

static void fixture_end(struct fixture *f)
{
	segment_set_free(&f->segments);
	nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Files in dir/sub; the last one's content into *text (free it). */
static size_t files_in(const struct fixture *f, const char *sub, struct buf *text)
{
	char path[512];
	size_t n = 0;
	snprintf(path, sizeof path, "%s/%s", f->dir, sub);
	DIR *d = opendir(path);
	const struct dirent *e;

	if (d == NULL)
		return 0;
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		snprintf(path, sizeof path, "%s/%s/%s", f->dir, sub, e->d_name);
		FILE *file = fopen(path, "r");
		buf_reset(text);
		for (int c; file && (c = getc(file)) != EOF;)
			buf_add_char(text, (char)c);
		if (file)
			fclose(file);
	}
	closedir(d);
	return n;
}

static void test_to_lf(void **state)
{
	static const struct {
		const char *wire, *file;
	} cases[] = {
		{ "a\r\nb\r\n", "a\nb\n" },
		{ "a\rb\r\n", "a\rb\n" },
		{ "a\r\r\nb", "a\r\nb" },
		{ "\r\n\r\n\r", "\n\n\r" },
		{ "a\nb\r\n", "a\nb\n" },
		{ "..a\r\n.b\r\n...\r\nc.\r\n", ".a\nb\n..\nc.\n" },
		{ "", "" },
	};

	(void)state;
	/* content_next() gives chunks; here they are as small as can be */
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t step = 1; step <= 16; step++) {
			struct buf out = BUF_INIT(100);
			bool at_start = true, held = false;
			char chunk[32];
			struct str in = str_c(cases[i].wire);
			while (in.n > 0) {
				struct str piece = str_sub(in, 0, step);
				memcpy(chunk, piece.p, piece.n);
				size_t n = dot_unstuff(chunk, piece.n, &at_start);
				n = content_to_lf(chunk, n, &held);
				buf_add(&out, chunk, n);
				in = str_from(in, piece.n);
			}
			if (held)
				buf_add_char(&out, '\r');
			check_str(buf_str(&out), cases[i].file);
			buf_free(&out);
		}
}

static void test_maildir(void **state)
{
	struct fixture f;
	struct mailbox_result r;
	struct buf text = BUF_INIT(100000);
	struct stat st;
	char path[256];

	(void)state;
	fixture_begin(&f, "example.org/john/");
	set_content(&f, STR("Subject: x\r\n\r\n..dot\r\n\xff\xc3\xb6\r\nFrom me\r\nend\r\n"), 3);
	mailbox_deliver(&f.m, &r);
	check_str(str_c(r.text), "delivered to maildir");
	check_int(r.status, RCPT_SENT);
	check_str(str_c(r.dsn), "2.0.0");
	check_int(files_in(&f, "example.org/john/new", &text), 1);
	check_str(buf_str(&text),
		"Return-Path: <a@b.example>\nX-Original-To: alias@example.org\nDelivered-To: john@example.org\n"
		"Subject: x\n\n.dot\n\xff\xc3\xb6\nFrom me\nend\n");
	check_int(files_in(&f, "example.org/john/tmp", &text), 0);
	snprintf(path, sizeof path, "%s/example.org/john/cur", f.dir);
	check(stat(path, &st) == 0 && (st.st_mode & 07777) == 0700);
	mailbox_deliver(&f.m, &r);
	check_int(files_in(&f, "example.org/john/new", &text), 2);
	buf_free(&text);
	fixture_end(&f);
}

/* Binary content (RFC 3030), whose lines would not come back out of a file: converted, or returned. */
static void test_binary(void **state)
{
	static const struct {
		const char *content, *file; /* file NULL: returned */
	} cases[] = {
		{ "MIME-Version: 1.0\r\nContent-Type: x/y\r\nContent-Transfer-Encoding: binary\r\n\r\n..a\n..\r\xff",
			"MIME-Version: 1.0\nContent-Type: x/y\nContent-Transfer-Encoding: base64\n\nLmEKLg3/\n" },
		{ "MIME-Version: 1.0\r\nContent-Type: text/x\r\n\r\n..a\r\n\xff\r\n",
			"MIME-Version: 1.0\nContent-Type: text/x\n\n.a\n\xff\n" },
		{ "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\na\nb\r\n--b--\r\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (int mbox = 0; mbox < 2; mbox++) {
			struct fixture f;
			struct mailbox_result r;
			struct buf text = BUF_INIT(100000);

			fixture_begin(&f, mbox ? "d/m" : "m/");
			set_content(&f, str_c(cases[i].content), 2);
			f.env.flags |= ENV_BINARY;
			mailbox_deliver(&f.m, &r);
			check_int(r.status, cases[i].file ? RCPT_SENT : RCPT_BOUNCED);
			check_str(str_c(r.dsn), cases[i].file ? "2.0.0" : "5.6.3");
			check_int(files_in(&f, mbox ? "d" : "m/new", &text), mbox || cases[i].file ? 1 : 0);
			if (cases[i].file)
				check(memmem(text.p, text.n, cases[i].file, strlen(cases[i].file)) != NULL);
			else
				check_int(text.n, 0);
			buf_free(&text);
			fixture_end(&f);
		}
}

static void test_loop(void **state)
{
	static const struct {
		const char *content;
		enum rcpt_status status;
	} cases[] = {
		{ "Delivered-To: john@example.org\r\n\r\nx\r\n", RCPT_BOUNCED },
		{ "A: b\r\nDELIVERED-TO:\tJohn@Example.org \r\n\r\nx\r\n", RCPT_BOUNCED },
		{ "Delivered-To: jane@example.org\r\n\r\nx\r\n", RCPT_SENT },
		{ "A: b\r\n\r\nDelivered-To: john@example.org\r\n", RCPT_SENT },
		{ "", RCPT_SENT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fixture f;
		struct mailbox_result r;
		fixture_begin(&f, "m/");
		set_content(&f, str_c(cases[i].content), 1);
		mailbox_deliver(&f.m, &r);
		check_int(r.status, cases[i].status);
		if (r.status == RCPT_BOUNCED)
			check_str(str_c(r.dsn), "5.4.6");
		fixture_end(&f);
	}
}

static void test_attacks(void **state)
{
	struct fixture f;
	struct mailbox_result r;
	struct buf text = BUF_INIT(1000);
	char link_at[256], outside[256];

	(void)state;
	/* a user's directory that is a link to somewhere else */
	fixture_begin(&f, "john/");
	set_content(&f, STR("A: b\r\n\r\n"), 1);
	snprintf(outside, sizeof outside, "%s/outside", f.dir);
	snprintf(link_at, sizeof link_at, "%s/john", f.dir);
	check(mkdir(outside, 0700) == 0 && symlink("outside", link_at) == 0);
	mailbox_deliver(&f.m, &r);
	check_int(r.status, RCPT_DEFERRED);
	check_str(str_c(r.dsn), "4.3.5");
	check(strstr(r.text, "a symbolic link below virtual_mailbox_base is not followed") != NULL);
	/* new/ that is one */
	check(unlink(link_at) == 0 && mkdir(link_at, 0700) == 0);
	snprintf(link_at, sizeof link_at, "%s/john/new", f.dir);
	check(symlink("../outside", link_at) == 0);
	mailbox_deliver(&f.m, &r);
	check_int(r.status, RCPT_DEFERRED);
	check_int(files_in(&f, "outside", &text), 0);
	/* an mbox file that is one, and one with a second name */
	f.m.path = STR("box");
	snprintf(link_at, sizeof link_at, "%s/box", f.dir);
	snprintf(outside, sizeof outside, "%s/outside/file", f.dir);
	check(symlink("outside/file", link_at) == 0);
	mailbox_deliver(&f.m, &r);
	check_int(r.status, RCPT_DEFERRED);
	check_int(files_in(&f, "outside", &text), 0);
	check(unlink(link_at) == 0);
	fclose(fopen(outside, "w"));
	check(link(outside, link_at) == 0);
	mailbox_deliver(&f.m, &r);
	check_int(r.status, RCPT_DEFERRED);
	check_int(files_in(&f, "outside", &text), 1);
	check_int(text.n, 0);
	/* a path that was never checked */
	f.m.path = STR("../x/");
	mailbox_deliver(&f.m, &r);
	check_str(str_c(r.text), "mailbox path \"../x/\" has a part \".\" or \"..\"");
	buf_free(&text);
	fixture_end(&f);
}

static void test_mbox(void **state)
{
	struct fixture f;
	struct mailbox_result r;
	struct buf text = BUF_INIT(1000000);
	char path[256];

	(void)state;
	fixture_begin(&f, "spool/john");
	set_content(&f, STR("Subject: x\r\n\r\nFrom me\r\nFro\r\n\r\nFrom you"), 3);
	mailbox_deliver(&f.m, &r);
	check_str(str_c(r.text), "delivered to mailbox");
	check_int(files_in(&f, "spool", &text), 1); /* and no lock file */
	check(str_has_prefix(buf_str(&text), STR("From a@b.example  ")));
	ptrdiff_t lf = str_chr(buf_str(&text), '\n');
	check_str(str_from(buf_str(&text), (size_t)lf + 1),
		"Return-Path: <a@b.example>\nX-Original-To: alias@example.org\nDelivered-To: john@example.org\n"
		"Subject: x\n\n>From me\nFro\n\n>From you\n");
	size_t once = text.n;
	mailbox_deliver(&f.m, &r);
	check_int(files_in(&f, "spool", &text), 1);
	check_int(text.n, 2 * once);
	/* over the limit: nothing is added */
	f.m.limit = text.n;
	mailbox_deliver(&f.m, &r);
	check_int(r.status, RCPT_BOUNCED);
	check_str(str_c(r.dsn), "5.2.2");
	/* the message cannot be read to its end: what was written is cut off again */
	f.m.limit = 0;
	set_broken(&f);
	mailbox_deliver(&f.m, &r);
	check_int(r.status, RCPT_DEFERRED);
	check(strstr(r.text, "append to") != NULL);
	check_int(files_in(&f, "spool", &text), 1);
	check_int(text.n, 2 * once);
	snprintf(path, sizeof path, "%s/spool/john.lock", f.dir);
	check(access(path, F_OK) != 0);
	buf_free(&text);
	fixture_end(&f);
}

static void test_failures(void **state)
{
	struct fixture f;
	struct mailbox_result r;
	struct buf text = BUF_INIT(1000);

	(void)state;
	fixture_begin(&f, "john/");
	set_content(&f, STR("A: b\r\n\r\n"), 1);
	f.m.limit = 5;
	mailbox_deliver(&f.m, &r);
	check_int(r.status, RCPT_BOUNCED);
	check_str(str_c(r.text), "message of 8 octets is over virtual_mailbox_limit (5)");
	f.m.limit = 0;
	f.extent[0].octets = 5000; /* the segment ends before */
	mailbox_deliver(&f.m, &r);
	check_int(r.status, RCPT_DEFERRED);
	set_broken(&f);
	mailbox_deliver(&f.m, &r);
	check_int(r.status, RCPT_DEFERRED);
	check(strstr(r.text, "copy the message from the queue") != NULL);
	check_int(files_in(&f, "john/tmp", &text), 0);
	check_int(files_in(&f, "john/new", &text), 0);
	f.m.base = "/nowhere/at/all";
	mailbox_deliver(&f.m, &r);
	check_int(r.status, RCPT_DEFERRED);
	static const struct {
		int err;
		const char *dsn;
	} cases[] = { { ENOSPC, "4.3.1" }, { EDQUOT, "4.2.2" }, { EACCES, "4.2.0" }, { EIO, "4.2.0" },
		{ ELOOP, "4.3.5" } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		mailbox_failed(&f.m, &r, cases[i].err, "write to", "x");
		check_int(r.status, RCPT_DEFERRED);
		check_str(str_c(r.dsn), cases[i].dsn);
		check(str_has_prefix(str_c(r.text), STR("cannot write to x: ")));
	}
	buf_free(&text);
	fixture_end(&f);
}

static void test_big(void **state)
{
	struct fixture f;
	struct mailbox_result r;
	struct buf wire = BUF_INIT(4000000), text = BUF_INIT(4000000), want = BUF_INIT(4000000);

	(void)state;
	fixture_begin(&f, "john/");
	buf_add_c(&wire, "A: b\r\n\r\n");
	buf_add_c(&want, "A: b\n\n");
	for (unsigned i = 0; i < 30000; i++) {
		buf_addf(&wire, "%s.%u %0*u\r\n", i % 3 ? "x" : ".", i, (int)(i % 67), i);
		buf_addf(&want, "%s.%u %0*u\n", i % 3 ? "x" : "", i, (int)(i % 67), i);
	}
	set_content(&f, buf_str(&wire), 3);
	mailbox_deliver(&f.m, &r);
	check_int(r.status, RCPT_SENT);
	check_int(files_in(&f, "john/new", &text), 1);
	check(str_has_suffix(buf_str(&text), buf_str(&want)));
	buf_free(&wire);
	buf_free(&text);
	buf_free(&want);
	fixture_end(&f);
}

static void test_delay_text(void **state)
{
	static const struct {
		uint64_t us;
		const char *text;
	} cases[] = { { 0, "0" }, { 4000, "0" }, { 50000, "0.05" }, { 100000, "0.1" }, { 1200000, "1.2" },
		{ 2000000, "2" }, { 9949999, "9.9" }, { 12345678, "12" }, { 100000000, "100" },
		{ 10000000000, "10000" } };
	char text[32];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_str(str_c(delay_text(cases[i].us, text)), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_to_lf), cmocka_unit_test(test_maildir),
		cmocka_unit_test(test_binary), cmocka_unit_test(test_loop), cmocka_unit_test(test_attacks),
		cmocka_unit_test(test_mbox), cmocka_unit_test(test_failures), cmocka_unit_test(test_big),
		cmocka_unit_test(test_delay_text) };

	return test_run(tests);
}
