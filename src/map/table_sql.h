/*
 * table_sql.h - mysql_table(5) and pgsql_table(5): tables in a database behind a socket. The programs that ask themselves (mapd,
 * postmap) bring the drivers along; all others have the names of the types alone, and no library of a database.
 */
#ifndef MAP_TABLE_SQL_H
#define MAP_TABLE_SQL_H

#include "map/table.h"

struct sql_driver;
/* From now on tables take their driver from `find` ("mysql", "pgsql"), which returns NULL for one that was not built in. */
void table_sql_drivers(const struct sql_driver *(*find)(const char *name));

#endif
