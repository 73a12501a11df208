#include "base/test.h"
#include "log/spool_reader.h"
#include "smtp/data.h"

#include <stdlib.h>
#include <time.h>

/* What came out of one content, however it was fed. */
struct outcome {
	struct buf wire;
	size_t used;
	uint64_t content;
	unsigned flaws;
	bool ended;
};

static uint64_t seed = 88172645463325252u;

static size_t draw(size_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed % below);
}

/* Feed in pieces of `step` octets; 0: of random lengths. */
static struct outcome feed(struct str in, bool normalize, size_t step)
{
	struct outcome o = { .wire = BUF_INIT(1 << 20) };
	struct data_scan d;
	size_t used;

	data_scan_init(&d, normalize);
	while (!o.ended && o.used < in.n) {
		o.ended = data_scan(&d, str_sub(in, o.used, step ? step : 1 + draw(40)), &o.wire, &used) == 1;
		o.used += used;
	}
	o.content = d.content;
	o.flaws = d.flaws;
	return o;
}

static struct outcome feed_chunks(struct str in, bool normalize, size_t step)
{
	struct outcome o = { .wire = BUF_INIT(1 << 20) };
	struct data_scan d;
	size_t n;

	bdat_scan_init(&d);
	d.normalize = normalize;
	while (o.used < in.n) {
		n = step ? step : 1 + draw(40);
		bdat_scan(&d, str_sub(in, o.used, n), false, &o.wire);
		o.used += n;
	}
	bdat_scan(&d, STR(""), true, &o.wire);
	o.content = d.content;
	o.flaws = d.flaws;
	o.ended = d.ended;
	return o;
}

static void check_same(struct outcome a, struct outcome b)
{
	check(str_eq(buf_str(&a.wire), buf_str(&b.wire)));
	check_int(a.used, b.used);
	check_int(a.content, b.content);
	check_int(a.flaws, b.flaws);
	check_int(a.ended, b.ended);
	buf_free(&b.wire);
}

/* Where CRLF.CRLF ends, the CRLF of DATA put before it; 0: nowhere. */
static size_t end_by_definition(struct str in)
{
	struct buf all = BUF_INIT(1 << 20);
	const char *at;
	size_t end;

	buf_add_c(&all, "\r\n");
	buf_add_str(&all, in);
	at = memmem(all.p, all.n, "\r\n.\r\n", 5);
	end = at ? (size_t)(at - all.p) + 3 : 0;
	buf_free(&all);
	return end;
}

static size_t unstuffed_length(struct str wire)
{
	size_t n = wire.n;

	for (size_t i = 0; i < wire.n; i++)
		if (wire.p[i] == '.' && (i == 0 || (i > 1 && wire.p[i - 1] == '\n' && wire.p[i - 2] == '\r')))
			n--;
	return n;
}

static bool is_lines(struct str wire)
{
	for (size_t i = 0; i < wire.n; i++) {
		if (wire.p[i] == '\r' && (i + 1 == wire.n || wire.p[i + 1] != '\n'))
			return false;
		if (wire.p[i] == '\n' && (i == 0 || wire.p[i - 1] != '\r'))
			return false;
	}
	return wire.n == 0 || wire.p[wire.n - 1] == '\n';
}

/* What must hold for every input, however it is split. */
static void check_laws(struct str in, bool normalize)
{
	struct outcome whole = feed(in, normalize, in.n ? in.n : 1);
	size_t end = end_by_definition(in);

	check_same(whole, feed(in, normalize, 1));
	check_same(whole, feed(in, normalize, 2));
	check_same(whole, feed(in, normalize, 0));
	check_int(whole.ended, end != 0);
	check_int(whole.used, end ? end : in.n);
	check(end_by_definition(buf_str(&whole.wire)) == 0);
	if (whole.ended) {
		check_int(whole.content, unstuffed_length(buf_str(&whole.wire)));
		if (normalize || !(whole.flaws & (DATA_BARE_CR | DATA_BARE_LF)))
			check(is_lines(buf_str(&whole.wire)));
	}
	buf_free(&whole.wire);
}

static void test_cases(void **state)
{
	static const struct {
		const char *in, *wire;
		int content;
		unsigned flaws;
		bool normalize;
	} cases[] = {
		{ ".\r\n", "", 0, 0, false },
		{ "\r\n.\r\n", "\r\n", 2, 0, false },
		{ "a\r\nb\r\n.\r\n", "a\r\nb\r\n", 6, 0, false },
		{ "..a\r\n.\r\n", "..a\r\n", 4, 0, false },
		{ ".a\r\n.\r\n", ".a\r\n", 3, 0, false },
		{ "a\r\n..\r\n.\r\n", "a\r\n..\r\n", 6, 0, false },
		{ "\xC3\xA4\r\n.\r\n", "\xC3\xA4\r\n", 4, DATA_8BIT, false },
		{ "a\nb\r\n.\r\n", "a\nb\r\n", 5, DATA_BARE_LF, false },
		{ "a\nb\r\n.\r\n", "a\r\nb\r\n", 6, DATA_BARE_LF, true },
		{ "a\rb\r\n.\r\n", "a\rb\r\n", 5, DATA_BARE_CR, false },
		{ "a\rb\r\n.\r\n", "a b\r\n", 5, DATA_BARE_CR, true },
		{ "a\r\r\n.\r\n", "a \r\n", 4, DATA_BARE_CR, true },
		{ "a\n.\r\nb\r\n.\r\n", "a\r\n..\r\nb\r\n", 9, DATA_BARE_LF, true },
		{ "a\r\n.\nb\r\n.\r\n", "a\r\n..\r\nb\r\n", 9, DATA_BARE_LF, true },
		{ "a\n.\nb\r\n.\r\n", "a\r\n..\r\nb\r\n", 9, DATA_BARE_LF, true },
		{ "a\n.\rb\r\n.\r\n", "a\r\n. b\r\n", 7, DATA_BARE_LF | DATA_BARE_CR, true },
		{ "a\r\n.\rb\r\n.\r\n", "a\r\n. b\r\n", 7, DATA_BARE_CR, true },
		{ "a\r\n.\r\r\n.\r\n", "a\r\n. \r\n", 6, DATA_BARE_CR, true },
		{ "a\n..b\r\n.\r\n", "a\r\n..b\r\n", 7, DATA_BARE_LF, true },
		{ "\n.\r\n.\r\n", "\r\n..\r\n", 5, DATA_BARE_LF, true },
		{ "\n\n\r\n.\r\n", "\r\n\r\n\r\n", 6, DATA_BARE_LF, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t step = 0; step < 3; step++) {
			struct outcome o = feed(str_c(cases[i].in), cases[i].normalize, step == 2 ? 1000 : step);

			check_str(buf_str(&o.wire), cases[i].wire);
			check_int(o.content, cases[i].content);
			check_int(o.flaws, cases[i].flaws);
			check(o.ended);
			buf_free(&o.wire);
		}
}

/* Every way of writing an end of data that some server somewhere has taken for one. */
static void test_smuggling(void **state)
{
	static const struct {
		const char *p;
		size_t n;
	} variants[] = {
#define V(s) { s, sizeof(s) - 1 }
		V("\n.\n"),
		V("\n.\r\n"),
		V("\r.\r"),
		V("\r.\r\n"),
		V("\r\n.\n"),
		V("\r\n.\r"),
		V("\n.\r"),
		V("\r.\n"),
		V("\r\n.\r\r\n"),
		V("\r\r\n.\r\r\n"),
		V("\r\r\n.\r\r\n"),
		V("\0\r\n.\r\0\n"),
		V("\r\0\n.\r\n"),
		V("\r\n\0.\r\n"),
		V("\r\n.\0\r\n"),
		V("\r\n.\r\0\n"),
		V("\r\n. \r\n"),
		V("\r\n.\t\r\n"),
		V("\r\n .\r\n"),
		V("\v.\v"),
		V("\f.\f"),
		V("\xC2\x85.\xC2\x85"),
		V("\xE2\x80\xA8.\xE2\x80\xA8"),
		V("\x85.\x85"),
		V("\r\n.\v\r\n"),
		V("\r\n.\xC2\x85"),
		V("\n\r.\n\r"),
		V("\n\r\n.\n\r\n"),
		V("\r\n..\r\n"),
		V("\n\n.\n\n"),
		V("\x8D\x8A.\x8D\x8A"),
#undef V
	};

	(void)state;
	for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
		for (int normalize = 0; normalize < 2; normalize++) {
			struct buf in = BUF_INIT(4096);
			struct outcome o;

			buf_add_c(&in, "Subject: one\r\n\r\ntext");
			buf_add(&in, variants[i].p, variants[i].n);
			buf_add_c(&in, "MAIL FROM:<x@example.com>\r\nDATA\r\nFrom: two\r\n\r\ntwo\r\n.\r\nQUIT\r\n");
			o = feed(buf_str(&in), normalize, 0);
			check(o.ended);
			check_int(o.used, in.n - 6);
			buf_free(&o.wire);
			check_laws(buf_str(&in), normalize);
			buf_free(&in);
		}
	}
}

static int base64_value(char c)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

static void add_base64(struct buf *out, const char *text)
{
	unsigned bits = 0, held = 0;

	for (; base64_value(*text) >= 0; text++) {
		bits = bits << 6 | (unsigned)base64_value(*text);
		held += 6;
		if (held >= 8) {
			held -= 8;
			buf_add_char(out, (char)(bits >> held & 0xFF));
		}
	}
}

/* One row of the shared table: id, escaped, base64, "yes" or "no", source. */
static void check_row(char *row)
{
	struct buf in = BUF_INIT(4096);
	char *column[5] = { NULL };
	size_t n = 0;

	for (char *rest = row; n < 5 && rest;)
		column[n++] = strsep(&rest, "\t\n");
	if (row[0] == '#' || n < 5)
		return;
	buf_add_c(&in, "text");
	add_base64(&in, column[2]);
	if (strcmp(column[3], "no") == 0)
		check_int(end_by_definition(buf_str(&in)), 0);
	for (int normalize = 0; normalize < 2; normalize++) {
		check_laws(buf_str(&in), normalize);
		buf_add_c(&in, "more\r\n.\r\nQUIT\r\n");
	}
	buf_free(&in);
}

static void test_shared_variants(void **state)
{
	const char *dir = getenv("GATEPOST_SHARED");
	char path[512], row[1024];
	FILE *f;

	(void)state;
	snprintf(path, sizeof path, "%s/corpora/smuggling/eod-variants.tsv", dir ? dir : "../shared");
	f = fopen(path, "re");
	if (f == NULL) {
		printf("skipped: no %s\n", path);
		skip();
		return;
	}
	while (fgets(row, sizeof row, f))
		check_row(row);
	fclose(f);
}

static void add_random(struct buf *in, size_t pieces)
{
	static const struct str parts[] = { { "\r\n", 2 }, { "\r", 1 }, { "\n", 1 }, { ".", 1 }, { "\r\n.", 3 },
		{ "\r\n.\r", 4 }, { "a", 1 }, { "\0", 1 }, { "\xE9", 1 },
		{ "abcdefghijklmnopqrstuvwxyz 0123456789", 37 }, { "..", 2 }, { "\n.", 2 }, { ".\r\n", 3 } };

	while (pieces--)
		buf_add_str(in, parts[draw(sizeof parts / sizeof parts[0])]);
}

static void test_random(void **state)
{
	struct buf in = BUF_INIT(1 << 16);

	(void)state;
	for (int i = 0; i < 6000; i++) {
		buf_reset(&in);
		add_random(&in, 1 + draw(24));
		check_laws(buf_str(&in), i & 1);
	}
	buf_free(&in);
}

static void test_long_line(void **state)
{
	(void)state;
	for (int n = 990; n < 1010; n++) {
		for (size_t step = 0; step < 3; step++) {
			struct buf in = BUF_INIT(4096);
			struct outcome o;

			for (int i = 0; i < n; i++)
				buf_add_char(&in, 'x');
			buf_add_c(&in, "\r\n.\r\n");
			o = feed(buf_str(&in), false, step == 2 ? 4096 : step);
			check_int(o.flaws, n > 998 ? DATA_LONG_LINE : 0);
			buf_free(&o.wire);
			buf_free(&in);
		}
	}
}

/* Chunks and DATA must come to the same wire form: what is stuffed from chunks, fed as DATA, stays as it is. */
static void check_chunk_laws(struct str in, bool normalize)
{
	struct outcome whole = feed_chunks(in, normalize, in.n ? in.n : 1), again;
	struct buf data = BUF_INIT(1 << 20);

	check_same(whole, feed_chunks(in, normalize, 1));
	whole.used = in.n;
	check_int(whole.content, unstuffed_length(buf_str(&whole.wire)));
	buf_add_str(&data, buf_str(&whole.wire));
	buf_add_c(&data, ".\r\n");
	again = feed(buf_str(&data), normalize, data.n);
	check(again.ended);
	check_int(again.used, data.n);
	check_int(again.content, whole.content);
	check(str_eq(buf_str(&again.wire), buf_str(&whole.wire)));
	buf_free(&again.wire);
	buf_free(&whole.wire);
	buf_free(&data);
}

static void test_chunks(void **state)
{
	static const struct {
		const char *in, *wire;
		int content;
	} cases[] = {
		{ "", "", 0 },
		{ "a", "a\r\n", 3 },
		{ "a\r\n", "a\r\n", 3 },
		{ ".\r\n", "..\r\n", 3 },
		{ ".", "..\r\n", 3 },
		{ "a\r\n.\r\nQUIT\r\n", "a\r\n..\r\nQUIT\r\n", 12 },
		{ "..\r\n", "...\r\n", 4 },
		{ "a\r", "a\r\r\n", 4 },
	};
	struct buf in = BUF_INIT(1 << 16);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t step = 0; step < 3; step++) {
			struct outcome o = feed_chunks(str_c(cases[i].in), false, step == 2 ? 1000 : step);

			check_str(buf_str(&o.wire), cases[i].wire);
			check_int(o.content, cases[i].content);
			check(o.ended);
			buf_free(&o.wire);
		}
	for (int i = 0; i < 4000; i++) {
		buf_reset(&in);
		add_random(&in, draw(24));
		check_chunk_laws(buf_str(&in), i & 1);
	}
	buf_free(&in);
}

/* Whatever comes is kept, and unstuffing gives it back, however both are cut. */
static void test_binary(void **state)
{
	static const char *const contents[] = { "", ".", "..", "a", "\n", ".\n.", "\r\n.\r\n", "a\n.b\r\n..c\r.d",
		"x\r", "\n\n.\n..\r\n\r\n", "no end" };

	(void)state;
	for (size_t i = 0; i < sizeof contents / sizeof *contents; i++)
		for (size_t step = 1; step < 20; step++) {
			struct str in = str_c(contents[i]);
			struct buf wire = BUF_INIT(1 << 16);
			struct data_scan d;
			bool at_start = true;
			size_t n = 0;

			bdat_scan_init(&d);
			for (size_t at = 0; at < in.n; at += step)
				binary_scan(&d, str_sub(in, at, step), &wire);
			check_int(d.content, in.n);
			check_int(d.flaws, 0);
			for (size_t at = 0; at < wire.n;) { /* in other pieces than it came in */
				size_t piece = wire.n - at < 3 ? wire.n - at : 3;
				char cut[3];

				memcpy(cut, wire.p + at, piece);
				at += piece;
				piece = dot_unstuff(cut, piece, &at_start);
				check(n + piece <= in.n && memcmp(cut, in.p + n, piece) == 0);
				n += piece;
			}
			check_int(n, in.n);
			buf_free(&wire);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_binary), cmocka_unit_test(test_cases),
		cmocka_unit_test(test_smuggling), cmocka_unit_test(test_shared_variants), cmocka_unit_test(test_random),
		cmocka_unit_test(test_long_line), cmocka_unit_test(test_chunks) };

	return test_run(tests);
}
