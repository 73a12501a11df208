#include "auth/auth_client.h"
#include "auth/auth_proto.h"
#include "base/test.h"

static void test_lines(void **state)
{
	static const char text[] = "VERSION\t1\t2\n\nOK\t1\tuser=a\npart";
	struct str in = str_pn(text, sizeof text - 1), line;
	struct buf fed = BUF_INIT(100);
	size_t used, at = 0, n = 0;

	(void)state;
	check_int(auth_line_next(in, &used, &line), 1);
	check_str(line, "VERSION\t1\t2");
	check_int(used, 12);
	check_int(auth_line_next(str_from(in, 12), &used, &line), 1);
	check_int(line.n, 0);
	/* octet by octet: the same lines */
	for (size_t i = 0; i < in.n; i++) {
		buf_add_char(&fed, in.p[i]);
		while (auth_line_next(str_from(buf_str(&fed), at), &used, &line) == 1) {
			at += used;
			n++;
		}
	}
	check_int(n, 3);
	check_int(at, in.n - 4);
	buf_free(&fed);
}

static void test_line_limit(void **state)
{
	struct buf b = BUF_INIT(AUTH_MAX_LINE * 2);
	struct str line;
	size_t used;

	(void)state;
	for (int i = 0; i < AUTH_MAX_LINE - 1; i++)
		buf_add_char(&b, 'x');
	check_int(auth_line_next(buf_str(&b), &used, &line), 0);
	buf_add_char(&b, '\n');
	check_int(auth_line_next(buf_str(&b), &used, &line), 1);
	check_int(used, AUTH_MAX_LINE);
	b.p[b.n - 1] = 'x';
	check_int(auth_line_next(buf_str(&b), &used, &line), -1);
	buf_free(&b);
}

static void test_escapes(void **state)
{
	static const struct {
		struct str raw, escaped;
	} cases[] = {
		{ { "plain", 5 }, { "plain", 5 } },
		{ { "a\tb\nc\rd\001e\0f", 11 }, { "a\001tb\001nc\001rd\0011e\0010f", 16 } },
		{ { "", 0 }, { "", 0 } },
	};
	struct arena *mem = arena_new(0);
	struct buf b = BUF_INIT(100);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		buf_reset(&b);
		check_int(auth_escape(&b, cases[i].raw), 0);
		check(str_eq(buf_str(&b), cases[i].escaped));
		check(str_eq(auth_unescape(mem, cases[i].escaped), cases[i].raw));
	}
	check_str(auth_unescape(mem, STR("a\001xb")), "axb");
	check_str(auth_unescape(mem, STR("a\001")), "a");
	buf_reset(&b);
	check_int(auth_add_field(&b, "user=", STR("x\ty")), 0);
	check_str(buf_str(&b), "\tuser=x\001ty");
	buf_free(&b);
	arena_free(&mem);
}

static void test_fields(void **state)
{
	struct str rest = STR("a\t\tuser=b"), f, v;
	struct buf b = BUF_INIT(100);
	uint32_t id;

	(void)state;
	check(auth_field(&rest, &f));
	check_str(f, "a");
	check(auth_field(&rest, &f));
	check_int(f.n, 0);
	check(auth_field(&rest, &f));
	check(auth_is_key(f, "user=", &v));
	check_str(v, "b");
	check(!auth_is_key(f, "use=", &v));
	check(!auth_field(&rest, &f));
	check(auth_id(STR("4294967295"), &id) && id == 4294967295U);
	check(!auth_id(STR("4294967296"), &id));
	check(!auth_id(STR("0"), &id));
	check(!auth_id(STR("-1"), &id));
	check(!auth_id(STR(""), &id));
	check(!auth_id(STR("1 "), &id));
	check_int(auth_flag(STR("plaintext")), AUTH_MECH_PLAINTEXT);
	check_int(auth_flag(STR("nonsense")), 0);
	check(auth_is_secret(STR("password")) && auth_is_secret(STR("userdb_api_Token")) &&
		auth_is_secret(STR("resp")));
	check(!auth_is_secret(STR("user")) && !auth_is_secret(STR("reason")) && !auth_is_secret(STR("")));
	auth_add_flags(&b, AUTH_MECH_PLAINTEXT | AUTH_MECH_MUTUAL);
	check_str(buf_str(&b), "\tplaintext\tmutual-auth");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines), cmocka_unit_test(test_line_limit),
		cmocka_unit_test(test_escapes), cmocka_unit_test(test_fields) };

	return test_run(tests);
}
