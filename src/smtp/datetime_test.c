#include "base/corpus_test.h"
#include "smtp/datetime.h"

#include <stdlib.h>
#include <time.h>

static void test_datetime(void **state)
{
	static const struct {
		const char *text;
		int64_t want; /* -1: none */
	} cases[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2014-04-03T23:01:00Z", 1396566060 },
		{ "2014-04-03t23:01:00z", 1396566060 },
		{ "2014-04-04T01:01:00+02:00", 1396566060 },
		{ "2014-04-03T18:31:00.123456-04:30", 1396566060 },
		{ "2016-12-31T23:59:60Z", 1483228799 },
		{ "2024-02-29T00:00:00Z", 1709164800 },
		{ "9999-12-31T23:59:59Z", 253402300799 },
		{ "2023-02-29T00:00:00Z", -1 },
		{ "2023-04-31T00:00:00Z", -1 },
		{ "1969-12-31T23:59:59Z", -1 },
		{ "1970-01-01T00:00:00+01:00", -1 },
		{ "2023-13-01T00:00:00Z", -1 },
		{ "2023-00-01T00:00:00Z", -1 },
		{ "2023-01-01T24:00:00Z", -1 },
		{ "2023-01-01T00:60:00Z", -1 },
		{ "2023-01-01T00:00:61Z", -1 },
		{ "2023-01-01T00:00:00", -1 },
		{ "2023-01-01T00:00:00.Z", -1 },
		{ "2023-01-01T00:00:00Zx", -1 },
		{ "2023-01-01T00:00:00+24:00", -1 },
		{ "2023-01-01T00:00:00+0100", -1 },
		{ "2023-01-01 00:00:00Z", -1 },
		{ "2023-1-1T00:00:00Z", -1 },
		{ "-023-01-01T00:00:00Z", -1 },
		{ "", -1 },
	};
	struct buf out = BUF_INIT(64), again = BUF_INIT(64);
	int64_t got;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check_int(datetime_parse(str_c(cases[i].text), &got), cases[i].want < 0 ? -1 : 0);
		if (cases[i].want < 0)
			continue;
		check_int(got, cases[i].want);
		buf_reset(&out);
		datetime_put(&out, got);
		check_int(datetime_parse(buf_str(&out), &got), 0);
		check_int(got, cases[i].want);
		for (size_t n = 0; n < out.n; n++) /* every beginning of it is none */
			check_int(datetime_parse(str_sub(buf_str(&out), 0, n), &got), -1);
	}
	buf_free(&out);
	buf_free(&again);
}

static void test_mail(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
	} cases[] = {
		{ "Sat, 1 Jun 2013 09:23:01 -0700", 1370103781 },
		{ " 01 Jun 2013 16:23:01 +0000 ", 1370103781 },
		{ "Sat, 1 Jun 2013 16:23 +0000", 1370103780 },
		{ "Sat, 1 Jun 2013 09:23:01 -0700 (PDT)", 1370103781 },
		{ "Sat,(a \\) (b))1 Jun\r\n 2013 (c) 09:23:01 -0700()", 1370103781 },
		{ "1 Jun 13 09:23:01 PDT", 1370103781 },
		{ "1 Jun 2013 16:23:01 GMT", 1370103781 },
		{ "21 Nov 97 09:55:06 ut", 880106106 },
		{ "31 Apr 2013 16:23:01 GMT", -1 },
		{ "1 Jun 2013 16:23:01 (GMT)", -1 },
		{ "1 Jun 2013 16:23:01 GMT (", -1 },
		{ "1 Jun 2013 16:23:01 +0000)", -1 },
		{ "1 Jun 69 16:23:01 +0000", -1 },
		{ "Sat, 1 Jun 2013 16:23:01", -1 },
		{ "2013-06-01T16:23:01Z", -1 },
		{ "Sat, 1 Jun 2013 16:23:01 +0000 x", -1 },
		{ "", -1 },
	};
	struct buf out = BUF_INIT(64);
	int64_t got;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check_int(datetime_parse_mail(str_c(cases[i].text), &got), cases[i].want < 0 ? -1 : 0);
		if (cases[i].want >= 0)
			check_int(got, cases[i].want);
	}
	datetime_put_mail(&out, 1370103781);
	check_str(buf_str(&out), "Sat, 01 Jun 2013 16:23:01 +0000");
	buf_free(&out);
}

static long part(const json_t *expected, const char *name)
{
	return (long)json_integer_value(json_object_get(expected, name));
}

static int64_t wanted(const json_t *expected)
{
	struct tm t = { .tm_year = (int)part(expected, "year") - 1900,
		.tm_mon = (int)part(expected, "month") - 1,
		.tm_mday = (int)part(expected, "day"),
		.tm_hour = (int)part(expected, "hour"),
		.tm_min = (int)part(expected, "minute"),
		.tm_sec = (int)part(expected, "second") };
	long east = part(expected, "tz_hour") * 3600 + part(expected, "tz_minute") * 60;

	return (int64_t)timegm(&t) + (json_boolean_value(json_object_get(expected, "tz_before_gmt")) ? east : -east);
}

/* The vectors of another parser: where it finds no date there is none, and where it does it is the same or none. */
static void test_corpus(void **state)
{
	unsigned same = 0;
	json_t *all = corpus_load("mime/mail-parser/fields/date.json"), *one;
	size_t i;

	(void)state;
	if (all == NULL)
		return;
	json_array_foreach(all, i, one)
	{
		const json_t *expected = json_object_get(one, "expected");
		int64_t got;

		if (datetime_parse_mail(corpus_field(one), &got) != 0)
			continue;
		check(!json_is_null(expected));
		check_int(got, wanted(expected));
		same++;
	}
	printf("dates: %u of %zu\n", same, json_array_size(all));
	check(same >= 25);
	json_decref(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_datetime), cmocka_unit_test(test_mail),
		cmocka_unit_test(test_corpus) };

	return test_run(tests);
}
