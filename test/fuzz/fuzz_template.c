/* %-variables and queries: any text is taken or refused, whatever the values. */
#include "authd/query.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	struct str all = str_pn(data, n);
	ptrdiff_t cut = str_chr(all, '\n');
	struct str user = cut < 0 ? STR("a@b") : str_from(all, (size_t)cut + 1);
	struct vars v = { .service = STR("smtp"), .pass = user };
	struct arena *mem = arena_new(0);
	const char *why;

	all = cut < 0 ? all : str_sub(all, 0, (size_t)cut);
	vars_set_user(&v, user);
	for (enum sql_dialect d = SQL_QUESTION; d <= SQL_BACKSLASH; d++) {
		struct query q;

		if (query_compile(all, d, mem, &q, &why) == 0) {
			query_sql(&q, &v, &why);
			query_params(&q, &v, mem);
		}
	}
	arena_free(&mem);
	return 0;
}
