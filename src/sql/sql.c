#include "sql/sql.h"

/* A driver for another database is one more row here. */
static const struct {
	const char *name;
	const struct sql_driver *driver;
} drivers[] = {
	{ "sqlite", &sql_sqlite },
#ifdef HAVE_PGSQL
	{ "pgsql", &sql_pgsql },
#endif
#ifdef HAVE_MYSQL
	{ "mysql", &sql_mysql },
#endif
};

const struct sql_driver *sql_driver_find(const char *name)
{
	for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
		if (strcmp(drivers[i].name, name) == 0)
			return drivers[i].driver;
	return NULL;
}

const char *sql_driver_names(void)
{
#if defined HAVE_PGSQL && defined HAVE_MYSQL
	return "sqlite, pgsql and mysql";
#elif defined HAVE_PGSQL
	return "sqlite and pgsql";
#elif defined HAVE_MYSQL
	return "sqlite and mysql";
#else
	return "sqlite";
#endif
}

int sql_fault(const char *state)
{
	/* By their beginnings; the class of ISO 9075, and PostgreSQL's own. */
	static const struct {
		const char *begin;
		int error;
	} faults[] = {
		{ "08", SQL_EDOWN },   /* the connection */
		{ "53", SQL_EDOWN },   /* resources */
		{ "57P0", SQL_EDOWN }, /* it is shut down, or starts */
		{ "22", SQL_EVALUE },  /* what was bound does not fit the column, such as letters into a number */
	};

	if (state == NULL || *state == '\0')
		return -SQL_EDOWN;
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		if (strncmp(state, faults[i].begin, strlen(faults[i].begin)) == 0)
			return -faults[i].error;
	return -SQL_EQUERY;
}

const struct sql_field *sql_field_find(const struct sql_row *row, const char *name)
{
	for (size_t i = 0; i < row->n; i++)
		if (str_ieq(row->field[i].name, str_c(name)))
			return &row->field[i];
	return NULL;
}
