#include "authd/sql.h"

/* A driver for another database is one more row here. */
static const struct sql_driver *const drivers[] = { &sql_sqlite };

const struct sql_driver *sql_driver_find(const char *name)
{
	for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
		if (strcmp(drivers[i]->name, name) == 0)
			return drivers[i];
	return NULL;
}

const struct sql_field *sql_field_find(const struct sql_row *row, const char *name)
{
	for (size_t i = 0; i < row->n; i++)
		if (str_ieq(row->field[i].name, str_c(name)))
			return &row->field[i];
	return NULL;
}
