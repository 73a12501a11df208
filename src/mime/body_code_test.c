#include "base/test.h"
#include "mime/body_code.h"

#include <stdlib.h>

static uint64_t seed = 88172645463325252u;

static size_t draw(size_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed % below);
}

/* All of `in`, its CRLFs as newlines, each line in pieces of `step` octets. */
static void code(enum mime_code how, struct str in, size_t step, struct buf *out)
{
	struct mime_coder c;

	mime_coder_init(&c, how);
	while (in.n > 0) {
		const char *crlf = memmem(in.p, in.n, "\r\n", 2);
		size_t n = crlf ? (size_t)(crlf - in.p) : in.n;

		for (size_t i = 0; i < n; i += step)
			mime_code_octets(&c, str_sub(str_sub(in, 0, n), i, step), out);
		if (crlf)
			mime_code_newline(&c, out);
		in = str_from(in, n + (crlf ? 2 : 0));
	}
	mime_code_end(&c, out);
}

static void test_cases(void **state)
{
	static const struct {
		enum mime_code how;
		const char *in, *out;
	} cases[] = {
		{ CODE_QP, "", "" },
		{ CODE_QP, "plain\r\n", "plain\r\n" },
		{ CODE_QP, "gr\xc3\xbc\xc3\x9f = x\r\n", "gr=C3=BC=C3=9F =3D x\r\n" },
		{ CODE_QP, "blank \r\ntab\t\r\nlast ", "blank=20\r\ntab=09\r\nlast=20" },
		{ CODE_QP, "a\rb\nc\r\n", "a=0Db=0Ac\r\n" },
		{ CODE_QP, "--x\r\n-x\r\n- -\r\n", "=2D-x\r\n-x\r\n- -\r\n" },
		{ CODE_QP, "123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456",
			"123456789.123456789.123456789.123456789.123456789.123456789.123456789.12345=\r\n6" },
		{ CODE_QP, "123456789.123456789.123456789.123456789.123456789.123456789.123456789.123\xc3",
			"123456789.123456789.123456789.123456789.123456789.123456789.123456789.123=\r\n=C3" },
		{ CODE_QP, "123456789.123456789.123456789.123456789.123456789.123456789.123456789.12345--x",
			"123456789.123456789.123456789.123456789.123456789.123456789.123456789.12345=\r\n=2D-x" },
		{ CODE_BASE64, "", "" },
		{ CODE_BASE64, "a", "YQ==" },
		{ CODE_BASE64, "ab", "YWI=" },
		{ CODE_BASE64, "abc", "YWJj" },
		{ CODE_BASE64, "\xff\xfe\r\n", "//4NCg==" },
		{ CODE_BASE64, "123456789.123456789.123456789.123456789.123456789.12345678",
			"MTIzNDU2Nzg5LjEyMzQ1Njc4OS4xMjM0NTY3ODkuMTIzNDU2Nzg5LjEyMzQ1Njc4OS4xMjM0NTY3\r\nOA==" },
		{ CODE_MEND_QP, "a=3Db\xe4 =\r\nc\x01 \r\n", "a=3Db=E4 =\r\nc=01 \r\n" },
		{ CODE_MEND_QP, "--\xe4\r\n", "=2D-=E4\r\n" },
		{ CODE_MEND_BASE64, "YW\xe4Jj-.-\r\n--\r\nYQ==\r\n", "YWJj\r\n\r\nYQ==\r\n" },
		{ CODE_SPOIL, "a\xff\rb\n\r\n--x\r\n--\xff\r\n", "a??b?\r\n--x\r\n?-?\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(10000);

		code(cases[i].how, str_c(cases[i].in), 10000, &out);
		check_str(buf_str(&out), cases[i].out);
		buf_free(&out);
	}
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void decode_qp(struct str in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] != '=') {
			buf_add_char(out, in.p[i]);
		} else if (i + 2 < in.n && in.p[i + 1] == '\r') {
			i += 2;
		} else {
			check(i + 2 < in.n && hex(in.p[i + 1]) >= 0 && hex(in.p[i + 2]) >= 0);
			buf_add_char(out, (char)(hex(in.p[i + 1]) << 4 | hex(in.p[i + 2])));
			i += 2;
		}
	}
}

static void decode_base64(struct str in, struct buf *out)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0, n = 0;

	for (size_t i = 0; i < in.n; i++) {
		const char *at = strchr(alphabet, in.p[i]);

		if (in.p[i] == '=' || in.p[i] == '\r' || in.p[i] == '\n')
			continue;
		check(at != NULL && *at != '\0');
		bits = bits << 6 | (unsigned)(at - alphabet);
		n += 6;
		if (n >= 8) {
			n -= 8;
			buf_add_char(out, (char)(bits >> n & 255));
		}
	}
}

static void check_lines(struct str out, size_t max)
{
	struct str line;

	for (size_t i = 0; i < out.n; i++)
		check((unsigned char)out.p[i] < 128 && out.p[i] != '\0');
	while (out.n > 0) {
		const char *lf = memchr(out.p, '\n', out.n);
		size_t n = lf ? (size_t)(lf - out.p) + 1 : out.n;

		line = str_sub(out, 0, n);
		check(!lf || str_has_suffix(line, STR("\r\n")));
		line.n -= lf ? 2 : 0;
		check(memchr(line.p, '\r', line.n) == NULL);
		check(line.n <= max);
		check(!str_has_prefix(line, STR("--")));
		out = str_from(out, n);
	}
}

/* Whatever the octets: they come back, in lines that may be sent. */
static void test_there_and_back(void **state)
{
	static const char *const parts[] = { "\r\n", "\r", "\n", " ", "\t", "=", "-", "--", "a", ".", "\xc3\xa4", "=3D",
		"From ", "word word word", "123456789012345678901234567890" };

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct buf in = BUF_INIT(100000), out = BUF_INIT(1 << 20), back = BUF_INIT(1 << 20);
		enum mime_code how = round & 1 ? CODE_QP : CODE_BASE64;

		for (size_t n = draw(60); n > 0; n--)
			if (draw(6) == 0)
				buf_add_char(&in, (char)draw(256));
			else
				buf_add_c(&in, parts[draw(sizeof parts / sizeof *parts)]);
		code(how, buf_str(&in), round % 3 ? 1024 : 1 + draw(50), &out);
		check_lines(buf_str(&out), 76);
		(how == CODE_QP ? decode_qp : decode_base64)(buf_str(&out), &back);
		check(str_eq(buf_str(&back), buf_str(&in)));
		buf_free(&in);
		buf_free(&out);
		buf_free(&back);
	}
}

/* A line that is too long: broken, and the same when decoded. */
static void test_mending(void **state)
{
	static const char *const fillers[] = { "x", "=3D", "=", "-", "\xff", "=C3=A4 " };

	(void)state;
	for (size_t i = 0; i < sizeof fillers / sizeof *fillers; i++) {
		struct buf in = BUF_INIT(100000), out = BUF_INIT(1 << 20), a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20);

		buf_add_c(&in, "x");
		while (in.n < 9000)
			buf_add_c(&in, fillers[i]);
		buf_add_c(&in, "\r\n");
		code(CODE_MEND_QP, buf_str(&in), 1024, &out);
		check_lines(buf_str(&out), 998);
		if (*fillers[i] != '=' || fillers[i][1] != '\0') {
			decode_qp(buf_str(&in), &a);
			decode_qp(buf_str(&out), &b);
			check(str_eq(buf_str(&a), buf_str(&b)));
		}
		buf_reset(&out);
		code(CODE_SPOIL, buf_str(&in), 1024, &out);
		check_lines(buf_str(&out), 998);
		buf_reset(&out);
		code(CODE_MEND_BASE64, buf_str(&in), 1024, &out);
		check_lines(buf_str(&out), 76);
		buf_free(&in);
		buf_free(&out);
		buf_free(&a);
		buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_mending) };

	return test_run(tests);
}
