/* A line of a passwd-file, and what its fields import: the row of a passdb and of a userdb, and the name that comes of it. */
#include "authd/fields.h"
#include "authd/passwd_file.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *mem = arena_new(0);
	struct vars v = { 0 };
	const char *why;

	vars_set_user(&v, STR("user@example.org"));
	for (int is_passdb = 0; is_passdb < 2; is_passdb++) {
		const struct sql_row *row = passwd_file_row(str_pn(data, n), is_passdb, &v, mem, &why), *all;
		struct sql_field one = { .name = is_passdb ? STR("passdb_import") : STR("userdb_import"),
			.value = str_pn(data, n) };
		struct sql_row import = { .field = &one, .n = 1 };

		all = fields_merge(fields_import(row, is_passdb, mem), fields_import(&import, is_passdb, mem), mem);
		fields_user(all, v.user, is_passdb, mem);
		for (size_t i = 0; i < all->n; i++) {
			fields_is_own(all->field[i].name);
			for (size_t k = 0; k < i; k++)
				if (str_ieq(all->field[i].name, all->field[k].name))
					__builtin_trap(); /* a field is there once */
		}
	}
	arena_free(&mem);
	return 0;
}
