#include "base/test.h"
#include "smtp/esmtp.h"

enum { ALL = EXT_BIT(EXT_COUNT) - 1 };
#define TEN(s) s s s s s s s s s s

static void test_keywords(void **state)
{
	(void)state;
	for (unsigned e = 0; e < EXT_COUNT; e++) {
		check_int(esmtp_row(e)->ext, e);
		check(esmtp_find(str_c(esmtp_row(e)->keyword)) == esmtp_row(e));
	}
	check(esmtp_find(STR("dsn")) == esmtp_row(EXT_DSN));
	check(esmtp_find(STR("XYZ")) == NULL);
	check_int(esmtp_mask(STR("silent-discard, dsn etrn")), EXT_BIT(EXT_DSN) | EXT_BIT(EXT_ETRN));
	check_int(esmtp_mask(STR("")), 0);
	check_int(esmtp_mask(STR("all")), ALL);
	check_int(esmtp_consistent(ALL), ALL);
	check_int(esmtp_consistent(ALL & ~EXT_BIT(EXT_CHUNKING)),
		ALL & ~EXT_BIT(EXT_CHUNKING) & ~EXT_BIT(EXT_BINARYMIME));
}

/* What is written for a server that announced all is read back as the same. */
static void test_put(void **state)
{
	static const char *const mail[] = { "", " SIZE=1000 BODY=8BITMIME", " BODY=BINARYMIME", " SIZE=0",
		" SMTPUTF8 RET=FULL ENVID=QQ+2B", " RET=HDRS", " AUTH=<>", " AUTH=e+3Dmc2@example.com",
		" SOLICIT=org.example:ADV,net.example:A-b_c", " MT-PRIORITY=-9", " MT-PRIORITY=0", " MT-PRIORITY=9",
		" BY=120;R", " REQUIRETLS", " BY=-5;NT", " BY=0;N", " BY=999999999;RT" };
	static const char *const rcpt[] = { "", " NOTIFY=NEVER", " NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;a+2Bb@c",
		" NOTIFY=DELAY", " RRVS=2014-04-03T23:01:00Z;C", " ORCPT=rfc822;a RRVS=2014-04-03T23:01:00Z;R" };
	struct arena *mem = arena_new(0);
	struct buf out = BUF_INIT(4096);
	struct mail_params m;
	struct rcpt_params r;
	struct str bad;

	(void)state;
	for (size_t i = 0; i < sizeof mail / sizeof *mail; i++) {
		check_int(mail_params_parse(str_c(mail[i]), ALL, mem, &m, &bad), 0);
		buf_reset(&out);
		mail_params_put(&out, &m, ALL);
		check_str(buf_str(&out), mail[i]);
		buf_reset(&out);
		mail_params_put(&out, &m, 0);
		check_str(buf_str(&out), "");
	}
	for (size_t i = 0; i < sizeof rcpt / sizeof *rcpt; i++) {
		check_int(rcpt_params_parse(str_c(rcpt[i]), ALL, &r, &bad), 0);
		buf_reset(&out);
		rcpt_params_put(&out, &r, ALL);
		check_str(buf_str(&out), rcpt[i]);
	}
	buf_free(&out);
	arena_free(&mem);
}

static void test_when(void **state)
{
	static const struct {
		enum esmtp_when when;
		bool tls, submission, ours, want;
	} cases[] = {
		{ WHEN_ALWAYS, false, false, false, true },
		{ WHEN_CLEAR, false, false, false, true },
		{ WHEN_CLEAR, true, true, true, false },
		{ WHEN_TLS, true, false, false, true },
		{ WHEN_TLS, false, true, true, false },
		{ WHEN_SUBMISSION, true, false, true, false },
		{ WHEN_SUBMISSION, true, true, false, true },
		{ WHEN_OURS, false, false, false, false },
		{ WHEN_OURS, false, false, true, true },
	};
	struct buf manual = BUF_INIT(256 * 1024);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct esmtp_keyword k = { .when = cases[i].when };

		check_int(esmtp_is_for(&k, cases[i].tls, cases[i].submission, cases[i].ours), cases[i].want);
	}
	esmtp_manual(&manual);
	for (unsigned e = 0; e < EXT_COUNT; e++)
		check(strstr(manual.p, esmtp_row(e)->rfc) != NULL);
	buf_free(&manual);
}

static void test_mail(void **state)
{
	static const struct {
		const char *params;
		unsigned offered;
		int want;
		uint64_t size;
		uint32_t flags;
		const char *envid, *auth, *bad;
	} cases[] = {
		{ "", ALL, 0, 0, 0, "", "", "" },
		{ "SIZE=1000 BODY=8BITMIME", ALL, 0, 1000, ENV_8BIT, "", "", "" },
		{ "size=0 body=7bit", ALL, 0, 0, 0, "", "", "" },
		{ "RET=FULL ENVID=QQ314159", ALL, 0, 0, ENV_RET_FULL, "QQ314159", "", "" },
		{ "RET=hdrs", ALL, 0, 0, ENV_RET_HDRS, "", "", "" },
		{ "AUTH=<>", ALL, 0, 0, 0, "", "", "" },
		{ "AUTH=e+3Dmc2@example.com", ALL, 0, 0, 0, "", "e=mc2@example.com", "" },
		{ "SMTPUTF8 BODY=8BITMIME", ALL, 0, 0, ENV_SMTPUTF8 | ENV_8BIT, "", "", "" },
		{ "SIZE=18446744073709551615", ALL, 0, UINT64_MAX, 0, "", "", "" },
		{ "SIZE=99999999999999999999", ALL, -PARAM_ESIZE, 0, 0, "", "", "SIZE=99999999999999999999" },
		{ "SIZE=999999999999999999999", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "SIZE=999999999999999999999" },
		{ "SIZE=1 SIZE=2", ALL, -PARAM_ESYNTAX, 1, 0, "", "", "SIZE=2" },
		{ "SIZE=-1", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "SIZE=-1" },
		{ "SIZE", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "SIZE" },
		{ "SIZE=1x", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "SIZE=1x" },
		{ "BODY=BINARYMIME", ALL, 0, 0, ENV_8BIT | ENV_BINARY, "", "", "" },
		{ "BODY=BINARYMIME", ALL & ~EXT_BIT(EXT_BINARYMIME), -PARAM_ESYNTAX, 0, 0, "", "", "BODY=BINARYMIME" },
		{ "BODY=7BIT BODY=7BIT", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "BODY=7BIT" },
		{ "RET=NONE", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "RET=NONE" },
		{ "ENVID=a+00b", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "ENVID=a+00b" },
		{ "ENVID=a+zz", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "ENVID=a+zz" },
		{ "ENVID=a+E4", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "ENVID=a+E4" },
		{ "ENVID=" TEN("0123456789"), ALL, 0, 0, 0, TEN("0123456789"), "", "" },
		{ "ENVID=" TEN("0123456789") "x", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "ENVID=" TEN("0123456789") "x" },
		{ "AUTH=a+0Ab", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "AUTH=a+0Ab" },
		{ "AUTH=a+C3", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "AUTH=a+C3" },
		{ "SMTPUTF8=yes", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "SMTPUTF8=yes" },
		{ "REQUIRETLS=yes", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "REQUIRETLS=yes" },
		{ "BY=120", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "BY=120" },
		{ "BY=0;R", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "BY=0;R" },
		{ "BY=-1;R", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "BY=-1;R" },
		{ "BY=+7;nt", ALL, 0, 0, ENV_BY_NOTIFY | ENV_BY_TRACE, "", "", "" },
		{ "BY=1234567890;N", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "BY=1234567890;N" },
		{ "BY=5;T", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "BY=5;T" },
		{ "BY=;N", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "BY=;N" },
		{ "HOLDFOR=86400", ALL, 0, 0, 0, "", "", "" },
		{ "HOLDUNTIL=2026-12-31T00:00:00Z", ALL, 0, 0, 0, "", "", "" },
		{ "HOLDFOR=", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "HOLDFOR=" },
		{ "HOLDFOR=0", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "HOLDFOR=0" },
		{ "HOLDFOR=05", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "HOLDFOR=05" },
		{ "HOLDFOR=5 HOLDFOR=5", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "HOLDFOR=5" },
		{ "HOLDUNTIL=2026-12-31T00:00:00Z HOLDFOR=5", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "HOLDFOR=5" },
		{ "HOLDFOR=1234567890", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "HOLDFOR=1234567890" },
		{ "HOLDFOR=5 HOLDUNTIL=2026-12-31T00:00:00Z", ALL, -PARAM_ESYNTAX, 0, 0, "", "",
			"HOLDUNTIL=2026-12-31T00:00:00Z" },
		{ "HOLDUNTIL=1970-01-01T00:00:00Z HOLDFOR=5", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "HOLDFOR=5" },
		{ "HOLDUNTIL=tomorrow", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "HOLDUNTIL=tomorrow" },
		{ "MT-PRIORITY=10", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "MT-PRIORITY=10" },
		{ "MT-PRIORITY=-0", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "MT-PRIORITY=-0" },
		{ "MT-PRIORITY=+1", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "MT-PRIORITY=+1" },
		{ "MT-PRIORITY=", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "MT-PRIORITY=" },
		{ "SOLICIT=", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "SOLICIT=" },
		{ "SOLICIT=a,", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "SOLICIT=a," },
		{ "SOLICIT=a,1", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "SOLICIT=a,1" },
		{ "SOLICIT=a/b", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "SOLICIT=a/b" },
		{ "FOO=bar", ALL, -PARAM_EUNKNOWN, 0, 0, "", "", "FOO=bar" },
		{ "SIZE=1 FOO", ALL, -PARAM_EUNKNOWN, 1, 0, "", "", "FOO" },
		{ "SIZE=1", ALL & ~EXT_BIT(EXT_SIZE), -PARAM_EUNKNOWN, 0, 0, "", "", "SIZE=1" },
		{ "AUTH=<>", ALL & ~EXT_BIT(EXT_AUTH), -PARAM_EUNKNOWN, 0, 0, "", "", "AUTH=<>" },
		{ "=x", ALL, -PARAM_ESYNTAX, 0, 0, "", "", "=x" },
	};
	struct arena *mem = arena_new(0);
	struct mail_params p;
	struct str bad;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int got = mail_params_parse(str_c(cases[i].params), cases[i].offered, mem, &p, &bad);

		if (got != cases[i].want)
			printf("params: %s\n", cases[i].params);
		check_int(got, cases[i].want);
		check_str(bad, cases[i].bad);
		if (got < 0)
			continue;
		check_int(p.size, cases[i].size);
		check_int(p.flags, cases[i].flags);
		check_str(p.envid, cases[i].envid);
		check_str(p.auth, cases[i].auth);
	}
	check_int(mail_params_parse(STR("AUTH=<>"), ALL, mem, &p, &bad), 0);
	check(p.has_auth && !p.has_size);
	arena_free(&mem);
}

static void test_rcpt(void **state)
{
	static const struct {
		const char *params;
		unsigned offered;
		int want;
		unsigned notify;
		const char *orcpt;
	} cases[] = {
		{ "", ALL, 0, 0, "" },
		{ "NOTIFY=NEVER", ALL, 0, NOTIFY_NEVER, "" },
		{ "NOTIFY=success,Delay,FAILURE", ALL, 0, NOTIFY_SUCCESS | NOTIFY_DELAY | NOTIFY_FAILURE, "" },
		{ "NOTIFY=SUCCESS,SUCCESS", ALL, 0, NOTIFY_SUCCESS, "" },
		{ "NOTIFY=DELAY,failure,DELAY", ALL, 0, NOTIFY_FAILURE | NOTIFY_DELAY, "" },
		{ "ORCPT=rfc822;a+2Bb@c", ALL, 0, 0, "rfc822;a+2Bb@c" },
		{ "ORCPT=utf-8;\xC3\xA4@c", ALL, 0, 0, "utf-8;\xC3\xA4@c" },
		{ "ORCPT=utf-8;\\x{E4}@c", ALL, 0, 0, "utf-8;\\x{E4}@c" },
		{ "ORCPT=utf-8;\xC3\xA4@c", ALL & ~EXT_BIT(EXT_SMTPUTF8), -PARAM_ESYNTAX, 0, "" },
		{ "ORCPT=rfc822;\xC3\xA4@c", ALL, -PARAM_ESYNTAX, 0, "" },
		{ "ORCPT=utf-8;\xC3@c", ALL, -PARAM_ESYNTAX, 0, "" },
		{ "NOTIFY=NEVER,SUCCESS", ALL, -PARAM_ESYNTAX, 0, "" },
		{ "NOTIFY=NEVER,NEVER", ALL, -PARAM_ESYNTAX, 0, "" },
		{ "NOTIFY=SUCCESS,", ALL, -PARAM_ESYNTAX, 0, "" },
		{ "NOTIFY", ALL, -PARAM_ESYNTAX, 0, "" },
		{ "NOTIFY=DELAY NOTIFY=DELAY", ALL, -PARAM_ESYNTAX, 0, "" },
		{ "ORCPT=rfc822", ALL, -PARAM_ESYNTAX, 0, "" },
		{ "ORCPT=;a@b", ALL, -PARAM_ESYNTAX, 0, "" },
		{ "ORCPT=rfc822;", ALL, -PARAM_ESYNTAX, 0, "" },
		{ "ORCPT=rfc822;a+0Ab", ALL, -PARAM_ESYNTAX, 0, "" },
		{ "ORCPT=rfc822;a ORCPT=rfc822;a", ALL, -PARAM_ESYNTAX, 0, "" },
		{ "ORCPT=rfc822;a", ALL & ~EXT_BIT(EXT_DSN), -PARAM_EUNKNOWN, 0, "" },
		{ "SIZE=1", ALL, -PARAM_EUNKNOWN, 0, "" },
		{ "RRVS=2014-04-03T23:01:00Z", ALL, 0, 0, "" },
		{ "RRVS=2014-04-03T23:01:00Z;r", ALL, 0, 0, "" },
		{ "RRVS=2014-04-03T23:01:00Z;X", ALL, -PARAM_ESYNTAX, 0, "" },
		{ "RRVS=2014-04-03T23:01:00Z;", ALL, -PARAM_ESYNTAX, 0, "" },
		{ "RRVS=2014-04-03", ALL, -PARAM_ESYNTAX, 0, "" },
		{ "RRVS=2014-04-03T23:01:00.5Z", ALL, -PARAM_ESYNTAX, 0, "" },
		{ "RRVS=2014-04-03T23:01:00Z", ALL & ~EXT_BIT(EXT_RRVS), -PARAM_EUNKNOWN, 0, "" },
	};
	struct rcpt_params p;
	char orcpt[600];
	struct str bad;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int got = rcpt_params_parse(str_c(cases[i].params), cases[i].offered, &p, &bad);

		if (got != cases[i].want)
			printf("params: %s\n", cases[i].params);
		check_int(got, cases[i].want);
		if (got < 0)
			continue;
		check_int(p.notify, cases[i].notify);
		check_str(p.orcpt, cases[i].orcpt);
	}
	memset(orcpt, 'x', sizeof orcpt);
	memcpy(orcpt, "ORCPT=rfc822;", 13);
	check_int(rcpt_params_parse(str_pn(orcpt, 506), ALL, &p, &bad), 0);
	check_int(rcpt_params_parse(str_pn(orcpt, 507), ALL, &p, &bad), -PARAM_ESYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_keywords), cmocka_unit_test(test_put),
		cmocka_unit_test(test_when), cmocka_unit_test(test_mail), cmocka_unit_test(test_rcpt) };

	return test_run(tests);
}
