/* The negotiation: versions 2 to 6, what is told and answered then, macros that a filter names. */
#include "milter/terms.h"
#include "base/test.h"

static const struct {
	const char *value; /* of milter_protocol */
	int result;
	uint32_t version, protocol;
} offers[] = {
	{ "6", 0, 6, 0x1ff7ff },
	{ "5", 0, 5, 0x37f },
	{ "4", 0, 4, 0x37f },
	{ "3", 0, 3, 0x17f },
	{ "2", 0, 2, 0x7f },
	{ "2, no_header_reply", 0, 2, 0xff },
	{ "no_header_reply 3", 0, 3, 0x1ff },
	{ "", -1, 0, 0 },
	{ "1", -1, 0, 0 },
	{ "7", -1, 0, 0 },
	{ "6 4", -1, 0, 0 },
	{ "no_header_reply", -1, 0, 0 },
	{ "six", -1, 0, 0 },
};

static void test_offers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
		struct buf out = BUF_INIT(1024);
		struct milter_terms t;
		struct milter_packet p;
		size_t used;

		check_int(milter_terms_offer(str_c(offers[i].value), &t), offers[i].result);
		if (offers[i].result != 0)
			continue;
		check_int(t.version, offers[i].version);
		check_int(t.protocol, offers[i].protocol);
		milter_terms_put(&out, &t);
		check_int(milter_packet_next(buf_str(&out), &used, &p), 1);
		check_int(p.command, 'O');
		check_int(p.data.n, 12);
		check_int(p.data.p[3], offers[i].version);
		buf_free(&out);
	}
}

#define ROW(offer, octets, agreed, told, answered)                           \
	{                                                                    \
		offer, { octets, sizeof octets - 1 }, agreed, told, answered \
	}
#define ALL "CHMRTULNBE"

/* For each answer the commands that are told then, and of them those that are answered. */
static const struct {
	const char *offer;
	struct str data;
	bool agreed;
	const char *told, *answered;
} answers[] = {
	ROW("6", "\0\0\0\6\0\0\1\xff\0\0\0\0", true, ALL, ALL),
	ROW("6", "\0\0\0\6\0\0\0\0\0\x1f\xf7\xff", true, "E", "E"),
	ROW("6", "\0\0\0\6\0\0\0\0\0\x0f\xf0\x80", true, ALL, "E"),
	ROW("6", "\0\0\0\6\0\0\0\0\0\0\0\x13", true, "MRTULNE", "MRTULNE"),
	ROW("6", "\0\0\0\6\0\0\0\0\x30\0\0\0", true, ALL, ALL), /* sizes of data, which were not offered */
	ROW("6", "\0\0\0\6\0\0\0\0\0\0\x08\0", true, ALL, ALL), /* SMFIP_RCPT_REJ, the same */
	ROW("6", "\0\0\0\4\0\0\0\0\0\0\0\0", true, ALL, ALL),
	ROW("6", "\0\0\0\3\0\0\0\0\0\0\0\0", true, "CHMRULNBE", "CHMRULNBE"),
	ROW("6", "\0\0\0\2\0\0\0\0\0\0\0\0", true, "CHMRLNBE", "CHMRLNBE"),
	ROW("2", "\0\0\0\2\0\0\0\0\0\0\0\0", true, "CHMRLNBE", "CHMRLNBE"),
	ROW("2", "\0\0\0\2\0\0\0\0\0\0\0\x80", true, "CHMRLNBE", "CHMRLNBE"), /* was not offered */
	ROW("2 no_header_reply", "\0\0\0\2\0\0\0\0\0\0\0\x80", true, "CHMRLNBE", "CHMRNBE"),
	ROW("4", "\0\0\0\6\0\0\0\0\0\0\0\0", false, "", ""), ROW("6", "\0\0\0\1\0\0\0\0\0\0\0\0", false, "", ""),
	ROW("6", "\0\0\0\6\0\0\2\0\0\0\0\0", false, "", ""), /* an action that nobody knows */
	ROW("6", "\0\0\0\6\0\0\0\0\0\0\0", false, "", ""), ROW("6", "", false, "", ""),
	ROW("6", "\0\0\0\6\0\0\0\0\0\0\0\0\0\0\0\2i", false, "", ""),
	ROW("6", "\0\0\0\6\0\0\0\0\0\0\0\0\0\0", false, "", ""),
	ROW("6", "\0\0\0\6\0\0\0\0\0\0\0\0\0\0\0\x63x\0", true, ALL, ALL), /* a stage of later versions */
};

static void check_events(
	const struct milter_terms *t, const char *want, bool (*has)(const struct milter_terms *t, enum milter_event e))
{
	char got[MILTER_EVENTS + 1] = "";
	size_t n = 0;

	for (enum milter_event e = 0; e < MILTER_EVENTS; e++)
		if (has(t, e))
			got[n++] = milter_event_row(e)->command;
	check_str(str_pn(got, n), want);
}

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		struct milter_terms offer, t;
		const char *why;

		check_int(milter_terms_offer(str_c(answers[i].offer), &offer), 0);
		why = milter_terms_take(answers[i].data, &offer, &t);
		check((why == NULL) == answers[i].agreed);
		if (why)
			continue;
		check_events(&t, answers[i].told, milter_terms_tells);
		check_events(&t, answers[i].answered, milter_terms_answers);
	}
}

static void test_macros(void **state)
{
	static const char data[] = "\0\0\0\6\0\0\1\0\0\0\0\0\0\0\0\2i {auth_type}\0\0\0\0\5\0";
	struct milter_terms offer, t;

	(void)state;
	milter_terms_offer(STR("6"), &offer);
	check(milter_terms_take(str_pn(data, sizeof data - 1), &offer, &t) == NULL);
	check_str(t.macros[STAGE_OF_MAIL], "i {auth_type}");
	check(t.macros[STAGE_OF_EOM].p != NULL && t.macros[STAGE_OF_EOM].n == 0); /* it wants none there */
	check(t.macros[STAGE_OF_CONNECT].p == NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_offers), cmocka_unit_test(test_answers),
		cmocka_unit_test(test_macros) };

	return test_run(tests);
}
