/*
 * table_sql.h - mysql_table(5) and pgsql_table(5): tables in a database behind a socket. The programs that ask themselves (mapd,
 * postmap) bring the drivers along; all others have the names of the types alone, and no library of a database.
 */
#ifndef MAP_TABLE_SQL_H
#define MAP_TABLE_SQL_H

#include "map/sql_settings.h"

struct sql_driver;
/* From now on tables take their driver from `find` ("mysql", "pgsql"), which returns NULL for one that was not built in. */
void table_sql_drivers(const struct sql_driver *(*find)(const char *name));

/* What a table needs at its connections, for a jail. */
struct table_sql_needs {
	uint16_t port[SQL_HOSTS_MAX + 1]; /* the usual one, and those of its hosts, as its file says now */
	size_t n_ports;
	bool by_tcp;	      /* not by a socket in the file system alone */
	bool any_port;	      /* another file may say where the database is */
	const char *files[8]; /* certificates, keys, options; NULL at the end; in the arena */
};
/* As its settings were when they were read last (table_prepare()). False: it is of another type. */
bool table_sql_needs(struct table *t, struct arena *mem, struct table_sql_needs *out);

#endif
