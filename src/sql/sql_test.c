#include "sql/sql.h"
#include "base/test.h"

/* Only what is true of every query means that the database is away. */
static void test_fault(void **state)
{
	static const struct {
		const char *state;
		int want;
	} cases[] = { { NULL, SQL_EDOWN }, { "", SQL_EDOWN }, { "08006", SQL_EDOWN }, { "53300", SQL_EDOWN },
		{ "57P01", SQL_EDOWN }, { "57P03", SQL_EDOWN }, { "57014", SQL_EQUERY }, { "42P01", SQL_EQUERY },
		{ "42703", SQL_EQUERY }, { "42501", SQL_EQUERY }, { "40001", SQL_EQUERY }, { "22P02", SQL_EVALUE },
		{ "22021", SQL_EVALUE }, { "XX000", SQL_EQUERY } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_int(sql_fault(cases[i].state), -cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_fault) };

	return test_run(tests);
}
