/*
 * map_answer.h - what an answer about tables and addresses consists of, for all who give or take one.
 */
#ifndef MAP_MAP_ANSWER_H
#define MAP_MAP_ANSWER_H

#include "base/str.h"

enum map_status {
	MAP_FOUND,
	MAP_NOT_FOUND,
	MAP_TEMPORARY,
	MAP_ELSEWHERE /* inside src/map only: a table must be asked that only mapd reads */
};

/* Class of an address, in Postfix's sense (ADDRESS_CLASS_README). */
enum map_class { CLASS_LOCAL = 1, CLASS_VIRTUAL_ALIAS, CLASS_VIRTUAL_MAILBOX, CLASS_RELAY, CLASS_DEFAULT };

/* Everything that map_lookup(), map_rcpt() and map_route() can answer; see map_client.h for each field. */
struct map_answer {
	enum map_status status;
	struct str why;
	struct str value;
	enum map_class class;
	bool exists;
	bool alias_loop;
	struct str *expanded;
	size_t n_expanded;
	struct str service;
	struct str nexthop;
};

/* "User unknown in virtual mailbox table" … for a recipient of that class that does not exist; static. */
const char *map_unknown_text(enum map_class class);

#endif
