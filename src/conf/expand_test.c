#include "base/test.h"
#include "conf/conf_impl.h"

static const struct {
	const char *text, *want; /* NULL: an error */
} cases[] = {
	{ "", "" },
	{ "plain", "plain" },
	{ "$a", "one" },
	{ "${a}", "one" },
	{ "$(a)", "one" },
	{ "${ a }", "one" },
	{ "$b.", "one two." },
	{ "$a$a-$a", "oneone-one" },
	{ "$$", "$" },
	{ "$$a", "$a" },
	{ "$$$a", "$one" },
	{ "$nothing", "" },
	{ "$empty|", "|" },
	{ "${a?yes}", "yes" },
	{ "${empty?yes}", "" },
	{ "${nothing?yes}", "" },
	{ "${a:no}", "" },
	{ "${empty:no}", "no" },
	{ "${nothing:no}", "no" },
	{ "${a?{yes}:{no}}", "yes" },
	{ "${empty?{yes}:{no}}", "no" },
	{ "${empty ? {yes} : { no }}", " no " },
	{ "${a?$b}", "one two" },
	{ "${a?x:y}", "x:y" }, /* without braces the text goes to the end */
	{ "${a??x}", "?x" },
	{ "${a?{${empty?{1}:{2}}}:{3}}", "2" },
	{ "${{$a} == {one} ? {t} : {f}}", "t" },
	{ "${{$a} != {one} ? {t} : {f}}", "f" },
	{ "${{$a}=={one}?{t}:{f}}", "t" },
	{ "${{10} > {9} ? {t} : {f}}", "t" },  /* as numbers */
	{ "${{10} > {9a} ? {t} : {f}}", "f" }, /* as text */
	{ "${{a} < {b} ? {t} : {f}}", "t" },
	{ "${{a} <= {a} ? {t} : {f}}", "t" },
	{ "${{a} >= {b} ? {t} : {f}}", "f" },
	{ "${{a} == {b} ? {t}}", "" },
	{ "${{a} == {b} : {f}}", "f" },
	{ "${{3.10} >level {3.9} ? {t} : {f}}", "t" },
	{ "${{3.10} > {3.9} ? {t} : {f}}", "f" },
	{ "${{$compatibility_level} <level {3.6} ? {t} : {f}}", "f" },
	{ "${{$compatibility_level} <=level {3.6} ? {t} : {f}}", "t" },
	{ "${{2} ==level {2.0.0} ? {t} : {f}}", "t" },
	{ "${{2} !=level {2.1} ? {t} : {f}}", "t" },
	{ "${{a} == {a}}", "bool_true" },
	{ "${{a} == {b}}", "" },
	{ "${domain_to_ascii{$a.example}}", "one.example" },
	{ "$raw", "$rbl_code Service unavailable; $rbl_class [$rbl_what] blocked using $rbl_domain${rbl_reason?; "
		  "$rbl_reason}" },
	{ "$", NULL },
	{ "a $ b", NULL },
	{ "${", NULL },
	{ "${}", NULL },
	{ "$()", NULL },
	{ "${a", NULL },
	{ "$(a}", NULL },
	{ "${a b}", NULL },
	{ "${a-b}", NULL },
	{ "${a?{x}y}", NULL },
	{ "${a?{x}:{y}z}", NULL },
	{ "${a?{x}", NULL },
	{ "${{a} ? {x}}", NULL },
	{ "${{a} == b ? {x}}", NULL },
	{ "${{a} == {b} {x}}", NULL },
	{ "${{a} <level {3} ? {x}}", NULL },
	{ "${nofunction{x}}", NULL },
	{ "$loop", NULL },
	{ "$self", NULL },
};

static struct conf *load(const char *text)
{
	return conf_parse("/etc/x", str_c(text), STR(""), NULL, NULL);
}

static void test_cases(void **state)
{
	struct conf *c = load("compatibility_level = 3.6\na = one\nb = $a two\nempty =\n");

	(void)state;
	check(c != NULL);
	dict_set(&c->main, STR("loop"), STR("x $pool"), 1);
	dict_set(&c->main, STR("pool"), STR("$loop"), 1);
	dict_set(&c->main, STR("self"), STR("$self"), 1);
	dict_set(&c->main, STR("raw"), STR("$default_rbl_reply"), 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = BUF_INIT(65536), why = BUF_INIT(4096);
		int r = expand(conf_main(c), str_c(cases[i].text), &out, &why);

		if (!cases[i].want) {
			check_int(r, -1);
			check(why.n > 0);
		} else {
			check_str(buf_str(&why), "");
			check_int(r, 0);
			check_str(buf_str(&out), cases[i].want);
		}
		buf_free(&out);
		buf_free(&why);
	}
	conf_free(&c);
}

/* A text that grows tenfold at each name must end in an error, soon. */
static void test_growth(void **state)
{
	struct conf *c = load("a0 = xxxxxxxxxx\n");
	struct buf out = BUF_INIT(64 * 1024 * 1024), why = BUF_INIT(4096);

	(void)state;
	for (int i = 1; i < 12; i++) {
		int k = i - 1;

		dict_set(&c->main, str_c(arena_printf(c->mem, "a%d", i)),
			str_c(arena_printf(
				c->mem, "$a%d$a%d$a%d$a%d$a%d$a%d$a%d$a%d$a%d$a%d", k, k, k, k, k, k, k, k, k, k)),
			1);
	}
	check_int(expand(conf_main(c), STR("$a11"), &out, &why), -1);
	check(why.n > 0);
	buf_free(&out);
	buf_free(&why);
	conf_free(&c);
}

struct counter {
	struct name_seer seer;
	struct buf names;
};

static void seen(struct name_seer *s, struct str name, bool is_test)
{
	buf_addf(&container_of(s, struct counter, seer)->names, "%.*s%s ", STR_ARG(name), is_test ? "?" : "");
}

static void test_scan(void **state)
{
	struct counter c = { { seen }, BUF_INIT(4096) };

	(void)state;
	check_int(expand_scan(STR("$a ${b?{$c}:{$d}} ${{$e} == {$f} ? {$g} : {$h}} $$i"), &c.seer, NULL), 0);
	check_str(buf_str(&c.names), "a b? c d e f g h ");
	buf_free(&c.names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_scan),
	};

	return test_run(tests);
}
